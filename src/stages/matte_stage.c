#include "stages/matte_stage.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "geometry/view_map.h"
#include "image/preprocess.h"
#include "models/rvm_turn.h"

#include <pthread.h>

#define RECORD "matte"

struct vsm_matte_stage {
    struct vsm_rvm *rvm;
    struct vsm_parallel *pool;
    int batch, view_count;
    struct vsm_view views[VSM_MAX_VIEWS];
    struct vsm_rvm_state states[VSM_MAX_VIEWS];
    struct vsm_matte_counters counters;
    struct vsm_tensor *rgb; /* all views one after the other: [3, height, width] each */

    bool adaptive; /* then the stage owns rvm, and: */
    struct vsm_scaling scaling;
    struct vsm_rvm_options options; /* of rvm, but for the grid */
    uint64_t done_ns;               /* when the last frame was done; 0 = none yet */
    pthread_mutex_t lock;           /* over changes of rvm, for interrupt() */
    bool interrupted;
    struct vsm_matte_review review;     /* run NULL: none */
    struct vsm_view_director *director; /* NULL: all views are direct, always the same ones */
    struct vsm_rvm *turned[VSM_VIEW_PLACE_MAX];
    const struct vsm_view_choice *choice; /* of this frame */
};

static int make_grids(struct vsm_matte_stage *stage)
{
    const int64_t dims[] = {stage->view_count, 3, stage->views[0].height, stage->views[0].width};

    vsm_tensor_unref(&stage->rgb);
    stage->rgb = vsm_tensor_create(VSM_F32, 4, dims);
    return stage->rgb ? VSM_OK : VSM_E_NOMEM;
}

int vsm_matte_stage_create(struct vsm_rvm *rvm, int batch, const struct vsm_view *views, int view_count,
                           struct vsm_parallel *pool, struct vsm_matte_stage **stage)
{
    struct vsm_matte_stage *s = vsm_mem_alloc("matte stage", 1, sizeof(*s));

    if (!s)
        return VSM_E_NOMEM;
    pthread_mutex_init(&s->lock, NULL);
    s->rvm = rvm;
    s->pool = pool;
    s->batch = batch;
    s->view_count = view_count;
    for (int i = 0; i < view_count; i++)
        s->views[i] = views[i];
    if (make_grids(s) != VSM_OK) {
        vsm_matte_stage_destroy(s);
        return VSM_E_NOMEM;
    }
    *stage = s;
    return VSM_OK;
}

void vsm_matte_stage_adapt(struct vsm_matte_stage *stage, struct vsm_rvm **rvm,
                           const struct vsm_rvm_options *options, const struct vsm_scaling_options *scaling)
{
    stage->adaptive = true;
    stage->rvm = *rvm;
    *rvm = NULL;
    stage->options = *options;
    vsm_scaling_init(&stage->scaling, scaling);
}

void vsm_matte_stage_set_review(struct vsm_matte_stage *stage, const struct vsm_matte_review *review)
{
    stage->review = *review;
}

static void reset_states(struct vsm_matte_stage *stage)
{
    for (int i = 0; i < stage->view_count; i++)
        vsm_rvm_state_reset(&stage->states[i]);
}

void vsm_matte_stage_set_director(struct vsm_matte_stage *stage, struct vsm_rvm *const turned[],
                                  struct vsm_view_director *director)
{
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++)
        stage->turned[k] = turned[k];
    stage->director = director;
}

void vsm_matte_stage_destroy(struct vsm_matte_stage *stage)
{
    if (!stage)
        return;
    if (stage->adaptive)
        vsm_rvm_destroy(stage->rvm);
    reset_states(stage);
    vsm_tensor_unref(&stage->rgb);
    pthread_mutex_destroy(&stage->lock);
    vsm_mem_free(stage);
}

struct vsm_matte_counters vsm_matte_stage_counters(const struct vsm_matte_stage *stage)
{
    return stage->counters;
}

const struct vsm_scaling *vsm_matte_stage_scaling(const struct vsm_matte_stage *stage)
{
    return stage->adaptive ? &stage->scaling : NULL;
}

/* The views of a frame all have the same grid. */
static float *view_rgb(const struct vsm_matte_stage *stage, int view)
{
    return vsm_tensor_f32(stage->rgb) +
           3 * (ptrdiff_t)stage->views[0].width * (ptrdiff_t)stage->views[0].height * view;
}

static struct vsm_matte make_matte(const struct vsm_matte_stage *stage, int view,
                                   struct vsm_tensor *coefficients)
{
    const struct vsm_view_choice *choice = stage->choice;
    struct vsm_matte matte = {.view = stage->views[view], .coefficients = coefficients};

    if (choice && choice->inverse[view]) {
        matte.inverse = vsm_tensor_ref(choice->inverse[view]);
        matte.inverse_step = choice->inverse_step[view];
    }
    return matte;
}

static int review(struct vsm_matte_stage *stage, struct vsm_frame *frame)
{
    const float *rgb[VSM_MAX_VIEWS];

    if (!stage->review.run)
        return VSM_OK;
    for (int i = 0; i < stage->view_count; i++)
        rgb[i] = view_rgb(stage, i);
    return stage->review.run(stage->review.self, frame, rgb, stage->states);
}

/* The matter for the views of this frame. */
static struct vsm_rvm *matter(const struct vsm_matte_stage *stage)
{
    const bool two =
        stage->view_count > 2 || (stage->view_count == 2 && stage->views[0].eye == stage->views[1].eye);

    if (stage->views[0].kind == VSM_VIEW_DIRECT || !stage->turned[two])
        return stage->rvm;
    return stage->turned[two];
}

/* Runs views first .. first + batch - 1. */
static int run_batch(struct vsm_matte_stage *stage, int first, struct vsm_frame *frame)
{
    struct vsm_tensor input = *stage->rgb; /* a window of the stage's own tensor */
    struct vsm_tensor *coefficients[VSM_MAX_VIEWS] = {0};
    int resets = 0, status;

    input.rank = 4;
    input.dims[0] = stage->batch;
    input.dims[1] = 3;
    input.dims[2] = stage->views[first].height;
    input.dims[3] = stage->views[first].width;
    input.data = view_rgb(stage, first);
    status = vsm_rvm_run(matter(stage), &input, &stage->states[first], coefficients, &resets);
    if (status != VSM_OK)
        return status;
    stage->counters.state_resets += resets;
    for (int i = 0; i < stage->batch; i++)
        frame->mattes[first + i] = make_matte(stage, first + i, coefficients[i]);
    return VSM_OK;
}

/* The state of a new view, from those of the old views of its eye. */
static int turn_state(const struct vsm_matte_stage *stage, const struct vsm_view *view,
                      struct vsm_rvm_state *state)
{
    const struct vsm_rvm_state *from[VSM_MAX_VIEWS];
    struct vsm_view_map maps[VSM_MAX_VIEWS], map;
    int count = 0, status = vsm_view_map_init(&map, view);

    for (int i = 0; i < stage->view_count && status == VSM_OK; i++) {
        if (stage->views[i].eye != view->eye)
            continue;
        from[count] = &stage->states[i];
        status = vsm_view_map_init(&maps[count++], &stage->views[i]);
    }
    return status == VSM_OK ? vsm_rvm_state_turn(from, maps, count, &map, state) : status;
}

static int turn_states(struct vsm_matte_stage *stage, const struct vsm_view_choice *choice)
{
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    int status = VSM_OK;

    for (int i = 0; i < choice->view_count && status == VSM_OK; i++)
        status = turn_state(stage, &choice->views[i], &states[i]);
    reset_states(stage);
    stage->view_count = choice->view_count;
    for (int i = 0; i < choice->view_count; i++) {
        stage->states[i] = states[i];
        stage->views[i] = choice->views[i];
    }
    return status;
}

static int choose_views(struct vsm_matte_stage *stage, const struct vsm_frame *frame)
{
    int status = VSM_OK;

    if (stage->director)
        status = vsm_view_director_next(stage->director, frame, frame->scene_cut, &stage->choice);
    return status == VSM_OK && stage->choice && stage->choice->changed ? turn_states(stage, stage->choice)
                                                                       : status;
}

static void set_rvm(struct vsm_matte_stage *stage, struct vsm_rvm *rvm)
{
    pthread_mutex_lock(&stage->lock);
    stage->rvm = rvm;
    if (rvm && stage->interrupted)
        vsm_rvm_interrupt(rvm);
    pthread_mutex_unlock(&stage->lock);
}

/* A matter for the controller's grid; the old one goes first, for there may not be memory for both. */
static int build_matter(struct vsm_matte_stage *stage)
{
    const struct vsm_scaling_grid grid = vsm_scaling_current(&stage->scaling);
    struct vsm_rvm *rvm = stage->rvm;
    int status;

    set_rvm(stage, NULL);
    vsm_rvm_destroy(rvm);
    stage->options.width = grid.width;
    stage->options.height = grid.height;
    for (int i = 0; i < stage->view_count; i++) {
        stage->views[i].width = grid.width;
        stage->views[i].height = grid.height;
    }
    status = make_grids(stage);
    if (status == VSM_OK)
        status = vsm_rvm_create(&stage->options, &rvm);
    if (status == VSM_OK)
        set_rvm(stage, rvm);
    return status;
}

/* Brings matter and states to the controller's grid. */
static int change_grid(struct vsm_matte_stage *stage, int64_t frame)
{
    char text[160];
    int status = VSM_OK;

    do {
        vsm_scaling_describe(&stage->scaling, text, sizeof(text));
        if (text[0])
            vsm_log(VSM_LOG_INFO, "scaling", "%s", text);
        status = build_matter(stage);
        for (int i = 0; i < stage->view_count && status == VSM_OK; i++)
            status = vsm_rvm_state_resample(&stage->states[i], stage->views[i].width, stage->views[i].height);
    } while (status == VSM_E_NOMEM && vsm_scaling_out_of_memory(&stage->scaling, frame));
    return status;
}

static int average(struct vsm_matte_stage *stage, const struct vsm_image *source)
{
    int status = VSM_OK;

    for (int i = 0; i < stage->view_count && status == VSM_OK; i++)
        status = vsm_preprocess(source, &stage->views[i], view_rgb(stage, i), stage->pool);
    return status;
}

static int run_network(struct vsm_matte_stage *stage, struct vsm_frame *frame)
{
    int status = VSM_OK;

    for (int first = 0; first < stage->view_count && status == VSM_OK; first += stage->batch)
        status = run_batch(stage, first, frame);
    return status;
}

/* Batches that were done have moved their states on: all go back to where the frame began. */
static int run_adaptive(struct vsm_matte_stage *stage, struct vsm_frame *frame)
{
    struct vsm_rvm_state before[VSM_MAX_VIEWS] = {0};
    int status = VSM_E_NOMEM;

    for (int i = 0; i < stage->view_count; i++)
        vsm_rvm_state_share(&before[i], &stage->states[i]);
    for (;;) {
        status = run_network(stage, frame);
        if (status != VSM_E_NOMEM || !vsm_scaling_out_of_memory(&stage->scaling, frame->seq))
            break;
        for (int i = 0; i < stage->view_count; i++) {
            vsm_tensor_unref(&frame->mattes[i].coefficients);
            vsm_rvm_state_share(&stage->states[i], &before[i]);
        }
        status = change_grid(stage, frame->seq);
        if (status == VSM_OK)
            status = average(stage, frame->source);
        if (status != VSM_OK)
            break;
    }
    for (int i = 0; i < stage->view_count; i++)
        vsm_rvm_state_reset(&before[i]);
    return status;
}

/* Tells the controller what the frame cost, and does what it says. */
static int adapt(struct vsm_matte_stage *stage, int64_t frame, uint64_t start)
{
    const uint64_t now = vsm_clock_ns(), before = stage->done_ns ? stage->done_ns : start;
    const struct vsm_scaling_sample sample = {.busy_ms = (double)(now - start) / 1e6,
                                              .period_ms = (double)(now - before) / 1e6,
                                              .usage = -1};

    stage->done_ns = now;
    return vsm_scaling_note(&stage->scaling, frame, &sample) ? change_grid(stage, frame + 1) : VSM_OK;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_matte_stage *stage = self;
    const uint64_t start = vsm_clock_ns();
    int status;

    if (frame->scene_cut)
        reset_states(stage);
    status = choose_views(stage, frame);
    if (status == VSM_OK)
        status = average(stage, frame->source);
    if (status != VSM_OK)
        return status;
    frame->view_count = stage->view_count;
    status = stage->adaptive ? run_adaptive(stage, frame) : run_network(stage, frame);
    if (status == VSM_OK)
        status = review(stage, frame);
    return status == VSM_OK && stage->adaptive ? adapt(stage, frame->seq, start) : status;
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    const struct vsm_matte_stage *stage = self;
    struct vsm_bytes_out out = {0};
    int status = VSM_OK;

    (void)after_seq;
    if (stage->adaptive)
        status = vsm_scaling_add_record(&stage->scaling, state);
    if (status != VSM_OK)
        return status;
    vsm_bytes_put_le64(&out, (uint64_t)stage->counters.state_resets);
    if (stage->director)
        vsm_view_director_save(stage->director, &out);
    for (int i = 0; i < stage->view_count; i++)
        vsm_rvm_state_save(&stage->states[i], &out);
    status = vsm_state_add_bytes(state, RECORD, &out);
    return status == VSM_OK && stage->review.barrier ? stage->review.barrier(stage->review.self, state)
                                                     : status;
}

static int restore_scaling(struct vsm_matte_stage *stage, const struct vsm_state *state)
{
    const int first = stage->scaling.current;
    int status = vsm_scaling_restore(&stage->scaling, state);

    return status == VSM_OK && stage->scaling.current != first ? build_matter(stage) : status;
}

/* The director's views are the stage's from here on. */
static int restore_views(struct vsm_matte_stage *stage, struct vsm_bytes_in *in)
{
    const struct vsm_view_choice *choice = vsm_view_director_choice(stage->director);
    int status = vsm_view_director_load(stage->director, in);

    if (status != VSM_OK || choice->view_count == 0)
        return status;
    stage->choice = choice;
    stage->view_count = choice->view_count;
    for (int i = 0; i < choice->view_count; i++)
        stage->views[i] = choice->views[i];
    return VSM_OK;
}

int vsm_matte_stage_restore(struct vsm_matte_stage *stage, const struct vsm_state *state)
{
    const struct vsm_state_record *record = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);
    int status = stage->adaptive ? restore_scaling(stage, state) : VSM_OK;

    if (status != VSM_OK)
        return status;
    stage->counters.state_resets = (int64_t)vsm_bytes_get_le64(&in);
    if (stage->director)
        status = restore_views(stage, &in);
    for (int i = 0; i < stage->view_count && status == VSM_OK; i++)
        status = vsm_rvm_state_load(&stage->states[i], stage->views[i].width, stage->views[i].height, &in);
    if (status == VSM_OK && (in.failed || vsm_bytes_left(&in) != 0))
        status =
            vsm_fail(VSM_E_INPUT, "checkpoint: record \"" RECORD "\" is damaged; start again with --restart");
    return status;
}

static void interrupt(void *self)
{
    struct vsm_matte_stage *stage = self;

    pthread_mutex_lock(&stage->lock);
    stage->interrupted = true;
    if (stage->rvm)
        vsm_rvm_interrupt(stage->rvm);
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++)
        if (stage->turned[k])
            vsm_rvm_interrupt(stage->turned[k]);
    pthread_mutex_unlock(&stage->lock);
}

struct vsm_stage vsm_matte_stage_describe(struct vsm_matte_stage *stage)
{
    return (struct vsm_stage){
        .name = "matte", .self = stage, .run = run, .barrier = barrier, .interrupt = interrupt};
}
