/* A pool of equally shaped float tensors for work with a CUDA device, in device memory or in page-locked host
 * memory; blocks as of image/cuda_slots.h. Values are not cleared. */
#ifndef VSM_IMAGE_CUDA_TENSORS_H
#define VSM_IMAGE_CUDA_TENSORS_H

#include "base/relief.h"
#include "base/status.h"
#include "frame/tensor.h"

struct vsm_cuda_tensors;

/* `what` names a tensor in messages and is borrowed. VSM_PLACE_CUDA: device memory; VSM_PLACE_HOST:
 * page-locked. NULL on failure (message set). */
struct vsm_cuda_tensors *vsm_cuda_tensors_create(const char *what, enum vsm_place place, int rank,
                                                 const int64_t *dims) VSM_NODISCARD;
/* As vsm_cuda_slots_set_relief(). */
void vsm_cuda_tensors_set_relief(struct vsm_cuda_tensors *pool, struct vsm_relief *relief);
/* VSM_E_NOMEM or VSM_E_DEVICE, with *tensor unchanged. */
int vsm_cuda_tensors_get(struct vsm_cuda_tensors *pool, struct vsm_tensor **tensor) VSM_NODISCARD;
/* Tensors outlive the pool. NULL is allowed. */
void vsm_cuda_tensors_destroy(struct vsm_cuda_tensors *pool);

#endif
