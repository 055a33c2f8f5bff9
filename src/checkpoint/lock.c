#include "checkpoint/lock.h"

#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_SIZE 300 /* a pid and a host name of at most 253 characters */

static void read_text(int fd, char text[TEXT_SIZE])
{
    ssize_t n = pread(fd, text, TEXT_SIZE - 1, 0);

    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            *c = '?';
}

/* Whether the folder's entry is still the file that was locked: its last holder may have removed it. */
static bool is_current(int folder, const char *name, int fd)
{
    struct stat here, there;

    return fstat(fd, &here) == 0 && fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static int refuse(int fd, const char *subject)
{
    char text[TEXT_SIZE], *host;
    long pid;

    read_text(fd, text);
    pid = strtol(text, &host, 10);
    if (pid <= 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: another process is writing it; wait for that or stop it", subject);
    return vsm_fail(VSM_E_OUTPUT, "%s: process %ld%s%s is writing it; wait for that or stop it", subject, pid,
                    *host ? " on" : "", host);
}

/* Only for messages, so failures do not matter. */
static void write_text(int fd)
{
    char host[254] = "", text[TEXT_SIZE];
    int length;

    (void)gethostname(host, sizeof(host) - 1);
    length = snprintf(text, sizeof(text), "%ld %s\n", (long)getpid(), host);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
        return;
}

int vsm_lock_take(int folder, const char *name, const char *subject, struct vsm_lock *lock)
{
    for (;;) {
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = VSM_FAULT_CALL("lock.open",
                                openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
        int status = VSM_OK;

        if (fd < 0)
            return vsm_fail(VSM_E_OUTPUT, "%s: its lock file cannot be opened: %s", subject, strerror(errno));
        if (VSM_FAULT_CALL("lock.take", fcntl(fd, F_OFD_SETLK, &whole)) != 0)
            status = errno == EAGAIN || errno == EACCES
                         ? refuse(fd, subject)
                         : vsm_fail(VSM_E_OUTPUT, "%s: cannot be locked: %s", subject, strerror(errno));
        if (status == VSM_OK && is_current(folder, name, fd)) {
            write_text(fd);
            lock->fd = fd;
            return VSM_OK;
        }
        close(fd);
        if (status != VSM_OK)
            return status;
    }
}

long vsm_lock_holder(int folder, const char *name)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char text[TEXT_SIZE];
    long pid = 0;

    if (fd < 0)
        return 0;
    if (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK) {
        read_text(fd, text);
        pid = strtol(text, NULL, 10);
        pid = pid > 0 ? pid : -1;
    }
    close(fd);
    return pid;
}

void vsm_lock_release(struct vsm_lock *lock)
{
    close(lock->fd);
    lock->fd = -1;
}
