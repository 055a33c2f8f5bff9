#include "stages/gpu_stage.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "cuda/device.h"
#include "cuda/nvml.h"
#include "cuda/review.h"
#include "image/cuda_pool.h"
#include "image/cuda_tensors.h"
#include "image/preprocess_cuda.h"
#include "models/rvm_cuda.h"

#define SENSES 8 /* frames between looks at the device's load and memory, which cost about a millisecond */

struct vsm_gpu_stage {
    struct vsm_cuda_stream *compute;
    struct vsm_cuda_event *network_done;
    struct vsm_rvm_options options;
    struct vsm_rvm_cuda *rvm;
    struct vsm_preprocess_cuda *preprocess;
    struct vsm_cuda_tensors *maps; /* of one view */
    struct vsm_sha256 hash;
    struct vsm_image source; /* what sources are like */
    struct vsm_view views[VSM_MAX_VIEWS];
    int view_count, output_count;
    struct vsm_composite_target targets[VSM_MAX_OUTPUTS];
    struct vsm_cuda_pool *pools[VSM_MAX_OUTPUTS]; /* page-locked */
    int digest_width, digest_height;              /* 0: none is wanted */
    void *device_digest;                          /* of all views */
    struct vsm_cuda_tensors *digests;             /* its copies; page-locked */
    struct vsm_matte_counters counters;

    bool adaptive;
    struct vsm_scaling scaling;
    struct vsm_scaling_sample sensed; /* usage and free memory, of the last look */
    int64_t noted;                    /* frames since the start */
    uint64_t done_ns;
};

static int create_digests(struct vsm_gpu_stage *s)
{
    const int64_t dims[] = {s->view_count, 4, s->digest_height, s->digest_width};
    const size_t floats = 4 * (size_t)s->digest_width * (size_t)s->digest_height * (size_t)s->view_count;

    s->digests = vsm_cuda_tensors_create("digest", VSM_PLACE_HOST, 4, dims);
    return s->digests ? vsm_cuda_alloc("digest", floats * sizeof(float), &s->device_digest) : VSM_E_NOMEM;
}

static int create_room(struct vsm_gpu_stage *s)
{
    int status = vsm_cuda_stream_create(&s->compute);

    if (!status)
        status = vsm_cuda_event_create(0, &s->network_done);
    for (int i = 0; i < s->output_count && !status; i++) {
        const struct vsm_composite_target *t = &s->targets[i];

        s->pools[i] =
            vsm_cuda_pool_create(VSM_PLACE_HOST, t->format, s->source.width, s->source.height, t->colour);
        status = s->pools[i] ? VSM_OK : VSM_E_NOMEM;
    }
    return !status && s->digest_width ? create_digests(s) : status;
}

static void destroy_network(struct vsm_gpu_stage *s)
{
    vsm_rvm_cuda_destroy(s->rvm);
    vsm_preprocess_cuda_destroy(s->preprocess);
    vsm_cuda_tensors_destroy(s->maps);
    s->rvm = NULL;
    s->preprocess = NULL;
    s->maps = NULL;
}

/* Everything that depends on the grid. */
static int create_network(struct vsm_gpu_stage *s)
{
    const int64_t dims[] = {s->views[0].height, s->views[0].width, 8};
    int status;

    if (vsm_fault_hit("gpu.memory"))
        return vsm_fail(VSM_E_NOMEM, "CUDA: memory of the network: out of memory");
    s->options.width = s->views[0].width;
    s->options.height = s->views[0].height;
    status = vsm_preprocess_cuda_create(&s->source, s->views, s->view_count, &s->preprocess);
    s->maps = vsm_cuda_tensors_create("maps", VSM_PLACE_CUDA, 3, dims);
    if (!status && !s->maps)
        status = VSM_E_NOMEM;
    if (!status)
        status = vsm_rvm_cuda_create(&s->options, s->compute, &s->rvm);
    return status;
}

static void set_grid(struct vsm_gpu_stage *s, struct vsm_scaling_grid grid)
{
    for (int i = 0; i < s->view_count; i++) {
        s->views[i].width = grid.width;
        s->views[i].height = grid.height;
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
            destroy_network(s);
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
        s->hash = vsm_rvm_cuda_hash(s->rvm);
    return status;
}

int vsm_gpu_stage_create(const struct vsm_gpu_stage_options *options, struct vsm_gpu_stage **stage)
{
    struct vsm_gpu_stage *s = vsm_mem_alloc("GPU stage", 1, sizeof(*s));
    int status;

    if (!s)
        return VSM_E_NOMEM;
    s->options = *options->rvm;
    s->source = *options->source;
    s->source.place = VSM_PLACE_CUDA;
    s->view_count = options->view_count;
    s->output_count = options->target_count;
    s->digest_width = options->digest ? options->digest->width : 0;
    s->digest_height = options->digest ? options->digest->height : 0;
    for (int i = 0; i < s->view_count; i++)
        s->views[i] = options->views[i];
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
    destroy_network(stage);
    for (int i = 0; i < stage->output_count; i++)
        vsm_cuda_pool_destroy(stage->pools[i]);
    vsm_cuda_free(stage->device_digest);
    vsm_cuda_tensors_destroy(stage->digests);
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

static int set_states(struct vsm_gpu_stage *stage, const struct vsm_rvm_state states[VSM_MAX_VIEWS])
{
    int status = VSM_OK;

    for (int i = 0; i < stage->view_count && !status; i++)
        status = vsm_rvm_cuda_set_state(stage->rvm, i, &states[i]);
    return status;
}

static int get_states(const struct vsm_gpu_stage *stage, struct vsm_rvm_state states[VSM_MAX_VIEWS])
{
    int status = VSM_OK;

    for (int i = 0; i < stage->view_count && !status; i++)
        status = vsm_rvm_cuda_get_state(stage->rvm, i, &states[i]);
    return status;
}

static void reset(struct vsm_rvm_state states[VSM_MAX_VIEWS])
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_rvm_state_reset(&states[i]);
}

/* Brings network and states to the controller's grid. Frames on their way are waited for first. */
static int change_grid(struct vsm_gpu_stage *stage, int64_t frame)
{
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    char text[160];
    int status = get_states(stage, states);

    vsm_scaling_describe(&stage->scaling, text, sizeof(text));
    vsm_log(VSM_LOG_INFO, "scaling", "%s", text);
    destroy_network(stage);
    if (!status)
        status = create_adapted(stage, frame);
    for (int i = 0; i < stage->view_count && !status; i++)
        status = vsm_rvm_state_resample(&states[i], stage->views[i].width, stage->views[i].height);
    if (!status)
        status = set_states(stage, states);
    reset(states);
    return status;
}

/* The maps go over to the frame, so that the network can go on; the digest is made and copied to the host. */
static int collect(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    const struct vsm_view *view = &stage->views[0];
    int status = VSM_OK;

    for (int i = 0; i < stage->view_count && !status; i++) {
        const struct vsm_tensor *maps = frame->mattes[i].coefficients;

        status = vsm_cuda_copy(maps->data, vsm_rvm_cuda_fit(stage->rvm, i), vsm_tensor_bytes(maps),
                               stage->compute);
    }
    if (!status && stage->digest_width)
        status = vsm_cuda_review_digest(vsm_rvm_cuda_source(stage->rvm), vsm_rvm_cuda_fit(stage->rvm, 0),
                                        stage->view_count, view->height, view->width, stage->device_digest,
                                        stage->digest_height, stage->digest_width, stage->compute);
    if (!status && stage->digest_width)
        status = vsm_cuda_copy(frame->digest->data, stage->device_digest, vsm_tensor_bytes(frame->digest),
                               stage->compute);
    if (!status)
        status = vsm_cuda_event_record(stage->network_done, stage->compute);
    return status ? status : vsm_cuda_event_wait(stage->network_done);
}

static int run_network(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    const struct vsm_rvm_state fresh[VSM_MAX_VIEWS] = {0};
    bool repeated = false;
    int resets = 0, status = frame->scene_cut ? set_states(stage, fresh) : VSM_OK;

    if (!status)
        status = vsm_preprocess_cuda_run(stage->preprocess, frame->source, vsm_rvm_cuda_source(stage->rvm),
                                         stage->compute);
    if (!status)
        status = vsm_rvm_cuda_run(stage->rvm);
    if (!status)
        status = collect(stage, frame);
    if (!status)
        status = vsm_rvm_cuda_check(stage->rvm, &resets, &repeated);
    if (!status && repeated)
        status = collect(stage, frame);
    stage->counters.state_resets += resets;
    return status;
}

static int take_room(struct vsm_gpu_stage *stage, struct vsm_frame *frame)
{
    int status = VSM_OK;

    for (int i = 0; i < stage->output_count && !status; i++)
        if (!frame->outputs[i])
            status = vsm_cuda_pool_get(stage->pools[i], &frame->outputs[i]);
    for (int i = 0; i < stage->view_count && !status; i++) {
        frame->mattes[i].view = stage->views[i];
        vsm_tensor_unref(&frame->mattes[i].coefficients);
        status = vsm_cuda_tensors_get(stage->maps, &frame->mattes[i].coefficients);
    }
    frame->view_count = stage->view_count;
    vsm_tensor_unref(&frame->digest);
    return !status && stage->digest_width ? vsm_cuda_tensors_get(stage->digests, &frame->digest) : status;
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
    int status = take_room_adapted(stage, frame);

    if (!status && vsm_fault_hit("gpu.run"))
        status = vsm_fail(VSM_E_DEVICE, "CUDA: work on the device: the device is lost");
    if (!status)
        status = run_network(stage, frame);
    if (status || !stage->adaptive)
        return status;
    return adapt(stage, frame->seq, start);
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    const struct vsm_gpu_stage *stage = self;
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    struct vsm_bytes_out out = {0};
    int status = VSM_OK;

    (void)after_seq;
    if (stage->adaptive)
        status = vsm_scaling_add_record(&stage->scaling, state);
    if (!status)
        status = get_states(stage, states);
    vsm_matte_record_begin(&stage->counters, &out);
    vsm_matte_record_put_states(states, stage->view_count, &out);
    reset(states);
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
    destroy_network(stage);
    set_grid(stage, vsm_scaling_current(&stage->scaling));
    return create_network(stage);
}

int vsm_gpu_stage_restore(struct vsm_gpu_stage *stage, const struct vsm_state *state)
{
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    int status = stage->adaptive ? restore_scaling(stage, state) : VSM_OK;
    struct vsm_bytes_in in;

    if (status)
        return status;
    in = vsm_matte_record_open(state, &stage->counters);
    status = vsm_matte_record_get_states(states, stage->views, stage->view_count, &in);
    if (!status)
        status = vsm_matte_record_close(&in);
    if (!status)
        status = set_states(stage, states);
    reset(states);
    return status;
}

struct vsm_stage vsm_gpu_stage_describe(struct vsm_gpu_stage *stage)
{
    return (struct vsm_stage){.name = "gpu", .self = stage, .run = run, .barrier = barrier};
}
