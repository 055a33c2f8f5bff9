/* Decides how a picture holds the eyes and through which projection, and says why.
 *
 * Evidence in this order: what the user set, VR boxes, the file's name, the picture's aspect ratio.
 */
#ifndef VSM_MEDIA_VR_LAYOUT_H
#define VSM_MEDIA_VR_LAYOUT_H

#include "base/status.h"
#include "frame/view.h"
#include "media/video_info.h"

#include <stdbool.h>

#define VSM_LAYOUT_AUTO     (-1)
#define VSM_PROJECTION_AUTO (-1)

struct vsm_vr_layout {
    enum vsm_layout layout;
    enum vsm_projection projection;
    double field_of_view;    /* degrees across one eye's picture: 180 for half-equirect */
    bool right_left;         /* the right eye is left (or above) */
    struct vsm_rect eyes[2]; /* indexed by enum vsm_eye; mono: eyes[VSM_LEFT] only */
    int eye_count;
    char layout_reason[128]; /* "sv3d/st3d boxes say left-right", "file name has _LR_", "aspect ratio 2:1" ...
                              */
    char projection_reason[128];
};

/* layout: an enum vsm_layout or VSM_LAYOUT_AUTO; projection likewise. swap: exchanges the eyes in the end.
 * VSM_E_INPUT if the claim cannot be true (odd width for side by side, a mesh projection ...), saying what to
 * set. */
int vsm_vr_layout_detect(const char *path, const struct vsm_video_info *info, int layout, int projection,
                         bool swap, struct vsm_vr_layout *result) VSM_NODISCARD;

#endif
