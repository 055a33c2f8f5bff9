#include "stages/gpu_stage.h"

#include "base/mem.h"
#include "cuda/device.h"
#include "image/pinned_pool.h"
#include "image/preprocess_cuda.h"
#include "image/refine_cuda.h"
#include "image/scene_cut.h"
#include "models/rvm_cuda.h"
#include "stages/people_stage.h"

#define RECORD "matte" /* stages/matte_stage.c has the same */

/* A picture in device memory that is written again with every frame. */
struct device_picture {
    struct vsm_image image;
    void *memory[4];
};

struct vsm_gpu_stage {
    struct vsm_cuda_stream *stream;
    struct vsm_rvm_cuda *rvm;
    struct vsm_preprocess_cuda *preprocess;
    struct vsm_refine_cuda *refine;
    struct vsm_view views[VSM_MAX_VIEWS];
    int view_count, output_count;
    struct device_picture source, outputs[VSM_MAX_OUTPUTS];
    struct vsm_pinned_pool *pools[VSM_MAX_OUTPUTS];
    struct vsm_scene_cut cut;
    int64_t scene_cuts;
    struct vsm_matte_counters counters;
    void *rgb; /* page-locked copy of the grids */
};

static int create_picture(struct device_picture *picture, struct vsm_format format, int width, int height,
                          struct vsm_colour colour)
{
    int status = VSM_OK;

    picture->image = (struct vsm_image){
        .format = format, .colour = colour, .place = VSM_PLACE_CUDA, .width = width, .height = height};
    for (int p = 0; p < vsm_format_plane_count(format) && !status; p++) {
        const size_t row =
            (size_t)vsm_format_plane_width(format, p, width) * (size_t)vsm_format_bytes_per_sample(format);
        const size_t stride = (row + 255) / 256 * 256;

        status = vsm_cuda_alloc("picture", stride * (size_t)vsm_format_plane_height(format, p, height),
                                &picture->memory[p]);
        picture->image.data[p] = picture->memory[p];
        picture->image.stride[p] = (ptrdiff_t)stride;
    }
    return status;
}

static void free_picture(struct device_picture *picture)
{
    for (int p = 0; p < 4; p++)
        vsm_cuda_free(picture->memory[p]);
}

static int copy_picture(const struct vsm_image *to, const struct vsm_image *from,
                        struct vsm_cuda_stream *stream)
{
    int status = VSM_OK;

    for (int p = 0; p < vsm_format_plane_count(to->format) && !status; p++)
        status = vsm_cuda_copy_rows(to->data[p], to->stride[p], from->data[p], from->stride[p],
                                    (size_t)vsm_format_plane_width(to->format, p, to->width) *
                                        (size_t)vsm_format_bytes_per_sample(to->format),
                                    (size_t)vsm_format_plane_height(to->format, p, to->height), stream);
    return status;
}

static size_t grid_bytes(const struct vsm_gpu_stage *stage)
{
    return 3 * sizeof(float) * (size_t)stage->views[0].width * (size_t)stage->views[0].height;
}

static int create_outputs(struct vsm_gpu_stage *stage, const struct vsm_image *source,
                          const struct vsm_composite_target *targets,
                          const struct vsm_refine_options *options)
{
    struct vsm_composite_output outputs[VSM_MAX_OUTPUTS];
    int status = VSM_OK;

    for (int i = 0; i < stage->output_count && !status; i++) {
        const struct vsm_composite_target *t = &targets[i];

        status = create_picture(&stage->outputs[i], t->format, source->width, source->height, t->colour);
        stage->pools[i] = vsm_pinned_pool_create(t->format, source->width, source->height, t->colour);
        if (!stage->pools[i])
            return VSM_E_NOMEM;
        outputs[i] = (struct vsm_composite_output){.kind = t->kind,
                                                   .image = &stage->outputs[i].image,
                                                   .key = {t->key[0], t->key[1], t->key[2]}};
    }
    if (!status)
        status = vsm_refine_cuda_create(&stage->source.image, stage->views, stage->view_count, outputs,
                                        stage->output_count, options, &stage->refine);
    return status;
}

int vsm_gpu_stage_create(const struct vsm_rvm_options *rvm, const struct vsm_view *views, int view_count,
                         const struct vsm_image *source, const struct vsm_composite_target *targets,
                         int count, const struct vsm_refine_options *options, struct vsm_gpu_stage **stage)
{
    struct vsm_gpu_stage *s = vsm_mem_alloc("GPU stage", 1, sizeof(*s));
    struct vsm_cuda_info info;
    int status;

    if (!s)
        return VSM_E_NOMEM;
    s->view_count = view_count;
    s->output_count = count;
    for (int i = 0; i < view_count; i++)
        s->views[i] = views[i];
    status = vsm_cuda_device_info(&info);
    if (!status)
        status = vsm_cuda_stream_create(&s->stream);
    if (!status)
        status = create_picture(&s->source, source->format, source->width, source->height, source->colour);
    if (!status)
        status = create_outputs(s, source, targets, options);
    if (!status)
        status = vsm_preprocess_cuda_create(&s->source.image, views, view_count, &s->preprocess);
    if (!status)
        status = vsm_cuda_alloc_host("grids", grid_bytes(s) * (size_t)view_count, &s->rgb);
    if (!status)
        status = vsm_rvm_cuda_create(rvm, s->stream, &s->rvm);
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
    vsm_rvm_cuda_destroy(stage->rvm);
    vsm_preprocess_cuda_destroy(stage->preprocess);
    vsm_refine_cuda_destroy(stage->refine);
    vsm_cuda_stream_destroy(stage->stream);
    free_picture(&stage->source);
    for (int i = 0; i < stage->output_count; i++) {
        free_picture(&stage->outputs[i]);
        vsm_pinned_pool_destroy(stage->pools[i]);
    }
    if (stage->rgb)
        vsm_cuda_free_host(stage->rgb);
    vsm_mem_free(stage);
}

struct vsm_sha256 vsm_gpu_stage_hash(const struct vsm_gpu_stage *stage)
{
    return vsm_rvm_cuda_hash(stage->rvm);
}

int64_t vsm_gpu_stage_scene_cuts(const struct vsm_gpu_stage *stage)
{
    return stage->scene_cuts;
}

struct vsm_matte_counters vsm_gpu_stage_counters(const struct vsm_gpu_stage *stage)
{
    return stage->counters;
}

static int set_states(struct vsm_gpu_stage *stage, const struct vsm_rvm_state states[VSM_MAX_VIEWS])
{
    int status = VSM_OK;

    for (int i = 0; i < stage->view_count && !status; i++)
        status = vsm_rvm_cuda_set_state(stage->rvm, i, &states[i]);
    return status;
}

/* Averages the source onto the grids and, on the first frame of a new scene, begins the states anew. */
static int look(struct vsm_gpu_stage *stage, const struct vsm_image *source, struct vsm_frame *frame)
{
    const struct vsm_rvm_state fresh[VSM_MAX_VIEWS] = {0};
    const float *rgb[VSM_MAX_VIEWS];
    int status =
        vsm_preprocess_cuda_run(stage->preprocess, source, vsm_rvm_cuda_source(stage->rvm), stage->stream);

    if (!status)
        status = vsm_cuda_copy(stage->rgb, vsm_rvm_cuda_source(stage->rvm),
                               grid_bytes(stage) * (size_t)stage->view_count, stage->stream);
    if (!status)
        status = vsm_cuda_stream_wait(stage->stream);
    if (status)
        return status;
    for (int i = 0; i < stage->view_count; i++)
        rgb[i] = (const float *)stage->rgb + (size_t)i * grid_bytes(stage) / sizeof(float);
    frame->scene_cut = vsm_scene_cut_next(&stage->cut, rgb, stage->view_count, stage->views[0].width,
                                          stage->views[0].height);
    if (!frame->scene_cut)
        return VSM_OK;
    stage->scene_cuts++;
    return set_states(stage, fresh);
}

static int composite(struct vsm_gpu_stage *stage, const struct vsm_image *source, struct vsm_frame *frame)
{
    struct vsm_image *outputs[VSM_MAX_OUTPUTS];
    const float *fits[VSM_MAX_VIEWS];
    int status;

    for (int i = 0; i < stage->view_count; i++)
        fits[i] = vsm_rvm_cuda_fit(stage->rvm, i);
    for (int i = 0; i < stage->output_count; i++)
        outputs[i] = &stage->outputs[i].image;
    status = vsm_refine_cuda_run(stage->refine, source, fits, outputs, stage->stream);
    for (int i = 0; i < stage->output_count && !status; i++)
        status = copy_picture(frame->outputs[i], outputs[i], stage->stream);
    return status ? status : vsm_cuda_stream_wait(stage->stream);
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_gpu_stage *stage = self;
    const struct vsm_image *source = frame->source;
    int resets = 0, status = VSM_OK;
    bool repeated = false;

    for (int i = 0; i < stage->output_count; i++) {
        frame->outputs[i] = vsm_pinned_pool_get(stage->pools[i]);
        if (!frame->outputs[i])
            return VSM_E_NOMEM;
    }
    if (source->place == VSM_PLACE_HOST) {
        status = copy_picture(&stage->source.image, source, stage->stream);
        source = &stage->source.image;
    }
    if (!status)
        status = look(stage, source, frame);
    if (!status)
        status = vsm_rvm_cuda_run(stage->rvm);
    if (!status)
        status = composite(stage, source, frame);
    if (!status)
        status = vsm_rvm_cuda_check(stage->rvm, &resets, &repeated);
    if (!status && repeated)
        status = composite(stage, source, frame);
    stage->counters.state_resets += resets;
    vsm_image_unref(&frame->source);
    return status;
}

static int save_scenes(const struct vsm_gpu_stage *stage, struct vsm_state *state)
{
    struct vsm_bytes_out out = {0};

    vsm_bytes_put_le64(&out, (uint64_t)stage->scene_cuts);
    vsm_scene_cut_save(&stage->cut, &out);
    return vsm_state_add_bytes(state, VSM_PEOPLE_STAGE_SCENES, &out);
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    const struct vsm_gpu_stage *stage = self;
    struct vsm_bytes_out out = {0};
    int saved = save_scenes(stage, state);

    (void)after_seq;
    if (saved)
        return saved;
    vsm_bytes_put_le64(&out, (uint64_t)stage->counters.state_resets);
    for (int i = 0; i < stage->view_count; i++) {
        struct vsm_rvm_state host = {0};
        int status = vsm_rvm_cuda_get_state(stage->rvm, i, &host);

        if (status) {
            vsm_bytes_out_finish(&out);
            return status;
        }
        vsm_rvm_state_save(&host, &out);
        vsm_rvm_state_reset(&host);
    }
    return vsm_state_add_bytes(state, RECORD, &out);
}

static int restore_scenes(struct vsm_gpu_stage *stage, const struct vsm_state *state)
{
    const struct vsm_state_record *record = vsm_state_find(state, VSM_PEOPLE_STAGE_SCENES);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);

    stage->scene_cuts = (int64_t)vsm_bytes_get_le64(&in);
    return vsm_scene_cut_load(&stage->cut, &in);
}

int vsm_gpu_stage_restore(struct vsm_gpu_stage *stage, const struct vsm_state *state)
{
    const struct vsm_state_record *record = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    int status = restore_scenes(stage, state);

    stage->counters.state_resets = (int64_t)vsm_bytes_get_le64(&in);
    for (int i = 0; i < stage->view_count && status == VSM_OK; i++)
        status = vsm_rvm_state_load(&states[i], stage->views[i].width, stage->views[i].height, &in);
    if (status == VSM_OK && (in.failed || vsm_bytes_left(&in) != 0))
        status =
            vsm_fail(VSM_E_INPUT, "checkpoint: record \"" RECORD "\" is damaged; start again with --restart");
    if (status == VSM_OK)
        status = set_states(stage, states);
    for (int i = 0; i < stage->view_count; i++)
        vsm_rvm_state_reset(&states[i]);
    return status;
}

struct vsm_stage vsm_gpu_stage_describe(struct vsm_gpu_stage *stage)
{
    return (struct vsm_stage){.name = "gpu", .self = stage, .run = run, .barrier = barrier};
}
