/* Two views of the same direction, one an eye: how well their mattes agree, and mending what
 * one of them got wrong.
 *
 * Joins disparity in both directions with a memory of it, the evidence on how the eyes stand to each
 * other, the measure of agreement, and the decision on which eye is right. All state belongs to a scene,
 * is of fixed size and can be saved.
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
#include "stereo/stereo_repair.h"

#include <stdbool.h>

struct vsm_stereo_pair_options {
    struct vsm_view_map views[2]; /* by enum vsm_eye: grids of one size, directions alike */
    enum vsm_eye master;          /* disparity is measured from it, and agreement in the other */
    double baseline;              /* metres */
    double threshold;             /* agreement below which a place is mended, 0..1 */
    bool mend;                    /* else only measure */
    struct vsm_parallel *pool;
};

/* A frame on the grid, by enum vsm_eye. */
struct vsm_stereo_pair_frame {
    const float *rgb[2]; /* R, G, B planes in 0..1 */
    float *alpha[2];     /* 0..1; changed where mended */
    enum vsm_eye_health_fault faults[2];
    bool scene_cut;
};

/* What the first half of a frame's work found, for the second. */
struct vsm_stereo_pair_look {
    float *planes;                   /* room for vsm_stereo_pair_look_floats(); the caller's */
    struct vsm_disparity_map map[2]; /* measured from each eye; from the slave's only while mending */
    float *moved[2], *settled[2];    /* into each eye; in `planes` */
    struct vsm_consistency agreement;
    struct vsm_alignment_result alignment;
    bool measured;
    struct vsm_disparity_memory memory[2]; /* what is known of the scene from here on */
    struct vsm_alignment evidence;
};

struct vsm_stereo_pair_result {
    struct vsm_consistency before;
    struct vsm_consistency after; /* of what is given out: vsm_stereo_pair_end(); before then */
    struct vsm_alignment_result alignment;
    uint32_t scene_frames; /* of this scene, before this one */
    /* The eyes belong together, both pictures are of this moment, and people, if there are any, could be
     * matched (vsm_disparity_can()) in one eye at least. */
    bool measured;
    float taken[2];   /* share of the people of an eye that was taken from the other, 0..1; > 0: mended */
    bool recovers[2]; /* places of which most was taken are given back to the eye from this frame on */
    /* On the grid: alpha as it was + weight * (target - that) is what it should become, NULL where nothing
     * changes. The weight is valid until the next frame, the target as long as the lent memory. */
    const float *weight[2], *target[2];
};

struct vsm_stereo_pair;

/* VSM_E_USAGE for a grid or baseline out of range (stereo/disparity.h). */
int vsm_stereo_pair_create(const struct vsm_stereo_pair_options *options,
                           struct vsm_stereo_pair **pair) VSM_NODISCARD;
void vsm_stereo_pair_destroy(struct vsm_stereo_pair *pair);

/* The working memory of vsm_stereo_pair_look() and vsm_stereo_pair_settle(), 44 bytes a grid pixel, and
 * lending it before each call, aligned to floats with any content; result->target lies there. */
size_t vsm_stereo_pair_bytes(const struct vsm_stereo_pair *pair);
void vsm_stereo_pair_lend(struct vsm_stereo_pair *pair, void *memory);

/* Floats of a look's planes: 4 a grid pixel. */
size_t vsm_stereo_pair_look_floats(const struct vsm_stereo_pair *pair);

/* The two halves of a frame's work: where things are, and what to do about it. The second may be another
 * pair's of the same options and views, on another thread, which then knows as much of the scene as the first
 * did after that frame; both must have all frames, in order. The look is unchanged but for its planes, and
 * borrowed until the next. After the second, frame->alpha is what it should become. */
void vsm_stereo_pair_look(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                          struct vsm_stereo_pair_look *look);
void vsm_stereo_pair_settle(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                            struct vsm_stereo_pair_look *look, struct vsm_stereo_pair_result *result);

/* Ends the frame, after vsm_stereo_pair_settle() and in the same turn of its memory: frame->alpha is what is
 * given out, which result->after measures and the next frame remembers. */
void vsm_stereo_pair_end(struct vsm_stereo_pair *pair, const struct vsm_stereo_pair_frame *frame,
                         struct vsm_stereo_pair_result *result);

/* After vsm_stereo_pair_settle(): what an eye that recovers should take over from the other one. */
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
