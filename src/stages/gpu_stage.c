#include "stages/gpu_stage.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "cuda/device.h"
#include "cuda/nvml.h"
#include "geometry/view_map.h"
#include "image/coefficients.h"
#include "image/cuda_pool.h"
#include "image/cuda_tensors.h"
#include "models/rvm_turn.h"
#include "stages/gpu_views.h"

#include <string.h>

#define SENSES 8 /* frames between looks at the device's load and memory, which cost about a millisecond */

struct vsm_gpu_stage {
    struct vsm_cuda_stream *compute;
    struct vsm_cuda_event *network_done;
    struct vsm_gpu_views networks;
    struct vsm_gpu_set now, old; /* old ones are run while a director fades them out */
    struct vsm_sha256 hash;
    struct vsm_view direct[VSM_MAX_VIEWS];
    int view_count, output_count; /* direct views */
    struct vsm_composite_target targets[VSM_MAX_OUTPUTS];
    struct vsm_cuda_pool *pools[VSM_MAX_OUTPUTS]; /* page-locked */
    int digest_width, digest_height;              /* 0: none is wanted */
    void *device_digest;                          /* of all views */
    struct vsm_cuda_tensors *digests[2];          /* its copies, of one batch and of two; page-locked */
    struct vsm_matte_counters counters;

    struct vsm_view_director *director;   /* NULL: all views are direct, always the same ones */
    const struct vsm_view_choice *choice; /* of this frame */
    struct vsm_tensor
        *shown[VSM_MAX_VIEWS]; /* for the director: maps on the digest's grid that are its alpha */

    bool adaptive;
    struct vsm_scaling scaling;
    struct vsm_scaling_sample sensed; /* usage and free memory, of the last look */
    int64_t noted;                    /* frames since the start */
    uint64_t done_ns;
};

static int create_digests(struct vsm_gpu_stage *s)
{
    int64_t dims[] = {s->view_count, 4, s->digest_height, s->digest_width};
    const size_t floats = 4 * (size_t)s->digest_width * (size_t)s->digest_height * VSM_MAX_VIEWS;

    for (int k = 0; k < 2; k++, dims[0] *= 2) {
        s->digests[k] = vsm_cuda_tensors_create("digest", VSM_PLACE_HOST, 4, dims);
        if (!s->digests[k])
            return VSM_E_NOMEM;
    }
    return vsm_cuda_alloc("digest", floats * sizeof(float), &s->device_digest);
}

static int create_room(struct vsm_gpu_stage *s)
{
    const struct vsm_image *source = &s->networks.source;
    int status = vsm_cuda_stream_create(&s->compute);

    s->networks.stream = s->compute;
    if (!status)
        status = vsm_cuda_event_create(0, &s->network_done);
    for (int i = 0; i < s->output_count && !status; i++) {
        const struct vsm_composite_target *t = &s->targets[i];

        s->pools[i] =
            vsm_cuda_pool_create(VSM_PLACE_HOST, t->format, source->width, source->height, t->colour);
        status = s->pools[i] ? VSM_OK : VSM_E_NOMEM;
    }
    return !status && s->digest_width ? create_digests(s) : status;
}

static void destroy_networks(struct vsm_gpu_stage *s)
{
    vsm_gpu_views_close(&s->now);
    vsm_gpu_views_close(&s->old);
    vsm_gpu_views_clear(&s->networks);
}

/* For the direct views. */
static int create_network(struct vsm_gpu_stage *s)
{
    if (vsm_fault_hit("gpu.memory"))
        return vsm_fail(VSM_E_NOMEM, "CUDA: memory of the network: out of memory");
    s->now.count = s->view_count;
    for (int i = 0; i < s->view_count; i++)
        s->now.views[i] = s->direct[i];
    return vsm_gpu_views_open(&s->networks, &s->now);
}

static void set_grid(struct vsm_gpu_stage *s, struct vsm_scaling_grid grid)
{
    for (int i = 0; i < s->view_count; i++) {
        s->direct[i].width = grid.width;
        s->direct[i].height = grid.height;
    }
}

/* A network for the controller's grid, or for the next smaller one that there is memory for. */
static int create_adapted(struct vsm_gpu_stage *s, int64_t frame)
{
    char text[160];
    int status;

    do {
        if (s->adaptive)
            set_grid(s, vsm_scaling_current(&s->scaling));
        status = create_network(s);
        if (status)
            destroy_networks(s);
        if (status != VSM_E_NOMEM || !s->adaptive || !vsm_scaling_out_of_memory(&s->scaling, frame))
            break;
        vsm_scaling_describe(&s->scaling, text, sizeof(text));
        vsm_log(VSM_LOG_WARN, "scaling", "%s", text);
    } while (true);
    return status;
}

static int create_parts(struct vsm_gpu_stage *s)
{
    struct vsm_cuda_info info;
    int status = vsm_cuda_device_info(&info);

    if (!status)
        status = create_room(s);
    if (!status)
        status = create_adapted(s, 0);
    if (!status)
        s->hash = vsm_gpu_views_hash(&s->now);
    return status;
}

int vsm_gpu_stage_create(const struct vsm_gpu_stage_options *options, struct vsm_gpu_stage **stage)
{
    struct vsm_gpu_stage *s = vsm_mem_alloc("GPU stage", 1, sizeof(*s));
    int status;

    if (!s)
        return VSM_E_NOMEM;
    s->networks.options = *options->rvm;
    s->networks.source = *options->source;
    s->networks.source.place = VSM_PLACE_CUDA;
    s->view_count = options->view_count;
    s->output_count = options->target_count;
    s->digest_width = options->digest ? options->digest->width : 0;
    s->digest_height = options->digest ? options->digest->height : 0;
    for (int i = 0; i < s->view_count; i++)
        s->direct[i] = options->views[i];
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
    destroy_networks(stage);
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_tensor_unref(&stage->shown[i]);
    for (int i = 0; i < stage->output_count; i++)
        vsm_cuda_pool_destroy(stage->pools[i]);
    vsm_cuda_free(stage->device_digest);
    vsm_cuda_tensors_destroy(stage->digests[0]);
    vsm_cuda_tensors_destroy(stage->digests[1]);
    vsm_cuda_event_destroy(stage->network_done);
    vsm_cuda_stream_destroy(stage->compute);
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

static void reset(struct vsm_rvm_state states[VSM_MAX_VIEWS])
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_rvm_state_reset(&states[i]);
}

int vsm_gpu_stage_set_director(struct vsm_gpu_stage *stage, struct vsm_view_director *director)
{
    const int64_t dims[] = {VSM_COEFFICIENT_MAPS, stage->digest_height, stage->digest_width};

    if (stage->adaptive)
        return vsm_fail(VSM_E_INTERNAL, "GPU stage: adaptive scaling does not resize turned views");
    stage->director = director;
    for (int i = 0; i < VSM_MAX_VIEWS; i++) {
        stage->shown[i] = vsm_tensor_create(VSM_F32, 3, dims);
        if (!stage->shown[i])
            return VSM_E_NOMEM;
    }
    return VSM_OK;
}

/* The states of new views from those of the old views of the same eyes. */
static int turn_states(const struct vsm_gpu_set *from, const struct vsm_rvm_state *states,
                       const struct vsm_view_group *group, struct vsm_rvm_state *turned)
{
    int status = VSM_OK;

    for (int i = 0; i < group->count && !status; i++) {
        const struct vsm_rvm_state *old[VSM_MAX_VIEWS];
        struct vsm_view_map maps[VSM_MAX_VIEWS], map;
        int count = 0;

        status = vsm_view_map_init(&map, &group->views[i]);
        for (int k = 0; k < from->count && !status; k++) {
            if (from->views[k].eye != group->views[i].eye)
                continue;
            old[count] = &states[k];
            status = vsm_view_map_init(&maps[count++], &from->views[k]);
        }
        if (!status)
            status = vsm_rvm_state_turn(old, maps, count, &map, &turned[i]);
    }
    return status;
}

static void set_of(struct vsm_gpu_set *set, const struct vsm_view_group *group)
{
    *set = (struct vsm_gpu_set){.count = group->count};
    for (int i = 0; i < group->count; i++)
        set->views[i] = group->views[i];
}

/* The director's views, with what the views so far remember of the same directions. */
static int change_views(struct vsm_gpu_stage *stage, const struct vsm_view_choice *choice)
{
    struct vsm_rvm_state before[VSM_MAX_VIEWS] = {0}, after[VSM_MAX_VIEWS] = {0};
    int status = vsm_gpu_views_get_states(&stage->now, before);

    if (!status)
        status = turn_states(&stage->now, before, &choice->now, after);
    if (choice->replaced) {
        vsm_gpu_views_close(&stage->old);
        stage->old = stage->now;
    } else {
        vsm_gpu_views_close(&stage->now);
    }
    set_of(&stage->now, &choice->now);
    if (!status)
        status = vsm_gpu_views_open(&stage->networks, &stage->now);
    else
        stage->now.count = 0;
    if (!status)
        status = vsm_gpu_views_set_states(&stage->now, after);
    reset(before);
    reset(after);
    return status;
}

static int choose_views(struct vsm_gpu_stage *stage, const struct vsm_frame *frame)
{
    int status = VSM_OK;

    if (stage->director)
        status = vsm_view_director_next(stage->director, frame, frame->scene_cut, &stage->choice);
    if (!status && stage->choice && stage->choice->changed)
        status = change_views(stage, stage->choice);
    if (stage->choice && stage->choice->old.count == 0)
        vsm_gpu_views_close(&stage->old);
    return status;
}

/* Brings network and states to the controller's grid. Frames on their way are waited for first. */
static int change_grid(struct vsm_gpu_stage *stage, int64_t frame)
{
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    char text[160];
    int status = vsm_gpu_views_get_states(&stage->now, states);

    vsm_scaling_describe(&stage->scaling, text, sizeof(text));
    vsm_log(VSM_LOG_INFO, "scaling", "%s", text);
    destroy_networks(stage);
    if (!status)
        status = create_adapted(stage, frame);
    for (int i = 0; i < stage->view_count && !status; i++)
        status = vsm_rvm_state_resample(&states[i], stage->direct[i].width, stage->direct[i].height);
    if (!status)
        status = vsm_gpu_views_set_states(&stage->now, states);
    reset(states);
    return status;
}

/* Behind all networks' work: the digest is made and copied to the host, and all is waited for. */
static int finish(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    int status = VSM_OK;

    if (frame->digest)
        status = vsm_gpu_views_digest(&stage->now, stage->device_digest, stage->digest_height,
                                      stage->digest_width);
    if (!status && frame->digest)
        status = vsm_cuda_copy(frame->digest->data, stage->device_digest, vsm_tensor_bytes(frame->digest),
                               stage->compute);
    if (!status)
        status = vsm_cuda_event_record(stage->network_done, stage->compute);
    return status ? status : vsm_cuda_event_wait(stage->network_done);
}

static int run_networks(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    bool repeated = false, repeated_old = false;
    int resets = 0, status = vsm_gpu_views_run(&stage->old, frame->source, frame->fading);

    if (!status)
        status = vsm_gpu_views_run(&stage->now, frame->source, frame->mattes);
    if (!status)
        status = finish(stage, frame);
    if (!status)
        status = vsm_gpu_views_check(&stage->old, &resets, &repeated_old);
    if (!status)
        status = vsm_gpu_views_check(&stage->now, &resets, &repeated);
    if (!status && repeated_old)
        status = vsm_gpu_views_collect(&stage->old, frame->fading);
    if (!status && repeated)
        status = vsm_gpu_views_collect(&stage->now, frame->mattes);
    if (!status && (repeated || repeated_old))
        status = finish(stage, frame);
    stage->counters.state_resets += resets;
    return status;
}

static int take_room(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    int status = VSM_OK;

    for (int i = 0; i < stage->output_count && !status; i++)
        if (!frame->outputs[i] && !stage->targets[i].on_device)
            status = vsm_cuda_pool_get(stage->pools[i], &frame->outputs[i]);
    if (!status)
        status = vsm_gpu_views_take_room(&stage->now, frame->mattes);
    if (!status)
        status = vsm_gpu_views_take_room(&stage->old, frame->fading);
    frame->view_count = stage->now.count;
    frame->fading_count = stage->old.count;
    vsm_tensor_unref(&frame->digest);
    return !status && stage->digest_width
               ? vsm_cuda_tensors_get(stage->digests[stage->now.count > stage->view_count], &frame->digest)
               : status;
}

static void add_tables(const struct vsm_view_group *group, struct vsm_matte *mattes)
{
    for (int i = 0; i < group->count; i++) {
        mattes[i].inverse = group->inverse[i] ? vsm_tensor_ref(group->inverse[i]) : NULL;
        mattes[i].inverse_step = group->inverse_step[i];
    }
}

/* What the frame needs to be refined through its views, and what the director needs of it for the next choice: the matte
 * as the digest has it, before mending. */
static int follow_director(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    const size_t cells = (size_t)stage->digest_width * (size_t)stage->digest_height;
    struct vsm_frame shown = {.people = frame->people,
                              .index = frame->index,
                              .view_count = frame->view_count};
    const float *rgb[VSM_MAX_VIEWS];

    add_tables(&stage->choice->now, frame->mattes);
    add_tables(&stage->choice->old, frame->fading);
    frame->fading_weight = stage->choice->weight;
    frame->fading_stays = stage->choice->keep_old;
    for (int i = 0; i < frame->view_count; i++) {
        shown.mattes[i].view = frame->mattes[i].view;
        shown.mattes[i].view.width = stage->digest_width;
        shown.mattes[i].view.height = stage->digest_height;
        shown.mattes[i].coefficients = stage->shown[i];
        rgb[i] = vsm_tensor_f32(frame->digest) + 4 * cells * (size_t)i;
        memcpy(vsm_tensor_f32(stage->shown[i]) + VSM_COEFFICIENT_ALPHA_B * cells, rgb[i] + 3 * cells,
               cells * sizeof(float));
    }
    return vsm_view_director_note(stage->director, &shown, rgb);
}

/* Pictures and maps that there is no memory for: a smaller grid makes room. */
static int take_room_adapted(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    int status = take_room(stage, frame);

    while (status == VSM_E_NOMEM && stage->adaptive &&
           vsm_scaling_out_of_memory(&stage->scaling, frame->seq)) {
        status = change_grid(stage, frame->seq);
        if (!status)
            status = take_room(stage, frame);
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
static int adapt(struct vsm_gpu_stage *stage, int64_t frame, uint64_t start)
{
    const uint64_t now = vsm_clock_ns(), before = stage->done_ns ? stage->done_ns : start;
    struct vsm_scaling_sample sample;

    if (stage->noted++ % SENSES == 0)
        look_at_device(stage);
    sample = stage->sensed;
    sample.busy_ms = (double)(now - start) / 1e6;
    sample.period_ms = (double)(now - before) / 1e6;
    stage->done_ns = now;
    return vsm_scaling_note(&stage->scaling, frame, &sample) ? change_grid(stage, frame + 1) : VSM_OK;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_gpu_stage *stage = self;
    const uint64_t start = vsm_clock_ns();
    const struct vsm_rvm_state fresh[VSM_MAX_VIEWS] = {0};
    int status = frame->scene_cut ? vsm_gpu_views_set_states(&stage->now, fresh) : VSM_OK;

    if (!status)
        status = choose_views(stage, frame);
    if (!status)
        status = take_room_adapted(stage, frame);
    if (!status && vsm_fault_hit("gpu.run"))
        status = vsm_fail(VSM_E_DEVICE, "CUDA: work on the device: the device is lost");
    if (!status)
        status = run_networks(stage, frame);
    if (!status && stage->director)
        status = follow_director(stage, frame);
    if (status || !stage->adaptive)
        return status;
    return adapt(stage, frame->seq, start);
}

/* Appends a set's states. */
static int put_states(const struct vsm_gpu_set *set, struct vsm_bytes_out *out)
{
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    const int status = vsm_gpu_views_get_states(set, states);

    vsm_matte_record_put_states(states, set->count, out);
    reset(states);
    return status;
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    const struct vsm_gpu_stage *stage = self;
    struct vsm_bytes_out out = {0};
    int status = VSM_OK;

    (void)after_seq;
    if (stage->adaptive)
        status = vsm_scaling_add_record(&stage->scaling, state);
    vsm_matte_record_begin(&stage->counters, &out);
    if (stage->director)
        vsm_view_director_save(stage->director, &out);
    if (!status)
        status = put_states(&stage->now, &out);
    if (!status)
        status = put_states(&stage->old, &out);
    if (status) {
        vsm_bytes_out_finish(&out);
        return status;
    }
    return vsm_matte_record_end(&out, state);
}

static int restore_scaling(struct vsm_gpu_stage *stage, const struct vsm_state *state)
{
    const int before = stage->scaling.current;
    int status = vsm_scaling_restore(&stage->scaling, state);

    if (status || stage->scaling.current == before)
        return status;
    destroy_networks(stage);
    set_grid(stage, vsm_scaling_current(&stage->scaling));
    return create_network(stage);
}

/* The director's views are the stage's from here on. */
static int restore_views(struct vsm_gpu_stage *stage, struct vsm_bytes_in *in)
{
    const struct vsm_view_choice *choice = vsm_view_director_choice(stage->director);
    int status = vsm_view_director_load(stage->director, in);

    if (status || choice->now.count == 0)
        return status;
    stage->choice = choice;
    vsm_gpu_views_close(&stage->now);
    set_of(&stage->now, &choice->now);
    set_of(&stage->old, &choice->old);
    status = vsm_gpu_views_open(&stage->networks, &stage->now);
    return status ? status : vsm_gpu_views_open(&stage->networks, &stage->old);
}

static int take_states(const struct vsm_gpu_set *set, struct vsm_bytes_in *in)
{
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    int status = vsm_matte_record_get_states(states, set->views, set->count, in);

    if (!status)
        status = vsm_gpu_views_set_states(set, states);
    reset(states);
    return status;
}

int vsm_gpu_stage_restore(struct vsm_gpu_stage *stage, const struct vsm_state *state)
{
    int status = stage->adaptive ? restore_scaling(stage, state) : VSM_OK;
    struct vsm_bytes_in in;

    if (status)
        return status;
    in = vsm_matte_record_open(state, &stage->counters);
    if (stage->director)
        status = restore_views(stage, &in);
    if (!status)
        status = take_states(&stage->now, &in);
    if (!status)
        status = take_states(&stage->old, &in);
    return status ? status : vsm_matte_record_close(&in);
}

struct vsm_stage vsm_gpu_stage_describe(struct vsm_gpu_stage *stage)
{
    return (struct vsm_stage){.name = "gpu", .self = stage, .run = run, .barrier = barrier};
}
