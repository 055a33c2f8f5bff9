/* What the linked FFmpeg, and through it the machine, can do. */
#ifndef VSM_MEDIA_CAPABILITY_H
#define VSM_MEDIA_CAPABILITY_H

#include "base/status.h"
#include "frame/image.h"

#include <stdbool.h>

/* Whether FFmpeg has an encoder of this name. It may still fail to open: NVENC's exist without a device. */
bool vsm_capability_encoder(const char *name);

/* Whether pictures can be decoded by the CUDA device: VSM_E_DEVICE names what is missing, FFmpeg's part, the
 * device or the driver's decoder library. What streams it takes shows only when one is decoded. Cost: starts
 * the driver. */
int vsm_capability_nvdec(void) VSM_NODISCARD;

/* Opens the NVENC encoder `name` for a small picture of this format, and closes it: not each card takes 10
 * bits. `pix_fmt`: as in media/video_encoder.h. VSM_E_DEVICE says why it does not open. */
int vsm_capability_nvenc(const char *name, struct vsm_format format, const char *pix_fmt) VSM_NODISCARD;

#endif
