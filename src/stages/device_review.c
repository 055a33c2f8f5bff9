#include "stages/device_review.h"

#include "base/mem.h"
#include "base/scratch.h"
#include "image/coefficients.h"
#include "people/gate.h"

#include <math.h>
#include <string.h>

/* A look on its way from one thread to the other. */
struct ahead {
    int64_t seq;
    struct vsm_stereo_look look;
    float *planes;
};

/* What only the thread that looks uses. */
struct looking {
    struct vsm_parallel *pool;
    struct vsm_stereo_manager
        *twin;              /* made at the first frame, when the manager knows where the job begins */
    struct vsm_frame frame; /* as below */
    struct ahead ahead[VSM_DEVICE_REVIEW_AHEAD];
};

struct vsm_device_review {
    struct vsm_device_review_options options;
    struct vsm_matte_review stereo; /* run NULL: none */
    struct vsm_view views[VSM_MAX_VIEWS];
    struct vsm_view_map maps[VSM_MAX_VIEWS];
    struct vsm_gate *gate;
    int width, height; /* of the small grids, always */
    size_t cells;
    float *open;
    struct vsm_frame frame;  /* the frame in hand with maps on the small grids */
    void *scratch;           /* keeps what comparing lends from going back to the system after every frame */
    struct looking *looking; /* NULL: the run looks too */
};

/* All cells of one view of the frame in hand. */
struct cells {
    const struct vsm_device_review *review;
    const float *alpha;
    float *maps;
    const float *weight; /* NULL: none */
    bool gated;
    float *edit;
};

void vsm_device_review_views(const struct vsm_view *views, int view_count, struct vsm_view *small)
{
    const int w = views[0].source.width, h = views[0].source.height, longest = w > h ? w : h;
    const double scale = longest > VSM_DEVICE_REVIEW_SIDE ? (double)VSM_DEVICE_REVIEW_SIDE / longest : 1;

    for (int i = 0; i < view_count; i++) {
        small[i] = views[i];
        small[i].width = (int)fmax(lround(w * scale), 16);
        small[i].height = (int)fmax(lround(h * scale), 16);
    }
}

static int set_view(struct vsm_device_review *r, int i, const struct vsm_view *view)
{
    r->views[i] = *view;
    r->frame.mattes[i].view = *view;
    return vsm_view_map_init(&r->maps[i], view);
}

/* A view of a frame on the small grid. */
static struct vsm_view small_view(const struct vsm_device_review *r, const struct vsm_frame *frame, int i)
{
    struct vsm_view view = frame->mattes[i].view;

    view.width = r->width;
    view.height = r->height;
    return view;
}

/* The frame's views on the small grids. */
static int follow_views(struct vsm_device_review *r, const struct vsm_frame *frame)
{
    int status = VSM_OK;

    for (int i = 0; i < frame->view_count && status == VSM_OK; i++) {
        const struct vsm_view view = small_view(r, frame, i);

        status = set_view(r, i, &view);
    }
    if (frame->view_count > 0)
        r->frame.view_count = frame->view_count;
    return status;
}

static int create_maps(const struct vsm_device_review *r, struct vsm_frame *frame)
{
    const int64_t dims[] = {VSM_COEFFICIENT_MAPS, r->views[0].height, r->views[0].width};

    frame->view_count = r->options.view_count;
    for (int i = 0; i < VSM_MAX_VIEWS; i++) {
        frame->mattes[i].coefficients = vsm_tensor_create(VSM_F32, 3, dims);
        if (!frame->mattes[i].coefficients)
            return VSM_E_NOMEM;
        if (i < r->options.view_count)
            frame->mattes[i].view = r->views[i];
    }
    return VSM_OK;
}

static int create_looking(struct vsm_device_review *r)
{
    struct looking *l = vsm_mem_alloc("device review", 1, sizeof(*l));
    int status;

    r->looking = l;
    if (!l)
        return VSM_E_NOMEM;
    l->pool = vsm_parallel_create(r->options.look_threads);
    status = l->pool ? create_maps(r, &l->frame) : VSM_E_NOMEM;
    for (int i = 0; i < VSM_DEVICE_REVIEW_AHEAD && status == VSM_OK; i++) {
        struct ahead *a = &l->ahead[i];

        a->seq = -1;
        a->planes = vsm_mem_alloc("device review", 4 * VSM_STEREO_GRIDS_PAIRS * r->cells, sizeof(float));
        status = a->planes ? VSM_OK : VSM_E_NOMEM;
        for (size_t k = 0; k < VSM_STEREO_GRIDS_PAIRS; k++)
            a->look.pairs[k].planes = a->planes + 4 * k * r->cells;
    }
    return status;
}

static void destroy_looking(struct looking *l)
{
    if (!l)
        return;
    vsm_stereo_manager_destroy(l->twin);
    vsm_parallel_destroy(l->pool);
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_tensor_unref(&l->frame.mattes[i].coefficients);
    for (int i = 0; i < VSM_DEVICE_REVIEW_AHEAD; i++)
        vsm_mem_free(l->ahead[i].planes);
    vsm_mem_free(l);
}

static int create_parts(struct vsm_device_review *r)
{
    int status = create_maps(r, &r->frame);

    for (int i = 0; i < r->options.view_count && status == VSM_OK; i++)
        status = set_view(r, i, &r->views[i]);
    if (status == VSM_OK && r->options.select)
        status = vsm_gate_create(r->views[0].width, r->views[0].height, &r->gate);
    if (status == VSM_OK && r->options.stereo && r->options.look_threads)
        status = create_looking(r);
    r->open = vsm_mem_alloc("device review", r->cells, sizeof(float));
    r->scratch = vsm_scratch_alloc("device review", 1, 1);
    return status == VSM_OK && (!r->open || !r->scratch) ? VSM_E_NOMEM : status;
}

int vsm_device_review_create(const struct vsm_device_review_options *options,
                             struct vsm_device_review **review)
{
    struct vsm_device_review *r = vsm_mem_alloc("device review", 1, sizeof(*r));
    int status;

    if (!r)
        return VSM_E_NOMEM;
    r->options = *options;
    for (int i = 0; i < options->view_count; i++)
        r->views[i] = options->views[i];
    r->options.views = r->views;
    r->width = r->views[0].width;
    r->height = r->views[0].height;
    r->cells = (size_t)r->width * (size_t)r->height;
    if (options->stereo)
        r->stereo = vsm_stereo_manager_review(options->stereo);
    status = create_parts(r);
    if (status != VSM_OK) {
        vsm_device_review_destroy(r);
        return status;
    }
    *review = r;
    return VSM_OK;
}

void vsm_device_review_destroy(struct vsm_device_review *review)
{
    if (!review)
        return;
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_tensor_unref(&review->frame.mattes[i].coefficients);
    destroy_looking(review->looking);
    vsm_gate_destroy(review->gate);
    vsm_mem_free(review->open);
    vsm_scratch_free(review->scratch);
    vsm_mem_free(review);
}

static const float *digest_of(const struct vsm_device_review *r, const struct vsm_frame *frame, int view)
{
    return vsm_tensor_f32(frame->digest) + 4 * r->cells * (size_t)view;
}

static float *maps_of(const struct vsm_frame *small, int view)
{
    return vsm_tensor_f32(small->mattes[view].coefficients);
}

/* Maps whose alpha is the digest's and does not depend on the picture; ones in A of R show by what mending
 * multiplies the foreground's residual. The other maps are zeros since creation, and stay so when they are
 * multiplied. */
static void begin_view(const struct cells *c)
{
    const size_t n = c->review->cells;

    for (size_t i = 0; i < n; i++)
        c->maps[i] = 1.0f;
    memset(c->maps + VSM_COEFFICIENT_ALPHA_A * n, 0, n * sizeof(float));
    memcpy(c->maps + VSM_COEFFICIENT_ALPHA_B * n, c->alpha, n * sizeof(float));
}

static struct cells cells_of(const struct vsm_device_review *r, const struct vsm_frame *frame,
                             const struct vsm_frame *small, int view)
{
    return (struct cells){.review = r,
                          .alpha = digest_of(r, frame, view) + 3 * r->cells,
                          .maps = maps_of(small, view)};
}

static void begin(const struct vsm_device_review *r, const struct vsm_frame *frame, struct vsm_frame *small,
                  const float *rgb[VSM_MAX_VIEWS])
{
    small->seq = frame->seq;
    small->index = frame->index;
    small->scene_cut = frame->scene_cut;
    small->people = frame->people;
    for (int view = 0; view < small->view_count; view++) {
        const struct cells cells = cells_of(r, frame, small, view);

        rgb[view] = digest_of(r, frame, view);
        begin_view(&cells);
    }
}

int vsm_device_review_look(struct vsm_device_review *review, const struct vsm_frame *frame)
{
    struct looking *l = review->looking;
    struct ahead *ahead = &l->ahead[frame->seq % VSM_DEVICE_REVIEW_AHEAD];
    const float *rgb[VSM_MAX_VIEWS];
    int status = l->twin ? VSM_OK : vsm_stereo_manager_twin(review->options.stereo, l->pool, &l->twin);

    if (status != VSM_OK)
        return status;
    for (int i = 0; i < frame->view_count; i++)
        l->frame.mattes[i].view = small_view(review, frame, i);
    if (frame->view_count > 0)
        l->frame.view_count = frame->view_count;
    begin(review, frame, &l->frame, rgb);
    ahead->seq = frame->seq;
    return vsm_stereo_manager_look(l->twin, &l->frame, rgb, &ahead->look);
}

static int compare_eyes(struct vsm_device_review *r, const float *const rgb[VSM_MAX_VIEWS])
{
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0}; /* none that could be repaired */
    struct ahead *ahead;

    if (!r->looking)
        return r->stereo.run(r->stereo.self, &r->frame, rgb, states);
    ahead = &r->looking->ahead[r->frame.seq % VSM_DEVICE_REVIEW_AHEAD];
    if (ahead->seq != r->frame.seq)
        return vsm_fail(VSM_E_INTERNAL,
                        "device review: frame %lld has not been looked at, or was too long ago",
                        (long long)r->frame.seq);
    return vsm_stereo_manager_settle(r->options.stereo, &r->frame, rgb, &ahead->look);
}

static void close_to_others(struct vsm_device_review *r, const struct vsm_frame *frame, int view)
{
    const struct vsm_view *v = &r->views[view];
    struct vsm_gate_box boxes[VSM_GATE_BOXES];
    const int count =
        vsm_gate_boxes_of(&r->maps[view], v->source.width, v->source.height, &frame->people, v->eye, boxes);

    vsm_coefficients_fill_alpha(maps_of(&r->frame, view), digest_of(r, frame, view), r->cells, r->open,
                                r->options.pool);
    vsm_gate_make(r->gate, r->open, boxes, count, r->open);
}

/* With w the share that mending took, and maps A = w A', b = (1 - w) alpha + w b' after it, the real maps
 * become (1 - w) A + w A' and (1 - w) b + w b', and all of it by the gate. */
static void edit_view(const struct cells *c)
{
    const float *a = c->maps + VSM_COEFFICIENT_ALPHA_A * c->review->cells,
                *b = c->maps + VSM_COEFFICIENT_ALPHA_B * c->review->cells;

    for (size_t i = 0; i < c->review->cells; i++) {
        const float keep = c->weight ? 1.0f - c->weight[i] : 1.0f;
        const float open = c->gated ? c->review->open[i] : 1.0f;

        c->edit[4 * i] = open * keep;
        c->edit[4 * i + 1] = open * a[i];
        c->edit[4 * i + 2] = open * (b[i] - keep * c->alpha[i]);
        c->edit[4 * i + 3] = c->maps[i];
    }
}

int vsm_device_review_run(struct vsm_device_review *review, const struct vsm_frame *frame, float *edits,
                          bool edited[VSM_MAX_VIEWS])
{
    const bool gated = review->options.select && frame->people.known;
    const float *rgb[VSM_MAX_VIEWS];
    int status = follow_views(review, frame);

    if (status != VSM_OK)
        return status;
    begin(review, frame, &review->frame, rgb);
    if (review->stereo.run)
        status = compare_eyes(review, rgb);
    for (int view = 0; view < review->frame.view_count && status == VSM_OK; view++) {
        struct cells cells = cells_of(review, frame, &review->frame, view);

        cells.weight = review->stereo.run
                           ? vsm_stereo_manager_last(review->options.stereo, view / 2)->weight[view % 2]
                           : NULL;
        cells.gated = gated;
        cells.edit = edits + 4 * review->cells * (size_t)view;
        if (gated)
            close_to_others(review, frame, view);
        edited[view] = gated || cells.weight;
        if (edited[view])
            edit_view(&cells);
    }
    return status;
}

int vsm_device_review_save(const struct vsm_device_review *review, struct vsm_state *state)
{
    return review->stereo.barrier ? review->stereo.barrier(review->stereo.self, state) : VSM_OK;
}
