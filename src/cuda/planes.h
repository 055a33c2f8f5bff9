/* What stands round convolutions of float16 maps [batch][channels][pixels]: the bias, GELU and residual
 * behind them in one pass, and means of whole maps. */
#ifndef VSM_CUDA_PLANES_H
#define VSM_CUDA_PLANES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h"

struct vsm_cuda_stream;

struct vsm_cuda_planes {
    int64_t batch, channels, pixels;
    int gelu; /* by erf */
};

/* out = gelu(x + bias) + residual; bias [channels], residual like x or NULL. `out` must be none of them. */
int vsm_cuda_planes_finish(const struct vsm_cuda_planes *planes, const void *x, const void *bias,
                           const void *residual, void *out, struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* out [batch][channels]: sums in float32, in one fixed order. */
int vsm_cuda_planes_mean(const struct vsm_cuda_planes *planes, const void *x, void *out,
                         struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
