#include "image/cuda_room.h"

#include "base/fault.h"

struct wish {
    const char *what;
    size_t bytes;
    void *memory;
};

static int attempt(void *opaque)
{
    struct wish *wish = opaque;

    if (vsm_fault_hit("gpu.memory"))
        return vsm_fail(VSM_E_NOMEM, "CUDA: %s: out of memory", wish->what);
    return vsm_cuda_alloc(wish->what, wish->bytes, &wish->memory);
}

static int make_locked(const char *what, size_t bytes, void **memory)
{
    const int status = vsm_fault_hit("gpu.locked") ? VSM_E_NOMEM : vsm_cuda_alloc_host(what, bytes, memory);

    if (status == VSM_E_NOMEM)
        return vsm_fail(VSM_E_NOMEM,
                        "%s: %zu bytes of page-locked memory: out of memory; end other programs, lower "
                        "streaming.buffer_frames, or set processing.device: cpu",
                        what, bytes);
    return status;
}

int vsm_cuda_room_make(const char *what, enum vsm_place place, size_t bytes, struct vsm_relief *relief,
                       void **memory)
{
    struct wish wish = {what, bytes, NULL};
    int status;

    if (place == VSM_PLACE_HOST)
        return make_locked(what, bytes, memory);
    status = vsm_relief_try(relief, attempt, &wish);
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

int vsm_cuda_block_fill(struct vsm_cuda_block *block, const char *what, const void *from, size_t bytes,
                        struct vsm_relief *relief, struct vsm_cuda_stream *stream)
{
    int status = VSM_OK;

    if (bytes > block->bytes) {
        vsm_cuda_room_free(VSM_PLACE_CUDA, block->memory);
        *block = (struct vsm_cuda_block){NULL, 0};
        status = vsm_cuda_room_make(what, VSM_PLACE_CUDA, bytes, relief, &block->memory);
    }
    if (status)
        return status;
    block->bytes = bytes > block->bytes ? bytes : block->bytes;
    return vsm_cuda_copy(block->memory, from, bytes, stream);
}
