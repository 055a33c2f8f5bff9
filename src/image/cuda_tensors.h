/* A pool of equally shaped float tensors in device memory; like image/cuda_pool.h: never blocks, thread-safe, tensors
 * outlive the pool. Values are not cleared. Fault point "gpu.memory": there is no memory left. */
#ifndef VSM_IMAGE_CUDA_TENSORS_H
#define VSM_IMAGE_CUDA_TENSORS_H

#include "base/status.h"
#include "frame/tensor.h"

struct vsm_cuda_tensors;

/* NULL on failure (message set). */
struct vsm_cuda_tensors *vsm_cuda_tensors_create(int rank, const int64_t *dims);
/* VSM_E_NOMEM or VSM_E_DEVICE, with *tensor unchanged. */
int vsm_cuda_tensors_get(struct vsm_cuda_tensors *pool, struct vsm_tensor **tensor) VSM_NODISCARD;
/* NULL is allowed. */
void vsm_cuda_tensors_destroy(struct vsm_cuda_tensors *pool);

#endif
