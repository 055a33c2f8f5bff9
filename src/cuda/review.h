/* What the host looks at of a frame's coefficient maps, and what it wants changed in them.
 *
 * A digest is the network's picture and the maps of alpha as the host has them elsewhere, plane by plane; an
 * edit is what some rows of the maps are to become (stages/device_review.h).
 */
#ifndef VSM_CUDA_REVIEW_H
#define VSM_CUDA_REVIEW_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VSM_CUDA_REVIEW_PLANES 5 /* of a digest: R, G, B, A_alpha, b_alpha */
#define VSM_CUDA_REVIEW_VALUES 3 /* of a cell's edit: A_alpha, b_alpha, colour */

/* alpha [batch, cells] of the maps on the grid itself, bit for bit as vsm_coefficients_fill_alpha() has it: rgb
 * [batch, 3, cells]; fit [batch, cells, 8]. */
int vsm_cuda_review_alpha(const float *rgb, const float *fit, int batch, int cells, float *alpha,
                          struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* A_alpha and b_alpha of fit [cells, 8] times open [cells], 0..1: a gate (people/gate.h). */
int vsm_cuda_review_close(const float *open, float *fit, int cells,
                          struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* rgb [batch, 3, cells]; fit [batch, cells, 8]: A of R, G, B, alpha, then b; digest [batch, 5, cells]. All
 * float, on the device. */
int vsm_cuda_review_digest(const float *rgb, const float *fit, int batch, int cells, float *digest,
                           struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* edit [cells, 3]. In fit [cells, 8] A_alpha and b_alpha become the edit's, and A and b of R, G, B are
 * multiplied by its colour. On the device. */
int vsm_cuda_review_edit(const float *edit, float *fit, int cells,
                         struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
