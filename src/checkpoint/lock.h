/* A lock file that one process holds, and that says who.
 *
 * The lock is the kernel's (an open file description lock of fcntl), not the file's existence: it goes
 * with the process, however that dies, so a lock file left behind by a dead process is taken over
 * without guessing. The file holds "PID HOST\n" for messages only. Works on network file systems that
 * support fcntl locks.
 * Fault points: lock.open, lock.take.
 */
#ifndef VSM_CHECKPOINT_LOCK_H
#define VSM_CHECKPOINT_LOCK_H

#include "base/status.h"

struct vsm_lock {
    int fd;
};

/* Takes the lock file `name` (mode 0600, never through a symbolic link) in the open folder. `subject` is what
 * is locked, for the message if another process holds it: VSM_E_OUTPUT naming that process. On failure
 * nothing is held. */
int vsm_lock_take(int folder, const char *name, const char *subject, struct vsm_lock *lock) VSM_NODISCARD;

/* The process that holds the lock file: its pid, 0 if nobody does, -1 if somebody does who cannot be named.
 * Takes no lock itself. */
long vsm_lock_holder(int folder, const char *name);

/* Releases the lock; the file stays, unless it was unlinked by the holder before. */
void vsm_lock_release(struct vsm_lock *lock);

#endif
