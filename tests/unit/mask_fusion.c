#include "image/mask_fusion.h"
#include "image/mask_fit.h"
#include "tap.h"

#define SIDE  64
#define W     128
#define H     96
#define CELLS (W * H)

static float rgb[3 * CELLS], maps[8 * CELLS], other[8 * CELLS], mask[CELLS], slope[CELLS], offset[CELLS];
static float logits[4][SIDE * SIDE];

static void noise(float *to, int n, unsigned state)
{
    for (int i = 0; i < n; i++)
        to[i] = (float)((state = state * 1664525u + 1013904223u) >> 16) / 65536.0f;
}

/* A person: a box of the masks' grid, edges as steep as a tracker's. */
static void draw(float *to, int left, int top, int right, int bottom, float inside)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            to[y * SIDE + x] = x >= left && x < right && y >= top && y < bottom ? inside : -8;
}

static float alpha_of(const float *m, int x, int y)
{
    const int i = y * W + x;
    const float a = m[3 * CELLS + i] * (rgb[i] + rgb[CELLS + i] + rgb[2 * CELLS + i]) / 3 + m[7 * CELLS + i];

    return a < 0 ? 0 : a > 1 ? 1 : a;
}

/* Coefficients of a matter that sees `alpha` in a box of the grid, and 0 elsewhere. */
static void matter(int left, int top, int right, int bottom, float alpha)
{
    memset(maps, 0, sizeof(maps));
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++)
            maps[7 * CELLS + y * W + x] = alpha;
    for (int i = 0; i < CELLS; i++)
        maps[i] = 0.25f; /* a residual of red */
}

static double naive_mean(const float *plane, int x, int y, int radius)
{
    double sum = 0;
    int count = 0;

    for (int v = y - radius; v <= y + radius; v++)
        for (int u = x - radius; u <= x + radius; u++)
            if (u >= 0 && v >= 0 && u < W && v < H) {
                sum += (double)plane[v * W + u];
                count++;
            }
    return sum / count;
}

static void test_fit_is_the_formula(void)
{
    static float x[CELLS], xm[CELLS], xx[CELLS], a[CELLS], b[CELLS];
    struct vsm_mask_fit *fit = vsm_mask_fit_create(W, H);
    double worst = 0;

    noise(rgb, 3 * CELLS, 1);
    noise(mask, CELLS, 2);
    for (int i = 0; i < CELLS; i++) {
        x[i] = (rgb[i] + rgb[CELLS + i] + rgb[2 * CELLS + i]) / 3;
        xm[i] = x[i] * mask[i];
        xx[i] = x[i] * x[i];
    }
    for (int i = 0; i < CELLS; i++) {
        const double mx = naive_mean(x, i % W, i / W, 5), mm = naive_mean(mask, i % W, i / W, 5);

        a[i] = (float)((naive_mean(xm, i % W, i / W, 5) - mx * mm) /
                       (naive_mean(xx, i % W, i / W, 5) - mx * mx + 1e-4));
        b[i] = (float)(mm - (double)a[i] * mx);
    }
    vsm_mask_fit_run(fit, rgb, mask, 5, slope, offset, NULL);
    for (int i = 0; i < CELLS; i++) {
        worst = fmax(worst, fabs(naive_mean(a, i % W, i / W, 5) - (double)slope[i]));
        worst = fmax(worst, fabs(naive_mean(b, i % W, i / W, 5) - (double)offset[i]));
    }
    CHECK_NEAR(worst, 0, 1e-4);
    vsm_mask_fit_destroy(fit);
}

static void test_fit_with_any_threads(void)
{
    static float slope4[CELLS], offset4[CELLS];
    struct vsm_mask_fit *fit = vsm_mask_fit_create(W, H);
    struct vsm_parallel *pool = vsm_parallel_create(4);

    noise(rgb, 3 * CELLS, 3);
    noise(mask, CELLS, 4);
    vsm_mask_fit_run(fit, rgb, mask, 7, slope, offset, NULL);
    vsm_mask_fit_run(fit, rgb, mask, 7, slope4, offset4, pool);
    CHECK(memcmp(slope, slope4, sizeof(slope)) == 0 && memcmp(offset, offset4, sizeof(offset)) == 0);
    vsm_parallel_destroy(pool);
    vsm_mask_fit_destroy(fit);
}

/* A mask's edge that lies beside the picture's moves onto it. */
static void test_fit_follows_the_picture(void)
{
    struct vsm_mask_fit *fit = vsm_mask_fit_create(W, H);

    for (int i = 0; i < CELLS; i++) {
        rgb[i] = rgb[CELLS + i] = rgb[2 * CELLS + i] = i % W < 60 ? 0.2f : 0.8f;
        mask[i] = i % W < 62 ? 0 : 1;
    }
    vsm_mask_fit_run(fit, rgb, mask, 4, slope, offset, NULL);
    for (int x = 40; x < 80; x++) {
        const float alpha = slope[40 * W + x] * (x < 60 ? 0.2f : 0.8f) + offset[40 * W + x];

        CHECK_NEAR(alpha, x < 60 ? 0 : 1, x < 50 || x >= 72 ? 1e-6 : 0.55);
    }
    CHECK(slope[40 * W + 60] * 0.8f + offset[40 * W + 60] >
          slope[40 * W + 59] * 0.2f + offset[40 * W + 59] + 0.4f);
    vsm_mask_fit_destroy(fit);
}

static void test_vote(void)
{
    const struct vsm_mask_person people[2] = {{logits[0], true}, {logits[1], false}};
    struct vsm_mask_vote vote;

    CHECK_INT(vsm_mask_vote_create(SIDE, &vote), VSM_OK);
    draw(logits[0], 20, 10, 40, 50, 6);
    draw(logits[1], 35, 10, 55, 50, 9);
    vsm_mask_vote_take(&vote, people, 1);
    CHECK_NEAR(vote.gate[30 * SIDE + 30], 1, 0);
    CHECK_NEAR(vote.gate[30 * SIDE + 19], 1, 0); /* the reach: 0.04 * 40 */
    CHECK(vote.gate[30 * SIDE + 17] > 0 && vote.gate[30 * SIDE + 17] < 1);
    CHECK_NEAR(vote.gate[30 * SIDE + 14], 0, 0);
    CHECK_NEAR(vote.sure[30 * SIDE + 30], 1, 0);
    CHECK_NEAR(vote.sure[30 * SIDE + 20], 0, 0);
    CHECK(vote.sure[30 * SIDE + 21] > 0 && vote.sure[30 * SIDE + 21] < 1);
    CHECK_NEAR(vote.logit[30 * SIDE + 37], 6, 0);
    /* somebody else is likelier where both are */
    vsm_mask_vote_take(&vote, people, 2);
    CHECK_NEAR(vote.logit[30 * SIDE + 37], -3, 0);
    CHECK_NEAR(vote.gate[30 * SIDE + 37], 0, 0);
    CHECK_NEAR(vote.gate[30 * SIDE + 32], 1, 0);
    CHECK(vote.gate[30 * SIDE + 34] > 0 && vote.gate[30 * SIDE + 34] < 1);
    CHECK_NEAR(vote.sure[30 * SIDE + 37], 0, 0);
    /* nobody chosen, nobody at all */
    vsm_mask_vote_take(&vote, people + 1, 1);
    for (int i = 0; i < SIDE * SIDE; i++)
        CHECK(vote.gate[i] == 0 && vote.sure[i] == 0 && vote.logit[i] < -100);
    vsm_mask_vote_take(&vote, people, 0);
    CHECK(vote.gate[30 * SIDE + 30] == 0 && vote.logit[30 * SIDE + 30] < -100);
    vsm_mask_vote_destroy(&vote);
}

/* Whoever touches the picture's border is as sure there. */
static void test_vote_at_the_border(void)
{
    const struct vsm_mask_person person = {logits[0], true};
    struct vsm_mask_vote vote;

    CHECK_INT(vsm_mask_vote_create(SIDE, &vote), VSM_OK);
    draw(logits[0], 0, 40, 30, SIDE, 6);
    vsm_mask_vote_take(&vote, &person, 1);
    CHECK_NEAR(vote.sure[(SIDE - 1) * SIDE], 1, 0);
    CHECK_NEAR(vote.gate[(SIDE - 1) * SIDE], 1, 0);
    vsm_mask_vote_destroy(&vote);
}

static void test_mend(void)
{
    const struct vsm_mask_person person = {logits[0], true};
    struct vsm_mask_fusion *fusion;
    struct vsm_mask_vote vote;

    CHECK_INT(vsm_mask_vote_create(SIDE, &vote), VSM_OK);
    CHECK_INT(vsm_mask_fusion_create(W, H, &fusion), VSM_OK);
    noise(rgb, 3 * CELLS, 5);
    draw(logits[0], 8, 16, 24, 48, 7); /* of the grid: 16..48 x 24..72 */
    vsm_mask_vote_take(&vote, &person, 1);
    /* the matter agrees and sees another person at the right: he goes, nothing else changes */
    matter(14, 22, 50, 74, 1);
    for (int y = 22; y < 74; y++)
        for (int x = 90; x < 120; x++)
            maps[7 * CELLS + y * W + x] = 1;
    maps[3 * CELLS + 50 * W + 30] = 0.5f;
    memcpy(other, maps, sizeof(maps));
    CHECK_NEAR(vsm_mask_fusion_mend(fusion, &vote, NULL, rgb, maps, NULL), 0, 0);
    CHECK_NEAR(alpha_of(maps, 100, 50), 0, 0);
    CHECK_NEAR(maps[3 * CELLS + 50 * W + 30], 0.5, 0);
    for (int y = 20; y < 76; y++)
        for (int x = 12; x < 52; x++)
            CHECK_NEAR(alpha_of(maps, x, y), alpha_of(other, x, y),
                       x > 17 && x < 46 && y > 25 && y < 70 ? 1e-6 : 1);
    CHECK(memcmp(maps, other, 3 * CELLS * sizeof(float)) == 0);
    /* the matter misses the lower half: the mask fills it, the upper half stays the matter's */
    matter(16, 24, 48, 48, 0.9f);
    CHECK(vsm_mask_fusion_mend(fusion, &vote, NULL, rgb, maps, NULL) > 0.03);
    CHECK_NEAR(alpha_of(maps, 32, 62), 1, 0.02);
    CHECK_NEAR(alpha_of(maps, 32, 30), 0.9, 1e-6);
    CHECK_NEAR(alpha_of(maps, 60, 62), 0, 0);
    CHECK_NEAR(maps[62 * W + 32], 0, 0.01); /* no residual of a colour that was never estimated */
    CHECK_NEAR(maps[30 * W + 32], 0.25, 1e-6);
    /* what is only half missed is only half filled: nothing jumps */
    matter(16, 24, 48, 72, 0.45f);
    vsm_mask_fusion_mend(fusion, &vote, NULL, rgb, maps, NULL);
    CHECK_NEAR(alpha_of(maps, 32, 50), 0.45 + 0.625 * 0.55, 0.02);
    /* a hole smaller than what the mask can know stays */
    matter(16, 24, 48, 72, 1);
    maps[7 * CELLS + 50 * W + 32] = 0;
    CHECK_NEAR(vsm_mask_fusion_mend(fusion, &vote, NULL, rgb, maps, NULL), 0, 0);
    CHECK_NEAR(alpha_of(maps, 32, 50), 0, 0);
    vsm_mask_fusion_destroy(fusion);
    vsm_mask_vote_destroy(&vote);
}

static void test_alone(void)
{
    const struct vsm_mask_person person = {logits[0], true};
    struct vsm_mask_fusion *fusion;
    struct vsm_mask_vote vote;

    CHECK_INT(vsm_mask_vote_create(SIDE, &vote), VSM_OK);
    CHECK_INT(vsm_mask_fusion_create(W, H, &fusion), VSM_OK);
    noise(rgb, 3 * CELLS, 6);
    draw(logits[0], 8, 16, 24, 48, 9);
    vsm_mask_vote_take(&vote, &person, 1);
    memset(maps, 0x7f, sizeof(maps));
    vsm_mask_fusion_alone(fusion, &vote, NULL, rgb, maps, NULL);
    CHECK_NEAR(alpha_of(maps, 32, 48), 1, 1e-3);
    CHECK_NEAR(alpha_of(maps, 100, 48), 0, 1e-3);
    for (int k = 0; k < 8; k++)
        CHECK(k % 4 == 3 || maps[k * CELLS + 48 * W + 32] == 0);
    /* nobody */
    vsm_mask_vote_take(&vote, &person, 0);
    vsm_mask_fusion_alone(fusion, &vote, NULL, rgb, maps, NULL);
    CHECK_NEAR(alpha_of(maps, 32, 48), 0, 0);
    vsm_mask_fusion_destroy(fusion);
    vsm_mask_vote_destroy(&vote);
}

/* A view that shows the eye's left half, mirrored, and nothing in its last columns. */
static void test_through_a_view(void)
{
    static float where[2 * CELLS];
    const struct vsm_mask_person person = {logits[0], true};
    struct vsm_mask_fusion *fusion;
    struct vsm_mask_vote vote;

    CHECK_INT(vsm_mask_vote_create(SIDE, &vote), VSM_OK);
    CHECK_INT(vsm_mask_fusion_create(W, H, &fusion), VSM_OK);
    for (int i = 0; i < CELLS; i++) {
        where[2 * i] = i % W < 120 ? 0.5f * (1 - ((float)(i % W) + 0.5f) / W) : -1;
        where[2 * i + 1] = ((float)(i / W) + 0.5f) / H;
    }
    draw(logits[0], 0, 16, 12, 48, 9); /* u 0..0.19: columns from 80 on */
    vsm_mask_vote_take(&vote, &person, 1);
    matter(0, 0, W, H, 1);
    vsm_mask_fusion_mend(fusion, &vote, where, rgb, maps, NULL);
    CHECK_NEAR(alpha_of(maps, 100, 48), 1, 0);
    CHECK_NEAR(alpha_of(maps, 40, 48), 0, 0);
    CHECK_NEAR(alpha_of(maps, 124, 48), 0, 0);
    vsm_mask_fusion_destroy(fusion);
    vsm_mask_vote_destroy(&vote);
}

int main(void)
{
    RUN(test_fit_is_the_formula);
    RUN(test_fit_with_any_threads);
    RUN(test_fit_follows_the_picture);
    RUN(test_vote);
    RUN(test_vote_at_the_border);
    RUN(test_mend);
    RUN(test_alone);
    RUN(test_through_a_view);
    return tap_done();
}
