/* Alpha of frames' views (frame/frame.h) on its way from a CUDA device to page-locked memory of the host.
 *
 * It is of the grid that the networks have at the time; memory of another grid goes when the grid changes.
 * Used by one thread at a time; the host's planes may be given back by any thread.
 */
#ifndef VSM_STAGES_GPU_ALPHA_H
#define VSM_STAGES_GPU_ALPHA_H

#include "base/status.h"
#include "cuda/device.h"
#include "frame/frame.h"

/* All zero = no memory yet. */
struct vsm_gpu_alpha {
    int64_t dims[3]; /* views, height, width */
    void *device;
    struct vsm_cuda_tensors *tensors;
};

void vsm_gpu_alpha_finish(struct vsm_gpu_alpha *alpha);

/* Room on the device for so many views like this one; VSM_E_NOMEM, VSM_E_DEVICE. Nothing may be under way. */
int vsm_gpu_alpha_follow(struct vsm_gpu_alpha *alpha, const struct vsm_view *view, int count) VSM_NODISCARD;

/* Page-locked planes for those views; as vsm_cuda_tensors_get(). */
int vsm_gpu_alpha_take(struct vsm_gpu_alpha *alpha, struct vsm_tensor **planes) VSM_NODISCARD;

/* Has the stream fill the planes from the views' maps and rgb[view], all on the device. */
int vsm_gpu_alpha_fill(const struct vsm_gpu_alpha *alpha, const struct vsm_matte *mattes,
                       const float *const rgb[], const struct vsm_tensor *planes,
                       struct vsm_cuda_stream *stream) VSM_NODISCARD;

#endif
