#include "image/guided_fit.h"

#include "pixel/guided_fit.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Rows for one call of a worker, and columns at a time: all sums of a tile stay in the first-level cache. */
#define BAND 16
#define TILE 256

/* A tile and one more column on either side. */
#define SPAN (TILE + 2)

struct job {
    const float *rgb, *matte;
    float *coefficients;
    int width, height;
    int first;           /* channel: 0 = R to 3 = alpha; matte and coefficients begin with it */
    const float *weight; /* NULL: all cells are wanted */
};

/* Three rows of guide and matte, zero outside the picture, and their sums down the columns. */
struct tile {
    float x[3][SPAN], y[3][SPAN];
    float sum_x[SPAN], sum_y[SPAN], sum_xy[SPAN], sum_xx[SPAN];
    float share[TILE]; /* 1 / number of cells inside the picture */
};

/* Colours' guides are centred on grey as alpha's is. */
static void fill_row(const struct job *job, int channel, int row, int from, int count, float *x, float *y)
{
    const size_t plane = (size_t)job->width * (size_t)job->height;
    const size_t at = (size_t)row * (size_t)job->width + (size_t)from;
    const float *r = job->rgb + at, *g = r + plane, *b = g + plane, *one = r + (size_t)channel * plane;

    memcpy(y, job->matte + (size_t)(channel - job->first) * plane + at, (size_t)count * sizeof(*y));
    if (channel < 3) {
        for (int i = 0; i < count; i++)
            x[i] = one[i] - 0.5f;
    } else {
        for (int i = 0; i < count; i++)
            x[i] = vsm_guided_fit_grey(r[i], g[i], b[i]);
    }
}

static void fill_tile(const struct job *job, struct tile *t, int channel, int row, int column, int count)
{
    const int left = column > 0 ? 1 : 0, right = column + count < job->width ? 1 : 0;
    int rows = 0;

    for (int k = 0; k < 3; k++) {
        const int from = row + k - 1;

        memset(t->x[k], 0, sizeof(t->x[k]));
        memset(t->y[k], 0, sizeof(t->y[k]));
        if (from < 0 || from >= job->height)
            continue;
        fill_row(job, channel, from, column - left, left + count + right, t->x[k] + 1 - left,
                 t->y[k] + 1 - left);
        rows++;
    }
    for (int i = 0; i < count; i++)
        t->share[i] = 1.0f / (float)(3 * rows);
    if (!left)
        t->share[0] = 1.0f / (float)(2 * rows);
    if (!right)
        t->share[count - 1] = 1.0f / (float)(2 * rows);
}

static void sum_columns(struct tile *t)
{
    for (int i = 0; i < SPAN; i++) {
        const struct vsm_guided_fit_sums sums =
            vsm_guided_fit_column(t->x[0][i], t->x[1][i], t->x[2][i], t->y[0][i], t->y[1][i], t->y[2][i]);

        t->sum_x[i] = sums.x;
        t->sum_y[i] = sums.y;
        t->sum_xy[i] = sums.xy;
        t->sum_xx[i] = sums.xx;
    }
}

static struct vsm_guided_fit_sums sums_at(const struct tile *t, int i)
{
    return (struct vsm_guided_fit_sums){t->sum_x[i], t->sum_y[i], t->sum_xy[i], t->sum_xx[i]};
}

static void fit_tile(const struct tile *t, int count, float *restrict slope, float *restrict offset)
{
    for (int i = 0; i < count; i++)
        vsm_guided_fit_line(sums_at(t, i), sums_at(t, i + 1), sums_at(t, i + 2), t->share[i], &slope[i],
                            &offset[i]);
}

static bool is_wanted(const float *weight, int count)
{
    for (int i = 0; i < count; i++) {
        if (weight[i] > 0.0f)
            return true;
    }
    return false;
}

static void fit_band(void *context, int index, int worker)
{
    const struct job *job = context;
    const int end = (index + 1) * BAND < job->height ? (index + 1) * BAND : job->height;
    const size_t plane = (size_t)job->width * (size_t)job->height;
    struct tile t;

    (void)worker;
    for (int row = index * BAND; row < end; row++) {
        for (int channel = job->first; channel < 4; channel++) {
            for (int column = 0; column < job->width; column += TILE) {
                const int count = job->width - column < TILE ? job->width - column : TILE;
                const size_t at = (size_t)row * (size_t)job->width + (size_t)column;
                float *slope = job->coefficients + (size_t)(channel - job->first) * plane + at;

                if (job->weight && !is_wanted(job->weight + at, count))
                    continue;
                fill_tile(job, &t, channel, row, column, count);
                sum_columns(&t);
                fit_tile(&t, count, slope, slope + (size_t)(4 - job->first) * plane);
            }
        }
    }
}

void vsm_guided_fit(const float *rgb, const float *matte, int width, int height, float *coefficients,
                    struct vsm_parallel *pool)
{
    struct job job = {rgb, matte, coefficients, width, height, 0, NULL};

    vsm_parallel_for(pool, (height + BAND - 1) / BAND, fit_band, &job);
}

void vsm_guided_fit_alpha(const float *rgb, const float *alpha, const float *weight, int width, int height,
                          float *coefficients, struct vsm_parallel *pool)
{
    struct job job = {rgb, alpha, coefficients, width, height, 3, weight};

    vsm_parallel_for(pool, (height + BAND - 1) / BAND, fit_band, &job);
}
