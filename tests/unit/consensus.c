#include "stereo/consensus.h"

#include "stereo/transfer.h"
#include "tap.h"

#include <math.h>

#define SIDE   128
#define PIXELS (SIDE * SIDE)
#define CELL   4
#define SHIFT  6 /* pixels to the left in the right eye */

static struct vsm_disparity_map maps[2];
static struct vsm_consensus consensus;
static float rgb[2][3 * PIXELS], alpha[2][PIXELS], truth[2][PIXELS];
static float moved[2][PIXELS], settled[2][PIXELS], apart[2][PIXELS], steps[2][PIXELS];
static uint32_t seed;

static float chance(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (float)(1 << 24);
}

/* Everything SHIFT pixels apart, known for certain. */
static void make_maps(void)
{
    for (int eye = 0; eye < 2; eye++) {
        maps[eye] = (struct vsm_disparity_map){.columns = SIDE / CELL, .rows = SIDE / CELL, .side = CELL};
        for (int i = 0; i < maps[eye].columns * maps[eye].rows; i++)
            maps[eye].cells[i] = (struct vsm_disparity_cell){.people = 1.0f,
                                                             .du = eye ? SHIFT : -SHIFT,
                                                             .confidence = 1.0f,
                                                             .known = true};
    }
}

/* Left: whatever a block of 8 says; right: the same, SHIFT to the left, and as much else as `other` says. */
static void paint(float plane[2][PIXELS], float other)
{
    float blocks[2][32 * 16];

    for (int k = 0; k < 2 * 32 * 16; k++)
        blocks[k / (32 * 16)][k % (32 * 16)] = chance();
    for (int eye = 0; eye < 2; eye++) {
        for (int i = 0; i < PIXELS; i++) {
            const int x = i % SIDE + (eye ? SHIFT : 0), block = i / SIDE / 8 * 32 + x / 8;

            plane[eye][i] = blocks[0][block];
            if (eye)
                plane[eye][i] += other * (blocks[1][block] - blocks[0][block]);
        }
    }
}

/* Returns the largest share. */
static float find(float gain)
{
    const float none[VSM_CONSENSUS_CELLS] = {0};
    struct vsm_consensus_eyes eyes = {.width = SIDE, .height = SIDE};
    float largest;

    for (int eye = 0; eye < 2; eye++) {
        vsm_transfer_alpha(&maps[eye], alpha[eye], alpha[!eye], SIDE, SIDE, moved[!eye], NULL);
        vsm_transfer_settle(moved[!eye], alpha[!eye], SIDE, SIDE, settled[!eye], NULL);
        eyes.maps[eye] = &maps[eye];
        eyes.rgb[eye] = rgb[eye];
        eyes.own[eye] = alpha[eye];
        eyes.settled[eye] = settled[eye];
        for (int c = 0; c < 3; c++)
            eyes.gain[eye][c] = eye ? 1.0f / gain : gain;
    }
    consensus = (struct vsm_consensus){0};
    largest = vsm_consensus_judge(&consensus, (const struct vsm_disparity_map *[]){&maps[0], &maps[1]},
                                  (const float *[]){none, none});
    vsm_consensus_find(&consensus, &eyes, (float *[]){apart[0], apart[1]}, (float *[]){steps[0], steps[1]},
                       NULL);
    return largest;
}

static double wrong(float share)
{
    double sum = 0.0;

    for (int eye = 0; eye < 2; eye++)
        for (int i = 0; i < PIXELS; i++)
            sum += fabs((double)(alpha[eye][i] + share * steps[eye][i] - truth[eye][i]));
    return sum;
}

static double total(int eye)
{
    double sum = 0.0;

    for (int i = 0; i < PIXELS; i++)
        sum += (double)steps[eye][i];
    return sum;
}

static double given_way(void)
{
    double sum = 0.0;

    for (int i = 0; i < 2 * PIXELS; i++)
        sum += fabs((double)steps[i / PIXELS][i % PIXELS]);
    return sum;
}

static void test_eyes_are_never_more_wrong_together(void)
{
    make_maps();
    for (int round = 0; round < 12; round++) {
        seed = (uint32_t)round;
        for (int c = 0; c < 3; c++) {
            float plane[2][PIXELS];

            paint(plane, 0.0f);
            for (int i = 0; i < 2 * PIXELS; i++)
                rgb[i / PIXELS][c * PIXELS + i % PIXELS] = plane[i / PIXELS][i % PIXELS];
        }
        paint(alpha, 1.0f);
        paint(truth, 0.0f);
        CHECK(find(1.0f) == 1.0f);
        CHECK(given_way() > 1000.0);
        CHECK(wrong(1.0f) <= wrong(0.0f) + 0.01 && wrong(0.5f) <= wrong(0.0f) + 0.01);
        CHECK(fabs(total(0) + total(1)) < 1e-4 * given_way()); /* what one gains the other loses */
    }
}

/* Of pairs that are not exact neither eye gains. */
static void test_neither_eye_gains(void)
{
    make_maps();
    seed = 3;
    memset(rgb, 0, sizeof(rgb));
    for (int i = 0; i < PIXELS; i++) {
        const int x = i % SIDE + SHIFT, y = i / SIDE;

        alpha[0][i] = 0.5f;
        alpha[1][i] = x > 40 && x < 80 && y > 40 && y < 80 ? 0.8f : 0.5f;
    }
    for (int i = 0; i < maps[0].columns * maps[0].rows; i++)
        maps[0].cells[i].du += 0.4f; /* within what is still a pair */
    find(1.0f);
    CHECK(total(0) > 100.0 && total(1) < -100.0);
    CHECK(fabs(total(0) + total(1)) < 1e-4 * given_way());
    for (int i = 0; i < 2 * PIXELS; i++)
        CHECK(fabsf(steps[i / PIXELS][i % PIXELS]) <= 0.1501f); /* nobody goes past the middle */
}

static void test_equal_eyes_are_left_alone(void)
{
    make_maps();
    seed = 5;
    paint(alpha, 0.0f);
    find(1.0f);
    CHECK(given_way() == 0.0);
}

/* One colour in one eye, another in the other, with and without a gain that explains it. */
static void test_unlike_pictures_count_for_nothing(void)
{
    make_maps();
    seed = 7;
    paint(alpha, 1.0f);
    for (int i = 0; i < 2 * 3 * PIXELS; i++)
        rgb[i / (3 * PIXELS)][i % (3 * PIXELS)] = i < 3 * PIXELS ? 0.3f : 0.6f;
    find(1.0f);
    CHECK(given_way() == 0.0);
    find(2.0f);
    CHECK(given_way() > 1000.0);
}

/* Cells that lead elsewhere on the way back are no pair. */
static void test_one_way_is_no_pair(void)
{
    make_maps();
    seed = 9;
    paint(alpha, 1.0f);
    memset(rgb, 0, sizeof(rgb));
    for (int i = 0; i < maps[1].columns * maps[1].rows; i++)
        maps[1].cells[i].du = SHIFT - 3;
    CHECK(find(1.0f) == 0.0f);
    CHECK(given_way() == 0.0);
}

int main(void)
{
    RUN(test_eyes_are_never_more_wrong_together);
    RUN(test_neither_eye_gains);
    RUN(test_equal_eyes_are_left_alone);
    RUN(test_unlike_pictures_count_for_nothing);
    RUN(test_one_way_is_no_pair);
    return tap_done();
}
