/* Two neighbouring stages as one, in one thread.
 *
 * What the first makes of a frame is then used up before it makes another, which saves a picture where pictures are large;
 * the price is that the two no longer work side by side, which is small where each of them takes all processors.
 */
#ifndef VSM_PIPELINE_STAGE_PAIR_H
#define VSM_PIPELINE_STAGE_PAIR_H

#include "pipeline/stage.h"

struct vsm_stage_pair {
    struct vsm_stage first, second; /* `first` neither source nor sink */
};

/* Under the name of the second; the first's work counts as its. `pair` outlives the runner. */
struct vsm_stage vsm_stage_pair_describe(struct vsm_stage_pair *pair);

#endif
