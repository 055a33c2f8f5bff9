/* Runs a line of stages, one thread each, and reports what each of them did.
 *
 * First error wins; its message becomes the caller's thread message. VSM_EOF ends the stream; a request to
 * stop ends it after the frame (or at the barrier) being made, in order and completely. An abort cuts. A
 * stage that fails aborts its output and closes its input's receiving side; the rest unwinds without a
 * time-out.
 */
#ifndef VSM_PIPELINE_RUNNER_H
#define VSM_PIPELINE_RUNNER_H

#include "base/status.h"
#include "pipeline/stage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSM_MAX_STAGES 8

struct vsm_stage_stats {
    const char *name;
    uint64_t busy_ns;     /* wall time inside the stage's functions */
    uint64_t cpu_ns;      /* CPU time of the stage's own thread (not of helpers that it starts) */
    uint64_t wait_in_ns;  /* waiting for the stage before */
    uint64_t wait_out_ns; /* waiting for the stage behind */
    int64_t frames;
    int queue_high_frames; /* of the queue behind this stage */
    size_t queue_high_bytes;
};

struct vsm_runner_options {
    int buffer_frames;        /* most frames in one queue, >= 1 */
    size_t buffer_bytes;      /* most bytes in one queue, >= 1 */
    int64_t first_seq;        /* seq of the first frame: 0, or behind the checkpoint when resuming */
    int64_t barrier_interval; /* a barrier after every frame whose seq + 1 is a multiple of this; 0 = never */
};

struct vsm_runner;

/* Copies the stages (their `self` stays the caller's). count in 2..VSM_MAX_STAGES. */
struct vsm_runner *vsm_runner_create(const struct vsm_stage *stages, int count,
                                     const struct vsm_runner_options *options) VSM_NODISCARD;

/* Starts the threads. Call once. */
int vsm_runner_start(struct vsm_runner *runner) VSM_NODISCARD;

/* Waits for the end. VSM_OK: all frames went through and the sink finished. VSM_E_CANCELLED: stopped on
 * request
 * (*stopped_cleanly tells whether everything begun was finished); else the first error, message set. */
int vsm_runner_wait(struct vsm_runner *runner) VSM_NODISCARD;

/* Asks for a clean end. With barriers on, the stream ends at the next barrier of the grid, otherwise after
 * the frame being read; everything read goes through; the sink's finish is called only without barriers. Any
 * thread. */
void vsm_runner_request_stop(struct vsm_runner *runner);

/* Cuts everything now. Any thread. */
void vsm_runner_abort(struct vsm_runner *runner);

/* A snapshot; safe while running. Returns the number of stages. */
int vsm_runner_stats(struct vsm_runner *runner, struct vsm_stage_stats stats[VSM_MAX_STAGES]);

/* Index of the stage with the highest busy share. */
int vsm_runner_bottleneck(const struct vsm_stage_stats *stats, int count);

/* Must have been waited for, or never started. NULL is allowed. */
void vsm_runner_destroy(struct vsm_runner *runner);

#endif
