/* A whole small job (pipeline, job folder, growing output) in a child process that is killed, stopped and
 * failed again and again. In the end its output must be what an undisturbed run writes, byte by byte.
 */
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "checkpoint/store.h"
#include "pipeline/runner.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES   20
#define INTERVAL 4
#define STAGES   3

static char root[64], output[96], part[112];
static struct vsm_runner *runner; /* for the signal handler */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

struct stage {
    int index;
    uint64_t hash;
    /* Of the sink only. */
    int fd;
    uint64_t written;
    struct vsm_store *store;
};

static int run(void *self, struct vsm_frame *frame)
{
    struct stage *s = self;

    if (s->index == 0 && frame->seq == FRAMES)
        return VSM_EOF;
    usleep(50);
    s->hash = mix(s->hash, s->index == 0 ? (uint64_t)frame->seq : (uint64_t)frame->pts);
    frame->pts = (int64_t)s->hash;
    if (s->index < STAGES - 1)
        return VSM_OK;
    s->written += sizeof(s->hash);
    return vsm_file_write_all(s->fd, part, &s->hash, sizeof(s->hash));
}

static void record_name(int index, char name[16])
{
    snprintf(name, 16, "stage%d.hash", index);
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    struct stage *s = self;
    struct vsm_checkpoint checkpoint = {.next_seq = after_seq + 1, .state = state};
    char name[16];
    int status;

    record_name(s->index, name);
    status = vsm_state_add(state, name, &s->hash, sizeof(s->hash));
    if (status != VSM_OK || s->index < STAGES - 1)
        return status;
    status = vsm_state_add(state, "sink.size", &s->written, sizeof(s->written));
    if (status == VSM_OK)
        status = vsm_file_sync(s->fd, part);
    return status == VSM_OK ? vsm_store_commit(s->store, &checkpoint) : status;
}

static int finish(void *self)
{
    struct stage *s = self;
    int status = vsm_file_sync(s->fd, part);

    if (status == VSM_OK)
        status = vsm_file_rename(part, output);
    return status == VSM_OK ? vsm_file_sync_folder_of(output) : status;
}

/* Brings stages and output to where the checkpoint was made; without one, to the start. */
static int restore(struct stage *stages, const struct vsm_state *state)
{
    struct stage *sink = &stages[STAGES - 1];
    char name[16];

    for (int i = 0; state && i < STAGES; i++) {
        record_name(i, name);
        memcpy(&stages[i].hash, vsm_state_find(state, name)->data, sizeof(stages[i].hash));
    }
    if (state)
        memcpy(&sink->written, vsm_state_find(state, "sink.size")->data, sizeof(sink->written));
    sink->fd = open(part, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (sink->fd < 0 || lseek(sink->fd, 0, SEEK_END) < (off_t)sink->written ||
        ftruncate(sink->fd, (off_t)sink->written) != 0)
        return vsm_fail(VSM_E_INTERNAL, "%s: shorter than its checkpoint says", part);
    return VSM_OK;
}

static void on_term(int signal_number)
{
    (void)signal_number;
    vsm_runner_request_stop(runner);
}

static int run_pipeline(struct stage *stages, int64_t first_seq, const sigset_t *unblocked)
{
    static const char *const names[STAGES] = {"in", "net", "out"};
    struct vsm_runner_options options = {.buffer_frames = 3,
                                         .buffer_bytes = 1 << 20,
                                         .first_seq = first_seq,
                                         .barrier_interval = INTERVAL};
    struct vsm_stage line[STAGES];
    int status;

    for (int i = 0; i < STAGES; i++)
        line[i] = (struct vsm_stage){.name = names[i],
                                     .self = &stages[i],
                                     .run = run,
                                     .barrier = barrier,
                                     .finish = i == STAGES - 1 ? finish : NULL};
    runner = vsm_runner_create(line, STAGES, &options);
    if (!runner)
        return VSM_E_NOMEM;
    signal(SIGTERM, on_term);
    sigprocmask(SIG_SETMASK, unblocked, NULL);
    status = vsm_runner_start(runner);
    if (status == VSM_OK)
        status = vsm_runner_wait(runner);
    signal(SIGTERM, SIG_IGN);
    vsm_runner_destroy(runner);
    return status;
}

/* The job as the program would do it; its exit code. */
static int job(const sigset_t *unblocked)
{
    struct stage stages[STAGES] = {{.index = 0}, {.index = 1}, {.index = 2, .fd = -1}};
    struct vsm_checkpoint checkpoint;
    struct vsm_store *store;
    int64_t first_seq;
    int status = vsm_store_open(output, &store);

    if (status != VSM_OK)
        return vsm_status_exit_code(status);
    if (access(output, F_OK) == 0)
        return vsm_status_exit_code(vsm_store_remove(store));
    stages[STAGES - 1].store = store;
    status = vsm_store_load(store, &checkpoint);
    if (status == VSM_OK || status == VSM_EOF) {
        first_seq = checkpoint.next_seq;
        status = restore(stages, checkpoint.state);
        vsm_checkpoint_clear(&checkpoint);
        if (status == VSM_OK)
            status = run_pipeline(stages, first_seq, unblocked);
        if (stages[STAGES - 1].fd >= 0)
            close(stages[STAGES - 1].fd);
    }
    if (status == VSM_OK)
        status = vsm_store_remove(store);
    else
        vsm_store_close(store);
    return vsm_status_exit_code(status);
}

static bool output_is_right(void)
{
    uint64_t hash[STAGES] = {0}, line[FRAMES + 1];
    int fd = open(output, O_RDONLY);
    ssize_t n = read(fd, line, sizeof(line));

    close(fd);
    if (n != FRAMES * (ssize_t)sizeof(line[0]))
        return false;
    for (uint64_t seq = 0; seq < FRAMES; seq++) {
        uint64_t value = seq;

        for (int i = 0; i < STAGES; i++)
            value = hash[i] = mix(hash[i], value);
        if (line[seq] != value)
            return false;
    }
    return true;
}

struct tally {
    int killed, stopped, failed;
};

/* One life of the process: `disturb` runs in the child before the job, a signal comes after delay_us. */
static int live(void (*disturb)(unsigned), unsigned argument, int signal_number, unsigned delay_us)
{
    sigset_t term, before;
    int ended;
    pid_t pid;

    fflush(stdout);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    pid = fork();
    if (pid == 0) {
        vsm_log_set_level(VSM_LOG_ERROR);
        if (disturb)
            disturb(argument);
        _exit(job(&before));
    }
    if (signal_number) {
        usleep(delay_us);
        kill(pid, signal_number);
    }
    waitpid(pid, &ended, 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return WIFSIGNALED(ended) ? -WTERMSIG(ended) : WEXITSTATUS(ended);
}

static void count(struct tally *tally, int ended)
{
    tally->killed += ended == -SIGKILL;
    tally->stopped += ended == VSM_EXIT_CANCELLED;
    tally->failed += ended == VSM_EXIT_OUTPUT || ended == VSM_EXIT_INTERNAL;
    CHECK(ended == -SIGKILL || ended == 0 || ended == VSM_EXIT_CANCELLED || ended == VSM_EXIT_OUTPUT ||
          ended == VSM_EXIT_INTERNAL);
}

static void begin(void)
{
    static int number;

    snprintf(output, sizeof(output), "%s/out%d", root, ++number);
    snprintf(part, sizeof(part), "%s.part", output);
}

static void check_done(void)
{
    char *folder = vsm_store_path(output, "");

    CHECK(output_is_right());
    CHECK(access(folder, F_OK) != 0 && access(part, F_OK) != 0);
    unlink(output);
    vsm_mem_free(folder);
}

static unsigned job_us; /* length of an undisturbed job */

static void test_undisturbed(void)
{
    uint64_t start = vsm_clock_ns();

    begin();
    CHECK_INT(live(NULL, 0, 0, 0), 0);
    job_us = (unsigned)((vsm_clock_ns() - start) / 1000) + 1;
    check_done();
}

/* Signals uniform in time over the job's length. */
static void test_killed_and_stopped_at_any_moment(void)
{
    struct tally tally = {0};
    unsigned seed = 3;

    for (int round = 0; tally.killed < 100 && round < 1000 && tap_failed_checks == 0; round++) {
        begin();
        for (int life = 0; access(output, F_OK) != 0 && life < 100; life++) {
            int ended =
                live(NULL, 0, rand_r(&seed) % 4 ? SIGKILL : SIGTERM, (unsigned)rand_r(&seed) % job_us);

            count(&tally, ended);
            CHECK(ended != VSM_EXIT_OUTPUT && ended != VSM_EXIT_INTERNAL);
        }
        CHECK_INT(live(NULL, 0, 0, 0), 0);
        check_done();
    }
    CHECK(tally.killed >= 100 && tally.stopped > 0);
    printf("# %d kills, %d stops\n", tally.killed, tally.stopped);
}

#ifdef VSM_FAULT_POINTS

static void arm_kill(unsigned n)
{
    vsm_fault_arm("*", n, -1, 0);
}

static void arm_full_disk(unsigned n)
{
    vsm_fault_arm("*", n, ENOSPC, n % 2);
}

static unsigned calls; /* to the outside, that an undisturbed job makes */

/* Each n-th call to the outside kills. */
static void test_killed_at_every_call(void)
{
    struct tally tally = {0};
    int ended = -1;

    for (unsigned n = 1; ended != 0; n++) {
        begin();
        ended = live(arm_kill, n, 0, 0);
        count(&tally, ended);
        count(&tally, live(arm_kill, 1 + n * 7 % 30, 0, 0));
        CHECK_INT(live(NULL, 0, 0, 0), 0);
        check_done();
        calls = n;
    }
    CHECK(tally.killed > 200);
    printf("# %d kills\n", tally.killed);
}

static void test_every_call_fails(void)
{
    struct tally tally = {0};

    for (unsigned n = 1; n <= calls; n++) {
        begin();
        count(&tally, live(arm_full_disk, n, 0, 0));
        CHECK_INT(live(NULL, 0, 0, 0), 0);
        check_done();
    }
    CHECK(tally.failed > 100);
    printf("# %d failures\n", tally.failed);
}

#else

static void test_killed_at_every_call(void)
{
    tap_skip("needs -Dfault_points=true");
}

static void test_every_call_fails(void)
{
    tap_skip("needs -Dfault_points=true");
}

#endif

int main(void)
{
    /* In memory if possible: every commit syncs. */
    snprintf(root, sizeof(root), "%s/vsm-recovery-%ld", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (long)getpid());
    if (mkdir(root, 0700) != 0)
        return 1;
    alarm(240);
    RUN(test_undisturbed);
    RUN(test_killed_and_stopped_at_any_moment);
    RUN(test_killed_at_every_call);
    RUN(test_every_call_fails);
    return rmdir(root) != 0 || tap_done();
}
