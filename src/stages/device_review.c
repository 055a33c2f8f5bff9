#include "stages/device_review.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/scratch.h"
#include "cuda/review.h"
#include "image/coefficients.h"
#include "people/gate.h"

#include <stdatomic.h>
#include <string.h>

#define BANDS 64 /* of a view, for one call of a worker each */

/* One view's gate, on the grid that it had last. */
struct closing {
    struct vsm_gate *gate;
    float *open;
    int width, height;
};

struct vsm_device_review {
    struct vsm_device_review_options options;
    struct vsm_matte_review stereo; /* run NULL: none */
    struct closing closing[VSM_MAX_VIEWS];
    struct vsm_frame frame; /* the frame in hand, with maps on the host */
    void *scratch;          /* keeps what comparing takes from going back to the system after every frame */
    atomic_uint_fast64_t run_ns; /* of the last frame */
};

static void drop_maps(struct vsm_frame *frame)
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_tensor_unref(&frame->mattes[i].coefficients);
}

int vsm_device_review_create(const struct vsm_device_review_options *options,
                             struct vsm_device_review **review)
{
    struct vsm_device_review *r = vsm_mem_alloc("device review", 1, sizeof(*r));
    int status = VSM_OK;

    if (!r)
        return VSM_E_NOMEM;
    r->options = *options;
    if (options->stereo)
        r->stereo = vsm_stereo_manager_review(options->stereo);
    r->scratch = vsm_scratch_alloc("device review", 1, 1);
    if (!r->scratch)
        status = VSM_E_NOMEM;
    if (status != VSM_OK) {
        vsm_device_review_destroy(r);
        return status;
    }
    *review = r;
    return VSM_OK;
}

static void release(struct closing *c)
{
    vsm_gate_destroy(c->gate);
    vsm_mem_free(c->open);
    *c = (struct closing){.gate = NULL};
}

void vsm_device_review_destroy(struct vsm_device_review *review)
{
    if (!review)
        return;
    drop_maps(&review->frame);
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        release(&review->closing[i]);
    vsm_scratch_free(review->scratch);
    vsm_mem_free(review);
}

static size_t cells_of(const struct vsm_view *view)
{
    return (size_t)view->width * (size_t)view->height;
}

static float *maps_of(const struct vsm_frame *frame, int view)
{
    return vsm_tensor_f32(frame->mattes[view].coefficients);
}

/* Maps in which the A of R are ones, to show by what mending multiplies the foreground's residual, and those
 * of G and B and all b are zeros. */
static int fit_maps(struct vsm_matte *matte, const struct vsm_view *view)
{
    struct vsm_tensor *maps = matte->coefficients;
    const int64_t dims[] = {VSM_COEFFICIENT_MAPS, view->height, view->width};

    matte->view = *view;
    if (maps && maps->dims[1] == view->height && maps->dims[2] == view->width)
        return VSM_OK;
    vsm_tensor_unref(&matte->coefficients);
    matte->coefficients = maps = vsm_tensor_create(VSM_F32, 3, dims);
    if (!maps)
        return VSM_E_NOMEM;
    for (size_t i = 0; i < cells_of(view); i++)
        vsm_tensor_f32(maps)[i] = 1.0f;
    return VSM_OK;
}

/* The maps of alpha, from the digest. */
struct copying {
    const struct vsm_frame *from, *to;
};

static void copy_band(void *context, int index, int worker)
{
    const struct copying *c = context;
    const int view = index / BANDS;
    const size_t n = cells_of(&c->from->mattes[view].view), band = (size_t)(index % BANDS);
    const size_t at = n * band / BANDS, bytes = (n * (band + 1) / BANDS - at) * sizeof(float);
    const float *alpha = vsm_frame_digest(c->from, view) + VSM_FRAME_DIGEST_ALPHA * n;

    (void)worker;
    memcpy(maps_of(c->to, view) + VSM_COEFFICIENT_ALPHA_A * n + at, alpha + at, bytes);
    memcpy(maps_of(c->to, view) + VSM_COEFFICIENT_ALPHA_B * n + at, alpha + n + at, bytes);
}

/* The frame as it is on the device, but for colour, as `host`. */
static int begin(const struct vsm_frame *frame, struct vsm_frame *host, const float *rgb[VSM_MAX_VIEWS],
                 struct vsm_parallel *pool)
{
    struct copying copying = {frame, host};
    int status = VSM_OK;

    host->seq = frame->seq;
    host->index = frame->index;
    host->scene_cut = frame->scene_cut;
    host->people = frame->people;
    host->view_count = frame->view_count;
    for (int view = 0; view < frame->view_count && status == VSM_OK; view++) {
        rgb[view] = vsm_frame_digest(frame, view);
        status = fit_maps(&host->mattes[view], &frame->mattes[view].view);
    }
    if (status == VSM_OK)
        vsm_parallel_for(pool, frame->view_count * BANDS, copy_band, &copying);
    return status;
}

static int fit_closing(struct closing *c, const struct vsm_view *view)
{
    int status;

    if (c->width == view->width && c->height == view->height)
        return VSM_OK;
    release(c);
    c->open = vsm_mem_alloc("device review", cells_of(view), sizeof(float));
    status = c->open ? vsm_gate_create(view->width, view->height, &c->gate) : VSM_E_NOMEM;
    if (status != VSM_OK)
        return status;
    c->width = view->width;
    c->height = view->height;
    return VSM_OK;
}

/* Of all views. */
struct closings {
    struct vsm_device_review *review;
    const float *const *rgb;
    int status[VSM_MAX_VIEWS];
};

static void close_view(void *context, int view, int worker)
{
    struct closings *all = context;
    struct vsm_device_review *r = all->review;
    const struct vsm_view *v = &r->frame.mattes[view].view;
    struct closing *c = &r->closing[view];
    struct vsm_gate_box boxes[VSM_GATE_BOXES];
    struct vsm_view_map map;
    int count, status = fit_closing(c, v);

    (void)worker;
    if (status == VSM_OK)
        status = vsm_view_map_init(&map, v);
    all->status[view] = status;
    if (status != VSM_OK)
        return;
    count = vsm_gate_boxes_of(&map, v->source.width, v->source.height, &r->frame.people, v->eye, boxes);
    vsm_coefficients_fill_alpha(maps_of(&r->frame, view), all->rgb[view], cells_of(v), c->open, NULL);
    vsm_gate_make(c->gate, c->open, boxes, count, c->open);
}

static int close_to_others(struct vsm_device_review *r, const float *const rgb[VSM_MAX_VIEWS])
{
    struct closings all = {.review = r, .rgb = rgb};
    int status = VSM_OK;

    vsm_parallel_for(r->options.pool, r->frame.view_count, close_view, &all);
    for (int i = 0; i < r->frame.view_count && status == VSM_OK; i++)
        status = all.status[i];
    return status;
}

/* One view's edit, by bands of rows. */
struct editing {
    float *maps, *edit;
    const float *was, *open; /* the digest's maps of alpha, if eyes are mended, and the gate; NULL: none */
    int width, height, rows; /* of a band */
    bool changed[BANDS];
};

static size_t end_of(const struct editing *e, int band)
{
    const int end = (band + 1) * e->rows;

    return (size_t)(end < e->height ? end : e->height) * (size_t)e->width;
}

static void fill_band(struct editing *e, int band)
{
    const size_t n = (size_t)e->width * (size_t)e->height;
    const float *a = e->maps + VSM_COEFFICIENT_ALPHA_A * n, *b = e->maps + VSM_COEFFICIENT_ALPHA_B * n;

    for (size_t i = end_of(e, band - 1); i < end_of(e, band); i++) {
        const float open = e->open ? e->open[i] : 1.0f;

        e->edit[3 * i] = a[i] * open;
        e->edit[3 * i + 1] = b[i] * open;
        e->edit[3 * i + 2] = e->maps[i];
        e->maps[i] = 1.0f;
    }
}

static void edit_band(void *context, int band, int worker)
{
    struct editing *e = context;
    const size_t n = (size_t)e->width * (size_t)e->height, from = end_of(e, band - 1);
    const size_t bytes = (end_of(e, band) - from) * sizeof(float);

    (void)worker;
    e->changed[band] = e->open;
    if (!e->changed[band])
        e->changed[band] =
            memcmp(e->was + from, e->maps + VSM_COEFFICIENT_ALPHA_A * n + from, bytes) != 0 ||
            memcmp(e->was + n + from, e->maps + VSM_COEFFICIENT_ALPHA_B * n + from, bytes) != 0;
    if (e->changed[band])
        fill_band(e, band);
}

/* From the first to the last band in which something changes; those between are filled in as they are. */
static struct vsm_device_review_rows edit_view(struct editing *e, struct vsm_parallel *pool)
{
    const int bands = (e->height + e->rows - 1) / e->rows;
    int first = bands, last = -1;

    if (!e->was && !e->open)
        return (struct vsm_device_review_rows){0, 0};
    vsm_parallel_for(pool, bands, edit_band, e);
    for (int i = 0; i < bands; i++) {
        first = e->changed[i] && i < first ? i : first;
        last = e->changed[i] ? i : last;
    }
    for (int i = first; i <= last; i++) {
        if (!e->changed[i])
            fill_band(e, i);
    }
    if (last < 0)
        return (struct vsm_device_review_rows){0, 0};
    return (struct vsm_device_review_rows){first * e->rows, (last + 1) * e->rows < e->height
                                                                ? (last + 1) * e->rows
                                                                : e->height};
}

static int review_frame(struct vsm_device_review *review, const struct vsm_frame *frame, float *edits,
                        struct vsm_device_review_rows rows[VSM_MAX_VIEWS])
{
    const bool gated = review->options.select && frame->people.known;
    const float *rgb[VSM_MAX_VIEWS];
    int status = begin(frame, &review->frame, rgb, review->options.pool);

    if (status == VSM_OK && review->stereo.run)
        status = vsm_stereo_manager_run(review->options.stereo, &review->frame, rgb, NULL);
    if (status == VSM_OK && review->options.repairs)
        vsm_repair_delay_post(review->options.repairs, frame->seq, frame->scene_cut,
                              vsm_stereo_manager_repairs(review->options.stereo));
    if (status == VSM_OK && gated)
        status = close_to_others(review, rgb);
    for (int view = 0; view < frame->view_count && status == VSM_OK; view++) {
        const struct vsm_view *v = &frame->mattes[view].view;
        struct editing editing = {.maps = maps_of(&review->frame, view),
                                  .edit = edits + VSM_CUDA_REVIEW_VALUES * cells_of(v) * (size_t)view,
                                  .open = gated ? review->closing[view].open : NULL,
                                  .width = v->width,
                                  .height = v->height,
                                  .rows = (v->height + BANDS - 1) / BANDS};

        if (review->stereo.run)
            editing.was = rgb[view] + VSM_FRAME_DIGEST_ALPHA * cells_of(v);
        rows[view] = edit_view(&editing, review->options.pool);
    }
    return status;
}

int vsm_device_review_run(struct vsm_device_review *review, const struct vsm_frame *frame, float *edits,
                          struct vsm_device_review_rows rows[VSM_MAX_VIEWS])
{
    const uint64_t start = vsm_clock_ns();
    int status;

    status = review_frame(review, frame, edits, rows);
    atomic_store(&review->run_ns, vsm_clock_ns() - start);
    return status;
}

double vsm_device_review_busy_ms(const struct vsm_device_review *review)
{
    return (double)atomic_load(&review->run_ns) / 1e6;
}

int vsm_device_review_save(const struct vsm_device_review *review, struct vsm_state *state)
{
    const int status = review->stereo.barrier ? review->stereo.barrier(review->stereo.self, state) : VSM_OK;

    return status == VSM_OK && review->options.repairs ? vsm_repair_delay_save(review->options.repairs, state)
                                                       : status;
}
