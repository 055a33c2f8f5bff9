#include "image/cuda_room.h"

#include "base/fault.h"
#include "cuda/device.h"

struct wish {
    const char *what;
    enum vsm_place place;
    size_t bytes;
    void *memory;
};

static int attempt(void *opaque)
{
    struct wish *wish = opaque;

    if (vsm_fault_hit("gpu.memory"))
        return vsm_fail(VSM_E_NOMEM, "CUDA: %s: out of memory", wish->what);
    return wish->place == VSM_PLACE_CUDA ? vsm_cuda_alloc(wish->what, wish->bytes, &wish->memory)
                                         : vsm_cuda_alloc_host(wish->what, wish->bytes, &wish->memory);
}

int vsm_cuda_room_make(const char *what, enum vsm_place place, size_t bytes, struct vsm_relief *relief,
                       void **memory)
{
    struct wish wish = {what, place, bytes, NULL};
    int status = vsm_relief_try(relief, attempt, &wish);

    if (status == VSM_OK)
        *memory = wish.memory;
    return status;
}

void vsm_cuda_room_free(enum vsm_place place, void *memory)
{
    if (place == VSM_PLACE_CUDA)
        vsm_cuda_free(memory);
    else if (memory)
        vsm_cuda_free_host(memory);
}
