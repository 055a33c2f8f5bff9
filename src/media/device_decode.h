/* Decoding for work on a CUDA device: by the device's own decoder (NVDEC), whose pictures stay in its memory,
 * or in software into page-locked host memory, from which copies to the device do not make the host wait.
 *
 * Included only inside src/media. Without CUDA both fail with VSM_E_DEVICE.
 */
#ifndef VSM_MEDIA_DEVICE_DECODE_H
#define VSM_MEDIA_DEVICE_DECODE_H

#include "base/status.h"

#include <libavcodec/avcodec.h>

/* Pictures that may be outside the decoder at a time, beyond what the stream itself needs: two in the reader,
 * one in a queue of one, and one in the stage that copies it. NVDEC's are a fixed set, each twice as large as
 * its picture; 32 is the most that the driver promises. */
#define VSM_DEVICE_DECODE_PICTURES 4

/* FFmpeg's view of the device of cuda/device.h, an AVHWDeviceContext; one reference, the caller's. */
int vsm_device_decode_context(AVBufferRef **device) VSM_NODISCARD;

/* Before avcodec_open2(): pictures shall come as AV_PIX_FMT_CUDA in the context of cuda/device.h. Streams
 * that the device cannot decode are decoded in software all the same; look at the first picture's format. */
int vsm_device_decode_ask(AVCodecContext *codec) VSM_NODISCARD;

/* Before avcodec_open2(): software pictures are decoded into page-locked memory, if there is enough. The pool
 * must outlive the codec, pictures outlive the pool. */
struct vsm_device_decode_pool;
int vsm_device_decode_pin(AVCodecContext *codec, struct vsm_device_decode_pool **pool) VSM_NODISCARD;
/* NULL is allowed. */
void vsm_device_decode_unpin(struct vsm_device_decode_pool *pool);

#endif
