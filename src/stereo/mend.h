/* Where the eyes' mattes disagree: which eye is right, and the other's matte made anew from it.
 *
 * Decided cell by cell of the disparity map's grid, so that each eye may be right about something. An eye is
 * wrong where its picture is known to be bad, and where it lost somebody at a stroke and the other did not.
 * Otherwise neither is known to be: measured against the truth, they are wrong equally often, the surer one
 * as well, and both go to a common value (stereo/consensus.h). A cell's share, how much is taken from the
 * other eye, moves slowly, unless the eye's own matte has just dropped: then what is seen stays as it was.
 */
#ifndef VSM_STEREO_MEND_H
#define VSM_STEREO_MEND_H

#include "base/bytes.h"
#include "base/parallel.h"
#include "base/status.h"
#include "pixel/mend.h"
#include "stereo/disparity.h"

#include <stdbool.h>
#include <stdint.h>

#define VSM_MEND_CELLS (VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS)

/* Of both eyes; plain and of fixed size. All zero = the first frame of a scene. */
struct vsm_mend {
    float before[2][VSM_MEND_CELLS]; /* mean alpha of the last frame, as it was given out */
    float share[2][VSM_MEND_CELLS];  /* taken from the other eye, 0..1 */
    uint32_t frames;
};

/* What tells which eye is right, beside the cells. */
struct vsm_mend_signs {
    float doubt; /* > 0: this eye's picture is bad, < 0: the other's, 0: neither or both */
    float least; /* agreement (soft intersection over union) below which a place is mended, 0..1 */
};

struct vsm_mend_eye {
    const float *own; /* this eye's alpha on the grid, 0..1 */
    const float *moved,
        *settled; /* the other eye's, moved here, and settled (stereo/transfer.h); negative: not known */
};

/* What an eye's matte becomes. On entry `weight` is what brings both eyes to a common value
 * (stereo/consensus.h), to be added to the alpha. */
struct vsm_mend_planes {
    float *alpha, *target, *weight;
};

/* Sums of an eye's cells. The same result for any number of threads. Cost: 1 ms on a grid of 512 on one
 * core. */
void vsm_mend_measure(const struct vsm_mend_grid *grid, const float *own, const float *settled,
                      struct vsm_mend_sums cells[VSM_MEND_CELLS], struct vsm_parallel *pool);

/* Decides for eye 0 or 1 by its cells; its mend->share is the answer. Returns the mean share over what people
 * the eyes show there, 0..1. */
float vsm_mend_judge(struct vsm_mend *mend, int eye, const struct vsm_mend_grid *grid,
                     const struct vsm_mend_signs *signs, const struct vsm_mend_sums cells[VSM_MEND_CELLS]);

/* Lets go of whatever is taken from the other eye, at once. */
void vsm_mend_release(struct vsm_mend *mend, int eye);

/* Makes one alpha of what the eye has and what the other one shows: first to their common value, then to the
 * other eye's by the share; where that is large the eye's own borders do not count any more. `alpha` may be
 * `own`. alpha = own + weight * (target - own), with target between the planes of `signs` (own where the
 * other eye is not known) and weight in 0..1, 0 where nothing changes. The same result for any number of
 * threads. Cost: 2 ms on a grid of 512. */
void vsm_mend_blend(const struct vsm_mend *mend, int eye, const struct vsm_mend_grid *grid,
                    const struct vsm_mend_eye *signs, const struct vsm_mend_planes *planes,
                    struct vsm_parallel *pool);

/* Mean alpha of cells. The same result for any number of threads. */
void vsm_mend_means(const struct vsm_mend_grid *grid, const float *alpha, float means[VSM_MEND_CELLS],
                    struct vsm_parallel *pool);

/* Ends the frame with the means of what was given out for both eyes. */
void vsm_mend_note(struct vsm_mend *mend, const struct vsm_mend_grid *grid, float means[2][VSM_MEND_CELLS]);

/* For checkpoints: every bit. VSM_E_INPUT if the bytes are cut off; it is unchanged then. */
void vsm_mend_save(const struct vsm_mend *mend, struct vsm_bytes_out *out);
int vsm_mend_load(struct vsm_mend *mend, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
