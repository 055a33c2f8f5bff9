/* What a video's file name says of its stereo layout and projection, by the markers that VR players key on
 * (DeoVR, HereSphere, SKYBOX, 4XVR).
 *
 * Markers stand between `_`, `-`, `.`, spaces or brackets, in any case and order:
 *   LR LRF 3DH 3DHF SBS   side by side            RL    side by side, right eye first
 *   HSBS                  side by side, each eye squeezed to half its width
 *   TB OU 3DV 3DVF        left eye above          BT    right eye above
 *   180 180x180 VR180     half equirectangular    360 VR360 360x180 EAC360   whole sphere
 *   F180 180F FISHEYE FISHEYE<degrees> RF52 MKX200 MKX22 MKX220 VRCA220   fisheye, by its lens
 * Two-letter markers between spaces or brackets count in capitals only: they are also words ("ou").
 * Fisheye markers win over 180, which accompanies them ("_LR_180_FISHEYE190"). Pure function, any thread.
 */
#ifndef VSM_MEDIA_VR_NAME_H
#define VSM_MEDIA_VR_NAME_H

#include "frame/view.h"

#include <stdbool.h>

struct vsm_vr_name {
    bool has_layout;
    enum vsm_layout layout;
    bool right_left;
    bool squeezed; /* HSBS */
    bool has_projection;
    enum vsm_projection projection;
    double field_of_view;                          /* degrees */
    bool sphere;                                   /* 360: the projection is none that we have */
    char layout_marker[16], projection_marker[16]; /* as written in the name */
};

/* *name: all zero but for what the last part of the path tells. */
void vsm_vr_name_parse(const char *path, struct vsm_vr_name *name);

#endif
