/* What is done with frames' coefficient maps on the grid itself, on a device: alpha, for whoever looks at it
 * (stereo/stereo_planes_cuda.h, stages/gpu_alpha.h), and a gate that the host has made
 * (stages/device_gate.h). Maps are [cells, 8] as of frame/frame.h: A of R, G, B, alpha, then b. All float, on
 * the device.
 */
#ifndef VSM_CUDA_REVIEW_H
#define VSM_CUDA_REVIEW_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* alpha [cells] of one view's maps, bit for bit as vsm_coefficients_fill_alpha() has it: rgb [3, cells]; fit
 * [cells, 8]. */
int vsm_cuda_review_alpha(const float *rgb, const float *fit, int cells, float *alpha,
                          struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* A_alpha and b_alpha of fit [cells, 8] times open [cells], 0..1: a gate (people/gate.h). */
int vsm_cuda_review_close(const float *open, float *fit, int cells,
                          struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
