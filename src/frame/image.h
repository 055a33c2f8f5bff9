/* Reference-counted immutable pictures.
 *
 * An image is written once by whoever makes it and is read-only from the first time that it is shared. Pixels
 * are not copied between stages: a decoder's picture is wrapped (its release callback gives it back to the
 * decoder), a kernel's output comes from a pool. Counting references cannot fail and is thread-safe;
 * everything else is immutable and therefore safe from any thread.
 */
#ifndef VSM_FRAME_IMAGE_H
#define VSM_FRAME_IMAGE_H

#include "base/status.h"
#include "frame/format.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Colour description by the code points of ITU-T H.273; 2 = unspecified. */
struct vsm_colour {
    uint8_t primaries;
    uint8_t transfer;
    uint8_t matrix;
    bool full_range;
    uint8_t chroma_location; /* H.273 chroma sample location type + 1; 0 = unspecified */
};

enum vsm_place { VSM_PLACE_HOST, VSM_PLACE_CUDA };

struct vsm_image {
    struct vsm_format format;
    struct vsm_colour colour;
    enum vsm_place place;
    int width, height;   /* luma samples */
    uint8_t *data[4];    /* first sample of each plane; write only while you are the only owner */
    ptrdiff_t stride[4]; /* bytes from row to row, may be negative */
    atomic_int references;
    void (*release)(struct vsm_image *image); /* called by the last unref; frees the struct too */
    void *opaque;                             /* for release */
};

/* A new host image with rows aligned to 64 bytes, uninitialised, one reference. NULL on
 * failure (message set). */
struct vsm_image *vsm_image_create(struct vsm_format format, int width, int height,
                                   struct vsm_colour colour) VSM_NODISCARD;

struct vsm_image *vsm_image_ref(struct vsm_image *image);

/* Drops one reference and nulls the pointer; NULL and a pointer to NULL are allowed. */
void vsm_image_unref(struct vsm_image **image);

/* A pool recycles equally sized host images. It never blocks: when no image is free it allocates one; queues
 * are what bounds the number in flight. Images outlive the pool safely. Thread-safe. */
struct vsm_image_pool;

struct vsm_image_pool *vsm_image_pool_create(struct vsm_format format, int width, int height,
                                             struct vsm_colour colour) VSM_NODISCARD;
struct vsm_image *vsm_image_pool_get(struct vsm_image_pool *pool) VSM_NODISCARD;
/* NULL is allowed. Free images go at once, images in use when their last reference goes. */
void vsm_image_pool_destroy(struct vsm_image_pool *pool);

#endif
