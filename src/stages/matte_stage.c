#include "stages/matte_stage.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/scratch.h"
#include "image/coefficients.h"
#include "image/preprocess.h"
#include "image/view_fade.h"
#include "stages/matte_views.h"

#include <pthread.h>

/* Grids that are in use at once: of the views, and of those that fade out. */
#define MATTERS 2

/* The matter of one grid; rvm NULL: none. */
struct matter {
    struct vsm_rvm *rvm;
    int width, height;
};

struct vsm_matte_stage {
    struct matter matters[MATTERS];
    bool owns;                      /* the matters are the stage's, and it builds more from: */
    struct vsm_rvm_options options; /* but for the grid */
    pthread_mutex_t lock;           /* over changes of matters, for interrupt() */
    bool interrupted;
    struct vsm_parallel *pool;
    int batch, eyes; /* eyes: number of direct views */
    struct vsm_matte_views views;
    struct vsm_matte_counters counters;
    struct vsm_tensor *rgb; /* all views one after the other: [3, height, width] each */

    bool adaptive; /* then the stage owns its matters, and: */
    struct vsm_scaling scaling;
    uint64_t start_ns, done_ns;     /* when the last frame was begun and done; 0 = none yet */
    struct vsm_matte_review review; /* run NULL: none */
};

/* Room for the direct views, which no others exceed. */
static int make_grids(struct vsm_matte_stage *stage, int width, int height)
{
    const int64_t dims[] = {stage->eyes, 3, height, width};

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
    s->matters[0] = (struct matter){rvm, views[0].width, views[0].height};
    s->pool = pool;
    s->batch = batch;
    s->views.now.count = s->eyes = view_count;
    for (int i = 0; i < view_count; i++)
        s->views.now.views[i] = views[i];
    if (make_grids(s, views[0].width, views[0].height) != VSM_OK) {
        vsm_matte_stage_destroy(s);
        return VSM_E_NOMEM;
    }
    *stage = s;
    return VSM_OK;
}

void vsm_matte_stage_own(struct vsm_matte_stage *stage, struct vsm_rvm **rvm,
                         const struct vsm_rvm_options *options)
{
    *rvm = NULL;
    stage->owns = true;
    stage->options = *options;
}

void vsm_matte_stage_adapt(struct vsm_matte_stage *stage, const struct vsm_scaling_options *scaling)
{
    stage->adaptive = true;
    vsm_scaling_init(&stage->scaling, scaling);
}

void vsm_matte_stage_set_review(struct vsm_matte_stage *stage, const struct vsm_matte_review *review)
{
    stage->review = *review;
}

void vsm_matte_stage_set_director(struct vsm_matte_stage *stage, struct vsm_view_director *director)
{
    stage->views.director = director;
}

/* Puts a matter where interrupt() finds it. */
static void set_matter(struct vsm_matte_stage *stage, struct matter *place, struct matter matter)
{
    pthread_mutex_lock(&stage->lock);
    *place = matter;
    if (matter.rvm && stage->interrupted)
        vsm_rvm_interrupt(matter.rvm);
    pthread_mutex_unlock(&stage->lock);
}

static void drop_matter(struct vsm_matte_stage *stage, struct matter *place)
{
    struct vsm_rvm *rvm = place->rvm;

    set_matter(stage, place, (struct matter){0});
    vsm_rvm_destroy(rvm);
}

static void drop_matters(struct vsm_matte_stage *stage)
{
    for (int i = 0; i < MATTERS && stage->owns; i++)
        drop_matter(stage, &stage->matters[i]);
}

void vsm_matte_stage_destroy(struct vsm_matte_stage *stage)
{
    if (!stage)
        return;
    drop_matters(stage);
    vsm_matte_views_finish(&stage->views);
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

static float *view_rgb(const struct vsm_matte_stage *stage, const struct vsm_matte_view_set *set, int view)
{
    return vsm_tensor_f32(stage->rgb) +
           3 * (ptrdiff_t)set->views[0].width * (ptrdiff_t)set->views[0].height * view;
}

/* Alpha of the frame's views for the director: for vsm_view_director_judge(), or without `again` for
 * vsm_view_director_note(). */
static int show_director(struct vsm_matte_stage *stage, const struct vsm_frame *frame, bool *again)
{
    const struct vsm_matte_view_set *now = &stage->views.now;
    const size_t cells = (size_t)now->views[0].width * (size_t)now->views[0].height;
    const float *alpha[VSM_MAX_VIEWS];
    float *planes;
    int status = VSM_E_NOMEM;

    vsm_scratch_begin();
    planes = vsm_scratch_alloc("alpha for the director", (size_t)now->count * cells, sizeof(float));
    for (int i = 0; planes && i < now->count; i++) {
        alpha[i] = planes + (size_t)i * cells;
        vsm_coefficients_fill_alpha(vsm_tensor_f32(frame->mattes[i].coefficients), view_rgb(stage, now, i),
                                    cells, planes + (size_t)i * cells, stage->pool);
    }
    if (planes)
        status = again ? vsm_view_director_judge(stage->views.director, frame, alpha, again)
                       : vsm_view_director_note(stage->views.director, frame, alpha);
    vsm_scratch_free(planes);
    vsm_scratch_end();
    return status;
}

static int review(struct vsm_matte_stage *stage, struct vsm_frame *frame)
{
    const float *rgb[VSM_MAX_VIEWS];
    int status = VSM_OK;

    for (int i = 0; i < stage->views.now.count; i++)
        rgb[i] = view_rgb(stage, &stage->views.now, i);
    if (stage->review.run)
        status = stage->review.run(stage->review.self, frame, rgb, stage->views.now.states);
    return status == VSM_OK && stage->views.director ? show_director(stage, frame, NULL) : status;
}

/* Whether the views are of this matter's grid. */
static bool suits(const struct vsm_matte_view_set *set, const struct matter *matter)
{
    return matter->rvm && set->count > 0 && set->views[0].width == matter->width &&
           set->views[0].height == matter->height;
}

static struct matter *find_matter(struct vsm_matte_stage *stage, const struct vsm_matte_view_set *set)
{
    for (int i = 0; i < MATTERS; i++)
        if (suits(set, &stage->matters[i]))
            return &stage->matters[i];
    return NULL;
}

/* A matter for the views, which has none yet, in a place that no views use. */
static int add_matter(struct vsm_matte_stage *stage, const struct vsm_matte_view_set *set)
{
    struct matter made = {.width = set->views[0].width, .height = set->views[0].height};
    struct matter *place = stage->matters[0].rvm ? &stage->matters[1] : &stage->matters[0];
    int status;

    if (!stage->owns || place->rvm)
        return vsm_fail(VSM_E_INTERNAL, "matte stage: views of %dx%d cells, for which it has no network",
                        made.width, made.height);
    stage->options.width = made.width;
    stage->options.height = made.height;
    status = vsm_rvm_create(&stage->options, &made.rvm);
    if (status == VSM_OK)
        set_matter(stage, place, made);
    return status;
}

/* Matters for all views, and no others; those go first, for there may not be memory for all. */
static int provide_matters(struct vsm_matte_stage *stage)
{
    const struct vsm_matte_view_set *sets[] = {&stage->views.now, &stage->views.old};
    int status = VSM_OK;

    for (int i = 0; i < MATTERS && stage->owns; i++)
        if (stage->matters[i].rvm && !suits(sets[0], &stage->matters[i]) &&
            !suits(sets[1], &stage->matters[i]))
            drop_matter(stage, &stage->matters[i]);
    for (int i = 0; i < 2 && status == VSM_OK; i++)
        if (sets[i]->count > 0 && !find_matter(stage, sets[i]))
            status = add_matter(stage, sets[i]);
    return status;
}

/* Runs views first .. first + batch - 1. */
static int run_batch(struct vsm_matte_stage *stage, struct vsm_matte_view_set *set, int first,
                     struct vsm_matte *mattes)
{
    struct vsm_tensor input = *stage->rgb; /* a window of the stage's own tensor */
    struct vsm_tensor *coefficients[VSM_MAX_VIEWS] = {0};
    int resets = 0, status;

    input.rank = 4;
    input.dims[0] = stage->batch;
    input.dims[1] = 3;
    input.dims[2] = set->views[first].height;
    input.dims[3] = set->views[first].width;
    input.data = view_rgb(stage, set, first);
    status = vsm_rvm_run(find_matter(stage, set)->rvm, &input, &set->states[first], coefficients, &resets);
    if (status != VSM_OK)
        return status;
    stage->counters.state_resets += resets;
    for (int i = 0; i < stage->batch; i++)
        mattes[first + i] =
            (struct vsm_matte){.view = set->views[first + i], .coefficients = coefficients[i]};
    return VSM_OK;
}

/* Views on the controller's grid; matters of the old one go first, for there may not be memory for both. */
static int resize(struct vsm_matte_stage *stage)
{
    const struct vsm_scaling_grid grid = vsm_scaling_current(&stage->scaling);
    int sides[VSM_VIEW_PLACE_MAX], status;

    drop_matters(stage);
    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++)
        sides[k] = vsm_view_place_side((int64_t)grid.width * grid.height, k + 1, VSM_RVM_GRID);
    status = vsm_matte_views_resize(&stage->views, grid, sides);
    return status == VSM_OK ? make_grids(stage, grid.width, grid.height) : status;
}

/* Brings matters and states to the controller's grid. */
static int change_grid(struct vsm_matte_stage *stage, int64_t frame)
{
    char text[160];
    int status = VSM_OK;

    do {
        vsm_scaling_describe(&stage->scaling, text, sizeof(text));
        if (text[0])
            vsm_log(VSM_LOG_INFO, "scaling", "%s", text);
        status = resize(stage);
        if (status == VSM_OK)
            status = provide_matters(stage);
        if (status == VSM_OK)
            status = vsm_matte_views_resample(&stage->views);
    } while (status == VSM_E_NOMEM && vsm_scaling_out_of_memory(&stage->scaling, frame));
    return status;
}

static int average(struct vsm_matte_stage *stage, const struct vsm_matte_view_set *set,
                   const struct vsm_image *source)
{
    int status = VSM_OK;

    for (int i = 0; i < set->count && status == VSM_OK; i++)
        status = vsm_preprocess(source, &set->views[i], view_rgb(stage, set, i), stage->pool);
    return status;
}

static int run_network(struct vsm_matte_stage *stage, struct vsm_matte_view_set *set,
                       struct vsm_matte *mattes)
{
    int status = VSM_OK;

    for (int first = 0; first < set->count && status == VSM_OK; first += stage->batch)
        status = run_batch(stage, set, first, mattes);
    return status;
}

static void free_mattes(struct vsm_matte *mattes)
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_tensor_unref(&mattes[i].coefficients);
}

/* Through the views of this frame, and those that are faded out; frame->mattes and `old` are
 * the caller's to free. */
static int see(struct vsm_matte_stage *stage, struct vsm_frame *frame, struct vsm_matte *old)
{
    int status = provide_matters(stage);

    stage->start_ns = vsm_clock_ns();
    if (status == VSM_OK)
        status = average(stage, &stage->views.old, frame->source);
    if (status == VSM_OK)
        status = run_network(stage, &stage->views.old, old);
    if (status == VSM_OK)
        status = average(stage, &stage->views.now, frame->source);
    return status == VSM_OK ? run_network(stage, &stage->views.now, frame->mattes) : status;
}

/* The frame keeps the views that see more; the others are mixed into them. */
static int fade(struct vsm_matte_stage *stage, struct vsm_frame *frame, struct vsm_matte *old)
{
    const struct vsm_view_choice *choice = stage->views.choice;
    const float keep = choice->keep_old ? 1.0f - choice->weight : choice->weight;
    int status = VSM_OK;

    for (int i = 0; i < VSM_MAX_VIEWS && choice->keep_old; i++) {
        const struct vsm_matte matte = frame->mattes[i];

        frame->mattes[i] = old[i];
        old[i] = matte;
    }
    if (choice->keep_old)
        frame->view_count = stage->views.old.count;
    for (int i = 0; i < frame->view_count && status == VSM_OK; i++)
        status =
            vsm_view_fade(&frame->mattes[i], keep, old,
                          choice->keep_old ? stage->views.now.count : stage->views.old.count, stage->pool);
    return status;
}

/* Turned views' mattes get the mapping by which the full-size pass finds them. */
static void add_tables(const struct vsm_view_choice *choice, struct vsm_frame *frame)
{
    const struct vsm_view_group *group;

    if (!choice)
        return;
    group = choice->keep_old ? &choice->old : &choice->now;
    for (int i = 0; i < frame->view_count; i++) {
        frame->mattes[i].inverse = group->inverse[i] ? vsm_tensor_ref(group->inverse[i]) : NULL;
        frame->mattes[i].inverse_step = group->inverse_step[i];
    }
}

/* Batches that were done have moved their states on: all go back to where the frame began. */
static int see_adaptive(struct vsm_matte_stage *stage, struct vsm_frame *frame, struct vsm_matte *old)
{
    struct vsm_matte_views *views = &stage->views;
    struct vsm_matte_views before = {0};
    int status;

    vsm_matte_views_share(&before.now, &views->now);
    vsm_matte_views_share(&before.old, &views->old);
    for (;;) {
        status = see(stage, frame, old);
        if (status != VSM_E_NOMEM || !vsm_scaling_out_of_memory(&stage->scaling, frame->seq))
            break;
        free_mattes(frame->mattes);
        free_mattes(old);
        vsm_matte_views_share(&views->now, &before.now);
        vsm_matte_views_share(&views->old, &before.old);
        status = change_grid(stage, frame->seq);
        if (status != VSM_OK)
            break;
    }
    vsm_matte_views_finish(&before);
    return status;
}

/* Tells the controller what the frame cost, and does what it says. */
static int adapt(struct vsm_matte_stage *stage, int64_t frame)
{
    const uint64_t now = vsm_clock_ns(), before = stage->done_ns ? stage->done_ns : stage->start_ns;
    const struct vsm_scaling_sample sample = {.busy_ms = (double)(now - stage->start_ns) / 1e6,
                                              .period_ms = (double)(now - before) / 1e6,
                                              .usage = -1};

    stage->done_ns = now;
    return vsm_scaling_note(&stage->scaling, frame, &sample) ? change_grid(stage, frame + 1) : VSM_OK;
}

/* With a director, until a scene's first views show everybody whole. */
static int see_whole(struct vsm_matte_stage *stage, struct vsm_frame *frame, struct vsm_matte *old)
{
    bool again = false;
    int status;

    do {
        if (again) {
            free_mattes(frame->mattes);
            status = vsm_matte_views_again(&stage->views);
            if (status != VSM_OK)
                return status;
        }
        status = stage->adaptive ? see_adaptive(stage, frame, old) : see(stage, frame, old);
        frame->view_count = stage->views.now.count;
        again = false;
        if (status == VSM_OK && stage->views.director && stage->views.choice->begins)
            status = show_director(stage, frame, &again);
    } while (status == VSM_OK && again);
    return status;
}

/* Through the views of this frame, old ones mixed in. */
static int run_views(struct vsm_matte_stage *stage, struct vsm_frame *frame)
{
    struct vsm_matte old[VSM_MAX_VIEWS] = {0};
    int status = see_whole(stage, frame, old);

    if (status == VSM_OK)
        status = review(stage, frame);
    if (status == VSM_OK && stage->views.old.count > 0)
        status = fade(stage, frame, old);
    free_mattes(old);
    if (status == VSM_OK)
        add_tables(stage->views.choice, frame);
    return status;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_matte_stage *stage = self;
    int status;

    if (frame->scene_cut)
        vsm_matte_views_reset(&stage->views.now);
    status = vsm_matte_views_choose(&stage->views, frame);
    if (status == VSM_OK)
        status = run_views(stage, frame);
    return status == VSM_OK && stage->adaptive ? adapt(stage, frame->seq) : status;
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
    vsm_matte_record_begin(&stage->counters, &out);
    if (stage->views.director)
        vsm_view_director_save(stage->views.director, &out);
    vsm_matte_record_put_states(stage->views.now.states, stage->views.now.count, &out);
    vsm_matte_record_put_states(stage->views.old.states, stage->views.old.count, &out);
    status = vsm_matte_record_end(&out, state);
    return status == VSM_OK && stage->review.barrier ? stage->review.barrier(stage->review.self, state)
                                                     : status;
}

static int restore_scaling(struct vsm_matte_stage *stage, const struct vsm_state *state)
{
    const int first = stage->scaling.current;
    int status = vsm_scaling_restore(&stage->scaling, state);

    return status == VSM_OK && stage->scaling.current != first ? resize(stage) : status;
}

int vsm_matte_stage_restore(struct vsm_matte_stage *stage, const struct vsm_state *state)
{
    struct vsm_bytes_in in;
    int status = stage->adaptive ? restore_scaling(stage, state) : VSM_OK;

    if (status != VSM_OK)
        return status;
    in = vsm_matte_record_open(state, &stage->counters);
    if (stage->views.director)
        status = vsm_matte_views_load(&stage->views, &in);
    if (status == VSM_OK)
        status = vsm_matte_record_get_states(stage->views.now.states, stage->views.now.views,
                                             stage->views.now.count, &in);
    if (status == VSM_OK)
        status = vsm_matte_record_get_states(stage->views.old.states, stage->views.old.views,
                                             stage->views.old.count, &in);
    return status == VSM_OK ? vsm_matte_record_close(&in) : status;
}

static void interrupt(void *self)
{
    struct vsm_matte_stage *stage = self;

    pthread_mutex_lock(&stage->lock);
    stage->interrupted = true;
    for (int i = 0; i < MATTERS; i++)
        if (stage->matters[i].rvm)
            vsm_rvm_interrupt(stage->matters[i].rvm);
    pthread_mutex_unlock(&stage->lock);
}

struct vsm_stage vsm_matte_stage_describe(struct vsm_matte_stage *stage)
{
    return (struct vsm_stage){
        .name = "matte", .self = stage, .run = run, .barrier = barrier, .interrupt = interrupt};
}
