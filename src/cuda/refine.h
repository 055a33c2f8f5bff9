/* Counterpart of image/refine.h on the device, for 4:2:0 and grey pictures: the same algebra in float, but
 * with fused multiply-add and with the coefficients mixed after interpolation instead of before. A sample
 * differs from the C reference by at most one code value (tests/oracle/gpu). Reads and writes each sample
 * once.
 */
#ifndef VSM_CUDA_REFINE_H
#define VSM_CUDA_REFINE_H

#include "cuda/device.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VSM_CUDA_REFINE_VIEWS   4
#define VSM_CUDA_REFINE_OUTPUTS 8

/* Planes of a picture in device memory. */
struct vsm_cuda_picture {
    uint8_t *data[3];
    ptrdiff_t stride[3];
    int planes; /* 1 grey, 2 interleaved chroma, 3 */
    int bytes, shift;
};

#define VSM_CUDA_REFINE_WARPS 2 /* turned views of one eye */

/* What one view says of an eye. */
struct vsm_cuda_refine_maps {
    const float *fit; /* [grid_height][grid_width][8] */
    int grid_width, grid_height;
    /* Of a turned view, whose grid is at least 2x2: [rows][columns][2], every `step` luma samples of the eye,
     * x and y on the grid (geometry/view_map.h). NULL: the view is the whole eye. */
    const float *nodes;
    int step, columns, rows;
};

/* An eye as one direct view or up to VSM_CUDA_REFINE_WARPS turned ones see it. */
struct vsm_cuda_refine_view {
    int x, y, width, height; /* in the picture; x, y even */
    struct vsm_cuda_refine_maps maps[VSM_CUDA_REFINE_WARPS];
    int map_count;
};

struct vsm_cuda_refine_output {
    struct vsm_cuda_picture picture;
    int matte; /* alpha as grey; else foreground over the key */
    int maximum, background[3];
    float luma_scale, luma_offset, chroma_scale, chroma_offset;
    float key_luma, key_u, key_v, direction_u, direction_v, despill;
};

/* Weights as in image/coefficients.h, of A (or b) of R, G, B. */
struct vsm_cuda_refine {
    struct vsm_cuda_picture source;
    int width, height;
    float luma_offset, chroma_offset, luma_range, chroma_low, chroma_high;
    float mean_u, mean_v, alpha_y;
    float luma_y[3], luma_1[3], tint_u[3], tint_v[3];
    float chroma_y[2][3], chroma_u[2][3], chroma_v[2][3], chroma_1[2][3];
    float snap;
    struct vsm_cuda_refine_view views[VSM_CUDA_REFINE_VIEWS];
    int view_count;
    struct vsm_cuda_refine_output outputs[VSM_CUDA_REFINE_OUTPUTS];
    int output_count;
};

/* image/view_fade.h: fit [view->height, view->width, 8] becomes keep times itself plus 1 - keep times what
 * the maps of `view` say there, whose nodes count cells of that grid as luma samples. */
int vsm_cuda_refine_fade(const struct vsm_cuda_refine_view *view, float keep, float *fit,
                         struct vsm_cuda_stream *stream) VSM_NODISCARD;

int vsm_cuda_refine_run(const struct vsm_cuda_refine *refine, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
