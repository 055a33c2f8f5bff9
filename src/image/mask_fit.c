#include "image/mask_fit.h"

#include "base/mem.h"

#include <stddef.h>
#include <string.h>

#define EPS 1e-4 /* of x in 0..1: differences below 0.01 are not followed */

/* Rows, or columns, for one call of a worker. */
#define BAND 64

enum { X, M, XM, XX, PLANES };

struct vsm_mask_fit {
    int width, height;
    float *planes[PLANES]; /* become the window's means, then A and b */
    float *across[PLANES]; /* means along rows only */
};

struct job {
    struct vsm_mask_fit *fit;
    const float *rgb, *mask;
    float *slope, *offset;
    int radius, count; /* of planes to average */
};

struct vsm_mask_fit *vsm_mask_fit_create(int width, int height)
{
    struct vsm_mask_fit *fit = vsm_mem_alloc("mask fit", 1, sizeof(*fit));
    const size_t cells = (size_t)width * (size_t)height;

    if (!fit)
        return NULL;
    fit->width = width;
    fit->height = height;
    fit->planes[0] = vsm_mem_alloc("mask fit", cells, 2 * PLANES * sizeof(float));
    if (!fit->planes[0]) {
        vsm_mem_free(fit);
        return NULL;
    }
    for (int i = 0; i < PLANES; i++) {
        fit->planes[i] = fit->planes[0] + (size_t)i * cells;
        fit->across[i] = fit->planes[0] + (size_t)(PLANES + i) * cells;
    }
    return fit;
}

void vsm_mask_fit_destroy(struct vsm_mask_fit *fit)
{
    if (fit)
        vsm_mem_free(fit->planes[0]);
    vsm_mem_free(fit);
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Brightness is centred on grey: that changes nothing but the rounding of small differences of squares. */
static void multiply_band(void *context, int index, int worker)
{
    const struct job *job = context;
    const int width = job->fit->width, end = smaller((index + 1) * BAND, job->fit->height);
    const size_t cells = (size_t)width * (size_t)job->fit->height;
    float *const *p = job->fit->planes;

    (void)worker;
    for (size_t i = (size_t)(index * BAND) * (size_t)width; i < (size_t)end * (size_t)width; i++) {
        const float x = (job->rgb[i] + job->rgb[i + cells] + job->rgb[i + 2 * cells]) / 3 - 0.5f;

        p[X][i] = x;
        p[M][i] = job->mask[i];
        p[XM][i] = x * job->mask[i];
        p[XX][i] = x * x;
    }
}

/* Running sums in double precision: they neither drift nor depend on where a worker begins. */
static void average_row(const float *from, float *to, int n, int radius)
{
    double sum = 0;

    for (int i = 0; i < radius && i < n; i++)
        sum += (double)from[i];
    for (int i = 0; i < n; i++) {
        const int first = i - radius > 0 ? i - radius : 0, last = smaller(i + radius, n - 1);

        if (i + radius < n)
            sum += (double)from[i + radius];
        to[i] = (float)(sum / (last - first + 1));
        if (i - radius >= 0)
            sum -= (double)from[i - radius];
    }
}

static void average_rows(void *context, int index, int worker)
{
    const struct job *job = context;
    const int width = job->fit->width, end = smaller((index + 1) * BAND, job->fit->height);

    (void)worker;
    for (int k = 0; k < job->count; k++)
        for (int y = index * BAND; y < end; y++)
            average_row(job->fit->planes[k] + (size_t)y * (size_t)width,
                        job->fit->across[k] + (size_t)y * (size_t)width, width, job->radius);
}

static void add_row(double *sum, const float *row, int n, double sign)
{
    for (int i = 0; i < n; i++)
        sum[i] += sign * (double)row[i];
}

static void average_columns(void *context, int index, int worker)
{
    const struct job *job = context;
    const int width = job->fit->width, height = job->fit->height, radius = job->radius;
    const int first = index * BAND, n = smaller(BAND, width - first);

    (void)worker;
    for (int k = 0; k < job->count; k++) {
        const float *from = job->fit->across[k] + first;
        float *to = job->fit->planes[k] + first;
        double sum[BAND] = {0};

        for (int y = 0; y < radius && y < height; y++)
            add_row(sum, from + (size_t)y * (size_t)width, n, 1);
        for (int y = 0; y < height; y++) {
            const int top = y - radius > 0 ? y - radius : 0, bottom = smaller(y + radius, height - 1);

            if (y + radius < height)
                add_row(sum, from + (size_t)(y + radius) * (size_t)width, n, 1);
            for (int i = 0; i < n; i++)
                to[(size_t)y * (size_t)width + (size_t)i] = (float)(sum[i] / (bottom - top + 1));
            if (y - radius >= 0)
                add_row(sum, from + (size_t)(y - radius) * (size_t)width, n, -1);
        }
    }
}

static void average(struct job *job, int count, struct vsm_parallel *pool)
{
    job->count = count;
    vsm_parallel_for(pool, (job->fit->height + BAND - 1) / BAND, average_rows, job);
    vsm_parallel_for(pool, (job->fit->width + BAND - 1) / BAND, average_columns, job);
}

/* Leaves A and b (of the centred brightness) in planes 0 and 1. */
static void solve_band(void *context, int index, int worker)
{
    const struct job *job = context;
    const int width = job->fit->width, end = smaller((index + 1) * BAND, job->fit->height);
    float *const *p = job->fit->planes;

    (void)worker;
    for (size_t i = (size_t)(index * BAND) * (size_t)width; i < (size_t)end * (size_t)width; i++) {
        const double x = (double)p[X][i], m = (double)p[M][i];
        const double a = ((double)p[XM][i] - x * m) / ((double)p[XX][i] - x * x + EPS);

        p[0][i] = (float)a;
        p[1][i] = (float)(m - a * x);
    }
}

static void finish_band(void *context, int index, int worker)
{
    const struct job *job = context;
    const int width = job->fit->width, end = smaller((index + 1) * BAND, job->fit->height);

    (void)worker;
    for (size_t i = (size_t)(index * BAND) * (size_t)width; i < (size_t)end * (size_t)width; i++) {
        job->slope[i] = job->fit->planes[0][i];
        job->offset[i] = job->fit->planes[1][i] - 0.5f * job->fit->planes[0][i];
    }
}

void vsm_mask_fit_run(struct vsm_mask_fit *fit, const float *rgb, const float *mask, int radius, float *slope,
                      float *offset, struct vsm_parallel *pool)
{
    struct job job = {fit, rgb, mask, slope, offset, radius, 0};
    const int bands = (fit->height + BAND - 1) / BAND;

    vsm_parallel_for(pool, bands, multiply_band, &job);
    average(&job, PLANES, pool);
    vsm_parallel_for(pool, bands, solve_band, &job);
    average(&job, 2, pool);
    vsm_parallel_for(pool, bands, finish_band, &job);
}
