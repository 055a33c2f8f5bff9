#include "app/monitor.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS     250   /* refresh of a terminal's progress line */
#define PLAIN_MS    10000 /* between plain lines */
#define OBSERVE_MS  1000
#define WINDOW      40 /* ticks over which the speed is averaged: 10 s */
#define WAKE_SIGNAL SIGUSR2

struct vsm_monitor {
    struct vsm_runner *runner;
    struct vsm_monitor_options options;
    enum vsm_config_progress style;
    FILE *file; /* JSON lines; stderr or owned */
    pthread_t thread;
    atomic_bool stop;
    int signals;
    int64_t stop_frame; /* where a clean end was asked for; 0 = nowhere */
    uint64_t start_ns;
    struct {
        uint64_t ns;
        int64_t done;
    } window[WINDOW];
    size_t ticks;
};

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, WAKE_SIGNAL);
}

void vsm_monitor_block_signals(void)
{
    sigset_t set;

    signal_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is then an error like a full disk */
}

/* Bytes of this process in memory now; 0 if unknown. */
static size_t resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file)
        return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

size_t vsm_monitor_peak_rss(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}

static struct vsm_progress measure(struct vsm_monitor *m)
{
    struct vsm_stage_stats stats[VSM_MAX_STAGES];
    int count = vsm_runner_stats(m->runner, stats), limit = vsm_runner_bottleneck(stats, count);
    uint64_t now = vsm_clock_ns(), since = m->start_ns, oldest_ns = m->start_ns;
    int64_t done = atomic_load(m->options.written), oldest_done = 0;
    struct vsm_progress p = {.frames = m->options.frames, .done = m->options.resumed + done, .eta_s = -1};

    if (m->ticks >= WINDOW) {
        oldest_ns = m->window[m->ticks % WINDOW].ns;
        oldest_done = m->window[m->ticks % WINDOW].done;
    }
    m->window[m->ticks % WINDOW].ns = now;
    m->window[m->ticks % WINDOW].done = done;
    m->ticks++;
    if (now > oldest_ns)
        p.fps = (double)(done - oldest_done) * 1e9 / (double)(now - oldest_ns);
    if (p.frames >= 0 && p.fps > 0)
        p.eta_s = (int64_t)((double)(p.frames - p.done) / p.fps + 0.5);
    p.limit = stats[limit].name;
    if (now > since)
        p.limit_percent = (int)(100 * stats[limit].busy_ns / (now - since));
    p.rss_bytes = resident_bytes();
    p.agreement = m->options.stereo ? vsm_stereo_manager_mean(m->options.stereo) : -1;
    return p;
}

static void format_line(const struct vsm_monitor *m, const struct vsm_progress *p, char *line, size_t size)
{
    char total[48] = "?", eta[32] = "?", eyes[24] = "";

    if (p->frames >= 0)
        snprintf(total, sizeof(total), "%lld", (long long)p->frames);
    if (m->stop_frame > 0)
        snprintf(total, sizeof(total), "%lld (then stop)", (long long)m->stop_frame);
    if (p->eta_s >= 0)
        snprintf(eta, sizeof(eta), "%lld:%02lld:%02lld", (long long)p->eta_s / 3600,
                 (long long)p->eta_s / 60 % 60, (long long)p->eta_s % 60);
    if (p->agreement >= 0)
        snprintf(eyes, sizeof(eyes), "  eyes %.4f", p->agreement / 1e6);
    snprintf(line, size, "frame %lld/%s  %.2f fps  ETA %s  limit %s %d%%  RSS %zu MB%s", (long long)p->done,
             total, p->fps, eta, p->limit, p->limit_percent, p->rss_bytes >> 20, eyes);
}

static void print_json(FILE *file, const struct vsm_progress *p)
{
    fprintf(
        file,
        "{\"frame\":%lld,\"frames\":%lld,\"fps\":%.3f,\"eta_s\":%lld,\"limit\":\"%s\",\"limit_percent\":%d,"
        "\"rss_bytes\":%zu",
        (long long)p->done, (long long)p->frames, p->fps, (long long)p->eta_s, p->limit, p->limit_percent,
        p->rss_bytes);
    if (p->agreement >= 0)
        fprintf(file, ",\"eyes_agree\":%.6f", p->agreement / 1e6);
    fprintf(file, "}\n");
    fflush(file);
}

static void tick(struct vsm_monitor *m)
{
    struct vsm_progress p = measure(m);
    char line[256];

    format_line(m, &p, line, sizeof(line));
    if (m->style == VSM_CONFIG_PROGRESS_AUTO)
        vsm_log_progress(line);
    else if (m->style == VSM_CONFIG_PROGRESS_PLAIN && m->ticks % (PLAIN_MS / TICK_MS) == 0)
        vsm_log(VSM_LOG_INFO, "progress", "%s", line);
    else if (m->style == VSM_CONFIG_PROGRESS_JSON && m->ticks % (OBSERVE_MS / TICK_MS) == 0)
        print_json(m->file, &p);
    if (m->options.observe && m->ticks % (OBSERVE_MS / TICK_MS) == 0)
        m->options.observe(m->options.opaque, &p);
}

/* ", about 2 min 5 s", or nothing if the speed is not known. */
static void format_wait(int64_t frames, double fps, char *text, size_t size)
{
    int64_t seconds = fps > 0 ? (int64_t)((double)frames / fps + 0.5) : 0;

    text[0] = 0;
    if (fps > 0 && seconds >= 60)
        snprintf(text, size, ", about %lld min %lld s", (long long)seconds / 60, (long long)seconds % 60);
    else if (fps > 0)
        snprintf(text, size, ", about %lld s", (long long)seconds);
}

static void announce_stop(struct vsm_monitor *m)
{
    struct vsm_progress p = measure(m);
    int64_t interval = m->options.interval, made = p.done % interval, left;
    char wait[48];

    m->stop_frame = p.done - made + interval;
    if (p.frames >= 0 && m->stop_frame > p.frames)
        m->stop_frame = p.frames;
    left = m->stop_frame - p.done;
    format_wait(left, p.fps, wait, sizeof(wait));
    vsm_log(VSM_LOG_WARN, "stop",
            "going on to the %s at frame %lld (%lld to make%s); Ctrl-C again stops now, and the %lld frames "
            "since the last checkpoint are made again later",
            m->stop_frame == p.frames ? "end" : "checkpoint", (long long)m->stop_frame, (long long)left, wait,
            (long long)made);
}

static void on_signal(struct vsm_monitor *m)
{
    bool nothing_made = m->options.interval > 0 && atomic_load(m->options.written) == 0;

    if (m->signals++ > 1)
        _exit(VSM_EXIT_CANCELLED);
    if (m->signals > 1 || nothing_made) {
        vsm_log(VSM_LOG_WARN, "stop", "stopping now; once more leaves without clean-up");
        m->signals = 2;
        vsm_runner_abort(m->runner);
        return;
    }
    if (m->options.interval > 0)
        announce_stop(m);
    else
        vsm_log(VSM_LOG_WARN, "stop", "finishing the frames begun; Ctrl-C again stops now");
    vsm_runner_request_stop(m->runner);
}

static void *watch(void *opaque)
{
    const struct timespec period = {.tv_nsec = TICK_MS * 1000000L};
    struct vsm_monitor *m = opaque;
    sigset_t set;

    signal_set(&set);
    while (!atomic_load(&m->stop)) {
        int number = sigtimedwait(&set, NULL, &period);

        if (number == SIGINT || number == SIGTERM)
            on_signal(m);
        else if (number < 0 && errno == EAGAIN)
            tick(m);
    }
    return NULL;
}

int vsm_monitor_start(struct vsm_runner *runner, const struct vsm_monitor_options *options,
                      struct vsm_monitor **monitor)
{
    struct vsm_monitor *m = vsm_mem_alloc("monitor", 1, sizeof(*m));

    if (!m)
        return VSM_E_NOMEM;
    m->runner = runner;
    m->options = *options;
    m->style = options->style;
    if (m->style == VSM_CONFIG_PROGRESS_AUTO && !isatty(STDERR_FILENO))
        m->style = VSM_CONFIG_PROGRESS_PLAIN;
    m->file = stderr;
    if (m->style == VSM_CONFIG_PROGRESS_JSON && options->file) {
        m->file = (errno = vsm_fault_hit("progress.open")) ? NULL : fopen(options->file, "we");
        if (!m->file) {
            int status =
                vsm_fail(VSM_E_OUTPUT, "%s: progress cannot be written: %s", options->file, strerror(errno));

            vsm_mem_free(m);
            return status;
        }
    }
    m->start_ns = vsm_clock_ns();
    if (pthread_create(&m->thread, NULL, watch, m) != 0) {
        if (m->file != stderr)
            fclose(m->file);
        vsm_mem_free(m);
        return vsm_fail(VSM_E_INTERNAL, "monitor: no thread could be started");
    }
    pthread_setname_np(m->thread, "vsm-monitor");
    *monitor = m;
    return VSM_OK;
}

void vsm_monitor_stop(struct vsm_monitor *monitor)
{
    if (!monitor)
        return;
    atomic_store(&monitor->stop, true);
    pthread_kill(monitor->thread, WAKE_SIGNAL);
    pthread_join(monitor->thread, NULL);
    vsm_log_progress(NULL);
    if (monitor->file != stderr)
        fclose(monitor->file);
    vsm_mem_free(monitor);
}
