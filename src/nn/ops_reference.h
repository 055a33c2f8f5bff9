/* What the kernels of cuda/linear.h and cuda/norm.h compute, in plain loops over host memory: their oracle, and the CPU's
 * form of the operators in nn/ort_ops.h. */
#ifndef VSM_NN_OPS_REFERENCE_H
#define VSM_NN_OPS_REFERENCE_H

#include "cuda/linear.h"
#include "cuda/norm.h"

#include <stdint.h>

/* Sums in float64. Arguments as vsm_cuda_linear_run(). */
void vsm_ops_reference_linear(const struct vsm_cuda_linear_layer *layer, const uint16_t *x,
                              const uint16_t *weights, const void *bias, const float *residual, void *out);

void vsm_ops_reference_norm(const struct vsm_cuda_norm *norm, const void *x, const uint16_t *scale,
                            const uint16_t *bias, uint16_t *out);

#endif
