/* Which views are chosen over time, and what becomes of recurrent states when they change. */
#include "stages/view_director.h"
#include "base/mem.h"
#include "models/rvm_turn.h"

#include "view_choice.h"

#include <math.h>
#include <string.h>

#define DEGREE (M_PI / 180.0)
#define GRID   64

static const struct vsm_view direct[2] = {
    {.eye = VSM_LEFT, .source = {0, 0, 256, 256}, .width = 96, .height = 96},
    {.eye = VSM_RIGHT, .source = {256, 0, 256, 256}, .width = 96, .height = 96},
};

static struct vsm_view_director *make(bool always, bool follow)
{
    struct vsm_view_director_options options = {.direct = direct,
                                                .eye_count = 2,
                                                .projection = VSM_RECTILINEAR,
                                                .always = always,
                                                .follow = follow,
                                                .sides = {GRID, GRID * 2 / 3}};
    struct vsm_view_director *director = NULL;

    CHECK_INT(vsm_view_director_create(&options, &director), VSM_OK);
    return director;
}

static void add(struct vsm_frame *frame, double yaw)
{
    struct vsm_person *p = &frame->people.person[frame->people.count++];

    p->chosen = true;
    for (int e = 0; e < 2; e++)
        p->box[e] = (struct vsm_person_box){(float)((yaw - 10) / 180 + 0.5), 0.4f,
                                            (float)((yaw + 10) / 180 + 0.5), 0.6f};
}

static struct vsm_frame frame_with(int count, double a, double b)
{
    struct vsm_frame frame = {.people.known = true};

    if (count > 0)
        add(&frame, a);
    if (count > 1)
        add(&frame, b);
    return frame;
}

static const struct vsm_view_choice *next(struct vsm_view_director *director, struct vsm_frame frame,
                                          bool cut)
{
    const struct vsm_view_choice *choice = NULL;

    CHECK_INT(vsm_view_director_next(director, &frame, cut, &choice), VSM_OK);
    return choice;
}

static double yaw_of(const struct vsm_view_choice *choice)
{
    return choice->now.views[0].yaw / DEGREE;
}

static void test_first_frame(void)
{
    struct vsm_view_director *d = make(false, true);
    const struct vsm_view_choice *c = next(d, frame_with(0, 0, 0), false);

    CHECK(c->changed);
    CHECK_INT(c->now.count, 2);
    CHECK_INT(c->now.views[0].kind, VSM_VIEW_DIRECT);
    CHECK(!c->now.inverse[0]);
    c = next(d, frame_with(1, 20, 0), false); /* the first person: at once */
    CHECK(c->changed);
    CHECK_INT(c->now.views[0].kind, VSM_VIEW_TURNED);
    CHECK_INT(c->now.views[1].eye, VSM_RIGHT);
    CHECK_NEAR(yaw_of(c), 20, 0.5);
    CHECK_NEAR(c->now.views[0].yaw, c->now.views[1].yaw, 0);
    CHECK_NEAR(c->now.views[0].pitch, c->now.views[1].pitch, 0);
    CHECK(c->now.inverse[0] && c->now.inverse[1] && c->now.inverse_step[0] > 0);
    CHECK(!next(d, frame_with(1, 20, 0), false)->changed);
    vsm_view_director_destroy(d);
    d = make(true, true); /* asked for: also where nobody is */
    c = next(d, frame_with(0, 0, 0), false);
    CHECK_INT(c->now.views[0].kind, VSM_VIEW_TURNED);
    CHECK_NEAR(yaw_of(c), 0, 1e-9);
    vsm_view_director_destroy(d);
}

static void test_wide_views_are_fisheyes(void)
{
    for (int always = 0; always < 2; always++) {
        struct vsm_view_director *d = make(always, true);
        const struct vsm_view_choice *c = next(d, frame_with(2, -40, 40), false);

        CHECK_INT(c->now.count, 2);
        CHECK(c->now.views[0].field_of_view > VSM_VIEW_PLACE_USUAL);
        for (int i = 0; i < 2; i++)
            CHECK_INT(c->now.views[i].projection, always ? VSM_RECTILINEAR : VSM_FISHEYE);
        CHECK_INT(vsm_view_director_counters(d).missed, 0);
        c = next(d, frame_with(1, 20, 0), true);
        CHECK(c->now.views[0].field_of_view <= VSM_VIEW_PLACE_USUAL);
        CHECK_INT(c->now.views[0].projection, VSM_RECTILINEAR);
        vsm_view_director_destroy(d);
    }
}

static void test_dead_zone_and_speed(void)
{
    struct vsm_view_director *d = make(false, true);
    int frames = 0;
    double before, largest = 0;

    next(d, frame_with(1, 0, 0), false);
    for (int i = 0; i < 30; i++)
        CHECK(!next(d, frame_with(1, 9, 0), false)->changed);
    before = yaw_of(vsm_view_director_choice(d));
    for (; frames < 200 && fabs(yaw_of(next(d, frame_with(1, 30, 0), false)) - 30) > 1.5; frames++) {
        largest = fmax(largest, fabs(yaw_of(vsm_view_director_choice(d)) - before));
        before = yaw_of(vsm_view_director_choice(d));
    }
    CHECK(largest <= VSM_VIEW_DIRECTOR_HASTE + 0.01);
    CHECK(frames > 15 && frames < 60);
    for (int i = 0; i < 6; i++)
        next(d, frame_with(1, 30, 0), false);
    for (int i = 0; i < 30; i++) /* arrived: at rest again */
        CHECK(!next(d, frame_with(1, 30 + i % 8, 0), false)->changed);
    vsm_view_director_destroy(d);
}

static void test_patience_and_cuts(void)
{
    struct vsm_view_director *d = make(false, true);
    const struct vsm_view_choice *c = next(d, frame_with(1, 0, 0), false);

    for (int i = 0; i < VSM_VIEW_DIRECTOR_PATIENCE - 1; i++) /* wider, but nobody is outside */
        CHECK(!next(d, frame_with(2, -22, 22), false)->changed);
    CHECK(next(d, frame_with(2, -22, 22), false)->replaced);
    for (int i = 0; i < VSM_VIEW_DIRECTOR_FADE; i++)
        next(d, frame_with(2, -22, 22), false);
    c = next(d, frame_with(2, -60, 60), false); /* both are outside the view */
    CHECK_INT(c->now.count, 4);
    CHECK_INT(c->now.views[2].eye, VSM_LEFT);
    CHECK_INT(c->now.views[3].width, GRID * 2 / 3);
    CHECK(c->now.views[0].yaw < c->now.views[2].yaw);
    for (int i = 0; i < VSM_VIEW_DIRECTOR_PATIENCE - 1; i++)
        CHECK_INT(next(d, frame_with(0, 0, 0), false)->now.count, 4);
    c = next(d, frame_with(0, 0, 0), false);
    CHECK_INT(c->now.views[0].kind, VSM_VIEW_DIRECT);
    c = next(d, frame_with(1, 40, 0), true); /* a new scene: at once */
    CHECK_INT(c->now.views[0].kind, VSM_VIEW_TURNED);
    CHECK_INT(vsm_view_director_counters(d).changes, 4);
    vsm_view_director_destroy(d);
    d = make(false, false);
    next(d, frame_with(1, 0, 0), false);
    for (int i = 0; i < 100; i++)
        CHECK(!next(d, frame_with(1, 40, 0), false)->changed);
    vsm_view_director_destroy(d);
}

/* Somebody doubtful comes and goes at the edge of the view, `on` frames of `period`, while somebody is sure
 * to be in its middle and, with `ghost`, a box that no views are placed for stays outside: the changes. */
static int changes_by_flicker(int on, int period, bool ghost)
{
    struct vsm_view_director *d = make(false, true);
    struct vsm_view_director_counters counters;

    next(d, frame_with(1, 0, 0), false);
    for (int i = 0; i < 120; i++) {
        struct vsm_frame frame = frame_with(1, 0, 0);

        if (i % period < on)
            add(&frame, 75);
        for (int k = 0; k < frame.people.count; k++)
            frame.people.person[k].score = k == 0 ? 0.6f : 1.1f * VSM_VIEW_PLACE_SURE;
        if (ghost) {
            add(&frame, -75);
            frame.people.person[frame.people.count - 1].score = 0.5f * VSM_VIEW_PLACE_SURE;
        }
        next(d, frame, false);
    }
    counters = vsm_view_director_counters(d);
    vsm_view_director_destroy(d);
    return (int)counters.changes;
}

static void test_flicker_does_not_swing(void)
{
    for (int ghost = 0; ghost < 2; ghost++) {
        CHECK_INT(changes_by_flicker(1, 4, ghost), 1);
        CHECK_INT(changes_by_flicker(4, 8, ghost), 1);
        CHECK_INT(changes_by_flicker(4, 4 + VSM_VIEW_DIRECTOR_PATIENCE - 1, ghost), 1);
        CHECK_INT(changes_by_flicker(4, 40, ghost), 6); /* 36 frames without him: there and back each time */
    }
}

/* Who is told by one eye only, and who stands elsewhere in each: both eyes look the same way,
 * and see all of it. */
static void test_eyes_that_disagree(void)
{
    static const float places[][2] = {{0.3f, 0.45f}, {0.3f, 0.8f}, {0.1f, 0.9f}};

    for (int i = 0; i < 3; i++) {
        struct vsm_view_director *d = make(false, true);
        struct vsm_frame frame = frame_with(1, 0, 0);
        struct vsm_person *p = &frame.people.person[0];
        const struct vsm_view_choice *c;

        p->match = 0;
        for (int e = 0; e < 2; e++) {
            p->box[e].left = places[i][e] - 0.05f;
            p->box[e].right = places[i][e] + 0.05f;
        }
        c = next(d, frame, false);
        CHECK_INT(c->now.count, i == 2 ? 4 : 2);
        for (int k = 0; k < c->now.count; k += 2) {
            CHECK(c->now.views[k].eye == VSM_LEFT && c->now.views[k + 1].eye == VSM_RIGHT);
            CHECK_NEAR(c->now.views[k].yaw, c->now.views[k + 1].yaw, 0);
            CHECK_NEAR(c->now.views[k].pitch, c->now.views[k + 1].pitch, 0);
            CHECK_NEAR(c->now.views[k].field_of_view, c->now.views[k + 1].field_of_view, 0);
        }
        CHECK_INT(vsm_view_director_counters(d).missed, 0);
        p->box[1].right = p->box[1].left; /* the right eye has nobody there: the left one's place counts */
        CHECK_INT(next(d, frame, false)->now.count, c->now.count);
        vsm_view_director_destroy(d);
    }
}

static void test_fades(void)
{
    struct vsm_view_director *d = make(false, true);
    const struct vsm_view_choice *c = next(d, frame_with(0, 0, 0), false);

    CHECK(c->old.count == 0 && c->weight == 1 && !c->keep_old && !c->replaced);
    c = next(d, frame_with(1, -60, 0), false);
    CHECK(c->replaced && c->keep_old); /* the direct view sees more */
    CHECK_INT(c->old.count, 2);
    CHECK_INT(c->old.views[1].kind, VSM_VIEW_DIRECT);
    CHECK_NEAR(c->weight, 1.0 / (VSM_VIEW_DIRECTOR_FADE + 1), 1e-6);
    for (int i = 1; i < VSM_VIEW_DIRECTOR_FADE; i++) {
        c = next(d, frame_with(1, -60, 0), false);
        CHECK(!c->replaced && c->old.count == 2);
        CHECK_NEAR(c->weight, (i + 1.0) / (VSM_VIEW_DIRECTOR_FADE + 1), 1e-6);
    }
    c = next(d, frame_with(1, -60, 0), false);
    CHECK(c->old.count == 0 && c->weight == 1 && !c->keep_old);
    c = next(d, frame_with(2, -60, 60), false);
    CHECK(c->replaced && !c->keep_old);
    CHECK_INT(c->now.count, 4);
    CHECK_INT(c->old.count, 2);
    CHECK(c->old.inverse[0] && c->now.inverse[3]);
    CHECK_NEAR(c->weight, 1.0 / (VSM_VIEW_DIRECTOR_FADE + 1), 1e-6);
    for (int i = 1; i < 3; i++) /* quickly, for the second one is seen by the new views only */
        CHECK_NEAR(next(d, frame_with(2, -60, 60), false)->weight,
                   (3.0 * i + 1.0) / (VSM_VIEW_DIRECTOR_FADE + 1), 1e-6);
    CHECK_INT(next(d, frame_with(2, -60, 60), false)->old.count, 0);
    c = next(d, frame_with(0, 0, 0), true);
    c = next(d, frame_with(1, -60, 0), false);
    CHECK(c->replaced);
    c = next(d, frame_with(1, 0, 0), true); /* nothing fades over a cut */
    CHECK(c->changed && !c->replaced && c->old.count == 0 && c->weight == 1);
    vsm_view_director_destroy(d);
    d = make(true, true);
    next(d, frame_with(0, 0, 0), false);
    CHECK(
        next(d, frame_with(1, -70, 0), false)->replaced); /* the first one, outside the view straight ahead */
    CHECK_NEAR(next(d, frame_with(1, -70, 0), false)->weight, 4.0 / (VSM_VIEW_DIRECTOR_FADE + 1), 1e-6);
    vsm_view_director_destroy(d);
}

static void test_missed_people_are_counted(void)
{
    static const int64_t indices[] = {7, 8, 11};
    struct vsm_view_director *d = make(false, false), *loaded = make(false, false);
    struct vsm_view_director_counters c;
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;

    next(d, frame_with(1, 0, 0), false);
    CHECK_INT(vsm_view_director_counters(d).stretch_count, 0);
    for (int i = 0; i < 3; i++) {
        struct vsm_frame frame = frame_with(2, 0, 80);

        frame.index = indices[i];
        next(d, frame, false);
    }
    vsm_view_director_save(d, &out);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_view_director_load(loaded, &in), VSM_OK);
    c = vsm_view_director_counters(loaded);
    CHECK_INT(c.missed, 3);
    CHECK_INT(c.turned, 4);
    CHECK_INT(c.stretch_count, 2);
    CHECK(c.stretches[0].first == 7 && c.stretches[0].last == 8);
    CHECK(c.stretches[1].first == 11 && c.stretches[1].last == 11);
    out.data[out.size - 2 * 16 - 4] = VSM_VIEW_DIRECTOR_STRETCHES + 1; /* their number */
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_view_director_load(loaded, &in), VSM_E_INPUT);
    vsm_mem_free(out.data);
    for (int i = 0; i < 100; i++) { /* more than are listed */
        struct vsm_frame frame = frame_with(2, 0, 80);

        frame.index = 20 + 2 * i;
        next(d, frame, false);
    }
    c = vsm_view_director_counters(d);
    CHECK_INT(c.missed, 103);
    CHECK_INT(c.stretch_count, VSM_VIEW_DIRECTOR_STRETCHES);
    vsm_view_director_destroy(d);
    vsm_view_director_destroy(loaded);
}

/* Saved anywhere and loaded into a new director: the same choices from there on. */
static void test_resumes_exactly(void)
{
    for (int stop = 0; stop < 90; stop += 7) {
        struct vsm_view_director *a = make(false, true), *b = make(false, true);
        bool same = true;

        for (int i = 0; i < 110; i++) {
            struct vsm_frame frame = i < 60 ? frame_with(1, i, 0) : frame_with(2, -50, 50);
            const struct vsm_view_choice *x, *y;

            if (i == stop)
                hand_over(a, b);
            x = next(a, frame, false);
            if (i < stop)
                continue;
            y = next(b, frame, false);
            same = same && same_choice(x, y);
        }
        CHECK(same);
        vsm_view_director_destroy(a);
        vsm_view_director_destroy(b);
    }
}

/* Counts of frames that no director has. */
static void test_damaged_state_is_refused(void)
{
    static const size_t placement = 4 + VSM_VIEW_PLACE_MAX * 3 * 8, counters = 4 * 8 + 4;
    struct vsm_view_director *d = make(false, true), *loaded = make(false, true);
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;
    size_t top[2]; /* last byte of the patience, and of a view's pace */

    next(d, frame_with(1, 0, 0), false);
    vsm_view_director_save(d, &out);
    top[0] = 2 + 3 * placement + 3;
    top[1] = out.size - counters - 1;
    for (int i = 0; i < 2; i++) {
        out.data[top[i]] = 0x80;
        in = vsm_bytes_in_of(out.data, out.size);
        CHECK_INT(vsm_view_director_load(loaded, &in), VSM_E_INPUT);
        out.data[top[i]] = 0;
    }
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_view_director_load(loaded, &in), VSM_OK);
    out.data[top[0] - 3] = VSM_VIEW_DIRECTOR_PATIENCE + 1;
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_view_director_load(loaded, &in), VSM_E_INPUT);
    vsm_mem_free(out.data);
    vsm_view_director_destroy(d);
    vsm_view_director_destroy(loaded);
}

static struct vsm_view_map map_of(double yaw, int grid)
{
    struct vsm_view view = direct[0];
    struct vsm_view_map map = {0};

    view.kind = VSM_VIEW_TURNED;
    view.width = view.height = grid;
    view.projection = VSM_RECTILINEAR;
    view.field_of_view = 100;
    view.yaw = yaw * DEGREE;
    CHECK_INT(vsm_view_map_init(&map, &view), VSM_OK);
    return map;
}

/* A feature that is a smooth function of direction; 1 + where nothing was known. */
static float feature(const struct vsm_view_map *map, const struct vsm_tensor *level, int64_t channel,
                     int64_t y, int64_t x)
{
    double d[3] = {0, 0, 0};

    CHECK(vsm_view_map_grid_to_direction(map, ((double)x + 0.5) * map->width / (double)level->dims[2],
                                         ((double)y + 0.5) * map->height / (double)level->dims[1], d));
    return (float)(2 + d[0] + 0.5 * d[1] * (double)(channel % 3));
}

static struct vsm_rvm_state state_of(const struct vsm_view_map *map)
{
    static const int64_t channels[] = {16, 20, 40, 64};
    struct vsm_rvm_state state = {0};

    for (int l = 0; l < VSM_RVM_STATES; l++) {
        int64_t side = map->width >> (l + 1);
        float *at;

        state.r[l] = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){channels[l], side, side});
        at = vsm_tensor_f32(state.r[l]);
        for (int64_t i = 0; i < vsm_tensor_count(state.r[l]); i++)
            at[i] = feature(map, state.r[l], i / (side * side), i / side % side, i % side);
    }
    return state;
}

static void test_states_turn_with_the_view(void)
{
    struct vsm_view_map old = map_of(0, 64), new = map_of(30, 128);
    struct vsm_rvm_state from = state_of(&old), to = {0}, *out[1] = {&to};
    const struct vsm_rvm_state *list[1] = {&from};
    long known = 0, unknown = 0;
    double worst = 0;

    CHECK_INT(vsm_rvm_state_turn(list, &old, 1, &new, 1, out), VSM_OK);
    for (int l = 0; l < VSM_RVM_STATES; l++) {
        int64_t side = new.width >> (l + 1);

        CHECK_INT(to.r[l]->dims[1], side);
        for (int64_t i = 0; i < vsm_tensor_count(to.r[l]); i++) {
            float got = vsm_tensor_f32(to.r[l])[i];

            unknown += got == 0;
            known += got != 0;
            if (got != 0 && l < 2)
                worst =
                    fmax(worst,
                         fabs(got - feature(&new, to.r[l], i / (side * side), i / side % side, i % side)));
        }
    }
    CHECK(worst < 0.06); /* half a cell at the old edges */
    CHECK(known > unknown && unknown > 0);
    vsm_rvm_state_reset(&to);
    CHECK_INT(vsm_rvm_state_turn(list, &old, 0, &new, 1, out), VSM_OK);
    CHECK(!to.r[0]);
    vsm_rvm_state_reset(&from);
    CHECK_INT(vsm_rvm_state_turn(list, &old, 1, &new, 1, out), VSM_OK);
    CHECK(!to.r[0]);
}

static void test_states_of_the_same_view_stay(void)
{
    struct vsm_view_map map = map_of(10, 64);
    struct vsm_rvm_state from = state_of(&map), to = {0}, *out[1] = {&to};
    const struct vsm_rvm_state *list[2] = {&from, &from};
    struct vsm_view_map maps[2] = {map, map};
    double worst = 0;

    CHECK_INT(vsm_rvm_state_turn(list, maps, 2, &map, 1, out), VSM_OK);
    for (int l = 0; l < VSM_RVM_STATES; l++)
        for (int64_t i = 0; i < vsm_tensor_count(to.r[l]); i++)
            worst = fmax(worst, fabsf(vsm_tensor_f32(to.r[l])[i] - vsm_tensor_f32(from.r[l])[i]));
    CHECK(worst < 1e-5);
    vsm_rvm_state_reset(&from);
    vsm_rvm_state_reset(&to);
}

/* Two views of an eye turn at once, in the memory that their states had, unless somebody else has it too. */
static void test_states_turn_in_place(void)
{
    struct vsm_view_map old[2] = {map_of(-40, 64), map_of(20, 64)},
                        new[2] = {map_of(-30, 64), map_of(10, 64)};
    struct vsm_rvm_state states[2] = {state_of(&old[0]), state_of(&old[1])}, apart[2] = {{{0}}, {{0}}},
                         held = {{0}};
    const struct vsm_rvm_state *list[2] = {&states[0], &states[1]};
    struct vsm_rvm_state *out[2] = {&apart[0], &apart[1]}, *same[2] = {&states[0], &states[1]};
    const void *const memory = states[0].r[0]->data;

    vsm_rvm_state_share(&held, &states[1]);
    CHECK_INT(vsm_rvm_state_turn(list, old, 2, new, 2, out), VSM_OK);
    CHECK_INT(vsm_rvm_state_turn(list, old, 2, new, 2, same), VSM_OK);
    CHECK(states[0].r[0]->data == memory && states[1].r[0] != held.r[0]);
    for (int k = 0; k < 2; k++) {
        for (int l = 0; l < VSM_RVM_STATES; l++)
            CHECK(memcmp(states[k].r[l]->data, apart[k].r[l]->data, vsm_tensor_bytes(apart[k].r[l])) == 0);
        vsm_rvm_state_reset(&states[k]);
        vsm_rvm_state_reset(&apart[k]);
    }
    vsm_rvm_state_reset(&held);
}

int main(void)
{
    RUN(test_first_frame);
    RUN(test_wide_views_are_fisheyes);
    RUN(test_dead_zone_and_speed);
    RUN(test_patience_and_cuts);
    RUN(test_flicker_does_not_swing);
    RUN(test_eyes_that_disagree);
    RUN(test_fades);
    RUN(test_missed_people_are_counted);
    RUN(test_resumes_exactly);
    RUN(test_damaged_state_is_refused);
    RUN(test_states_turn_with_the_view);
    RUN(test_states_of_the_same_view_stay);
    RUN(test_states_turn_in_place);
    return tap_done();
}
