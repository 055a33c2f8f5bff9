#include "tools/metrics.h"

#include "tap.h"

#define W 64
#define H 48

static void fill(float *matte, int x0, int y0, int x1, int y1, float value)
{
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            matte[y * W + x] = value;
}

static double boundary(const float *a, const float *b)
{
    double f = -1.0;

    CHECK_INT(vsm_metrics_boundary(a, b, W, H, &f), VSM_OK);
    return f;
}

static double grad(const float *a, const float *b)
{
    double sum = -1.0;

    CHECK_INT(vsm_metrics_grad(a, b, W, H, &sum), VSM_OK);
    return sum;
}

static double conn(const float *a, const float *b)
{
    double sum = -1.0;

    CHECK_INT(vsm_metrics_conn(a, b, W, H, &sum), VSM_OK);
    return sum;
}

static void test_equal_mattes_are_perfect(void)
{
    float a[W * H] = {0};

    fill(a, 10, 10, 30, 30, 1.0f);
    fill(a, 30, 10, 33, 30, 0.4f);
    CHECK_NEAR(vsm_metrics_region(a, a, W * H), 1.0, 0.0);
    CHECK_NEAR(boundary(a, a), 1.0, 0.0);
    CHECK_NEAR(vsm_metrics_sad(a, a, W * H), 0.0, 0.0);
    CHECK_NEAR(vsm_metrics_mse(a, a, W * H), 0.0, 0.0);
    CHECK_NEAR(grad(a, a), 0.0, 0.0);
    CHECK_NEAR(conn(a, a), 0.0, 0.0);
}

static void test_region_of_shifted_squares(void)
{
    float a[W * H] = {0}, b[W * H] = {0}, none[W * H] = {0};

    fill(a, 10, 10, 20, 20, 1.0f);
    fill(b, 15, 10, 25, 20, 0.51f);
    CHECK_NEAR(vsm_metrics_region(a, b, W * H), 50.0 / 150.0, 1e-12);
    fill(b, 0, 0, W, H, 0.5f); /* not above one half */
    CHECK_NEAR(vsm_metrics_region(a, b, W * H), 0.0, 0.0);
    CHECK_NEAR(vsm_metrics_region(none, none, W * H), 1.0, 0.0);
}

/* The picture's diagonal is 80: boundaries match within ceil(0.64) = 1 pixel. */
static void test_boundary_tolerance(void)
{
    float a[W * H] = {0}, one[W * H] = {0}, two[W * H] = {0}, none[W * H] = {0};

    fill(a, 10, 0, 20, H, 1.0f); /* two vertical lines */
    fill(one, 11, 0, 21, H, 1.0f);
    fill(two, 12, 0, 22, H, 1.0f);
    CHECK_NEAR(boundary(a, one), 1.0, 0.0);
    CHECK_NEAR(boundary(a, two), 0.0, 0.0);
    CHECK_NEAR(boundary(a, none), 0.0, 0.0);
    CHECK_NEAR(boundary(none, a), 0.0, 0.0);
    CHECK_NEAR(boundary(none, none), 1.0, 0.0);
    fill(two, 0, 0, W, H, 0.0f);
    fill(two, 10, 0, 40, H, 1.0f); /* one of two lines agrees in each: precision and recall one half */
    CHECK_NEAR(boundary(a, two), 0.5, 1e-12);
}

static void test_sums_of_differences(void)
{
    float a[W * H] = {0}, b[W * H] = {0};

    fill(a, 0, 0, 10, 10, 0.75f);
    fill(b, 0, 0, 10, 10, 0.25f);
    CHECK_NEAR(vsm_metrics_sad(a, b, W * H), 50.0, 1e-9);
    CHECK_NEAR(vsm_metrics_mse(a, b, W * H), 25.0 / (W * H), 1e-12);
}

/* A step edge against nothing: along each row the squared responses of the unit-energy filter to
 * a unit step. */
static void test_gradient_of_a_step(void)
{
    float a[W * H] = {0}, none[W * H] = {0};
    double g[9], d[9], smooth = 0.0, derive = 0.0, total = 0.0, gain = 0.0;

    for (int k = -4; k <= 4; k++) {
        g[k + 4] = exp(-k * k / (2.0 * 1.4 * 1.4));
        d[k + 4] = k * g[k + 4];
        smooth += g[k + 4] * g[k + 4];
        derive += d[k + 4] * d[k + 4];
        gain += g[k + 4];
    }
    for (int x = -4; x < 4; x++) { /* the step lies between x = -1 and 0 */
        double sum = 0.0;

        for (int k = -4; k <= 4; k++)
            sum += x + k >= 0 ? d[k + 4] : 0.0;
        total += sum * sum / derive * gain * gain / smooth;
    }
    fill(a, 32, 0, W, H, 1.0f);
    CHECK_NEAR(grad(a, none), total * H, 1e-2);
    CHECK_NEAR(grad(none, a), total * H, 1e-2);
}

static void test_connectivity_of_an_island(void)
{
    float truth[W * H] = {0}, matte[W * H] = {0};

    fill(truth, 5, 5, 25, 25, 1.0f);
    fill(matte, 5, 5, 25, 25, 1.0f);
    fill(matte, 40, 40, 44, 42, 0.6f); /* eight pixels that hang on nothing, 0.6 above level 0 */
    CHECK_NEAR(conn(matte, truth), 8 * 0.6, 1e-5);
    fill(matte, 40, 40, 44, 42, 0.1f); /* too faint to count */
    CHECK_NEAR(conn(matte, truth), 0.0, 1e-9);
    fill(matte, 10, 10, 12, 12, 0.5f); /* four pixels fall to level 0.5, the truth stands 0.5 above it */
    CHECK_NEAR(conn(matte, truth), 4 * 0.5, 1e-5);
}

static void test_flicker(void)
{
    float steady[W * H], flicker[W * H];

    for (int i = 0; i < W * H; i++) {
        steady[i] = 0.5f;
        flicker[i] = 0.7f;
    }
    CHECK_NEAR(vsm_metrics_dtssd(steady, steady, flicker, flicker, W * H), 0.0, 0.0);
    CHECK_NEAR(vsm_metrics_dtssd(flicker, steady, steady, steady, W * H), 0.2, 1e-6);
}

static void test_difference(void)
{
    static struct vsm_metrics_difference none, d;
    float a[2000], b[2000];

    CHECK_NEAR(vsm_metrics_difference_quantile(&none, 0.999), 0.0, 0.0);
    for (int i = 0; i < 2000; i++) {
        a[i] = 0.5f;
        b[i] = i < 1000 ? 0.5f : 0.49f;
    }
    b[0] = 0.9f; /* one of two thousand is above the 99.9th percentile, three are not */
    vsm_metrics_difference_add(&d, a, b, 1000);
    vsm_metrics_difference_add(&d, a + 1000, b + 1000, 1000);
    CHECK_INT(d.count, 2000);
    CHECK_NEAR(d.sum / 2000.0, (0.4 + 1000 * 0.01) / 2000.0, 1e-6);
    CHECK_NEAR(d.largest, 0.4, 1e-6);
    CHECK_NEAR(vsm_metrics_difference_quantile(&d, 0.999), 0.01, 1e-5);
    CHECK_NEAR(vsm_metrics_difference_quantile(&d, 0.25), 0.0, 0.0);
    CHECK_NEAR(vsm_metrics_difference_quantile(&d, 1.0), 0.4, 1e-5);
    b[1] = b[2] = -3.0f; /* further apart than mattes can be */
    vsm_metrics_difference_add(&d, a, b, 1000);
    CHECK_NEAR(vsm_metrics_difference_quantile(&d, 0.9995), 1.0, 0.0);
}

int main(void)
{
    RUN(test_equal_mattes_are_perfect);
    RUN(test_region_of_shifted_squares);
    RUN(test_boundary_tolerance);
    RUN(test_sums_of_differences);
    RUN(test_gradient_of_a_step);
    RUN(test_connectivity_of_an_island);
    RUN(test_flicker);
    RUN(test_difference);
    return tap_done();
}
