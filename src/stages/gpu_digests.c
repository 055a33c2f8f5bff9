#include "stages/gpu_digests.h"

#include "cuda/review.h"
#include "image/cuda_room.h"
#include "image/cuda_tensors.h"

#include <string.h>

void vsm_gpu_digests_finish(struct vsm_gpu_digests *digests)
{
    vsm_cuda_room_free(VSM_PLACE_CUDA, digests->device);
    vsm_cuda_tensors_destroy(digests->tensors);
    *digests = (struct vsm_gpu_digests){.device = NULL};
}

int vsm_gpu_digests_follow(struct vsm_gpu_digests *digests, const struct vsm_gpu_set *set)
{
    const int64_t dims[4] = {set->count, VSM_CUDA_REVIEW_PLANES, set->views[0].height, set->views[0].width};
    const size_t count = (size_t)(dims[0] * dims[1] * dims[2] * dims[3]);
    int status;

    if (memcmp(digests->dims, dims, sizeof(digests->dims)) == 0)
        return VSM_OK;
    vsm_gpu_digests_finish(digests);
    status = vsm_cuda_room_make("digest", VSM_PLACE_CUDA, count * sizeof(float), NULL, &digests->device);
    if (status)
        return status;
    digests->tensors = vsm_cuda_tensors_create("digest", VSM_PLACE_HOST, 4, dims);
    if (!digests->tensors)
        return VSM_E_NOMEM;
    memcpy(digests->dims, dims, sizeof(digests->dims));
    return VSM_OK;
}

int vsm_gpu_digests_take(struct vsm_gpu_digests *digests, struct vsm_tensor **digest)
{
    return vsm_cuda_tensors_get(digests->tensors, digest);
}

int vsm_gpu_digests_fill(const struct vsm_gpu_digests *digests, const struct vsm_gpu_set *set,
                         const struct vsm_tensor *digest, struct vsm_cuda_stream *stream)
{
    const int status = vsm_gpu_views_digest(set, digests->device);

    return status ? status : vsm_cuda_copy(digest->data, digests->device, vsm_tensor_bytes(digest), stream);
}
