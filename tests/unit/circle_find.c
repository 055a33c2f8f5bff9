#include "image/circle_find.h"

#include "tap.h"

#include <math.h>
#include <string.h>

static uint32_t seed = 7;

static int noise(int range)
{
    seed = seed * 1664525u + 1013904223u;
    return (int)(seed >> 16) % range;
}

/* Two eyes of `side` samples with these circles; black with noise round them. dark: the lower part of each
 * circle, from this share of its radius below the middle on, is black too, and so is a bite at its left. */
static struct vsm_image *paint(struct vsm_format format, int side, const struct vsm_circle circles[2],
                               double dark)
{
    struct vsm_colour colour = {1, 1, 1, false, 0};
    struct vsm_image *image = vsm_image_create(format, 2 * side, side, colour);

    for (int y = 0; y < side; y++)
        for (int x = 0; x < 2 * side; x++) {
            const struct vsm_circle *c = &circles[x / side];
            double dx = x % side + 0.5 - c->x, dy = y + 0.5 - c->y;
            bool in = hypot(dx, dy) < c->radius && dy < dark * c->radius &&
                      hypot(dx + c->radius, dy) > 0.3 * c->radius;
            int value = in ? 60 + noise(150) : 16 + noise(6);

            if (format.depth == 8) {
                image->data[0][y * image->stride[0] + x] = (uint8_t)value;
            } else {
                uint16_t word = (uint16_t)(value << (format.depth - 8) << format.shift);

                memcpy(image->data[0] + y * image->stride[0] + 2 * x, &word, 2);
            }
        }
    return image;
}

static void check(struct vsm_format format, int side, const struct vsm_circle circles[2], double dark)
{
    struct vsm_image *image = paint(format, side, circles, dark);

    for (int e = 0; e < 2; e++) {
        struct vsm_rect eye = {e * side, 0, side, side};
        struct vsm_circle found = {0};

        CHECK(vsm_circle_find(image, &eye, &found));
        CHECK_NEAR(found.x, circles[e].x, 1.0);
        CHECK_NEAR(found.y, circles[e].y, 1.0);
        CHECK_NEAR(found.radius, circles[e].radius, 1.0);
    }
    vsm_image_unref(&image);
}

static const struct vsm_format luma8 = {VSM_PLANES_GRAY, 8, 0, 0, 0}, luma10 = {VSM_PLANES_GRAY, 10, 6, 0, 0};

static void test_circles(void)
{
    const struct vsm_circle centred[2] = {{256, 256, 240}, {256, 256, 240}};
    const struct vsm_circle off[2] = {{240, 262, 220}, {268, 247, 231}};
    const struct vsm_circle cut[2] = {{256, 256, 280}, {250, 260, 290}}; /* wider than the eye */

    check(luma8, 512, centred, 2);
    check(luma8, 512, off, 2);
    check(luma10, 512, off, 2);
    check(luma8, 512, cut, 2);
    check(luma8, 512, off, 0.4); /* a dark floor */
}

static void test_no_circle(void)
{
    const struct vsm_circle none[2] = {{256, 256, 5000}, {256, 256, 0}};
    struct vsm_image *image = paint(luma8, 512, none, 2);
    struct vsm_circle found = {1, 2, 3};

    CHECK(!vsm_circle_find(image, &(struct vsm_rect){0, 0, 512, 512}, &found));   /* all bright */
    CHECK(!vsm_circle_find(image, &(struct vsm_rect){512, 0, 512, 512}, &found)); /* all black */
    CHECK_NEAR(found.radius, 3, 0);
    for (int y = 40; y < 472; y++) /* a bright rectangle */
        memset(image->data[0] + y * image->stride[0] + 512 + 40, 200, 432);
    CHECK(!vsm_circle_find(image, &(struct vsm_rect){512, 0, 512, 512}, &found));
    vsm_image_unref(&image);
}

int main(void)
{
    RUN(test_circles);
    RUN(test_no_circle);
    return tap_done();
}
