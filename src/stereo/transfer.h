/* Moves what one eye has to the other by the disparity of people.
 *
 * "From" is the eye that the map was measured from (its master), "to" the other one.
 */
#ifndef VSM_STEREO_TRANSFER_H
#define VSM_STEREO_TRANSFER_H

#include "base/parallel.h"
#include "stereo/disparity.h"

#include <stddef.h>

/* Moves the alpha `from`, width * height in 0..1 on the map's grid, into `to`: what the other eye should see,
 * negative where that is not known: beyond the picture's edge, and where `there`, the other eye's own alpha,
 * shows somebody at a place that someone nearer may hide from this one. Where nobody arrives there is nobody:
 * 0. The same result for any number of threads. Cost: 3 ms on a grid of 512 on one core. */
void vsm_transfer_alpha(const struct vsm_disparity_map *map, const float *from, const float *there, int width,
                        int height, float *to, struct vsm_parallel *pool);

/* What of `moved` (vsm_transfer_alpha()) contradicts `own`, the alpha that is there: `settled` is own where
 * own lies between the least and the largest moved alpha within one pixel, else the nearer of the two;
 * negative where the pixel is not known. Borders that lie within a pixel of each other are equal that way:
 * disparity is no more exact, and the eye keeps its own edges. Cost: 2 ms on a grid of 512 on one core. */
void vsm_transfer_settle(const float *moved, const float *own, int width, int height, float *settled,
                         struct vsm_parallel *pool);

/* Moves `channels` planes of any resolution (width * height each) the other way: into `to`, on the grid that
 * the map was measured from, out of planes `from` of the other eye. Between samples bilinear; not shifted
 * where nobody is; the border repeated. Planes that are blended: to = to + share * (moved - to), with `share`
 * a cell, 0..1. */
void vsm_transfer_planes(const struct vsm_disparity_map *map, int grid_width, const float *from, int width,
                         int height, int channels, const float *share, float *to);

#endif
