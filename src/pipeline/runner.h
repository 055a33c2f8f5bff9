/* Runs a line of stages, one thread each, and reports what each of them did.
 *
 * How a run ends; what comes first decides:
 *   end of input  everything read goes through in order, then the sink's finish: VSM_OK
 *   request_stop  with barriers: everything up to the next barrier that reaches the sink goes through and
 *                 that barrier is committed; frames begun behind it are dropped, the sink's finish is not
 *                 called. Without barriers: everything read goes through, then the sink's finish. Both
 *                 VSM_E_CANCELLED. If the input ends first, that is the end: VSM_OK
 *   a failure     the stage aborts its output and closes its input's receiving side, the others are
 *                 interrupted and unwind without a time-out: the stage's status and message; errors that
 *                 follow are dropped
 *   abort         everything is cut: VSM_E_CANCELLED, also when stages report errors afterwards; VSM_OK if
 *                 the sink had finished already
 *
 * Barriers are made behind the source, after every frame whose seq + 1 is a multiple of the interval. The
 * source appends its state first, then each stage as the barrier passes it, the sink last. There is no
 * barrier at the end of input besides those of the grid.
 */
#ifndef VSM_PIPELINE_RUNNER_H
#define VSM_PIPELINE_RUNNER_H

#include "base/status.h"
#include "pipeline/stage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSM_MAX_STAGES 10

/* Times up to the last call that ended; a wait that still goes on is not counted yet. */
struct vsm_stage_stats {
    const char *name;      /* the stage's own string */
    uint64_t busy_ns;      /* wall time inside the stage's functions */
    uint64_t cpu_ns;       /* CPU time of the stage's own thread (not of helpers that it starts) */
    uint64_t wait_in_ns;   /* waiting for the stage before */
    uint64_t wait_out_ns;  /* waiting for the stage behind; the source: for permits too */
    int64_t frames;        /* that run() accepted */
    int queue_high_frames; /* of the queue behind this stage; 0 for the sink */
    size_t queue_high_bytes;
};

struct vsm_runner_options {
    int buffer_frames;   /* most frames in one queue, >= 1 */
    size_t buffer_bytes; /* most bytes in one queue, >= 1 */
    int most_frames;     /* most frames between source and sink, those in stages included; 0 = no limit */
    int64_t first_seq;   /* seq of the first frame: 0, or behind the checkpoint when resuming */
    int64_t barrier_interval; /* a barrier after every frame whose seq + 1 is a multiple of this; 0 = never */
};

struct vsm_runner;

/* Copies the stages (their `self` stays the caller's). count in 2..VSM_MAX_STAGES. NULL on
 * failure (message set). */
struct vsm_runner *vsm_runner_create(const struct vsm_stage *stages, int count,
                                     const struct vsm_runner_options *options) VSM_NODISCARD;

/* Starts the threads, named "vsm:STAGE", with asynchronous signals blocked. Call once. On
 * failure nothing runs. */
int vsm_runner_start(struct vsm_runner *runner) VSM_NODISCARD;

/* Waits for the end and returns it as above; for a failure its message is the caller's thread message now.
 * Call once after vsm_runner_start() succeeded. */
int vsm_runner_wait(struct vsm_runner *runner) VSM_NODISCARD;

/* After vsm_runner_wait(): the run ended as request_stop promises, i.e. nothing written was lost. */
bool vsm_runner_stopped_cleanly(const struct vsm_runner *runner);

/* Asks for a clean end; see above. Any thread; also safe in a signal handler. */
void vsm_runner_request_stop(struct vsm_runner *runner);

/* Cuts everything now: aborts the queues and interrupts the stages. Any thread, until
 * vsm_runner_destroy(). */
void vsm_runner_abort(struct vsm_runner *runner);

/* A snapshot; safe while running. Returns the number of stages. */
int vsm_runner_stats(struct vsm_runner *runner, struct vsm_stage_stats stats[VSM_MAX_STAGES]);

/* Index of the stage with the highest busy share; -1 if count is 0. */
int vsm_runner_bottleneck(const struct vsm_stage_stats *stats, int count);

/* Must have been waited for, or not (successfully) started. NULL is allowed. */
void vsm_runner_destroy(struct vsm_runner *runner);

#endif
