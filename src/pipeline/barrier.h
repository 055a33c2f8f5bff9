/* A point in the stream, after frame `after_seq` and before the next. Stages append their state as it passes.
 */
#ifndef VSM_PIPELINE_BARRIER_H
#define VSM_PIPELINE_BARRIER_H

#include "base/status.h"
#include "checkpoint/state.h"

#include <stdint.h>

struct vsm_barrier {
    int64_t after_seq;       /* last frame before the barrier, -1 = none */
    struct vsm_state *state; /* what the stages have said so far; owned by the barrier */
};

/* With an empty state; NULL on failure (message set). */
struct vsm_barrier *vsm_barrier_create(int64_t after_seq) VSM_NODISCARD;

/* Frees the state too and nulls the pointer. NULL and a pointer to NULL are allowed. */
void vsm_barrier_destroy(struct vsm_barrier **barrier);

#endif
