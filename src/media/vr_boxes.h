/* Finds what an MP4 or QuickTime file says of its video track in boxes that libavformat does
 * not (fully) report.
 *
 * Read: st3d and sv3d (Google, spherical video V2 RFC; also cube map and mesh (vr_mesh.h), which FFmpeg 5.1
 * drops), vexu with eyes/stri, proj/prji and pack/pkin (Apple), lhvC (a second HEVC layer: MV-HEVC, ISO/IEC
 * 14496-15), mvex (fragmented file). Writing such boxes is in vr_boxes_write.c.
 */
#ifndef VSM_MEDIA_VR_BOXES_H
#define VSM_MEDIA_VR_BOXES_H

#include "media/mp4_boxes.h"
#include "media/video_info.h"

#include <stdbool.h>

/* Of an equi box: the quarter of the sphere that VR180 leaves out at the left and at the right, 0.32 fixed
 * point. Google's own tool writes this value ("--bounds 0:0:1073741823:1073741823"). */
#define VSM_VR_BOXES_QUARTER 0x3FFFFFFFu

struct vsm_vr_boxes_found {
    struct vsm_vr_boxes boxes;
    bool video;              /* a video sample entry was found */
    bool mv_hevc;            /* its pictures are coded in two layers */
    bool fragmented;         /* moov has mvex: samples are described in moof boxes */
    struct vsm_mp4_box mesh; /* mshp; size 0 = none */
};

/* Walks a file or bytes (any bytes: VSM_E_INPUT or VSM_OK, bounded time, no allocation). track_id 0 takes the
 * first video track. A file without moov or without that track is VSM_OK with found->video false. */
int vsm_vr_boxes_read(const struct vsm_mp4_source *source, uint32_t track_id,
                      struct vsm_vr_boxes_found *found) VSM_NODISCARD;

/* Likewise by path, and reads the meshes. VSM_E_INPUT if it cannot be opened. */
int vsm_vr_boxes_read_path(const char *path, uint32_t track_id,
                           struct vsm_vr_boxes_found *found) VSM_NODISCARD;

#endif
