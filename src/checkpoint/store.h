/* The job folder: where an unfinished job keeps what it needs to go on.
 *
 * OUT.vsmjob/ lies next to the output OUT, mode 0700, and belongs to one process at a time:
 *   lock      held while the job runs (checkpoint/lock.h)
 *   ckpt-N    checkpoint of generation N = 1, 2 ... (checkpoint/checkpoint.h); the two newest are kept
 *   ckpt.tmp  a checkpoint being written; meaningless after a crash
 *   status    progress for `status OUT` (checkpoint/status_file.h); may be missing or old
 * and whatever files the owner of the job puts there (vsm_store_path). The folder exists exactly as long as
 * the job is unfinished; the output's owner gives the output its final name first and removes the folder
 * then, so that a crash between the two leaves a complete output beside a folder.
 *
 * Commit: write ckpt.tmp (O_EXCL, 0600), fsync, rename to ckpt-N, fsync the folder, remove older generations.
 * At any moment the folder thus holds a valid checkpoint of at least the generation before, whatever fails or
 * dies. Files in the folder are never opened through symbolic links, and a folder of another user is refused.
 *
 * Fault points, each before its step: ckpt.mkdir, ckpt.open; ckpt.create, ckpt.write, ckpt.fsync,
 * ckpt.rename, ckpt.fsync_folder, ckpt.prune; ckpt.remove for each file of a finished job; and ckpt.done
 * after a commit. Not thread-safe: one thread at a time.
 */
#ifndef VSM_CHECKPOINT_STORE_H
#define VSM_CHECKPOINT_STORE_H

#include "base/status.h"
#include "checkpoint/checkpoint.h"

struct vsm_store;

/* Makes the folder of output `output` if there is none, and takes its lock. VSM_E_OUTPUT, e.g. when another
 * process holds it. What a dead process left half-written is removed. */
int vsm_store_open(const char *output, struct vsm_store **store) VSM_NODISCARD;

/* Releases the lock and frees the store. The folder stays, unless nothing is in it that could be resumed:
 * neither a checkpoint nor a file of the job's owner. NULL is allowed. */
void vsm_store_close(struct vsm_store *store);

/* The newest valid checkpoint. A damaged one is reported in the log and the one before is used. VSM_EOF if
 * there is none; VSM_E_OUTPUT if there are but none is readable; then *checkpoint is zeroed. Release it with
 * vsm_checkpoint_clear(). */
int vsm_store_load(struct vsm_store *store, struct vsm_checkpoint *checkpoint) VSM_NODISCARD;

/* Makes the checkpoint durable as the newest; sets its generation. Only after vsm_store_load() gave VSM_OK or
 * VSM_EOF, or after vsm_store_discard(); else VSM_E_INTERNAL. On failure (VSM_E_OUTPUT, VSM_E_INTERNAL,
 * VSM_E_NOMEM) the checkpoint before remains the newest, or this one is visible but not yet durable. */
int vsm_store_commit(struct vsm_store *store, struct vsm_checkpoint *checkpoint) VSM_NODISCARD;

/* Forgets all checkpoints durably, to start over; files of the job's owner stay. Before the output is
 * touched: until this returns, a crash resumes the old job. */
int vsm_store_discard(struct vsm_store *store) VSM_NODISCARD;

/* The job is finished: removes the folder with every file in it and closes the store, in any case. A failure
 * (VSM_E_OUTPUT) leaves a folder that can be removed by hand. NULL is allowed. */
int vsm_store_remove(struct vsm_store *store) VSM_NODISCARD;

/* Path of file `name` in the folder of `output` ("" = the folder itself); caller frees with vsm_mem_free();
 * NULL on failure. Without a store, since status only reads. */
char *vsm_store_path(const char *output, const char *name) VSM_NODISCARD;

/* The process that works on the output: its pid, 0 if nobody does, -1 if unknown. Takes no lock,
 * makes no folder. */
long vsm_store_holder(const char *output);

#endif
