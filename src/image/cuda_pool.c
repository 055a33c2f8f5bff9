#include "image/cuda_pool.h"

#include "base/fault.h"
#include "base/mem.h"
#include "cuda/device.h"

#include <pthread.h>

#define ALIGN 256 /* bytes; rows begin at multiples of it */

struct vsm_cuda_pool {
    pthread_mutex_t mutex;
    enum vsm_place place;
    struct vsm_format format;
    struct vsm_colour colour;
    int width, height;
    struct slot *free;
    int references; /* the owner's and one for each image in use */
};

struct slot {
    struct vsm_image image; /* first: what users hold */
    struct vsm_cuda_pool *pool;
    struct slot *next;
    void *memory;
};

struct vsm_cuda_pool *vsm_cuda_pool_create(enum vsm_place place, struct vsm_format format, int width,
                                           int height, struct vsm_colour colour)
{
    struct vsm_cuda_pool *pool = vsm_mem_alloc("image pool", 1, sizeof(*pool));

    if (!pool)
        return NULL;
    if (pthread_mutex_init(&pool->mutex, NULL) != 0) {
        (void)vsm_fail(VSM_E_INTERNAL, "image pool: no mutex");
        vsm_mem_free(pool);
        return NULL;
    }
    pool->place = place;
    pool->format = format;
    pool->colour = colour;
    pool->width = width;
    pool->height = height;
    pool->references = 1;
    return pool;
}

static void free_memory(enum vsm_place place, void *memory)
{
    if (place == VSM_PLACE_CUDA)
        vsm_cuda_free(memory);
    else
        vsm_cuda_free_host(memory);
}

static void free_slots(enum vsm_place place, struct slot *slot)
{
    while (slot) {
        struct slot *next = slot->next;

        free_memory(place, slot->memory);
        vsm_mem_free(slot);
        slot = next;
    }
}

/* Called with the mutex locked; unlocks it. */
static void drop_reference(struct vsm_cuda_pool *pool)
{
    const int left = --pool->references;

    pthread_mutex_unlock(&pool->mutex);
    if (left)
        return;
    free_slots(pool->place, pool->free);
    pthread_mutex_destroy(&pool->mutex);
    vsm_mem_free(pool);
}

static void give_back(struct vsm_image *image)
{
    struct slot *slot = image->opaque;
    struct vsm_cuda_pool *pool = slot->pool;

    pthread_mutex_lock(&pool->mutex);
    slot->next = pool->free;
    pool->free = slot;
    drop_reference(pool);
}

static int allocate(const struct vsm_cuda_pool *pool, size_t bytes, void **memory)
{
    if (vsm_fault_hit("gpu.memory"))
        return vsm_fail(VSM_E_NOMEM, "CUDA: picture: out of memory");
    return pool->place == VSM_PLACE_CUDA ? vsm_cuda_alloc("picture", bytes, memory)
                                         : vsm_cuda_alloc_host("picture", bytes, memory);
}

static int make_slot(struct vsm_cuda_pool *pool, struct slot **made)
{
    struct slot *slot = vsm_mem_alloc("image", 1, sizeof(*slot));
    const size_t bytes = (size_t)vsm_format_bytes_per_sample(pool->format);
    size_t at[4] = {0}, total = 0;
    int status;

    if (!slot)
        return VSM_E_NOMEM;
    slot->pool = pool;
    for (int p = 0; p < vsm_format_plane_count(pool->format); p++) {
        const size_t row = (size_t)vsm_format_plane_width(pool->format, p, pool->width) * bytes;

        slot->image.stride[p] = (ptrdiff_t)((row + ALIGN - 1) / ALIGN * ALIGN);
        at[p] = total;
        total +=
            (size_t)slot->image.stride[p] * (size_t)vsm_format_plane_height(pool->format, p, pool->height);
    }
    status = allocate(pool, total, &slot->memory);
    if (status) {
        vsm_mem_free(slot);
        return status;
    }
    for (int p = 0; p < vsm_format_plane_count(pool->format); p++)
        slot->image.data[p] = (uint8_t *)slot->memory + at[p];
    slot->image.format = pool->format;
    slot->image.colour = pool->colour;
    slot->image.place = pool->place;
    slot->image.width = pool->width;
    slot->image.height = pool->height;
    slot->image.release = give_back;
    slot->image.opaque = slot;
    *made = slot;
    return VSM_OK;
}

int vsm_cuda_pool_get(struct vsm_cuda_pool *pool, struct vsm_image **image)
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
    atomic_init(&slot->image.references, 1);
    *image = &slot->image;
    return VSM_OK;
}

void vsm_cuda_pool_destroy(struct vsm_cuda_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    drop_reference(pool);
}
