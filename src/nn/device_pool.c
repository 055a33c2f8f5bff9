#include "nn/device_pool.h"

#include "base/mem.h"
#include "cuda/linear.h"

#include <string.h>

/* Blocks that wait for a tensor; more are given back to the device. SAM 2 with two eyes keeps 20. */
#define MAX_FREE 64

struct block {
    void *memory;
    size_t bytes;
};

struct vsm_device_pool {
    enum vsm_place place;
    struct vsm_cuda_stream *stream;
    struct vsm_cuda_event *mark;
    struct vsm_cuda_linear *linear; /* NULL: not asked for yet */
    struct block free[MAX_FREE];
    int free_count;
    int status; /* first failed copy or mark */
};

int vsm_device_pool_create_host(struct vsm_device_pool **pool)
{
    *pool = vsm_mem_alloc("device memory", 1, sizeof(**pool));
    return *pool ? VSM_OK : VSM_E_NOMEM; /* place 0 is the host */
}

static void free_memory(const struct vsm_device_pool *pool, void *memory)
{
    if (pool->place == VSM_PLACE_CUDA)
        vsm_cuda_free(memory);
    else
        vsm_mem_free(memory);
}

int vsm_device_pool_create(struct vsm_device_pool **pool)
{
    struct vsm_cuda_info info;
    struct vsm_device_pool *p;
    int status = vsm_cuda_device_info(&info);

    *pool = NULL;
    if (status)
        return status;
    p = vsm_mem_alloc("device memory", 1, sizeof(*p));
    if (!p)
        return VSM_E_NOMEM;
    p->place = VSM_PLACE_CUDA;
    status = vsm_cuda_stream_create(&p->stream);
    if (!status)
        status = vsm_cuda_event_create(1, &p->mark); /* whose waiting is quick */
    if (status) {
        vsm_device_pool_destroy(p);
        return status;
    }
    *pool = p;
    return VSM_OK;
}

void vsm_device_pool_destroy(struct vsm_device_pool *pool)
{
    if (!pool)
        return;
    for (int i = 0; i < pool->free_count; i++)
        free_memory(pool, pool->free[i].memory);
    vsm_cuda_linear_destroy(pool->linear);
    vsm_cuda_event_destroy(pool->mark);
    vsm_cuda_stream_destroy(pool->stream);
    vsm_mem_free(pool);
}

struct vsm_cuda_stream *vsm_device_pool_stream(const struct vsm_device_pool *pool)
{
    return pool->stream;
}

static void release(struct vsm_tensor *tensor)
{
    struct vsm_device_pool *pool = tensor->opaque;

    /* Whoever gets the memory next uses it in the same stream, after all that was given to it before. */
    if (pool->free_count < MAX_FREE)
        pool->free[pool->free_count++] = (struct block){tensor->data, vsm_tensor_bytes(tensor)};
    else
        free_memory(pool, tensor->data);
    vsm_mem_free(tensor);
}

static void *take(struct vsm_device_pool *pool, size_t bytes)
{
    void *memory = NULL;

    for (int i = pool->free_count; i-- > 0;) {
        if (pool->free[i].bytes != bytes)
            continue;
        memory = pool->free[i].memory;
        pool->free_count--;
        for (; i < pool->free_count; i++)
            pool->free[i] = pool->free[i + 1];
        return memory;
    }
    if (pool->place == VSM_PLACE_HOST)
        return vsm_mem_alloc("device tensor", bytes, 1);
    return vsm_cuda_alloc("device tensor", bytes, &memory) == VSM_OK ? memory : NULL;
}

/* Without data yet, held once. */
static struct vsm_tensor *make_tensor(enum vsm_dtype dtype, int rank, const int64_t *dims)
{
    struct vsm_tensor *tensor = vsm_mem_alloc("tensor", 1, sizeof(*tensor));

    if (!tensor)
        return NULL;
    tensor->dtype = dtype;
    tensor->rank = rank;
    for (int i = 0; i < rank; i++)
        tensor->dims[i] = dims[i];
    atomic_init(&tensor->references, 1);
    return tensor;
}

struct vsm_tensor *vsm_device_pool_tensor(struct vsm_device_pool *pool, enum vsm_dtype dtype, int rank,
                                          const int64_t *dims)
{
    struct vsm_tensor *tensor = make_tensor(dtype, rank, dims);

    if (!tensor)
        return NULL;
    tensor->place = pool->place;
    tensor->opaque = pool;
    tensor->release = release;
    tensor->data = take(pool, vsm_tensor_bytes(tensor));
    if (!tensor->data) {
        vsm_mem_free(tensor);
        return NULL;
    }
    return tensor;
}

static void release_host(struct vsm_tensor *tensor)
{
    vsm_cuda_free_host(tensor->data);
    vsm_mem_free(tensor);
}

struct vsm_tensor *vsm_device_pool_host_tensor(const struct vsm_device_pool *pool, enum vsm_dtype dtype,
                                               int rank, const int64_t *dims)
{
    struct vsm_tensor *tensor;

    if (pool->place == VSM_PLACE_HOST)
        return vsm_tensor_create(dtype, rank, dims);
    tensor = make_tensor(dtype, rank, dims);
    if (!tensor)
        return NULL;
    tensor->release = release_host;
    if (vsm_cuda_alloc_host("tensor", vsm_tensor_bytes(tensor), &tensor->data) != VSM_OK) {
        vsm_mem_free(tensor);
        return NULL;
    }
    return tensor;
}

void vsm_device_pool_copy(struct vsm_device_pool *pool, void *to, const void *from, size_t bytes)
{
    if (pool->place == VSM_PLACE_HOST)
        memcpy(to, from, bytes);
    else if (!pool->status && bytes)
        pool->status = vsm_cuda_copy(to, from, bytes, pool->stream);
}

static int told(const struct vsm_device_pool *pool, int status)
{
    return pool->status ? vsm_fail((enum vsm_status)pool->status, "CUDA: an earlier copy failed") : status;
}

void vsm_device_pool_mark(struct vsm_device_pool *pool)
{
    if (pool->place == VSM_PLACE_CUDA && !pool->status)
        pool->status = vsm_cuda_event_record(pool->mark, pool->stream);
}

int vsm_device_pool_wait_mark(struct vsm_device_pool *pool)
{
    return told(pool, pool->place == VSM_PLACE_CUDA ? vsm_cuda_event_wait(pool->mark) : VSM_OK);
}

int vsm_device_pool_wait(struct vsm_device_pool *pool)
{
    return told(pool, pool->place == VSM_PLACE_CUDA ? vsm_cuda_stream_wait(pool->stream) : VSM_OK);
}

int vsm_device_pool_linear(struct vsm_device_pool *pool, struct vsm_cuda_linear **linear)
{
    const int status = pool->linear ? VSM_OK : vsm_cuda_linear_create(&pool->linear);

    *linear = pool->linear;
    return status;
}
