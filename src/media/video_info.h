/* What is known of a video before its first frame is decoded. Plain data. */
#ifndef VSM_MEDIA_VIDEO_INFO_H
#define VSM_MEDIA_VIDEO_INFO_H

#include "base/clock.h"
#include "frame/image.h"
#include "frame/view.h"
#include "geometry/mesh_fit.h"

#include <stdbool.h>
#include <stdint.h>

/* What the meshes of an mshp box come to (vr_mesh.h). Picture coordinates are of one eye's picture, or of the
 * whole picture if the meshes lie apart in it. */
struct vsm_vr_meshes {
    int count;                   /* 1: both eyes alike; 2: left and right; 0: see `fault` */
    struct vsm_mesh_fit eyes[2]; /* by enum vsm_eye */
    char fault[160];             /* why they were not understood: "its checksum is wrong" */
};

/* VR boxes of the video track, as found in the file (Google spherical video V2: st3d, sv3d). */
struct vsm_vr_boxes {
    bool has_stereo; /* st3d */
    enum vsm_layout stereo;
    bool right_left;     /* st3d 4: the right eye comes first */
    bool has_projection; /* sv3d */
    bool equirect;       /* sv3d/proj/equi; otherwise a projection that is named in `projection_name` */
    uint32_t bound_top, bound_bottom, bound_left, bound_right; /* 0.32 fixed-point crops of the sphere */
    char projection_name[8];                                   /* "equi", "cbmp", "mshp" */
    struct vsm_vr_meshes meshes;                               /* of "mshp" */
};

struct vsm_video_info {
    char container[32]; /* demuxer's short name */
    char codec[32];     /* decoder's short name */
    int width, height;  /* of pictures as they come out: after cropping, before rotation is undone */
    int rotation;       /* degrees clockwise that a player applies: 0, 90, 180, 270 */
    struct vsm_format format;
    struct vsm_colour colour;
    struct vsm_rational time_base;
    struct vsm_rational frame_rate;    /* average; 0/1 = unknown */
    struct vsm_rational sample_aspect; /* 0/1 = unknown */
    int64_t frames;                    /* in the stream; -1 = unknown */
    bool frames_exact;                 /* counted from an index, not estimated from the duration */
    int64_t start_pts;                 /* of the first picture */
    int audio_streams, data_streams;
    bool hdr; /* mastering display or content light data present */
    struct vsm_vr_boxes boxes;
};

#endif
