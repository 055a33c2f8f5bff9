/* Counterpart on the device of what brings both eyes to a common alpha and makes maps of it: the loops over
 * pixels of stereo/consensus.h, stereo/mend.h and stereo/stereo_maps.h, with their arithmetic (src/pixel/).
 *
 * The same bits but for what follows from sums over a whole eye, in double, which are added in another order.
 * They stay on the device. Queues the work; all memory is the device's and stays the caller's. VSM_E_DEVICE.
 */
#ifndef VSM_CUDA_STEREO_MEND_H
#define VSM_CUDA_STEREO_MEND_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vsm_disparity_map;

/* Both eyes, by enum vsm_eye; planes of width * height, at least 2x2. */
struct vsm_cuda_stereo_mend {
    int width, height, side, columns, rows;  /* as of struct vsm_disparity_map, both maps' */
    const float *rgb[2];                     /* R, G, B planes in 0..1 */
    const struct vsm_disparity_map *maps[2]; /* measured from each eye, as the host has them */
    const float *moved[2], *settled[2];      /* the other eye's alpha (stereo/transfer.h) */
    const float *common[2], *taken[2];       /* shares of cells: of struct vsm_consensus, struct vsm_mend */
    float gain[2][3];                        /* as of struct vsm_consensus_eyes */
    float *alpha[2];                         /* the eye's own, becomes what it is mended to */
    float *target[2], *weight[2];            /* as of struct vsm_mend_planes; overwritten */
    float *fit[2];                           /* [height, width, 8]: A of R, G, B, alpha, then b */
    void *working;                           /* vsm_cuda_stereo_mend_bytes() */
};

/* Less than 1 % of a plane. */
size_t vsm_cuda_stereo_mend_bytes(int width, int height);

/* vsm_consensus_find(), and vsm_mend_blend() for both eyes: alpha, target and weight. */
int vsm_cuda_stereo_mend_blend(const struct vsm_cuda_stereo_mend *mend,
                               struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* vsm_stereo_maps_replace() for both eyes, behind blend: fit and, where they give another, alpha. */
int vsm_cuda_stereo_mend_replace(const struct vsm_cuda_stereo_mend *mend,
                                 struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
