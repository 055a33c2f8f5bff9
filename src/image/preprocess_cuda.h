/* image/preprocess.h for pictures on a CUDA device: the plan is made once for a kind of picture and its
 * views, a run costs one kernel a direct view, two a turned one. Same bits as the C reference. */
#ifndef VSM_IMAGE_PREPROCESS_CUDA_H
#define VSM_IMAGE_PREPROCESS_CUDA_H

#include "base/status.h"
#include "cuda/device.h"
#include "frame/image.h"
#include "frame/view.h"

struct vsm_preprocess_cuda;

/* For pictures like `image` (format, colour, size; its pixels are not looked at). */
int vsm_preprocess_cuda_create(const struct vsm_image *image, const struct vsm_view *views, int view_count,
                               struct vsm_preprocess_cuda **preprocess) VSM_NODISCARD;
void vsm_preprocess_cuda_destroy(struct vsm_preprocess_cuda *preprocess);

/* `image`: VSM_PLACE_CUDA, like the one of create. View i goes to rgb + i * 3 * width * height (device). */
int vsm_preprocess_cuda_run(struct vsm_preprocess_cuda *preprocess, const struct vsm_image *image, float *rgb,
                            struct vsm_cuda_stream *stream) VSM_NODISCARD;

#endif
