/* Which runs of a session are recorded, and how long a recording is good for.
 *
 * ONNX Runtime's operators put parameters into page-locked memory that the library takes back at the end of
 * the run, while a recorded run copies them from there every time it is played. So a recording is good only
 * until the library does anything else for the session: a session has one recording at most, of the run that
 * comes again and again, and any run that is not played ends it. Runs that take turns are never recorded.
 *
 * This file only decides; nn/ort_cuda.c records, plays and destroys.
 */
#ifndef VSM_NN_REPLAY_H
#define VSM_NN_REPLAY_H

#include "frame/tensor.h"
#include "nn/backend.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The same run this often in a row, and it is recorded: the library's memory has settled by then. */
#define VSM_REPLAY_WARM_RUNS 3

/* If it cannot be recorded, because the library wants more memory in the midst of it, it is tried again after
 * as many runs, so often in all. */
#define VSM_REPLAY_ATTEMPTS 3

/* What is bound in a run. Zero it, then fill it in: unused parts count as well. */
struct vsm_replay_signature {
    size_t count;
    struct {
        const void *data;
        int64_t dims[VSM_TENSOR_MAX_RANK];
    } ports[2 * VSM_BACKEND_MAX_PORTS];
};

/* Zero it to begin with. */
struct vsm_replay {
    struct vsm_replay_signature signature; /* of the last run */
    int runs;                              /* of it in a row, since it was last tried to record it */
    int refusals;                          /* how often it could not be recorded */
    bool recorded;
};

enum vsm_replay_step {
    VSM_REPLAY_RUN,    /* without recording; the recording there was is no longer good */
    VSM_REPLAY_RECORD, /* likewise, while recording; vsm_replay_record() is to follow */
    VSM_REPLAY_PLAY,   /* the recording */
};

/* How the next run is to be made. signature: NULL for one that cannot be recorded. */
enum vsm_replay_step vsm_replay_next(struct vsm_replay *replay, const struct vsm_replay_signature *signature);

/* What came of VSM_REPLAY_RECORD. */
void vsm_replay_record(struct vsm_replay *replay, bool good);

#endif
