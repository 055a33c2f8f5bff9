/* Where both eyes see the same people: one matte for both.
 *
 * Neither eye is known to be wrong there, so each goes to a common value. Of two values a and b that is the one whose
 * odds are the geometric mean of theirs, v / (1 - v) = sqrt(ab / ((1 - a)(1 - b))) (logarithmic opinion pool; Genest and
 * Zidek, "Combining Probability Distributions", 1986): the surer eye has more say, equal values stay as they are. At their
 * mean two eyes would together be as wrong as before, at worst; the surer eye is right more often (doc/quality.md).
 *
 * Done only where the disparity of people is matched with confidence, leads there and back, and is not that of a border
 * between people at different distances, and where at least one eye sees somebody for certain nearby. Decided cell by
 * cell of the disparity map's grid; a cell's share moves slowly.
 */
#ifndef VSM_STEREO_CONSENSUS_H
#define VSM_STEREO_CONSENSUS_H

#include "base/bytes.h"
#include "base/status.h"
#include "stereo/disparity.h"

#include <stdint.h>

#define VSM_CONSENSUS_CELLS (VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS)

/* Of both eyes; plain and of fixed size. All zero = the first frame of a scene. */
struct vsm_consensus {
    float share[2][VSM_CONSENSUS_CELLS]; /* of the way to the common value, 0..1 */
    uint32_t frames;
};

/* Decides for both eyes; `mended[eye]`, a cell each, is what is taken from the other eye anyway (stereo/mend.h): where
 * one eye is wrong, the other does not follow it. Returns the largest share of a cell: 0 = nothing to do. Cost: 0.1 ms. */
float vsm_consensus_judge(struct vsm_consensus *consensus, const struct vsm_disparity_map *const maps[2],
                          const float *const mended[2]);

/* The common value of two alphas, 0..1. */
float vsm_consensus_of(float a, float b);

/* For checkpoints: every bit. VSM_E_INPUT if the bytes are cut off; it is unchanged then. */
void vsm_consensus_save(const struct vsm_consensus *consensus, struct vsm_bytes_out *out);
int vsm_consensus_load(struct vsm_consensus *consensus, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
