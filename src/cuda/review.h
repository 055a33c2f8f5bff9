/* What the host looks at of a frame's coefficient maps, and what it wants changed in them, on small grids.
 *
 * A digest is the mean of the network's picture and of alpha over each small cell; an edit changes the maps
 * by values that are interpolated from the small grid. Both are small enough to be copied and worked on
 * without frames waiting (stages/device_review.h).
 */
#ifndef VSM_CUDA_REVIEW_H
#define VSM_CUDA_REVIEW_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* rgb [batch, 3, height, width]; fit [batch, height, width, 8]: A of R, G, B, alpha, then b; digest [batch,
 * 4, small_height, small_width]: R, G, B, and alpha = clamp(A_alpha mean(rgb) + b_alpha), each the mean of
 * the cells that the small cell touches. All float, on the device. */
int vsm_cuda_review_digest(const float *rgb, const float *fit, int batch, int height, int width,
                           float *digest, int small_height, int small_width,
                           struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* edit [small_height, small_width, 4]: keep, slope, offset, colour. In fit [height, width, 8] A_alpha becomes
 * keep A_alpha + slope, b_alpha keep b_alpha + offset, and A and b of R, G, B are multiplied by colour;
 * bilinear between the middles of small cells, the outermost ones repeated. On the device. */
int vsm_cuda_review_edit(const float *edit, int small_height, int small_width, float *fit, int height,
                         int width, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
