/* Single pictures in files: reads JPEG, PNG and whatever else FFmpeg decodes, writes PNG.
 *
 * For tools, tests and plates, not for the pipeline: a picture is decoded whole into packed RGB. One call, no
 * state, any thread.
 */
#ifndef VSM_MEDIA_STILL_H
#define VSM_MEDIA_STILL_H

#include "base/status.h"
#include "frame/image.h"

/* Largest width and height that are accepted, in pixels; bounds memory at 8 GiB for a hostile header. */
#define VSM_STILL_MAX_SIDE 32768

/* Reads the first picture of the file as full-range RGB, or RGBA with straight alpha where the file has
 * alpha; 8 bits, or 16 where the file has more than 8. YCbCr is converted by its own matrix and range
 * (unspecified: BT.601, full range for JPEG), grey becomes R = G = B; orientation tags are ignored.
 * VSM_E_INPUT if it cannot be read. */
int vsm_still_read(const char *path, struct vsm_image **image) VSM_NODISCARD;

/* Writes a GRAY, RGB or RGBA image (straight alpha) of 8 or 16 bits as PNG, whole or not at all; 16 means
 * depth == 16 and shift == 0. Same image, same bytes (with the same FFmpeg). VSM_E_OUTPUT on failure. */
int vsm_still_write_png(const char *path, const struct vsm_image *image) VSM_NODISCARD;

#endif
