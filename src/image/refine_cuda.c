#include "image/refine_cuda.h"

#include "base/mem.h"
#include "cuda/refine.h"
#include "image/refine_plan.h"

#include <string.h>

struct vsm_refine_cuda {
    struct vsm_cuda_refine run;
    struct vsm_format source, outputs[VSM_MAX_OUTPUTS];
};

static bool is_supported(struct vsm_format f)
{
    const bool grey = f.planes == VSM_PLANES_GRAY;

    return f.planes <= VSM_PLANES_NV && (grey || (f.chroma_x == 1 && f.chroma_y == 1));
}

int vsm_refine_cuda_check(const struct vsm_image *source, const struct vsm_view *views, int view_count,
                          const struct vsm_composite_output *outputs, int output_count)
{
    bool fits = is_supported(source->format) && view_count <= VSM_MAX_VIEWS;

    for (int i = 0; i < view_count && fits; i++)
        fits = views[i].source.x % 2 == 0 && views[i].source.y % 2 == 0;
    for (int i = 0; i < output_count && fits; i++)
        fits = is_supported(outputs[i].image->format) && outputs[i].kind != VSM_COMPOSITE_FOREGROUND;
    if (!fits)
        return vsm_fail(
            VSM_E_USAGE,
            "refine: the CUDA kernel makes green pictures and mattes of 4:2:0 and grey ones, with "
            "eyes at even positions; use processing.device: cpu");
    return VSM_OK;
}

static struct vsm_cuda_picture picture_of(struct vsm_format f)
{
    return (struct vsm_cuda_picture){
        .planes = f.planes == VSM_PLANES_GRAY ? 1
                  : f.planes == VSM_PLANES_NV ? 2
                                              : 3,
        .bytes = vsm_format_bytes_per_sample(f),
        .shift = f.shift,
    };
}

static void set_planes(struct vsm_cuda_picture *picture, const struct vsm_image *image)
{
    for (int p = 0; p < picture->planes; p++) {
        picture->data[p] = image->data[p];
        picture->stride[p] = image->stride[p];
    }
}

static void copy_weights(float to[3], const struct vsm_coefficient_plane *plane)
{
    memcpy(to, plane->weight, 3 * sizeof(*to));
}

static void set_source(struct vsm_cuda_refine *run, const struct vsm_refine_plan *plan)
{
    const struct vsm_coefficients *k = &plan->coefficients;

    run->source = picture_of(plan->source->format);
    run->width = plan->source->width;
    run->height = plan->source->height;
    run->luma_offset = (float)plan->model.luma_offset;
    run->chroma_offset = (float)plan->model.chroma_offset;
    run->luma_range = (float)plan->model.luma_range;
    run->chroma_low = plan->chroma_low;
    run->chroma_high = plan->chroma_high;
    run->mean_u = k->mean_u;
    run->mean_v = k->mean_v;
    run->alpha_y = k->luma[VSM_LUMA_ALPHA_Y].weight[0];
    copy_weights(run->luma_y, &k->luma[VSM_LUMA_Y]);
    copy_weights(run->luma_1, &k->luma[VSM_LUMA_1]);
    copy_weights(run->tint_u, &k->tint[VSM_TINT_U]);
    copy_weights(run->tint_v, &k->tint[VSM_TINT_V]);
    for (int i = 0; i < 2; i++) {
        const struct vsm_coefficient_plane *plane = &k->chroma[i ? VSM_CHROMA_V_Y : VSM_CHROMA_U_Y];

        copy_weights(run->chroma_y[i], &plane[0]);
        copy_weights(run->chroma_u[i], &plane[1]);
        copy_weights(run->chroma_v[i], &plane[2]);
        copy_weights(run->chroma_1[i], &plane[3]);
    }
    run->snap = VSM_REFINE_SNAP;
}

static void set_output(struct vsm_cuda_refine_output *to, const struct vsm_refine_output *from)
{
    *to = (struct vsm_cuda_refine_output){
        .picture = picture_of(from->image->format),
        .matte = from->kind == VSM_COMPOSITE_MATTE,
        .maximum = from->luma.maximum,
        .background = {from->background[0], from->background[1], from->background[2]},
        .luma_scale = from->luma.scale,
        .luma_offset = from->luma.offset,
        .chroma_scale = from->chroma.scale,
        .chroma_offset = from->chroma.offset,
        .key_luma = from->key_luma,
        .key_u = from->key.u,
        .key_v = from->key.v,
        .direction_u = from->key.direction_u,
        .direction_v = from->key.direction_v,
        .despill = from->key.despill,
    };
}

/* The constants are those of the CPU's plan, made for pictures that claim to be in host memory. */
static int plan(struct vsm_refine_cuda *refine, const struct vsm_image *source,
                const struct vsm_composite_output *outputs, int output_count,
                const struct vsm_refine_options *options)
{
    struct vsm_image host = *source, images[VSM_MAX_OUTPUTS];
    struct vsm_composite_output wanted[VSM_MAX_OUTPUTS];
    struct vsm_refine_plan p;
    int status;

    host.place = VSM_PLACE_HOST;
    for (int i = 0; i < output_count; i++) {
        images[i] = *outputs[i].image;
        images[i].place = VSM_PLACE_HOST;
        wanted[i] = outputs[i];
        wanted[i].image = &images[i];
        refine->outputs[i] = images[i].format;
    }
    status = vsm_refine_plan_init(&p, &host, NULL, 0, wanted, output_count, options, NULL);
    if (!status) {
        set_source(&refine->run, &p);
        for (int i = 0; i < output_count; i++)
            set_output(&refine->run.outputs[i], &p.outputs[i]);
    }
    vsm_refine_plan_free(&p);
    refine->run.output_count = output_count;
    refine->source = source->format;
    return status;
}

int vsm_refine_cuda_create(const struct vsm_image *source, const struct vsm_composite_output *outputs,
                           int output_count, const struct vsm_refine_options *options,
                           struct vsm_refine_cuda **refine)
{
    struct vsm_refine_cuda *made;
    int status;

    if (output_count > VSM_MAX_OUTPUTS)
        return vsm_fail(VSM_E_INTERNAL, "refine: %d outputs are more than %d", output_count, VSM_MAX_OUTPUTS);
    status = vsm_refine_cuda_check(source, NULL, 0, outputs, output_count);
    if (status)
        return status;
    made = vsm_mem_alloc("refine", 1, sizeof(*made));
    if (!made)
        return VSM_E_NOMEM;
    status = plan(made, source, outputs, output_count, options);
    if (status) {
        vsm_mem_free(made);
        return status;
    }
    *refine = made;
    return VSM_OK;
}

void vsm_refine_cuda_destroy(struct vsm_refine_cuda *refine)
{
    vsm_mem_free(refine);
}

static bool is_like(const struct vsm_refine_cuda *refine, const struct vsm_image *image,
                    struct vsm_format format)
{
    return image->place == VSM_PLACE_CUDA && vsm_format_equal(image->format, format) &&
           image->width == refine->run.width && image->height == refine->run.height;
}

static bool same_rect(const struct vsm_cuda_refine_view *a, const struct vsm_rect *b)
{
    return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

/* A turned view joins another one of the same eye. */
static int add_view(struct vsm_cuda_refine *run, const struct vsm_refine_cuda_view *from)
{
    const struct vsm_rect *r = &from->view->source;
    struct vsm_cuda_refine_view *view = run->views;

    while (view < run->views + run->view_count && !same_rect(view, r))
        view++;
    if (view == run->views + run->view_count) {
        if (run->view_count++ == VSM_CUDA_REFINE_VIEWS)
            return vsm_fail(VSM_E_INTERNAL, "refine: more than %d eyes", VSM_CUDA_REFINE_VIEWS);
        *view = (struct vsm_cuda_refine_view){.x = r->x, .y = r->y, .width = r->width, .height = r->height};
    } else if (!from->inverse || !view->maps[0].nodes || view->map_count == VSM_CUDA_REFINE_WARPS) {
        return vsm_fail(VSM_E_INTERNAL, "refine: these views of an eye do not go together");
    }
    view->maps[view->map_count++] = (struct vsm_cuda_refine_maps){
        .fit = from->fit,
        .grid_width = from->view->width,
        .grid_height = from->view->height,
        .nodes = from->inverse ? from->nodes : NULL,
        .step = from->inverse_step,
        .columns = from->inverse ? (int)from->inverse->dims[1] : 0,
        .rows = from->inverse ? (int)from->inverse->dims[0] : 0,
    };
    return VSM_OK;
}

int vsm_refine_cuda_run(const struct vsm_refine_cuda *refine, const struct vsm_image *source,
                        const struct vsm_refine_cuda_view *views, int view_count,
                        struct vsm_image *const *outputs, struct vsm_cuda_stream *stream)
{
    struct vsm_cuda_refine run = refine->run;
    bool like = is_like(refine, source, refine->source);
    int status = VSM_OK;

    for (int i = 0; i < run.output_count && like; i++)
        like = is_like(refine, outputs[i], refine->outputs[i]);
    if (!like)
        return vsm_fail(VSM_E_INTERNAL, "refine: a picture is not like those of the plan");
    set_planes(&run.source, source);
    for (int i = 0; i < view_count && !status; i++)
        status = add_view(&run, &views[i]);
    for (int i = 0; i < run.output_count; i++)
        set_planes(&run.outputs[i].picture, outputs[i]);
    return status ? status : vsm_cuda_refine_run(&run, stream);
}
