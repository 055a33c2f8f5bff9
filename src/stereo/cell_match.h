/* Finds, for each cell with people, the parallax at which the slave's picture looks like the master's.
 *
 * A part of stereo/disparity.h, which says how. Cells are matched one by one; then each looks, through a
 * small window, at what its neighbours found. What they make of each other otherwise is
 * stereo/disparity_map.h's affair.
 */
#ifndef VSM_STEREO_CELL_MATCH_H
#define VSM_STEREO_CELL_MATCH_H

#include "base/parallel.h"
#include "stereo/disparity.h"
#include "stereo/parallax.h"
#include "stereo/stereo_pyramid.h"

/* Fills in `people` of all cells, parallax, residual and confidence of those that match, and counts both in
 * the map, whose cells are all zero before. `pyramid` is loaded, and of the grid of `parallax`. The result
 * does not depend on the pool (NULL: one thread). Cost: nearly all of vsm_disparity_measure(). */
void vsm_cell_match_run(const struct vsm_parallax *parallax, const struct vsm_stereo_pyramid *pyramid,
                        const struct vsm_disparity_search *search, struct vsm_parallel *pool,
                        struct vsm_disparity_map *map);

/* Whether people in `alpha`, width * height of the grid, are anywhere large enough to be matched, and where
 * cells are usable; whether they have texture is not asked. Cost: 1 ms on a
 * grid of 512 if they are not. */
bool vsm_cell_match_can(const struct vsm_parallax *parallax, const float *alpha);

#endif
