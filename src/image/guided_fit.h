/* The guided filter's fit on the small grid: for each cell the line through its surroundings that predicts
 * the matte from the picture. The line is applied at full size by image/refine.h.
 *
 * Per channel, with x the guide (R, G, B, and their mean for alpha) and y the matte, means over the 3x3
 * cells around that lie inside the picture: A = (mean(xy) - mean(x) mean(y)) / (mean(xx) - mean(x)^2 +
 * eps), b = mean(y) - A mean(x). Source: He, Sun and Tang, "Guided Image Filtering", equations 5 and 6;
 * radius 1 and eps 1e-5 as trained, RVM (arXiv 2108.11515).
 */
#ifndef VSM_IMAGE_GUIDED_FIT_H
#define VSM_IMAGE_GUIDED_FIT_H

#include "base/parallel.h"

/* rgb: three planes of width * height, 0..1. matte: four planes, foreground residual R, G, B and alpha.
 * Writes eight planes: A of R, G, B, alpha, then b of the same (struct vsm_matte). width and height at
 * least 2. The same result for any number of threads. Cost: 4 ms for 512x512 on one core. */
void vsm_guided_fit(const float *rgb, const float *matte, int width, int height, float *coefficients,
                    struct vsm_parallel *pool);

/* The same for alpha alone, one plane in and two out: A and b, where weight > 0; elsewhere they may be left
 * as they are. A quarter of the cost for all of a grid. */
void vsm_guided_fit_alpha(const float *rgb, const float *alpha, const float *weight, int width, int height,
                          float *coefficients, struct vsm_parallel *pool);

#endif
