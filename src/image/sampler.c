#include "image/sampler.h"

#include <math.h>
#include <string.h>

#define PAD        16
#define CACHE_LINE 64 /* bytes */

static size_t padded(int n)
{
    return ((size_t)n + PAD - 1) / PAD * PAD;
}

/* Position on the grid of a centre given in half luma samples: the cell to the left, -1..cells-1,
 * and the rest. */
static int locate(int centre, int extent, int cells, float *fraction)
{
    double position = (double)centre * cells / (2.0 * extent) - 0.5, cell = floor(position);

    if (cell < -1 || cell >= cells) {
        *fraction = 0;
        return cell < -1 ? -1 : cells - 1;
    }
    *fraction = (float)(position - cell);
    return (int)cell;
}

int vsm_sampler_grid_row(int centre, int extent, int cells)
{
    float fraction;

    return locate(centre, extent, cells, &fraction);
}

void vsm_sampler_axis_fill(struct vsm_sampler_axis *axis, int first, int step, int n, int extent, int cells)
{
    axis->near = true;
    for (int i = 0; i < n; i++)
        axis->index[i] = locate(first + i * step, extent, cells, &axis->fraction[i]) + 1;
    for (int i = n; i < n + PAD; i++) {
        axis->index[i] = axis->index[n - 1];
        axis->fraction[i] = axis->fraction[n - 1];
    }
    for (int i = 0; i < n; i += 8)
        axis->near = axis->near && axis->index[i + 7] - axis->index[i] <= 6;
}

size_t vsm_sampler_floats(int plane_count, int n, int width)
{
    return padded(width + 2 + PAD) + 3 * (size_t)plane_count * padded(n);
}

void vsm_sampler_init(struct vsm_sampler *s, const struct vsm_refine_kernels *kernels,
                      const struct vsm_coefficient_plane *planes, int plane_count, int n, int width,
                      float *memory)
{
    *s = (struct vsm_sampler){.kernels = kernels,
                              .planes = planes,
                              .plane_count = plane_count,
                              .cells = memory};
    memory += padded(width + 2 + PAD);
    for (int p = 0; p < plane_count; p++) {
        s->top[p] = memory;
        s->bottom[p] = memory + padded(n);
        s->delta[p] = memory + 2 * padded(n);
        memory += 3 * padded(n);
    }
}

void vsm_sampler_strip(struct vsm_sampler *s, const float *maps, int width, int height,
                       const struct vsm_sampler_axis *axis, int start, int n)
{
    s->maps = maps;
    s->width = width;
    s->height = height;
    s->index = axis->index + start;
    s->fraction = axis->fraction + start;
    s->near = axis->near;
    s->n = n;
    s->first_cell = s->index[0];
    s->cell_count = s->index[n - 1] + 2 - s->first_cell;
    s->filled = false;
    s->warped.count = 0;
}

void vsm_sampler_strip_warped(struct vsm_sampler *s, const struct vsm_refine_warp_strip *strip,
                              struct vsm_refine_warp_scratch *scratch)
{
    s->warped = *strip;
    s->warp_scratch = scratch;
    s->at.fraction = 0;
    for (int p = 0; p < s->plane_count; p++) {
        memset(s->delta[p], 0, padded(strip->n) * sizeof(float));
        s->at.top[p] = s->top[p];
        s->at.delta[p] = s->delta[p];
    }
}

static void fill_warped(struct vsm_sampler *s, int centre)
{
    vsm_refine_warp_row(&s->warped, s->kernels, s->warp_scratch, centre);
    for (int p = 0; p < s->plane_count; p++)
        s->kernels->mix(s->warp_scratch->maps, s->warp_scratch->stride, &s->planes[p], (s->warped.n + 7) & ~7,
                        s->top[p]);
}

/* Entry k of the cells is grid column k - 1, clamped. */
static void fill_cells(struct vsm_sampler *s, int plane, int row)
{
    int begin = s->first_cell, end = s->first_cell + s->cell_count;
    int from = begin < 1 ? 1 : begin, to = end > s->width + 1 ? s->width + 1 : end;

    s->kernels->mix(s->maps + (ptrdiff_t)row * s->width + from - 1, (ptrdiff_t)s->width * s->height,
                    &s->planes[plane], to - from, s->cells + from);
    if (begin < 1)
        s->cells[0] = s->cells[1];
    if (end > s->width + 1)
        s->cells[s->width + 1] = s->cells[s->width];
}

/* Asks for the strip's cells of a row of all maps: too short a piece of each for the hardware to foresee the
 * next. Inline: gcc 12 drops calls of functions that only ask for memory. */
static inline __attribute__((always_inline)) void prefetch_cells(const struct vsm_sampler *s, int row)
{
    const float *first = s->maps + (ptrdiff_t)row * s->width + (s->first_cell > 0 ? s->first_cell - 1 : 0);

    for (int map = 0; map < VSM_COEFFICIENT_MAPS; map++)
        for (int i = 0; i < s->cell_count; i += CACHE_LINE / (int)sizeof(float))
            __builtin_prefetch(first + (ptrdiff_t)map * s->width * s->height + i);
}

/* Grid row `row` to `out`; below a row that is there already, also the difference. */
static void spread(struct vsm_sampler *s, int row, float *const top[], float *const out[])
{
    row = row < 0 ? 0 : row > s->height - 1 ? s->height - 1 : row;
    for (int p = 0; p < s->plane_count; p++) {
        fill_cells(s, p, row);
        s->kernels->upsample(s->cells, s->index, s->fraction, s->near, s->n, top ? top[p] : NULL, out[p],
                             s->delta[p]);
    }
}

static void seek(struct vsm_sampler *s, int row)
{
    if (s->filled && row == s->row)
        return;
    if (s->filled && row == s->row + 1) {
        for (int p = 0; p < s->plane_count; p++) {
            float *top = s->top[p];

            s->top[p] = s->bottom[p];
            s->bottom[p] = top;
        }
    } else {
        spread(s, row, NULL, s->top);
    }
    spread(s, row + 1, s->top, s->bottom);
    if (s->plane_count == VSM_LUMA_PLANES && row + 2 >= 0 && row + 2 < s->height)
        prefetch_cells(s, row + 2);
    s->row = row;
    s->filled = true;
    for (int p = 0; p < s->plane_count; p++) {
        s->at.top[p] = s->top[p];
        s->at.delta[p] = s->delta[p];
    }
}

const struct vsm_refine_planes *vsm_sampler_row(struct vsm_sampler *s, int centre, int extent)
{
    float fraction;

    if (s->warped.count) {
        fill_warped(s, centre);
        return &s->at;
    }
    seek(s, locate(centre, extent, s->height, &fraction));
    s->at.fraction = fraction;
    return &s->at;
}
