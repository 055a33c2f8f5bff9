/* What the host does about a frame whose maps are on a device: comparing and mending the eyes, and leaving
 * out who is not chosen, on small grids beside the device's work.
 *
 * The frame's digest (frame/frame.h) stands for picture and matte. stages/stereo_manager.h works on maps made
 * of it, people/gate.h on the alpha that it leaves, and what both changed becomes an edit of the real maps
 * (cuda/review.h). Two differences from the CPU's way: grids are VSM_DEVICE_REVIEW_SIDE cells long, and the
 * recurrent states of a mended eye are not repaired, because the network is at the next frame already; what
 * it gets wrong again is mended again. Comparing may be done in two halves by two threads, so that it keeps a
 * faster pace: the first is a twin of the manager. No state of its own; record "stereo" is the manager's and
 * is understood by both ways.
 */
#ifndef VSM_STAGES_DEVICE_REVIEW_H
#define VSM_STAGES_DEVICE_REVIEW_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/frame.h"
#include "stages/stereo_manager.h"

#include <stdbool.h>

/* Cells along the longer side of a digest. Measured on one core: comparing takes 12 ms at 256, 20 at 512 and
 * 30 at 768. */
#define VSM_DEVICE_REVIEW_SIDE 256

struct vsm_device_review;

struct vsm_device_review_options {
    const struct vsm_view *views; /* as of vsm_device_review_views(); until frames have others */
    int view_count;
    bool select;                       /* leave out who is not chosen */
    struct vsm_stereo_manager *stereo; /* borrowed; NULL: eyes are not compared */
    struct vsm_parallel *pool;         /* borrowed; may be NULL */
    int look_threads;                  /* of looking, by itself; 0 = the frame's run looks too */
};

/* Frames that may be between the begin of looking and the end of their run. */
#define VSM_DEVICE_REVIEW_AHEAD 6

/* The direct views `views` on the grids of digests, which are the same for all. */
void vsm_device_review_views(const struct vsm_view *views, int view_count, struct vsm_view *small);

int vsm_device_review_create(const struct vsm_device_review_options *options,
                             struct vsm_device_review **review) VSM_NODISCARD;
void vsm_device_review_destroy(struct vsm_device_review *review);

/* With look_threads: the first half of comparing a frame's eyes, on another thread than
 * vsm_device_review_run(), before it for every frame and in order. It only reads the frame. */
int vsm_device_review_look(struct vsm_device_review *review, const struct vsm_frame *frame) VSM_NODISCARD;

/* For a frame with a digest, through its views. edits: room for [VSM_MAX_VIEWS, height, width, 4] floats as
 * of vsm_cuda_review_edit(), of the digest's size; edited[view] tells where there is one, else its part is
 * left as it was. */
int vsm_device_review_run(struct vsm_device_review *review, const struct vsm_frame *frame, float *edits,
                          bool edited[VSM_MAX_VIEWS]) VSM_NODISCARD;

/* Appends what the CPU's way appends. */
int vsm_device_review_save(const struct vsm_device_review *review, struct vsm_state *state) VSM_NODISCARD;

#endif
