#include "image/refine_plan.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "base/scratch.h"

#include <math.h>

#define PAD 16
/* Pictures above this do not stay in a cache until the encoder reads them. */
#define STREAM_BYTES ((size_t)8 << 20)
#define ROWS         20 /* float rows of struct vsm_refine_worker, samplers apart */

static bool samples_known(const struct vsm_image *image)
{
    struct vsm_format f = image->format;

    return f.planes <= VSM_PLANES_NV && f.depth >= 8 && f.depth <= 16 && f.chroma_x <= 1 && f.chroma_y <= 1 &&
           f.shift + f.depth <= 16 && image->place == VSM_PLACE_HOST;
}

static struct vsm_refine_samples samples_of(const struct vsm_image *image)
{
    return (struct vsm_refine_samples){vsm_format_bytes_per_sample(image->format), image->format.shift};
}

static int check_inverse(const struct vsm_matte *matte)
{
    const struct vsm_rect *r = &matte->view.source;
    const struct vsm_tensor *t = matte->inverse;
    int64_t step = matte->inverse_step;

    if (t->dtype != VSM_F32 || t->place != VSM_PLACE_HOST || t->rank != 3 || t->dims[2] != 2 || step < 1 ||
        step > r->width + (int64_t)1 || t->dims[0] < 2 || t->dims[1] < 2 ||
        (t->dims[1] - 1) * step < r->width || (t->dims[0] - 1) * step < r->height || matte->view.width < 2 ||
        matte->view.height < 2)
        return vsm_fail(VSM_E_INTERNAL,
                        "refine: an inverse mapping of %lldx%lld nodes does not cover an eye of %dx%d",
                        (long long)t->dims[1], (long long)t->dims[0], r->width, r->height);
    return VSM_OK;
}

static int check_matte(const struct vsm_image *source, const struct vsm_matte *matte)
{
    const struct vsm_rect *r = &matte->view.source;
    const struct vsm_tensor *t = matte->coefficients;

    if (r->x < 0 || r->y < 0 || r->width < 1 || r->height < 1 || r->width > source->width - r->x ||
        r->height > source->height - r->y)
        return vsm_fail(VSM_E_INTERNAL, "refine: rectangle %dx%d at %d,%d is not inside the %dx%d picture",
                        r->width, r->height, r->x, r->y, source->width, source->height);
    if (!t || t->dtype != VSM_F32 || t->place != VSM_PLACE_HOST || t->rank != 3 ||
        t->dims[0] != VSM_COEFFICIENT_MAPS || t->dims[1] != matte->view.height ||
        t->dims[2] != matte->view.width || t->dims[1] < 1 || t->dims[2] < 1)
        return vsm_fail(VSM_E_INTERNAL,
                        "refine: coefficients do not have the shape [8, %d, %d] of their view",
                        matte->view.height, matte->view.width);
    return matte->inverse ? check_inverse(matte) : VSM_OK;
}

static void set_mean_bounds(struct vsm_refine_plan *plan)
{
    const struct vsm_colour_model *m = &plan->model;
    double chroma = (fabsf(plan->coefficients.mean_u) + fabsf(plan->coefficients.mean_v)) * m->chroma_offset;

    plan->mean_low = (float)((-m->luma_offset - chroma) / m->luma_range);
    plan->mean_high = (float)((m->maximum - m->luma_offset + chroma) / m->luma_range);
}

static int set_source(struct vsm_refine_plan *plan, const struct vsm_image *source)
{
    int status;

    if (!samples_known(source))
        return vsm_fail(VSM_E_INTERNAL, "refine: a source with planes %d and %d bits is not supported",
                        (int)source->format.planes, source->format.depth);
    status = vsm_colour_model(source->colour, source->height, source->format.depth, &plan->model);
    if (status)
        return status;
    plan->source = source;
    plan->samples = samples_of(source);
    plan->grid = (struct vsm_refine_grid){source->format.chroma_x, source->format.chroma_y};
    if (source->format.planes == VSM_PLANES_GRAY)
        plan->grid = (struct vsm_refine_grid){1, 1};
    plan->chroma_low = (float)(plan->model.chroma_low - plan->model.chroma_offset);
    plan->chroma_high = (float)(plan->model.chroma_high - plan->model.chroma_offset);
    vsm_coefficients_init(&plan->coefficients, &plan->model);
    set_mean_bounds(plan);
    return VSM_OK;
}

static int find_pass(struct vsm_refine_plan *plan, struct vsm_format format)
{
    int p = 0;

    while (p < plan->pass_count && (plan->pass[p].x != format.chroma_x || plan->pass[p].y != format.chroma_y))
        p++;
    if (p == plan->pass_count)
        plan->pass[plan->pass_count++] = (struct vsm_refine_grid){format.chroma_x, format.chroma_y};
    return p;
}

static void set_key(struct vsm_refine_output *output, const struct vsm_colour_model *model,
                    const struct vsm_composite_output *wanted, float despill)
{
    double y, u, v, length;

    vsm_colour_encode(model, wanted->key, output->background);
    y = (output->background[0] - model->luma_offset) / (double)output->luma.scale;
    u = (output->background[1] - model->chroma_offset) / (double)output->chroma.scale;
    v = (output->background[2] - model->chroma_offset) / (double)output->chroma.scale;
    length = hypot(u, v);
    output->key_luma = (float)y;
    output->key = (struct vsm_refine_key){.u = (float)u, .v = (float)v, .despill = despill};
    /* Below one 8-bit step of saturation the direction is rounding noise. */
    if (length > 2 * model->chroma_range / 255) {
        output->key.direction_u = (float)(u / length);
        output->key.direction_v = (float)(v / length);
    }
}

static struct vsm_refine_code code_of(const struct vsm_image *image, const struct vsm_colour_model *model,
                                      double scale, double offset)
{
    return (struct vsm_refine_code){(float)scale, (float)offset, model->maximum, samples_of(image),
                                    vsm_format_bytes(image->format, image->width, image->height) >
                                        STREAM_BYTES};
}

static int set_output(struct vsm_refine_plan *plan, const struct vsm_composite_output *wanted, float despill)
{
    struct vsm_refine_output *output = &plan->outputs[plan->output_count++];
    const struct vsm_image *image = wanted->image;
    struct vsm_colour_model model;
    int status;

    if (!samples_known(image) ||
        (image->format.planes == VSM_PLANES_YUVA && wanted->kind == VSM_COMPOSITE_MATTE))
        return vsm_fail(VSM_E_INTERNAL, "refine: an output with planes %d and %d bits is not supported",
                        (int)image->format.planes, image->format.depth);
    if (image->width != plan->source->width || image->height != plan->source->height)
        return vsm_fail(VSM_E_INTERNAL, "refine: a %dx%d output does not fit a %dx%d source", image->width,
                        image->height, plan->source->width, plan->source->height);
    status = vsm_colour_model(image->colour, image->height, image->format.depth, &model);
    if (status)
        return status;
    *output = (struct vsm_refine_output){.kind = wanted->kind, .image = wanted->image, .pass = -1};
    if (wanted->kind == VSM_COMPOSITE_MATTE) {
        output->luma = code_of(image, &model, model.luma_range, model.luma_offset);
        output->chroma = code_of(image, &model, 1, model.chroma_offset);
        output->background[0] = (int)model.luma_offset;
        output->background[1] = output->background[2] = (int)model.chroma_offset;
        return VSM_OK;
    }
    if (fabs(model.kr - plan->model.kr) > 1e-9 || fabs(model.kb - plan->model.kb) > 1e-9)
        return vsm_fail(VSM_E_INTERNAL,
                        "refine: an output with matrix %d does not fit a source with matrix %d",
                        image->colour.matrix, plan->source->colour.matrix);
    output->luma = code_of(image, &model, model.luma_range / plan->model.luma_range, model.luma_offset);
    output->chroma =
        code_of(image, &model, model.chroma_range / plan->model.chroma_range, model.chroma_offset);
    output->alpha = code_of(image, &model, model.maximum, 0);
    set_key(output, &model, wanted, despill);
    if (image->format.planes != VSM_PLANES_GRAY)
        output->pass = find_pass(plan, image->format);
    return VSM_OK;
}

static int samples_at(const struct vsm_refine_view *view, int shift)
{
    return ((view->rect.x + view->rect.width + shift) >> shift) - (view->base >> shift);
}

static float *set_axis(struct vsm_sampler_axis *axis, const struct vsm_refine_view *view, int shift,
                       float *memory)
{
    int n = samples_at(view, shift), first = view->base >> shift;

    axis->fraction = memory;
    axis->index = (int32_t *)(memory + n + PAD);
    vsm_sampler_axis_fill(axis, ((2 * first + 1) << shift) - 2 * view->rect.x, 2 << shift, n,
                          view->rect.width, view->width);
    return memory + 2 * (n + PAD);
}

static float *set_warp_axis(struct vsm_refine_warp_axis *axis, const struct vsm_refine_view *view,
                            const struct vsm_refine_warp *warp, int shift, float *memory)
{
    int n = samples_at(view, shift), first = view->base >> shift;

    axis->fraction = memory;
    axis->index = (int32_t *)(memory + n + PAD);
    vsm_refine_warp_axis_fill(axis, warp, ((2 * first + 1) << shift) - 2 * view->rect.x, 2 << shift, n);
    return memory + 2 * (n + PAD);
}

static float *set_axes(const struct vsm_refine_plan *plan, struct vsm_refine_view *view, float *memory)
{
    for (int k = 0; k < view->warp_count; k++) {
        struct vsm_refine_warp_axis *axes = view->axes[k];

        memory = set_warp_axis(&axes[0], view, &view->warps[k], 0, memory);
        memory = set_warp_axis(&axes[1], view, &view->warps[k], plan->grid.x, memory);
        for (int p = 0; p < plan->pass_count; p++)
            memory = set_warp_axis(&axes[2 + p], view, &view->warps[k], plan->pass[p].x, memory);
    }
    if (view->warp_count)
        return memory;
    memory = set_axis(&view->luma, view, 0, memory);
    memory = set_axis(&view->tint, view, plan->grid.x, memory);
    for (int p = 0; p < plan->pass_count; p++)
        memory = set_axis(&view->pass[p], view, plan->pass[p].x, memory);
    return memory;
}

static bool same_rect(const struct vsm_rect *a, const struct vsm_rect *b)
{
    return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

static void add_warp(struct vsm_refine_view *view, const struct vsm_matte *matte)
{
    view->warps[view->warp_count++] = (struct vsm_refine_warp){
        .nodes = vsm_tensor_f32(matte->inverse),
        .maps = vsm_tensor_f32(matte->coefficients),
        .step = matte->inverse_step,
        .columns = (int)matte->inverse->dims[1],
        .rows = (int)matte->inverse->dims[0],
        .width = matte->view.width,
        .height = matte->view.height,
    };
}

/* A turned view joins another one of the same eye. */
static void add_view(struct vsm_refine_plan *plan, const struct vsm_matte *matte)
{
    struct vsm_refine_view *view = plan->views;

    for (; matte->inverse && view < plan->views + plan->view_count; view++) {
        if (view->warp_count == 1 && same_rect(&view->rect, &matte->view.source)) {
            add_warp(view, matte);
            return;
        }
    }
    view = &plan->views[plan->view_count++];
    *view = (struct vsm_refine_view){.rect = matte->view.source,
                                     .base = matte->view.source.x & ~1,
                                     .maps = vsm_tensor_f32(matte->coefficients),
                                     .width = matte->view.width,
                                     .height = matte->view.height};
    if (matte->inverse)
        add_warp(view, matte);
}

/* In memory that the networks use too, so that a turn is taken until the plan is freed. */
static int pack_warps(struct vsm_refine_plan *plan, struct vsm_parallel *pool)
{
    size_t bytes = 0;
    uint8_t *memory;

    for (int i = 0; i < plan->view_count; i++)
        for (int k = 0; k < plan->views[i].warp_count; k++)
            bytes += vsm_refine_warp_bytes(&plan->views[i].warps[k]);
    if (bytes == 0)
        return VSM_OK;
    vsm_scratch_begin();
    plan->cells = memory = vsm_scratch_alloc("refine maps by cell", bytes, 1);
    if (!memory) {
        vsm_scratch_end();
        return VSM_E_NOMEM;
    }
    for (int i = 0; i < plan->view_count; i++) {
        for (int k = 0; k < plan->views[i].warp_count; k++) {
            struct vsm_refine_warp *warp = &plan->views[i].warps[k];
            size_t cells = (size_t)warp->width * (size_t)warp->height;

            warp->cells = (float *)memory;
            warp->busy = memory + cells * VSM_COEFFICIENT_MAPS * sizeof(float);
            memory += vsm_refine_warp_bytes(warp) / VSM_MEM_ALIGN * VSM_MEM_ALIGN;
            vsm_refine_warp_pack(warp, plan->mean_low, plan->mean_high, VSM_REFINE_EMPTY, pool);
        }
    }
    return VSM_OK;
}

static int set_views(struct vsm_refine_plan *plan, const struct vsm_matte *mattes, int count)
{
    size_t entries = 0;
    float *memory;

    for (int i = 0; i < count; i++) {
        int status = check_matte(plan->source, &mattes[i]);

        if (status)
            return status;
        add_view(plan, &mattes[i]);
    }
    for (int i = 0; i < plan->view_count; i++) {
        const struct vsm_refine_view *view = &plan->views[i];

        entries += (size_t)(2 + plan->pass_count) * (size_t)(samples_at(view, 0) + PAD) *
                   (size_t)(view->warp_count > 1 ? view->warp_count : 1);
    }
    plan->positions = memory = vsm_mem_alloc_raw("refine positions", entries, 2 * sizeof(float));
    if (!memory)
        return VSM_E_NOMEM;
    for (int i = 0; i < plan->view_count; i++)
        memory = set_axes(plan, &plan->views[i], memory);
    return VSM_OK;
}

static float *set_sampler(const struct vsm_refine_plan *plan, struct vsm_sampler *sampler,
                          const struct vsm_coefficient_plane *planes, int count, int width, float *memory)
{
    vsm_sampler_init(sampler, plan->kernels, planes, count, VSM_REFINE_STRIP, width, memory);
    return memory + vsm_sampler_floats(count, VSM_REFINE_STRIP, width);
}

static void set_worker(struct vsm_refine_plan *plan, struct vsm_refine_worker *w, int width, int columns,
                       float *memory)
{
    const struct vsm_coefficients *k = &plan->coefficients;
    float **rows[ROWS] = {&w->y[0],  &w->y[1],       &w->alpha[0], &w->alpha[1], &w->u[0],
                          &w->u[1],  &w->v[0],       &w->v[1],     &w->mean,     &w->tint_row,
                          &w->blend, &w->foreground, &w->pass_y,   &w->pass_u,   &w->pass_v,
                          &w->spare, &w->pass_alpha, &w->pass_fu,  &w->pass_fv,  &w->weight};

    memory = set_sampler(plan, &w->luma, k->luma, VSM_LUMA_PLANES, width, memory);
    memory = set_sampler(plan, &w->tint, k->tint, VSM_TINT_PLANES, width, memory);
    for (int p = 0; p < plan->pass_count; p++)
        memory = set_sampler(plan, &w->pass[p], k->chroma, VSM_CHROMA_PLANES, width, memory);
    for (int i = 0; i < ROWS && rows[i]; i++, memory += VSM_REFINE_STRIP + PAD)
        *rows[i] = memory;
    vsm_refine_warp_scratch_init(&w->warp, VSM_REFINE_STRIP, columns, memory);
}

static int set_workers(struct vsm_refine_plan *plan, int workers)
{
    size_t floats;
    int width = 1, columns = 1;

    for (int i = 0; i < plan->view_count; i++) {
        width = plan->views[i].width > width ? plan->views[i].width : width;
        for (int k = 0; k < plan->views[i].warp_count; k++)
            columns = plan->views[i].warps[k].columns > columns ? plan->views[i].warps[k].columns : columns;
    }
    floats = vsm_sampler_floats(VSM_LUMA_PLANES, VSM_REFINE_STRIP, width) +
             vsm_sampler_floats(VSM_TINT_PLANES, VSM_REFINE_STRIP, width) +
             (size_t)plan->pass_count * vsm_sampler_floats(VSM_CHROMA_PLANES, VSM_REFINE_STRIP, width) +
             ROWS * (size_t)(VSM_REFINE_STRIP + PAD) + vsm_refine_warp_floats(VSM_REFINE_STRIP, columns);
    plan->workers = vsm_mem_alloc("refine workers", (size_t)workers, sizeof(*plan->workers));
    plan->rows = vsm_mem_alloc("refine rows", (size_t)workers, floats * sizeof(float));
    if (!plan->workers || !plan->rows)
        return VSM_E_NOMEM;
    for (int i = 0; i < workers; i++)
        set_worker(plan, &plan->workers[i], width, columns, plan->rows + (size_t)i * floats);
    return VSM_OK;
}

static const struct vsm_refine_kernels *choose_kernels(void)
{
#if defined(__x86_64__)
    if (vsm_cpu_has_avx2())
        return &vsm_refine_kernels_avx2;
#endif
    return &vsm_refine_kernels_c;
}

int vsm_refine_plan_init(struct vsm_refine_plan *plan, const struct vsm_image *source,
                         const struct vsm_matte *mattes, int matte_count,
                         const struct vsm_composite_output *outputs, int output_count,
                         const struct vsm_refine_options *options, struct vsm_parallel *pool)
{
    int status;

    *plan = (struct vsm_refine_plan){.kernels = choose_kernels()};
    if (matte_count < 0 || matte_count > VSM_MAX_VIEWS || output_count < 0 ||
        output_count > 2 * VSM_MAX_OUTPUTS)
        return vsm_fail(VSM_E_INTERNAL, "refine: %d views and %d outputs are more than %d and %d",
                        matte_count, output_count, VSM_MAX_VIEWS, 2 * VSM_MAX_OUTPUTS);
    status = set_source(plan, source);
    for (int i = 0; i < output_count && !status; i++)
        status = set_output(plan, &outputs[i], options->despill);
    if (!status)
        status = set_views(plan, mattes, matte_count);
    if (!status)
        status = set_workers(plan, vsm_parallel_threads(pool));
    if (!status)
        status = pack_warps(plan, pool);
    return status;
}

void vsm_refine_plan_free(struct vsm_refine_plan *plan)
{
    vsm_mem_free(plan->positions);
    vsm_mem_free(plan->workers);
    vsm_mem_free(plan->rows);
    if (!plan->cells)
        return;
    vsm_scratch_free(plan->cells);
    vsm_scratch_end();
}
