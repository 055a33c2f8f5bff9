/* Two views of the same direction, one an eye: how well their mattes agree, and mending what one of them got
 * wrong.
 *
 * Joins disparity in both directions with a memory of it, the evidence on how the eyes stand to each other,
 * the measure of agreement, and the decision on which eye is right. What is done pixel by pixel is
 * stereo/stereo_planes.h's affair, on the host or on a device; all else is the same on both. All state
 * belongs to a scene, is of fixed size and can be saved.
 */
#ifndef VSM_STEREO_PAIR_H
#define VSM_STEREO_PAIR_H

#include "base/bytes.h"
#include "base/parallel.h"
#include "base/status.h"
#include "stereo/alignment.h"
#include "stereo/consistency.h"
#include "stereo/disparity.h"
#include "stereo/eye_health.h"
#include "stereo/stereo_past.h"
#include "stereo/stereo_planes.h"
#include "stereo/stereo_repair.h"

#include <stdbool.h>

struct vsm_stereo_pair_options {
    struct vsm_view_map views[2]; /* by enum vsm_eye: grids of one size, directions alike */
    enum vsm_eye master;          /* disparity is measured from it, and agreement in the other */
    double baseline;              /* metres */
    double threshold;             /* agreement below which a place is mended, 0..1 */
    bool mend;                    /* else only measure */
    /* All borrowed: */
    struct vsm_parallel *pool;
    struct vsm_cuda_stream *stream; /* of the device on which frames are; NULL: they are on the host */
};

/* A frame on the grid, by enum vsm_eye, on the host or the device. */
struct vsm_stereo_pair_frame {
    const float *rgb[2]; /* R, G, B planes in 0..1 */
    float *maps[2];      /* as of struct vsm_matte, in the layout of their place; changed where mended */
    enum vsm_eye_health_fault faults[2];
    bool scene_cut;
};

struct vsm_stereo_pair_result {
    struct vsm_consistency before;
    struct vsm_consistency after; /* of what is given out */
    struct vsm_alignment_result alignment;
    uint32_t scene_frames; /* of this scene, before this one */
    /* The eyes belong together, both pictures are of this moment, and people, if there are any, could be
     * matched (vsm_disparity_can()) in one eye at least. */
    bool measured;
    float taken[2];   /* share of the people of an eye that was taken from the other, 0..1; > 0: mended */
    bool recovers[2]; /* places of which most was taken are given back to the eye from this frame on */
};

struct vsm_stereo_pair;

/* VSM_E_USAGE for a grid or baseline out of range (stereo/disparity.h), VSM_E_NOMEM, VSM_E_DEVICE. All memory
 * on a device is taken here. */
int vsm_stereo_pair_create(const struct vsm_stereo_pair_options *options,
                           struct vsm_stereo_pair **pair) VSM_NODISCARD;
void vsm_stereo_pair_destroy(struct vsm_stereo_pair *pair);

/* What both eyes' pictures are like, for stereo/eye_health.h. */
int vsm_stereo_pair_look(struct vsm_stereo_pair *pair, const float *const rgb[2],
                         struct vsm_eye_health_look looks[2]) VSM_NODISCARD;

/* Compares a frame's eyes, and mends their maps. After an error as stereo/stereo_planes.h says. */
int vsm_stereo_pair_run(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                        struct vsm_stereo_pair_result *result) VSM_NODISCARD;

/* After a frame: what an eye that recovers should take over from the other one. */
void vsm_stereo_pair_repair(const struct vsm_stereo_pair *pair, enum vsm_eye eye,
                            struct vsm_stereo_repair *repair);

/* What it knows of the scene; and to go on, between two frames, from what pairs of other views of
 * these eyes knew: VSM_E_NOMEM. */
void vsm_stereo_pair_past(const struct vsm_stereo_pair *pair, struct vsm_stereo_past *past);
int vsm_stereo_pair_go_on(struct vsm_stereo_pair *pair, const struct vsm_stereo_past *pasts,
                          int count) VSM_NODISCARD;

/* For checkpoints: every bit. VSM_E_INPUT if the bytes are no such state; the pair may be half
 * changed then. */
void vsm_stereo_pair_save(const struct vsm_stereo_pair *pair, struct vsm_bytes_out *out);
int vsm_stereo_pair_load(struct vsm_stereo_pair *pair, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
