/* Shares device memory among the intermediate results of nn/cuda_plan.h: two of them may lie at the same
 * place when no step needs both.
 *
 * While the plan is made, a result gets an address that stands for it and belongs to nobody.
 * vsm_cuda_arena_place() then looks at which steps use each (kernels run one after the other, so that it
 * lives from the first step to the last), gives the largest the lowest place that is free during its life,
 * allocates as much as that needs, and puts the true addresses into the steps. Best-fit by size is within a
 * few percent of the sum of what lives at once here.
 */
#ifndef VSM_NN_CUDA_ARENA_H
#define VSM_NN_CUDA_ARENA_H

#include "base/status.h"

#include <stddef.h>

struct vsm_cuda_plan;

struct vsm_cuda_arena_block {
    size_t at, size; /* in the space of stand-in addresses */
    int first, last; /* steps that use it; first > last: none */
    size_t place;    /* in the arena */
};

/* Zero it to begin with. */
struct vsm_cuda_arena {
    struct vsm_cuda_arena_block *blocks; /* owned */
    int count, capacity;
    size_t end; /* of the stand-in addresses so far */
    void *base; /* device memory */
};

/* A stand-in address for `bytes` that nothing need be read from before it is written. NULL if out of
 * memory. */
void *vsm_cuda_arena_take(struct vsm_cuda_arena *arena, size_t bytes);

/* Makes the plan's steps true. *bytes: device memory used; *memory: to be freed by the caller. */
int vsm_cuda_arena_place(struct vsm_cuda_arena *arena, struct vsm_cuda_plan *plan, void **memory,
                         size_t *bytes) VSM_NODISCARD;
void vsm_cuda_arena_free(struct vsm_cuda_arena *arena);

#endif
