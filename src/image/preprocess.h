/* From the decoder's picture to the network's grid: crop, area average, YCbCr to RGB, planar float32.
 *
 * One pass over the eye's pixels; a full-size RGB picture never exists. C reference and AVX2 give identical
 * bits, and so does any number of threads: the averages are exact integer sums. Along an axis on which the
 * grid is finer than a plane's samples, the plane is interpolated bilinearly instead (image/area.h).
 */
#ifndef VSM_IMAGE_PREPROCESS_H
#define VSM_IMAGE_PREPROCESS_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/image.h"
#include "frame/view.h"

/* For a direct view: averages the view's source rectangle of `image` onto the grid, each grid cell over
 * exactly the area it covers, and writes RGB in 0..1 (clamped; by the image's matrix and range; unspecified =
 * BT.709 limited for height >= 720, else BT.601) as three planes of width*height floats at `rgb`. Host
 * images, planes GRAY, YUV, YUVA (A ignored) or NV, 8..16 bits; any rectangle inside the picture, also at odd
 * positions of subsampled chroma. Turned views: image/preprocess_turned.h. VSM_E_INTERNAL for a format or
 * rectangle that does not fit, VSM_E_INPUT for an unsupported matrix. Rows are shared out to `pool` (NULL:
 * this thread alone). Any thread. Cost: bench_preprocess. */
int vsm_preprocess(const struct vsm_image *image, const struct vsm_view *view, float *rgb,
                   struct vsm_parallel *pool) VSM_NODISCARD;

#endif
