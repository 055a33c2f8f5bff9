/* What the kernels of cuda/attention.h, linear.h, norm.h, patches.h, planes.h and tokens.h compute, in plain
 * loops over host memory: their oracle, and the CPU's form of the operators in nn/own_ops.h. */
#ifndef VSM_NN_OPS_REFERENCE_H
#define VSM_NN_OPS_REFERENCE_H

#include "cuda/attention.h"
#include "cuda/linear.h"
#include "cuda/norm.h"
#include "cuda/patches.h"
#include "cuda/planes.h"
#include "cuda/tokens.h"

#include <stdint.h>

/* Sums in float64. Arguments as vsm_cuda_linear_run(). */
void vsm_ops_reference_linear(const struct vsm_cuda_linear_layer *layer, const uint16_t *x,
                              const uint16_t *weights, const void *bias, const float *residual, void *out);

void vsm_ops_reference_norm(const struct vsm_cuda_norm *norm, const void *x, const uint16_t *scale,
                            const uint16_t *bias, uint16_t *out);

void vsm_ops_reference_finish(const struct vsm_cuda_planes *planes, const uint16_t *x, const uint16_t *bias,
                              const uint16_t *residual, uint16_t *out);
void vsm_ops_reference_means(const struct vsm_cuda_planes *planes, const uint16_t *x, uint16_t *out);

void vsm_ops_reference_pool(int64_t batch, int64_t height, int64_t width, int64_t channels, const uint16_t *x,
                            uint16_t *out);
void vsm_ops_reference_rotate(const struct vsm_cuda_tokens_rotation *rotation, const uint16_t *x,
                              const uint16_t *cosine, const uint16_t *sine, const uint16_t *still,
                              uint16_t *out);

void vsm_ops_reference_unfold(const struct vsm_cuda_patches *patches, const uint16_t *x, uint16_t *out);
void vsm_ops_reference_small(const struct vsm_cuda_patches *patches, int64_t outputs, const uint16_t *x,
                             const uint16_t *weights, const uint16_t *bias, uint16_t *out);
void vsm_ops_reference_depthwise(int64_t batch, int64_t height, int64_t width, int64_t channels,
                                 const uint16_t *x, const uint16_t *weights, const uint16_t *bias,
                                 uint16_t *out);

/* Takes memory for one row of weights. */
int vsm_ops_reference_attention(int64_t batch, int64_t queries, int64_t keys, const uint16_t *q,
                                const uint16_t *k, const uint16_t *v, uint16_t *out) VSM_NODISCARD;
int vsm_ops_reference_latent(int64_t groups, int64_t rows, const uint16_t *q, const uint16_t *k,
                             const uint16_t *v, uint16_t *out) VSM_NODISCARD;

#endif
