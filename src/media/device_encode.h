/* Encoding from pictures in a CUDA device's memory (NVENC): frames of FFmpeg's own pool there, into which a
 * picture is copied without leaving the device. For media/video_encoder.c alone; without CUDA it fails with
 * VSM_E_DEVICE.
 */
#ifndef VSM_MEDIA_DEVICE_ENCODE_H
#define VSM_MEDIA_DEVICE_ENCODE_H

#include "base/status.h"
#include "frame/image.h"

#include <libavcodec/avcodec.h>

struct vsm_device_encode;

/* For pictures of width x height in `format`, which is an AVPixelFormat of host memory. VSM_E_DEVICE if
 * FFmpeg or the device cannot hold such. */
int vsm_device_encode_create(int width, int height, int format,
                             struct vsm_device_encode **encode) VSM_NODISCARD;
void vsm_device_encode_destroy(struct vsm_device_encode *encode);

/* Before avcodec_open2(): the encoder shall take these frames. */
int vsm_device_encode_ask(const struct vsm_device_encode *encode, AVCodecContext *context) VSM_NODISCARD;

/* A frame with a copy of the picture, which is taken and goes at once. Without time stamps; the caller's.
 * VSM_E_INTERNAL for a picture of another size, format or place. */
int vsm_device_encode_make(struct vsm_device_encode *encode, struct vsm_image **image,
                           AVFrame **frame) VSM_NODISCARD;

#endif
