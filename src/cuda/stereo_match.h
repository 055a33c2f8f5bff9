/* Searches one eye's cells in the other: stereo/cell_match.h, bit for bit. One block of threads a cell. */
#ifndef VSM_CUDA_STEREO_MATCH_H
#define VSM_CUDA_STEREO_MATCH_H

#include "cuda/stereo_pyramid.h"
#include "pixel/match.h"
#include "pixel/parallax.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a search finds of a cell. */
struct vsm_cuda_stereo_match_cell {
    float people, parallax, residual, confidence;
    int tried;
};

struct vsm_cuda_stereo_match {
    struct vsm_match_grid grid;
    struct vsm_cuda_stereo_pyramid grey[2], alpha; /* the master's, the slave's; the master's */
    const struct vsm_parallax_cell *table;         /* of the grid's cells, on the device */
    double largest, pitch;
    float pixel;
    int both_ways;
    const unsigned char *only; /* a byte a cell, on the device; NULL: all are searched */
};

/* Searches all cells. `cells`: room for two of each cell, on the device; the first ones are the result. */
int vsm_cuda_stereo_match_run(const struct vsm_cuda_stereo_match *match,
                              struct vsm_cuda_stereo_match_cell *cells,
                              struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
