/* Finds hard cuts: is this picture the first of a new scene?
 *
 * Each eye's network grid is reduced to a small luma picture and a colour histogram. Two measures against
 * the last picture with anything to see in it:
 * - change: the share of textured blocks that do not reappear under the best common shift. A block reappears
 *   when its normalised cross-correlation is high; that ignores brightness and contrast, so that flashes,
 *   fades and exposure do not count, and the shift takes up pans.
 * - histogram: distance of the colour histograms, brightness removed. It speaks against a cut when fast
 *   motion or blur makes blocks unrecognisable within one scene.
 * A cut is a change well above what the scene has shown lately together with a change of colours; the eyes'
 * measures are averaged. A picture without texture (black, a white-out) is never a cut and is not
 * remembered, so that the scene may come back after a flash, and a fade through black ends in a cut at the
 * new scene's first visible picture. Dissolves are not found: there is no first picture of the new scene.
 * Constants: measured on the footage of tests/scenario/scene_cut.c and on synthetic sequences.
 */
#ifndef VSM_IMAGE_SCENE_CUT_H
#define VSM_IMAGE_SCENE_CUT_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>

#define VSM_SCENE_SIDE   64 /* cells along the small picture's sides */
#define VSM_SCENE_BLOCKS 8  /* blocks along them */
#define VSM_SCENE_BINS   80 /* 16 of luma, 8x8 of chroma */
#define VSM_SCENE_EYES   2

/* All state, plain and of fixed size: a copy of it continues exactly. All zero = nothing seen yet. */
struct vsm_scene_cut {
    float luma[VSM_SCENE_EYES][VSM_SCENE_SIDE * VSM_SCENE_SIDE];
    float histogram[VSM_SCENE_EYES][VSM_SCENE_BINS];
    float usual;                       /* running mean of change within the scene, 0..1 */
    float last_change, last_histogram; /* the last picture's measures, 0..1, for reports */
    int pictures;                      /* remembered ones of this scene, at most 2^30 */
    int eyes;                          /* of the remembered picture */
};

/* Takes the next picture: `rgb[eye]` has three planes of width*height floats in 0..1
 * (image/preprocess.h); 1 or 2 eyes. True if it is the first of a new scene; false for the very first
 * picture. About 0.2 ms an eye. */
bool vsm_scene_cut_next(struct vsm_scene_cut *state, const float *const rgb[], int eyes, int width,
                        int height);

/* The exact state for a checkpoint: all fields in order, 32 bits each, little-endian. load: VSM_E_INPUT, the
 * state unchanged, if the bytes are too few or the counts impossible. */
void vsm_scene_cut_save(const struct vsm_scene_cut *state, struct vsm_bytes_out *out);
int vsm_scene_cut_load(struct vsm_scene_cut *state, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
