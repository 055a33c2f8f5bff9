#include "image/guided_fit.h"
#include "tap.h"

/* Wider than one tile, higher than one band, and no multiple of anything. */
#define W 301
#define H 37
#define N (W * H)

static float rgb[3 * N], matte[4 * N], maps[8 * N], again[8 * N];

static void fill(void)
{
    unsigned state = 1;

    for (int i = 0; i < 3 * N; i++)
        rgb[i] = (float)((state = state * 1664525u + 1013904223u) >> 16) / 65536.0f;
    for (int i = 0; i < 4 * N; i++)
        matte[i] = (float)((state = state * 1664525u + 1013904223u) >> 16) / 65536.0f;
}

static double guide(int channel, int at)
{
    return channel < 3 ? (double)rgb[channel * N + at]
                       : ((double)rgb[at] + (double)rgb[N + at] + (double)rgb[2 * N + at]) / 3;
}

/* The formula in double, cell by cell. */
static void fit_slowly(int channel, int column, int row, double *slope, double *offset)
{
    double x = 0, y = 0, xy = 0, xx = 0, count = 0;

    for (int v = row - 1; v <= row + 1; v++) {
        for (int u = column - 1; u <= column + 1; u++) {
            if (u < 0 || v < 0 || u >= W || v >= H)
                continue;
            const double g = guide(channel, v * W + u), m = (double)matte[channel * N + v * W + u];

            x += g;
            y += m;
            xy += g * m;
            xx += g * g;
            count++;
        }
    }
    x /= count;
    y /= count;
    *slope = (xy / count - x * y) / (xx / count - x * x + 1e-5);
    *offset = y - *slope * x;
}

static void test_fit_is_the_formula(void)
{
    double worst = 0;

    fill();
    vsm_guided_fit(rgb, matte, W, H, maps, NULL);
    for (int i = 0; i < 4 * N; i++) {
        double slope, offset;

        fit_slowly(i / N, i % N % W, i % N / W, &slope, &offset);
        worst = fmax(worst, fabs(slope - (double)maps[i]));
        worst = fmax(worst, fabs(offset - (double)maps[4 * N + i]));
    }
    printf("# largest difference from double precision: %.2g\n", worst);
    CHECK_NEAR(worst, 0, 2e-4);
}

static void test_threads_change_nothing(void)
{
    struct vsm_parallel *pool = vsm_parallel_create(3);

    fill();
    vsm_guided_fit(rgb, matte, W, H, maps, NULL);
    vsm_guided_fit(rgb, matte, W, H, again, pool);
    CHECK_INT(memcmp(maps, again, sizeof(maps)), 0);
    vsm_parallel_destroy(pool);
}

/* Where the matte is constant, nothing depends on the picture. */
static void test_flat_matte_stays_flat(void)
{
    fill();
    for (int i = 0; i < 4 * N; i++)
        matte[i] = 1;
    vsm_guided_fit(rgb, matte, W, H, maps, NULL);
    for (int i = 0; i < N; i += 7) {
        CHECK_NEAR(maps[3 * N + i], 0, 1e-4);
        CHECK_NEAR(maps[7 * N + i], 1, 1e-4);
    }
}

int main(void)
{
    RUN(test_fit_is_the_formula);
    RUN(test_threads_change_nothing);
    RUN(test_flat_matte_stays_flat);
    return tap_done();
}
