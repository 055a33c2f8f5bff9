/* Gives pictures to an encoder in a pixel format that it takes.
 *
 * A picture of that format is wrapped: the AVFrame refers to the vsm_image and gives it back when the encoder
 * lets go. A gray picture for a planar 4:2:0 encoder is wrapped too, with neutral chroma planes that all
 * pictures share (many hardware decoders refuse 4:0:0). Everything else is converted by libswscale into a
 * frame of a pool.
 */
#ifndef VSM_MEDIA_ENCODER_PICTURE_H
#define VSM_MEDIA_ENCODER_PICTURE_H

#include "base/status.h"
#include "frame/image.h"
#include "media/video_encoder.h"

struct AVFrame;

struct vsm_encoder_picture;

/* The nearest of `offered` (AVPixelFormat values ending with -1; NULL = all) for pictures of `format`: the
 * same if offered, 4:2:0 of the same depth for gray unless keep_gray, else the one that loses least (depth
 * kept before chroma). -1 if none. */
int vsm_encoder_picture_choose(struct vsm_format format, const int *offered, bool keep_gray);

/* Pictures of options->picture_width x picture_height will be given as options->width x height in
 * AVPixelFormat `target`; smaller ones by the mean of the area. VSM_E_USAGE if there is no conversion. */
int vsm_encoder_picture_create(const struct vsm_video_encoder_options *options, int target,
                               struct vsm_encoder_picture **maker) VSM_NODISCARD;
void vsm_encoder_picture_destroy(struct vsm_encoder_picture *maker);

/* A new frame for `image`, which is taken and goes at once unless it is wrapped. Without time stamps; the
 * caller frees it with av_frame_free(). */
int vsm_encoder_picture_make(struct vsm_encoder_picture *maker, struct vsm_image **image,
                             struct AVFrame **frame) VSM_NODISCARD;

#endif
