#include "checkpoint/status_file.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SIZE 1024

static const struct {
    const char *key;
    size_t offset;
} fields[] = {
    {"total_frames", offsetof(struct vsm_status_file, total_frames)},
    {"done_frames", offsetof(struct vsm_status_file, done_frames)},
    {"checkpoint_frames", offsetof(struct vsm_status_file, checkpoint_frames)},
    {"milli_fps", offsetof(struct vsm_status_file, milli_fps)},
    {"pid", offsetof(struct vsm_status_file, pid)},
    {"started", offsetof(struct vsm_status_file, started)},
    {"updated", offsetof(struct vsm_status_file, updated)},
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static int replace(const char *path, const char *temporary, const char *text, size_t length)
{
    int fd, status;

    (void)unlink(temporary);
    fd = VSM_FAULT_CALL("file.open",
                        open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd < 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: cannot be created: %s", temporary, strerror(errno));
    status = vsm_file_write_all(fd, temporary, text, length);
    close(fd);
    if (status == VSM_OK)
        status = vsm_file_rename(temporary, path);
    if (status != VSM_OK)
        (void)unlink(temporary);
    return status;
}

int vsm_status_file_write(const char *path, const struct vsm_status_file *status)
{
    char *temporary = vsm_mem_format("status file", "%s.tmp", path);
    char text[MAX_SIZE];
    size_t length = 0;
    int result;

    if (!temporary)
        return VSM_E_NOMEM;
    for (size_t i = 0; i < FIELDS; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s %" PRId64 "\n", fields[i].key,
                                   *(const int64_t *)((const char *)status + fields[i].offset));
    result = replace(path, temporary, text, length);
    vsm_mem_free(temporary);
    return result;
}

/* The value in "KEY VALUE\n" at *at, which moves behind it. */
static int parse_line(const char *path, const char *key, const char **at, int64_t *value)
{
    size_t length = strlen(key);
    char *end;

    if (strncmp(*at, key, length) == 0 && (*at)[length] == ' ') {
        errno = 0;
        *value = strtoll(*at + length + 1, &end, 10);
        if (errno == 0 && end > *at + length + 1 && *end == '\n' && *value >= 0) {
            *at = end + 1;
            return VSM_OK;
        }
    }
    return vsm_fail(VSM_E_OUTPUT, "%s: not a status file: no valid %s", path, key);
}

int vsm_status_file_read(const char *path, struct vsm_status_file *status)
{
    int fd = VSM_FAULT_CALL("file.open", open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    void *data;
    const char *at;
    size_t size;
    int result;

    *status = (struct vsm_status_file){0};
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? VSM_EOF
                   : vsm_fail(VSM_E_OUTPUT, "%s: cannot be opened: %s", path, strerror(errno));
    result = vsm_file_read_fd(fd, path, MAX_SIZE, VSM_E_OUTPUT, &data, &size);
    close(fd);
    if (result != VSM_OK)
        return result;
    at = data;
    for (size_t i = 0; result == VSM_OK && i < FIELDS; i++)
        result = parse_line(path, fields[i].key, &at, (int64_t *)((char *)status + fields[i].offset));
    if (result != VSM_OK)
        *status = (struct vsm_status_file){0};
    vsm_mem_free(data);
    return result;
}
