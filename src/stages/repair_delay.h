/* Brings what the comparison of a frame's eyes wants of the recurrent states
 * (stages/state_repairs.h) to a network that is some frames ahead by then: always the same number of
 * frames later, however fast either thread is.
 *
 * One thread posts every frame, in order, and another takes the decision that is due before each frame.
 * Nothing waits: the queues between the two hold so few frames that a decision is there when it is due. What
 * was decided before a scene began, or of other views than the network has by then, is dropped. Barrier
 * record "repairs", only where something is under way: decisions of the last frames that are not due yet. A
 * job on the CPU does not know it and drops them; there everything is repaired at once.
 */
#ifndef VSM_STAGES_REPAIR_DELAY_H
#define VSM_STAGES_REPAIR_DELAY_H

#include "base/status.h"
#include "checkpoint/state.h"
#include "stages/state_repairs.h"

#include <stdbool.h>
#include <stdint.h>

/* More than the frames that may have left the taker and not been posted. */
#define VSM_REPAIR_DELAY_FRAMES 9

struct vsm_repair_delay;

int vsm_repair_delay_create(struct vsm_repair_delay **delay) VSM_NODISCARD;
void vsm_repair_delay_destroy(struct vsm_repair_delay *delay);

/* Before the pipeline runs; next_seq: the next frame's. VSM_E_INPUT for a record that is damaged. */
int vsm_repair_delay_restore(struct vsm_repair_delay *delay, const struct vsm_state *state,
                             int64_t next_seq) VSM_NODISCARD;

/* What was decided about frame `seq`; moves it out of *repairs, which may hold none. */
void vsm_repair_delay_post(struct vsm_repair_delay *delay, int64_t seq, bool scene_cut,
                           struct vsm_state_repairs *repairs);

/* What is to be done before frame `seq` goes through the network; *repairs = NULL: nothing, else valid until
 * that frame is posted. For every frame, in order. VSM_E_INTERNAL if it is not known yet. */
int vsm_repair_delay_take(struct vsm_repair_delay *delay, int64_t seq, bool scene_cut,
                          const struct vsm_state_repairs **repairs) VSM_NODISCARD;

/* By the thread that posts, after its last frame. */
int vsm_repair_delay_save(struct vsm_repair_delay *delay, struct vsm_state *state) VSM_NODISCARD;

#endif
