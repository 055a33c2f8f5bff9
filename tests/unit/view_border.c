/* Mattes that views cut: what counts, what is wished for because of it, and when that happens. */
#include "stages/view_border.h"
#include "geometry/view_map.h"

#include <math.h>

#define GRID 64

#include "view_sight.h"

#define DEGREE (M_PI / 180.0)

static struct vsm_person somebody(double yaw)
{
    struct vsm_person p = {.chosen = true, .score = 0.5f};

    for (int e = 0; e < 2; e++)
        p.box[e] = (struct vsm_person_box){(float)((yaw - 4) / 180 + 0.5), 0.48f,
                                           (float)((yaw + 4) / 180 + 0.5), 0.52f};
    return p;
}

/* Somebody known straight ahead. */
static void begin(struct sight *s)
{
    sight_init(s);
    s->frame.people.count = 1;
    s->frame.people.person[0] = somebody(0);
}

/* What `count` views see of a world that is opaque from `left` to `right` degrees and 20 up and down, in one
 * eye (`eyes` 1, 2) or both (3). */
static void see(struct sight *s, const struct vsm_view *views, int count, double left, double right, int eyes)
{
    s->frame.view_count = count;
    for (int i = 0; i < count; i++) {
        float *b = s->planes[i];
        struct vsm_view_map map;

        s->frame.mattes[i].view = views[i];
        CHECK_INT(vsm_view_map_init(&map, &views[i]), VSM_OK);
        for (int y = 0; y < views[i].height; y++) {
            for (int x = 0; x < views[i].width; x++) {
                double d[3] = {0, 0, -1}, yaw, pitch;

                (void)vsm_view_map_grid_to_direction(&map, x + 0.5, y + 0.5, d);
                yaw = atan2(d[0], d[2]) / DEGREE;
                pitch = asin(d[1]) / DEGREE;
                b[y * views[i].width + x] = (eyes & (1 << views[i].eye)) && yaw >= left && yaw <= right &&
                                            pitch >= -20 && pitch <= 20;
            }
        }
    }
}

static struct vsm_view turned(enum vsm_eye eye, double yaw, double field_of_view)
{
    struct vsm_view view = direct[eye];

    view.kind = VSM_VIEW_TURNED;
    view.projection = VSM_RECTILINEAR;
    view.field_of_view = field_of_view;
    view.yaw = yaw * DEGREE;
    return view;
}

static struct vsm_view_border noted(struct sight *s, const struct vsm_view *views, int count, double left,
                                    double right, int eyes)
{
    struct vsm_view_border border = {0};

    see(s, views, count, left, right, eyes);
    CHECK_INT(vsm_view_border_note(&border, &s->frame.people, s->frame.mattes, count, s->alpha), VSM_OK);
    return border;
}

static void test_what_counts(void)
{
    const struct vsm_view one[2] = {turned(VSM_LEFT, 0, 60), turned(VSM_RIGHT, 0, 60)};
    const struct vsm_view rim[2] = {turned(VSM_LEFT, -62, 60), turned(VSM_RIGHT, -62, 60)};
    const struct vsm_view two[4] = {turned(VSM_LEFT, 0, 60), turned(VSM_RIGHT, 0, 60),
                                    turned(VSM_LEFT, -40, 60), turned(VSM_RIGHT, -40, 60)};
    struct vsm_view_border border;
    struct sight s;

    begin(&s);
    CHECK(!noted(&s, one, 2, -25, 10, 3).active);
    for (int eyes = 1; eyes < 4; eyes++) {
        border = noted(&s, one, 2, -40, 10, eyes);
        CHECK(border.active);
        CHECK_NEAR(border.box.left, 0.5 - 30.0 / 180 - VSM_VIEW_BORDER_BEYOND, 0.01);
        CHECK_NEAR(border.box.right, 0.5 - 30.0 / 180, 0.02);
        CHECK(border.box.top < 0.42f && border.box.bottom > 0.58f);
    }
    CHECK(noted(&s, one, 2, -10, 40, 1).box.right > 0.5 + 30.0 / 180 + 0.02);
    CHECK(!noted(&s, direct, 2, -90, 90, 3).active);
    CHECK(!noted(&s, two, 4, -50, 10, 3).active); /* the other view sees on */
    CHECK(noted(&s, two, 4, -50, 40, 3).active);
    CHECK(!noted(&s, rim, 2, -90, -50, 3).active); /* only where the eye's picture ends */
    CHECK(noted(&s, rim, 2, -90, -20, 3).active);
    s.frame.people.person[s.frame.people.count++] = somebody(-31); /* who is to be removed */
    s.frame.people.person[1].chosen = false;
    for (int e = 0; e < 2; e++) {
        s.frame.people.person[1].box[e].top = 0.3f;
        s.frame.people.person[1].box[e].bottom = 0.7f;
    }
    CHECK(!noted(&s, one, 2, -40, 10, 3).active);
}

static void test_stays_and_ends(void)
{
    const struct vsm_view one[2] = {turned(VSM_LEFT, 0, 60), turned(VSM_RIGHT, 0, 60)};
    const struct vsm_view wide[2] = {turned(VSM_LEFT, 0, 100), turned(VSM_RIGHT, 0, 100)};
    struct vsm_view_border border;
    struct vsm_people people;
    struct sight s;

    begin(&s);
    border = noted(&s, one, 2, -33, 10, 3);
    people = vsm_view_border_people(&border, &s.frame.people);
    CHECK_INT(people.count, 2);
    CHECK(people.person[1].chosen && people.person[1].score == 0.5f);
    s.frame.people.count = VSM_MAX_PEOPLE; /* no room for more */
    people = vsm_view_border_people(&border, &s.frame.people);
    CHECK_INT(people.count, VSM_MAX_PEOPLE);
    CHECK(people.person[0].box[1].left <= border.box.left);
    s.frame.people.count = 1;
    see(&s, wide, 2, -33, 10, 3);
    for (int i = 0; i < 10; i++)
        CHECK_INT(vsm_view_border_note(&border, &s.frame.people, s.frame.mattes, 2, s.alpha), VSM_OK);
    CHECK(border.active);
    see(&s, wide, 2, -10, 10, 3);
    for (int i = 0; i < VSM_VIEW_BORDER_QUIET; i++) {
        CHECK(border.active);
        CHECK_INT(vsm_view_border_note(&border, &s.frame.people, s.frame.mattes, 2, s.alpha), VSM_OK);
    }
    CHECK(!border.active);
}

static struct vsm_view_director *make(void)
{
    const struct vsm_view_director_options options = {.direct = direct,
                                                      .eye_count = 2,
                                                      .projection = VSM_RECTILINEAR,
                                                      .follow = true,
                                                      .sides = {GRID, GRID / 2}};
    struct vsm_view_director *d = NULL;

    CHECK_INT(vsm_view_director_create(&options, &d), VSM_OK);
    return d;
}

/* One frame as a device has it, which cannot see a frame twice. */
static const struct vsm_view_choice *step(struct vsm_view_director *d, struct sight *s, double left,
                                          double right)
{
    const struct vsm_view_choice *c = NULL;

    CHECK_INT(vsm_view_director_next(d, &s->frame, false, &c), VSM_OK);
    see(s, c->now.views, c->now.count, left, right, 3);
    CHECK_INT(vsm_view_director_note(d, &s->frame, s->alpha), VSM_OK);
    return c;
}

static bool whole(const struct vsm_view_choice *c, double left)
{
    const struct vsm_view *view = &c->now.views[0];

    return view->yaw / DEGREE - 0.5 * view->field_of_view <= left;
}

static void test_next_view_is_wider(void)
{
    struct vsm_view_director *d = make();
    const struct vsm_view_choice *c;
    double width;
    struct sight s;

    begin(&s);
    c = step(d, &s, -10, 10);
    width = c->now.views[0].field_of_view;
    for (int i = 0; i < 30; i++)
        CHECK(!step(d, &s, -0.4 * width, 10)->changed);
    for (int i = 0; i < VSM_VIEW_DIRECTOR_HURRY; i++) /* seen first in the frame before */
        CHECK(!step(d, &s, -0.6 * width, 10)->changed);
    c = step(d, &s, -0.6 * width, 10);
    CHECK(c->changed && c->replaced && whole(c, -0.6 * width));
    for (int i = 0; i < 60; i++)
        CHECK(!step(d, &s, -0.6 * width, 10)->replaced);
    for (int i = 0; i < VSM_VIEW_DIRECTOR_PATIENCE + VSM_VIEW_BORDER_QUIET + 2; i++)
        c = step(d, &s, -10, 10);
    CHECK_NEAR(c->now.views[0].field_of_view, width, 1e-9); /* nobody there any more */
    vsm_view_director_destroy(d);
    d = make();
    step(d, &s, -0.6 * width, 10);
    c = step(d, &s, -0.6 * width, 10); /* a scene's second frame: at once */
    CHECK(c->changed && whole(c, -0.6 * width));
    vsm_view_director_destroy(d);
}

static void test_first_frame_is_judged(void)
{
    struct vsm_view_director *d = make();
    const struct vsm_view_choice *c = NULL;
    struct sight s;
    bool again = true;
    int tries = 0;

    begin(&s);
    CHECK_INT(vsm_view_director_next(d, &s.frame, false, &c), VSM_OK);
    see(&s, c->now.views, 2, -10, 10, 3);
    CHECK_INT(vsm_view_director_judge(d, &s.frame, s.alpha, &again), VSM_OK);
    CHECK(!again);
    do {
        see(&s, c->now.views, c->now.count, -35, 10, 3);
        CHECK_INT(vsm_view_director_judge(d, &s.frame, s.alpha, &again), VSM_OK);
        CHECK(!again || (c->changed && !c->replaced && c->old.count == 0 && c->weight == 1));
        tries += again;
    } while (again && tries < 10);
    CHECK(tries >= 1 && tries <= VSM_VIEW_DIRECTOR_TRIES);
    CHECK(whole(c, -35));
    CHECK_INT(vsm_view_director_note(d, &s.frame, s.alpha), VSM_OK);
    CHECK(!step(d, &s, -35, 10)->changed);
    see(&s, c->now.views, c->now.count, -80, 10, 3);
    CHECK_INT(vsm_view_director_judge(d, &s.frame, s.alpha, &again), VSM_OK);
    CHECK(!again); /* not the first frame any more */
    vsm_view_director_destroy(d);
}

/* Saved anywhere and loaded into a new director: the same choices from there on. */
static void test_resumes_exactly(void)
{
    for (int stop = 1; stop < 50; stop += stop < 16 ? 1 : 5) {
        struct vsm_view_director *a = make(), *b = make();
        struct sight s, t;
        bool same = true;

        begin(&s);
        begin(&t);
        for (int i = 0; i < 50; i++) {
            const double left = i < 4 || i > 20 ? -10 : -35;
            const struct vsm_view_choice *x, *y;

            if (i == stop)
                hand_over(a, b);
            x = step(a, &s, left, 10);
            if (i < stop)
                continue;
            y = step(b, &t, left, 10);
            same = same && same_choice(x, y);
        }
        CHECK(same);
        CHECK(vsm_view_director_counters(a).changes >= 2);
        vsm_view_director_destroy(a);
        vsm_view_director_destroy(b);
    }
}

int main(void)
{
    RUN(test_what_counts);
    RUN(test_stays_and_ends);
    RUN(test_next_view_is_wider);
    RUN(test_first_frame_is_judged);
    RUN(test_resumes_exactly);
    return tap_done();
}
