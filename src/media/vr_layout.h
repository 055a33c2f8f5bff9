/* Decides how a picture holds the eyes and through which projection, and says why.
 *
 * Evidence in this order, for layout and projection each: what the user set, VR boxes, the file's name
 * (vr_name.h), the picture's aspect ratio. By aspect ratio alone (within 3 %):
 *   2:1    two half-equirectangular eyes side by side (a mono 360 picture has this shape too)
 *   1:2    two half-equirectangular eyes one above the other
 *   1:1    one half-equirectangular eye
 *   32:9   two flat 16:9 eyes side by side
 *   other  one flat eye
 * With the layout known, an eye of 1:1 is half-equirectangular and any other flat. With the projection known
 * (180 or fisheye), a picture of 3:2 or wider is side by side, of 2:3 or narrower top-bottom, else mono.
 *
 * Squeezed eyes (HSBS: each eye at half its width) need nothing special: half-equirectangular eyes
 * fill their rectangle whatever its shape. For fisheye and flat eyes, whose pixels are taken as
 * square, they are refused.
 *
 * A mesh projection (mshp box) is used if its meshes follow one of ours (vr_mesh_lens.h): then it gives the
 * eyes' lenses, and the layout where the meshes lie apart in the picture. Refused, unless the user sets the
 * projection: whole-sphere (360), cube map and other mesh projections, and equirectangular crops other than
 * 180 degrees.
 */
#ifndef VSM_MEDIA_VR_LAYOUT_H
#define VSM_MEDIA_VR_LAYOUT_H

#include "base/status.h"
#include "frame/view.h"
#include "media/video_info.h"

#include <stdbool.h>

#define VSM_LAYOUT_AUTO     (-1)
#define VSM_PROJECTION_AUTO (-1)

/* Degrees across a flat picture, where nothing tells: a 28 mm lens on 35 mm film (65.5), the
 * usual phone camera. */
#define VSM_VR_LAYOUT_FLAT_VIEW 65.0

struct vsm_vr_layout {
    enum vsm_layout layout;
    enum vsm_projection projection;
    double field_of_view;    /* degrees across one eye's picture: 180 for half-equirect */
    bool right_left;         /* the right eye is left (or above) */
    struct vsm_rect eyes[2]; /* indexed by enum vsm_eye; mono: eyes[VSM_LEFT] only */
    int eye_count;
    bool by_mesh;              /* the eyes' lenses are known: */
    struct vsm_lens lenses[2]; /* by enum vsm_eye */
    char layout_reason[128];   /* "st3d box says left-right", "file name has LR", "aspect ratio 2:1" ... */
    char projection_reason[128];
};

/* layout: an enum vsm_layout or VSM_LAYOUT_AUTO; projection likewise. swap: exchanges the eyes in the end.
 * VSM_E_INPUT if the claim cannot be true or is not supported (an eye boundary inside a chroma sample, a mesh
 * projection ...), saying what to set. */
int vsm_vr_layout_detect(const char *path, const struct vsm_video_info *info, int layout, int projection,
                         bool swap, struct vsm_vr_layout *result) VSM_NODISCARD;

#endif
