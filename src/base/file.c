#include "base/file.h"

#include "base/fault.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int vsm_file_read_fd(int fd, const char *path, size_t limit, enum vsm_status status, void **data,
                     size_t *size)
{
    uint8_t *bytes;
    size_t used = 0;
    struct stat info;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return vsm_fail(status, "%s: not a regular file", path);
    if ((uint64_t)info.st_size > limit)
        return vsm_fail(status, "%s: %lld bytes, more than the %zu allowed here", path,
                        (long long)info.st_size, limit);
    bytes = vsm_mem_alloc_raw(path, (size_t)info.st_size + 1, 1);
    if (!bytes)
        return VSM_E_NOMEM;
    while (used < (size_t)info.st_size) {
        ssize_t n =
            VSM_FAULT_CALL("file.read", pread(fd, bytes + used, (size_t)info.st_size - used, (off_t)used));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int error = errno;

            vsm_mem_free(bytes);
            return vsm_fail(status, "%s: cannot be read: %s", path, strerror(error));
        }
        if (n == 0)
            break;
        used += (size_t)n;
    }
    bytes[used] = 0;
    *data = bytes;
    *size = used;
    return VSM_OK;
}

int vsm_file_read(const char *path, size_t limit, enum vsm_status status, void **data, size_t *size)
{
    int fd = VSM_FAULT_CALL("file.open", open(path, O_RDONLY | O_CLOEXEC));
    int result;

    if (fd < 0)
        return vsm_fail(status, "%s: cannot be opened: %s", path, strerror(errno));
    result = vsm_file_read_fd(fd, path, limit, status, data, size);
    close(fd);
    return result;
}

int vsm_file_write_all(int fd, const char *path, const void *data, size_t size)
{
    const uint8_t *from = data;

    while (size > 0) {
        ssize_t n = VSM_FAULT_CALL("file.write", write(fd, from, size));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vsm_fail(VSM_E_OUTPUT, "%s: cannot be written: %s; free space or choose another folder",
                            path, strerror(errno));
        from += n;
        size -= (size_t)n;
    }
    return VSM_OK;
}

int vsm_file_sync(int fd, const char *path)
{
    /* EINVAL: a file system, such as some network ones, that cannot sync folders and needs no
     * syncing of them. */
    if (VSM_FAULT_CALL("file.fsync", fsync(fd)) != 0 && errno != EINVAL)
        return vsm_fail(VSM_E_OUTPUT, "%s: cannot be made durable: %s", path, strerror(errno));
    return VSM_OK;
}

int vsm_file_sync_folder_of(const char *path)
{
    char *copy = vsm_mem_string("path", path);
    int fd, status;

    if (!copy)
        return VSM_E_NOMEM;
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        status = vsm_fail(VSM_E_OUTPUT, "%s: its folder cannot be opened: %s", path, strerror(errno));
    else
        status = vsm_file_sync(fd, path);
    if (fd >= 0)
        close(fd);
    vsm_mem_free(copy);
    return status;
}

int vsm_file_rename(const char *from, const char *to)
{
    if (VSM_FAULT_CALL("file.rename", rename(from, to)) != 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
    return VSM_OK;
}

int vsm_file_make_folders(const char *path, unsigned mode)
{
    char *part = vsm_mem_string("path", path);
    int status = part && *part ? VSM_OK : VSM_E_NOMEM;

    for (char *end = part; status == VSM_OK && end;) {
        end = strchr(end + 1, '/');
        if (end)
            *end = 0;
        if (mkdir(part, (mode_t)mode) < 0 && errno != EEXIST)
            status = vsm_fail(VSM_E_OUTPUT, "%s: cannot be made: %s", part, strerror(errno));
        if (end)
            *end = '/';
    }
    vsm_mem_free(part);
    return status;
}

int vsm_file_write_atomic(const char *path, const void *data, size_t size)
{
    char *temporary = vsm_mem_format("path", "%s.XXXXXX.tmp", path);
    mode_t mask;
    int fd, status;

    if (!temporary)
        return VSM_E_NOMEM;
    fd = VSM_FAULT_CALL("file.open", mkostemps(temporary, 4, O_CLOEXEC));
    if (fd < 0) {
        status = vsm_fail(VSM_E_OUTPUT, "%s: cannot be created: %s", path, strerror(errno));
        vsm_mem_free(temporary);
        return status;
    }
    mask = umask(0);
    umask(mask);
    status = vsm_file_write_all(fd, path, data, size);
    if (status == VSM_OK && fchmod(fd, 0666 & ~mask) != 0)
        status = vsm_fail(VSM_E_OUTPUT, "%s: cannot set its mode: %s", path, strerror(errno));
    if (status == VSM_OK)
        status = vsm_file_sync(fd, path);
    close(fd);
    if (status == VSM_OK)
        status = vsm_file_rename(temporary, path);
    if (status != VSM_OK)
        unlink(temporary);
    else
        status = vsm_file_sync_folder_of(path);
    vsm_mem_free(temporary);
    return status;
}
