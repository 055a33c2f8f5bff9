/* The file a muxer writes to: positioned writes on our own descriptor, with a mode in which
 * nothing is written.
 *
 * While replaying (muxer.h), writes only move the position: the bytes are on disk already. The first
 * failure is kept and returned by every later call, because libavformat drops the errors of what it writes
 * from its buffers.
 *
 * Fault points: mux.open, mux.write, mux.fsync, mux.truncate.
 */
#ifndef VSM_MEDIA_OUTPUT_FILE_H
#define VSM_MEDIA_OUTPUT_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vsm_output_file {
    char *path; /* owned */
    int fd;
    int64_t position, size; /* size: end of what was written or passed over */
    bool suppressed;
    int status; /* the first failure */
    char message[512];
};

/* Creates a file with mode 0600 in place of one of that name, or opens an existing one to go on (`resume`);
 * never follows a symbolic link. VSM_E_OUTPUT, also if another job has the file open through here: it is
 * locked until it is closed. The descriptor is closed on exec. */
int vsm_output_file_open(const char *path, bool resume, struct vsm_output_file *file) VSM_NODISCARD;
/* Closes; the file stays. A zeroed struct is allowed. */
void vsm_output_file_close(struct vsm_output_file *file);

/* Writing at the position, behind which it then stands; moving the position; making all durable that was
 * written. VSM_E_OUTPUT says where and why, and again in every later call. */
int vsm_output_file_write(struct vsm_output_file *file, const void *data, size_t size) VSM_NODISCARD;
void vsm_output_file_seek(struct vsm_output_file *file, int64_t position);
int vsm_output_file_sync(struct vsm_output_file *file) VSM_NODISCARD;
/* VSM_E_INPUT if the file is shorter than `size`. */
int vsm_output_file_check_size(struct vsm_output_file *file, int64_t size) VSM_NODISCARD;
/* Cuts what is behind `size`. VSM_E_INPUT if the file is shorter than that. */
int vsm_output_file_truncate(struct vsm_output_file *file, int64_t size) VSM_NODISCARD;

/* CRC-32 of `size` bytes from `from`. VSM_E_INPUT if they are not there. Fault point: mux.read. */
int vsm_output_file_crc(struct vsm_output_file *file, int64_t from, size_t size, uint32_t *crc) VSM_NODISCARD;

/* Gives the file the mode that the user's umask allows, once it is complete. */
int vsm_output_file_publish_mode(struct vsm_output_file *file) VSM_NODISCARD;

/* The kept failure with its message, or VSM_OK. */
int vsm_output_file_status(const struct vsm_output_file *file) VSM_NODISCARD;

#endif
