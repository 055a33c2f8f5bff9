/* Counterpart on the device of stereo/transfer.h: alpha of one eye as the other should see it.
 *
 * The same bits as the host's, by the same arithmetic (pixel/transfer.h). Queues the work; all memory is the
 * device's and stays the caller's. VSM_E_DEVICE.
 */
#ifndef VSM_CUDA_STEREO_MOVE_H
#define VSM_CUDA_STEREO_MOVE_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vsm_disparity_map;
struct vsm_mend_grid;
struct vsm_transfer_landing;

/* Planes of the grid's width * height. */
struct vsm_cuda_stereo_move {
    const struct vsm_disparity_map *map;   /* measured from the giver */
    struct vsm_transfer_landing *landings; /* as many as cells; overwritten */
    const float *from, *there;             /* alpha of the giver, and the taker's own */
    float *moved, *settled;
};

/* vsm_transfer_alpha() and vsm_transfer_settle(). `grid` lies on the host. */
int vsm_cuda_stereo_move_run(const struct vsm_cuda_stereo_move *move, const struct vsm_mend_grid *grid,
                             struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
