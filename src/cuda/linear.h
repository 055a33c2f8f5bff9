/* Linear layers by cuBLASLt: out = act(x W + bias) or residual + x W + bias in one kernel, products in
 * float16 with sums in float32.
 *
 * The library is loaded at run time, where ONNX Runtime's CUDA provider finds it too; its workspace belongs
 * to the object, so that one object is for one stream. Which of its kernels runs is the library's first
 * choice for the shape, never a matter of timing: the same input gives the same bits in every run on a kind
 * of device.
 */
#ifndef VSM_CUDA_LINEAR_H
#define VSM_CUDA_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h"

struct vsm_cuda_stream;
struct vsm_cuda_linear;

/* GELU is the library's: by tanh, at most 4.8e-4 from the one by erf, which is float16's own rounding
 * there. */
enum vsm_cuda_linear_act { VSM_CUDA_LINEAR_NONE, VSM_CUDA_LINEAR_GELU, VSM_CUDA_LINEAR_RELU };

struct vsm_cuda_linear_layer {
    int64_t rows;
    int64_t in, out; /* channels */
    int by_columns;  /* weights are [in][out], else [out][in] */
    int full;        /* out is float32, and so is the bias; else both are float16 */
    enum vsm_cuda_linear_act act;
};

/* VSM_E_DEVICE says what is missing: the library, or its header when this was built. */
int vsm_cuda_linear_create(struct vsm_cuda_linear **linear) VSM_NODISCARD;
/* The stream must have ended its work. NULL is allowed. */
void vsm_cuda_linear_destroy(struct vsm_cuda_linear *linear);

/* x [rows][in] and weights float16. bias [out] and residual [rows][out], float32 and only with `full`, may be
 * NULL; `out` may be the residual itself. Cost: the first call for a layer's shape asks the library, some 50
 * us. */
int vsm_cuda_linear_run(struct vsm_cuda_linear *linear, const struct vsm_cuda_linear_layer *layer,
                        const void *x, const void *weights, const void *bias, const float *residual,
                        void *out, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
