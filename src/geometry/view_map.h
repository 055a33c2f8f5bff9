/* Where a view's grid, directions in space and the eye's own picture correspond.
 *
 * Three kinds of coordinates of one eye:
 *   grid       x to the right, y down, continuous: cell (i, j) covers [i, i+1) x [j, j+1)
 *   direction  space of the eye (projection.h), any length in, unit length out
 *   eye        u, v in luma samples from the upper left corner of the eye's rectangle, continuous likewise
 * Mapping points goes through exact formulas, about 100 ns a point. For whole pictures there are coarse
 * tables of the mapping between whose nodes one interpolates bilinearly: that is what the full-size pass
 * does. Pure functions, any thread; a map is read-only after init.
 */
#ifndef VSM_GEOMETRY_VIEW_MAP_H
#define VSM_GEOMETRY_VIEW_MAP_H

#include "base/status.h"
#include "frame/tensor.h"
#include "frame/view.h"
#include "geometry/projection.h"
#include "geometry/rotation.h"

#include <stdbool.h>

/* Limits of a turned view's field of view across its grid, degrees. Above 150 a rectilinear picture is mostly
 * rim. */
#define VSM_VIEW_MAP_MIN_VIEW        10.0
#define VSM_VIEW_MAP_MAX_RECTILINEAR 150.0
#define VSM_VIEW_MAP_MAX_FISHEYE     220.0

struct vsm_view_map {
    bool turned;
    int width, height;             /* of the grid */
    struct vsm_projection_eye eye; /* the eye's own picture */
    struct vsm_projection_eye
        view;                 /* turned: the grid, as a picture of its own, corners of a fisheye included */
    struct vsm_rotation pose; /* turned: of the view in the eye */
};

/* VSM_E_USAGE for a lens, field of view or size outside the limits. */
int vsm_view_map_init(struct vsm_view_map *map, const struct vsm_view *view) VSM_NODISCARD;

/* Each is false, and its results are unchanged, where nothing corresponds: behind a rectilinear picture,
 * outside a fisheye eye's circle. Results may lie outside the grid or the eye's rectangle where the formulas
 * go on there. */
bool vsm_view_map_grid_to_direction(const struct vsm_view_map *map, double x, double y, double direction[3]);
bool vsm_view_map_direction_to_grid(const struct vsm_view_map *map, const double direction[3], double *x,
                                    double *y);
bool vsm_view_map_eye_to_direction(const struct vsm_view_map *map, double u, double v, double direction[3]);
bool vsm_view_map_direction_to_eye(const struct vsm_view_map *map, const double direction[3], double *u,
                                   double *v);
bool vsm_view_map_grid_to_eye(const struct vsm_view_map *map, double x, double y, double *u, double *v);
bool vsm_view_map_eye_to_grid(const struct vsm_view_map *map, double u, double v, double *x, double *y);

/* From one view's grid to another's of the same eye: where recurrent states and earlier mattes are to be
 * found. */
bool vsm_view_map_grid_to_grid(const struct vsm_view_map *from, const struct vsm_view_map *to, double x,
                               double y, double *to_x, double *to_y);

/* The inverse mapping of a turned view, from the eye's full-size picture to the grid: nodes every `step` luma
 * samples.
 *
 * nodes: float32 [rows, columns, 2]; nodes[r][c] = (x, y) on the grid of the point (c * step, r * step) of
 * the eye, (columns - 1) * step >= the eye's width, likewise rows. NaN, NaN: the point sees nothing of the
 * view's half of space; interpolation carries that on to all cells round such a node, none of which touches
 * the grid. step is the largest power of two with which bilinear interpolation is off by less than
 * VSM_VIEW_MAP_ERROR cells at every point that lies on the grid (checked at the middles, where the error
 * peaks). Cost: 5 ms for an eye of 4096x4096 and a grid of 512x512; 1 MB. */
#define VSM_VIEW_MAP_ERROR 0.08

struct vsm_view_table {
    int step;
    struct vsm_tensor *nodes; /* one reference, the caller's */
};

int vsm_view_map_inverse_table(const struct vsm_view_map *map, struct vsm_view_table *table) VSM_NODISCARD;

#endif
