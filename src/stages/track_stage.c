#include "stages/track_stage.h"

#include "base/log.h"
#include "base/mem.h"
#include "geometry/view_map.h"
#include "image/coefficients.h"
#include "image/mask_fusion.h"
#include "image/preprocess.h"

#include <math.h>
#include <string.h>

#define RECORD      "track"
#define HOLE_AREA   8 /* pixels of a mask; official */
#define MAX_OBJECTS VSM_SAM2_TRACKER_MAX_OBJECTS

/* What belongs to one matte: made anew where its view changes. */
struct grid {
    struct vsm_view view;
    float *rgb;   /* [3, height, width] */
    float *where; /* of a turned view; else NULL */
    struct vsm_mask_fusion *fusion;
};

struct vsm_track_stage {
    struct vsm_track_stage_options options;
    struct vsm_view views[VSM_MAX_VIEWS];
    struct vsm_sam2_tracker *tracker;
    struct vsm_track_people people;
    struct vsm_track_carry *carry;
    struct vsm_tensor *images; /* [eyes, 3, side, side] */
    float *rgb;                /* one of them on its way there; NULL: they are float32 themselves */
    struct vsm_mask_vote vote;
    struct grid grids[VSM_MAX_VIEWS];
    float *alpha[2];                /* the matter's, on the masks' grid */
    struct vsm_matte_review review; /* run: NULL without */
    bool told;                      /* that there is nobody */
};

static void drop_grid(struct grid *grid)
{
    vsm_mem_free(grid->rgb);
    vsm_mem_free(grid->where);
    vsm_mask_fusion_destroy(grid->fusion);
    *grid = (struct grid){0};
}

void vsm_track_stage_destroy(struct vsm_track_stage *stage)
{
    if (!stage)
        return;
    vsm_sam2_tracker_destroy(stage->tracker);
    vsm_track_carry_destroy(stage->carry);
    vsm_tensor_unref(&stage->images);
    vsm_mem_free(stage->rgb);
    vsm_mask_vote_destroy(&stage->vote);
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        drop_grid(&stage->grids[i]);
    vsm_mem_free(stage->alpha[0]);
    vsm_mem_free(stage->alpha[1]);
    vsm_mem_free(stage);
}

static int allocate(struct vsm_track_stage *s, int size)
{
    const int side = size / 4, eyes = s->options.people.eyes;

    s->images = vsm_sam2_tracker_new_images(s->tracker);
    if (s->images && s->images->dtype != VSM_F32) {
        s->rgb = vsm_mem_alloc("picture for the tracker", (size_t)size * (size_t)size, 3 * sizeof(*s->rgb));
        if (!s->rgb)
            return VSM_E_NOMEM;
    }
    if (!s->images || vsm_mask_vote_create(side, &s->vote) != VSM_OK)
        return VSM_E_NOMEM;
    for (int eye = 0; eye < eyes; eye++) {
        s->alpha[eye] = vsm_mem_alloc("matte of an eye", (size_t)side * (size_t)side, sizeof(float));
        if (!s->alpha[eye])
            return VSM_E_NOMEM;
        s->options.eyes[eye].width = s->options.eyes[eye].height = size;
    }
    return VSM_OK;
}

int vsm_track_stage_create(const struct vsm_track_stage_options *options, struct vsm_track_stage **stage)
{
    const struct vsm_sam2_tracker_options tracking = {.views = options->people.eyes,
                                                      .max_conditioning_frames =
                                                          options->max_conditioning_frames,
                                                      .offload = options->offload,
                                                      .fill_hole_area = HOLE_AREA};
    struct vsm_track_stage *s = vsm_mem_alloc("track stage", 1, sizeof(*s));
    int status;

    if (!s)
        return VSM_E_NOMEM;
    s->options = *options;
    s->people.options = options->people;
    for (int i = 0; i < options->view_count; i++)
        s->views[i] = options->views[i];
    status = vsm_sam2_tracker_create(options->net, &tracking, &s->tracker);
    if (status == VSM_OK)
        status = allocate(s, vsm_sam2_tracker_image_size(s->tracker));
    if (status == VSM_OK && options->carry)
        status = vsm_track_carry_create(options->carry, &s->carry);
    s->people.options.carry = s->carry;
    if (status != VSM_OK) {
        vsm_track_stage_destroy(s);
        return status;
    }
    *stage = s;
    return VSM_OK;
}

void vsm_track_stage_set_review(struct vsm_track_stage *stage, const struct vsm_matte_review *review)
{
    stage->review = *review;
}

const struct vsm_track_numbers *vsm_track_stage_numbers(const struct vsm_track_stage *stage)
{
    return &stage->people.numbers;
}

struct where {
    struct vsm_view_map map;
    const struct vsm_view *view;
    float *to;
};

static void fill_where_row(void *context, int row, int worker)
{
    const struct where *w = context;
    float *to = w->to + 2 * (size_t)row * (size_t)w->view->width;

    (void)worker;
    for (int x = 0; x < w->view->width; x++, to += 2) {
        double u, v;

        to[0] = to[1] = -1;
        if (!vsm_view_map_grid_to_eye(&w->map, x + 0.5, row + 0.5, &u, &v))
            continue;
        to[0] = (float)(u / w->view->source.width);
        to[1] = (float)(v / w->view->source.height);
    }
}

static int fill_where(struct grid *grid, struct vsm_parallel *pool)
{
    struct where w = {.view = &grid->view, .to = grid->where};
    int status = vsm_view_map_init(&w.map, &grid->view);

    if (status == VSM_OK)
        vsm_parallel_for(pool, grid->view.height, fill_where_row, &w);
    return status;
}

/* What is needed for a matte of this view: its picture, and where its cells lie in the eye. */
static int prepare_grid(struct vsm_track_stage *s, struct grid *grid, const struct vsm_view *view,
                        const struct vsm_image *source)
{
    const size_t cells = (size_t)view->width * (size_t)view->height;
    const bool same_size = grid->rgb && grid->view.width == view->width && grid->view.height == view->height;
    int status = VSM_OK;

    if (!same_size) {
        drop_grid(grid);
        grid->rgb = vsm_mem_alloc("grid", cells, 3 * sizeof(float));
        status = grid->rgb ? vsm_mask_fusion_create(view->width, view->height, &grid->fusion) : VSM_E_NOMEM;
    }
    if (status == VSM_OK && view->kind != VSM_VIEW_DIRECT &&
        (!grid->where || memcmp(&grid->view, view, sizeof(*view)) != 0)) {
        if (!grid->where)
            grid->where = vsm_mem_alloc("grid", cells, 2 * sizeof(float));
        grid->view = *view;
        status = grid->where ? fill_where(grid, s->options.pool) : VSM_E_NOMEM;
    }
    grid->view = *view;
    return status == VSM_OK ? vsm_preprocess(source, view, grid->rgb, s->options.pool) : status;
}

/* Mattes to work on, if the matter has not made them. */
static int make_mattes(const struct vsm_track_stage *s, struct vsm_frame *frame)
{
    for (int i = 0; i < s->options.view_count; i++) {
        const int64_t dims[] = {VSM_COEFFICIENT_MAPS, s->views[i].height, s->views[i].width};

        frame->mattes[i] =
            (struct vsm_matte){.view = s->views[i], .coefficients = vsm_tensor_create(VSM_F32, 3, dims)};
        if (!frame->mattes[i].coefficients)
            return VSM_E_NOMEM;
        frame->view_count = i + 1;
    }
    return VSM_OK;
}

static int begin(struct vsm_track_stage *s, const struct vsm_frame *frame)
{
    const int64_t plane = vsm_tensor_count(s->images) / s->options.people.eyes;
    int status = vsm_sam2_tracker_wait(s->tracker);

    for (int eye = 0; status == VSM_OK && eye < s->options.people.eyes; eye++) {
        float *rgb = s->rgb ? s->rgb : vsm_tensor_f32(s->images) + eye * plane;

        status = vsm_preprocess(frame->source, &s->options.eyes[eye], rgb, s->options.pool);
        if (status == VSM_OK)
            vsm_sam2_tracker_put_picture(rgb, s->images, eye, s->options.pool);
    }
    return status == VSM_OK ? vsm_sam2_tracker_begin(s->tracker, s->images) : status;
}

/* The matter's alpha of a view where the mask's cell at parts u, v of the eye is; 0 where the
 * view does not see it. */
static float alpha_at(const struct grid *grid, const struct vsm_view_map *map, const float *maps, double u,
                      double v)
{
    const size_t cells = (size_t)grid->view.width * (size_t)grid->view.height;
    double x = u * grid->view.width, y = v * grid->view.height;
    size_t at;

    if (grid->view.kind != VSM_VIEW_DIRECT &&
        !vsm_view_map_eye_to_grid(map, u * grid->view.source.width, v * grid->view.source.height, &x, &y))
        return 0;
    if (!(x >= 0 && x < grid->view.width && y >= 0 && y < grid->view.height))
        return 0;
    at = (size_t)y * (size_t)grid->view.width + (size_t)x;
    return maps[VSM_COEFFICIENT_ALPHA_A * cells + at] *
               (grid->rgb[at] + grid->rgb[at + cells] + grid->rgb[at + 2 * cells]) / 3 +
           maps[VSM_COEFFICIENT_ALPHA_B * cells + at];
}

/* The matter's alpha of an eye at the masks' cells: the largest of those that its views give. */
static int gather_alpha(struct vsm_track_stage *s, const struct vsm_frame *frame, int eye)
{
    const int side = s->vote.side;
    float *alpha = s->alpha[eye];

    memset(alpha, 0, (size_t)side * (size_t)side * sizeof(*alpha));
    for (int i = 0; i < frame->view_count; i++) {
        const struct grid *grid = &s->grids[i];
        const float *maps = vsm_tensor_f32(frame->mattes[i].coefficients);
        struct vsm_view_map map = {0};
        int status = VSM_OK;

        if ((int)frame->mattes[i].view.eye != eye)
            continue;
        if (grid->view.kind != VSM_VIEW_DIRECT)
            status = vsm_view_map_init(&map, &grid->view);
        if (status != VSM_OK)
            return status;
        for (int k = 0; k < side * side; k++)
            alpha[k] =
                fmaxf(alpha[k], alpha_at(grid, &map, maps, (k % side + 0.5) / side, (k / side + 0.5) / side));
    }
    return VSM_OK;
}

static int correct(struct vsm_track_stage *s, const struct vsm_frame *frame)
{
    const float *alpha[2] = {NULL, NULL};

    for (int eye = 0; eye < s->options.people.eyes && !s->options.view_count; eye++) {
        int status = gather_alpha(s, frame, eye);

        if (status != VSM_OK)
            return status;
        alpha[eye] = s->alpha[eye];
    }
    return vsm_track_people_correct(&s->people, s->tracker, frame, alpha);
}

static int track(struct vsm_track_stage *s, const struct vsm_frame *frame)
{
    int status = begin(s, frame);

    if (status == VSM_OK)
        status = vsm_track_people_prompt(&s->people, s->tracker, frame);
    if (status == VSM_OK)
        status = vsm_sam2_tracker_track(s->tracker);
    if (status == VSM_OK && vsm_track_people_is_due(&s->people, frame))
        status = correct(s, frame);
    return status;
}

static void vote(struct vsm_track_stage *s, int eye, bool tracked)
{
    struct vsm_mask_person people[MAX_OBJECTS];
    int count = 0;

    for (int i = 0; tracked && i < vsm_sam2_tracker_count(s->tracker); i++) {
        const struct vsm_sam2_result *r = vsm_sam2_tracker_at(s->tracker, i);

        if (r->view == eye && r->frame >= 0 && !r->absent)
            people[count++] = (struct vsm_mask_person){r->logits, vsm_track_people_chosen(&s->people, r->id)};
    }
    vsm_mask_vote_take(&s->vote, people, count);
}

static void change_mattes(struct vsm_track_stage *s, struct vsm_frame *frame, bool tracked)
{
    bool filled = false;

    for (int eye = 0; eye < s->options.people.eyes; eye++) {
        vote(s, eye, tracked);
        for (int i = 0; i < frame->view_count; i++) {
            const struct grid *grid = &s->grids[i];
            float *maps = vsm_tensor_f32(frame->mattes[i].coefficients);

            if ((int)frame->mattes[i].view.eye != eye)
                continue;
            if (s->options.view_count)
                vsm_mask_fusion_alone(grid->fusion, &s->vote, grid->where, grid->rgb, maps, s->options.pool);
            else if (vsm_mask_fusion_mend(grid->fusion, &s->vote, grid->where, grid->rgb, maps,
                                          s->options.pool) > 0)
                filled = true;
        }
    }
    s->people.numbers.filled += filled;
}

static void tell_of_nobody(struct vsm_track_stage *s, const struct vsm_frame *frame, bool tracked)
{
    s->people.numbers.frames += tracked;
    s->people.numbers.nobody += !tracked;
    if (!tracked && !s->told)
        vsm_log(VSM_LOG_WARN, "track", "nobody to follow in frame %lld: the matte is empty until %s",
                (long long)frame->index,
                s->people.options.prompt_count ? "the first of matting.prompts"
                                               : "the detector finds somebody");
    s->told = !tracked;
}

static int review(const struct vsm_track_stage *s, struct vsm_frame *frame)
{
    struct vsm_rvm_state none[VSM_MAX_VIEWS] = {0};
    const float *rgb[VSM_MAX_VIEWS];

    for (int i = 0; i < frame->view_count; i++)
        rgb[i] = s->grids[i].rgb;
    return s->review.run ? s->review.run(s->review.self, frame, rgb, none) : VSM_OK;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_track_stage *s = self;
    const bool tracked = vsm_track_people_prepare(&s->people, s->tracker, frame);
    int status = make_mattes(s, frame);

    for (int i = 0; status == VSM_OK && i < frame->view_count; i++)
        status = prepare_grid(s, &s->grids[i], &frame->mattes[i].view, frame->source);
    if (status == VSM_OK && tracked)
        status = track(s, frame);
    if (status != VSM_OK)
        return status;
    change_mattes(s, frame, tracked);
    tell_of_nobody(s, frame, tracked);
    vsm_track_people_finish(&s->people, s->tracker, frame);
    return review(s, frame);
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    const struct vsm_track_stage *s = self;
    struct vsm_bytes_out out = {0};
    int status;

    (void)after_seq;
    vsm_track_people_save(&s->people, &out);
    vsm_bytes_put_u8(&out, s->told);
    status = vsm_sam2_tracker_save(s->tracker, &out);
    if (status != VSM_OK) {
        vsm_bytes_out_finish(&out);
        return status;
    }
    status = vsm_state_add_bytes(state, RECORD, &out);
    return status == VSM_OK && s->review.barrier ? s->review.barrier(s->review.self, state) : status;
}

int vsm_track_stage_restore(struct vsm_track_stage *stage, const struct vsm_state *state)
{
    const struct vsm_state_record *record = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);
    int status = vsm_track_people_load(&stage->people, &in);

    stage->told = vsm_bytes_get_u8(&in) != 0;
    if (status == VSM_OK)
        status = vsm_sam2_tracker_load(stage->tracker, &in);
    if (status == VSM_OK && (in.failed || vsm_bytes_left(&in) != 0))
        status =
            vsm_fail(VSM_E_INPUT, "checkpoint: record \"" RECORD "\" is damaged; start again with --restart");
    return status;
}

static void interrupt(void *self)
{
    const struct vsm_track_stage *s = self;

    vsm_sam2_net_interrupt(s->options.net);
}

struct vsm_stage vsm_track_stage_describe(struct vsm_track_stage *stage)
{
    return (struct vsm_stage){
        .name = "track", .self = stage, .run = run, .barrier = barrier, .interrupt = interrupt};
}
