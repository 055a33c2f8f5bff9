#include "image/cuda_tensors.h"

#include "base/mem.h"
#include "image/cuda_slots.h"

struct vsm_cuda_tensors {
    struct vsm_cuda_slots *slots;
    struct vsm_tensor like;
};

static void give_back(struct vsm_tensor *tensor)
{
    vsm_cuda_slots_give(tensor->opaque);
}

struct vsm_cuda_tensors *vsm_cuda_tensors_create(const char *what, enum vsm_place place, int rank,
                                                 const int64_t *dims)
{
    struct vsm_cuda_tensors *pool = vsm_mem_alloc("tensor pool", 1, sizeof(*pool));

    if (!pool)
        return NULL;
    pool->like.dtype = VSM_F32;
    pool->like.rank = rank;
    for (int i = 0; i < rank; i++)
        pool->like.dims[i] = dims[i];
    pool->like.place = place;
    pool->like.release = give_back;
    pool->slots = vsm_cuda_slots_create(what, place, vsm_tensor_bytes(&pool->like));
    if (!pool->slots) {
        vsm_mem_free(pool);
        return NULL;
    }
    return pool;
}

void vsm_cuda_tensors_set_relief(struct vsm_cuda_tensors *pool, struct vsm_relief *relief)
{
    vsm_cuda_slots_set_relief(pool->slots, relief);
}

int vsm_cuda_tensors_get(struct vsm_cuda_tensors *pool, struct vsm_tensor **tensor)
{
    struct vsm_cuda_slot *slot;
    int status = vsm_cuda_slots_take(pool->slots, &slot);

    if (status)
        return status;
    slot->tensor = pool->like;
    slot->tensor.data = slot->memory;
    slot->tensor.opaque = slot;
    atomic_init(&slot->tensor.references, 1);
    *tensor = &slot->tensor;
    return VSM_OK;
}

void vsm_cuda_tensors_destroy(struct vsm_cuda_tensors *pool)
{
    if (!pool)
        return;
    vsm_cuda_slots_destroy(pool->slots);
    vsm_mem_free(pool);
}
