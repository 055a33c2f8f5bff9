/* Rows of an equidistant fisheye circle sampled from both eyes of a picture, a tile at a time.
 *
 * A tile is as wide as VSM_CIRCLE_TILE_BLOCKS blocks of samples and some rows high. What its rows look at
 * lies on curves that the hardware does not foresee, so places are found, and their samples asked for, one
 * tile ahead.
 */
#ifndef VSM_GEOMETRY_CIRCLE_TILE_H
#define VSM_GEOMETRY_CIRCLE_TILE_H

#include "frame/image.h"
#include "geometry/circle_map.h"
#include "geometry/reprojection_kernels.h"

#include <stdbool.h>

#define VSM_CIRCLE_TILE_BLOCKS  32
#define VSM_CIRCLE_TILE_SAMPLES (VSM_CIRCLE_TILE_BLOCKS * VSM_REPROJECTION_BLOCK)

/* Where a plane's samples lie in both eyes. */
struct vsm_circle_lens {
    struct vsm_reprojection_window window;
    float centre_x, centre_y; /* of the eye, where the first sample's middle is (0, 0) */
    float scale_x, scale_y;   /* samples a luma pixel */
};

/* One row of a tile. Rows and blocks are counted from the circle's centre (negative: above, left). */
struct vsm_circle_run {
    int row, begin;  /* the tile's first block */
    int from, to;    /* blocks that see something; none if from >= to */
    int first, last; /* samples that do: first..last-1 */
    struct vsm_reprojection_block blocks[VSM_CIRCLE_TILE_BLOCKS];
};

/* `eyes`: left and right in `image`, of one size, in luma pixels; `centre`: x and y from their corners.
 * `planes`: 1, or 2 for `plane` and the next one, which must have the same size and stride. */
struct vsm_circle_lens vsm_circle_lens(const struct vsm_image *image, int plane, int planes,
                                       const struct vsm_rect eyes[2], const double centre[2]);

/* Places row `row` of the tile that begins with block `begin`, and asks for what it looks at. */
void vsm_circle_run_place(struct vsm_circle_run *run, const struct vsm_circle_map *map,
                          const struct vsm_circle_lens *lens, int row, int begin);

/* Samples all sources, `first` and what follows it at the same place of each `out` as in the tile (room for
 * all of its samples, 16-byte aligned; what lies around them may be written too). */
void vsm_circle_run_sample(const struct vsm_circle_run *run, const struct vsm_circle_map *map,
                           const struct vsm_circle_lens *lens, const struct vsm_reprojection_kernels *kernels,
                           uint8_t *const *out);

#endif
