/* How many frames may be anywhere in a pipeline at once: the source takes a permit for each, the sink gives
 * it back.
 *
 * Queues bound what waits between two stages; permits bound the sum, work in the stages included, which is
 * what large pictures cost. No time-outs and no polling: a wait ends by a permit or by opening. Thread-safe.
 */
#ifndef VSM_PIPELINE_PERMITS_H
#define VSM_PIPELINE_PERMITS_H

#include "base/status.h"

#include <stdint.h>

struct vsm_permits;

/* count >= 1. NULL on failure (message set). */
struct vsm_permits *vsm_permits_create(int count) VSM_NODISCARD;
/* Nobody may wait any more. NULL is allowed. */
void vsm_permits_destroy(struct vsm_permits *permits);

/* Blocks until there is a permit and takes it; at once after vsm_permits_open(). Adds the time blocked to
 * *waited_ns. */
void vsm_permits_take(struct vsm_permits *permits, uint64_t *waited_ns);
void vsm_permits_give(struct vsm_permits *permits);

/* The pipeline ends, and frames will be dropped without giving back: nobody waits from here on. */
void vsm_permits_open(struct vsm_permits *permits);

#endif
