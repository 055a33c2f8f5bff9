/* The last two stages as one, in one thread.
 *
 * What the first makes of a frame is used up before it makes another, and a frame counts as in flight only until the
 * first is through with it: that saves pictures where they are large. The price is that the two no longer work side by
 * side, which is small where each of them takes all processors.
 */
#ifndef VSM_PIPELINE_STAGE_PAIR_H
#define VSM_PIPELINE_STAGE_PAIR_H

#include "pipeline/stage.h"

struct vsm_stage_pair {
    struct vsm_stage first, second; /* `first` is no source, `second` a sink without rest() */
};

/* Under the name of the second; the first's work counts as its. `pair` outlives the runner. */
struct vsm_stage vsm_stage_pair_describe(struct vsm_stage_pair *pair);

#endif
