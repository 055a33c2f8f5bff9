/* Convolutions in float over planes, for networks whose decisions hang on small differences: a detector that
 * compares cells and thresholds. No tensor cores: a few milliseconds a GFLOP less matter there than the bits.
 * Sums in float, in one fixed order, so that results repeat bit by bit.
 */
#ifndef VSM_CUDA_FULL_H
#define VSM_CUDA_FULL_H

#include "cuda/conv.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Input channels of a dense 3x3 convolution: a picture's. */
#define VSM_CUDA_FULL_PICTURE 3

/* Values are [batch][channels][height][width]. out = act(conv(in) + bias) + residual. */
struct vsm_cuda_full {
    int batch, height, width; /* of the input */
    int size;                 /* 1, or 3: of a picture or depthwise */
    int depthwise;            /* weights [channels][3][3], ins == outs */
    int stride;               /* 1, or 2 with size 3 */
    int even;                 /* stride 2: border below and to the right only, else all round */
    int ins, outs;
    const float *in, *weights; /* weights [outs][ins][size][size] */
    const float *bias;         /* [outs], NULL = none */
    const float *residual;     /* like the output, NULL = none; size 1 only */
    int doubled;           /* the residual has half the size: bilinear, half-pixel centres, clamped edges */
    enum vsm_cuda_act act; /* NONE, RELU, RELU6 or SIGMOID */
    float *out;            /* none of the others */
};

/* Queues the work; all memory stays the caller's and in use until it is done. VSM_E_INTERNAL for what no
 * kernel does, VSM_E_DEVICE. */
int vsm_cuda_full_run(const struct vsm_cuda_full *full, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
