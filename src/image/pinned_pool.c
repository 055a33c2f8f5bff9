#include "image/pinned_pool.h"

#include "base/mem.h"
#include "cuda/device.h"

#include <pthread.h>

#define ALIGN 256 /* bytes; rows begin at multiples of it */

struct vsm_pinned_pool {
    pthread_mutex_t mutex;
    struct vsm_format format;
    struct vsm_colour colour;
    int width, height;
    struct slot *free;
    int references; /* the owner's and one for each image in use */
};

struct slot {
    struct vsm_image image; /* first: what users hold */
    struct vsm_pinned_pool *pool;
    struct slot *next;
    void *memory;
};

struct vsm_pinned_pool *vsm_pinned_pool_create(struct vsm_format format, int width, int height,
                                               struct vsm_colour colour)
{
    struct vsm_pinned_pool *pool = vsm_mem_alloc("image pool", 1, sizeof(*pool));

    if (!pool)
        return NULL;
    if (pthread_mutex_init(&pool->mutex, NULL) != 0) {
        (void)vsm_fail(VSM_E_INTERNAL, "image pool: no mutex");
        vsm_mem_free(pool);
        return NULL;
    }
    pool->format = format;
    pool->colour = colour;
    pool->width = width;
    pool->height = height;
    pool->references = 1;
    return pool;
}

static void free_slots(struct slot *slot)
{
    while (slot) {
        struct slot *next = slot->next;

        vsm_cuda_free_host(slot->memory);
        vsm_mem_free(slot);
        slot = next;
    }
}

/* Called with the mutex locked; unlocks it. */
static void drop_reference(struct vsm_pinned_pool *pool)
{
    const int left = --pool->references;

    pthread_mutex_unlock(&pool->mutex);
    if (left)
        return;
    free_slots(pool->free);
    pthread_mutex_destroy(&pool->mutex);
    vsm_mem_free(pool);
}

static void give_back(struct vsm_image *image)
{
    struct slot *slot = image->opaque;
    struct vsm_pinned_pool *pool = slot->pool;

    pthread_mutex_lock(&pool->mutex);
    slot->next = pool->free;
    pool->free = slot;
    drop_reference(pool);
}

static struct slot *make_slot(struct vsm_pinned_pool *pool)
{
    struct slot *slot = vsm_mem_alloc("image", 1, sizeof(*slot));
    const size_t bytes = (size_t)vsm_format_bytes_per_sample(pool->format);
    size_t at[4] = {0}, total = 0;

    if (!slot)
        return NULL;
    slot->pool = pool;
    for (int p = 0; p < vsm_format_plane_count(pool->format); p++) {
        const size_t row = (size_t)vsm_format_plane_width(pool->format, p, pool->width) * bytes;

        slot->image.stride[p] = (ptrdiff_t)((row + ALIGN - 1) / ALIGN * ALIGN);
        at[p] = total;
        total +=
            (size_t)slot->image.stride[p] * (size_t)vsm_format_plane_height(pool->format, p, pool->height);
    }
    if (vsm_cuda_alloc_host("picture", total, &slot->memory)) {
        vsm_mem_free(slot);
        return NULL;
    }
    for (int p = 0; p < vsm_format_plane_count(pool->format); p++)
        slot->image.data[p] = (uint8_t *)slot->memory + at[p];
    slot->image.format = pool->format;
    slot->image.colour = pool->colour;
    slot->image.width = pool->width;
    slot->image.height = pool->height;
    slot->image.release = give_back;
    slot->image.opaque = slot;
    return slot;
}

struct vsm_image *vsm_pinned_pool_get(struct vsm_pinned_pool *pool)
{
    struct slot *slot;

    pthread_mutex_lock(&pool->mutex);
    slot = pool->free;
    if (slot)
        pool->free = slot->next;
    pthread_mutex_unlock(&pool->mutex);
    if (!slot)
        slot = make_slot(pool);
    if (!slot)
        return NULL;
    pthread_mutex_lock(&pool->mutex);
    pool->references++;
    pthread_mutex_unlock(&pool->mutex);
    atomic_init(&slot->image.references, 1);
    return &slot->image;
}

void vsm_pinned_pool_destroy(struct vsm_pinned_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    drop_reference(pool);
}
