#include "image/preprocess_cuda.h"

#include "base/mem.h"
#include "cuda/preprocess.h"
#include "frame/frame.h"
#include "image/area.h"
#include "image/colour.h"
#include "image/preprocess_turned.h"

#define AXES 4 /* luma x, y, chroma x, y */

struct view {
    int width, height; /* of its grid */
    struct vsm_cuda_preprocess run;
    ptrdiff_t start_x[2], start_y[2]; /* bytes and rows to the first sample, luma and chroma */
    void *tables[AXES][3];
    struct vsm_cuda_preprocess_turn
        turn;           /* of turned views: `run` makes the part that they see, this the view */
    void *nodes, *part; /* NULL for direct ones */
};

struct vsm_preprocess_cuda {
    struct vsm_format format;
    int width, height;
    int view_count;
    struct view views[VSM_MAX_VIEWS];
};

static int upload(const void *from, size_t bytes, void **to)
{
    int status = vsm_cuda_alloc("resampling weights", bytes, to);

    if (!status)
        status = vsm_cuda_copy(*to, from, bytes, NULL);
    return status ? status : vsm_cuda_stream_wait(NULL);
}

static int upload_axis(const struct vsm_area *area, void *tables[3], struct vsm_cuda_area *to)
{
    const size_t cells = (size_t)area->cells;
    int status = upload(area->first, cells * sizeof(*area->first), &tables[0]);

    if (!status)
        status = upload(area->count, cells * sizeof(*area->count), &tables[1]);
    if (!status)
        status = upload(area->weight, cells * (size_t)area->taps * sizeof(*area->weight), &tables[2]);
    *to = (struct vsm_cuda_area){tables[0], tables[1], tables[2], area->taps};
    return status;
}

/* Luma (chroma 0) or chroma planes of a view. */
static int plan_planes(struct view *v, const struct vsm_image *image, const struct vsm_view *view, int chroma)
{
    const int channels = chroma && image->format.planes == VSM_PLANES_NV ? 2 : 1;
    const int bytes = vsm_format_bytes_per_sample(image->format);
    struct vsm_cuda_preprocess_plane plane = {.bytes = bytes,
                                              .shift = image->format.shift,
                                              .channels = channels};
    struct vsm_area x, y = {0};
    int status = vsm_area_init(&x, view->source.x, view->source.width,
                               chroma ? 1 << image->format.chroma_x : 1, view->width);

    if (!status)
        status = vsm_area_init(&y, view->source.y, view->source.height,
                               chroma ? 1 << image->format.chroma_y : 1, view->height);
    if (!status) {
        v->start_x[chroma] = (ptrdiff_t)x.start * channels * bytes;
        v->start_y[chroma] = y.start;
        plane.scale = 1.0 / ((double)x.total * (double)y.total);
        status = upload_axis(&x, v->tables[2 * chroma], &plane.x);
    }
    if (!status)
        status = upload_axis(&y, v->tables[2 * chroma + 1], &plane.y);
    vsm_area_free(&x);
    vsm_area_free(&y);
    for (int p = chroma; p < (chroma ? v->run.plane_count : 1); p++)
        v->run.planes[p] = plane;
    return status;
}

static int plan_view(struct view *v, const struct vsm_image *image, const struct vsm_view *view,
                     const struct vsm_colour_model *m)
{
    const struct vsm_rect *r = &view->source;
    const int planes = vsm_format_plane_count(image->format);
    int status;

    if (r->x < 0 || r->y < 0 || r->width < 1 || r->height < 1 || r->width > image->width - r->x ||
        r->height > image->height - r->y)
        return vsm_fail(VSM_E_INTERNAL,
                        "preprocess: rectangle %dx%d at %d,%d is not inside the %dx%d picture", r->width,
                        r->height, r->x, r->y, image->width, image->height);
    v->run = (struct vsm_cuda_preprocess){
        .plane_count = planes > 3 ? 3 : planes,
        .luma_scale = (float)(1 / m->luma_range),
        .luma_bias = (float)(-m->luma_offset / m->luma_range),
        .chroma_scale = (float)(1 / m->chroma_range),
        .chroma_bias = (float)(-m->chroma_offset / m->chroma_range),
        .red_v = (float)m->red_v,
        .green_u = (float)m->green_u,
        .green_v = (float)m->green_v,
        .blue_u = (float)m->blue_u,
        .neutral = (float)m->chroma_offset,
        .width = view->width,
        .height = view->height,
    };
    status = plan_planes(v, image, view, 0);
    if (!status && planes > 1)
        status = plan_planes(v, image, view, 1);
    return status;
}

static int plan_turned(struct view *v, const struct vsm_image *image, const struct vsm_view *view,
                       const struct vsm_colour_model *m)
{
    struct vsm_preprocess_turned_plan plan;
    int status = vsm_preprocess_turned_plan(view, &plan);

    if (!status)
        status = plan_view(v, image, &plan.part, m);
    if (!status)
        status = upload(plan.nodes, 2 * sizeof(float) * (size_t)plan.columns * (size_t)plan.rows, &v->nodes);
    if (!status)
        status =
            vsm_cuda_alloc("turned view",
                           3 * sizeof(float) * (size_t)plan.part.width * (size_t)plan.part.height, &v->part);
    v->turn = (struct vsm_cuda_preprocess_turn){
        .part = v->part,
        .part_width = plan.part.width,
        .part_height = plan.part.height,
        .nodes = v->nodes,
        .columns = plan.columns,
        .step = VSM_PREPROCESS_TURNED_STEP,
        .width = view->width,
        .height = view->height,
    };
    vsm_preprocess_turned_plan_free(&plan);
    return status;
}

int vsm_preprocess_cuda_create(const struct vsm_image *image, const struct vsm_view *views, int view_count,
                               struct vsm_preprocess_cuda **preprocess)
{
    struct vsm_preprocess_cuda *made;
    struct vsm_colour_model model;
    int status;

    if (image->format.planes > VSM_PLANES_NV || view_count > VSM_MAX_VIEWS)
        return vsm_fail(VSM_E_INTERNAL, "preprocess: planes %d are not supported", (int)image->format.planes);
    status = vsm_colour_model(image->colour, image->height, image->format.depth, &model);
    if (status)
        return status;
    made = vsm_mem_alloc("preprocess", 1, sizeof(*made));
    if (!made)
        return VSM_E_NOMEM;
    made->format = image->format;
    made->width = image->width;
    made->height = image->height;
    made->view_count = view_count;
    for (int i = 0; i < view_count && !status; i++) {
        made->views[i].width = views[i].width;
        made->views[i].height = views[i].height;
        status = views[i].kind == VSM_VIEW_DIRECT ? plan_view(&made->views[i], image, &views[i], &model)
                                                  : plan_turned(&made->views[i], image, &views[i], &model);
    }
    if (status) {
        vsm_preprocess_cuda_destroy(made);
        return status;
    }
    *preprocess = made;
    return VSM_OK;
}

void vsm_preprocess_cuda_destroy(struct vsm_preprocess_cuda *preprocess)
{
    if (!preprocess)
        return;
    for (int i = 0; i < preprocess->view_count; i++) {
        for (int axis = 0; axis < AXES; axis++)
            for (int t = 0; t < 3; t++)
                vsm_cuda_free(preprocess->views[i].tables[axis][t]);
        vsm_cuda_free(preprocess->views[i].nodes);
        vsm_cuda_free(preprocess->views[i].part);
    }
    vsm_mem_free(preprocess);
}

static int run_view(const struct view *v, const struct vsm_image *image, float *rgb,
                    struct vsm_cuda_stream *stream)
{
    struct vsm_cuda_preprocess run = v->run;
    struct vsm_cuda_preprocess_turn turn = v->turn;
    int status;

    for (int p = 0; p < run.plane_count; p++) {
        run.planes[p].data = image->data[p] + v->start_y[p > 0] * image->stride[p] + v->start_x[p > 0];
        run.planes[p].stride = image->stride[p];
    }
    run.rgb = v->part ? v->part : rgb;
    status = vsm_cuda_preprocess_run(&run, stream);
    turn.rgb = rgb;
    return !status && v->part ? vsm_cuda_preprocess_turn_run(&turn, stream) : status;
}

int vsm_preprocess_cuda_run(struct vsm_preprocess_cuda *preprocess, const struct vsm_image *image, float *rgb,
                            struct vsm_cuda_stream *stream)
{
    int status = VSM_OK;

    if (image->place != VSM_PLACE_CUDA || !vsm_format_equal(image->format, preprocess->format) ||
        image->width != preprocess->width || image->height != preprocess->height)
        return vsm_fail(VSM_E_INTERNAL, "preprocess: a %dx%d picture at place %d is not like the first one",
                        image->width, image->height, (int)image->place);
    for (int i = 0; i < preprocess->view_count && !status; i++) {
        status = run_view(&preprocess->views[i], image, rgb, stream);
        rgb += 3 * (size_t)preprocess->views[i].width * (size_t)preprocess->views[i].height;
    }
    return status;
}
