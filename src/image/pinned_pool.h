/* A pool of equally sized host images in page-locked memory, which the device copies to and from without the host
 * waiting. Like struct vsm_image_pool: never blocks, thread-safe, images outlive the pool.
 */
#ifndef VSM_IMAGE_PINNED_POOL_H
#define VSM_IMAGE_PINNED_POOL_H

#include "base/status.h"
#include "frame/image.h"

struct vsm_pinned_pool;

/* NULL on failure (message set). */
struct vsm_pinned_pool *vsm_pinned_pool_create(struct vsm_format format, int width, int height,
                                               struct vsm_colour colour) VSM_NODISCARD;
struct vsm_image *vsm_pinned_pool_get(struct vsm_pinned_pool *pool) VSM_NODISCARD;
/* NULL is allowed. */
void vsm_pinned_pool_destroy(struct vsm_pinned_pool *pool);

#endif
