/* The guided filter's fit on the grid: slope and offset of each matte channel over its guide, in float.
 *
 * Source: "Fast End-to-End Trainable Guided Filter", arXiv 1803.05619; the same algebra as
 * models/rvm_graph.c: 3x3 means over the cells inside the picture, guide centred on grey.
 */
#ifndef VSM_CUDA_FIT_H
#define VSM_CUDA_FIT_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* rgb [batch, 3, height, width]; matte [batch, height, width, 4]; fit [batch, height, width, 8]: A of R, G,
 * B, alpha, then b. All float. */
int vsm_cuda_fit_run(const float *rgb, const float *matte, int batch, int height, int width, float eps,
                     float *fit, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
