/* Watches a running job: shows its progress and turns signals into requests to stop.
 *
 * One thread. It sleeps in sigtimedwait(), so a signal acts at once and nothing runs in a signal handler. The
 * first SIGINT or SIGTERM asks the runner for a clean end, and the log says how far that is; it aborts if
 * this run has made nothing yet. The second aborts, the third leaves the process without clean-up (what is
 * durable by then is what counts in any case).
 */
#ifndef VSM_APP_MONITOR_H
#define VSM_APP_MONITOR_H

#include "base/status.h"
#include "config/config.h"
#include "pipeline/runner.h"
#include "stages/stereo_manager.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct vsm_monitor;

struct vsm_progress {
    int64_t frames;    /* of the job; -1 = unknown */
    int64_t done;      /* including those before a resume */
    double fps;        /* over the last 10 s, or since the start if that is shorter */
    int64_t eta_s;     /* -1 = unknown */
    const char *limit; /* name of the stage that limits */
    int limit_percent; /* its busy share */
    size_t rss_bytes;
    int agreement; /* of the eyes' mattes, mean so far in millionths; -1 = not compared */
};

struct vsm_monitor_options {
    enum vsm_config_progress style;
    const char *file;                        /* for the JSON style; NULL = stderr */
    int64_t frames;                          /* of the job; -1 = unknown */
    int64_t resumed;                         /* frames that an earlier run had made */
    atomic_llong *written;                   /* frames made in this run */
    const struct vsm_stereo_manager *stereo; /* NULL: eyes are not compared */
    int64_t interval; /* between checkpoints, at one of which a clean end comes; 0 = without checkpoints */
    /* Called about once a second from the monitor's thread. NULL = nobody. */
    void (*observe)(void *opaque, const struct vsm_progress *progress);
    void *opaque;
};

/* Blocks SIGINT and SIGTERM in the calling thread and all that it starts later, and ignores SIGPIPE and
 * SIGXFSZ: writing then fails with a message. Call before any thread exists. */
void vsm_monitor_block_signals(void);

/* Starts watching. VSM_E_OUTPUT if the progress file cannot be written. */
int vsm_monitor_start(struct vsm_runner *runner, const struct vsm_monitor_options *options,
                      struct vsm_monitor **monitor) VSM_NODISCARD;

/* Stops watching and erases the progress line. NULL is allowed. */
void vsm_monitor_stop(struct vsm_monitor *monitor);

/* Highest resident set size of this process so far, in bytes; 0 if unknown. */
size_t vsm_monitor_peak_rss(void);

#endif
