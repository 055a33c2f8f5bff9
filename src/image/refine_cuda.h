/* image/refine.h for pictures on a CUDA device, one kernel a picture; at most one code value from the C
 * reference.
 *
 * Green pictures and mattes of 4:2:0 and grey pictures; eyes at even positions; one direct view an eye, or up
 * to two turned ones. Fits lie in device memory as nn/cuda_net.h makes them.
 */
#ifndef VSM_IMAGE_REFINE_CUDA_H
#define VSM_IMAGE_REFINE_CUDA_H

#include "cuda/device.h"
#include "frame/tensor.h"
#include "frame/view.h"
#include "image/refine.h"

struct vsm_refine_cuda;

/* What one view says of its eye; views of one eye have the same source. */
struct vsm_refine_cuda_view {
    const struct vsm_view *view;
    const float *fit; /* [height, width, 8] */
    /* Of a turned view: its inverse mapping (geometry/view_map.h) and a copy of its nodes on the device. */
    const struct vsm_tensor *inverse;
    const float *nodes;
    int inverse_step;
};

/* Whether the kernel takes this: else VSM_E_USAGE. */
int vsm_refine_cuda_check(const struct vsm_image *source, const struct vsm_view *views, int view_count,
                          const struct vsm_composite_output *outputs, int output_count) VSM_NODISCARD;

/* For pictures like `source` and outputs like those given (format, colour, size; pixels are not looked at).
 * Errors as vsm_refine(). */
int vsm_refine_cuda_create(const struct vsm_image *source, const struct vsm_composite_output *outputs,
                           int output_count, const struct vsm_refine_options *options,
                           struct vsm_refine_cuda **refine) VSM_NODISCARD;
void vsm_refine_cuda_destroy(struct vsm_refine_cuda *refine);

/* Source and outputs: VSM_PLACE_CUDA. Where no view looks, the outputs show background. */
int vsm_refine_cuda_run(const struct vsm_refine_cuda *refine, const struct vsm_image *source,
                        const struct vsm_refine_cuda_view *views, int view_count,
                        struct vsm_image *const *outputs, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#endif
