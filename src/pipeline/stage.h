/* Contract between the runner and a stage.
 *
 * A pipeline is a straight line: one source, any number of transforms, one sink; 1:1 and in order. The
 * runner gives each stage a thread, owns the loop, the frames, the queues, the clock and the clean-up, and
 * calls the stage's functions from that thread only (except `interrupt`). A stage never blocks on anything
 * but its own work.
 */
#ifndef VSM_PIPELINE_STAGE_H
#define VSM_PIPELINE_STAGE_H

#include "base/status.h"
#include "checkpoint/state.h"
#include "frame/frame.h"

#include <stdint.h>

struct vsm_stage {
    const char *name; /* short, unique in the pipeline: "reader" */
    void *self;

    /* Most frames that may wait behind this stage, because they hold what is scarce; 0, or more than
     * vsm_runner_options.buffer_frames: as many as those. */
    int most_waiting;

    /* Source: fills the empty frame (seq is already set), VSM_EOF when there is none; only a source may
     * return that. Transform: adds layers. Sink: consumes the layers. Required. The frame stays the
     * runner's, seq included. */
    int (*run)(void *self, struct vsm_frame *frame);

    /* Sink only: what is left to do with a frame when it no longer counts among those in flight
     * (vsm_runner_options.most_frames), because it has given back what made it large; run() is what
     * comes before. In the same thread, before the next call of run() or barrier(). NULL: a frame
     * counts to the end of run(). */
    int (*rest)(void *self, struct vsm_frame *frame);

    /* A barrier passes: appends this stage's state after frame `after_seq`. The sink additionally
     * makes everything up to here durable, sees the complete state, and commits it. NULL: the stage
     * has no state. */
    int (*barrier)(void *self, int64_t after_seq, struct vsm_state *state);

    /* Sink only: end of stream, after the last frame of a job that did not fail. NULL: nothing to do. */
    int (*finish)(void *self);

    /* Makes a blocking call inside run/barrier/finish return early with VSM_E_CANCELLED. It sticks: a call
     * that begins afterwards returns early too. Called when the pipeline is cut (an abort, or another stage's
     * failure), from any thread, perhaps more than once, before, during or after the stage's calls. NULL:
     * calls of this stage are short. */
    void (*interrupt)(void *self);
};

#endif
