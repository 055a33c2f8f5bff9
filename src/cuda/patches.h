/* Convolutions of tokens, float16 [batch][height][width][channels]: patches as rows for a matrix product, and
 * two forms that are done directly, with sums in float32. */
#ifndef VSM_CUDA_PATCHES_H
#define VSM_CUDA_PATCHES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h"

struct vsm_cuda_stream;

struct vsm_cuda_patches {
    int64_t batch, height, width, channels;
    int kernel, stride, pad;
    int planar; /* x is [batch][channels][height][width] */
    int64_t
        columns; /* of a row of `out`, a multiple of 8; those behind kernel * kernel * channels are zeros */
};

/* How many patches lie along a side of `length` pixels. */
static inline int64_t vsm_cuda_patches_along(const struct vsm_cuda_patches *p, int64_t length)
{
    return (length + 2 * p->pad - p->kernel) / p->stride + 1;
}

/* out [batch * patches down * patches across][columns], of a row the numbers (ky, kx, channel). */
int vsm_cuda_patches_unfold(const struct vsm_cuda_patches *patches, const void *x, void *out,
                            struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* A whole convolution with few channels: 1 to 4, or 4 to 16. weights [outputs][columns], as rows of unfold();
 * `columns` is kernel * kernel * channels, at most 36. out [batch * patches][outputs]. */
int vsm_cuda_patches_small(const struct vsm_cuda_patches *patches, int64_t outputs, const void *x,
                           const void *weights, const void *bias, void *out,
                           struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* Every channel by itself, 7 x 7, stride 1, padded by 3: weights [49][channels], channels a multiple of 8.
 * out like x. */
int vsm_cuda_patches_depthwise(int64_t batch, int64_t height, int64_t width, int64_t channels, const void *x,
                               const void *weights, const void *bias, void *out,
                               struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
