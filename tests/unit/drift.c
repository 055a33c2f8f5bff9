#include "people/drift.h"

#include "pictures.h"
#include "tap.h"

#include <math.h>

#define SIDE  128
#define REACH 6

static struct vsm_drift before, now;

/* Noise that is alike over about three cells, which moves by whole cells; `gain` and `noise` of the second
 * picture. */
static void paint(int dx, int dy, float gain, float noise)
{
    static float grain[SIDE + 32][SIDE + 32];

    for (int y = 0; y < SIDE + 32; y++) {
        for (int x = 0; x < SIDE + 32; x++)
            grain[y][x] = 40.0f + 140.0f * picture_unit();
    }
    before = now = (struct vsm_drift){.width = SIDE, .height = SIDE};
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            float at[2] = {0.0f};

            for (int j = 0; j < 9; j++) {
                at[0] += grain[16 + y + j / 3][16 + x + j % 3] / 9.0f;
                at[1] += grain[16 + y - dy + j / 3][16 + x - dx + j % 3] / 9.0f;
            }
            before.luma[y * SIDE + x] = (uint8_t)at[0];
            now.luma[y * SIDE + x] = (uint8_t)(gain * at[1] + noise * (picture_unit() - 0.5f));
        }
    }
}

/* Its torso: cells 46 to 82 across, 32 to 64 down. */
static const struct vsm_person_box box = {0.265625f, 0.21875f, 0.734375f, 0.734375f};

static struct vsm_drift_move find(float x, float y)
{
    return vsm_drift_find(&before, &now, &box, x / SIDE, y / SIDE);
}

static void test_movement(void)
{
    struct vsm_drift_move move;

    paint(3, -2, 1.0f, 0.0f);
    move = find(0.0f, 0.0f);
    CHECK(move.known);
    CHECK_NEAR(move.x * SIDE, 3.0, 0.1);
    CHECK_NEAR(move.y * SIDE, -2.0, 0.1);
    paint(3, -2, 0.6f, 20.0f); /* darker and noisy */
    move = find(0.0f, 0.0f);
    CHECK(move.known);
    CHECK_NEAR(move.x * SIDE, 3.0, 0.2);
    CHECK_NEAR(move.y * SIDE, -2.0, 0.2);
}

/* Searched round what is expected, and no farther. */
static void test_reach(void)
{
    paint(10, 0, 1.0f, 0.0f);
    CHECK(!find(0.0f, 0.0f).known);
    CHECK(find(8.0f, 0.0f).known);
    CHECK_NEAR(find(8.0f, 0.0f).x * SIDE, 10.0, 0.1);
    CHECK(!find(4.0f, 0.0f).known); /* on the border */
}

static void test_nothing_to_find(void)
{
    const struct vsm_person_box outside = {0.7f, 0.2f, 1.3f, 0.8f};

    paint(0, 0, 1.0f, 0.0f);
    CHECK(find(0.0f, 0.0f).known);
    CHECK(!vsm_drift_find(&before, &now, &outside, 0.0f, 0.0f).known);
    paint(0, 0, 0.0f, 255.0f); /* another picture */
    CHECK(!find(0.0f, 0.0f).known);
    memset(before.luma, 90, sizeof(before.luma)); /* no texture */
    now = before;
    CHECK(!find(0.0f, 0.0f).known);
    now.width = SIDE / 2;
    CHECK(!find(0.0f, 0.0f).known);
}

static double variance_at(int dx, int dy)
{
    double sum = 0.0, squares = 0.0;
    int count = 0;

    for (int y = 32; y < 64; y++) {
        for (int x = 46; x < 82; x++, count++) {
            const double d = (double)now.luma[(y + dy) * SIDE + x + dx] - (double)before.luma[y * SIDE + x];

            sum += d;
            squares += d * d;
        }
    }
    return (squares - sum * sum / count) / count;
}

/* Shifts are given up early; the best one must be that of all. */
static void test_best_of_all(void)
{
    for (int round = 0; round < 20; round++) {
        const int dx = (int)(picture_random() % 11) - 5, dy = (int)(picture_random() % 11) - 5;
        double least = INFINITY;
        int x = 0, y = 0;
        struct vsm_drift_move move;

        paint(dx, dy, 1.0f, 7.0f * (float)(round % 4));
        for (int j = -REACH; j <= REACH; j++) {
            for (int i = -REACH; i <= REACH; i++) {
                if (variance_at(i, j) < least) {
                    least = variance_at(i, j);
                    x = i;
                    y = j;
                }
            }
        }
        move = find(0.0f, 0.0f);
        CHECK(move.known);
        CHECK_NEAR(move.x * SIDE, x, 0.51);
        CHECK_NEAR(move.y * SIDE, y, 0.51);
    }
}

/* Cells are means of all three colours; what is left over at the right and the bottom is not seen. */
static void test_reduce(void)
{
    static float rgb[3 * 261 * 100];

    for (int i = 0; i < 3 * 261 * 100; i++)
        rgb[i] = i / (261 * 100) == 1 ? 0.75f : 0.0f;
    vsm_drift_reduce(rgb, 261, 100, &now);
    CHECK_INT(now.width, 130);
    CHECK_INT(now.height, 50);
    CHECK_INT(now.luma[0], 64);
    CHECK_INT(now.luma[130 * 50 - 1], 64);
}

int main(void)
{
    RUN(test_movement);
    RUN(test_reach);
    RUN(test_nothing_to_find);
    RUN(test_best_of_all);
    RUN(test_reduce);
    return tap_done();
}
