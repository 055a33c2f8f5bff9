/* What a parallax does to each cell of a grid: where the slave eye sees what the master sees at the cell's
 * centre.
 *
 * A part of stereo/disparity.h, whose terms it uses. A table of each cell, made once by way of the
 * projections, holds its shifts for some parallaxes, and for a pitch between the eyes; between them it is
 * interpolated. Shifts are slave minus master, in grid pixels. Here are no pictures.
 */
#ifndef VSM_STEREO_PARALLAX_H
#define VSM_STEREO_PARALLAX_H

#include "pixel/match.h"
#include "stereo/disparity.h"

/* Read only after init. */
struct vsm_parallax {
    struct vsm_projection_eye eye;
    bool by_view; /* the projection is that of `view` (master) and `other` (slave), not `eye` */
    struct vsm_view_map view, other;
    enum vsm_eye master;
    int width, height; /* grid pixels */
    int side, columns, rows;
    double largest;                  /* radians: of the nearest thing that is searched */
    float pixel;                     /* parallax that shifts the grid's middle by a pixel */
    struct vsm_parallax_cell *cells; /* row by row */
};

/* Divides the grid into cells and fills the table. The options' sizes are the caller's to check; nothing of
 * them is kept. VSM_E_NOMEM. Memory: 600 KB at most. */
int vsm_parallax_init(const struct vsm_disparity_options *options,
                      struct vsm_parallax *parallax) VSM_NODISCARD;
void vsm_parallax_finish(struct vsm_parallax *parallax);

/* The shift of usable cell `index` (row * columns + column); values beyond `largest` count as that. */
struct vsm_parallax_shift vsm_parallax_shift(const struct vsm_parallax *parallax, int index, double value,
                                             double pitch);

/* Its cells, as matching has them. */
struct vsm_match_grid vsm_parallax_grid(const struct vsm_parallax *parallax);

#endif
