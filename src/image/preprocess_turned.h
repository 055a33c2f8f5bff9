/* From the decoder's picture to the grid of a turned view.
 *
 * The part of the eye that the view sees is first averaged to a small direct picture (image/preprocess.h), at
 * VSM_PREPROCESS_TURNED_DENSITY cells for a cell of the view's middle, or at the source's own resolution
 * where that is lower; the view's cells are then interpolated bilinearly in it. Averaging before turning
 * keeps fine texture from aliasing; towards a rectilinear view's rim, where its cells see less, the picture
 * gets a little softer than it could be. Cells that look past the eye's picture repeat its edge: black there
 * would end people where the picture ends.
 */
#ifndef VSM_IMAGE_PREPROCESS_TURNED_H
#define VSM_IMAGE_PREPROCESS_TURNED_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/image.h"
#include "frame/view.h"

#define VSM_PREPROCESS_TURNED_DENSITY 1.5

/* How a turned view is drawn, for the CUDA counterpart too: a direct picture of the part of the eye that it
 * sees, and where in that picture the corners of blocks of VSM_PREPROCESS_TURNED_STEP cells lie. */
#define VSM_PREPROCESS_TURNED_STEP 8 /* grid cells; off by 0.1 cells of the direct picture at most */

struct vsm_preprocess_turned_plan {
    struct vsm_view part; /* direct, at least 2x2 cells */
    int columns, rows;    /* of nodes */
    float *nodes;         /* [rows][columns][2]: x and y of the part's cells, 0 = the middle of the first */
};

/* VSM_E_NOMEM, or errors of vsm_view_map_init(). Cost: 0.1 us a node. */
int vsm_preprocess_turned_plan(const struct vsm_view *view,
                               struct vsm_preprocess_turned_plan *plan) VSM_NODISCARD;
void vsm_preprocess_turned_plan_free(struct vsm_preprocess_turned_plan *plan);

/* As vsm_preprocess(), which calls it for turned views. Cost: 1.2 times that of a direct view of the same
 * grid. */
int vsm_preprocess_turned(const struct vsm_image *image, const struct vsm_view *view, float *rgb,
                          struct vsm_parallel *pool) VSM_NODISCARD;

#endif
