#include "image/mask_fusion.h"

#include "base/mem.h"
#include "image/coefficients.h"
#include "image/mask_fit.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* In cells of the masks' grid: the fit's window must reach over a mask's own steps, and a fill over its
 * border. */
#define FIT_RADIUS  1.0f
#define GROW_RADIUS 4.0f

/* Logits beyond which the mask stands as it is, and the picture has no say: from UNSURE to SURE it loses
 * it. */
#define SURE_LOGIT   6.0f
#define UNSURE_LOGIT 3.0f

enum { GATE, SURE, LOGIT, MISSED, SCRATCH, PLANES };

struct vsm_mask_fusion {
    int width, height;
    float *planes[PLANES];
    struct vsm_mask_fit *fit;
};

int vsm_mask_fusion_create(int width, int height, struct vsm_mask_fusion **fusion)
{
    struct vsm_mask_fusion *f = vsm_mem_alloc("mask fusion", 1, sizeof(*f));
    const size_t cells = (size_t)width * (size_t)height;

    if (!f)
        return VSM_E_NOMEM;
    f->width = width;
    f->height = height;
    f->planes[0] = vsm_mem_alloc("mask fusion", cells, PLANES * sizeof(float));
    for (int i = 1; f->planes[0] && i < PLANES; i++)
        f->planes[i] = f->planes[0] + (size_t)i * cells;
    f->fit = vsm_mask_fit_create(width, height);
    if (!f->planes[0] || !f->fit) {
        vsm_mask_fusion_destroy(f);
        return VSM_E_NOMEM;
    }
    *fusion = f;
    return VSM_OK;
}

void vsm_mask_fusion_destroy(struct vsm_mask_fusion *fusion)
{
    if (!fusion)
        return;
    vsm_mem_free(fusion->planes[0]);
    vsm_mask_fit_destroy(fusion->fit);
    vsm_mem_free(fusion);
}

static size_t cells_of(const struct vsm_mask_fusion *f)
{
    return (size_t)f->width * (size_t)f->height;
}

/* Two neighbours and the weight of the second, with clamped edges; `at` in cells. */
struct tap {
    int first, second;
    float weight;
};

static struct tap tap_at(float at, int cells)
{
    const float position = fminf(fmaxf(at - 0.5f, 0), (float)(cells - 1));
    const int first = (int)position;

    return (struct tap){first, first + 1 < cells ? first + 1 : first, position - (float)first};
}

struct spread {
    const struct vsm_mask_fusion *fusion;
    const struct vsm_mask_vote *vote;
    const float *where;
    const float *from[3];
    float *to[3];
    float outside[3];
};

static void spread_cell(const struct spread *s, size_t at, float u, float v)
{
    const int side = s->vote->side;
    const struct tap x = tap_at(u * (float)side, side), y = tap_at(v * (float)side, side);

    for (int k = 0; k < 3; k++) {
        const float *top = s->from[k] + (ptrdiff_t)y.first * side,
                    *bottom = s->from[k] + (ptrdiff_t)y.second * side;
        const float a = top[x.first] * (1 - x.weight) + top[x.second] * x.weight;
        const float b = bottom[x.first] * (1 - x.weight) + bottom[x.second] * x.weight;

        s->to[k][at] = a * (1 - y.weight) + b * y.weight;
    }
}

static void spread_row(void *context, int row, int worker)
{
    const struct spread *s = context;
    const int width = s->fusion->width;

    (void)worker;
    for (int column = 0; column < width; column++) {
        const size_t at = (size_t)row * (size_t)width + (size_t)column;
        const float u = s->where ? s->where[2 * at] : ((float)column + 0.5f) / (float)width;
        const float v = s->where ? s->where[2 * at + 1] : ((float)row + 0.5f) / (float)s->fusion->height;

        if (u >= 0 && u <= 1 && v >= 0 && v <= 1) {
            spread_cell(s, at, u, v);
            continue;
        }
        for (int k = 0; k < 3; k++)
            s->to[k][at] = s->outside[k];
    }
}

/* Brings the vote to the grid. */
static void spread(const struct vsm_mask_fusion *f, const struct vsm_mask_vote *vote, const float *where,
                   struct vsm_parallel *pool)
{
    struct spread s = {f,
                       vote,
                       where,
                       {vote->gate, vote->sure, vote->logit},
                       {f->planes[GATE], f->planes[SURE], f->planes[LOGIT]},
                       {0, 0, -1024}};

    vsm_parallel_for(pool, f->height, spread_row, &s);
}

static float clamp01(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* How much of each cell is a sure person that the matter does not see; the number of cells. */
static size_t find_missed(const struct vsm_mask_fusion *f, const float *rgb, const float *maps)
{
    const size_t cells = cells_of(f);
    const float *slope = maps + VSM_COEFFICIENT_ALPHA_A * cells,
                *offset = maps + VSM_COEFFICIENT_ALPHA_B * cells;
    size_t count = 0;

    for (size_t i = 0; i < cells; i++) {
        float missed = 0;

        if (f->planes[SURE][i] > 0) {
            const float alpha = slope[i] * (rgb[i] + rgb[i + cells] + rgb[i + 2 * cells]) / 3 + offset[i];

            missed = f->planes[SURE][i] * clamp01((VSM_MASK_FUSION_SEEN - alpha) /
                                                  (VSM_MASK_FUSION_SEEN - VSM_MASK_FUSION_MISSED));
        }
        f->planes[MISSED][i] = missed;
        count += missed > 0.5f;
    }
    return count;
}

struct window {
    const float *from;
    float *to;
    int n, lines, radius;
    ptrdiff_t step, line;
    bool largest; /* of the window, else the mean */
};

static void window_line(void *context, int line, int worker)
{
    const struct window *w = context;
    const float *from = w->from + line * w->line;
    float *to = w->to + line * w->line;

    (void)worker;
    for (int i = 0; i < w->n; i++) {
        const int first = i > w->radius ? i - w->radius : 0;
        const int last = i + w->radius < w->n ? i + w->radius : w->n - 1;
        float largest = 0, sum = 0;

        for (int j = first; j <= last; j++) {
            largest = fmaxf(largest, from[j * w->step]);
            sum += from[j * w->step];
        }
        to[i * w->step] = w->largest ? largest : sum / (float)(last - first + 1);
    }
}

/* The largest, or the mean, of each cell's surroundings, in place. */
static void filter(const struct vsm_mask_fusion *f, float *plane, int radius, bool largest,
                   struct vsm_parallel *pool)
{
    struct window w = {plane, f->planes[SCRATCH], f->width, f->height, radius, 1, f->width, largest};

    vsm_parallel_for(pool, w.lines, window_line, &w);
    w = (struct window){f->planes[SCRATCH], plane, f->height, f->width, radius, f->width, 1, largest};
    vsm_parallel_for(pool, w.lines, window_line, &w);
}

static int radius_of(const struct vsm_mask_fusion *f, const struct vsm_mask_vote *vote, float cells)
{
    const int radius = (int)(cells * (float)f->width / (float)vote->side + 0.5f);

    return radius < 2 ? 2 : radius;
}

/* From logits to the mask's own alpha line. `offset` may be the scratch plane. */
static void fit(struct vsm_mask_fusion *f, const struct vsm_mask_vote *vote, const float *rgb, float *slope,
                float *offset, struct vsm_parallel *pool)
{
    const float *logit = f->planes[LOGIT];
    float *mask = f->planes[SCRATCH];

    for (size_t i = 0; i < cells_of(f); i++)
        mask[i] = 1 / (1 + expf(-logit[i]));
    vsm_mask_fit_run(f->fit, rgb, mask, radius_of(f, vote, FIT_RADIUS), slope, offset, pool);
    for (size_t i = 0; i < cells_of(f); i++) {
        const float sure = clamp01((fabsf(logit[i]) - UNSURE_LOGIT) / (SURE_LOGIT - UNSURE_LOGIT));

        slope[i] *= 1 - sure;
        offset[i] = offset[i] * (1 - sure) + (logit[i] > 0 ? sure : 0);
    }
}

static void fill(struct vsm_mask_fusion *f, const struct vsm_mask_vote *vote, const float *rgb, float *maps,
                 struct vsm_parallel *pool)
{
    const int radius = radius_of(f, vote, GROW_RADIUS);
    const size_t cells = cells_of(f);
    float *slope = f->planes[SURE], *offset = f->planes[SCRATCH], *weight = f->planes[MISSED];

    filter(f, weight, radius, true, pool);
    filter(f, weight, (radius + 1) / 2, false, pool);
    fit(f, vote, rgb, slope, offset, pool);
    for (int k = 0; k < VSM_COEFFICIENT_MAPS; k++)
        for (size_t i = 0; i < cells; i++)
            maps[(size_t)k * cells + i] *= 1 - weight[i];
    for (size_t i = 0; i < cells; i++) {
        maps[VSM_COEFFICIENT_ALPHA_A * cells + i] += weight[i] * slope[i];
        maps[VSM_COEFFICIENT_ALPHA_B * cells + i] += weight[i] * offset[i];
    }
}

double vsm_mask_fusion_mend(struct vsm_mask_fusion *fusion, const struct vsm_mask_vote *vote,
                            const float *where, const float *rgb, float *maps, struct vsm_parallel *pool)
{
    const size_t cells = cells_of(fusion);
    const size_t mask_cell = cells / ((size_t)vote->side * (size_t)vote->side);
    size_t missed;

    spread(fusion, vote, where, pool);
    missed = find_missed(fusion, rgb, maps);
    if (missed > 4 * mask_cell)
        fill(fusion, vote, rgb, maps, pool);
    else
        missed = 0;
    for (size_t i = 0; i < cells; i++) {
        maps[VSM_COEFFICIENT_ALPHA_A * cells + i] *= fusion->planes[GATE][i];
        maps[VSM_COEFFICIENT_ALPHA_B * cells + i] *= fusion->planes[GATE][i];
    }
    return (double)missed / (double)cells;
}

void vsm_mask_fusion_alone(struct vsm_mask_fusion *fusion, const struct vsm_mask_vote *vote,
                           const float *where, const float *rgb, float *maps, struct vsm_parallel *pool)
{
    const size_t cells = cells_of(fusion);

    spread(fusion, vote, where, pool);
    memset(maps, 0, VSM_COEFFICIENT_MAPS * cells * sizeof(*maps));
    fit(fusion, vote, rgb, maps + VSM_COEFFICIENT_ALPHA_A * cells, maps + VSM_COEFFICIENT_ALPHA_B * cells,
        pool);
}
