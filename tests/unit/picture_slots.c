#include "media/picture_slots.h"

#include "tap.h"

static void add(struct vsm_picture_slots *slots, int64_t packet, int64_t pts)
{
    CHECK_INT(vsm_picture_slots_add(slots, (struct vsm_picture_slot){packet, pts, 1}), VSM_OK);
}

static void check_pop(struct vsm_picture_slots *slots, int64_t packet, int64_t pts)
{
    struct vsm_picture_slot slot = vsm_picture_slots_pop(slots);

    CHECK_INT(slot.packet, packet);
    CHECK_INT(slot.pts, pts);
}

/* I P B B in decoding order; the second B never comes out. */
static void test_timed_order_and_loss(void)
{
    struct vsm_picture_slots slots = {0};

    add(&slots, 0, 0);
    add(&slots, 1, 9);
    add(&slots, 2, 3);
    add(&slots, 3, 6);
    CHECK_INT(vsm_picture_slots_arrive(&slots, 0), 0);
    check_pop(&slots, 0, 0);
    CHECK_INT(vsm_picture_slots_arrive(&slots, 2), 0);
    check_pop(&slots, 2, 3);
    CHECK_INT(vsm_picture_slots_arrive(&slots, 1), 1);
    check_pop(&slots, 3, 6);
    check_pop(&slots, 1, 9);
    CHECK_INT(vsm_picture_slots_arrive(&slots, 1), -1);
    CHECK_INT(slots.count, 0);
    vsm_picture_slots_finish(&slots);
}

/* Equal time stamps keep the order of packets. */
static void test_equal_times(void)
{
    struct vsm_picture_slots slots = {0};

    add(&slots, 0, 5);
    add(&slots, 1, 5);
    add(&slots, 2, 4);
    check_pop(&slots, 2, 4);
    check_pop(&slots, 0, 5);
    check_pop(&slots, 1, 5);
    vsm_picture_slots_finish(&slots);
}

/* Without presentation times pictures take the times in the order in which they come out. */
static void test_untimed(void)
{
    struct vsm_picture_slots slots = {.untimed = true};

    for (int i = 0; i < 40; i++)
        add(&slots, i, 10 * i);
    CHECK_INT(vsm_picture_slots_arrive(&slots, 0), 0);
    check_pop(&slots, 0, 0);
    CHECK_INT(vsm_picture_slots_arrive(&slots, 2), 0);
    check_pop(&slots, 2, 10);
    CHECK_INT(vsm_picture_slots_arrive(&slots, 3), 0);
    check_pop(&slots, 3, 20);
    CHECK_INT(vsm_picture_slots_arrive(&slots, 1), 0);
    check_pop(&slots, 1, 30);
    /* 4 stays out for more than the deepest reordering. */
    CHECK_INT(vsm_picture_slots_arrive(&slots, 4 + VSM_PICTURE_SLOTS_REORDER), 0);
    check_pop(&slots, 20, 40);
    CHECK_INT(vsm_picture_slots_arrive(&slots, 5 + VSM_PICTURE_SLOTS_REORDER), 1);
    check_pop(&slots, 4, 50);
    check_pop(&slots, 21, 60);
    vsm_picture_slots_finish(&slots);
}

/* The array is bounded by what is in use, however much passes through. */
static void test_stays_small(void)
{
    struct vsm_picture_slots slots = {0};

    for (int i = 0; i < 100000; i++) {
        add(&slots, i, i);
        if (i >= 20)
            check_pop(&slots, i - 20, i - 20);
    }
    CHECK(slots.capacity <= 64);
    vsm_picture_slots_finish(&slots);
}

int main(void)
{
    RUN(test_timed_order_and_loss);
    RUN(test_equal_times);
    RUN(test_untimed);
    RUN(test_stays_small);
    return tap_done();
}
