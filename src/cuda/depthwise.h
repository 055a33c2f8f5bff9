/* Depthwise convolutions, 3x3 or 5x5, and what follows them. Bound by memory: each thread keeps eight
 * channels of a run of output columns in registers. Layout as in cuda/conv.h. */
#ifndef VSM_CUDA_DEPTHWISE_H
#define VSM_CUDA_DEPTHWISE_H

#include "cuda/conv.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vsm_cuda_depthwise {
    int batch, height, width; /* of the input */
    int size, stride, dilation;
    struct vsm_cuda_view in, out;
    const float *weights; /* [size * size][channels] */
    const float *bias;    /* [channels] */
    enum vsm_cuda_act act;
};

/* Size 3 or 5, stride 1 or 2, dilation 1 or (stride 1) 2. */
int vsm_cuda_depthwise_run(const struct vsm_cuda_depthwise *depthwise,
                           struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
