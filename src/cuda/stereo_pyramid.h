/* Grey pictures and alpha at all levels that cells are matched on: stereo/stereo_pyramid.h without its
 * margins, bit for bit. One pass over the finest level makes the others.
 */
#ifndef VSM_CUDA_STEREO_PYRAMID_H
#define VSM_CUDA_STEREO_PYRAMID_H

#include "cuda/device.h"
#include "pixel/match.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Planes on the device; level l is width >> l by height >> l pixels of the grid's. */
struct vsm_cuda_stereo_pyramid {
    float *level[VSM_MATCH_LEVELS];
};

/* All levels of grey, of R, G, B planes on the device. */
int vsm_cuda_stereo_pyramid_grey(const struct vsm_match_grid *grid, const float *rgb,
                                 const struct vsm_cuda_stereo_pyramid *to,
                                 struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* Levels 1 and up of alpha, of its level 0. */
int vsm_cuda_stereo_pyramid_alpha(const struct vsm_match_grid *grid,
                                  const struct vsm_cuda_stereo_pyramid *alpha,
                                  struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
