/* Layer normalisation of rows, to float16, with GELU behind it if wanted. Statistics in float32, in two
 * passes over registers: each number is read once. */
#ifndef VSM_CUDA_NORM_H
#define VSM_CUDA_NORM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h"

struct vsm_cuda_stream;

struct vsm_cuda_norm {
    int64_t rows;
    int channels; /* a multiple of 4; a quarter of it is at most 9 times a power of two up to 32 */
    int full;     /* x is float32, else float16 */
    int gelu;     /* by erf */
    float epsilon;
};

/* Groups of four channels that a thread holds at most. */
#define VSM_CUDA_NORM_MOST 9

/* How many threads, a power of two up to 32, share a row; 0 if `channels` is none of those above. */
static inline int vsm_cuda_norm_lanes(int64_t channels)
{
    int lanes = 1;

    if (channels < 4 || channels % 4 != 0 || channels > 4 * 32 * VSM_CUDA_NORM_MOST)
        return 0;
    while (lanes < 32 && channels % (8 * lanes) == 0)
        lanes *= 2;
    return channels / (4 * lanes) <= VSM_CUDA_NORM_MOST ? lanes : 0;
}

/* x [rows][channels]; scale and bias [channels], float16; out [rows][channels] float16. */
int vsm_cuda_norm_run(const struct vsm_cuda_norm *norm, const void *x, const void *scale, const void *bias,
                      void *out, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
