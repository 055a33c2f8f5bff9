/* Digests of frames (frame/frame.h) on their way from a CUDA device to page-locked memory of the host.
 *
 * They are of the grid that the networks have at the time; memory of another grid goes when the grid changes.
 * Used by one thread at a time; digests may be given back by any thread.
 */
#ifndef VSM_STAGES_GPU_DIGESTS_H
#define VSM_STAGES_GPU_DIGESTS_H

#include "base/status.h"
#include "cuda/device.h"
#include "frame/tensor.h"
#include "stages/gpu_views.h"

/* All zero = none yet. */
struct vsm_gpu_digests {
    int64_t dims[4];
    void *device;
    struct vsm_cuda_tensors *tensors;
};

void vsm_gpu_digests_finish(struct vsm_gpu_digests *digests);

/* Room on the device for a digest of these views; VSM_E_NOMEM, VSM_E_DEVICE. No digest may be under way. */
int vsm_gpu_digests_follow(struct vsm_gpu_digests *digests, const struct vsm_gpu_set *set) VSM_NODISCARD;

/* Page-locked room for one of those views; as vsm_cuda_tensors_get(). */
int vsm_gpu_digests_take(struct vsm_gpu_digests *digests, struct vsm_tensor **digest) VSM_NODISCARD;

/* Has the stream make the digest, behind the networks' work, and copy it. */
int vsm_gpu_digests_fill(const struct vsm_gpu_digests *digests, const struct vsm_gpu_set *set,
                         const struct vsm_tensor *digest, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#endif
