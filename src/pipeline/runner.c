#include "pipeline/runner.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "pipeline/permits.h"
#include "pipeline/queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define RELAXED memory_order_relaxed

struct worker {
    struct vsm_runner *runner;
    struct vsm_stage stage;
    struct vsm_queue *in;  /* NULL: source; borrowed */
    struct vsm_queue *out; /* NULL: sink; borrowed */
    pthread_t thread;
    /* Written by the worker's thread, read by anybody. */
    _Atomic uint64_t busy_ns, cpu_ns, wait_in_ns, wait_out_ns;
    _Atomic int64_t frames;
};

struct vsm_runner {
    struct vsm_runner_options options;
    int count;
    struct worker workers[VSM_MAX_STAGES];
    struct vsm_queue *queues[VSM_MAX_STAGES - 1];
    struct vsm_permits *permits; /* NULL: as many frames as the queues hold */
    atomic_bool stop_requested;
    atomic_bool stopped; /* source or sink ended the stream on request; set before a queue is closed */

    pthread_mutex_t lock;
    bool decided;       /* a failure or an abort came; outcome and message are set */
    bool sink_finished; /* the sink got the end of the stream and was content */
    int outcome;
    char message[1024];
};

/* Names and functions of the stages are checked once, here, and trusted afterwards. */
static int check_options(const struct vsm_stage *stages, int count, const struct vsm_runner_options *options)
{
    if (count < 2 || count > VSM_MAX_STAGES)
        return vsm_fail(VSM_E_INTERNAL, "pipeline: %d stages, must be 2 to %d", count, VSM_MAX_STAGES);
    if (options->first_seq < 0 || options->barrier_interval < 0)
        return vsm_fail(VSM_E_INTERNAL,
                        "pipeline: first frame %lld and barrier interval %lld, must not be negative",
                        (long long)options->first_seq, (long long)options->barrier_interval);
    for (int i = 0; i < count; i++)
        if (!stages[i].name || !stages[i].run)
            return vsm_fail(VSM_E_INTERNAL, "pipeline: stage %d has no name or no run function", i);
    return VSM_OK;
}

struct vsm_runner *vsm_runner_create(const struct vsm_stage *stages, int count,
                                     const struct vsm_runner_options *options)
{
    struct vsm_runner *runner;

    if (check_options(stages, count, options) != VSM_OK)
        return NULL;
    runner = vsm_mem_alloc("pipeline", 1, sizeof(*runner));
    if (!runner)
        return NULL;
    pthread_mutex_init(&runner->lock, NULL);
    runner->options = *options;
    runner->count = count;
    if (options->most_frames > 0) {
        runner->permits = vsm_permits_create(options->most_frames);
        if (!runner->permits) {
            vsm_runner_destroy(runner);
            return NULL;
        }
    }
    for (int i = 0; i < count - 1; i++) {
        const int most = stages[i].most_waiting, all = options->buffer_frames;

        runner->queues[i] = vsm_queue_create(most > 0 && most < all ? most : all, options->buffer_bytes);
        if (!runner->queues[i]) {
            vsm_runner_destroy(runner);
            return NULL;
        }
    }
    for (int i = 0; i < count; i++) {
        runner->workers[i].runner = runner;
        runner->workers[i].stage = stages[i];
        runner->workers[i].in = i > 0 ? runner->queues[i - 1] : NULL;
        runner->workers[i].out = i < count - 1 ? runner->queues[i] : NULL;
    }
    return runner;
}

void vsm_runner_destroy(struct vsm_runner *runner)
{
    if (!runner)
        return;
    for (int i = 0; i < VSM_MAX_STAGES - 1; i++)
        vsm_queue_destroy(runner->queues[i]);
    vsm_permits_destroy(runner->permits);
    pthread_mutex_destroy(&runner->lock);
    vsm_mem_free(runner);
}

static void interrupt_stages(struct vsm_runner *runner, const struct worker *except)
{
    for (int i = 0; i < runner->count; i++) {
        struct worker *w = &runner->workers[i];

        if (w != except && w->stage.interrupt)
            w->stage.interrupt(w->stage.self);
    }
}

/* The first failure or abort decides how the run ends; the message is that of the calling thread. */
static void decide(struct vsm_runner *runner, int outcome)
{
    pthread_mutex_lock(&runner->lock);
    if (!runner->decided && !runner->sink_finished) {
        runner->decided = true;
        runner->outcome = outcome;
        if (outcome != VSM_E_CANCELLED)
            snprintf(runner->message, sizeof(runner->message), "%s", vsm_error_message());
    }
    pthread_mutex_unlock(&runner->lock);
}

/* Adds the wall time since *start to the stage's busy time. */
static void count_busy(struct worker *w, uint64_t start)
{
    atomic_fetch_add_explicit(&w->busy_ns, vsm_clock_ns() - start, RELAXED);
    atomic_store_explicit(&w->cpu_ns, vsm_clock_thread_cpu_ns(), RELAXED);
}

/* Only a source may end the stream, and statuses are not positive. */
static int check_status(const struct worker *w, const char *function, int status)
{
    if (status > 0 || status == VSM_EOF)
        return vsm_fail(VSM_E_INTERNAL, "stage %s: %s returned %d; only the source's run may end the stream",
                        w->stage.name, function, status);
    return status;
}

static int run_stage(struct worker *w, struct vsm_frame *frame)
{
    int64_t seq = frame->seq;
    uint64_t start = vsm_clock_ns();
    int status = w->stage.run(w->stage.self, frame);

    count_busy(w, start);
    if (status == VSM_EOF && !w->in)
        return status;
    status = check_status(w, "run", status);
    if (status == VSM_OK && frame->seq != seq)
        status = vsm_fail(VSM_E_INTERNAL, "stage %s: renumbered frame %lld to %lld", w->stage.name,
                          (long long)seq, (long long)frame->seq);
    if (status == VSM_OK && !w->stage.rest)
        atomic_fetch_add_explicit(&w->frames, 1, RELAXED);
    return status;
}

/* The sink has a frame: it goes out of flight before the rest is done, or at the end. */
static int run_sink(struct worker *w, struct vsm_frame *frame)
{
    struct vsm_permits *permits = w->runner->permits;
    uint64_t start;
    int status = run_stage(w, frame);

    if (status != VSM_OK || !w->stage.rest)
        return status;
    if (permits)
        vsm_permits_give(permits);
    start = vsm_clock_ns();
    status = w->stage.rest(w->stage.self, frame);
    count_busy(w, start);
    status = check_status(w, "rest", status);
    if (status == VSM_OK)
        atomic_fetch_add_explicit(&w->frames, 1, RELAXED);
    return status;
}

static int run_barrier(struct worker *w, struct vsm_barrier *barrier)
{
    uint64_t start = vsm_clock_ns();
    int status;

    if (!w->stage.barrier)
        return VSM_OK;
    status = w->stage.barrier(w->stage.self, barrier->after_seq, barrier->state);
    count_busy(w, start);
    return check_status(w, "barrier", status);
}

/* Hands the item to the next stage. A consumer that left has failed or was cut, and has said so. */
static int pass_on(struct worker *w, struct vsm_item *item)
{
    uint64_t waited = 0;
    int status = vsm_queue_put(w->out, item, &waited);

    atomic_fetch_add_explicit(&w->wait_out_ns, waited, RELAXED);
    return status == VSM_EOF ? VSM_E_CANCELLED : status;
}

static int produce_frame(struct worker *w, int64_t seq)
{
    struct vsm_item item = {.frame = vsm_frame_create()};
    uint64_t waited = 0;
    int status;

    if (item.frame && w->runner->permits)
        vsm_permits_take(w->runner->permits, &waited);
    atomic_fetch_add_explicit(&w->wait_out_ns, waited, RELAXED);
    if (!item.frame)
        return VSM_E_NOMEM;
    item.frame->seq = seq;
    status = run_stage(w, item.frame);
    if (status == VSM_OK)
        status = pass_on(w, &item);
    vsm_item_destroy(&item);
    return status;
}

static int produce_barrier(struct worker *w, int64_t after_seq)
{
    struct vsm_item item = {.barrier = vsm_barrier_create(after_seq)};
    int status;

    if (!item.barrier)
        return VSM_E_NOMEM;
    status = run_barrier(w, item.barrier);
    if (status == VSM_OK)
        status = pass_on(w, &item);
    vsm_item_destroy(&item);
    return status;
}

/* The source's loop. Returns VSM_EOF at the end of the stream, else why it was cut. */
static int produce(struct worker *w)
{
    struct vsm_runner *runner = w->runner;
    int64_t interval = runner->options.barrier_interval;
    int status = VSM_OK;

    for (int64_t seq = runner->options.first_seq; status == VSM_OK; seq++) {
        if (atomic_load(&runner->stop_requested) && (interval == 0 || seq % interval == 0)) {
            atomic_store(&runner->stopped, true);
            return VSM_EOF;
        }
        status = produce_frame(w, seq);
        if (status == VSM_OK && interval > 0 && (seq + 1) % interval == 0)
            status = produce_barrier(w, seq);
    }
    return status;
}

/* Everything up to a barrier that the sink has passed is durable, so a run asked to stop ends there, whatever
 * was begun behind it. */
static bool stops_behind(struct worker *w, const struct vsm_item *item)
{
    return !w->out && item->barrier && atomic_load(&w->runner->stop_requested);
}

/* The loop of every other stage; the sink has nobody to pass to. */
static int consume(struct worker *w)
{
    int64_t expected = w->runner->options.first_seq;
    int status = VSM_OK;

    while (status == VSM_OK) {
        struct vsm_item item;
        uint64_t waited = 0;
        bool done;

        status = vsm_queue_get(w->in, &item, &waited);
        atomic_fetch_add_explicit(&w->wait_in_ns, waited, RELAXED);
        if (status != VSM_OK)
            break;
        if (item.frame && item.frame->seq != expected++)
            status = vsm_fail(VSM_E_INTERNAL, "stage %s: got frame %lld instead of %lld", w->stage.name,
                              (long long)item.frame->seq, (long long)(expected - 1));
        else if (!item.frame)
            status = run_barrier(w, item.barrier);
        else
            status = w->out ? run_stage(w, item.frame) : run_sink(w, item.frame);
        if (status == VSM_OK && w->out)
            status = pass_on(w, &item);
        if (status == VSM_OK && stops_behind(w, &item)) {
            atomic_store(&w->runner->stopped, true);
            status = VSM_EOF;
        }
        done = !w->out && item.frame && w->runner->permits && !w->stage.rest;
        vsm_item_destroy(&item);
        if (done)
            vsm_permits_give(w->runner->permits);
    }
    return status;
}

/* The sink's end. A stop at a barrier leaves the job open for the next run. */
static int finish_sink(struct worker *w)
{
    struct vsm_runner *runner = w->runner;
    bool stays_open = runner->options.barrier_interval > 0 && atomic_load(&runner->stopped);
    int status = VSM_OK;

    if (w->stage.finish && !stays_open) {
        uint64_t start = vsm_clock_ns();

        status = check_status(w, "finish", w->stage.finish(w->stage.self));
        count_busy(w, start);
    }
    if (status != VSM_OK)
        return status;
    pthread_mutex_lock(&runner->lock);
    runner->sink_finished = true;
    if (!stays_open)
        runner->decided = false; /* an abort came too late: the work is complete */
    pthread_mutex_unlock(&runner->lock);
    return VSM_EOF;
}

static void *run_worker(void *argument)
{
    struct worker *w = argument;
    char name[16];
    int status;

    snprintf(name, sizeof(name), "vsm:%s", w->stage.name);
    pthread_setname_np(pthread_self(), name);
    status = w->in ? consume(w) : produce(w);
    if (w->in && w->runner->permits)
        vsm_permits_open(w->runner->permits);
    if (status == VSM_EOF && !w->out)
        status = finish_sink(w);
    if (status == VSM_EOF && w->out) {
        vsm_queue_close_send(w->out);
        return NULL;
    }
    if (status == VSM_EOF) {
        vsm_queue_close_recv(w->in);
        return NULL;
    }
    decide(w->runner, status);
    if (w->out)
        vsm_queue_abort(w->out);
    if (w->in)
        vsm_queue_close_recv(w->in);
    interrupt_stages(w->runner, w);
    return NULL;
}

/* Signals are for the thread that runs the job; faults of the code itself must stay deliverable. */
static void block_signals(sigset_t *previous)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t all;

    sigfillset(&all);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_BLOCK, &all, previous);
}

int vsm_runner_start(struct vsm_runner *runner)
{
    sigset_t previous;
    int error = 0, started = 0;

    block_signals(&previous);
    while (started < runner->count && !error) {
        struct worker *w = &runner->workers[started];

        error = vsm_fault_hit("runner.thread");
        if (!error)
            error = pthread_create(&w->thread, NULL, run_worker, w);
        if (!error)
            started++;
    }
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    if (!error)
        return VSM_OK;
    vsm_runner_abort(runner);
    for (int i = 0; i < started; i++)
        pthread_join(runner->workers[i].thread, NULL);
    return vsm_fail(VSM_E_INTERNAL,
                    "stage %s: its thread cannot be started: %s; raise the limit on processes",
                    runner->workers[started].stage.name, strerror(error));
}

int vsm_runner_wait(struct vsm_runner *runner)
{
    for (int i = 0; i < runner->count; i++)
        pthread_join(runner->workers[i].thread, NULL);
    if (runner->decided && runner->outcome != VSM_E_CANCELLED)
        vsm_error_set_message(runner->message);
    if (runner->decided)
        return runner->outcome;
    return atomic_load(&runner->stopped) ? VSM_E_CANCELLED : VSM_OK;
}

bool vsm_runner_stopped_cleanly(const struct vsm_runner *runner)
{
    return !runner->decided && runner->sink_finished && atomic_load(&runner->stopped);
}

void vsm_runner_request_stop(struct vsm_runner *runner)
{
    atomic_store(&runner->stop_requested, true);
}

void vsm_runner_abort(struct vsm_runner *runner)
{
    decide(runner, VSM_E_CANCELLED);
    for (int i = 0; i < runner->count - 1; i++)
        vsm_queue_abort(runner->queues[i]);
    if (runner->permits)
        vsm_permits_open(runner->permits);
    interrupt_stages(runner, NULL);
}

int vsm_runner_stats(struct vsm_runner *runner, struct vsm_stage_stats stats[VSM_MAX_STAGES])
{
    for (int i = 0; i < runner->count; i++) {
        struct worker *w = &runner->workers[i];

        stats[i] = (struct vsm_stage_stats){
            .name = w->stage.name,
            .busy_ns = atomic_load_explicit(&w->busy_ns, RELAXED),
            .cpu_ns = atomic_load_explicit(&w->cpu_ns, RELAXED),
            .wait_in_ns = atomic_load_explicit(&w->wait_in_ns, RELAXED),
            .wait_out_ns = atomic_load_explicit(&w->wait_out_ns, RELAXED),
            .frames = atomic_load_explicit(&w->frames, RELAXED),
        };
        if (w->out)
            vsm_queue_high_water(w->out, &stats[i].queue_high_frames, &stats[i].queue_high_bytes);
    }
    return runner->count;
}

/* All stages run over the same wall time, so the order of busy times is that of the shares. */
int vsm_runner_bottleneck(const struct vsm_stage_stats *stats, int count)
{
    int best = count > 0 ? 0 : -1;

    for (int i = 1; i < count; i++)
        if (stats[i].busy_ns > stats[best].busy_ns)
            best = i;
    return best;
}
