/* The recurrent states that a frame's comparison of the eyes wants repaired: of every view whose eye has just
 * recovered, from the same view of the other eye. Not thread-safe.
 */
#ifndef VSM_STAGES_STATE_REPAIRS_H
#define VSM_STAGES_STATE_REPAIRS_H

#include "frame/frame.h"
#include "models/rvm.h"
#include "stereo/stereo_repair.h"

#include <stdbool.h>

/* All zero: none. */
struct vsm_state_repairs {
    struct vsm_stereo_repair *of[VSM_MAX_VIEWS]; /* by the frame's views; owned; NULL: left alone */
};

void vsm_state_repairs_clear(struct vsm_state_repairs *repairs);
bool vsm_state_repairs_any(const struct vsm_state_repairs *repairs);

/* Room for one of a view, zeroed; NULL without memory. */
struct vsm_stereo_repair *vsm_state_repairs_add(struct vsm_state_repairs *repairs, int view);

/* Changes states in host memory, by view; views without a state are left alone. Cost: about that of copying
 * them, on one core. */
void vsm_state_repairs_apply(const struct vsm_state_repairs *repairs, struct vsm_rvm_state *states);

#endif
