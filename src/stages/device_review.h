/* What the host does about a frame whose maps are on a device: comparing and mending the eyes, and leaving
 * out who is not chosen, beside the device's work.
 *
 * The frame's digest (frame/frame.h) has the network's picture and the maps of alpha.
 * stages/stereo_manager.h works on those, people/gate.h on what that leaves, as on the CPU, and what both
 * changed becomes an edit of the maps on the device (cuda/review.h). One difference from the CPU's way: the
 * recurrent states of an eye that recovers are repaired some frames later (stages/repair_delay.h), because
 * the network is at the next frame already. No state of its own; record "stereo" is the manager's and is
 * understood by both ways.
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
};

/* Rows of a view's maps that an edit changes; from == end: none. */
struct vsm_device_review_rows {
    int from, end;
};

int vsm_device_review_create(const struct vsm_device_review_options *options,
                             struct vsm_device_review **review) VSM_NODISCARD;
void vsm_device_review_destroy(struct vsm_device_review *review);

/* For a frame with a digest, through its views. edits: room for [views, height, width, 3] floats as of
 * vsm_cuda_review_edit(), of which the rows that rows[view] tells are filled in, and perhaps more. */
int vsm_device_review_run(struct vsm_device_review *review, const struct vsm_frame *frame, float *edits,
                          struct vsm_device_review_rows rows[VSM_MAX_VIEWS]) VSM_NODISCARD;

/* How long it worked on its last frame, milliseconds; 0 before the first. Any thread. */
double vsm_device_review_busy_ms(const struct vsm_device_review *review);

/* Appends what the CPU's way appends, and repairs that are under way. */
int vsm_device_review_save(const struct vsm_device_review *review, struct vsm_state *state) VSM_NODISCARD;

#endif
