/* The recurrent states that a frame's comparison of the eyes wants repaired: of every view whose eye has just
 * recovered, from the same view of the other eye. Not thread-safe.
 */
#ifndef VSM_STAGES_STATE_REPAIRS_H
#define VSM_STAGES_STATE_REPAIRS_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/frame.h"
#include "models/rvm.h"
#include "stereo/stereo_repair.h"

#include <stdbool.h>

#define VSM_STATE_REPAIRS_VALUES 8

/* All zero: none. */
struct vsm_state_repairs {
    int view_count;
    double views[VSM_MAX_VIEWS]
                [VSM_STATE_REPAIRS_VALUES];      /* of that frame: what tells views of an eye apart */
    struct vsm_stereo_repair *of[VSM_MAX_VIEWS]; /* owned; NULL: this view is left alone */
};

void vsm_state_repairs_clear(struct vsm_state_repairs *repairs);
bool vsm_state_repairs_any(const struct vsm_state_repairs *repairs);

/* Room for one of a view of this frame, zeroed; NULL without memory. */
struct vsm_stereo_repair *vsm_state_repairs_add(struct vsm_state_repairs *repairs,
                                                const struct vsm_frame *frame, int view);

/* Whether these are the same views, on the same grids. */
bool vsm_state_repairs_fit(const struct vsm_state_repairs *repairs, const struct vsm_view *views,
                           int view_count);

/* Changes states in host memory, by view; views without a state are left alone. Cost: about that of copying
 * them, on one core. */
void vsm_state_repairs_apply(const struct vsm_state_repairs *repairs, struct vsm_rvm_state *states);

/* For checkpoints, bit by bit. load: into none; VSM_E_INPUT if the bytes are no such thing, VSM_E_NOMEM. */
void vsm_state_repairs_save(const struct vsm_state_repairs *repairs, struct vsm_bytes_out *out);
int vsm_state_repairs_load(struct vsm_state_repairs *repairs, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
