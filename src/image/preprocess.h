/* From the decoder's picture to the network's grid: crop, area average, YCbCr to RGB, planar float32.
 *
 * One pass over the eye's pixels; a full-size RGB picture never exists. C reference and AVX2 give identical
 * bits.
 */
#ifndef VSM_IMAGE_PREPROCESS_H
#define VSM_IMAGE_PREPROCESS_H

#include "base/status.h"
#include "frame/image.h"
#include "frame/view.h"

/* Averages the view's source rectangle of `image` onto the grid, each grid cell over exactly the area it
 * covers, and writes RGB in 0..1 (clamped; by the image's matrix and range; unspecified = BT.709 limited for
 * height >= 720, else BT.601) as three planes of width*height floats at `rgb`. Host images, planes YUV, NV or
 * GRAY, 8..16 bits. VSM_E_INTERNAL for a format or rectangle that does not fit. Any thread. Cost: `bench
 * preprocess`. */
int vsm_preprocess(const struct vsm_image *image, const struct vsm_view *view, float *rgb) VSM_NODISCARD;

#endif
