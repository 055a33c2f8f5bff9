#include "people/roster.h"
#include "tap.h"

#include <math.h>

static struct vsm_roster_sighting at(float x, float y, float width, float height, float score)
{
    return (struct vsm_roster_sighting){.box = {x - 0.5f * width, y - 0.5f * height, x + 0.5f * width,
                                                y + 0.5f * height},
                                        .score = score};
}

static const float no_guess[VSM_ROSTER_SIZE];

/* `frames` later one detection of `count` sightings. */
static void look(struct vsm_roster *r, int frames, const struct vsm_roster_sighting *sightings, int count)
{
    for (int i = 0; i < frames; i++)
        vsm_roster_step(r, NULL);
    vsm_roster_see(r, sightings, count, no_guess, 0.2f);
}

static const struct vsm_roster_person *find(const struct vsm_roster *r, int id)
{
    for (int i = 0; i < r->count; i++) {
        if (r->person[i].id == id)
            return &r->person[i];
    }
    return NULL;
}

static float middle(const struct vsm_roster_person *p)
{
    const struct vsm_person_box box = vsm_roster_box(p);

    return 0.5f * (box.left + box.right);
}

static void test_first_and_faint(void)
{
    struct vsm_roster r = {0};
    struct vsm_roster_sighting s[] = {at(0.3f, 0.5f, 0.1f, 0.4f, 0.5f), at(0.7f, 0.5f, 0.1f, 0.4f, 0.16f)};

    vsm_roster_see(&r, s, 2, no_guess, 0.15f);
    CHECK_INT(r.count, 2);
    look(&r, 8, s, 2);
    CHECK_INT(r.count, 2);
    CHECK(find(&r, 2) && find(&r, 2)->seen == 2);
    s[1] = at(0.5f, 0.2f, 0.1f, 0.2f, 0.19f); /* somebody new, but too faint to be believed */
    look(&r, 8, s, 2);
    CHECK_INT(r.count, 2);
    s[1].score = 0.2f;
    look(&r, 8, s, 2);
    CHECK_INT(r.count, 3);
    CHECK(find(&r, 3) != NULL);
}

/* Constant speed: the box keeps up between detections, and never jumps. */
static void test_follows_without_jumps(void)
{
    struct vsm_roster r = {0};
    float largest = 0.0f, error = 0.0f, last = 0.2f;

    for (int frame = 0; frame <= 96; frame++) {
        const float x = 0.2f + 0.005f * (float)frame;
        const struct vsm_roster_sighting s = at(x, 0.5f, 0.1f, 0.5f, 0.6f);

        if (frame > 0)
            vsm_roster_step(&r, NULL);
        if (frame % 8 == 0)
            vsm_roster_see(&r, &s, 1, no_guess, 0.2f);
        largest = fmaxf(largest, fabsf(middle(&r.person[0]) - last));
        last = middle(&r.person[0]);
        if (frame > 24)
            error = fmaxf(error, fabsf(last - x));
    }
    CHECK_INT(r.count, 1);
    CHECK_INT(r.last_id, 1);
    CHECK(largest < 0.02f);
    CHECK(error < 0.01f);
    if (error >= 0.01f || largest >= 0.02f)
        printf("# error %.4f, largest step %.4f\n", (double)error, (double)largest);
}

/* Two people cross; while one hides the other only one box is found. */
static void test_crossing(void)
{
    struct vsm_roster r = {0};

    for (int frame = 0; frame <= 96; frame++) {
        const float a = 0.2f + 0.006f * (float)frame, b = 0.8f - 0.006f * (float)frame;
        struct vsm_roster_sighting s[] = {at(a, 0.5f, 0.16f, 0.7f, 0.6f), at(b, 0.5f, 0.1f, 0.45f, 0.5f)};

        s[0].parallax = 0.04f;
        s[1].parallax = 0.015f;
        s[0].match = s[1].match = 0.8f;
        if (frame > 0)
            vsm_roster_step(&r, NULL);
        if (frame % 8 == 0)
            vsm_roster_see(&r, s, fabsf(a - b) < 0.08f ? 1 : 2, no_guess, 0.2f);
    }
    CHECK_INT(r.last_id, 2);
    CHECK(find(&r, 1) && middle(find(&r, 1)) > 0.7f);
    CHECK(find(&r, 2) && middle(find(&r, 2)) < 0.3f);
}

/* A picture of 100 x 100 in `colour`, darker by `light`, with a little texture. */
static const float *paint(const float colour[3], float light)
{
    static float rgb[3 * 100 * 100];

    for (int i = 0; i < 3 * 10000; i++)
        rgb[i] = colour[i / 10000] * light * (0.9f + 0.2f * (float)(i % 7) / 6.0f);
    return rgb;
}

static struct vsm_looks looks_of(const float colour[3], float light)
{
    const struct vsm_person_box box = {0.3f, 0.1f, 0.7f, 0.9f};

    return vsm_looks_at(paint(colour, light), 100, 100, &box, 1, 0);
}

static const float red[3] = {0.7f, 0.3f, 0.3f}, blue[3] = {0.3f, 0.4f, 0.7f};

static void test_looks(void)
{
    const struct vsm_looks a = looks_of(red, 1.0f), dark = looks_of(red, 0.93f), b = looks_of(blue, 1.0f);
    const struct vsm_person_box boxes[3] = {{0.3f, 0.1f, 0.7f, 0.9f},
                                            {0.35f, 0.1f, 0.75f, 0.9f},
                                            {0.5f, 0.5f, 0.51f, 0.51f}};
    struct vsm_looks c = vsm_looks_at(paint(red, 1.0f), 100, 100, boxes, 1, 0), none = {0};

    CHECK(a.clear == 1.0f && fabsf(vsm_looks_likeness(&a, &a) - 1.0f) < 1e-4f);
    CHECK(vsm_looks_likeness(&a, &dark) > 0.85f); /* a cloud */
    CHECK(vsm_looks_likeness(&a, &b) < 0.6f);
    CHECK(vsm_looks_at(paint(red, 1.0f), 100, 100, boxes, 2, 0).clear == 0.0f); /* hidden */
    CHECK(vsm_looks_at(paint(red, 1.0f), 100, 100, boxes, 3, 2).clear == 0.0f); /* too small */
    vsm_looks_learn(&c, &none, 0.5f);
    CHECK(vsm_looks_likeness(&a, &c) > 0.999f);
    for (int i = 0; i < 20; i++)
        vsm_looks_learn(&c, &b, 0.3f);
    CHECK(vsm_looks_likeness(&b, &c) > 0.99f);
    vsm_looks_learn(&none, &b, 0.01f); /* the first lesson is learnt whole */
    CHECK(vsm_looks_likeness(&b, &none) > 0.999f);
}

/* Two of a size meet behind a pillar and turn back, or go on: only their looks tell. */
static void check_meeting(bool turning_back)
{
    struct vsm_roster r = {0};

    for (int frame = 0; frame <= 96; frame += 8) {
        const float way = frame < 40 || !turning_back ? (float)frame : 80.0f - (float)frame;
        struct vsm_roster_sighting s[] = {at(0.26f + 0.006f * way, 0.5f, 0.1f, 0.5f, 0.6f),
                                          at(0.74f - 0.006f * way, 0.5f, 0.1f, 0.5f, 0.5f)};

        s[0].looks = looks_of(red, 1.0f - 0.002f * (float)frame);
        s[1].looks = looks_of(blue, 1.0f - 0.002f * (float)frame);
        look(&r, frame > 0 ? 8 : 0, s, frame >= 32 && frame <= 48 ? 0 : 2);
    }
    CHECK_INT(r.last_id, 2);
    CHECK(find(&r, 1) && (middle(find(&r, 1)) > 0.5f) == !turning_back);
    CHECK(find(&r, 2) && (middle(find(&r, 2)) < 0.5f) == !turning_back);
}

static void test_looks_tell_who_is_who(void)
{
    check_meeting(false);
    check_meeting(true);
}

static void test_misses_and_coming_back(void)
{
    struct vsm_roster r = {0};
    const struct vsm_roster_sighting s = at(0.5f, 0.5f, 0.2f, 0.6f, 0.6f),
                                     far = at(0.1f, 0.2f, 0.05f, 0.1f, 0.6f);

    vsm_roster_see(&r, &s, 1, no_guess, 0.2f);
    look(&r, 8, NULL, 0);
    CHECK(r.person[0].in_sight);
    look(&r, 8, NULL, 0);
    CHECK(!r.person[0].in_sight);
    look(&r, 30, &far, 1);
    CHECK_INT(r.last_id, 2);
    look(&r, 8, &s, 1);
    CHECK_INT(r.last_id, 2);
    CHECK(find(&r, 1) && find(&r, 1)->in_sight);
    look(&r, 8, NULL, 0);
    look(&r, 8, NULL, 0);
    look(&r, VSM_ROSTER_MEMORY, &s, 1);
    CHECK(find(&r, 1) == NULL);
    CHECK_INT(r.last_id, 3);
}

/* Out of the picture at walking speed: out of sight once the box has left, whatever the detector says. */
static void test_leaving(void)
{
    struct vsm_roster r = {0};

    for (int frame = 0; frame < 60; frame++) {
        const float x = 0.8f + 0.01f * (float)frame;
        struct vsm_roster_sighting s = at(x, 0.5f, 0.1f, 0.5f, 0.6f);

        s.box.right = fminf(s.box.right, 1.0f);
        if (frame > 0)
            vsm_roster_step(&r, NULL);
        if (frame % 4 == 0)
            vsm_roster_see(&r, &s, s.box.left < 0.98f, no_guess, 0.2f);
    }
    CHECK_INT(r.last_id, 1);
    CHECK(r.count == 0 || !r.person[0].in_sight);
}

static void test_numbers_are_never_given_twice(void)
{
    struct vsm_roster r = {0};

    for (int turn = 0; turn < 100; turn++) {
        struct vsm_roster_sighting s[VSM_ROSTER_SIZE];

        for (int i = 0; i < 20; i++)
            s[i] = at(0.02f + 0.045f * (float)i, turn % 2 ? 0.3f : 0.7f, 0.02f, 0.05f, 0.5f);
        look(&r, 4, s, 20);
        CHECK(r.count <= VSM_ROSTER_SIZE);
        for (int i = 1; i < r.count; i++)
            CHECK(r.person[i].id > r.person[i - 1].id);
        if (turn % 10 == 9)
            vsm_roster_clear(&r);
    }
    CHECK_INT(r.count, 0);
    CHECK(r.last_id >= 200);
}

static void test_state(void)
{
    struct vsm_roster r = {0}, loaded = {0};
    const struct vsm_roster_sighting s[] = {at(0.3f, 0.5f, 0.1f, 0.4f, 0.5f),
                                            at(0.7f, 0.5f, 0.1f, 0.4f, 0.6f)};
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;

    look(&r, 0, s, 2);
    look(&r, 3, s, 1);
    r.person[1].looks = looks_of(blue, 1.0f);
    r.person[1].side = 0.25f;
    r.person[1].hidden = 7;
    vsm_roster_step(&r, NULL);
    vsm_roster_save(&r, &out);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_roster_load(&loaded, &in), VSM_OK);
    CHECK_INT(vsm_bytes_left(&in), 0);
    CHECK(memcmp(&r, &loaded, sizeof(r)) == 0);
    for (size_t size = 0; size < out.size; size++) {
        in = vsm_bytes_in_of(out.data, size);
        CHECK_INT(vsm_roster_load(&loaded, &in), VSM_E_INPUT);
    }
    CHECK_HAS(vsm_error_message(), "--restart");
    out.data[4] = 200; /* more people than there is room for */
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_roster_load(&loaded, &in), VSM_E_INPUT);
    CHECK(memcmp(&r, &loaded, sizeof(r)) == 0);
    vsm_bytes_out_finish(&out);
}

int main(void)
{
    RUN(test_first_and_faint);
    RUN(test_follows_without_jumps);
    RUN(test_crossing);
    RUN(test_looks);
    RUN(test_looks_tell_who_is_who);
    RUN(test_misses_and_coming_back);
    RUN(test_leaving);
    RUN(test_numbers_are_never_given_twice);
    RUN(test_state);
    return tap_done();
}
