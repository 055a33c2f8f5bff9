#include "app/self_test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "models/rvm.h"
#include "pixel/coefficients.h"

#include <math.h>
#include <stdbool.h>

#define SIDE  VSM_SELF_TEST_SIDE
#define CELLS ((size_t)SIDE * SIDE)

static bool inside(double x, double y, double cx, double cy, double rx, double ry)
{
    const double dx = (x - cx) / rx, dy = (y - cy) / ry;

    return dx * dx + dy * dy < 1;
}

/* What is seen at x, y in 0..1 of somebody in a red shirt; NULL: the wall. Eyes and mouth make the network
 * sure that it is a person: without them its answer hangs on the last bits. */
static const float *paint_at(double x, double y)
{
    static const float skin[3] = {0.86f, 0.66f, 0.55f}, hair[3] = {0.18f, 0.12f, 0.09f},
                       shirt[3] = {0.55f, 0.1f, 0.12f}, eye[3] = {0.1f, 0.08f, 0.08f},
                       mouth[3] = {0.7f, 0.35f, 0.33f};

    if (inside(x, y, 0.46, 0.39, 0.018, 0.01) || inside(x, y, 0.54, 0.39, 0.018, 0.01))
        return eye;
    if (inside(x, y, 0.5, 0.47, 0.035, 0.01))
        return mouth;
    if (inside(x, y, 0.5, 0.40, 0.10, 0.14))
        return skin;
    if (inside(x, y, 0.5, 0.34, 0.13, 0.15))
        return hair;
    if (x > 0.45 && x < 0.55 && y > 0.4 && y < 0.6)
        return skin;
    return inside(x, y, 0.5, 1.0, 0.28, 0.42) ? shirt : NULL;
}

/* Lit from the left, before a green wall that gets darker to the right. */
static void draw(float *rgb)
{
    static const float wall[3] = {0.2f, 0.6f, 0.25f};

    for (size_t i = 0; i < CELLS; i++) {
        const double x = ((double)(i % SIDE) + 0.5) / SIDE, y = ((double)(i / SIDE) + 0.5) / SIDE;
        const float *paint = paint_at(x, y);

        for (size_t c = 0; c < 3; c++) {
            const double colour =
                paint ? (double)paint[c] * (1 - 2.4 * (x - 0.5)) : (double)wall[c] - 0.15 * x;

            rgb[c * CELLS + i] = (float)fmin(fmax(colour, 0), 1);
        }
    }
}

/* alpha as frame/frame.h defines it, here at the grid's own size. */
static void make_alpha(const float *rgb, const float *coefficients, struct vsm_self_test *result)
{
    const float *a = coefficients + VSM_COEFFICIENT_ALPHA_A * CELLS;
    const float *b = coefficients + VSM_COEFFICIENT_ALPHA_B * CELLS;
    double sum = 0;

    for (size_t i = 0; i < CELLS; i++) {
        const float x = (rgb[i] + rgb[CELLS + i] + rgb[2 * CELLS + i]) / 3;

        result->alpha[i] = fminf(fmaxf(a[i] * x + b[i], 0), 1);
        sum += (double)result->alpha[i];
    }
    result->mean = sum / (double)CELLS;
}

static int run(struct vsm_rvm *rvm, struct vsm_self_test *result)
{
    struct vsm_tensor *source = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, SIDE, SIDE});
    struct vsm_tensor *coefficients = NULL;
    struct vsm_rvm_state state = {0};
    int status = source ? VSM_OK : VSM_E_NOMEM, resets = 0;

    if (!status) {
        draw(vsm_tensor_f32(source));
        status = vsm_rvm_run(rvm, source, &state, &coefficients, &resets);
    }
    if (!status)
        make_alpha(vsm_tensor_f32(source), vsm_tensor_f32(coefficients), result);
    vsm_rvm_state_reset(&state);
    vsm_tensor_unref(&coefficients);
    vsm_tensor_unref(&source);
    return status;
}

int vsm_self_test_run(const char *graph_path, enum vsm_device device, int threads,
                      struct vsm_self_test *result)
{
    const struct vsm_rvm_options options = {.graph_path = graph_path,
                                            .width = SIDE,
                                            .height = SIDE,
                                            .batch = 1,
                                            .session = {.device = device, .threads = threads}};
    const uint64_t begin = vsm_clock_ns();
    struct vsm_rvm *rvm;
    int status = vsm_rvm_create(&options, &rvm);

    if (status)
        return status;
    status = run(rvm, result);
    vsm_rvm_destroy(rvm);
    result->seconds = (double)(vsm_clock_ns() - begin) / 1e9;
    if (!status && !(fabs(result->mean - VSM_SELF_TEST_MEAN) <= VSM_SELF_TEST_BOUND))
        return vsm_fail(VSM_E_DEVICE, "self-test: mean alpha %.4f, but %.4f is known to be right (+- %.3f)",
                        result->mean, VSM_SELF_TEST_MEAN, VSM_SELF_TEST_BOUND);
    return status;
}

int vsm_self_test_look(struct vsm_detector *detector, struct vsm_detector_people *people, double *seconds)
{
    float *rgb = vsm_mem_alloc("self-test", 3 * CELLS, sizeof(*rgb));
    int status = rgb ? VSM_OK : VSM_E_NOMEM;

    if (!status)
        draw(rgb);
    for (int i = 0; i < 2 && !status; i++) {
        const uint64_t begin = vsm_clock_ns();

        status = vsm_detector_run(detector, rgb, SIDE, SIDE, 0, people);
        *seconds = (double)(vsm_clock_ns() - begin) / 1e9;
    }
    vsm_mem_free(rgb);
    return status;
}

double vsm_self_test_difference(const struct vsm_self_test *a, const struct vsm_self_test *b)
{
    double sum = 0;

    for (size_t i = 0; i < CELLS; i++)
        sum += fabs((double)a->alpha[i] - (double)b->alpha[i]);
    return sum / (double)CELLS;
}
