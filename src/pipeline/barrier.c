#include "pipeline/barrier.h"

#include "base/mem.h"

struct vsm_barrier *vsm_barrier_create(int64_t after_seq)
{
    struct vsm_barrier *barrier = vsm_mem_alloc("barrier", 1, sizeof(*barrier));

    if (!barrier)
        return NULL;
    barrier->after_seq = after_seq;
    barrier->state = vsm_state_create();
    if (!barrier->state)
        vsm_barrier_destroy(&barrier);
    return barrier;
}

void vsm_barrier_destroy(struct vsm_barrier **barrier)
{
    if (!barrier || !*barrier)
        return;
    vsm_state_destroy(&(*barrier)->state);
    vsm_mem_free(*barrier);
    *barrier = NULL;
}
