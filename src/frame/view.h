/* What a network sees: a view of one eye.
 *
 * A view is a projection with a direction and a field of view, sampled on a grid. Coefficient maps and
 * recurrent states belong to a view; the full-size pass samples the maps through the view's inverse mapping.
 * The direct view is the eye's own picture scaled to the grid: its mapping is a pure scale.
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

enum vsm_view_kind { VSM_VIEW_DIRECT };

struct vsm_view {
    enum vsm_view_kind kind;
    enum vsm_eye eye;
    struct vsm_rect source; /* the eye's pixels in the picture */
    int width, height;      /* grid */
};

#endif
