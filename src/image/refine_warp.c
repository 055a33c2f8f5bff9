#include "image/refine_warp.h"

#include "base/cpu.h"
#include "base/mem.h"

#include <math.h>

#define PAD  16
#define MAPS VSM_COEFFICIENT_MAPS
#define BAND 16 /* grid rows a job */

/* Weight of a view at its very edge, in cells: more than nothing, so that a pixel seen by one view alone is
 * seen. */
#define EDGE 0.001f

static size_t padded(int n)
{
    return ((size_t)n + PAD - 1) / PAD * PAD;
}

size_t vsm_refine_warp_bytes(const struct vsm_refine_warp *warp)
{
    return (size_t)warp->width * (size_t)warp->height * (MAPS * sizeof(float) + 1) + VSM_MEM_ALIGN;
}

struct packing {
    const struct vsm_refine_warp *warp;
    float mean_low, mean_high, empty;
};

static void pack_rows(void *context, int index, int worker)
{
    const struct packing *p = context;
    const struct vsm_refine_warp *w = p->warp;
    ptrdiff_t plane = (ptrdiff_t)w->width * w->height, end = (ptrdiff_t)(index + 1) * BAND * w->width;

    (void)worker;
    end = end < plane ? end : plane;
    for (ptrdiff_t i = (ptrdiff_t)index * BAND * w->width; i < end; i++) {
        float *cell = w->cells + i * MAPS, a, b;

        for (int m = 0; m < MAPS; m++)
            cell[m] = w->maps[m * plane + i];
        a = cell[VSM_COEFFICIENT_ALPHA_A];
        b = cell[VSM_COEFFICIENT_ALPHA_B];
        w->busy[i] = !(a * p->mean_low + b < p->empty && a * p->mean_high + b < p->empty);
    }
}

void vsm_refine_warp_pack(const struct vsm_refine_warp *warp, float mean_low, float mean_high, float empty,
                          struct vsm_parallel *pool)
{
    struct packing packing = {warp, mean_low, mean_high, empty};

    vsm_parallel_for(pool, (warp->height + BAND - 1) / BAND, pack_rows, &packing);
}

void vsm_refine_warp_axis_fill(struct vsm_refine_warp_axis *axis, const struct vsm_refine_warp *warp,
                               int first, int step, int n)
{
    int last = warp->columns - 2;

    axis->near = true;
    for (int i = 0; i < n; i++) {
        int centre = first + i * step > 0 ? first + i * step : 0, column = centre / (2 * warp->step);

        column = column < last ? column : last;
        axis->index[i] = column;
        axis->fraction[i] = (float)(centre - 2 * warp->step * column) / (float)(2 * warp->step);
    }
    for (int i = n; i < n + PAD; i++) {
        axis->index[i] = axis->index[n - 1];
        axis->fraction[i] = axis->fraction[n - 1];
    }
    for (int i = 0; i < n; i += 8)
        axis->near = axis->near && axis->index[i + 7] - axis->index[i] <= 6;
}

size_t vsm_refine_warp_floats(int n, int columns)
{
    return 2 * padded(columns + PAD) + (3 * VSM_REFINE_WARPS + MAPS) * padded(n);
}

void vsm_refine_warp_scratch_init(struct vsm_refine_warp_scratch *s, int n, int columns, float *memory)
{
    s->x = memory;
    s->y = memory + padded(columns + PAD);
    memory += 2 * padded(columns + PAD);
    for (int i = 0; i < VSM_REFINE_WARPS; i++, memory += 3 * padded(n)) {
        s->at_x[i] = memory;
        s->at_y[i] = memory + padded(n);
        s->weight[i] = memory + 2 * padded(n);
    }
    s->maps = memory;
    s->stride = (ptrdiff_t)padded(n);
}

/* The table's columns first..last at a picture row. */
static void mix_nodes(const struct vsm_refine_warp *warp, int centre, int first, int last,
                      struct vsm_refine_warp_scratch *s)
{
    int row = centre > 0 ? centre / (2 * warp->step) : 0;
    const float *a, *b;
    float fraction;

    row = row < warp->rows - 2 ? row : warp->rows - 2;
    fraction = (float)(centre - 2 * warp->step * row) / (float)(2 * warp->step);
    a = warp->nodes + 2 * (ptrdiff_t)row * warp->columns;
    b = a + 2 * (ptrdiff_t)warp->columns;
    for (int i = first; i <= last; i++) {
        s->x[i] = a[2 * i] + fraction * (b[2 * i] - a[2 * i]);
        s->y[i] = a[2 * i + 1] + fraction * (b[2 * i + 1] - a[2 * i + 1]);
    }
}

static float least(float a, float b)
{
    return a < b ? a : b;
}

/* Distance to the grid's nearest edge; 0 outside and where the mapping is not a number. */
static void weigh(const struct vsm_refine_warp *warp, const float *x, const float *y, int n, float *weight)
{
    float width = (float)warp->width, height = (float)warp->height;

    for (int i = 0; i < n; i++) {
        float inside = least(least(x[i], width - x[i]), least(y[i], height - y[i]));

        weight[i] = inside >= 0 ? inside + EDGE : 0;
    }
}

/* Weights whose sum is 1 wherever there is any. */
static void share(struct vsm_refine_warp_scratch *s, int count, int n)
{
    for (int i = 0; i < n; i++) {
        float sum = count > 1 ? s->weight[0][i] + s->weight[1][i] : s->weight[0][i];

        for (int k = 0; k < count; k++)
            s->weight[k][i] = sum > 0 ? s->weight[k][i] / sum : 0;
    }
}

/* The position's left or upper cell, and how far it is to the next. */
static int locate(float position, int cells, float *fraction)
{
    float at = position - 0.5f;
    int cell;

    at = at < (float)(cells - 1) ? at : (float)(cells - 1);
    at = at > 0 ? at : 0;
    cell = (int)at;
    cell = cell < cells - 2 ? cell : cells - 2;
    *fraction = at - (float)cell;
    return cell;
}

/* As vsm_refine_warp_sample_avx2(). */
static void sample_plainly(const struct vsm_refine_warp *warp, const float *x, const float *y,
                           const float *weight, bool add, int n, float *out, ptrdiff_t stride)
{
    ptrdiff_t below = (ptrdiff_t)warp->width * MAPS;

    for (int i = 0; i < n; i++) {
        float fx, fy;
        int cx = locate(x[i], warp->width, &fx), cy = locate(y[i], warp->height, &fy);
        const float *cell = warp->cells + cy * below + (ptrdiff_t)cx * MAPS;

        for (int m = 0; m < MAPS; m++) {
            float top = cell[m] + fx * (cell[m + MAPS] - cell[m]);
            float bottom = cell[m + below] + fx * (cell[m + below + MAPS] - cell[m + below]);
            float value = weight[i] > 0 ? weight[i] * (top + fy * (bottom - top)) : 0;

            out[m * stride + i] = add ? out[m * stride + i] + value : value;
        }
    }
}

static void sample(const struct vsm_refine_warp *warp, const float *x, const float *y, const float *weight,
                   bool add, int n, float *out, ptrdiff_t stride)
{
#if defined(__x86_64__)
    if (vsm_cpu_has_avx2()) {
        vsm_refine_warp_sample_avx2(warp, x, y, weight, add, n, out, stride);
        return;
    }
#endif
    sample_plainly(warp, x, y, weight, add, n, out, stride);
}

void vsm_refine_warp_row(const struct vsm_refine_warp_strip *strip, const struct vsm_refine_kernels *kernels,
                         struct vsm_refine_warp_scratch *s, int centre)
{
    int n = (strip->n + 7) & ~7;

    for (int k = 0; k < strip->count; k++) {
        const struct vsm_refine_warp *warp = &strip->warps[k];
        const struct vsm_refine_warp_axis *axis = &strip->axes[k * strip->axis_stride];
        const int32_t *index = axis->index + strip->start;
        const float *fraction = axis->fraction + strip->start;

        mix_nodes(warp, centre, index[0], index[n - 1] + 1, s);
        kernels->upsample(s->x, index, fraction, axis->near, n, NULL, s->at_x[k], NULL);
        kernels->upsample(s->y, index, fraction, axis->near, n, NULL, s->at_y[k], NULL);
        weigh(warp, s->at_x[k], s->at_y[k], n, s->weight[k]);
    }
    share(s, strip->count, n);
    for (int k = 0; k < strip->count; k++)
        sample(&strip->warps[k], s->at_x[k], s->at_y[k], s->weight[k], k > 0, n, s->maps, s->stride);
}

/* Whether a cell that is read somewhere between four nodes of the table is busy. */
static bool quad_empty(const struct vsm_refine_warp *w, const float *a, const float *b)
{
    float x0 = least(least(a[0], a[2]), least(b[0], b[2])),
          x1 = -least(least(-a[0], -a[2]), least(-b[0], -b[2]));
    float y0 = least(least(a[1], a[3]), least(b[1], b[3])),
          y1 = -least(least(-a[1], -a[3]), least(-b[1], -b[3]));
    int left, right, top, bottom;

    if (isnan(a[0] + a[2] + b[0] + b[2]) || x1 < 0 || y1 < 0 || x0 > (float)w->width || y0 > (float)w->height)
        return true;
    left = x0 > 1 ? (int)(x0 - 0.5f) : 0;
    top = y0 > 1 ? (int)(y0 - 0.5f) : 0;
    right = x1 < (float)(w->width - 2) ? (int)(x1 + 0.5f) : w->width - 1;
    bottom = y1 < (float)(w->height - 2) ? (int)(y1 + 0.5f) : w->height - 1;
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++)
            if (w->busy[(ptrdiff_t)y * w->width + x])
                return false;
    return true;
}

bool vsm_refine_warp_empty(const struct vsm_refine_warp *warp, const struct vsm_refine_warp_axis *axis,
                           int start, int n, int row)
{
    int first = axis->index[start], last = axis->index[start + n - 1];
    const float *a;
    bool empty = true;

    row = row < 0 ? 0 : row < warp->rows - 2 ? row : warp->rows - 2;
    a = warp->nodes + 2 * (ptrdiff_t)row * warp->columns;
    for (int c = first; c <= last && empty; c++)
        empty = quad_empty(warp, a + 2 * c, a + 2 * (c + warp->columns));
    return empty;
}
