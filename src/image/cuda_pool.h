/* A pool of equally sized images for work with a CUDA device: in device memory, or in page-locked host
 * memory, which the device copies to and from without the host waiting; blocks as of image/cuda_slots.h. Like
 * struct vsm_image_pool: never waits for an image, thread-safe, images outlive the pool.
 */
#ifndef VSM_IMAGE_CUDA_POOL_H
#define VSM_IMAGE_CUDA_POOL_H

#include "base/relief.h"
#include "base/status.h"
#include "frame/image.h"

struct vsm_cuda_pool;

/* VSM_PLACE_CUDA: device memory; VSM_PLACE_HOST: page-locked. NULL on failure (message set). */
struct vsm_cuda_pool *vsm_cuda_pool_create(enum vsm_place place, struct vsm_format format, int width,
                                           int height, struct vsm_colour colour) VSM_NODISCARD;
/* As vsm_cuda_slots_set_relief(). */
void vsm_cuda_pool_set_relief(struct vsm_cuda_pool *pool, struct vsm_relief *relief);
/* VSM_E_NOMEM or VSM_E_DEVICE, with *image unchanged. */
int vsm_cuda_pool_get(struct vsm_cuda_pool *pool, struct vsm_image **image) VSM_NODISCARD;
/* NULL is allowed. */
void vsm_cuda_pool_destroy(struct vsm_cuda_pool *pool);

#endif
