/* Rectilinear views of an eye for tests. */
#ifndef TURNED_VIEW_H
#define TURNED_VIEW_H

#include "frame/view.h"

#include <math.h>

#define RADIANS (M_PI / 180)

/* Angles in degrees; the grid is square. */
static inline struct vsm_view turned(struct vsm_rect eye, double yaw, double pitch, double view, int grid)
{
    return (struct vsm_view){.kind = VSM_VIEW_TURNED,
                             .source = eye,
                             .width = grid,
                             .height = grid,
                             .projection = VSM_RECTILINEAR,
                             .field_of_view = view,
                             .yaw = yaw * RADIANS,
                             .pitch = pitch * RADIANS};
}

#endif
