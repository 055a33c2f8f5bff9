#include "image/refine.h"

#include "image/refine_plan.h"

#include <limits.h>

#define BAND       64 /* row pairs a job */
#define CACHE_LINE 64
#define REMEMBERED 4 /* a power of two, at least the grid rows that a pair of picture rows lies between */

/* A strip of one view: columns first..last-1 of the picture, begin the even column at which the rows
 * begin. */
struct strip {
    const struct vsm_refine_plan *plan;
    const struct vsm_refine_view *view;
    struct vsm_refine_worker *worker;
    int begin, first, last;
    int known[REMEMBERED]; /* grid rows of which `empty` tells whether they are empty across the strip */
    bool empty[REMEMBERED];
};

static uint8_t *sample_at(const struct vsm_image *image, int plane, int x, int y)
{
    int channels = plane && image->format.planes == VSM_PLANES_NV ? 2 : 1;

    return image->data[plane] + y * image->stride[plane] +
           (ptrdiff_t)x * channels * vsm_format_bytes_per_sample(image->format);
}

/* n samples (of each of two interleaved channels) of an output's plane become its background. */
static void fill(const struct vsm_refine_plan *plan, const struct vsm_refine_output *output, int plane, int x,
                 int y, int n)
{
    const struct vsm_image *image = output->image;
    bool pairs = plane && image->format.planes == VSM_PLANES_NV;
    int bytes = vsm_format_bytes_per_sample(image->format);
    uint32_t first = (uint32_t)output->background[plane] << image->format.shift;
    uint32_t second = pairs ? (uint32_t)output->background[2] << image->format.shift : first;
    uint32_t pattern = bytes == 2 ? first | second << 16 : (first | second << 8) * 0x10001u;

    plan->kernels->fill(sample_at(image, plane, x, y), (size_t)n * (size_t)(pairs ? 2 * bytes : bytes),
                        pattern, output->luma.stream);
}

/* First column at or after x that no view covers (`covered` false) or that one covers (true), on a plane
 * subsampled by `grid`; row and columns count that plane's samples. */
static int next_column(const struct vsm_refine_plan *plan, struct vsm_refine_grid grid, int row, int x,
                       int width, bool covered)
{
    int y = row << grid.y, nearest = width;

    for (int again = 1; again;) {
        again = 0;
        for (int i = 0; i < plan->view_count; i++) {
            const struct vsm_rect *r = &plan->views[i].rect;
            int begin = (r->x + grid.x) >> grid.x, end = (r->x + r->width + grid.x) >> grid.x;

            if (y < r->y || y >= r->y + r->height || end <= x)
                continue;
            if (covered) {
                nearest = begin < nearest ? begin : nearest;
            } else if (begin <= x) {
                x = end;
                again = 1;
            }
        }
    }
    if (!covered)
        return x;
    return nearest > x ? nearest : x;
}

/* Luma and alpha have a sample a pixel, chroma one for so many pixels (log2). */
static struct vsm_refine_grid grid_of(const struct vsm_image *image, int plane)
{
    bool chroma = plane == 1 || plane == 2;

    return (struct vsm_refine_grid){chroma ? image->format.chroma_x : 0, chroma ? image->format.chroma_y : 0};
}

static void fill_gaps(const struct vsm_refine_plan *plan, const struct vsm_refine_output *output, int plane,
                      int row)
{
    const struct vsm_image *image = output->image;
    struct vsm_refine_grid grid = grid_of(image, plane);
    int width = (image->width + grid.x) >> grid.x;
    bool whole = plane && output->pass < 0;
    int x = 0;

    while (x < width) {
        int begin = whole ? x : next_column(plan, grid, row, x, width, false);
        int end = whole ? width : next_column(plan, grid, row, begin, width, true);

        if (begin >= width)
            break;
        fill(plan, output, plane, begin, row, end - begin);
        x = end;
    }
}

/* Everything in rows first..last-1 that no view writes. */
static void fill_background(const struct vsm_refine_plan *plan, int first, int last)
{
    for (int i = 0; i < plan->output_count; i++) {
        const struct vsm_refine_output *output = &plan->outputs[i];
        int planes = vsm_format_plane_count(output->image->format);

        for (int p = 0; p < planes; p++) {
            int shift = grid_of(output->image, p).y;

            for (int row = first >> shift; row < (last + shift) >> shift; row++)
                fill_gaps(plan, output, p, row);
        }
    }
}

/* Chroma row `row` of the source into slot `slot`, and what luma needs of it. */
static void load_chroma(const struct strip *s, int row, int slot)
{
    const struct vsm_refine_plan *plan = s->plan;
    const struct vsm_image *source = plan->source;
    const struct vsm_refine_planes *planes;
    struct vsm_refine_worker *w = s->worker;
    int x = s->begin >> plan->grid.x, n = ((s->last + plan->grid.x) >> plan->grid.x) - x;
    float offset = (float)plan->model.chroma_offset;

    if (source->format.planes == VSM_PLANES_NV) {
        plan->kernels->load_pairs(sample_at(source, 1, x, row), plan->samples, offset, n, w->u[slot],
                                  w->v[slot]);
    } else if (source->format.planes != VSM_PLANES_GRAY) {
        plan->kernels->load(sample_at(source, 1, x, row), plan->samples, offset, n, w->u[slot]);
        plan->kernels->load(sample_at(source, 2, x, row), plan->samples, offset, n, w->v[slot]);
    }
    w->u[slot][n] = w->u[slot][n - 1];
    w->v[slot][n] = w->v[slot][n - 1];
    planes = vsm_sampler_row(&w->tint, ((2 * row + 1) << plan->grid.y) - 2 * s->view->rect.y,
                             s->view->rect.height);
    plan->kernels->tint(w->u[slot], w->v[slot], planes, plan->coefficients.mean_u, plan->coefficients.mean_v,
                        plan->grid.x, n, w->mean, w->tint_row);
}

/* The foreground's weight over the background for one kind of output, from alpha. */
static const float *weigh(const struct strip *s, enum vsm_composite kind, const float *alpha, int n)
{
    float *weight = s->worker->weight;

    if (kind != VSM_COMPOSITE_FOREGROUND)
        return alpha;
    for (int i = 0; i < n; i++)
        weight[i] = alpha[i] * VSM_COMPOSITE_FADE < 1 ? alpha[i] * VSM_COMPOSITE_FADE : 1;
    return weight;
}

static void write_luma(const struct strip *s, const struct vsm_refine_output *output, const float *alpha,
                       int row)
{
    const struct vsm_refine_kernels *kernels = s->plan->kernels;
    struct vsm_refine_worker *w = s->worker;
    uint8_t *to = sample_at(output->image, 0, s->first, row);
    int skip = s->first - s->begin;

    if (output->kind == VSM_COMPOSITE_MATTE) {
        kernels->store(alpha + skip, &output->luma, s->last - s->first, to);
        return;
    }
    if (output->image->format.planes == VSM_PLANES_YUVA)
        kernels->store(alpha + skip, &output->alpha, s->last - s->first,
                       sample_at(output->image, 3, s->first, row));
    kernels->blend_luma(weigh(s, output->kind, alpha, s->last - s->begin), w->foreground, output->key_luma,
                        s->last - s->begin, w->blend);
    kernels->store(w->blend + skip, &output->luma, s->last - s->first, to);
}

static void refine_luma(const struct strip *s, int row)
{
    const struct vsm_refine_plan *plan = s->plan;
    const struct vsm_refine_planes *planes;
    struct vsm_refine_worker *w = s->worker;
    float *y = w->y[row & 1], *alpha = w->alpha[row & 1];
    int n = s->last - s->begin;

    plan->kernels->load(sample_at(plan->source, 0, s->begin, row), plan->samples,
                        (float)plan->model.luma_offset, n, y);
    planes = vsm_sampler_row(&w->luma, 2 * (row - s->view->rect.y) + 1, s->view->rect.height);
    plan->kernels->solve_luma(y, w->mean, w->tint_row, planes, (float)plan->model.luma_range, n, alpha,
                              w->foreground);
    y[n] = y[n - 1];
    alpha[n] = alpha[n - 1];
    for (int i = 0; i < plan->output_count; i++)
        write_luma(s, &plan->outputs[i], alpha, row);
}

/* A row of source chroma at the resolution of a pass: the mean of rows a and b, averaged or repeated
 * across. */
static const float *fit_chroma(const struct strip *s, int to_x, const float *a, const float *b, int n,
                               float *out)
{
    const struct vsm_refine_kernels *kernels = s->plan->kernels;
    int from_x = s->plan->grid.x;

    if (to_x >= from_x) {
        if (a == b && to_x == from_x)
            return a;
        kernels->average(a, b, to_x > from_x, n, out);
        return out;
    }
    if (a != b) {
        kernels->average(a, b, false, (n + 1) / 2, s->worker->spare);
        a = s->worker->spare;
    }
    for (int i = 0; i < n; i++)
        out[i] = a[i / 2];
    return out;
}

static void write_chroma(const struct strip *s, const struct vsm_refine_output *output, int row, int skip,
                         int n)
{
    const struct vsm_refine_kernels *kernels = s->plan->kernels;
    const struct vsm_image *image = output->image;
    struct vsm_refine_worker *w = s->worker;
    int x = (s->begin >> image->format.chroma_x) + skip;

    kernels->blend_chroma(weigh(s, output->kind, w->pass_alpha, n), w->pass_fu, w->pass_fv, &output->key, n,
                          w->blend, w->spare);
    if (image->format.planes == VSM_PLANES_NV) {
        kernels->store_pairs(w->blend + skip, w->spare + skip, &output->chroma, n - skip,
                             sample_at(image, 1, x, row));
        return;
    }
    kernels->store(w->blend + skip, &output->chroma, n - skip, sample_at(image, 1, x, row));
    kernels->store(w->spare + skip, &output->chroma, n - skip, sample_at(image, 2, x, row));
}

/* Chroma row `row` of a pass, which covers luma rows a and b (0 or 1 within the pair). */
static void refine_chroma(const struct strip *s, int pass, int row, int a, int b)
{
    const struct vsm_refine_plan *plan = s->plan;
    const struct vsm_refine_kernels *kernels = plan->kernels;
    struct vsm_refine_grid grid = plan->pass[pass];
    const struct vsm_refine_planes *planes;
    struct vsm_refine_worker *w = s->worker;
    int begin = s->begin >> grid.x, n = ((s->last + grid.x) >> grid.x) - begin;
    int skip = ((s->first + grid.x) >> grid.x) - begin;
    int ua = plan->grid.y ? 0 : a, ub = plan->grid.y ? 0 : b;
    const float *u = fit_chroma(s, grid.x, w->u[ua], w->u[ub], n, w->pass_u);
    const float *v = fit_chroma(s, grid.x, w->v[ua], w->v[ub], n, w->pass_v);

    kernels->average(w->y[a], w->y[b], grid.x, n, w->pass_y);
    kernels->average(w->alpha[a], w->alpha[b], grid.x, n, w->pass_alpha);
    planes = vsm_sampler_row(&w->pass[pass], ((2 * row + 1) << grid.y) - 2 * s->view->rect.y,
                             s->view->rect.height);
    kernels->solve_chroma(w->pass_y, u, v, planes, plan->chroma_low, plan->chroma_high, n, w->pass_fu,
                          w->pass_fv);
    for (int i = 0; i < plan->output_count; i++)
        if (plan->outputs[i].pass == pass)
            write_chroma(s, &plan->outputs[i], row, skip, n);
}

/* True if alpha is 0 between all cells of grid row `row` that the strip touches, whatever the picture
 * shows. */
static bool row_empty(const struct strip *s, int row)
{
    const struct vsm_refine_plan *plan = s->plan;
    const struct vsm_sampler *sampler = &s->worker->luma;
    ptrdiff_t plane = (ptrdiff_t)s->view->width * s->view->height;
    int first = sampler->first_cell > 1 ? sampler->first_cell - 1 : 0;
    int last = sampler->first_cell + sampler->cell_count - 1;
    const float *a, *b;
    bool empty = true;

    row = row < 0 ? 0 : row >= s->view->height ? s->view->height - 1 : row;
    a = s->view->maps + VSM_COEFFICIENT_ALPHA_A * plane + (ptrdiff_t)row * s->view->width;
    b = s->view->maps + VSM_COEFFICIENT_ALPHA_B * plane + (ptrdiff_t)row * s->view->width;
    last = last < s->view->width ? last : s->view->width;
    for (int i = first; i < last && empty; i++)
        empty = a[i] * plan->mean_low + b[i] < VSM_REFINE_EMPTY &&
                a[i] * plan->mean_high + b[i] < VSM_REFINE_EMPTY;
    return empty;
}

/* Rows of a pair as far as they belong to the view, counted from its upper edge. */
static void pair_rows(const struct strip *s, int pair, int *top, int *bottom)
{
    const struct vsm_rect *r = &s->view->rect;

    *top = (2 * pair > r->y ? 2 * pair : r->y) - r->y;
    *bottom = (2 * pair + 1 < r->y + r->height ? 2 * pair + 1 : r->y + r->height - 1) - r->y;
}

/* Likewise between rows `row` and `row` + 1 of the table of turned view `k`. */
static bool table_row_empty(const struct strip *s, int k, int row)
{
    return vsm_refine_warp_empty(&s->view->warps[k], &s->view->axes[k][0], s->begin - s->view->base,
                                 s->last - s->begin, row);
}

/* Answers for both views of an eye lie in slots of their own: a pair touches at most two rows of each
 * table. */
static bool warped_pair_empty(struct strip *s, int pair)
{
    int top, bottom;
    bool empty = true;

    pair_rows(s, pair, &top, &bottom);
    for (int k = 0; k < s->view->warp_count; k++) {
        int step = s->view->warps[k].step;

        for (int row = top / step; row <= bottom / step && empty; row++) {
            int slot = 2 * k + (row & 1);

            if (s->known[slot] != row) {
                s->known[slot] = row;
                s->empty[slot] = table_row_empty(s, k, row);
            }
            empty = s->empty[slot];
        }
    }
    return empty;
}

/* True if the pair is background throughout the strip. Grid rows are looked at once: the answers are
 * remembered. */
static bool pair_empty(struct strip *s, int pair)
{
    const struct vsm_rect *r = &s->view->rect;
    int top, bottom, first, last;
    bool empty = true;

    if (s->view->warp_count)
        return warped_pair_empty(s, pair);
    pair_rows(s, pair, &top, &bottom);
    first = vsm_sampler_grid_row(2 * top + 1, r->height, s->view->height);
    last = vsm_sampler_grid_row(2 * bottom + 1, r->height, s->view->height) + 1;
    for (int row = first; row <= last && empty; row++) {
        int slot = row & (REMEMBERED - 1);

        if (s->known[slot] != row) {
            s->known[slot] = row;
            s->empty[slot] = row_empty(s, row);
        }
        empty = s->empty[slot];
    }
    return empty;
}

static void fill_pair(const struct strip *s, int pair)
{
    int top = s->view->rect.y, bottom = top + s->view->rect.height;

    for (int i = 0; i < s->plan->output_count; i++) {
        const struct vsm_refine_output *output = &s->plan->outputs[i];
        int planes = output->pass < 0 ? 1 : vsm_format_plane_count(output->image->format);

        for (int p = 0; p < planes; p++) {
            int sx = grid_of(output->image, p).x, sy = grid_of(output->image, p).y;
            int first = (s->first + sx) >> sx, last = (s->last + sx) >> sx;

            for (int row = (2 * pair) >> sy; row <= (2 * pair + 1) >> sy; row++)
                if (row << sy >= top && row << sy < bottom)
                    fill(s->plan, output, p, first, row, last - first);
        }
    }
}

/* Asks for the source of a strip's pair ahead of time: strips are too short for the hardware to see the
 * pattern. */
static void prefetch_pair(const struct strip *s, int pair)
{
    const struct vsm_image *source = s->plan->source;
    int planes = vsm_format_plane_count(source->format);

    for (int p = 0; p < planes && p < 3; p++) {
        int sx = p ? source->format.chroma_x : 0, sy = p ? source->format.chroma_y : 0;
        int height = vsm_format_plane_height(source->format, p, source->height);

        for (int row = (2 * pair) >> sy; row <= (2 * pair + 1) >> sy && row < height; row++) {
            const uint8_t *from = sample_at(source, p, s->begin >> sx, row);
            const uint8_t *end = sample_at(source, p, (s->last - 1) >> sx, row);

            for (; from <= end; from += CACHE_LINE)
                __builtin_prefetch(from);
        }
    }
}

/* Rows 2 * pair and 2 * pair + 1, as far as they belong to the view. */
static void refine_pair(const struct strip *s, int pair)
{
    const struct vsm_refine_plan *plan = s->plan;
    int top = s->view->rect.y, bottom = top + s->view->rect.height;
    int first = 2 * pair < top ? 1 : 0, last = 2 * pair + 1 >= bottom ? 0 : 1;

    for (int r = first; r <= last; r++) {
        int row = 2 * pair + r;

        if (r == first || !plan->grid.y)
            load_chroma(s, row >> plan->grid.y, plan->grid.y ? 0 : r);
        refine_luma(s, row);
    }
    for (int p = 0; p < plan->pass_count; p++) {
        if (plan->pass[p].y && first == 0)
            refine_chroma(s, p, pair, 0, last);
        for (int r = first; r <= last && !plan->pass[p].y; r++)
            refine_chroma(s, p, 2 * pair + r, r, r);
    }
}

/* `axis` is that of a direct view, `number` the place of a turned view's. */
static void seek_strip(struct vsm_sampler *sampler, const struct vsm_refine_view *view,
                       const struct vsm_sampler_axis *axis, int number, int start, int n,
                       struct vsm_refine_worker *worker)
{
    struct vsm_refine_warp_strip strip = {.warps = view->warps,
                                          .axes = &view->axes[0][number],
                                          .axis_stride = VSM_REFINE_AXES,
                                          .count = view->warp_count,
                                          .start = start,
                                          .n = n};

    if (view->warp_count)
        vsm_sampler_strip_warped(sampler, &strip, &worker->warp);
    else
        vsm_sampler_strip(sampler, view->maps, view->width, view->height, axis, start, n);
}

static void refine_strip(struct strip *s, int start, int first_pair, int last_pair)
{
    const struct vsm_refine_plan *plan = s->plan;
    const struct vsm_refine_view *view = s->view;
    struct vsm_refine_worker *w = s->worker;
    int right = view->rect.x + view->rect.width, shift = plan->grid.x, n;

    s->begin = view->base + start;
    s->first = s->begin > view->rect.x ? s->begin : view->rect.x;
    s->last = s->begin + VSM_REFINE_STRIP < right ? s->begin + VSM_REFINE_STRIP : right;
    n = s->last - s->begin;
    for (int i = 0; i < REMEMBERED; i++)
        s->known[i] = INT_MIN;
    seek_strip(&w->luma, view, &view->luma, 0, start, n, w);
    seek_strip(&w->tint, view, &view->tint, 1, start >> shift, (n + shift) >> shift, w);
    for (int p = 0; p < plan->pass_count; p++) {
        shift = plan->pass[p].x;
        seek_strip(&w->pass[p], view, &view->pass[p], 2 + p, start >> shift, (n + shift) >> shift, w);
    }
    for (int pair = first_pair; pair < last_pair; pair++) {
        if (pair_empty(s, pair)) {
            fill_pair(s, pair);
            continue;
        }
        prefetch_pair(s, pair + 1);
        refine_pair(s, pair);
    }
}

static void run_band(void *context, int index, int worker)
{
    const struct vsm_refine_plan *plan = context;
    int height = plan->source->height, first = index * BAND, last = first + BAND;

    last = last < (height + 1) / 2 ? last : (height + 1) / 2;
    fill_background(plan, 2 * first, 2 * last < height ? 2 * last : height);
    for (int i = 0; i < plan->view_count; i++) {
        const struct vsm_refine_view *view = &plan->views[i];
        struct strip strip = {.plan = plan, .view = view, .worker = &plan->workers[worker]};
        int from = view->rect.y / 2, to = (view->rect.y + view->rect.height + 1) / 2;
        int width = view->rect.x + view->rect.width - view->base;

        from = from > first ? from : first;
        to = to < last ? to : last;
        for (int start = 0; start < width && from < to; start += VSM_REFINE_STRIP)
            refine_strip(&strip, start, from, to);
    }
    plan->kernels->finish();
}

int vsm_refine(const struct vsm_image *source, const struct vsm_matte *mattes, int matte_count,
               const struct vsm_composite_output *outputs, int output_count,
               const struct vsm_refine_options *options, struct vsm_parallel *pool)
{
    struct vsm_refine_plan plan;
    int status =
        vsm_refine_plan_init(&plan, source, mattes, matte_count, outputs, output_count, options, pool);

    if (!status)
        vsm_parallel_for(pool, ((source->height + 1) / 2 + BAND - 1) / BAND, run_band, &plan);
    vsm_refine_plan_free(&plan);
    return status;
}
