/* Where the points of an equidistant fisheye circle look in a source eye, as a coarse table.
 *
 * The circle and the eye share their centres, so one quarter of the circle is enough: the others mirror it. A
 * row of the table holds the exact source point at every VSM_CIRCLE_MAP_STEP-th sample border, and between
 * two of them the mapping is taken as straight. Half-equirect pictures bend too sharply for that near their
 * poles: at n samples from one a place would be off by 8/n samples of the circle, so up to
 * VSM_CIRCLE_MAP_POLE samples from it each sample has its own entry. What remains is below 0.1 samples
 * (measured: tests/unit/reprojection.c).
 */
#ifndef VSM_GEOMETRY_CIRCLE_MAP_H
#define VSM_GEOMETRY_CIRCLE_MAP_H

#include "base/status.h"
#include "geometry/projection.h"

#include <stdbool.h>

#define VSM_CIRCLE_MAP_STEP 8
#define VSM_CIRCLE_MAP_POLE 96 /* a multiple of the step */

/* The circle that is to be drawn, or instead a square that shows half the sphere equirectangularly. */
struct vsm_circle {
    bool half_equirect;
    double field_of_view;   /* degrees across it; 180 for a square */
    double radius;          /* in luma samples; of a square half its side */
    int chroma_x, chroma_y; /* log2 of how many luma samples a sample of the plane covers */
};

/* Row j is the j-th row of samples below the centre; its node k lies k * VSM_CIRCLE_MAP_STEP samples to the
 * right of the centre, on the row's middle. */
struct vsm_circle_map {
    int rows, nodes;      /* nodes: a row */
    int *reach;           /* by row: how many samples right of the centre cover a point that sees something */
    float *across, *down; /* [rows][nodes]: distance from the source eye's centre, luma pixels */
    /* The first VSM_CIRCLE_MAP_POLE samples of the rows from first_polar on, likewise, at their middles. */
    int first_polar;
    float *polar_across, *polar_down; /* [rows - first_polar][VSM_CIRCLE_MAP_POLE] */
};

/* `source`: half-equirect or fisheye, as if its circle were in the middle of its picture. All nodes up to the
 * first behind a row's reach are filled. VSM_E_USAGE for a field of view out of range, VSM_E_NOMEM; then
 * nothing is left to free. Cost: about 150 ns a node, radius^2 / 8 and those near a pole. */
int vsm_circle_map_create(const struct vsm_projection_eye *source, const struct vsm_circle *circle,
                          struct vsm_circle_map *map) VSM_NODISCARD;
/* A zeroed struct is allowed. */
void vsm_circle_map_finish(struct vsm_circle_map *map);

#endif
