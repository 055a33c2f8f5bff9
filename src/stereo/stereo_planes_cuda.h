/* The planes of two views on a CUDA device: the loops of the host's kind as kernels (cuda/stereo_move.h,
 * cuda/stereo_sums.h, cuda/stereo_mend.h, stereo/cell_match_cuda.h), in the order of one stream.
 *
 * Pictures and maps of begin lie on the device, maps as [cells, 8]: A of R, G, B, alpha, then b. All memory
 * is taken by create: on the device 40 bytes a grid pixel, 0.7 MB, and what matching takes (53 bytes and
 * 2.2 MB together, 58 MB for 1024x1024); on the host 0.6 MB that are page-locked. The host waits only where
 * numbers are given back: look, match, can_match, light, agree, measure and note.
 */
#ifndef VSM_STEREO_STEREO_PLANES_CUDA_H
#define VSM_STEREO_STEREO_PLANES_CUDA_H

#include "base/status.h"

struct vsm_stereo_planes;
struct vsm_stereo_planes_options;

/* Uses the options' disparities (for what they know of the cells; their memory is not lent) and stream.
 * VSM_E_NOMEM, VSM_E_DEVICE: nothing is left behind. */
int vsm_stereo_planes_cuda_create(const struct vsm_stereo_planes_options *options,
                                  struct vsm_stereo_planes *planes) VSM_NODISCARD;

#endif
