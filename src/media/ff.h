/* The border to FFmpeg: every difference between its versions 5.1 and 8, and every mapping between its types
 * and ours but for pixel formats (media/ff_format.h), is here. Included only inside src/media.
 */
#ifndef VSM_MEDIA_FF_H
#define VSM_MEDIA_FF_H

#include "base/clock.h"
#include "base/status.h"
#include "frame/image.h"
#include "media/video_info.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Largest picture that is accepted, checked before anything is allocated for it: 2^28 pixels,
 * 16384 a side. */
#define VSM_FF_MAX_SIDE   16384
#define VSM_FF_MAX_PIXELS ((int64_t)1 << 28)

/* Sends FFmpeg's log lines to vsm_log at debug level. Any thread, any number of times; every
 * open calls it. */
void vsm_ff_init(void);

/* vsm_fail() with FFmpeg's reason appended: "clip.mp4: packet cannot be read: Input/output error".
 * `error` is an AVERROR. Out of memory becomes VSM_E_NOMEM, AVERROR_EXIT (our interrupt) VSM_E_CANCELLED,
 * whatever `status` is. */
int vsm_ff_fail(enum vsm_status status, int error, const char *format, ...) VSM_PRINTF(3, 4);

/* VSM_E_INPUT unless 1 <= width, height <= VSM_FF_MAX_SIDE and width * height <= VSM_FF_MAX_PIXELS. */
int vsm_ff_check_size(const char *path, int width, int height) VSM_NODISCARD;

/* Colour tags; both sides use the code points of H.273. */
struct vsm_colour vsm_ff_colour_of_frame(const AVFrame *frame);
void vsm_ff_colour_to_frame(struct vsm_colour colour, AVFrame *frame);
void vsm_ff_colour_to_codec(struct vsm_colour colour, AVCodecContext *codec);

struct vsm_rational vsm_ff_rational_from(AVRational r); /* den 0 becomes 0/1 */
AVRational vsm_ff_rational_to(struct vsm_rational r);

/* Wraps a decoded picture whose format has a counterpart; alpha planes are left out. Cropping that the
 * decoder left in frame->crop_* is applied. The frame is taken over: it is released with the last reference
 * of the image. Pictures in CUDA memory become images there, with the format of their samples. NULL on
 * failure (message set); then *frame stays the caller's. No pixels are copied. */
struct vsm_image *vsm_ff_image_wrap(AVFrame **frame) VSM_NODISCARD;

/* Wraps an image (borrowed, one reference is added) into a frame for an encoder or a scaler:
 * read-only data, format, size and colour set, no time stamps. NULL on failure (message set).
 * Release with av_frame_free(). */
AVFrame *vsm_ff_frame_wrap(struct vsm_image *image) VSM_NODISCARD;

/* Its callbacks may be called from its threads at once; later versions assume so. */
void vsm_ff_codec_threads_call_back(AVCodecContext *codec);

/* A field that changed its name between versions. */
void vsm_ff_frame_set_duration(AVFrame *frame, int64_t duration);
/* The decoder reported damage in this picture. */
bool vsm_ff_frame_is_damaged(const AVFrame *frame);

/* Gives a stream a copy of `data` as side data that holds for all of it. */
int vsm_ff_stream_set_side_data(AVStream *stream, enum AVPacketSideDataType type, const void *data,
                                size_t size) VSM_NODISCARD;
/* Copies all side data of a stream, e.g. from an input to an output that gets its packets unchanged. */
int vsm_ff_stream_copy_side_data(AVStream *to, const AVStream *from) VSM_NODISCARD;

/* Pixel formats that an encoder takes: a list ended by AV_PIX_FMT_NONE; NULL = it does not say. */
const enum AVPixelFormat *vsm_ff_encoder_formats(const AVCodec *codec);

/* Stereo and sphere boxes as the demuxer reports them (Matroska's StereoMode and Projection, MP4's
 * st3d and sv3d). */
void vsm_ff_stream_boxes(const AVStream *stream, struct vsm_vr_boxes *boxes);

/* Adds the container's own cropping (Matroska PixelCrop, MP4 clap; FFmpeg reports it from 7.1
 * on) to frame->crop_*. */
void vsm_ff_stream_crop(const AVStream *stream, AVFrame *frame);

/* Rotation a player applies, in degrees clockwise, from the stream's display matrix: 0, 90, 180 or 270. */
int vsm_ff_stream_rotation(const AVStream *stream);

/* Static data of a video that belongs into the output as well. Plain data except the profile. */
struct vsm_ff_static_data {
    bool has_mastering, has_light;
    AVMasteringDisplayMetadata mastering; /* SMPTE ST 2086 */
    AVContentLightMetadata light;         /* CTA-861.3 */
    uint8_t *icc_profile;                 /* owned; NULL = none */
    size_t icc_size;
};

/* Takes what the stream and, with precedence, the picture (either may be NULL) carry; adds to
 * what is there. */
int vsm_ff_static_data_add(struct vsm_ff_static_data *data, const AVStream *stream,
                           const AVFrame *frame) VSM_NODISCARD;
void vsm_ff_static_data_finish(struct vsm_ff_static_data *data);

#endif
