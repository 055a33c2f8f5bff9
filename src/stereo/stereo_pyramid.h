/* Both eyes' luma and the master's alpha on grids of half, quarter ... size, with margins, for matching.
 *
 * A part of stereo/disparity.h. The memory is the caller's. The margins are as wide as shifts and windows can
 * reach beyond the grid: luma is repeated there, alpha is 0.
 */
#ifndef VSM_STEREO_STEREO_PYRAMID_H
#define VSM_STEREO_STEREO_PYRAMID_H

#include "base/parallel.h"
#include "pixel/match.h"
#include "stereo/disparity.h"
#include "stereo/disparity_match.h"

enum vsm_stereo_pyramid_plane {
    VSM_PYRAMID_MASTER,
    VSM_PYRAMID_SLAVE,
    VSM_PYRAMID_WEIGHTS, /* alpha */
};
#define VSM_PYRAMID_PLANES 3

struct vsm_stereo_pyramid {
    int width, height, levels; /* level 0 is the grid itself */
    struct vsm_disparity_match_plane planes[VSM_MATCH_LEVELS][VSM_PYRAMID_PLANES];
};

/* Chooses the levels; planes have no memory yet. */
void vsm_stereo_pyramid_init(struct vsm_stereo_pyramid *pyramid, int width, int height);

/* Memory that the planes take. */
size_t vsm_stereo_pyramid_bytes(const struct vsm_stereo_pyramid *pyramid);

/* Lays the planes out in memory of that size, aligned to floats, with any content. */
void vsm_stereo_pyramid_place(struct vsm_stereo_pyramid *pyramid, float *memory);

/* All planes of all levels, in one loop of the pool (NULL: one thread). */
void vsm_stereo_pyramid_load(const struct vsm_stereo_pyramid *pyramid,
                             const struct vsm_disparity_picture *master,
                             const struct vsm_disparity_picture *slave, struct vsm_parallel *pool);

/* The eyes exchange their roles: of what is loaded the luma stays, and `alpha` is the new master's. */
void vsm_stereo_pyramid_turn(struct vsm_stereo_pyramid *pyramid, const float *alpha,
                             struct vsm_parallel *pool);

#endif
