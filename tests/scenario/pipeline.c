/* Random pipelines of stages with state, disturbed in every way that the contract names, and resumed.
 *
 * Each fake stage keeps a running hash over all frames that it saw, as a recurrent network does. A table made
 * by a plain loop tells what the hash of every stage must be after every frame; sink and barriers are
 * compared with it.
 */
#include "pipeline/runner.h"
#include "pipeline/stage_pair.h"

#include "base/fault.h"
#include "base/mem.h"
#include "tap.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_FRAMES 32
#define NEVER      INT64_MAX

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint32_t next_random(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % below;
}

struct world;

struct fake {
    struct world *world;
    int index;
    char name[16];
    uint64_t seed;
    uint64_t hash;
    int64_t next_seq;
    /* How it is disturbed: by frame number, NEVER if not. */
    int64_t fails_at, barrier_fails_at, blocks_at, aborts_at, stops_at;
    bool finish_fails;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool interrupted;
};

/* What survives a crash: the sink's output and the last committed checkpoint. */
struct world {
    int count, stages; /* fakes, and stages made of them */
    struct vsm_stage_pair pair;
    int64_t frames, interval;
    struct vsm_runner *runner;
    struct fake fakes[VSM_MAX_STAGES];
    uint64_t expected[VSM_MAX_STAGES][MAX_FRAMES + 1]; /* hash after `i` frames */
    uint64_t output[MAX_FRAMES];
    int64_t written;
    bool finished;
    int64_t committed; /* frames up to the checkpoint, -1: none */
    uint64_t committed_hashes[VSM_MAX_STAGES];
    atomic_int images, wrong;
};

static void release_image(struct vsm_image *image)
{
    struct world *world = image->opaque;

    atomic_fetch_sub(&world->images, 1);
    vsm_mem_free(image);
}

static struct vsm_image *make_image(struct world *world, int width)
{
    struct vsm_image *image = vsm_mem_alloc("test image", 1, sizeof(*image));

    if (!image)
        return NULL;
    image->format = (struct vsm_format){.planes = VSM_PLANES_GRAY, .depth = 8};
    image->width = width;
    image->height = 1;
    image->references = 1;
    image->release = release_image;
    image->opaque = world;
    atomic_fetch_add(&world->images, 1);
    return image;
}

/* For the stages' threads, where the checks of tap.h must not be used. */
static void expect(struct world *world, bool condition)
{
    if (!condition)
        atomic_fetch_add(&world->wrong, 1);
}

static void dawdle(struct fake *f)
{
    uint32_t r = next_random(&f->seed, 64);

    if (r == 0)
        usleep(next_random(&f->seed, 150));
    else if (r < 8)
        sched_yield();
}

static int block_until_interrupted(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    while (!f->interrupted)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
    return VSM_E_CANCELLED;
}

static int disturb(struct fake *f, int64_t seq)
{
    if (seq == f->stops_at)
        vsm_runner_request_stop(f->world->runner);
    if (seq == f->aborts_at)
        vsm_runner_abort(f->world->runner);
    if (seq == f->blocks_at)
        return block_until_interrupted(f);
    if (seq == f->fails_at)
        return vsm_fail(VSM_E_INPUT, "fake %d: run failed at %lld", f->index, (long long)seq);
    return VSM_OK;
}

static int fake_run(void *self, struct vsm_frame *frame)
{
    struct fake *f = self;
    struct world *world = f->world;
    bool source = f->index == 0, sink = f->index == world->count - 1;
    int status;

    dawdle(f);
    expect(world, frame->seq == f->next_seq);
    if (source && frame->seq >= world->frames)
        return VSM_EOF;
    status = disturb(f, frame->seq);
    if (status != VSM_OK)
        return status;
    if (!sink) {
        struct vsm_image **layer = source ? &frame->source : &frame->outputs[f->index];

        *layer = make_image(world, 1 + (int)next_random(&f->seed, 4000));
        if (!*layer)
            return VSM_E_NOMEM;
    }
    f->hash = mix(f->hash, source ? (uint64_t)frame->seq : (uint64_t)frame->pts);
    frame->pts = (int64_t)f->hash;
    f->next_seq++;
    if (sink) {
        expect(world, frame->seq == world->written && !world->finished);
        world->output[world->written++] = f->hash;
    }
    return VSM_OK;
}

/* The sink: the state must be that of every stage, in order, exactly after the barrier's frame. */
static void commit(struct world *world, int64_t after_seq, const struct vsm_state *state)
{
    expect(world, state->count == (size_t)world->count);
    expect(world, world->written == after_seq + 1 && !world->finished);
    for (int i = 0; i < world->count; i++) {
        expect(world, strcmp(state->records[i].name, world->fakes[i].name) == 0);
        memcpy(&world->committed_hashes[i], state->records[i].data, sizeof(uint64_t));
        expect(world, world->committed_hashes[i] == world->expected[i][after_seq + 1]);
    }
    world->committed = after_seq + 1;
}

static int fake_barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    struct fake *f = self;
    int status;

    dawdle(f);
    expect(f->world, after_seq + 1 == f->next_seq && f->next_seq % f->world->interval == 0);
    if (after_seq == f->barrier_fails_at)
        return vsm_fail(VSM_E_OUTPUT, "fake %d: barrier failed at %lld", f->index, (long long)after_seq);
    status = vsm_state_add(state, f->name, &f->hash, sizeof(f->hash));
    if (status == VSM_OK && f->index == f->world->count - 1)
        commit(f->world, after_seq, state);
    return status;
}

static int fake_finish(void *self)
{
    struct fake *f = self;

    expect(f->world, !f->world->finished);
    if (f->finish_fails)
        return vsm_fail(VSM_E_OUTPUT, "fake %d: finish failed", f->index);
    f->world->finished = true;
    return VSM_OK;
}

static void fake_interrupt(void *self)
{
    struct fake *f = self;

    pthread_mutex_lock(&f->lock);
    f->interrupted = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void create_world(struct world *world, int count, int64_t frames, int64_t interval)
{
    *world = (struct world){.count = count, .frames = frames, .interval = interval, .committed = -1};
    for (int64_t n = 0; n < frames; n++) {
        uint64_t value = (uint64_t)n;

        for (int i = 0; i < count; i++)
            value = world->expected[i][n + 1] = mix(world->expected[i][n], value);
    }
}

/* Fresh stages that go on behind the checkpoint, or from the start; nothing disturbs them yet. */
static int64_t prepare(struct world *world, uint64_t seed)
{
    int64_t first = world->committed > 0 ? world->committed : 0;

    world->written = first;
    for (int i = 0; i < world->count; i++) {
        struct fake *f = &world->fakes[i];

        *f = (struct fake){.world = world, .index = i, .seed = seed + 77u * (uint64_t)i, .next_seq = first};
        snprintf(f->name, sizeof(f->name), "fake%d", i);
        f->hash = first > 0 ? world->committed_hashes[i] : 0;
        f->fails_at = f->barrier_fails_at = f->blocks_at = f->aborts_at = f->stops_at = NEVER;
        pthread_mutex_init(&f->lock, NULL);
        pthread_cond_init(&f->changed, NULL);
    }
    return first;
}

/* A stage that waits for another one's failure needs the frames up to that in the pipeline. */
static bool blocks(const struct world *world)
{
    for (int i = 0; i < world->count; i++) {
        if (world->fakes[i].blocks_at != NEVER)
            return true;
    }
    return false;
}

/* Now and then the last two are one, unless a stage waits for another one: that may be the other half. */
static bool pairs(const struct world *world, size_t buffer_bytes)
{
    return world->count > 2 && !blocks(world) && buffer_bytes / 4 % 2;
}

/* In a queue, of those between stages: as the runner's option says, or fewer. */
static int most_waiting(int stage, int buffer_frames)
{
    return (3 * stage + buffer_frames) % 4;
}

static void start(struct world *world, int64_t first, int buffer_frames, size_t buffer_bytes)
{
    struct vsm_stage stages[VSM_MAX_STAGES];
    struct vsm_runner_options options = {.buffer_frames = buffer_frames,
                                         .buffer_bytes = buffer_bytes,
                                         .most_frames = blocks(world) ? 0 : (int)(buffer_bytes % 4),
                                         .first_seq = first,
                                         .barrier_interval = world->interval};

    for (int i = 0; i < world->count; i++)
        stages[i] = (struct vsm_stage){.name = world->fakes[i].name,
                                       .self = &world->fakes[i],
                                       .most_waiting = most_waiting(i, buffer_frames),
                                       .run = fake_run,
                                       .barrier = fake_barrier,
                                       .interrupt = fake_interrupt,
                                       .finish = i == world->count - 1 ? fake_finish : NULL};
    world->stages = world->count;
    if (pairs(world, buffer_bytes)) {
        world->stages--;
        world->pair = (struct vsm_stage_pair){stages[world->stages - 1], stages[world->stages]};
        stages[world->stages - 1] = vsm_stage_pair_describe(&world->pair);
    }
    world->runner = vsm_runner_create(stages, world->stages, &options);
    if (!world->runner || vsm_runner_start(world->runner) != VSM_OK) {
        printf("Bail out! %s\n", vsm_error_message());
        exit(1);
    }
}

/* Checks that hold however the run ended. Destroys the runner. */
static void check_ending(struct world *world, int64_t first, int buffer_frames)
{
    struct vsm_stage_stats stats[VSM_MAX_STAGES];

    CHECK_INT(vsm_runner_stats(world->runner, stats), world->stages);
    for (int i = 0; i < world->stages; i++) {
        CHECK(stats[i].queue_high_frames <= buffer_frames);
        CHECK(most_waiting(i, buffer_frames) == 0 ||
              stats[i].queue_high_frames <= most_waiting(i, buffer_frames));
        CHECK(i == 0 || stats[i].frames <= stats[i - 1].frames);
    }
    CHECK_INT(stats[world->stages - 1].frames, world->written - first);
    vsm_runner_destroy(world->runner);
    CHECK_INT(world->images, 0);
    CHECK_INT(world->wrong, 0);
    for (int64_t n = first; n < world->written; n++)
        CHECK(world->output[n] == world->expected[world->count - 1][n + 1]);
}

enum disturbance {
    NOTHING,
    RUN_FAILS,
    BARRIER_FAILS,
    FINISH_FAILS,
    MANY_FAIL,
    ABORT,
    ABORT_LATER,
    STOP,
    STOP_LATER,
    BLOCKED_ABORT,
    BLOCKED_FAIL_BEHIND,
    BLOCKED_FAIL_BEFORE,
    DISTURBANCES
};

struct plan {
    enum disturbance kind;
    struct fake *victim;
    int64_t at;
    unsigned delay_us;
};

static struct plan make_plan(struct world *world, int64_t first, uint64_t *seed)
{
    int64_t left = world->frames - first + 2; /* now and then behind the end */
    int victim = (int)next_random(seed, (uint32_t)world->count),
        other = (int)next_random(seed, (uint32_t)world->count);
    struct plan plan = {.kind = next_random(seed, DISTURBANCES), .victim = &world->fakes[victim]};
    struct fake *v = plan.victim;

    plan.at = first + next_random(seed, (uint32_t)left);
    plan.delay_us = next_random(seed, 400);
    switch (plan.kind) {
    case RUN_FAILS:
        v->fails_at = plan.at;
        break;
    case BARRIER_FAILS:
        v->barrier_fails_at = plan.at;
        break;
    case FINISH_FAILS:
        world->fakes[world->count - 1].finish_fails = true;
        break;
    case MANY_FAIL:
        for (int i = 0; i < world->count; i++)
            world->fakes[i].fails_at = first + next_random(seed, (uint32_t)left);
        break;
    case ABORT:
        v->aborts_at = plan.at;
        break;
    case STOP:
        v->stops_at = plan.at;
        break;
    case BLOCKED_ABORT:
        v->blocks_at = plan.at;
        break;
    case BLOCKED_FAIL_BEHIND: /* the stages behind get the frame before the one that blocks */
        v->blocks_at = plan.at + 1;
        world->fakes[victim < other ? other : victim].fails_at = plan.at;
        break;
    case BLOCKED_FAIL_BEFORE: /* the stages before go on to the frame after it, if there is one */
        world->fakes[victim > other ? other : victim].fails_at = plan.at + (victim > other);
        if (victim > other && plan.at + 1 < world->frames)
            v->blocks_at = plan.at;
        break;
    case NOTHING:
    case ABORT_LATER:
    case STOP_LATER:
    case DISTURBANCES:
        break;
    }
    return plan;
}

static void disturb_from_outside(struct world *world, const struct plan *plan)
{
    struct vsm_stage_stats stats[VSM_MAX_STAGES];

    if (plan->kind != ABORT_LATER && plan->kind != STOP_LATER && plan->kind != BLOCKED_ABORT)
        return;
    usleep(plan->delay_us);
    (void)vsm_runner_stats(world->runner, stats);
    if (plan->kind == STOP_LATER)
        vsm_runner_request_stop(world->runner);
    else
        vsm_runner_abort(world->runner);
}

/* What the run must have returned, given what was done to it. */
static void check_outcome(const struct world *world, const struct plan *plan, int status, const char *message)
{
    bool stop = plan->kind == STOP || plan->kind == STOP_LATER;
    bool abort = plan->kind == ABORT || plan->kind == ABORT_LATER || plan->kind == BLOCKED_ABORT;
    char expected[64];

    if (status == VSM_OK) {
        CHECK(world->finished && world->written == world->frames);
        CHECK(plan->kind != FINISH_FAILS);
        CHECK(stop || abort || plan->kind == NOTHING || plan->kind == BARRIER_FAILS ||
              plan->kind == MANY_FAIL || plan->at >= world->frames - 1);
    } else if (status == VSM_E_CANCELLED) {
        CHECK(stop || abort);
    } else if (plan->kind == RUN_FAILS) {
        CHECK_INT(status, VSM_E_INPUT);
        snprintf(expected, sizeof(expected), "fake %d: run failed at %lld", plan->victim->index,
                 (long long)plan->at);
        CHECK_STR(message, expected);
        CHECK(world->written <= plan->at && !world->finished);
    } else if (plan->kind == BARRIER_FAILS) {
        CHECK_INT(status, VSM_E_OUTPUT);
        CHECK_HAS(message, "barrier failed");
        CHECK(world->committed <= plan->at && world->written <= plan->at + 1 && !world->finished);
    } else if (plan->kind == FINISH_FAILS) {
        CHECK_INT(status, VSM_E_OUTPUT);
        CHECK_HAS(message, "finish failed");
        CHECK_INT(world->written, world->frames);
    } else {
        CHECK_INT(status, VSM_E_INPUT);
        CHECK_HAS(message, "run failed");
        CHECK(!world->finished && !stop && !abort);
    }
}

static void check_stopped(const struct world *world, int64_t first)
{
    if (world->interval == 0) {
        CHECK(world->finished);
        return;
    }
    CHECK(!world->finished);
    CHECK_INT(world->written % world->interval, 0);
    CHECK_INT(world->committed > 0 ? world->committed : 0, world->written);
    CHECK(world->written >= first);
}

/* Runs once. Returns whether the job is over. */
static bool attempt(struct world *world, uint64_t *seed, bool disturbed)
{
    int buffer_frames = 1 + (int)next_random(seed, 6);
    size_t buffer_bytes = 1 + next_random(seed, 20000);
    int64_t first = prepare(world, *seed);
    struct plan plan = disturbed ? make_plan(world, first, seed) : (struct plan){.kind = NOTHING};
    bool stopped;
    int status;

    start(world, first, buffer_frames, buffer_bytes);
    disturb_from_outside(world, &plan);
    vsm_error_set_message("stale");
    status = vsm_runner_wait(world->runner);
    stopped = vsm_runner_stopped_cleanly(world->runner);
    check_outcome(world, &plan, status, vsm_error_message());
    if (stopped)
        check_stopped(world, first);
    CHECK(!stopped || status == VSM_E_CANCELLED);
    CHECK(stopped || world->finished == (status == VSM_OK));
    check_ending(world, first, buffer_frames);
    return world->finished;
}

static void run_rounds(int rounds, bool with_barriers)
{
    uint64_t seed = with_barriers ? 1 : 2;
    int attempts = 0, resumed = 0;

    for (int round = 0; round < rounds && tap_failed_checks == 0; round++) {
        struct world world;
        int tries = 0;

        create_world(&world, 2 + (int)next_random(&seed, 4), next_random(&seed, MAX_FRAMES),
                     with_barriers ? 1 + next_random(&seed, 9) : 0);
        while (!attempt(&world, &seed, tries < 4) && tap_failed_checks == 0)
            tries++;
        attempts += tries + 1;
        resumed += tries > 0 && world.committed > 0;
        if (with_barriers)
            CHECK_INT(world.written, world.frames);
        if (tap_failed_checks > 0)
            printf("# in round %d: %d stages, %lld frames, interval %lld\n", round, world.count,
                   (long long)world.frames, (long long)world.interval);
    }
    printf("# %d rounds, %d runs, %d jobs resumed from a checkpoint\n", rounds, attempts, resumed);
}

static void test_random_faults_and_resume(void)
{
    run_rounds(1000, true);
}

static void test_random_faults_without_barriers(void)
{
    run_rounds(400, false);
}

/* The sink is held in its first frame while the source queues frames and barriers and then fails. */
static void test_nothing_is_drained_behind_a_failure(void)
{
    struct world world;

    create_world(&world, 2, 20, 1);
    (void)prepare(&world, 5);
    world.fakes[0].fails_at = 4;
    world.fakes[1].blocks_at = 0;
    start(&world, 0, 8, 1 << 20);
    CHECK_INT(vsm_runner_wait(world.runner), VSM_E_INPUT);
    CHECK_STR(vsm_error_message(), "fake 0: run failed at 4");
    CHECK(!vsm_runner_stopped_cleanly(world.runner));
    CHECK_INT(world.written, 0);
    CHECK_INT(world.committed, -1);
    check_ending(&world, 0, 8);
}

static void test_stop_before_the_first_frame(void)
{
    for (int64_t interval = 0; interval < 2; interval++) {
        struct world world;

        create_world(&world, 3, 20, interval);
        (void)prepare(&world, 5);
        world.fakes[0].stops_at = 0;
        start(&world, 0, 2, 1 << 20);
        CHECK_INT(vsm_runner_wait(world.runner), VSM_E_CANCELLED);
        CHECK(vsm_runner_stopped_cleanly(world.runner));
        CHECK_INT(world.written, 1);
        CHECK_INT(world.committed, interval ? 1 : -1);
        CHECK_INT(world.finished, interval == 0);
        check_ending(&world, 0, 2);
    }
}

/* The source is far ahead when the sink's first frame asks for the end: it comes at the sink's next
 * barrier. */
static void test_stop_drops_what_was_begun_behind_the_barrier(void)
{
    for (int64_t interval = 1; interval < 4; interval++) {
        struct world world;

        create_world(&world, 3, 20, interval);
        (void)prepare(&world, 5);
        world.fakes[2].stops_at = 0;
        start(&world, 0, 8, 1 << 20);
        CHECK_INT(vsm_runner_wait(world.runner), VSM_E_CANCELLED);
        CHECK(vsm_runner_stopped_cleanly(world.runner));
        CHECK_INT(world.written, interval);
        CHECK_INT(world.committed, interval);
        CHECK(!world.finished);
        check_ending(&world, 0, 8);
    }
}

static void test_input_that_ends_before_the_barrier_is_complete(void)
{
    struct world world;

    create_world(&world, 3, 7, 5);
    (void)prepare(&world, 5);
    world.fakes[2].stops_at = 5;
    start(&world, 0, 2, 1 << 20);
    CHECK_INT(vsm_runner_wait(world.runner), VSM_OK);
    CHECK(!vsm_runner_stopped_cleanly(world.runner));
    CHECK_INT(world.committed, 5);
    CHECK(world.finished);
    check_ending(&world, 0, 2);
}

static int misbehave_eof(void *self, struct vsm_frame *frame)
{
    return frame->seq == *(int64_t *)self ? VSM_EOF : VSM_OK;
}

static int misbehave_seq(void *self, struct vsm_frame *frame)
{
    frame->seq += frame->seq == *(int64_t *)self;
    return VSM_OK;
}

static void test_broken_stages_are_named(void)
{
    static int64_t third = 3, never = -1;
    struct vsm_stage bad_end[] = {{.name = "in", .self = &never, .run = misbehave_eof},
                                  {.name = "middle", .self = &third, .run = misbehave_eof},
                                  {.name = "out", .self = &never, .run = misbehave_eof}};
    struct vsm_stage bad_seq[] = {{.name = "in", .self = &third, .run = misbehave_seq},
                                  {.name = "out", .self = &never, .run = misbehave_eof}};
    struct vsm_runner_options options = {.buffer_frames = 2, .buffer_bytes = 1000};
    struct vsm_runner *runner = vsm_runner_create(bad_end, 3, &options);

    CHECK_INT(vsm_runner_start(runner), VSM_OK);
    CHECK_INT(vsm_runner_wait(runner), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "middle");
    vsm_runner_destroy(runner);
    runner = vsm_runner_create(bad_seq, 2, &options);
    CHECK_INT(vsm_runner_start(runner), VSM_OK);
    CHECK_INT(vsm_runner_wait(runner), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "stage in: renumbered frame 3");
    vsm_runner_destroy(runner);
    CHECK(!vsm_runner_create(bad_seq, 1, &options));
    options.buffer_frames = 0;
    CHECK(!vsm_runner_create(bad_seq, 2, &options));
    CHECK_HAS(vsm_error_message(), "0 frames");
}

static int ignore(void *self, struct vsm_frame *frame)
{
    (void)self;
    (void)frame;
    return VSM_OK;
}

static int finish_and_abort(void *self)
{
    vsm_runner_abort(*(struct vsm_runner **)self);
    return VSM_OK;
}

static void test_abort_after_the_work_is_complete(void)
{
    static int64_t third = 3;
    struct vsm_runner_options options = {.buffer_frames = 2, .buffer_bytes = 1000};
    struct vsm_runner *runner = NULL;
    struct vsm_stage stages[] = {{.name = "in", .self = &third, .run = misbehave_eof},
                                 {.name = "out", .self = &runner, .run = ignore, .finish = finish_and_abort}};

    runner = vsm_runner_create(stages, 2, &options);
    CHECK_INT(vsm_runner_start(runner), VSM_OK);
    CHECK_INT(vsm_runner_wait(runner), VSM_OK);
    vsm_runner_destroy(runner);
}

static int slow_run(void *self, struct vsm_frame *frame)
{
    if (self)
        usleep(2000);
    return frame->seq < 20 ? VSM_OK : VSM_EOF;
}

static void test_stats_name_the_bottleneck(void)
{
    int slow;
    struct vsm_stage stages[] = {{.name = "in", .run = slow_run},
                                 {.name = "slow", .self = &slow, .run = slow_run},
                                 {.name = "out", .run = slow_run}};
    struct vsm_runner_options options = {.buffer_frames = 2, .buffer_bytes = 100000};
    struct vsm_runner *runner = vsm_runner_create(stages, 3, &options);
    struct vsm_stage_stats stats[VSM_MAX_STAGES];

    CHECK_INT(vsm_runner_start(runner), VSM_OK);
    CHECK_INT(vsm_runner_wait(runner), VSM_OK);
    CHECK_INT(vsm_runner_stats(runner, stats), 3);
    CHECK_INT(vsm_runner_bottleneck(stats, 3), 1);
    CHECK_STR(stats[1].name, "slow");
    CHECK_INT(stats[1].frames, 20);
    CHECK(stats[1].busy_ns >= 40000000 && stats[1].cpu_ns < stats[1].busy_ns);
    CHECK(stats[0].wait_out_ns > 20000000);
    CHECK(stats[2].wait_in_ns > 20000000);
    CHECK_INT(stats[0].queue_high_frames, 2);
    CHECK_INT(vsm_runner_bottleneck(stats, 0), -1);
    vsm_runner_destroy(runner);
}

struct crowd {
    atomic_int inside, most;
};

static int enter(void *self, struct vsm_frame *frame)
{
    struct crowd *crowd = self;
    int inside;

    if (frame->seq == 40)
        return VSM_EOF;
    inside = atomic_fetch_add(&crowd->inside, 1) + 1;
    if (inside > crowd->most)
        crowd->most = inside;
    return VSM_OK;
}

static int leave(void *self, struct vsm_frame *frame)
{
    struct crowd *crowd = self;

    (void)frame;
    usleep(1000);
    atomic_fetch_sub(&crowd->inside, 1);
    return VSM_OK;
}

static void test_frames_at_once_are_limited(void)
{
    for (int most = 0; most <= 3; most++) {
        struct crowd crowd = {0};
        struct vsm_stage stages[] = {{.name = "in", .self = &crowd, .run = enter},
                                     {.name = "middle", .run = ignore},
                                     {.name = "out", .self = &crowd, .run = leave}};
        struct vsm_runner_options options = {.buffer_frames = 8,
                                             .buffer_bytes = 1 << 20,
                                             .most_frames = most};
        struct vsm_runner *runner = vsm_runner_create(stages, 3, &options);

        CHECK_INT(vsm_runner_start(runner), VSM_OK);
        CHECK_INT(vsm_runner_wait(runner), VSM_OK);
        CHECK_INT(crowd.inside, 0);
        CHECK(most == 0 ? crowd.most > 3 : crowd.most == most);
        vsm_runner_destroy(runner);
    }
}

/* Behind run() of the sink, with the frame out of flight; waits for the next one to come into it. */
static int rest(void *self, struct vsm_frame *frame)
{
    struct crowd *crowd = self;

    for (int i = 0; frame->seq < 39 && i < 5000 && atomic_load(&crowd->inside) == 0; i++)
        usleep(1000);
    return frame->seq == 39 || atomic_load(&crowd->inside) > 0 ? VSM_OK
                                                               : vsm_fail(VSM_E_INTERNAL, "nobody came");
}

static void test_rest_is_out_of_flight(void)
{
    struct crowd crowd = {0};
    struct vsm_stage stages[] = {{.name = "in", .self = &crowd, .run = enter},
                                 {.name = "out", .self = &crowd, .run = leave, .rest = rest}};
    struct vsm_runner_options options = {.buffer_frames = 8, .buffer_bytes = 1 << 20, .most_frames = 1};
    struct vsm_runner *runner = vsm_runner_create(stages, 2, &options);
    struct vsm_stage_stats stats[VSM_MAX_STAGES];

    CHECK_INT(vsm_runner_start(runner), VSM_OK);
    CHECK_INT(vsm_runner_wait(runner), VSM_OK);
    CHECK_INT(crowd.most, 1);
    CHECK_INT(vsm_runner_stats(runner, stats), 2);
    CHECK_INT(stats[1].frames, 40);
    vsm_runner_destroy(runner);
}

static int fail_late(void *self, struct vsm_frame *frame)
{
    (void)self;
    return frame->seq == 5 ? vsm_fail(VSM_E_OUTPUT, "full") : VSM_OK;
}

static void test_failing_rest(void)
{
    struct crowd crowd = {0};
    struct vsm_stage stages[] = {{.name = "in", .self = &crowd, .run = enter},
                                 {.name = "out", .self = &crowd, .run = leave, .rest = fail_late}};
    struct vsm_runner_options options = {.buffer_frames = 2, .buffer_bytes = 1 << 20, .most_frames = 1};
    struct vsm_runner *runner = vsm_runner_create(stages, 2, &options);

    CHECK_INT(vsm_runner_start(runner), VSM_OK);
    CHECK_INT(vsm_runner_wait(runner), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "full");
    vsm_runner_destroy(runner);
}

#ifdef VSM_FAULT_POINTS
static void test_thread_that_cannot_start(void)
{
    for (unsigned long n = 1; n <= 4; n++) {
        int slow;
        struct vsm_stage stages[4];
        struct vsm_runner_options options = {.buffer_frames = 2, .buffer_bytes = 100000};
        struct vsm_runner *runner;

        for (int i = 0; i < 4; i++)
            stages[i] = (struct vsm_stage){.name = "abcd" + i, .self = &slow, .run = slow_run};
        runner = vsm_runner_create(stages, 4, &options);
        vsm_fault_arm("runner.thread", n, EAGAIN, 0);
        CHECK_INT(vsm_runner_start(runner), VSM_E_INTERNAL);
        CHECK_HAS(vsm_error_message(), "cannot be started");
        vsm_fault_arm(NULL, 0, 0, 0);
        vsm_runner_destroy(runner);
    }
}

static void test_out_of_memory_anywhere(void)
{
    for (unsigned long n = 1; n <= 60; n++) {
        struct world world;
        int status;

        create_world(&world, 3, 8, 2);
        (void)prepare(&world, n);
        start(&world, 0, 3, 10000);
        vsm_fault_arm("mem.alloc", n, ENOMEM, 0);
        status = vsm_runner_wait(world.runner);
        vsm_fault_arm(NULL, 0, 0, 0);
        CHECK(status == VSM_OK || status == VSM_E_NOMEM);
        CHECK_INT(world.finished, status == VSM_OK);
        check_ending(&world, 0, 3);
    }
}
#else
static void test_thread_that_cannot_start(void)
{
    tap_skip("needs -Dfault_points=true");
}

static void test_out_of_memory_anywhere(void)
{
    tap_skip("needs -Dfault_points=true");
}
#endif

int main(void)
{
    alarm(240);
    RUN(test_nothing_is_drained_behind_a_failure);
    RUN(test_stop_before_the_first_frame);
    RUN(test_stop_drops_what_was_begun_behind_the_barrier);
    RUN(test_input_that_ends_before_the_barrier_is_complete);
    RUN(test_broken_stages_are_named);
    RUN(test_abort_after_the_work_is_complete);
    RUN(test_stats_name_the_bottleneck);
    RUN(test_frames_at_once_are_limited);
    RUN(test_rest_is_out_of_flight);
    RUN(test_failing_rest);
    RUN(test_thread_that_cannot_start);
    RUN(test_out_of_memory_anywhere);
    RUN(test_random_faults_and_resume);
    RUN(test_random_faults_without_barriers);
    return tap_done();
}
