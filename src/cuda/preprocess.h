/* Counterpart of image/preprocess.h on the device: from a picture's planes to the network's grid, bit for bit
 * the same (sums are integers, and the floating point that follows has the same order without fused
 * multiply-add). */
#ifndef VSM_CUDA_PREPROCESS_H
#define VSM_CUDA_PREPROCESS_H

#include "cuda/device.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* image/area.h in device memory. */
struct vsm_cuda_area {
    const int32_t *first, *count;
    const uint16_t *weight;
    int taps;
};

struct vsm_cuda_preprocess_plane {
    const uint8_t *data; /* device; the first sample that is used */
    ptrdiff_t stride;
    int bytes, shift, channels;
    struct vsm_cuda_area x, y;
    double scale;
};

struct vsm_cuda_preprocess {
    struct vsm_cuda_preprocess_plane planes[3];
    int plane_count;
    float luma_scale, luma_bias, chroma_scale, chroma_bias, red_v, green_u, green_v, blue_u;
    float neutral; /* chroma of a picture without */
    int width, height;
    float *rgb; /* [3][height][width] */
};

/* image/preprocess_turned.h: the cells of a turned view from a direct picture of the part of the eye that it
 * sees. */
struct vsm_cuda_preprocess_turn {
    const float *part; /* [3][part_height][part_width], at least 2x2 */
    int part_width, part_height;
    const float *nodes; /* [rows][columns][2], every `step` cells */
    int columns, step;
    int width, height;
    float *rgb; /* [3][height][width] */
};

int vsm_cuda_preprocess_turn_run(const struct vsm_cuda_preprocess_turn *turn,
                                 struct vsm_cuda_stream *stream) VSM_NODISCARD;

int vsm_cuda_preprocess_run(const struct vsm_cuda_preprocess *preprocess,
                            struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
