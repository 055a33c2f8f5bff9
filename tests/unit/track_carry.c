#include "stages/track_carry.h"
#include "tap.h"

#define SIDE  256 /* of an eye, and of the network's picture */
#define SHIFT 8   /* pixels by which the right eye sees everything further left */

static const struct vsm_rect eyes[2] = {{0, 0, SIDE, SIDE}, {SIDE, 0, SIDE, SIDE}};

/* Smooth noise; the right eye's is shifted. flat: nothing to match. */
static struct vsm_frame *make_frame(bool flat)
{
    const struct vsm_format format = {.planes = VSM_PLANES_YUV, .depth = 8, .chroma_x = 1, .chroma_y = 1};
    struct vsm_frame *frame = vsm_frame_create();

    frame->source = vsm_image_create(format, 2 * SIDE, SIDE, (struct vsm_colour){.matrix = 1});
    for (int plane = 1; plane < 3; plane++)
        for (int y = 0; y < SIDE / 2; y++)
            memset(frame->source->data[plane] + y * frame->source->stride[plane], 128, SIDE);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < 2 * SIDE; x++) {
            const int at = (x < SIDE ? x : x - SIDE + SHIFT) / 3 + y / 3 * 317;
            const uint32_t noise = (uint32_t)at * 2654435761u;

            frame->source->data[0][y * frame->source->stride[0] + x] =
                flat ? 128 : (uint8_t)(40 + (noise >> 16) % 160);
        }
    return frame;
}

static struct vsm_track_carry *make_carry(void)
{
    const struct vsm_track_carry_options options = {.eyes = {eyes[0], eyes[1]},
                                                    .projection = VSM_RECTILINEAR,
                                                    .field_of_view = 90,
                                                    .baseline = 0.064};
    struct vsm_track_carry *carry = NULL;

    CHECK_INT(vsm_track_carry_create(&options, &carry), VSM_OK);
    return carry;
}

/* Carries a prompt whose person fills `box`. */
static bool carry_of(bool flat, const struct vsm_track_prompt *given, const float box[4],
                     struct vsm_track_prompt *carried, float *match)
{
    struct vsm_frame *frame = make_frame(flat);
    struct vsm_track_carry *carry = make_carry();
    bool there = false;

    *match = -1;
    if (carry)
        CHECK_INT(vsm_track_carry_prompt(carry, frame, given, box, SIDE, carried, &there, match), VSM_OK);
    vsm_track_carry_destroy(carry);
    vsm_frame_destroy(&frame);
    return there;
}

static void test_boxes_and_points_go_either_way(void)
{
    for (int eye = 0; eye < 2; eye++) {
        const float shift = eye ? SHIFT : -SHIFT;
        const struct vsm_track_prompt given = {.number = 3,
                                               .eye = eye,
                                               .person = 7,
                                               .has_box = true,
                                               .box = {80, 60, 160, 220},
                                               .clicks = {{120, 100, true}, {60, 90, false}},
                                               .click_count = 2};
        struct vsm_track_prompt to = {0};
        float match;

        CHECK(carry_of(false, &given, given.box, &to, &match));
        CHECK(match > 0.3f);
        CHECK_INT(to.eye, !eye);
        CHECK_INT(to.person, 7);
        CHECK_NEAR(to.box[0], 80 + shift, 2.5);
        CHECK_NEAR(to.box[2], 160 + shift, 2.5);
        CHECK_NEAR(to.box[1], 60, 2.5);
        CHECK_NEAR(to.box[3], 220, 2.5);
        CHECK_INT(to.click_count, 2);
        CHECK_NEAR(to.clicks[0].x, 120 + shift, 2.5);
        CHECK_NEAR(to.clicks[0].y, 100, 2.5);
        CHECK(to.clicks[0].positive && !to.clicks[1].positive);
    }
}

static void test_masks_shift_row_by_row(void)
{
    static float mask[SIDE * SIDE];
    struct vsm_track_prompt given = {.mask = mask, .mask_side = SIDE}, to = {0};
    const float box[4] = {80, 60, 160, 220};
    struct vsm_frame *frame = make_frame(false);
    struct vsm_track_carry *carry = make_carry();
    double sum = 0, x_sum = 0;
    bool there = false;
    float match;

    for (int y = 60; y < 220; y++)
        for (int x = 80; x < 160; x++)
            mask[y * SIDE + x] = 1;
    CHECK_INT(vsm_track_carry_prompt(carry, frame, &given, box, SIDE, &to, &there, &match), VSM_OK);
    CHECK(there && to.mask && to.mask != mask);
    for (int i = 0; there && i < SIDE * SIDE; i++) {
        sum += to.mask[i];
        x_sum += to.mask[i] * (float)(i % SIDE);
    }
    CHECK_NEAR(sum, 80 * 160, 4 * 160); /* no gaps */
    CHECK_NEAR(x_sum / sum, 119.5 - SHIFT, 2.5);
    vsm_track_carry_destroy(carry);
    vsm_frame_destroy(&frame);
}

/* Nothing to match: as far as a person of this height in the picture would go. */
static void test_a_guess_where_nothing_matches(void)
{
    const struct vsm_track_prompt given = {.has_box = true, .box = {100, 60, 160, 220}};
    struct vsm_track_prompt to = {0};
    float match;

    CHECK(carry_of(true, &given, given.box, &to, &match));
    CHECK_NEAR(match, 0, 0);
    CHECK(to.box[0] < 99 && to.box[0] > 80);
}

static void test_what_leaves_the_picture(void)
{
    const struct vsm_track_prompt given = {.clicks = {{2, 100, true}, {60, 100, false}}, .click_count = 2};
    const float box[4] = {0, 40, 90, 200};
    struct vsm_track_prompt to = {0};
    float match;

    CHECK(!carry_of(false, &given, box, &to, &match));
}

int main(void)
{
    RUN(test_boxes_and_points_go_either_way);
    RUN(test_masks_shift_row_by_row);
    RUN(test_a_guess_where_nothing_matches);
    RUN(test_what_leaves_the_picture);
    return tap_done();
}
