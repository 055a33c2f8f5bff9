/* The status file of a job folder: what `status OUT` shows about a running or stopped job.
 *
 * Lines "KEY VALUE\n" of decimal integers, in the order of the fields below; replaced whole by rename,
 * without fsync: it may be lost with the power, never torn. Nothing depends on it for resuming.
 */
#ifndef VSM_CHECKPOINT_STATUS_FILE_H
#define VSM_CHECKPOINT_STATUS_FILE_H

#include "base/status.h"

#include <stdint.h>

struct vsm_status_file {
    int64_t total_frames;      /* 0 = unknown */
    int64_t done_frames;       /* of the whole job, in the output or on the way there */
    int64_t checkpoint_frames; /* done at the last checkpoint; 0 = none yet */
    int64_t milli_fps;         /* frames in 1,000 seconds, lately */
    int64_t pid;
    int64_t started; /* of this run, seconds since 1970 */
    int64_t updated; /* likewise */
};

/* Replaces the file at `path`. VSM_E_OUTPUT; the job need not end for that. Call about once a second. */
int vsm_status_file_write(const char *path, const struct vsm_status_file *status) VSM_NODISCARD;

/* VSM_EOF if there is no file; VSM_E_OUTPUT if it is not one of ours. */
int vsm_status_file_read(const char *path, struct vsm_status_file *status) VSM_NODISCARD;

#endif
