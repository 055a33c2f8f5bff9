/* People whom only the matter sees: what is taken for one, for how long, and that views turn there. */
#include "stages/view_evidence.h"

#include <string.h>

#define GRID 128

#include "view_sight.h"

/* Opaque in a rectangle of the eye, in cells, and in nothing else. */
static void see(struct sight *s, int eye, int x0, int y0, int x1, int y1)
{
    float *b = s->planes[eye];

    memset(b, 0, GRID * GRID * sizeof(*b));
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            b[y * GRID + x] = 1;
}

static void note(struct vsm_view_evidence *e, const struct sight *s, int times)
{
    for (int i = 0; i < times; i++)
        CHECK_INT(vsm_view_evidence_note(e, s->frame.mattes, 2, s->alpha), VSM_OK);
}

static void test_begins_and_ends(void)
{
    struct vsm_view_evidence e = {0};
    struct vsm_people people;
    struct sight s;

    sight_init(&s);
    note(&e, &s, 10);
    CHECK_INT(vsm_view_evidence_people(&e).count, 0);
    see(&s, VSM_LEFT, 80, 32, 112, 96);
    see(&s, VSM_RIGHT, 76, 32, 108, 96);
    note(&e, &s, VSM_VIEW_EVIDENCE_FRAMES - 1);
    CHECK_INT(vsm_view_evidence_people(&e).count, 0);
    note(&e, &s, 1);
    people = vsm_view_evidence_people(&e);
    CHECK(people.known && people.count == 1 && people.person[0].chosen);
    CHECK_NEAR(people.person[0].box[0].left, 80.0 / GRID, 0.03);
    CHECK_NEAR(people.person[0].box[0].bottom, 96.0 / GRID, 0.03);
    CHECK_NEAR(people.person[0].box[1].right, 108.0 / GRID, 0.03);
    see(&s, VSM_RIGHT, 0, 0, 0, 0); /* gone in one eye: the other's box */
    note(&e, &s, 1);
    CHECK_NEAR(vsm_view_evidence_people(&e).person[0].box[1].left, 80.0 / GRID, 0.03);
    see(&s, VSM_LEFT, 0, 0, 0, 0);
    note(&e, &s, 1);
    CHECK_INT(vsm_view_evidence_people(&e).count, 0);
}

/* Neither crumbs nor what is elsewhere in every frame. */
static void test_only_what_is_large_and_stays(void)
{
    struct vsm_view_evidence e = {0};
    struct sight s;
    float *b;

    sight_init(&s);
    b = s.planes[0];
    for (int i = 0; i < GRID * GRID; i++)
        b[i] = i / GRID % 16 < 4 && i % 16 < 4;
    note(&e, &s, 2 * VSM_VIEW_EVIDENCE_FRAMES);
    CHECK_INT(vsm_view_evidence_people(&e).count, 0);
    for (int i = 0; i < 3 * VSM_VIEW_EVIDENCE_FRAMES; i++) {
        see(&s, VSM_LEFT, i % 2 * 64, 32, i % 2 * 64 + 32, 96);
        note(&e, &s, 1);
    }
    CHECK_INT(vsm_view_evidence_people(&e).count, 0);
}

/* A director turns there, and back when a real person is seen elsewhere; saved and loaded, it knows as
 * much. */
static void test_views_turn_there(void)
{
    const struct vsm_view_director_options options = {
        .direct = direct, .eye_count = 2, .projection = VSM_RECTILINEAR, .follow = true, .sides = {GRID, 80}};
    struct vsm_view_director *d = NULL, *loaded = NULL;
    const struct vsm_view_choice *c = NULL;
    struct sight s;
    int frames = 0;

    sight_init(&s);
    see(&s, VSM_LEFT, 80, 32, 112, 96);
    see(&s, VSM_RIGHT, 80, 32, 112, 96);
    CHECK_INT(vsm_view_director_create(&options, &d), VSM_OK);
    CHECK_INT(vsm_view_director_create(&options, &loaded), VSM_OK);
    do {
        CHECK_INT(vsm_view_director_next(d, &s.frame, false, &c), VSM_OK);
        CHECK_INT(vsm_view_director_note(d, &s.frame, s.alpha), VSM_OK);
    } while (c->now.views[0].kind == VSM_VIEW_DIRECT && ++frames < 50);
    CHECK_INT(frames, VSM_VIEW_EVIDENCE_FRAMES);
    CHECK(c->now.views[0].yaw > 0.5 && c->now.views[0].yaw < 1.2);
    CHECK(c->keep_old);
    hand_over(d, loaded);
    CHECK_INT(vsm_view_director_next(loaded, &s.frame, false, &c), VSM_OK);
    CHECK(!c->changed && c->old.count == 2 && c->now.views[0].kind == VSM_VIEW_TURNED);
    CHECK_INT(vsm_view_director_next(loaded, &s.frame, true, &c), VSM_OK); /* a new scene: nobody is known */
    CHECK_INT(c->now.views[0].kind, VSM_VIEW_DIRECT);
    vsm_view_director_destroy(d);
    vsm_view_director_destroy(loaded);
}

int main(void)
{
    RUN(test_begins_and_ends);
    RUN(test_only_what_is_large_and_stays);
    RUN(test_views_turn_there);
    return tap_done();
}
