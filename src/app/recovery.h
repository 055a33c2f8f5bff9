/* Checkpoints of a job: whether there is one to go on from, committing new ones, and the end.
 *
 * Joins the job folder (checkpoint/store.h), the identity of input, settings and models, and the command
 * line's wish. With recovery.enable_checkpoints off, everything here does nothing.
 *
 * Another version of the program, FFmpeg or ONNX Runtime than the job's last checkpoint was made with may
 * round or encode otherwise: that is said in a warning, and the job goes on. A night's work is not thrown
 * away because a library was updated.
 */
#ifndef VSM_APP_RECOVERY_H
#define VSM_APP_RECOVERY_H

#include "app/monitor.h"
#include "app/plan.h"
#include "base/hash.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "config/cli.h"

#include <stdbool.h>
#include <stdint.h>

struct vsm_recovery;

/* Takes the job folder and looks for a checkpoint. VSM_E_OUTPUT if another process works on the
 * output, VSM_E_USAGE, VSM_E_INPUT or VSM_E_MODEL if --resume finds nothing or the checkpoint there
 * is another job's. */
int vsm_recovery_open(const struct vsm_plan *plan, enum vsm_cli_resume wish, struct vsm_sha256 models,
                      struct vsm_recovery **recovery) VSM_NODISCARD;

/* The checkpoint to go on from, borrowed; NULL: begin anew. */
const struct vsm_checkpoint *vsm_recovery_checkpoint(const struct vsm_recovery *recovery);

/* Whether an earlier run has made exactly this job's outputs already. */
bool vsm_recovery_finished(const struct vsm_recovery *recovery);

/* The job's name by content: input, settings and models; zeros without checkpoints. */
struct vsm_sha256 vsm_recovery_job_hash(const struct vsm_recovery *recovery);

/* Frames that the newest checkpoint saves by now, so that unfinished outputs are worth keeping; 0 = none. */
int64_t vsm_recovery_saved_frames(const struct vsm_recovery *recovery);

/* For the write stage: makes `state` after frame `after_seq` durable, with the record "versions" added: the
 * program's and its libraries', as text. */
int vsm_recovery_commit(void *recovery, int64_t after_seq, struct vsm_state *state);

/* For the monitor: writes the status file. */
void vsm_recovery_observe(void *recovery, const struct vsm_progress *progress);

/* Ends it: `complete` removes the job folder, else it stays if it can be resumed. NULL is allowed. */
int vsm_recovery_close(struct vsm_recovery *recovery, bool complete) VSM_NODISCARD;

#endif
