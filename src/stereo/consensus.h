/* Where both eyes see the same people: one matte for both.
 *
 * Neither eye is known to be wrong there, so they meet in the middle. |a - t| is convex in a: two eyes that
 * see the same point, whose true alpha is t, are together never more wrong at their mean than before,
 * whatever t is; at any other common value they can be. That holds as far as points are paired one to one, so
 * an eye gives way only where the other one differs to the other side there, its way is shortened where its
 * picture of a surface is the larger, and in the whole frame what one eye gains the other loses.
 *
 * Done only where the disparity of people is matched with confidence and leads there and back, where at least
 * one eye sees somebody for certain nearby, and where both pictures show the same colour. Borders that lie
 * within a pixel of each other are no difference (stereo/transfer.h). Shares are decided cell by cell of the
 * disparity map's grid and move slowly.
 */
#ifndef VSM_STEREO_CONSENSUS_H
#define VSM_STEREO_CONSENSUS_H

#include "base/bytes.h"
#include "base/parallel.h"
#include "base/status.h"
#include "pixel/consensus.h"
#include "stereo/disparity.h"

#include <stdint.h>

#define VSM_CONSENSUS_CELLS (VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS)

/* Of both eyes; plain and of fixed size. All zero = the first frame of a scene. */
struct vsm_consensus {
    float share[2][VSM_CONSENSUS_CELLS]; /* of the way to the common value, 0..1 */
    uint32_t frames;
};

/* Decides for both eyes; `mended[eye]`, a cell each, is what is taken from the other eye anyway
 * (stereo/mend.h): where one eye is wrong, the other does not follow it. Returns the largest share of a cell:
 * 0 = nothing to do. Cost: 0.1 ms. */
float vsm_consensus_judge(struct vsm_consensus *consensus, const struct vsm_disparity_map *const maps[2],
                          const float *const mended[2]);

/* What to add to each eye's alpha, into `steps`; `apart` is overwritten. The same result for any number of
 * threads. Its cost is in that of comparing and mending (bench_stereo). */
void vsm_consensus_find(const struct vsm_consensus *consensus, const struct vsm_consensus_eyes *eyes,
                        float *const apart[2], float *const steps[2], struct vsm_parallel *pool);

/* For checkpoints: every bit. VSM_E_INPUT if the bytes are cut off; it is unchanged then. */
void vsm_consensus_save(const struct vsm_consensus *consensus, struct vsm_bytes_out *out);
int vsm_consensus_load(struct vsm_consensus *consensus, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
