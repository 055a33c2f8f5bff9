/* image/refine.h for pictures on a CUDA device, one kernel a picture; at most one code value from the C reference.
 *
 * Green pictures and mattes of 4:2:0 and grey pictures, views at even positions. Fits lie in device memory as nn/cuda_net.h makes them.
 */
#ifndef VSM_IMAGE_REFINE_CUDA_H
#define VSM_IMAGE_REFINE_CUDA_H

#include "cuda/device.h"
#include "image/refine.h"

struct vsm_refine_cuda;

/* For pictures like `source` and outputs like those given (format, colour, size; pixels are not looked at).
 * VSM_E_USAGE if only the CPU can do it; else errors as vsm_refine(). */
int vsm_refine_cuda_create(const struct vsm_image *source, const struct vsm_view *views, int view_count,
                           const struct vsm_composite_output *outputs, int output_count,
                           const struct vsm_refine_options *options,
                           struct vsm_refine_cuda **refine) VSM_NODISCARD;
void vsm_refine_cuda_destroy(struct vsm_refine_cuda *refine);

/* Source and outputs: VSM_PLACE_CUDA. fits[i]: [height, width, 8] of view i. */
int vsm_refine_cuda_run(const struct vsm_refine_cuda *refine, const struct vsm_image *source,
                        const float *const *fits, struct vsm_image *const *outputs,
                        struct vsm_cuda_stream *stream) VSM_NODISCARD;

#endif
