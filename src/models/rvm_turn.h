/* Recurrent states carried from old views of an eye into a new one.
 *
 * RVM's states are pictures of features at 1/2 to 1/16 of the grid. When a view turns or is replaced, each
 * cell of the new states takes what the old views knew of the direction that it looks in, bilinearly;
 * where none looked, zeros: the start of a sequence. Of two old views the one counts in which the
 * direction lies farther from the edge.
 */
#ifndef VSM_MODELS_RVM_TURN_H
#define VSM_MODELS_RVM_TURN_H

#include "geometry/view_map.h"
#include "models/rvm.h"

/* Fills to[i] for the grid of views[i], all on grids of one size, from `count` states of the same eye (0 or
 * all-NULL ones: they begin anew). Grids may differ from the old ones'. to[i] may be among the old states;
 * tensors that nobody else has are filled again. VSM_E_NOMEM leaves to[] without states. Cost: 8 ms for
 * 512x512, in scratch memory. */
int vsm_rvm_state_turn(const struct vsm_rvm_state *const from[], const struct vsm_view_map *from_views,
                       int count, const struct vsm_view_map views[], int view_count,
                       struct vsm_rvm_state *const to[]) VSM_NODISCARD;

#endif
