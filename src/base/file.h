/* Files that are whole or absent: bounded reading, and writing through a temporary file, fsync and rename.
 *
 * Fault points: file.open, file.read, file.write, file.fsync, file.rename.
 */
#ifndef VSM_BASE_FILE_H
#define VSM_BASE_FILE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Reads a whole regular file of at most `limit` bytes. On success *data (NUL-terminated, size not
 * counting the NUL) belongs to the caller: vsm_mem_free(). `status` classifies failures: VSM_E_INPUT,
 * VSM_E_MODEL, VSM_E_USAGE ... */
int vsm_file_read(const char *path, size_t limit, enum vsm_status status, void **data,
                  size_t *size) VSM_NODISCARD;

/* As vsm_file_read() from the start of an open file; `path` is for messages. The file stays open. */
int vsm_file_read_fd(int fd, const char *path, size_t limit, enum vsm_status status, void **data,
                     size_t *size) VSM_NODISCARD;

/* Writes `size` bytes at `path` atomically and durably: into PATH.XXXXXX.tmp, which only its owner can read
 * until it is whole; then it gets mode 0666 & ~umask, is fsynced and renamed, and the folder is fsynced.
 * VSM_E_OUTPUT on failure; up to the rename an older file at `path` is as it was and no temporary file is
 * left. Reads the umask by setting it for a moment: no other thread may create files meanwhile. */
int vsm_file_write_atomic(const char *path, const void *data, size_t size) VSM_NODISCARD;

/* write(2) until all is written; EINTR and short writes are handled. `path` is for messages. */
int vsm_file_write_all(int fd, const char *path, const void *data, size_t size) VSM_NODISCARD;

/* fsync of a file and of a folder (so that a rename in it survives power loss). */
int vsm_file_sync(int fd, const char *path) VSM_NODISCARD;
int vsm_file_sync_folder_of(const char *path) VSM_NODISCARD;

/* Makes a folder and those it lies in, with `mode` & ~umask; no error if they are there. VSM_E_OUTPUT. */
int vsm_file_make_folders(const char *path, unsigned mode) VSM_NODISCARD;

/* rename(2), with both paths in the message. */
int vsm_file_rename(const char *from, const char *to) VSM_NODISCARD;

#endif
