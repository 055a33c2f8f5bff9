/* Kernels of stereo/cell_match_cuda.h: pyramids of grey and alpha, and the search of cells in them. */
#ifndef VSM_CUDA_STEREO_MATCH_H
#define VSM_CUDA_STEREO_MATCH_H

#include "cuda/device.h"
#include "pixel/match.h"
#include "pixel/parallax.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Planes of one kind on the device, level by level, each half the one before: width >> l by height >> l
 * pixels. */
struct vsm_cuda_stereo_match_pyramid {
    float *level[VSM_MATCH_LEVELS];
};

/* What a search finds of a cell. */
struct vsm_cuda_stereo_match_cell {
    float people, parallax, residual, confidence;
    int tried;
};

struct vsm_cuda_stereo_match {
    struct vsm_match_grid grid;
    struct vsm_cuda_stereo_match_pyramid grey[2], alpha; /* the master's, the slave's; the master's */
    const struct vsm_parallax_cell *table;               /* of the grid's cells, on the device */
    double largest, pitch;
    float pixel;
    int both_ways;
    const unsigned char *only; /* a byte a cell, on the device; NULL: all are searched */
};

/* Grey of R, G, B planes, or a copy's halves of alpha (whose level 0 is borrowed and stays as it is). */
int vsm_cuda_stereo_match_grey(const struct vsm_match_grid *grid, const float *rgb,
                               const struct vsm_cuda_stereo_match_pyramid *to,
                               struct vsm_cuda_stream *stream) VSM_NODISCARD;
int vsm_cuda_stereo_match_alpha(const struct vsm_match_grid *grid,
                                const struct vsm_cuda_stereo_match_pyramid *alpha,
                                struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* Searches all cells. `cells`: room for two of each cell, on the device; the first ones are the result. */
int vsm_cuda_stereo_match_run(const struct vsm_cuda_stereo_match *match,
                              struct vsm_cuda_stereo_match_cell *cells,
                              struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
