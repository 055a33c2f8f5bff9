/* What a person looks like: the colours of the torso, by which two who crossed are told from each other.
 *
 * Of the torso's upper and lower half a small histogram each of lightness and of two differences of colour
 * that do not change with exposure (red - green and blue - green, over the sum of all three: opponent
 * chromaticity, as in Gevers & Smeulders, "Color-based object recognition", 1999, section 2.2). Values fall
 * into the two nearest bins by their distance, so that a little more light changes little. Likeness is the
 * Bhattacharyya coefficient, mean over the histograms. Constants: measured on the scenes of doc/quality.md.
 */
#ifndef VSM_PEOPLE_LOOKS_H
#define VSM_PEOPLE_LOOKS_H

#include "base/bytes.h"
#include "frame/people.h"

#include <stdbool.h>

#define VSM_LOOKS_HISTOGRAMS 6 /* upper half: lightness, red, blue; lower half likewise */
#define VSM_LOOKS_BINS       16
#define VSM_LOOKS_MOST       32 /* boxes at once */

/* Plain: a copy continues exactly. All zero = not known. */
struct vsm_looks {
    float clear;                                       /* share of the torso that no other one hides, 0..1 */
    float share[VSM_LOOKS_HISTOGRAMS][VSM_LOOKS_BINS]; /* each histogram sums to 1 */
};

/* Of boxes[index] of at most VSM_LOOKS_MOST, in a picture as of image/preprocess.h. What other boxes' torsos
 * cover does not count; a torso of which less than a third is left, or of too few pixels, is not known. */
struct vsm_looks vsm_looks_at(const float *rgb, int width, int height, const struct vsm_person_box *boxes,
                              int count, int index);

/* 0..1; 1 = the same. Both must be known. */
float vsm_looks_likeness(const struct vsm_looks *a, const struct vsm_looks *b);

/* Learns a share 0..1 of what is seen now; all of it if nothing is known yet. What is not known teaches
 * nothing. */
void vsm_looks_learn(struct vsm_looks *looks, const struct vsm_looks *seen, float share);

/* For checkpoints: every bit. load: false if it cannot be one. */
void vsm_looks_save(const struct vsm_looks *looks, struct vsm_bytes_out *out);
bool vsm_looks_load(struct vsm_looks *looks, struct vsm_bytes_in *in);

#endif
