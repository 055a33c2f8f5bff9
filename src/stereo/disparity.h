/* How far people shift between the eyes, measured on the network's grid, cell by cell.
 *
 * The eyes look in parallel from places a baseline apart, so that a point in direction d of the master eye at
 * distance r lies in direction d - p X of the slave eye (master left; d + p X if it is the right one), with
 * the parallax p = baseline / r in radians: one number a point, whatever the projection. Each projection
 * turns it into a shift across and down (geometry/projection.h); in half-equirect the shift is purely
 * horizontal on the horizon only.
 *
 * The eye is divided into at most 64 x 64 cells; a cell is 16 pixels wide on a grid of 1024. Cells with
 * people are matched from coarse to fine by normalised cross-correlation of luma, weighted by the master's
 * alpha so that the background has no say, over every parallax up to the near limit and a small vertical
 * range; sub-pixel by a parabola; checked backwards on the coarsest level. Where a small window on the finest
 * level, which sees little but the cell, does not agree, it searches for itself, and among what the
 * neighbours have: narrow strips of people between others. What the cells then make of each other is
 * stereo/disparity_map.h's affair. All that passes from frame to frame is a memory which the caller owns.
 */
#ifndef VSM_STEREO_DISPARITY_H
#define VSM_STEREO_DISPARITY_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/view.h"
#include "geometry/projection.h"
#include "geometry/view_map.h"
#include "stereo/disparity_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nearest distance that is searched, metres. Cameras with a baseline of 60 mm cannot be fused
 * nearer than 0.4 m. */
#define VSM_DISPARITY_NEAR 0.35

/* Largest pitch between the eyes, radians: 1 degree. Measured in the field: up to 0.5. */
#define VSM_DISPARITY_MAX_PITCH 0.0175

/* Smallest and largest side of the grid. */
#define VSM_DISPARITY_MIN_GRID 64
#define VSM_DISPARITY_MAX_GRID 4096

struct vsm_disparity;
struct vsm_parallax;

struct vsm_disparity_options {
    struct vsm_projection_eye eye; /* of the grid: width and height in grid pixels; unused with `view` */
    const struct vsm_view_map
        *view; /* the view whose grid it is, turned alike in both eyes; NULL: `eye` says it
                                      * all. Borrowed until creation is done */
    /* The slave's, where its lens shows things elsewhere: a fisheye's circle. NULL: as the
     * master's. Borrowed likewise. */
    const struct vsm_view_map *other;
    enum vsm_eye master;
    double baseline;           /* metres, > 0 */
    struct vsm_parallel *pool; /* for the matching; borrowed. NULL: one thread */
    /* NULL, or one of the same grid, of which the working memory is used too: then measure with one at a
     * time, and destroy this one first. */
    struct vsm_disparity *share;
    bool lent; /* working memory is lent before measuring (vsm_disparity_lend) and not kept */
};

/* One eye's planes on the grid: R, G, B in 0..1 as of image/preprocess.h, and alpha in 0..1. Borrowed. */
struct vsm_disparity_picture {
    const float *rgb, *alpha;
};

struct vsm_disparity_search {
    double pitch;        /* radians by which the slave's camera looks up too far, as far as known */
    bool both_ways;      /* also negative parallax, for telling swapped eyes */
    const uint8_t *only; /* cells to be matched; NULL = all. Borrowed, like the rest */
    const struct vsm_disparity_known *known; /* for cells without a match; NULL = nothing */
    struct vsm_disparity_memory *memory; /* smooths, stands in for lost matches, and learns; NULL = none */
    bool turned; /* the one of the same memory has just measured these two pictures the other way round */
};

/* VSM_E_USAGE for a grid or baseline out of range. Memory: 36 bytes a grid pixel, unless shared or lent, and
 * 600 KB. */
int vsm_disparity_create(const struct vsm_disparity_options *options,
                         struct vsm_disparity **disparity) VSM_NODISCARD;
void vsm_disparity_destroy(struct vsm_disparity *disparity);

/* With `lent`: the working memory that it wants, and lending it, aligned to floats with any content, for the
 * measurements until the next. NULL: that of `share`. */
size_t vsm_disparity_bytes(const struct vsm_disparity *disparity);
void vsm_disparity_lend(struct vsm_disparity *disparity, void *memory);

/* What each cell of the pictures finds for itself: people, parallax, residual, confidence, tried and matched
 * of the map, and its size. Cost: 10 us a cell with people and 2 ms on a grid of 512; `map` is the
 * caller's. */
void vsm_disparity_match(struct vsm_disparity *disparity, const struct vsm_disparity_picture *master,
                         const struct vsm_disparity_picture *slave, const struct vsm_disparity_search *search,
                         struct vsm_disparity_map *map);

/* What the cells make of that: shifts. The search's memory changes. Cost: 0.2 ms where 1,600 cells of 4,096
 * show people. */
void vsm_disparity_settle(const struct vsm_disparity *disparity, const struct vsm_disparity_search *search,
                          struct vsm_disparity_map *map);

/* Both. */
void vsm_disparity_measure(struct vsm_disparity *disparity, const struct vsm_disparity_picture *master,
                           const struct vsm_disparity_picture *slave,
                           const struct vsm_disparity_search *search, struct vsm_disparity_map *map);

/* Whether people in `alpha`, of the grid's size, could be matched if they have texture: they are large enough
 * somewhere, and not only where nothing can be matched. */
bool vsm_disparity_can(const struct vsm_disparity *disparity, const float *alpha);

void vsm_disparity_grid(const struct vsm_disparity *disparity, int *width, int *height);

/* What it knows of the cells, for as long as it lives: stereo/parallax.h. */
const struct vsm_parallax *vsm_disparity_parallax(const struct vsm_disparity *disparity);

/* The cells that its maps have. */
void vsm_disparity_cells(const struct vsm_disparity *disparity, int *side, int *columns, int *rows);

/* The shift of a point at the middle of cell `index` (row * columns + column) with this parallax. */
void vsm_disparity_shift(const struct vsm_disparity *disparity, int index, double parallax, double pitch,
                         float *du, float *dv);

#endif
