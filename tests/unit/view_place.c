#include "geometry/view_place.h"

#include "tap.h"

#include <math.h>

#define DEGREE (M_PI / 180.0)

static struct vsm_projection_eye eyes[2];

/* Somebody between these degrees of a half-equirect eye; the other eye sees them a degree to the left. */
static void add(struct vsm_people *people, double left, double right, double bottom, double top)
{
    struct vsm_person *p = &people->person[people->count++];

    people->known = true;
    p->chosen = true;
    for (int e = 0; e < 2; e++)
        p->box[e] = (struct vsm_person_box){(float)((left - e) / 180 + 0.5), (float)(0.5 - top / 180),
                                            (float)((right - e) / 180 + 0.5), (float)(0.5 - bottom / 180)};
}

static struct vsm_view_placement place(const struct vsm_people *people, double fov)
{
    return vsm_view_place(people, eyes, 2, fov);
}

static void test_nobody(void)
{
    struct vsm_people people = {.known = true};

    CHECK_INT(place(&people, 0).count, 0);
    add(&people, -10, 10, -20, 20);
    people.person[0].chosen = false;
    CHECK_INT(place(&people, 0).count, 0);
    people.person[0].chosen = true;
    people.known = false;
    CHECK_INT(place(&people, 0).count, 0);
}

static void test_one_person(void)
{
    struct vsm_people people = {0};
    struct vsm_view_placement p;

    add(&people, 10, 30, -40, 10);
    p = place(&people, 0);
    CHECK_INT(p.count, 1);
    CHECK_NEAR(p.aims[0].field_of_view, VSM_VIEW_PLACE_USUAL, 5);
    CHECK_NEAR(p.aims[0].yaw / DEGREE, 19.5, 2);
    CHECK_NEAR(p.aims[0].pitch / DEGREE, -15, 3);
    CHECK_INT(vsm_view_place_missed(&people, eyes, 2, &p), 0);
    CHECK_NEAR(place(&people, 90).aims[0].field_of_view, 90, 1e-9);
}

/* A given width gives way before anybody is cut. */
static void test_a_given_width(void)
{
    struct vsm_people wide = {0}, apart = {0}, far = {0};
    struct vsm_view_placement p;

    add(&wide, -25, 25, -30, 20);
    p = place(&wide, 70);
    CHECK_INT(p.count, 1);
    CHECK_NEAR(p.aims[0].field_of_view, 70, 1e-9);
    p = place(&wide, 40); /* nobody is shared out among two views */
    CHECK_INT(p.count, 1);
    CHECK(p.aims[0].field_of_view > 60 && p.aims[0].field_of_view < 90);
    CHECK_INT(vsm_view_place_missed(&wide, eyes, 2, &p), 0);
    add(&apart, -30, -15, -10, 10);
    add(&apart, 15, 30, -10, 10);
    p = place(&apart, 40);
    CHECK_INT(p.count, 2);
    CHECK_NEAR(p.aims[0].field_of_view, 40, 1e-9);
    CHECK_NEAR(p.aims[1].field_of_view, 40, 1e-9);
    CHECK_INT(vsm_view_place_missed(&apart, eyes, 2, &p), 0);
    add(&far, -85, -55, -10, 10);
    add(&far, 20, 85, -10, 10);
    p = place(&far, 40);
    CHECK_INT(p.count, 2);
    CHECK(p.aims[0].field_of_view > 70);
    CHECK_INT(vsm_view_place_missed(&far, eyes, 2, &p), 0);
    for (double width = 190; width <= 220; width += 10) { /* of a fisheye */
        p = place(&far, width);
        CHECK_INT(p.count, 1);
        CHECK_NEAR(p.aims[0].field_of_view, width, 1e-9);
        CHECK_INT(vsm_view_place_missed(&far, eyes, 2, &p), 0);
    }
    p.aims[0] = (struct vsm_view_aim){1.4, 0.0, 190};
    CHECK_INT(vsm_view_place_missed(&far, eyes, 2, &p), 1); /* it looks away from one of them */
}

static void test_stays_in_the_picture(void)
{
    struct vsm_people people = {0};
    struct vsm_view_placement p;

    add(&people, 60, 85, 20, 60);
    p = place(&people, 0);
    CHECK_INT(p.count, 1);
    CHECK(p.aims[0].yaw / DEGREE <= 95 - 0.5 * p.aims[0].field_of_view + 0.001);
    CHECK_INT(vsm_view_place_missed(&people, eyes, 2, &p), 0);
}

static void test_far_apart(void)
{
    struct vsm_people people = {0};
    struct vsm_view_placement p;

    add(&people, 50, 70, -30, 10);
    add(&people, -75, -60, -30, 10);
    p = place(&people, 0);
    CHECK_INT(p.count, 2);
    CHECK(p.aims[0].yaw < -30 * DEGREE);
    CHECK(p.aims[1].yaw > 30 * DEGREE);
    CHECK_NEAR(p.aims[0].field_of_view, p.aims[1].field_of_view, 1e-9);
    CHECK_INT(vsm_view_place_missed(&people, eyes, 2, &p), 0);
}

static void test_wider_view_before_two(void)
{
    struct vsm_people people = {0};
    struct vsm_view_placement p;

    add(&people, -52, -30, -20, 20);
    add(&people, 30, 53, -20, 20);
    p = place(&people, 0);
    CHECK_INT(p.count, 1);
    CHECK(p.aims[0].field_of_view > VSM_VIEW_PLACE_USUAL && p.aims[0].field_of_view <= 120);
    CHECK_INT(vsm_view_place_missed(&people, eyes, 2, &p), 0);
}

/* Somebody who fills the picture: two views, and what is above and below is said to be missing. */
static void test_very_near(void)
{
    struct vsm_people people = {0};
    struct vsm_view_placement p;

    add(&people, -80, 80, -45, 45);
    p = place(&people, 0);
    CHECK_INT(p.count, 2);
    CHECK_INT(vsm_view_place_missed(&people, eyes, 2, &p), 0);
    people.person[0].box[0].bottom = 1;
    people.person[0].box[0].top = 0;
    p = place(&people, 0);
    CHECK_INT(vsm_view_place_missed(&people, eyes, 2, &p), 1);
}

/* Small people are not made smaller by a wide view. */
static void test_width_follows_size(void)
{
    static const double half[] = {4, 10, 15, 20, 30, 45}, width[] = {50, 50, 60, 80, 100, 100};

    for (int i = 0; i < 6; i++) {
        struct vsm_people people = {0};

        add(&people, -half[i], half[i], -half[i] / 2, half[i] / 2);
        CHECK_NEAR(place(&people, 0).aims[0].field_of_view, width[i], 4);
    }
}

static void test_unsure_people(void)
{
    struct vsm_people people = {0};

    add(&people, 50, 70, -30, 10);
    add(&people, -75, -60, -30, 10);
    people.person[0].score = people.person[1].score = 0.17f;
    CHECK_INT(place(&people, 0).count, 2); /* nobody is surer */
    people.person[1].score = 0.3f;
    CHECK_INT(place(&people, 0).count, 1);
    CHECK(place(&people, 0).aims[0].yaw < -40 * DEGREE);
    people.person[1].chosen = false;
    CHECK(place(&people, 0).aims[0].yaw > 40 * DEGREE);
}

static void test_missed(void)
{
    struct vsm_people people = {0};
    struct vsm_view_placement p = {1, {{0, 0, 90}}};

    add(&people, -40, 40, -30, 30);
    CHECK_INT(vsm_view_place_missed(&people, eyes, 2, &p), 0);
    add(&people, 40, 70, -30, 30);
    CHECK_INT(vsm_view_place_missed(&people, eyes, 2, &p), 1);
    p.count = 0;
    CHECK_INT(vsm_view_place_missed(&people, eyes, 2, &p), 0);
}

static void test_sides(void)
{
    CHECK_INT(vsm_view_place_side(768 * 768, 1, 16), 768);
    CHECK_INT(vsm_view_place_side(768 * 768, 2, 16), 528);
    CHECK_INT(vsm_view_place_side(768 * 432, 1, 16), 576);
    CHECK_INT(vsm_view_place_side(100, 2, 16), 16);
    CHECK_INT(vsm_view_place_side((int64_t)4096 * 4096, 1, 16), 4096);
}

int main(void)
{
    for (int e = 0; e < 2; e++)
        CHECK_INT(vsm_projection_eye(VSM_HALF_EQUIRECT, 1024, 1024, 180, &eyes[e]), VSM_OK);
    RUN(test_nobody);
    RUN(test_one_person);
    RUN(test_a_given_width);
    RUN(test_stays_in_the_picture);
    RUN(test_far_apart);
    RUN(test_wider_view_before_two);
    RUN(test_very_near);
    RUN(test_width_follows_size);
    RUN(test_unsure_people);
    RUN(test_missed);
    RUN(test_sides);
    return tap_done();
}
