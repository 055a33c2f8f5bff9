#include "frame/image.h"

#include "base/mem.h"

#include <pthread.h>

#define ROW_ALIGN ((size_t)64)
/* Rows this many bytes apart share a set of the first-level cache, which then holds 8 of them (12 on some
 * processors): what reads across rows would run from the second level. Measured with bench_reprojection. */
#define ROW_SPREAD ((size_t)2048)

static void release_own(struct vsm_image *image)
{
    vsm_mem_free(image->opaque);
    vsm_mem_free(image);
}

struct vsm_image *vsm_image_create(struct vsm_format format, int width, int height, struct vsm_colour colour)
{
    struct vsm_image *image = vsm_mem_alloc("image", 1, sizeof(*image));
    size_t at[4] = {0}, total = 0;

    if (!image)
        return NULL;
    for (int p = 0; p < vsm_format_plane_count(format); p++) {
        size_t row =
            (size_t)vsm_format_plane_width(format, p, width) * (size_t)vsm_format_bytes_per_sample(format);

        row = (row + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN;
        if (row % ROW_SPREAD == 0)
            row += ROW_ALIGN;
        image->stride[p] = (ptrdiff_t)row;
        at[p] = total;
        total += row * (size_t)vsm_format_plane_height(format, p, height);
    }
    /* One more row unit so that vector kernels may read past the last sample. */
    image->opaque = vsm_mem_alloc_raw("image pixels", total + ROW_ALIGN, 1);
    if (!image->opaque) {
        vsm_mem_free(image);
        return NULL;
    }
    for (int p = 0; p < vsm_format_plane_count(format); p++)
        image->data[p] = (uint8_t *)image->opaque + at[p];
    image->format = format;
    image->colour = colour;
    image->width = width;
    image->height = height;
    image->release = release_own;
    atomic_init(&image->references, 1);
    return image;
}

struct vsm_image *vsm_image_ref(struct vsm_image *image)
{
    atomic_fetch_add_explicit(&image->references, 1, memory_order_relaxed);
    return image;
}

void vsm_image_unref(struct vsm_image **image)
{
    struct vsm_image *dropped = image ? *image : NULL;

    if (!dropped)
        return;
    *image = NULL;
    if (atomic_fetch_sub_explicit(&dropped->references, 1, memory_order_acq_rel) == 1)
        dropped->release(dropped);
}

struct vsm_image_pool {
    pthread_mutex_t lock;
    struct vsm_format format;
    struct vsm_colour colour;
    int width, height;
    struct pooled *free; /* images without references */
    size_t in_use;
    bool closed; /* destroyed by its owner; freed with the last image in use */
};

/* Wraps a plain image so that releasing it returns the pixels to the pool. */
struct pooled {
    struct vsm_image image; /* first: what callers hold */
    struct vsm_image *pixels;
    struct vsm_image_pool *pool;
    struct pooled *next;
};

static void free_pooled(struct pooled *item)
{
    vsm_image_unref(&item->pixels);
    vsm_mem_free(item);
}

static void free_pool(struct vsm_image_pool *pool)
{
    pthread_mutex_destroy(&pool->lock);
    vsm_mem_free(pool);
}

static void release_pooled(struct vsm_image *image)
{
    struct pooled *item = (struct pooled *)image;
    struct vsm_image_pool *pool = item->pool;
    bool last;

    pthread_mutex_lock(&pool->lock);
    pool->in_use--;
    if (pool->closed) {
        free_pooled(item);
    } else {
        item->next = pool->free;
        pool->free = item;
    }
    last = pool->closed && pool->in_use == 0;
    pthread_mutex_unlock(&pool->lock);
    if (last)
        free_pool(pool);
}

struct vsm_image_pool *vsm_image_pool_create(struct vsm_format format, int width, int height,
                                             struct vsm_colour colour)
{
    struct vsm_image_pool *pool = vsm_mem_alloc("image pool", 1, sizeof(*pool));

    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pool->format = format;
    pool->colour = colour;
    pool->width = width;
    pool->height = height;
    return pool;
}

static struct pooled *create_pooled(struct vsm_image_pool *pool)
{
    struct pooled *item = vsm_mem_alloc("image", 1, sizeof(*item));

    if (!item)
        return NULL;
    item->pixels = vsm_image_create(pool->format, pool->width, pool->height, pool->colour);
    if (!item->pixels) {
        vsm_mem_free(item);
        return NULL;
    }
    item->pool = pool;
    return item;
}

struct vsm_image *vsm_image_pool_get(struct vsm_image_pool *pool)
{
    struct pooled *item;

    pthread_mutex_lock(&pool->lock);
    item = pool->free;
    if (item)
        pool->free = item->next;
    pool->in_use++;
    pthread_mutex_unlock(&pool->lock);
    if (!item)
        item = create_pooled(pool);
    if (!item) {
        pthread_mutex_lock(&pool->lock);
        pool->in_use--;
        pthread_mutex_unlock(&pool->lock);
        return NULL;
    }
    item->image = (struct vsm_image){
        .format = pool->format,
        .colour = pool->colour,
        .width = pool->width,
        .height = pool->height,
        .release = release_pooled,
    };
    for (int p = 0; p < 4; p++) {
        item->image.data[p] = item->pixels->data[p];
        item->image.stride[p] = item->pixels->stride[p];
    }
    atomic_init(&item->image.references, 1);
    return &item->image;
}

void vsm_image_pool_destroy(struct vsm_image_pool *pool)
{
    bool last;

    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    while (pool->free) {
        struct pooled *item = pool->free;

        pool->free = item->next;
        free_pooled(item);
    }
    pool->closed = true;
    last = pool->in_use == 0;
    pthread_mutex_unlock(&pool->lock);
    if (last)
        free_pool(pool);
}
