#include "media/output_file.h"

#include "base/fault.h"
#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Keeps the message that vsm_fail() has just set. */
static int keep(struct vsm_output_file *file, int status)
{
    file->status = status;
    snprintf(file->message, sizeof(file->message), "%s", vsm_error_message());
    return status;
}

/* Whether another process (or another job of this one) has the file open here. A lock goes with its
 * holder. */
static bool is_taken(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_OFD_SETLK, &whole) != 0 && (errno == EAGAIN || errno == EACCES);
}

/* Removes what an earlier run left, unless somebody writes it. */
static int make_room(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool taken = fd >= 0 && is_taken(fd);

    if (fd >= 0)
        close(fd);
    if (taken)
        return vsm_fail(VSM_E_OUTPUT, "%s: another process is writing it; wait for that or stop it", path);
    unlink(path); /* what is in the way shows in open() */
    return VSM_OK;
}

int vsm_output_file_open(const char *path, bool resume, struct vsm_output_file *file)
{
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (resume ? 0 : O_CREAT | O_EXCL);
    struct stat info;

    *file = (struct vsm_output_file){.fd = -1, .path = vsm_mem_string("path", path)};
    if (!file->path)
        return VSM_E_NOMEM;
    if (!resume && make_room(path) != VSM_OK)
        return VSM_E_OUTPUT;
    file->fd = VSM_FAULT_CALL("mux.open", open(path, flags, 0600));
    if (file->fd < 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: cannot be %s: %s", path, resume ? "opened to go on" : "created",
                        errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    if (fstat(file->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return vsm_fail(VSM_E_OUTPUT, "%s: not a regular file; choose another output", path);
    if (is_taken(file->fd))
        return vsm_fail(VSM_E_OUTPUT, "%s: another process is writing it; wait for that or stop it", path);
    return VSM_OK;
}

void vsm_output_file_close(struct vsm_output_file *file)
{
    if (file->path && file->fd >= 0)
        close(file->fd);
    vsm_mem_free(file->path);
    file->path = NULL;
    file->fd = -1;
}

int vsm_output_file_status(const struct vsm_output_file *file)
{
    if (file->status != VSM_OK)
        vsm_error_set_message(file->message);
    return file->status;
}

int vsm_output_file_write(struct vsm_output_file *file, const void *data, size_t size)
{
    const uint8_t *from = data;

    if (file->status != VSM_OK)
        return vsm_output_file_status(file);
    while (size > 0) {
        ssize_t n = (ssize_t)size;

        if (!file->suppressed)
            n = VSM_FAULT_CALL("mux.write", pwrite(file->fd, from, size, (off_t)file->position));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return keep(
                file,
                vsm_fail(VSM_E_OUTPUT,
                         "%s: cannot be written behind byte %lld: %s; make room or choose another folder, "
                         "then resume",
                         file->path, (long long)file->position, n < 0 ? strerror(errno) : "no progress"));
        from += n;
        size -= (size_t)n;
        file->position += n;
        if (file->position > file->size)
            file->size = file->position;
    }
    return VSM_OK;
}

void vsm_output_file_seek(struct vsm_output_file *file, int64_t position)
{
    file->position = position;
}

int vsm_output_file_sync(struct vsm_output_file *file)
{
    if (file->status != VSM_OK)
        return vsm_output_file_status(file);
    if (VSM_FAULT_CALL("mux.fsync", fsync(file->fd)) != 0)
        return keep(file,
                    vsm_fail(VSM_E_OUTPUT, "%s: cannot be made durable: %s", file->path, strerror(errno)));
    return VSM_OK;
}

int vsm_output_file_check_size(struct vsm_output_file *file, int64_t size)
{
    struct stat info;

    if (fstat(file->fd, &info) != 0)
        return keep(file, vsm_fail(VSM_E_OUTPUT, "%s: %s", file->path, strerror(errno)));
    if (info.st_size < size)
        return vsm_fail(VSM_E_INPUT,
                        "%s: has %lld bytes, but %lld were written before; it was cut, start anew",
                        file->path, (long long)info.st_size, (long long)size);
    return VSM_OK;
}

int vsm_output_file_truncate(struct vsm_output_file *file, int64_t size)
{
    int status = vsm_output_file_check_size(file, size);

    if (status != VSM_OK)
        return status;
    if (VSM_FAULT_CALL("mux.truncate", ftruncate(file->fd, (off_t)size)) != 0)
        return keep(file, vsm_fail(VSM_E_OUTPUT, "%s: cannot be cut to %lld bytes: %s", file->path,
                                   (long long)size, strerror(errno)));
    file->size = size;
    return VSM_OK;
}

int vsm_output_file_crc(struct vsm_output_file *file, int64_t from, size_t size, uint32_t *crc)
{
    uint8_t buffer[4096];

    *crc = 0;
    while (size > 0) {
        size_t want = size < sizeof(buffer) ? size : sizeof(buffer);
        ssize_t n = VSM_FAULT_CALL("mux.read", pread(file->fd, buffer, want, (off_t)from));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return vsm_fail(n < 0 ? VSM_E_OUTPUT : VSM_E_INPUT, "%s: cannot be read at byte %lld: %s",
                            file->path, (long long)from, n < 0 ? strerror(errno) : "it is too short");
        *crc = vsm_hash_crc32(*crc, buffer, (size_t)n);
        from += n;
        size -= (size_t)n;
    }
    return VSM_OK;
}

int vsm_output_file_publish_mode(struct vsm_output_file *file)
{
    mode_t mask = umask(0);

    umask(mask);
    if (fchmod(file->fd, 0666 & ~mask) != 0)
        return keep(file, vsm_fail(VSM_E_OUTPUT, "%s: cannot set its mode: %s", file->path, strerror(errno)));
    return VSM_OK;
}
