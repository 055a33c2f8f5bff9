#include "image/cuda_pool.h"

#include "base/mem.h"
#include "image/cuda_slots.h"

#define ALIGN 256 /* bytes; rows begin at multiples of it */

struct vsm_cuda_pool {
    struct vsm_cuda_slots *slots;
    struct vsm_image like;
    size_t at[4]; /* of each plane in a slot's memory */
};

static void give_back(struct vsm_image *image)
{
    vsm_cuda_slots_give(image->opaque);
}

/* Strides and places of planes; returns the bytes of all. */
static size_t lay_out(struct vsm_cuda_pool *pool)
{
    struct vsm_image *like = &pool->like;
    const size_t bytes = (size_t)vsm_format_bytes_per_sample(like->format);
    size_t total = 0;

    for (int p = 0; p < vsm_format_plane_count(like->format); p++) {
        const size_t row = (size_t)vsm_format_plane_width(like->format, p, like->width) * bytes;

        like->stride[p] = (ptrdiff_t)((row + ALIGN - 1) / ALIGN * ALIGN);
        pool->at[p] = total;
        total += (size_t)like->stride[p] * (size_t)vsm_format_plane_height(like->format, p, like->height);
    }
    return total;
}

struct vsm_cuda_pool *vsm_cuda_pool_create(enum vsm_place place, struct vsm_format format, int width,
                                           int height, struct vsm_colour colour)
{
    struct vsm_cuda_pool *pool = vsm_mem_alloc("image pool", 1, sizeof(*pool));

    if (!pool)
        return NULL;
    pool->like.place = place;
    pool->like.format = format;
    pool->like.colour = colour;
    pool->like.width = width;
    pool->like.height = height;
    pool->like.release = give_back;
    pool->slots = vsm_cuda_slots_create("picture", place, lay_out(pool));
    if (!pool->slots) {
        vsm_mem_free(pool);
        return NULL;
    }
    return pool;
}

void vsm_cuda_pool_set_relief(struct vsm_cuda_pool *pool, struct vsm_relief *relief)
{
    vsm_cuda_slots_set_relief(pool->slots, relief);
}

int vsm_cuda_pool_get(struct vsm_cuda_pool *pool, struct vsm_image **image)
{
    struct vsm_cuda_slot *slot;
    int status = vsm_cuda_slots_take(pool->slots, &slot);

    if (status)
        return status;
    slot->image = pool->like;
    for (int p = 0; p < vsm_format_plane_count(pool->like.format); p++)
        slot->image.data[p] = (uint8_t *)slot->memory + pool->at[p];
    slot->image.opaque = slot;
    atomic_init(&slot->image.references, 1);
    *image = &slot->image;
    return VSM_OK;
}

void vsm_cuda_pool_destroy(struct vsm_cuda_pool *pool)
{
    if (!pool)
        return;
    vsm_cuda_slots_destroy(pool->slots);
    vsm_mem_free(pool);
}
