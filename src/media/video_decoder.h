/* FFmpeg's decoder of a stream, set up for media/video_reader.h, and what it gives as images.
 *
 * The caller sends packets and receives frames through `codec` itself. Included only inside src/media. One
 * thread at a time.
 */
#ifndef VSM_MEDIA_VIDEO_DECODER_H
#define VSM_MEDIA_VIDEO_DECODER_H

#include "base/status.h"
#include "frame/image.h"
#include "media/ff.h"
#include "media/video_reader.h"

struct vsm_video_decoder {
    const char *path; /* borrowed; for messages */
    AVCodecContext *codec;
    struct vsm_video_convert *convert;     /* NULL while pictures need none */
    struct vsm_device_decode_pool *pinned; /* NULL: pictures are in ordinary memory, or on the device */
};

/* VSM_E_INPUT for a stream that this FFmpeg cannot decode, VSM_E_DEVICE for memory that is not there. Close
 * it also after a failure. The stream is not kept: seeking may replace it by another object
 * (media/demux.h). */
int vsm_video_decoder_open(struct vsm_video_decoder *decoder, const char *path, const AVStream *stream,
                           const struct vsm_video_reader_options *options) VSM_NODISCARD;
/* Images live on. */
void vsm_video_decoder_close(struct vsm_video_decoder *decoder);

/* A decoded picture, cropped, as an image of a format that the pipeline takes: wrapped, or else converted.
 * Takes what `frame` holds over or leaves it. VSM_E_INPUT, VSM_E_NOMEM. */
int vsm_video_decoder_image(struct vsm_video_decoder *decoder, const AVStream *stream, AVFrame *frame,
                            struct vsm_image **image) VSM_NODISCARD;

#endif
