#include "pipeline/stage_pair.h"

#include "tap.h"

#include <string.h>

/* Writes its letter for each call: small for run, large for barrier, digits else. */
struct part {
    char letter;
    char *log;
    int status;
};

static void note(struct part *part, char what)
{
    part->log[strlen(part->log)] = what;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct part *part = self;

    (void)frame;
    note(part, part->letter);
    return part->status;
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    struct part *part = self;

    (void)state;
    note(part, (char)(part->letter - 'a' + 'A'));
    return after_seq == 7 ? part->status : VSM_E_INTERNAL;
}

static int finish(void *self)
{
    note(self, '1');
    return ((struct part *)self)->status;
}

static void interrupt(void *self)
{
    note(self, '2');
}

static struct vsm_stage stage_of(struct part *part)
{
    return (struct vsm_stage){.name = "part",
                              .self = part,
                              .run = run,
                              .barrier = barrier,
                              .finish = finish,
                              .interrupt = interrupt};
}

static void test_both_in_order(void)
{
    char log[16] = "";
    struct part a = {'a', log, VSM_OK}, b = {'b', log, VSM_OK};
    struct vsm_stage_pair pair = {.first = stage_of(&a), .second = stage_of(&b)};
    const struct vsm_stage stage = vsm_stage_pair_describe(&pair);

    pair.first.finish = NULL;
    CHECK_INT(stage.run(stage.self, NULL), VSM_OK);
    CHECK_STR(log, "a");
    CHECK_INT(stage.rest(stage.self, NULL), VSM_OK);
    CHECK_INT(stage.barrier(stage.self, 7, NULL), VSM_OK);
    CHECK_INT(stage.finish(stage.self), VSM_OK);
    stage.interrupt(stage.self);
    CHECK_STR(log, "abAB122");
}

static void test_first_failure_ends_it(void)
{
    char log[16] = "";
    struct part a = {'a', log, VSM_E_NOMEM}, b = {'b', log, VSM_OK};
    struct vsm_stage_pair pair = {.first = stage_of(&a), .second = stage_of(&b)};
    const struct vsm_stage stage = vsm_stage_pair_describe(&pair);

    CHECK_INT(stage.run(stage.self, NULL), VSM_E_NOMEM);
    CHECK_INT(stage.barrier(stage.self, 7, NULL), VSM_E_NOMEM);
    CHECK_STR(log, "aA");
}

static void test_optional_parts(void)
{
    char log[16] = "";
    struct part a = {'a', log, VSM_OK}, b = {'b', log, VSM_E_OUTPUT};
    struct vsm_stage_pair pair = {.first = {.name = "a", .self = &a, .run = run},
                                  .second = {.name = "b", .self = &b, .run = run}};
    const struct vsm_stage stage = vsm_stage_pair_describe(&pair);

    CHECK_STR(stage.name, "b");
    CHECK_INT(stage.barrier(stage.self, 7, NULL), VSM_OK);
    CHECK_INT(stage.finish(stage.self), VSM_OK);
    stage.interrupt(stage.self);
    CHECK_STR(log, "");
    CHECK_INT(stage.run(stage.self, NULL), VSM_OK);
    CHECK_INT(stage.rest(stage.self, NULL), VSM_E_OUTPUT);
}

/* The first's share is what its run took, and both shares make up the whole. */
static void test_parts(void)
{
    char log[16] = "";
    struct part a = {'a', log, VSM_OK}, b = {'b', log, VSM_OK};
    struct vsm_stage_pair pair = {.first = {.name = "a", .self = &a, .run = run},
                                  .second = {.name = "b", .self = &b, .run = run}};
    const struct vsm_stage stage = vsm_stage_pair_describe(&pair);
    const uint64_t all = (uint64_t)1 << 50;
    const struct vsm_stage_stats both = {
        .name = "b", .busy_ns = all, .cpu_ns = all / 2, .wait_in_ns = 7, .frames = 2};
    struct vsm_stage_stats parts[2];

    for (int i = 0; i < 3; i++)
        CHECK_INT(stage.run(stage.self, NULL), VSM_OK);
    CHECK_INT(stage.rest(stage.self, NULL), VSM_OK);
    vsm_stage_pair_part(&pair, &both, parts);
    CHECK_STR(parts[0].name, "a");
    CHECK_STR(parts[1].name, "b");
    CHECK_INT(parts[0].frames, 3);
    CHECK_INT(parts[1].frames, 2);
    CHECK(parts[0].busy_ns > 0 && parts[0].busy_ns < all);
    CHECK(parts[0].busy_ns + parts[1].busy_ns == all && parts[0].cpu_ns + parts[1].cpu_ns == all / 2);
    CHECK(parts[0].wait_in_ns == 7 && parts[1].wait_in_ns == 0);
}

int main(void)
{
    RUN(test_both_in_order);
    RUN(test_first_failure_ends_it);
    RUN(test_optional_parts);
    RUN(test_parts);
    return tap_done();
}
