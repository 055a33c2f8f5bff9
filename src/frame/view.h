/* What a network sees: a view of one eye.
 *
 * A view is a projection with a direction and a field of view, sampled on a grid. Coefficient maps and
 * recurrent states belong to a view; the full-size pass samples the maps through the view's inverse mapping
 * (geometry/view_map.h). The direct view is the eye's own picture scaled to the grid: its mapping is a pure
 * scale. A turned view is what another lens, put where the eye is, would see of the eye's picture.
 */
#ifndef VSM_FRAME_VIEW_H
#define VSM_FRAME_VIEW_H

#include <stdbool.h>

enum vsm_projection { VSM_HALF_EQUIRECT, VSM_FISHEYE, VSM_RECTILINEAR };

/* How the eyes share the picture. */
enum vsm_layout { VSM_LAYOUT_MONO, VSM_LAYOUT_SBS, VSM_LAYOUT_TB };

enum vsm_eye { VSM_LEFT, VSM_RIGHT };

struct vsm_rect {
    int x, y, width, height;
};

/* How an eye's own picture shows the world. All zero is a half-equirectangular eye. */
struct vsm_lens {
    enum vsm_projection projection;
    double field_of_view; /* degrees: across a fisheye's circle or a flat picture; half-equirect: not used */
    /* Fisheye: its circle in luma samples from the upper left corner of the eye's rectangle. Radius 0: as
     * wide as the rectangle, in its middle. */
    double centre_x, centre_y, radius;
};

enum vsm_view_kind { VSM_VIEW_DIRECT, VSM_VIEW_TURNED };

struct vsm_view {
    enum vsm_view_kind kind;
    enum vsm_eye eye;
    struct vsm_rect source; /* the eye's pixels in the picture */
    struct vsm_lens lens;   /* of the eye */
    int width, height;      /* grid */
    /* Turned views only; the same for both eyes. */
    enum vsm_projection projection; /* VSM_RECTILINEAR or VSM_FISHEYE */
    double field_of_view;           /* degrees across the grid's width */
    double yaw, pitch, roll;        /* radians, as vsm_rotation_of() (geometry/rotation.h) */
};

#endif
