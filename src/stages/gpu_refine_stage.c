#include "stages/gpu_refine_stage.h"

#include "base/log.h"
#include "base/mem.h"
#include "cuda/device.h"
#include "cuda/review.h"
#include "image/coefficients.h"
#include "image/cuda_pool.h"
#include "image/cuda_room.h"
#include "image/refine_cuda.h"
#include "image/view_fade_cuda.h"

#define SLOTS 2 /* frames between refining's start and the end of the download */

/* What of a frame is on its way. All is reused as soon as the pictures have been downloaded. */
struct slot {
    struct vsm_image *outputs[VSM_MAX_OUTPUTS]; /* on the device; those that stay there are the frame's own */
    void *open, *device_open; /* the gate of all views, page-locked, and its copy; NULL: none yet */
    size_t cells;             /* room in either */
    struct vsm_cuda_event *refined, *downloaded;
};

/* The inverse mapping of a turned view, copied to the device when it changes. */
struct table {
    struct vsm_tensor *inverse; /* what was copied last; one reference */
    struct vsm_cuda_block nodes;
};

struct vsm_gpu_refine_stage {
    struct vsm_cuda_stream *compute, *download;
    struct vsm_image source; /* what sources are like */
    struct vsm_view views[VSM_MAX_VIEWS];
    int view_count, output_count;
    struct vsm_composite_target targets[VSM_MAX_OUTPUTS];
    struct vsm_refine_options options;
    struct vsm_refine_cuda *refine;
    struct table tables[VSM_MAX_VIEWS]; /* of turned views */
    struct vsm_view_fade_cuda *fade;
    struct vsm_cuda_pool *pools[VSM_MAX_OUTPUTS];
    struct slot slots[SLOTS];
    struct vsm_relief *relief;    /* borrowed */
    struct vsm_device_gate *gate; /* borrowed; NULL: everybody stays */
};

static int create_streams(struct vsm_gpu_refine_stage *s)
{
    int status = vsm_cuda_stream_create(&s->compute);

    if (!status)
        status = vsm_cuda_stream_create(&s->download);
    for (int k = 0; k < SLOTS && !status; k++) {
        status = vsm_cuda_event_create(0, &s->slots[k].refined);
        if (!status)
            status = vsm_cuda_event_create(0, &s->slots[k].downloaded);
    }
    return status;
}

static int create_outputs(struct vsm_gpu_refine_stage *s)
{
    int status = VSM_OK;

    for (int i = 0; i < s->output_count && !status; i++) {
        const struct vsm_composite_target *t = &s->targets[i];

        s->pools[i] =
            vsm_cuda_pool_create(VSM_PLACE_CUDA, t->format, s->source.width, s->source.height, t->colour);
        if (!s->pools[i])
            return VSM_E_NOMEM;
        for (int k = 0; k < (t->on_device ? 1 : SLOTS) && !status; k++)
            status = vsm_cuda_pool_get(s->pools[i], &s->slots[k].outputs[i]);
    }
    return status;
}

static int create_refine(struct vsm_gpu_refine_stage *s)
{
    struct vsm_composite_output outputs[VSM_MAX_OUTPUTS];
    int status;

    for (int i = 0; i < s->output_count; i++) {
        const struct vsm_composite_target *t = &s->targets[i];

        outputs[i] = (struct vsm_composite_output){.kind = t->kind,
                                                   .image = s->slots[0].outputs[i],
                                                   .key = {t->key[0], t->key[1], t->key[2]}};
    }
    status = vsm_refine_cuda_check(&s->source, s->views, s->view_count, outputs, s->output_count);
    return status ? status
                  : vsm_refine_cuda_create(&s->source, outputs, s->output_count, &s->options, &s->refine);
}

int vsm_gpu_refine_stage_create(const struct vsm_gpu_refine_stage_options *options,
                                struct vsm_gpu_refine_stage **stage)
{
    struct vsm_gpu_refine_stage *s = vsm_mem_alloc("refine stage", 1, sizeof(*s));
    struct vsm_cuda_info info;
    int status;

    if (!s)
        return VSM_E_NOMEM;
    s->options = *options->refine;
    s->source = *options->source;
    s->source.place = VSM_PLACE_CUDA;
    s->view_count = options->view_count;
    s->output_count = options->target_count;
    for (int i = 0; i < s->view_count; i++)
        s->views[i] = options->views[i];
    for (int i = 0; i < s->output_count; i++)
        s->targets[i] = options->targets[i];
    s->fade = vsm_view_fade_cuda_create();
    status = s->fade ? vsm_cuda_device_info(&info) : VSM_E_NOMEM;
    if (!status)
        status = create_streams(s);
    if (!status)
        status = create_outputs(s);
    if (!status)
        status = create_refine(s);
    if (status) {
        vsm_gpu_refine_stage_destroy(s);
        return status;
    }
    *stage = s;
    return VSM_OK;
}

void vsm_gpu_refine_stage_set_relief(struct vsm_gpu_refine_stage *stage, struct vsm_relief *relief)
{
    stage->relief = relief;
    vsm_view_fade_cuda_set_relief(stage->fade, relief);
    for (int i = 0; i < stage->output_count; i++)
        vsm_cuda_pool_set_relief(stage->pools[i], relief);
}

void vsm_gpu_refine_stage_set_gate(struct vsm_gpu_refine_stage *stage, struct vsm_device_gate *gate)
{
    stage->gate = gate;
}

void vsm_gpu_refine_stage_destroy(struct vsm_gpu_refine_stage *stage)
{
    if (!stage)
        return;
    vsm_refine_cuda_destroy(stage->refine);
    vsm_view_fade_cuda_destroy(stage->fade);
    for (int i = 0; i < VSM_MAX_VIEWS; i++) {
        vsm_tensor_unref(&stage->tables[i].inverse);
        vsm_cuda_room_free(VSM_PLACE_CUDA, stage->tables[i].nodes.memory);
    }
    if (stage->download && vsm_cuda_stream_wait(stage->download) != VSM_OK)
        vsm_log(VSM_LOG_DEBUG, "gpu", "%s", vsm_error_message());
    for (int k = 0; k < SLOTS; k++) {
        struct slot *slot = &stage->slots[k];

        for (int i = 0; i < stage->output_count; i++)
            vsm_image_unref(&slot->outputs[i]);
        vsm_cuda_room_free(VSM_PLACE_HOST, slot->open);
        vsm_cuda_room_free(VSM_PLACE_CUDA, slot->device_open);
        vsm_cuda_event_destroy(slot->refined);
        vsm_cuda_event_destroy(slot->downloaded);
    }
    for (int i = 0; i < stage->output_count; i++)
        vsm_cuda_pool_destroy(stage->pools[i]);
    vsm_cuda_stream_destroy(stage->compute);
    vsm_cuda_stream_destroy(stage->download);
    vsm_mem_free(stage);
}

static size_t cells_of(const struct vsm_matte *mattes)
{
    return (size_t)mattes[0].view.width * (size_t)mattes[0].view.height;
}

/* Room for the gate of all views; a slot is free of work on the device. */
static int make_room(const struct vsm_gpu_refine_stage *stage, struct slot *slot, size_t cells)
{
    const size_t bytes = cells * sizeof(float);
    int status;

    if (cells <= slot->cells)
        return VSM_OK;
    vsm_cuda_room_free(VSM_PLACE_HOST, slot->open);
    vsm_cuda_room_free(VSM_PLACE_CUDA, slot->device_open);
    slot->open = slot->device_open = NULL;
    slot->cells = 0;
    status = vsm_cuda_room_make("gate", VSM_PLACE_HOST, bytes, stage->relief, &slot->open);
    if (!status)
        status = vsm_cuda_room_make("gate", VSM_PLACE_CUDA, bytes, stage->relief, &slot->device_open);
    if (!status)
        slot->cells = cells;
    return status;
}

/* The chosen people stay in the maps of the frame's views, or of those that fade. at: of their gate in the
 * slot's room. */
static int close_views(struct vsm_gpu_refine_stage *stage, struct slot *slot, const struct vsm_frame *frame,
                       bool fading, size_t at)
{
    const struct vsm_matte *mattes = fading ? frame->fading : frame->mattes;
    const int count = fading ? frame->fading_count : frame->view_count;
    const size_t cells = cells_of(mattes);
    float *open = (float *)slot->open + at, *device = (float *)slot->device_open + at;
    int status = vsm_device_gate_make(stage->gate, frame, fading, open);

    if (!status)
        status = vsm_cuda_copy(device, open, cells * (size_t)count * sizeof(float), stage->compute);
    for (int i = 0; i < count && !status; i++)
        status = vsm_cuda_review_close(device + cells * (size_t)i, vsm_tensor_f32(mattes[i].coefficients),
                                       (int)cells, stage->compute);
    return status;
}

static int close_gate(struct vsm_gpu_refine_stage *stage, struct slot *slot, const struct vsm_frame *frame)
{
    const size_t now = cells_of(frame->mattes) * (size_t)frame->view_count;
    const size_t fading = cells_of(frame->fading) * (size_t)frame->fading_count;
    int status = make_room(stage, slot, now + fading);

    if (!status)
        status = close_views(stage, slot, frame, false, 0);
    return !status && frame->fading_count ? close_views(stage, slot, frame, true, now) : status;
}

/* The frame keeps the views that see more; the others are mixed into them. */
static int fade(struct vsm_gpu_refine_stage *stage, struct vsm_frame *frame)
{
    const float keep = frame->fading_stays ? 1.0f - frame->fading_weight : frame->fading_weight;
    int status = VSM_OK;

    for (int i = 0; i < VSM_MAX_VIEWS && frame->fading_stays; i++) {
        const struct vsm_matte matte = frame->mattes[i];

        frame->mattes[i] = frame->fading[i];
        frame->fading[i] = matte;
    }
    if (frame->fading_stays) {
        const int count = frame->view_count;

        frame->view_count = frame->fading_count;
        frame->fading_count = count;
    }
    for (int i = 0; i < frame->view_count && !status; i++)
        status = vsm_view_fade_cuda_run(stage->fade, i, &frame->mattes[i], keep, frame->fading,
                                        frame->fading_count, stage->compute);
    return status;
}

/* Earlier frames read the table in the same stream, so that it may be overwritten in it. */
static int follow_table(const struct vsm_gpu_refine_stage *stage, struct table *table,
                        struct vsm_tensor *inverse)
{
    int status;

    if (table->inverse == inverse)
        return VSM_OK;
    vsm_tensor_unref(&table->inverse);
    status = vsm_cuda_block_fill(&table->nodes, "table of a turned view", inverse->data,
                                 vsm_tensor_bytes(inverse), stage->relief, stage->compute);
    if (!status)
        table->inverse = vsm_tensor_ref(inverse);
    return status;
}

static int refine(struct vsm_gpu_refine_stage *stage, struct slot *slot, struct vsm_frame *frame)
{
    struct vsm_refine_cuda_view views[VSM_MAX_VIEWS];
    struct vsm_image *outputs[VSM_MAX_OUTPUTS];
    int status = VSM_OK;

    for (int i = 0; i < stage->output_count && !status; i++) {
        if (stage->targets[i].on_device)
            status = vsm_cuda_pool_get(stage->pools[i], &frame->outputs[i]);
        outputs[i] = stage->targets[i].on_device ? frame->outputs[i] : slot->outputs[i];
    }
    for (int i = 0; i < frame->view_count && !status; i++) {
        const struct vsm_matte *matte = &frame->mattes[i];

        if (matte->inverse)
            status = follow_table(stage, &stage->tables[i], matte->inverse);
        views[i] = (struct vsm_refine_cuda_view){.view = &matte->view,
                                                 .fit = vsm_tensor_f32(matte->coefficients),
                                                 .inverse = matte->inverse,
                                                 .nodes = stage->tables[i].nodes.memory,
                                                 .inverse_step = matte->inverse_step};
    }
    if (!status)
        status = vsm_refine_cuda_run(stage->refine, frame->source, views, frame->view_count, outputs,
                                     stage->compute);
    return status ? status : vsm_cuda_event_record(slot->refined, stage->compute);
}

static int download(struct vsm_gpu_refine_stage *stage, struct slot *slot, const struct vsm_frame *frame)
{
    int status = vsm_cuda_event_hold(slot->refined, stage->download);

    for (int i = 0; i < stage->output_count; i++) {
        const struct vsm_image *from = slot->outputs[i], *to = frame->outputs[i];

        if (stage->targets[i].on_device)
            continue;
        for (int p = 0; p < vsm_format_plane_count(to->format) && !status; p++)
            status = vsm_cuda_copy_rows(to->data[p], to->stride[p], from->data[p], from->stride[p],
                                        (size_t)vsm_format_plane_width(to->format, p, to->width) *
                                            (size_t)vsm_format_bytes_per_sample(to->format),
                                        (size_t)vsm_format_plane_height(to->format, p, to->height),
                                        stage->download);
    }
    return status ? status : vsm_cuda_event_record(slot->downloaded, stage->download);
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_gpu_refine_stage *stage = self;
    struct slot *slot = &stage->slots[frame->seq % SLOTS];
    int status = vsm_cuda_event_wait(slot->downloaded);

    if (!status && stage->gate && frame->people.known)
        status = close_gate(stage, slot, frame);
    vsm_tensor_unref(&frame->alpha);
    vsm_tensor_unref(&frame->fading_alpha);
    if (!status && frame->fading_count)
        status = fade(stage, frame);
    if (!status)
        status = refine(stage, slot, frame);
    return status ? status : download(stage, slot, frame);
}

/* What refining reads is given back as soon as that is over. */
static int run_download(void *self, struct vsm_frame *frame)
{
    struct vsm_gpu_refine_stage *stage = self;
    struct slot *slot = &stage->slots[frame->seq % SLOTS];
    int status = vsm_cuda_event_wait(slot->refined);

    vsm_image_unref(&frame->source);
    for (int i = 0; i < VSM_MAX_VIEWS; i++) {
        vsm_tensor_unref(&frame->mattes[i].coefficients);
        vsm_tensor_unref(&frame->fading[i].coefficients);
    }
    return status ? status : vsm_cuda_event_wait(slot->downloaded);
}

struct vsm_stage vsm_gpu_refine_stage_describe(struct vsm_gpu_refine_stage *stage)
{
    return (struct vsm_stage){.name = "refine", .self = stage, .run = run};
}

struct vsm_stage vsm_gpu_refine_stage_describe_download(struct vsm_gpu_refine_stage *stage)
{
    return (struct vsm_stage){.name = "download", .self = stage, .run = run_download};
}
