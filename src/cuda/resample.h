/* From and to the layout of cuda/conv.h, and between its levels: the image, halving, concatenation with
 * doubling, and tensors in the layout of the host. */
#ifndef VSM_CUDA_RESAMPLE_H
#define VSM_CUDA_RESAMPLE_H

#include "cuda/conv.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VSM_CUDA_MAX_PARTS 4

/* rgb [batch, 3, cells] float to 8 channels: r, g, b, (r, g, b - mean) * gain, 0, 0. */
int vsm_cuda_resample_image(const float *rgb, int batch, int cells, const float mean[3], const float gain[3],
                            struct vsm_cuda_view out, struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* Means of 2x2 cells; height and width (of the input) are even. */
int vsm_cuda_resample_halve(struct vsm_cuda_view in, int batch, int height, int width,
                            struct vsm_cuda_view out, struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* The parts' channels one after the other in `out`, height x width cells. Those marked in `doubled` have half
 * the size and are interpolated bilinearly, half-pixel centres, clamped edges. */
int vsm_cuda_resample_join(const struct vsm_cuda_view *parts, const int *doubled, int count, int batch,
                           int height, int width, struct vsm_cuda_view out,
                           struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* [batch, channels, cells] float to half pixels, padding zero. */
int vsm_cuda_resample_pack(const float *planes, int batch, int channels, int cells, struct vsm_cuda_view out,
                           struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* [batch, cells, channels] float (4 or 8 channels) to [batch, channels, cells]. */
int vsm_cuda_resample_planes(const float *pixels, int batch, int channels, int cells, float *planes,
                             struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
