/* The views that stages/matte_stage.h looks through, and the recurrent states that go with them.
 *
 * They are the stage's own, or with a director those that it chooses frame by frame; then the states are
 * turned into the new views, and those that views replace stay as `old` while they fade. Grids change under
 * both, and states are resampled. Used by one thread. VSM_E_NOMEM from everything that makes states.
 */
#ifndef VSM_STAGES_MATTE_VIEWS_H
#define VSM_STAGES_MATTE_VIEWS_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/frame.h"
#include "frame/view.h"
#include "models/rvm.h"
#include "stages/scaling.h"
#include "stages/view_director.h"

/* Views that are run together; all have the same grid. */
struct vsm_matte_view_set {
    int count;
    struct vsm_view views[VSM_MAX_VIEWS];
    struct vsm_rvm_state states[VSM_MAX_VIEWS]; /* owned */
};

struct vsm_matte_views {
    struct vsm_matte_view_set now, old; /* old ones are run while a director fades them out; count 0: none */
    struct vsm_view_director *director; /* borrowed; NULL: all views are direct, always the same ones */
    const struct vsm_view_choice *choice; /* of this frame; NULL without a director */
};

/* Releases the states of a set, or of all; views stay. */
void vsm_matte_views_reset(struct vsm_matte_view_set *set);
void vsm_matte_views_finish(struct vsm_matte_views *views);

/* Those for this frame. On failure the views are of no use any more. Cost: turning a state, where views
 * change. */
int vsm_matte_views_choose(struct vsm_matte_views *views, const struct vsm_frame *frame) VSM_NODISCARD;

/* Those that the director has chosen anew for the same frame, with fresh states. */
int vsm_matte_views_again(struct vsm_matte_views *views) VSM_NODISCARD;

/* Brings views to this grid, turned ones to that of sides[k] x sides[k] for k + 1 turned views an eye. States
 * are left as they are until vsm_matte_views_resample(). */
int vsm_matte_views_resize(struct vsm_matte_views *views, struct vsm_scaling_grid grid,
                           const int sides[VSM_VIEW_PLACE_MAX]) VSM_NODISCARD;
int vsm_matte_views_resample(struct vsm_matte_views *views) VSM_NODISCARD;

/* Makes `to` hold the states that `from` has now, and counts as many; tensors are shared, not copied. */
void vsm_matte_views_share(struct vsm_matte_view_set *to, const struct vsm_matte_view_set *from);

/* Takes director and views from the barrier record "matte"; needs a director. The states come after. */
int vsm_matte_views_load(struct vsm_matte_views *views, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
