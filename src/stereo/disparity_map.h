/* Parallax cell by cell, and what cells tell each other: neighbours settle outliers and fill gaps, earlier
 * frames and the other direction stand in where nothing was matched. stereo/disparity.h measures; here are no
 * pictures. The map itself is pixel/disparity.h.
 *
 * Functions change the caller's map in place, allocate nothing, and cost below 1 ms. `pixel` is the parallax
 * that shifts the grid's middle by a pixel.
 */
#ifndef VSM_STEREO_DISPARITY_MAP_H
#define VSM_STEREO_DISPARITY_MAP_H

#include "pixel/disparity.h"

/* Parallax by cell, as the other direction's map has it. */
struct vsm_disparity_known {
    float people[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS]; /* 0 = nothing is known */
    float parallax[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
};

/* What earlier frames of a scene have shown, cell by cell; all zero = nothing. Plain: a copy continues
 * exactly. */
struct vsm_disparity_memory {
    float trust[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS]; /* 0..1 */
    float parallax[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
};

/* Settles each matched cell with those two cells away at most: the mean, weighted by confidence, of those
 * that agree with it, if there are some, else of those that agree with their median. Cells that then change
 * lose confidence. Sets `known` where there is any. */
void vsm_disparity_map_settle(struct vsm_disparity_map *map, float pixel);

/* What the other direction has found, where this one has no match of its own. */
void vsm_disparity_map_take(struct vsm_disparity_map *map, const struct vsm_disparity_known *known);

/* Smooths what is like before, stands in where people have no match now, and learns. */
void vsm_disparity_map_remember(struct vsm_disparity_map *map, struct vsm_disparity_memory *memory,
                                float pixel);

/* Fills people from the cells that are known, and a ring of cells beyond them, for soft borders. */
void vsm_disparity_map_spread(struct vsm_disparity_map *map);

/* People walk on while they cannot be matched: remembers for the next frame what was filled in beside
 * them. */
void vsm_disparity_map_learn(const struct vsm_disparity_map *map, struct vsm_disparity_memory *memory);

/* The map as the slave would have it, for a measurement with the eyes' roles exchanged. */
void vsm_disparity_map_invert(const struct vsm_disparity_map *map, struct vsm_disparity_known *known);

#endif
