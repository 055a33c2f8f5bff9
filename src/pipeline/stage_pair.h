/* The last two stages as one, in one thread.
 *
 * What the first makes of a frame is used up before it makes another, and a frame counts as in flight only
 * until the first is through with it: that saves pictures where they are large. The price is that the two no
 * longer work side by side, which is small where each of them takes all processors.
 */
#ifndef VSM_PIPELINE_STAGE_PAIR_H
#define VSM_PIPELINE_STAGE_PAIR_H

#include "pipeline/runner.h"
#include "pipeline/stage.h"

#include <stdint.h>

struct vsm_stage_pair {
    struct vsm_stage first, second; /* `first` is no source, `second` a sink without rest() */
    uint64_t busy_ns, cpu_ns;       /* of the first, counted by the pair; begin as 0 */
    int64_t frames;
};

/* Under the name of the second; to the runner the first's work is the second's. `pair`
 * outlives the runner. */
struct vsm_stage vsm_stage_pair_describe(struct vsm_stage_pair *pair);

/* Tells apart what the runner counted for `both`, once the run has ended: parts[0] is the first's, parts[1]
 * the second's. The first waits for input, the second for nothing. */
void vsm_stage_pair_part(const struct vsm_stage_pair *pair, const struct vsm_stage_stats *both,
                         struct vsm_stage_stats parts[2]);

#endif
