/* Counterpart on the device of what comparing the eyes adds up: of cells, of rectangles, of whole pictures.
 *
 * Sums of a cell have the host's order and bits, by the same code (pixel/cell.h); those in double, of a whole
 * picture, come as VSM_CUDA_STEREO_SUMS_PARTS parts, to be added by the host. Queues the work; memory is the
 * device's, or, for results, page-locked, and stays the caller's; grids are the host's. VSM_E_DEVICE.
 */
#ifndef VSM_CUDA_STEREO_SUMS_H
#define VSM_CUDA_STEREO_SUMS_H

#include "cuda/device.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vsm_consistency_sums;
struct vsm_disparity_map;
struct vsm_match_grid;
struct vsm_mend_grid;
struct vsm_mend_sums;

#define VSM_CUDA_STEREO_SUMS_PARTS 256

/* Floats that a look has of one eye: small picture, points, and the differences of each line that counts
 * (pixel/eye_health.h). */
size_t vsm_cuda_stereo_sums_look_floats(int height);

/* looks: both eyes', one behind the other. rgb: R, G, B planes by eye. */
int vsm_cuda_stereo_sums_look(const float *const rgb[2], int width, int height, float *looks,
                              struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* Parts of vsm_alignment_light(): [parts][2][3], by master and slave. */
int vsm_cuda_stereo_sums_light(const struct vsm_disparity_map *map, const float *master, const float *slave,
                               const struct vsm_mend_grid *grid, double *light,
                               struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* Parts of vsm_consistency_sum(). */
int vsm_cuda_stereo_sums_agree(const float *settled, const float *own, const struct vsm_mend_grid *grid,
                               struct vsm_consistency_sums *sums,
                               struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* vsm_mend_measure() of both eyes: [2][columns * rows]. */
int vsm_cuda_stereo_sums_measure(const float *const own[2], const float *const settled[2],
                                 const struct vsm_mend_grid *grid, struct vsm_mend_sums *cells,
                                 struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* vsm_mend_means() of both eyes: [2][columns * rows]. */
int vsm_cuda_stereo_sums_means(const float *const alpha[2], const struct vsm_mend_grid *grid, float *means,
                               struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* need, a byte a cell: 1 where the people of `own` are not reached by `moved` (vsm_cell_needs()). */
int vsm_cuda_stereo_sums_need(const float *own, const float *moved, const struct vsm_mend_grid *grid,
                              uint8_t *need, struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* seen, a byte a cell: 1 where there are people to be matched (vsm_pixel_match_seen()). */
int vsm_cuda_stereo_sums_seen(const float *alpha, const struct vsm_match_grid *grid, uint8_t *seen,
                              struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
