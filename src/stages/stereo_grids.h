/* The pairs of views in which the eyes are compared: one comparison a pair (stereo/stereo_pair.h).
 *
 * A frame's views may be other ones than the last frame's: turned after people, another number, another grid.
 * The pairs are then made anew, and what they knew goes over (stereo/stereo_past.h).
 */
#ifndef VSM_STAGES_STEREO_GRIDS_H
#define VSM_STAGES_STEREO_GRIDS_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/frame.h"
#include "stereo/stereo_pair.h"

#include <stdbool.h>
#include <stddef.h>

#define VSM_STEREO_GRIDS_PAIRS (VSM_MAX_VIEWS / 2)

struct vsm_stereo_grids_pair {
    struct vsm_view views[2]; /* by enum vsm_eye */
    struct vsm_stereo_pair *stereo;
    struct vsm_stereo_pair_result result; /* of the last frame */
};

/* All zero but for the options of every pair = no pairs yet. */
struct vsm_stereo_grids {
    struct vsm_stereo_pair_options options; /* but for the views */
    struct vsm_stereo_grids_pair pairs[VSM_STEREO_GRIDS_PAIRS];
    int pair_count;
    struct vsm_stereo_past *pasts; /* of the last pairs, while there are none because making others failed */
    int past_count;
};

/* Whether these views can be compared: pairs of eyes that look in the same direction, left first, with equal
 * grids within the limits of stereo/disparity.h. */
bool vsm_stereo_grids_fit(const struct vsm_view *views, int view_count);

/* Makes the pairs for these views, which must fit; *changed tells if they are other ones than before. After
 * an error there may be none, but what they knew goes over to the next. Cost where they change: 13 ms a
 * pair of fisheyes on one core, else 2. */
int vsm_stereo_grids_set(struct vsm_stereo_grids *grids, const struct vsm_view *views, int view_count,
                         bool *changed) VSM_NODISCARD;
void vsm_stereo_grids_clear(struct vsm_stereo_grids *grids);

/* For checkpoints: the views and all state of the pairs. load makes the pairs: rectangles and lenses as in
 * `eyes`, by enum vsm_eye. VSM_E_INPUT if the bytes are no such state. */
void vsm_stereo_grids_save(const struct vsm_stereo_grids *grids, struct vsm_bytes_out *out);
int vsm_stereo_grids_load(struct vsm_stereo_grids *grids, const struct vsm_view eyes[2],
                          struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
