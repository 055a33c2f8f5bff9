/* What the host does about a frame whose maps are on a device: comparing and mending the eyes, and leaving
 * out who is not chosen, beside the device's work.
 *
 * The frame's digest (frame/frame.h) has the network's picture and the maps of alpha.
 * stages/stereo_manager.h works on those, people/gate.h on what that leaves, as on the CPU, and what both
 * changed becomes an edit of the maps on the device (cuda/review.h). One difference from the CPU's way: the
 * recurrent states of an eye that recovers are repaired some frames later (stages/repair_delay.h), because
 * the network is at the next frame already. Comparing may be done in two halves by two threads, so that it
 * keeps a faster pace: the first is a twin of the manager. No state of its own; record "stereo" is the
 * manager's and is understood by both ways.
 */
#ifndef VSM_STAGES_DEVICE_REVIEW_H
#define VSM_STAGES_DEVICE_REVIEW_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/frame.h"
#include "stages/repair_delay.h"
#include "stages/stereo_manager.h"

#include <stdbool.h>

struct vsm_device_review;

struct vsm_device_review_options {
    bool select;                       /* leave out who is not chosen */
    struct vsm_stereo_manager *stereo; /* borrowed; NULL: eyes are not compared */
    struct vsm_repair_delay
        *repairs;              /* borrowed; gets what every frame wants of the states; NULL: nobody does */
    struct vsm_parallel *pool; /* borrowed; may be NULL */
    int look_threads;          /* of looking, by itself; 0 = the frame's run looks too */
    bool hurry;                /* threads stay awake for a frame's loops: there are processors for them all */
};

/* Frames that may be between the begin of looking and the end of their run. */
#define VSM_DEVICE_REVIEW_AHEAD 6

/* Rows of a view's maps that an edit changes; from == end: none. */
struct vsm_device_review_rows {
    int from, end;
};

int vsm_device_review_create(const struct vsm_device_review_options *options,
                             struct vsm_device_review **review) VSM_NODISCARD;
void vsm_device_review_destroy(struct vsm_device_review *review);

/* With look_threads: the first half of comparing a frame's eyes, on another thread than
 * vsm_device_review_run(), before it for every frame and in order. It only reads the frame. */
int vsm_device_review_look(struct vsm_device_review *review, const struct vsm_frame *frame) VSM_NODISCARD;

/* For a frame with a digest, through its views. edits: room for [views, height, width, 3] floats as of
 * vsm_cuda_review_edit(), of which the rows that rows[view] tells are filled in, and perhaps more. */
int vsm_device_review_run(struct vsm_device_review *review, const struct vsm_frame *frame, float *edits,
                          struct vsm_device_review_rows rows[VSM_MAX_VIEWS]) VSM_NODISCARD;

/* How long the slower half worked on its last frame, milliseconds; 0 before the first. Any thread. */
double vsm_device_review_busy_ms(const struct vsm_device_review *review);

/* Appends what the CPU's way appends, and repairs that are under way. */
int vsm_device_review_save(const struct vsm_device_review *review, struct vsm_state *state) VSM_NODISCARD;

#endif
