#include "stages/matte_stage.h"

#include "base/mem.h"
#include "image/preprocess.h"

#define RECORD "matte"

struct vsm_matte_stage {
    struct vsm_rvm *rvm;
    struct vsm_parallel *pool;
    int batch, view_count;
    struct vsm_view views[VSM_MAX_VIEWS];
    struct vsm_rvm_state states[VSM_MAX_VIEWS];
    struct vsm_matte_counters counters;
    struct vsm_tensor *rgb; /* [view_count, 3, height, width] */
};

int vsm_matte_stage_create(struct vsm_rvm *rvm, int batch, const struct vsm_view *views, int view_count,
                           struct vsm_parallel *pool, struct vsm_matte_stage **stage)
{
    struct vsm_matte_stage *s = vsm_mem_alloc("matte stage", 1, sizeof(*s));

    if (!s)
        return VSM_E_NOMEM;
    s->rvm = rvm;
    s->pool = pool;
    s->batch = batch;
    s->view_count = view_count;
    for (int i = 0; i < view_count; i++)
        s->views[i] = views[i];
    s->rgb = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){view_count, 3, views[0].height, views[0].width});
    if (!s->rgb) {
        vsm_matte_stage_destroy(s);
        return VSM_E_NOMEM;
    }
    *stage = s;
    return VSM_OK;
}

static void reset_states(struct vsm_matte_stage *stage)
{
    for (int i = 0; i < stage->view_count; i++)
        vsm_rvm_state_reset(&stage->states[i]);
}

void vsm_matte_stage_destroy(struct vsm_matte_stage *stage)
{
    if (!stage)
        return;
    reset_states(stage);
    vsm_tensor_unref(&stage->rgb);
    vsm_mem_free(stage);
}

struct vsm_matte_counters vsm_matte_stage_counters(const struct vsm_matte_stage *stage)
{
    return stage->counters;
}

static float *view_rgb(const struct vsm_matte_stage *stage, int view)
{
    return vsm_tensor_f32(stage->rgb) + vsm_tensor_count(stage->rgb) / stage->view_count * view;
}

/* Runs views first .. first + batch - 1. */
static int run_batch(struct vsm_matte_stage *stage, int first, struct vsm_frame *frame)
{
    struct vsm_tensor input = *stage->rgb; /* a window of the stage's own tensor */
    struct vsm_tensor *coefficients[VSM_MAX_VIEWS] = {0};
    int resets = 0, status;

    input.dims[0] = stage->batch;
    input.data = view_rgb(stage, first);
    status = vsm_rvm_run(stage->rvm, &input, &stage->states[first], coefficients, &resets);
    if (status != VSM_OK)
        return status;
    stage->counters.state_resets += resets;
    for (int i = 0; i < stage->batch; i++)
        frame->mattes[first + i] =
            (struct vsm_matte){.view = stage->views[first + i], .coefficients = coefficients[i]};
    return VSM_OK;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_matte_stage *stage = self;
    int status = VSM_OK;

    for (int i = 0; i < stage->view_count && status == VSM_OK; i++)
        status = vsm_preprocess(frame->source, &stage->views[i], view_rgb(stage, i), stage->pool);
    if (status != VSM_OK)
        return status;
    if (frame->scene_cut)
        reset_states(stage);
    frame->view_count = stage->view_count;
    for (int first = 0; first < stage->view_count && status == VSM_OK; first += stage->batch)
        status = run_batch(stage, first, frame);
    return status;
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    const struct vsm_matte_stage *stage = self;
    struct vsm_bytes_out out = {0};

    (void)after_seq;
    vsm_bytes_put_le64(&out, (uint64_t)stage->counters.state_resets);
    for (int i = 0; i < stage->view_count; i++)
        vsm_rvm_state_save(&stage->states[i], &out);
    return vsm_state_add_bytes(state, RECORD, &out);
}

int vsm_matte_stage_restore(struct vsm_matte_stage *stage, const struct vsm_state *state)
{
    const struct vsm_state_record *record = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);
    int status = VSM_OK;

    stage->counters.state_resets = (int64_t)vsm_bytes_get_le64(&in);
    for (int i = 0; i < stage->view_count && status == VSM_OK; i++)
        status = vsm_rvm_state_load(&stage->states[i], stage->views[i].width, stage->views[i].height, &in);
    if (status == VSM_OK && (in.failed || vsm_bytes_left(&in) != 0))
        status =
            vsm_fail(VSM_E_INPUT, "checkpoint: record \"" RECORD "\" is damaged; start again with --restart");
    return status;
}

static void interrupt(void *self)
{
    const struct vsm_matte_stage *stage = self;

    vsm_rvm_interrupt(stage->rvm);
}

struct vsm_stage vsm_matte_stage_describe(struct vsm_matte_stage *stage)
{
    return (struct vsm_stage){
        .name = "matte", .self = stage, .run = run, .barrier = barrier, .interrupt = interrupt};
}
