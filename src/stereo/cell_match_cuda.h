/* stereo/cell_match.h on a CUDA device: the same numbers, bit for bit, of pictures that lie there.
 *
 * Holds the device's copies of both directions' tables of parallax, grey pictures of both eyes at all levels,
 * alpha at all but the finest, and the small results: 12 bytes a grid pixel and 1.4 MB. Both directions of a
 * frame, waiting included, take 0.32 to 0.37 ms on a grid of 768 and 0.36 to 0.45 ms on one of 1024 (H100,
 * bench_gpu_stereo). Used by one thread at a time, of which the stream is.
 */
#ifndef VSM_STEREO_CELL_MATCH_CUDA_H
#define VSM_STEREO_CELL_MATCH_CUDA_H

#include "base/status.h"
#include "cuda/device.h"
#include "stereo/disparity.h"
#include "stereo/parallax.h"

#include <stdbool.h>
#include <stdint.h>

struct vsm_cell_match_cuda;

/* For grids and cells of parallax[eye], measured from that eye; both are of the same size, and copied. The
 * stream is borrowed, and waited for. VSM_E_NOMEM, VSM_E_DEVICE: nothing is left behind. */
int vsm_cell_match_cuda_create(const struct vsm_parallax *const parallax[2], struct vsm_cuda_stream *stream,
                               struct vsm_cell_match_cuda **matcher) VSM_NODISCARD;
/* NULL is allowed. Waits for nothing: behind a run that succeeded the stream has no work of the matcher's. */
void vsm_cell_match_cuda_destroy(struct vsm_cell_match_cuda *matcher);

/* A frame's planes on the device, by enum vsm_eye: R, G, B in 0..1, and alpha in 0..1. */
struct vsm_cell_match_cuda_frame {
    const float *rgb[2], *alpha[2];
};

/* Matches the cells of `eye` with the other one. Of the search, pitch and both_ways count. only: a byte a
 * cell on the device, 0: not to be matched; NULL: all. kept: the last run was of the same pictures, whatever
 * the eye and the alpha. Fills the map's size, people, parallax, residual, confidence, tried and matched; all
 * else is zero. Waits for the stream once: asleep for what was given to it before, awake for its own work. */
int vsm_cell_match_cuda_run(struct vsm_cell_match_cuda *matcher,
                            const struct vsm_cell_match_cuda_frame *frame, int eye,
                            const struct vsm_disparity_search *search, const uint8_t *only, bool kept,
                            struct vsm_disparity_map *map) VSM_NODISCARD;

#endif
