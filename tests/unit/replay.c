/* When runs are recorded, and that no recording outlives a run of the library. */
#include "nn/replay.h"

#include "tap.h"

static const struct vsm_replay_signature a = {.count = 1, .ports = {{.data = &a, .dims = {2, 3}}}},
                                         b = {.count = 1, .ports = {{.data = &a, .dims = {2, 4}}}},
                                         c = {.count = 1, .ports = {{.data = &b, .dims = {2, 3}}}};

/* Asks for equal runs until one is recorded. */
static void record(struct vsm_replay *replay)
{
    for (int i = 0; i < VSM_REPLAY_WARM_RUNS; i++)
        CHECK_INT(vsm_replay_next(replay, &a), VSM_REPLAY_RUN);
    CHECK_INT(vsm_replay_next(replay, &a), VSM_REPLAY_RECORD);
    vsm_replay_record(replay, true);
    CHECK_INT(vsm_replay_next(replay, &a), VSM_REPLAY_PLAY);
    CHECK_INT(vsm_replay_next(replay, &a), VSM_REPLAY_PLAY);
}

static void test_any_other_run_ends_a_recording(void)
{
    const struct vsm_replay_signature *const others[] = {&b, &c, NULL};
    struct vsm_replay replay = {0};

    record(&replay);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(vsm_replay_next(&replay, others[i]), VSM_REPLAY_RUN);
        record(&replay);
    }
}

static void test_runs_that_take_turns(void)
{
    struct vsm_replay replay = {0};

    for (int i = 0; i < 20; i++) {
        CHECK_INT(vsm_replay_next(&replay, &a), VSM_REPLAY_RUN);
        CHECK_INT(vsm_replay_next(&replay, i % 2 ? &b : NULL), VSM_REPLAY_RUN);
    }
}

static void test_what_cannot_be_recorded_is_left_alone(void)
{
    struct vsm_replay replay = {0};
    int tries = 0;

    for (int i = 0; i < 50; i++) {
        const enum vsm_replay_step step = vsm_replay_next(&replay, &a);

        CHECK(step != VSM_REPLAY_PLAY);
        if (step == VSM_REPLAY_RECORD) {
            tries++;
            vsm_replay_record(&replay, false);
        }
    }
    CHECK_INT(tries, VSM_REPLAY_ATTEMPTS);
    CHECK_INT(vsm_replay_next(&replay, &b), VSM_REPLAY_RUN);
    record(&replay); /* the other run has taken the blame away */
}

int main(void)
{
    RUN(test_any_other_run_ends_a_recording);
    RUN(test_runs_that_take_turns);
    RUN(test_what_cannot_be_recorded_is_left_alone);
    return tap_done();
}
