/* From CUDA's error codes to the program's, for the .cu files of this folder. */
#ifndef VSM_CUDA_CHECK_CUH
#define VSM_CUDA_CHECK_CUH

#include <cuda_fp16.h>
#include <cuda_runtime.h>

extern "C" {
#include "base/status.h"
}

struct vsm_cuda_stream;

static inline cudaStream_t vsm_cuda_raw(struct vsm_cuda_stream *stream)
{
    return (cudaStream_t)(void *)stream;
}

static inline int vsm_cuda_status(cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return VSM_OK;
    cudaGetLastError();
    return vsm_fail(error == cudaErrorMemoryAllocation ? VSM_E_NOMEM : VSM_E_DEVICE, "CUDA: %s: %s", what,
                    cudaGetErrorString(error));
}

/* The result of the kernel launch before it. */
static inline int vsm_cuda_launched(const char *what)
{
    return vsm_cuda_status(cudaGetLastError(), what);
}

static inline unsigned vsm_cuda_blocks(long long n, int block)
{
    return (unsigned)((n + block - 1) / block);
}

#endif
