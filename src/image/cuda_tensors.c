#include "image/cuda_tensors.h"

#include "base/fault.h"
#include "base/mem.h"
#include "cuda/device.h"

#include <pthread.h>

struct slot {
    struct vsm_tensor tensor; /* first: what users hold */
    struct vsm_cuda_tensors *pool;
    struct slot *next;
};

struct vsm_cuda_tensors {
    pthread_mutex_t mutex;
    struct vsm_tensor like;
    struct slot *free;
    int references; /* the owner's and one for each tensor in use */
};

struct vsm_cuda_tensors *vsm_cuda_tensors_create(int rank, const int64_t *dims)
{
    struct vsm_cuda_tensors *pool = vsm_mem_alloc("tensor pool", 1, sizeof(*pool));

    if (!pool)
        return NULL;
    if (pthread_mutex_init(&pool->mutex, NULL) != 0) {
        (void)vsm_fail(VSM_E_INTERNAL, "tensor pool: no mutex");
        vsm_mem_free(pool);
        return NULL;
    }
    pool->like.dtype = VSM_F32;
    pool->like.rank = rank;
    for (int i = 0; i < rank; i++)
        pool->like.dims[i] = dims[i];
    pool->like.place = VSM_PLACE_CUDA;
    pool->references = 1;
    return pool;
}

/* Called with the mutex locked; unlocks it. */
static void drop_reference(struct vsm_cuda_tensors *pool)
{
    const int left = --pool->references;

    pthread_mutex_unlock(&pool->mutex);
    if (left)
        return;
    for (struct slot *slot = pool->free, *next; slot; slot = next) {
        next = slot->next;
        vsm_cuda_free(slot->tensor.data);
        vsm_mem_free(slot);
    }
    pthread_mutex_destroy(&pool->mutex);
    vsm_mem_free(pool);
}

static void give_back(struct vsm_tensor *tensor)
{
    struct slot *slot = tensor->opaque;
    struct vsm_cuda_tensors *pool = slot->pool;

    pthread_mutex_lock(&pool->mutex);
    slot->next = pool->free;
    pool->free = slot;
    drop_reference(pool);
}

static int make_slot(struct vsm_cuda_tensors *pool, struct slot **made)
{
    struct slot *slot = vsm_mem_alloc("tensor", 1, sizeof(*slot));
    int status;

    if (!slot)
        return VSM_E_NOMEM;
    slot->pool = pool;
    slot->tensor = pool->like;
    slot->tensor.release = give_back;
    slot->tensor.opaque = slot;
    status = vsm_fault_hit("gpu.memory")
                 ? vsm_fail(VSM_E_NOMEM, "CUDA: maps: out of memory")
                 : vsm_cuda_alloc("maps", vsm_tensor_bytes(&slot->tensor), &slot->tensor.data);
    if (status) {
        vsm_mem_free(slot);
        return status;
    }
    *made = slot;
    return VSM_OK;
}

int vsm_cuda_tensors_get(struct vsm_cuda_tensors *pool, struct vsm_tensor **tensor)
{
    struct slot *slot;
    int status = VSM_OK;

    pthread_mutex_lock(&pool->mutex);
    slot = pool->free;
    if (slot)
        pool->free = slot->next;
    pthread_mutex_unlock(&pool->mutex);
    if (!slot)
        status = make_slot(pool, &slot);
    if (status)
        return status;
    pthread_mutex_lock(&pool->mutex);
    pool->references++;
    pthread_mutex_unlock(&pool->mutex);
    atomic_init(&slot->tensor.references, 1);
    *tensor = &slot->tensor;
    return VSM_OK;
}

void vsm_cuda_tensors_destroy(struct vsm_cuda_tensors *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    drop_reference(pool);
}
