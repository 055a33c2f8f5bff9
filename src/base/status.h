/* Status codes, the error message of the current thread, and process exit codes.
 *
 * Every fallible function returns an int: VSM_OK (0) or a negative enum vsm_status. The message is made once,
 * by vsm_fail(), where the fault is detected, and names the object, what is wrong with the values, and what
 * to do. It lives in thread-local storage; the runner moves the first one across threads. errno, AVERROR and
 * OrtStatus never leave the folder that knows them.
 */
#ifndef VSM_BASE_STATUS_H
#define VSM_BASE_STATUS_H

#define VSM_NODISCARD    __attribute__((warn_unused_result))
#define VSM_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum vsm_status {
    VSM_OK = 0,
    VSM_EOF = -1,         /* regular end of data; no message, not an error */
    VSM_E_CANCELLED = -2, /* the user asked to stop; not an error, the job can go on later */
    VSM_E_USAGE = -3,     /* command line or configuration */
    VSM_E_INPUT = -4,     /* input missing, unreadable, damaged or not supported */
    VSM_E_OUTPUT = -5,    /* output not writable, disk full, encoder refused */
    VSM_E_MODEL = -6,     /* model file missing, altered or not understood */
    VSM_E_DEVICE = -7,    /* execution provider or device failed */
    VSM_E_NOMEM = -8,     /* allocation failed */
    VSM_E_INTERNAL = -9,  /* a broken invariant of this program */
};

/* Process exit codes, part of the command-line interface. */
enum vsm_exit {
    VSM_EXIT_OK = 0,
    VSM_EXIT_USAGE = 1,
    VSM_EXIT_INPUT = 2,
    VSM_EXIT_OUTPUT = 3,
    VSM_EXIT_MODEL = 4,     /* model or device */
    VSM_EXIT_CANCELLED = 5, /* stopped on request, can be resumed */
    VSM_EXIT_INTERNAL = 70, /* internal error or out of memory */
};

/* Sets this thread's message (at most 1,023 bytes, cut beyond) and returns status, so that callers can write
 * `return vsm_fail(VSM_E_INPUT, "%s: ...", path);`. status must be negative. Any thread. */
int vsm_fail(enum vsm_status status, const char *format, ...) VSM_PRINTF(2, 3);

/* vsm_fail(VSM_E_NOMEM) for `bytes` bytes wanted for `what`. */
int vsm_fail_nomem(const char *what, unsigned long long bytes);

/* This thread's last message, "" if there was none. Owned by the thread, valid until its next vsm_fail(). */
const char *vsm_error_message(void);

/* Replaces this thread's message; used to carry the first error from a stage's thread to the caller's. */
void vsm_error_set_message(const char *message);

/* The exit code that a status maps to. */
enum vsm_exit vsm_status_exit_code(int status);

#endif
