/* Brings a coarse mask to the edges of the picture: for each cell of the grid the line that turns brightness
 * into alpha.
 *
 * With x the mean of R, G and B and m the mask, over the square window of 2 radius + 1 cells a side (cut at
 * the picture's border): A = (mean(xm) - mean(x) mean(m)) / (var(x) + eps), b = mean(m) - A mean(x); then A
 * and b are themselves averaged over the same window. image/refine.h applies the line at full size: alpha =
 * clamp(A x + b). Where the mask is 0 or 1 all round, so is alpha. Source: He, Sun and Tang, "Guided Image
 * Filtering", equations 5, 6 and 8. image/guided_fit.h is the other one: a network's own matte, radius 1,
 * nothing averaged.
 */
#ifndef VSM_IMAGE_MASK_FIT_H
#define VSM_IMAGE_MASK_FIT_H

#include "base/parallel.h"
#include "base/status.h"

struct vsm_mask_fit;

/* Scratch for grids of width x height, both at least 2. NULL if out of memory. */
struct vsm_mask_fit *vsm_mask_fit_create(int width, int height) VSM_NODISCARD;
void vsm_mask_fit_destroy(struct vsm_mask_fit *fit);

/* rgb: three planes 0..1; mask, slope (A) and offset (b): one plane each. 1 <= radius. The same result for
 * any number of threads. Cost: 30 ms for 768x768 on one core, whatever the radius. */
void vsm_mask_fit_run(struct vsm_mask_fit *fit, const float *rgb, const float *mask, int radius, float *slope,
                      float *offset, struct vsm_parallel *pool);

#endif
