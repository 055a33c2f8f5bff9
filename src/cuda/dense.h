/* Means of whole feature maps, and the small dense layers on them (squeeze-and-excite, gates). Sums are taken
 * in one fixed order, so that results repeat bit by bit. */
#ifndef VSM_CUDA_DENSE_H
#define VSM_CUDA_DENSE_H

#include "cuda/conv.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parts into which a map's pixels are split; each part's mean is one row of `partial`. */
#define VSM_CUDA_MEAN_PARTS 64

/* partial[batch][VSM_CUDA_MEAN_PARTS][channels]; the sum over the parts is the mean over `cells` pixels. */
int vsm_cuda_dense_mean(struct vsm_cuda_view in, int batch, int cells, float *partial,
                        struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* out[image][o] = act(sum_c weights[o][c] * in[image][c] + bias[o]); `in` is `parts` rows that are added
 * first. bias NULL = none. channels at most 1024. */
int vsm_cuda_dense_run(const float *in, int parts, int batch, int channels, int outputs, const float *weights,
                       const float *bias, enum vsm_cuda_act act, float *out,
                       struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
