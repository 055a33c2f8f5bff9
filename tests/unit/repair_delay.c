#include "stages/repair_delay.h"

#include "tap.h"

#include <string.h>

#define DELAY VSM_REPAIR_DELAY_FRAMES
#define SIDE  64 /* of the views' grids */

static struct vsm_frame *make_frame(int view_count)
{
    struct vsm_frame *frame = vsm_frame_create();

    frame->view_count = view_count;
    for (int i = 0; i < view_count; i++)
        frame->mattes[i].view = (struct vsm_view){.eye = (enum vsm_eye)(i % 2),
                                                  .source = {i % 2 * SIDE, 0, SIDE, SIDE},
                                                  .width = SIDE,
                                                  .height = SIDE};
    return frame;
}

/* The right eye's view is to be taken from the left one's, in all of its left half, two pixels to the
 * right of where it is wanted. */
static struct vsm_state_repairs make_repairs(void)
{
    struct vsm_state_repairs repairs = {0};
    struct vsm_frame *frame = make_frame(2);
    struct vsm_stereo_repair *r = vsm_state_repairs_add(&repairs, frame, 1);

    r->grid_width = SIDE;
    r->map.columns = r->map.rows = 8;
    r->map.side = 8;
    for (int i = 0; i < 64; i++) {
        r->map.cells[i] = (struct vsm_disparity_cell){.known = true, .du = 2.0f, .dv = 0.0f};
        r->share[i] = i % 8 < 4 ? 1.0f : 0.0f;
    }
    vsm_frame_destroy(&frame);
    return repairs;
}

/* Ramps to the right, the right eye's ten times as steep. */
static void make_states(struct vsm_rvm_state states[2])
{
    for (int eye = 0; eye < 2; eye++) {
        for (int level = 0; level < VSM_RVM_STATES; level++) {
            const int side = SIDE >> (level + 1);
            struct vsm_tensor *t = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){2, side, side});

            for (int i = 0; i < 2 * side * side; i++)
                vsm_tensor_f32(t)[i] = (float)(i % side) * (eye ? 10.0f : 1.0f);
            states[eye].r[level] = t;
        }
    }
}

static void drop_states(struct vsm_rvm_state states[2])
{
    vsm_rvm_state_reset(&states[0]);
    vsm_rvm_state_reset(&states[1]);
}

/* By the places' shares, moved by half as many pixels on half the grid; the other eye and
 * other places stay. */
static void test_states_are_moved(void)
{
    struct vsm_state_repairs repairs = make_repairs();
    struct vsm_rvm_state states[2] = {{{0}}}, none[2] = {{{0}}};
    const int side = SIDE / 2;
    const float *left, *right;

    make_states(states);
    CHECK(vsm_state_repairs_any(&repairs));
    vsm_state_repairs_apply(&repairs, states);
    left = vsm_tensor_f32(states[0].r[0]);
    right = vsm_tensor_f32(states[1].r[0]);
    CHECK(left[5] == 5.0f && left[31] == 31.0f);
    for (int c = 0; c < 2; c++) {
        CHECK_NEAR(right[c * side * side + 7 * side + 5], 6.0, 1e-5);
        CHECK_NEAR(right[c * side * side + 7 * side + 25], 250.0, 1e-5);
    }
    CHECK_NEAR(vsm_tensor_f32(states[1].r[3])[0], 0.125,
               1e-5); /* two of 64 pixels are a quarter of one of four */
    drop_states(states);
    vsm_state_repairs_apply(&repairs, none); /* a scene has just begun */
    CHECK(none[1].r[0] == NULL);
    vsm_state_repairs_clear(&repairs);
    CHECK(!vsm_state_repairs_any(&repairs));
}

static void test_other_views_do_not_fit(void)
{
    struct vsm_state_repairs repairs = make_repairs();
    struct vsm_frame *frame = make_frame(4);
    struct vsm_view views[4];

    for (int i = 0; i < 4; i++)
        views[i] = frame->mattes[i].view;
    CHECK(vsm_state_repairs_fit(&repairs, views, 2));
    CHECK(!vsm_state_repairs_fit(&repairs, views, 4));
    views[1].width = 2 * SIDE;
    CHECK(!vsm_state_repairs_fit(&repairs, views, 2));
    views[1].width = SIDE;
    views[0].yaw = 1e-9;
    CHECK(!vsm_state_repairs_fit(&repairs, views, 2));
    vsm_frame_destroy(&frame);
    vsm_state_repairs_clear(&repairs);
}

static void post(struct vsm_repair_delay *d, int64_t seq, bool cut, bool wanted)
{
    struct vsm_state_repairs repairs = {0};

    if (wanted)
        repairs = make_repairs();
    vsm_repair_delay_post(d, seq, cut, &repairs);
    CHECK(repairs.of[1] == NULL);
}

/* Whether something is due before this frame. */
static bool due(struct vsm_repair_delay *d, int64_t seq, bool cut)
{
    const struct vsm_state_repairs *repairs = NULL;

    CHECK_INT(vsm_repair_delay_take(d, seq, cut, &repairs), VSM_OK);
    return repairs != NULL;
}

/* With any lead that the queues allow, each decision comes exactly so many frames later, and once. */
static void test_always_as_late(void)
{
    for (int lead = 0; lead < DELAY; lead++) {
        struct vsm_repair_delay *d = NULL;

        CHECK_INT(vsm_repair_delay_create(&d), VSM_OK);
        for (int64_t seq = 0; seq < 4 * DELAY; seq++) {
            const int64_t from = seq - DELAY;

            CHECK(due(d, seq, false) == (from == 0 || from == 5 || from == 6));
            if (seq >= lead)
                post(d, seq - lead, false, seq - lead == 0 || seq - lead == 5 || seq - lead == 6);
        }
        vsm_repair_delay_destroy(d);
    }
}

static void test_too_late_is_an_error(void)
{
    const struct vsm_state_repairs *repairs;
    struct vsm_repair_delay *d = NULL;

    CHECK_INT(vsm_repair_delay_create(&d), VSM_OK);
    for (int64_t seq = 0; seq < DELAY; seq++)
        CHECK(!due(d, seq, false));
    CHECK_INT(vsm_repair_delay_take(d, DELAY, false, &repairs), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "frame 0 is not compared before frame 9 begins");
    vsm_repair_delay_destroy(d);
}

static void test_a_cut_drops_what_is_under_way(void)
{
    struct vsm_repair_delay *d = NULL;

    CHECK_INT(vsm_repair_delay_create(&d), VSM_OK);
    for (int64_t seq = 0; seq < 30; seq++) {
        CHECK(due(d, seq, seq == 10) == (seq == 12 + DELAY));
        post(d, seq, seq == 10, seq == 3 || seq == 9 || seq == 12);
    }
    vsm_repair_delay_destroy(d);
}

static struct vsm_state *save(struct vsm_repair_delay *d)
{
    struct vsm_state *state = vsm_state_create();

    CHECK_INT(vsm_repair_delay_save(d, state), VSM_OK);
    return state;
}

/* The taker is ahead when the poster saves; what goes on from there does what was done. */
static void test_resumed_it_is_the_same(void)
{
    for (int last = 3; last < 24; last++) {
        struct vsm_repair_delay *d = NULL, *resumed = NULL;
        struct vsm_state *state;
        bool expected[60] = {0};

        CHECK_INT(vsm_repair_delay_create(&d), VSM_OK);
        CHECK_INT(vsm_repair_delay_create(&resumed), VSM_OK);
        for (int64_t seq = 0; seq < 60; seq++) {
            expected[seq] = due(d, seq, seq == 11);
            if (seq >= 5)
                post(d, seq - 5, seq - 5 == 11, (seq - 5) % 4 == 2);
            if (seq - 5 != last)
                continue;
            state = save(d);
            CHECK_INT(vsm_repair_delay_restore(resumed, state, last + 1), VSM_OK);
            vsm_state_destroy(&state);
        }
        for (int64_t seq = last + 1; seq < 60; seq++) {
            CHECK(due(resumed, seq, seq == 11) == expected[seq]);
            post(resumed, seq, seq == 11, seq % 4 == 2);
        }
        vsm_repair_delay_destroy(d);
        vsm_repair_delay_destroy(resumed);
    }
}

static void test_records(void)
{
    struct vsm_repair_delay *d = NULL, *resumed = NULL;
    const struct vsm_state_repairs *repairs;
    struct vsm_rvm_state whole[2] = {{{0}}}, loaded[2] = {{{0}}};
    struct vsm_state_repairs made = make_repairs();
    const struct vsm_state_record *record;
    struct vsm_state *state, *damaged = vsm_state_create();

    CHECK_INT(vsm_repair_delay_create(&d), VSM_OK);
    CHECK_INT(vsm_repair_delay_create(&resumed), VSM_OK);
    post(d, 0, false, false);
    state = save(d);
    CHECK(vsm_state_find(state, "repairs") == NULL); /* nothing under way: no record */
    CHECK_INT(vsm_repair_delay_restore(resumed, state, 1), VSM_OK);
    vsm_state_destroy(&state);
    post(d, 1, false, true);
    state = save(d);
    record = vsm_state_find(state, "repairs");
    CHECK(record != NULL);
    CHECK_INT(vsm_repair_delay_restore(resumed, state, 2), VSM_OK);
    CHECK_INT(vsm_repair_delay_take(resumed, 1 + DELAY, false, &repairs), VSM_OK);
    make_states(whole);
    make_states(loaded);
    vsm_state_repairs_apply(&made, whole);
    if (repairs)
        vsm_state_repairs_apply(repairs, loaded);
    for (int level = 0; level < VSM_RVM_STATES; level++)
        CHECK(memcmp(whole[1].r[level]->data, loaded[1].r[level]->data,
                     vsm_tensor_bytes(whole[1].r[level])) == 0);
    CHECK_INT(vsm_state_add(damaged, "repairs", record->data, record->size / 2), VSM_OK);
    CHECK_INT(vsm_repair_delay_restore(resumed, damaged, 2), VSM_E_INPUT);
    CHECK_INT(vsm_repair_delay_restore(resumed, state, 40), VSM_E_INPUT); /* of frames long past */
    CHECK_HAS(vsm_error_message(), "\"repairs\" is damaged");
    drop_states(whole);
    drop_states(loaded);
    vsm_state_repairs_clear(&made);
    vsm_state_destroy(&state);
    vsm_state_destroy(&damaged);
    vsm_repair_delay_destroy(d);
    vsm_repair_delay_destroy(resumed);
}

int main(void)
{
    RUN(test_states_are_moved);
    RUN(test_other_views_do_not_fit);
    RUN(test_always_as_late);
    RUN(test_too_late_is_an_error);
    RUN(test_a_cut_drops_what_is_under_way);
    RUN(test_resumed_it_is_the_same);
    RUN(test_records);
    return tap_done();
}
