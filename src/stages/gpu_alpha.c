#include "stages/gpu_alpha.h"

#include "cuda/review.h"
#include "image/cuda_room.h"
#include "image/cuda_tensors.h"

#include <string.h>

void vsm_gpu_alpha_finish(struct vsm_gpu_alpha *alpha)
{
    vsm_cuda_room_free(VSM_PLACE_CUDA, alpha->device);
    vsm_cuda_tensors_destroy(alpha->tensors);
    *alpha = (struct vsm_gpu_alpha){.device = NULL};
}

int vsm_gpu_alpha_follow(struct vsm_gpu_alpha *alpha, const struct vsm_view *view, int count)
{
    const int64_t dims[3] = {count, view->height, view->width};
    const size_t bytes = (size_t)(dims[0] * dims[1] * dims[2]) * sizeof(float);
    int status;

    if (memcmp(alpha->dims, dims, sizeof(alpha->dims)) == 0)
        return VSM_OK;
    vsm_gpu_alpha_finish(alpha);
    status = vsm_cuda_room_make("alpha of views", VSM_PLACE_CUDA, bytes, NULL, &alpha->device);
    if (status)
        return status;
    alpha->tensors = vsm_cuda_tensors_create("alpha of views", VSM_PLACE_HOST, 3, dims);
    if (!alpha->tensors)
        return VSM_E_NOMEM;
    memcpy(alpha->dims, dims, sizeof(alpha->dims));
    return VSM_OK;
}

int vsm_gpu_alpha_take(struct vsm_gpu_alpha *alpha, struct vsm_tensor **planes)
{
    return vsm_cuda_tensors_get(alpha->tensors, planes);
}

int vsm_gpu_alpha_fill(const struct vsm_gpu_alpha *alpha, const struct vsm_matte *mattes,
                       const float *const rgb[], const struct vsm_tensor *planes,
                       struct vsm_cuda_stream *stream)
{
    const int cells = (int)(alpha->dims[1] * alpha->dims[2]);
    int status = VSM_OK;

    for (int i = 0; i < alpha->dims[0] && !status; i++)
        status = vsm_cuda_review_alpha(rgb[i], vsm_tensor_f32(mattes[i].coefficients), cells,
                                       (float *)alpha->device + (ptrdiff_t)i * cells, stream);
    return status ? status : vsm_cuda_copy(planes->data, alpha->device, vsm_tensor_bytes(planes), stream);
}
