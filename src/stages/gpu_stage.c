#include "stages/gpu_stage.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/relief.h"
#include "cuda/device.h"
#include "cuda/nvml.h"
#include "image/cuda_pool.h"
#include "stages/gpu_alpha.h"
#include "stages/gpu_sets.h"

#include <stdio.h>

#define SENSES 8 /* frames between looks at the device's load and memory, which cost about a millisecond */

struct vsm_gpu_stage {
    struct vsm_cuda_stream *compute;
    struct vsm_cuda_event *done;
    struct vsm_relief
        *relief;  /* its lock is held while the stage works, and while others have it step down */
    int64_t next; /* seq of the frame that is worked on, or else of the next one */
    struct vsm_gpu_sets sets;
    struct vsm_sha256 hash;
    int output_count;
    struct vsm_composite_target targets[VSM_MAX_OUTPUTS];
    struct vsm_cuda_pool *pools[VSM_MAX_OUTPUTS];   /* page-locked */
    bool alpha_wanted;                              /* by who works on the host */
    struct vsm_gpu_alpha alpha[2], fading_alpha[2]; /* of one batch of views and of two */
    struct vsm_matte_counters counters;
    struct vsm_stereo_manager *stereo; /* NULL: eyes are not compared */
    struct vsm_matte_review review;    /* of that */

    bool adaptive;
    struct vsm_scaling scaling;
    struct vsm_scaling_sample sensed; /* usage and free memory, of the last look */
    int64_t noted;                    /* frames since the start */
    uint64_t done_ns;
};

static int create_room(struct vsm_gpu_stage *s)
{
    const struct vsm_image *source = &s->sets.networks.source;
    int status = vsm_cuda_stream_create(&s->compute);

    s->sets.networks.stream = s->compute;
    if (!status)
        status = vsm_cuda_event_create(0, &s->done);
    for (int i = 0; i < s->output_count && !status; i++) {
        const struct vsm_composite_target *t = &s->targets[i];

        s->pools[i] =
            vsm_cuda_pool_create(VSM_PLACE_HOST, t->format, source->width, source->height, t->colour);
        status = s->pools[i] ? VSM_OK : VSM_E_NOMEM;
    }
    return status;
}

static void tell(const struct vsm_gpu_stage *s, enum vsm_log_level level)
{
    char text[160];

    vsm_scaling_describe(&s->scaling, text, sizeof(text));
    vsm_log(level, "scaling", "%s", text);
}

/* Adds to the message of what failed for want of memory what can be done. */
static int advise(const struct vsm_gpu_stage *s)
{
    char message[256];

    snprintf(message, sizeof(message), "%s", vsm_error_message());
    return vsm_fail(VSM_E_NOMEM, "%s; %s", message,
                    s->adaptive ? "the grid is the smallest one: lower processing.min_scale, or end other "
                                  "programs that use the device"
                                : "set processing.adaptive_scaling: true or a smaller "
                                  "processing.scale_factor");
}

/* Networks for the views as they are, or for the next smaller grid that there is memory for. */
static int wake(struct vsm_gpu_stage *s)
{
    int status = vsm_gpu_sets_wake(&s->sets);

    while (status == VSM_E_NOMEM && s->adaptive && vsm_scaling_out_of_memory(&s->scaling, s->next)) {
        tell(s, VSM_LOG_WARN);
        status = vsm_gpu_sets_resize(&s->sets, vsm_scaling_current(&s->scaling));
        if (!status)
            status = vsm_gpu_sets_wake(&s->sets);
        vsm_relief_note(s->relief);
    }
    return status == VSM_E_NOMEM ? advise(s) : status;
}

/* Brings networks and states to the controller's grid. Frames on their way keep their maps. */
static int change_grid(struct vsm_gpu_stage *s)
{
    int status = vsm_gpu_sets_rest(&s->sets);

    if (!status)
        status = vsm_gpu_sets_resize(&s->sets, vsm_scaling_current(&s->scaling));
    return status ? status : wake(s);
}

/* Between frames, or before any of a frame's work: networks that nobody uses at present, else a step down. */
static int give(void *self)
{
    struct vsm_gpu_stage *s = self;

    if (vsm_gpu_sets_trim(&s->sets))
        return VSM_OK;
    if (!s->adaptive || !vsm_scaling_out_of_memory(&s->scaling, s->next))
        return advise(s);
    tell(s, VSM_LOG_WARN);
    return change_grid(s);
}

static int create_parts(struct vsm_gpu_stage *s)
{
    struct vsm_cuda_info info;
    int status = vsm_cuda_device_info(&info);

    if (!status)
        status = vsm_relief_create(give, s, &s->relief);
    if (!status)
        status = create_room(s);
    if (!status && s->adaptive)
        status = vsm_gpu_sets_resize(&s->sets, vsm_scaling_current(&s->scaling));
    if (!status)
        status = wake(s);
    if (!status)
        s->hash = vsm_gpu_views_hash(&s->sets.now);
    return status;
}

int vsm_gpu_stage_create(const struct vsm_gpu_stage_options *options, struct vsm_gpu_stage **stage)
{
    struct vsm_gpu_stage *s = vsm_mem_alloc("GPU stage", 1, sizeof(*s));
    int status;

    if (!s)
        return VSM_E_NOMEM;
    s->sets.networks.options = *options->rvm;
    s->sets.networks.source = *options->source;
    s->sets.networks.source.place = VSM_PLACE_CUDA;
    s->sets.direct_count = options->view_count;
    s->output_count = options->target_count;
    s->alpha_wanted = options->alpha;
    for (int i = 0; i < options->view_count; i++)
        s->sets.direct[i] = options->views[i];
    vsm_gpu_sets_begin(&s->sets);
    for (int i = 0; i < s->output_count; i++)
        s->targets[i] = options->targets[i];
    s->adaptive = options->scaling != NULL;
    if (s->adaptive)
        vsm_scaling_init(&s->scaling, options->scaling);
    s->sensed.usage = -1;
    status = create_parts(s);
    if (status) {
        vsm_gpu_stage_destroy(s);
        return status;
    }
    *stage = s;
    return VSM_OK;
}

void vsm_gpu_stage_destroy(struct vsm_gpu_stage *stage)
{
    if (!stage)
        return;
    vsm_gpu_sets_finish(&stage->sets);
    for (int i = 0; i < stage->output_count; i++)
        vsm_cuda_pool_destroy(stage->pools[i]);
    for (int i = 0; i < 2; i++) {
        vsm_gpu_alpha_finish(&stage->alpha[i]);
        vsm_gpu_alpha_finish(&stage->fading_alpha[i]);
    }
    vsm_cuda_event_destroy(stage->done);
    vsm_cuda_stream_destroy(stage->compute);
    vsm_relief_destroy(stage->relief);
    vsm_mem_free(stage);
}

struct vsm_sha256 vsm_gpu_stage_hash(const struct vsm_gpu_stage *stage)
{
    return stage->hash;
}

struct vsm_matte_counters vsm_gpu_stage_counters(const struct vsm_gpu_stage *stage)
{
    return stage->counters;
}

const struct vsm_scaling *vsm_gpu_stage_scaling(const struct vsm_gpu_stage *stage)
{
    return stage->adaptive ? &stage->scaling : NULL;
}

struct vsm_relief *vsm_gpu_stage_relief(struct vsm_gpu_stage *stage)
{
    return stage->relief;
}

int vsm_gpu_stage_set_director(struct vsm_gpu_stage *stage, struct vsm_view_director *director)
{
    stage->sets.director = director;
    return stage->adaptive && stage->scaling.current != stage->scaling.options.first ? change_grid(stage)
                                                                                     : VSM_OK;
}

struct vsm_cuda_stream *vsm_gpu_stage_stream(struct vsm_gpu_stage *stage)
{
    return stage->compute;
}

void vsm_gpu_stage_set_stereo(struct vsm_gpu_stage *stage, struct vsm_stereo_manager *stereo)
{
    stage->stereo = stereo;
    stage->review = vsm_stereo_manager_review(stereo);
}

/* Views whose networks found no memory beside all that was kept may find it now. */
static int choose_views(struct vsm_gpu_stage *stage, const struct vsm_frame *frame)
{
    int status = vsm_gpu_sets_choose(&stage->sets, frame);

    return status == VSM_E_NOMEM && stage->sets.resting ? wake(stage) : status;
}

/* Of as many views as the set has. */
static struct vsm_gpu_alpha *alpha_of(struct vsm_gpu_stage *stage, const struct vsm_gpu_set *set)
{
    struct vsm_gpu_alpha *alpha = set == &stage->sets.old ? stage->fading_alpha : stage->alpha;

    return &alpha[set->count > stage->sets.direct_count];
}

static int wait(struct vsm_gpu_stage *stage)
{
    const int status = vsm_cuda_event_record(stage->done, stage->compute);

    return status ? status : vsm_cuda_event_wait(stage->done);
}

static int run_networks(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    const struct vsm_gpu_set *now = &stage->sets.now, *old = &stage->sets.old;
    bool repeated = false, repeated_old = false;
    int resets = 0, status = vsm_gpu_views_run(old, frame->source, frame->fading);

    if (!status)
        status = vsm_gpu_views_run(now, frame->source, frame->mattes);
    if (!status)
        status = wait(stage);
    if (!status)
        status = vsm_gpu_views_check(old, &resets, &repeated_old);
    if (!status)
        status = vsm_gpu_views_check(now, &resets, &repeated);
    if (!status && repeated_old)
        status = vsm_gpu_views_collect(old, frame->fading);
    if (!status && repeated)
        status = vsm_gpu_views_collect(now, frame->mattes);
    stage->counters.state_resets += resets;
    return status;
}

/* Both eyes are compared and mended, states and all, before anybody else sees them. */
static int review(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    const float *rgb[VSM_MAX_VIEWS];
    int status = VSM_OK;

    vsm_gpu_views_pictures(&stage->sets.now, rgb);
    if (stage->stereo)
        status = stage->review.run(stage->review.self, frame, rgb, NULL);
    if (!status && stage->stereo)
        status = vsm_gpu_sets_repair(&stage->sets, vsm_stereo_manager_repairs(stage->stereo));
    if (!status && frame->alpha)
        status = vsm_gpu_alpha_fill(alpha_of(stage, &stage->sets.now), frame->mattes, rgb, frame->alpha,
                                    stage->compute);
    vsm_gpu_views_pictures(&stage->sets.old, rgb);
    if (!status && frame->fading_alpha)
        status = vsm_gpu_alpha_fill(alpha_of(stage, &stage->sets.old), frame->fading, rgb,
                                    frame->fading_alpha, stage->compute);
    return status ? status : wait(stage);
}

/* Page-locked memory: outputs' pictures, the same for every grid, and alpha's planes. */
static int take_locked_room(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    int status = VSM_OK;

    for (int i = 0; i < stage->output_count && !status; i++)
        if (!stage->targets[i].on_device)
            status = vsm_cuda_pool_get(stage->pools[i], &frame->outputs[i]);
    frame->view_count = stage->sets.now.count;
    frame->fading_count = stage->sets.old.count;
    if (!status && stage->alpha_wanted)
        status = vsm_gpu_alpha_take(alpha_of(stage, &stage->sets.now), &frame->alpha);
    if (!status && stage->alpha_wanted && frame->fading_count)
        status = vsm_gpu_alpha_take(alpha_of(stage, &stage->sets.old), &frame->fading_alpha);
    return status;
}

static int take_room(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    const struct vsm_gpu_set *now = &stage->sets.now, *old = &stage->sets.old;
    int status = vsm_gpu_views_take_room(now, frame->mattes);

    if (!status)
        status = vsm_gpu_views_take_room(old, frame->fading);
    if (!status && stage->stereo)
        status = vsm_stereo_manager_follow(stage->stereo, now->views, now->count);
    if (!status && stage->alpha_wanted)
        status = vsm_gpu_alpha_follow(alpha_of(stage, &stage->sets.now), &now->views[0], now->count);
    if (!status && stage->alpha_wanted && old->count)
        status = vsm_gpu_alpha_follow(alpha_of(stage, &stage->sets.old), &old->views[0], old->count);
    return status;
}

static void add_tables(const struct vsm_view_group *group, struct vsm_matte *mattes)
{
    for (int i = 0; i < group->count; i++) {
        mattes[i].inverse = group->inverse[i] ? vsm_tensor_ref(group->inverse[i]) : NULL;
        mattes[i].inverse_step = group->inverse_step[i];
    }
}

/* What the frame needs to be refined through its views, and what the director needs of it for the next
 * choice. */
static int follow_director(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    const struct vsm_view_choice *choice = stage->sets.choice;
    const float *alpha[VSM_MAX_VIEWS];

    add_tables(&choice->now, frame->mattes);
    add_tables(&choice->old, frame->fading);
    frame->fading_weight = choice->weight;
    frame->fading_stays = choice->keep_old;
    for (int i = 0; i < frame->view_count; i++)
        alpha[i] = vsm_frame_alpha_plane(frame->alpha, i);
    return vsm_view_director_note(stage->sets.director, frame, alpha);
}

/* What there is no memory for: a smaller grid makes room. */
static int take_room_adapted(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    int status = take_room(stage, frame), given = VSM_OK;

    while (status == VSM_E_NOMEM && !given) {
        given = vsm_relief_give(stage->relief);
        status = given ? given : take_room(stage, frame);
    }
    return status;
}

static void look_at_device(struct vsm_gpu_stage *stage)
{
    struct vsm_nvml_load load;

    stage->sensed.usage = vsm_nvml_load(&load) == VSM_OK ? load.gpu : -1;
    if (vsm_cuda_memory_free(&stage->sensed.memory_free) != VSM_OK)
        stage->sensed.memory_free = 0;
}

/* Tells the controller what the frame cost, and does what it says. */
static int adapt(struct vsm_gpu_stage *stage, uint64_t start)
{
    const uint64_t now = vsm_clock_ns(), before = stage->done_ns ? stage->done_ns : start;
    const int64_t frame = stage->next++;
    struct vsm_scaling_sample sample;

    if (stage->noted++ % SENSES == 0)
        look_at_device(stage);
    sample = stage->sensed;
    sample.busy_ms = (double)(now - start) / 1e6;
    sample.period_ms = (double)(now - before) / 1e6;
    stage->done_ns = now;
    if (!vsm_scaling_note(&stage->scaling, frame, &sample))
        return VSM_OK;
    tell(stage, VSM_LOG_INFO);
    vsm_relief_note(stage->relief); /* if it rose, who waits finds that out */
    return change_grid(stage);
}

static int run_locked(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    const uint64_t start = vsm_clock_ns();
    int status = stage->sets.resting ? wake(stage) : VSM_OK;

    stage->next = frame->seq;
    if (!status && frame->scene_cut)
        status = vsm_gpu_sets_forget(&stage->sets);
    if (!status)
        status = choose_views(stage, frame);
    if (!status)
        status = take_room_adapted(stage, frame);
    if (!status)
        status = take_locked_room(stage, frame);
    if (!status && vsm_fault_hit("gpu.run"))
        status = vsm_fail(VSM_E_DEVICE, "CUDA: work on the device: the device is lost");
    if (!status)
        status = run_networks(stage, frame);
    if (!status)
        status = review(stage, frame);
    if (!status && stage->sets.director)
        status = follow_director(stage, frame);
    if (status)
        return status;
    if (stage->adaptive)
        return adapt(stage, start);
    stage->next++;
    return VSM_OK;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_gpu_stage *stage = self;
    int status;

    vsm_relief_lock(stage->relief);
    status = run_locked(stage, frame);
    vsm_relief_unlock(stage->relief);
    return status;
}

static int save(struct vsm_gpu_stage *stage, struct vsm_state *state)
{
    struct vsm_bytes_out out = {0};
    int status = stage->sets.resting ? wake(stage) : VSM_OK;

    if (!status && stage->adaptive)
        status = vsm_scaling_add_record(&stage->scaling, state);
    if (status)
        return status;
    vsm_matte_record_begin(&stage->counters, &out);
    status = vsm_gpu_sets_save(&stage->sets, &out);
    if (status)
        vsm_bytes_out_finish(&out);
    else
        status = vsm_matte_record_end(&out, state);
    return !status && stage->stereo ? stage->review.barrier(stage->review.self, state) : status;
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    struct vsm_gpu_stage *stage = self;
    int status;

    (void)after_seq;
    vsm_relief_lock(stage->relief);
    status = save(stage, state);
    vsm_relief_unlock(stage->relief);
    return status;
}

int vsm_gpu_stage_restore(struct vsm_gpu_stage *stage, const struct vsm_state *state, int64_t next_seq)
{
    int status = vsm_gpu_sets_rest(&stage->sets);
    struct vsm_bytes_in in;

    stage->next = next_seq;
    if (!status && stage->adaptive)
        status = vsm_scaling_restore(&stage->scaling, state);
    if (!status && stage->adaptive)
        status = vsm_gpu_sets_resize(&stage->sets, vsm_scaling_current(&stage->scaling));
    if (status)
        return status;
    in = vsm_matte_record_open(state, &stage->counters);
    status = vsm_gpu_sets_load(&stage->sets, &in);
    if (!status)
        status = vsm_matte_record_close(&in);
    return status ? status : wake(stage);
}

struct vsm_stage vsm_gpu_stage_describe(struct vsm_gpu_stage *stage)
{
    return (struct vsm_stage){.name = "gpu", .self = stage, .run = run, .barrier = barrier};
}
