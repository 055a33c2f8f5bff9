#include "stages/stereo_stage.h"

#include "base/mem.h"
#include "image/preprocess.h"
#include "stereo/alignment.h"
#include "stereo/consistency.h"

#include <math.h>
#include <string.h>

#define RECORD "stereo"

/* Frames at the beginning of a scene that are searched for swapped eyes. */
#define BOTH_WAYS 3

struct vsm_stereo_stage {
    struct vsm_view views[2];
    enum vsm_eye master;
    double threshold;
    struct vsm_parallel *pool; /* borrowed */
    struct vsm_disparity *disparity;
    struct vsm_disparity_map map;
    struct vsm_alignment alignment; /* of this scene */
    bool swapped;                   /* this scene counts in numbers.swapped_scenes */
    struct vsm_stereo_stage_numbers numbers;
    size_t pixels; /* of the grid */
    float *rgb[2]; /* of each eye */
    float *alpha[2];
    float *warped;
};

bool vsm_stereo_stage_fits(const struct vsm_view *views, int view_count)
{
    const struct vsm_view *a = &views[0], *b = &views[1];

    return view_count == 2 && a->kind == VSM_VIEW_DIRECT && b->kind == VSM_VIEW_DIRECT &&
           a->eye == VSM_LEFT && b->eye == VSM_RIGHT && a->width == b->width && a->height == b->height &&
           a->width >= VSM_DISPARITY_MIN_GRID && a->height >= VSM_DISPARITY_MIN_GRID &&
           a->width <= VSM_DISPARITY_MAX_GRID && a->height <= VSM_DISPARITY_MAX_GRID;
}

static int make_buffers(struct vsm_stereo_stage *stage)
{
    for (int eye = 0; eye < 2; eye++) {
        stage->rgb[eye] = vsm_mem_alloc("stereo stage", 3 * stage->pixels, sizeof(float));
        stage->alpha[eye] = vsm_mem_alloc("stereo stage", stage->pixels, sizeof(float));
        if (!stage->rgb[eye] || !stage->alpha[eye])
            return VSM_E_NOMEM;
    }
    stage->warped = vsm_mem_alloc("stereo stage", stage->pixels, sizeof(float));
    return stage->warped ? VSM_OK : VSM_E_NOMEM;
}

int vsm_stereo_stage_create(const struct vsm_stereo_stage_options *options, struct vsm_stereo_stage **stage)
{
    struct vsm_disparity_options disparity = {.master = options->master, .baseline = options->baseline};
    struct vsm_stereo_stage *s = vsm_mem_alloc("stereo stage", 1, sizeof(*s));
    int status;

    if (!s)
        return VSM_E_NOMEM;
    s->views[0] = options->views[0];
    s->views[1] = options->views[1];
    s->master = options->master;
    s->threshold = options->threshold;
    s->pool = options->pool;
    s->numbers = (struct vsm_stereo_stage_numbers){.minimum = 1.0, .minimum_frame = -1, .largest_area = 1.0};
    s->pixels = (size_t)s->views[0].width * (size_t)s->views[0].height;
    status = vsm_projection_eye(options->projection, s->views[0].width, s->views[0].height,
                                options->field_of_view, &disparity.eye);
    if (status == VSM_OK)
        status = vsm_disparity_create(&disparity, &s->disparity);
    if (status == VSM_OK)
        status = make_buffers(s);
    if (status != VSM_OK) {
        vsm_stereo_stage_destroy(s);
        return status;
    }
    *stage = s;
    return VSM_OK;
}

void vsm_stereo_stage_destroy(struct vsm_stereo_stage *stage)
{
    if (!stage)
        return;
    vsm_disparity_destroy(stage->disparity);
    for (int eye = 0; eye < 2; eye++) {
        vsm_mem_free(stage->rgb[eye]);
        vsm_mem_free(stage->alpha[eye]);
    }
    vsm_mem_free(stage->warped);
    vsm_mem_free(stage);
}

const struct vsm_stereo_stage_numbers *vsm_stereo_stage_numbers(const struct vsm_stereo_stage *stage)
{
    return &stage->numbers;
}

/* alpha = clamp(A mean(x) + b), frame/frame.h. */
static void fill_alpha(const struct vsm_stereo_stage *stage, int eye, const struct vsm_tensor *coefficients)
{
    const size_t n = stage->pixels;
    const float *a = vsm_tensor_f32(coefficients) + 3 * n, *b = vsm_tensor_f32(coefficients) + 7 * n;
    const float *rgb = stage->rgb[eye];

    for (size_t i = 0; i < n; i++) {
        const float v = a[i] * (rgb[i] + rgb[n + i] + rgb[2 * n + i]) * (1.0f / 3.0f) + b[i];

        stage->alpha[eye][i] = v > 0.0f ? (v < 1.0f ? v : 1.0f) : 0.0f;
    }
}

static void note_below(struct vsm_stereo_stage_numbers *n, int64_t frame)
{
    struct vsm_stereo_stage_range *last = n->range_count ? &n->ranges[n->range_count - 1] : NULL;

    n->below++;
    if (last && last->last == frame - 1)
        last->last = frame;
    else if (n->range_count < VSM_STEREO_STAGE_MAX_RANGES)
        n->ranges[n->range_count++] = (struct vsm_stereo_stage_range){frame, frame};
}

static void note(struct vsm_stereo_stage *stage, const struct vsm_consistency *c, int64_t frame)
{
    struct vsm_stereo_stage_numbers *n = &stage->numbers;
    const double area = c->area > 0.0f ? (double)c->area : 0.01;

    n->frames++;
    n->sum += (double)c->overlap;
    if ((double)c->overlap < n->minimum) {
        n->minimum = (double)c->overlap;
        n->minimum_frame = frame;
    }
    n->largest_area = fmax(n->largest_area, fmax(area, 1.0 / area));
    n->largest_residual = fmax(n->largest_residual, (double)c->residual);
    if ((double)c->overlap < stage->threshold)
        note_below(n, frame);
}

static void note_alignment(struct vsm_stereo_stage *stage, const struct vsm_alignment_result *result)
{
    const bool swapped = result->eyes == VSM_ALIGNMENT_SWAPPED;

    stage->numbers.swapped_scenes += (int)swapped - (int)stage->swapped;
    stage->swapped = swapped;
    if (stage->alignment.frames >= BOTH_WAYS)
        stage->numbers.largest_offset = fmax(stage->numbers.largest_offset, fabs(result->offset));
}

static void measure(struct vsm_stereo_stage *stage, const struct vsm_frame *frame)
{
    const int m = stage->master == VSM_RIGHT;
    const struct vsm_disparity_picture master = {stage->rgb[m], stage->alpha[m]};
    const struct vsm_disparity_picture slave = {stage->rgb[!m], stage->alpha[!m]};
    const double height = stage->views[0].height;
    struct vsm_alignment_result result = vsm_alignment_judge(&stage->alignment, height);
    const struct vsm_disparity_search search = {.pitch = result.pitch,
                                                .both_ways = stage->alignment.frames < BOTH_WAYS ||
                                                             result.eyes == VSM_ALIGNMENT_SWAPPED};
    struct vsm_consistency consistency;

    vsm_disparity_measure(stage->disparity, &master, &slave, &search, &stage->map);
    vsm_alignment_add(&stage->alignment, stage->disparity, &stage->map, &search, &master, &slave);
    result = vsm_alignment_judge(&stage->alignment, height);
    note_alignment(stage, &result);
    if (result.unrelated) {
        stage->numbers.unrelated++;
        return;
    }
    consistency = vsm_consistency_measure(&stage->map, master.alpha, slave.alpha, stage->views[0].width,
                                          stage->views[0].height, stage->warped);
    if (consistency.people)
        note(stage, &consistency, frame->index);
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_stereo_stage *stage = self;

    for (int eye = 0; eye < 2; eye++) {
        int status;

        if (frame->mattes[eye].coefficients->place != VSM_PLACE_HOST ||
            frame->source->place != VSM_PLACE_HOST)
            return VSM_OK;
        status = vsm_preprocess(frame->source, &stage->views[eye], stage->rgb[eye], stage->pool);
        if (status != VSM_OK)
            return status;
        fill_alpha(stage, eye, frame->mattes[eye].coefficients);
    }
    if (frame->scene_cut) {
        stage->alignment = (struct vsm_alignment){0};
        stage->swapped = false;
    }
    measure(stage, frame);
    return VSM_OK;
}

static int barrier(void *self, int64_t after_seq, struct vsm_state *state)
{
    const struct vsm_stereo_stage *stage = self;
    const struct vsm_stereo_stage_numbers *n = &stage->numbers;
    struct vsm_bytes_out out = {0};

    (void)after_seq;
    vsm_alignment_save(&stage->alignment, &out);
    vsm_bytes_put_u8(&out, stage->swapped);
    vsm_bytes_put_le64(&out, (uint64_t)n->frames);
    vsm_bytes_put_le64(&out, (uint64_t)n->unrelated);
    vsm_bytes_put_f64(&out, n->sum);
    vsm_bytes_put_f64(&out, n->minimum);
    vsm_bytes_put_le64(&out, (uint64_t)n->minimum_frame);
    vsm_bytes_put_f64(&out, n->largest_area);
    vsm_bytes_put_f64(&out, n->largest_residual);
    vsm_bytes_put_le64(&out, (uint64_t)n->below);
    vsm_bytes_put_le64(&out, (uint64_t)n->swapped_scenes);
    vsm_bytes_put_f64(&out, n->largest_offset);
    vsm_bytes_put_le32(&out, (uint32_t)n->range_count);
    for (int i = 0; i < n->range_count; i++) {
        vsm_bytes_put_le64(&out, (uint64_t)n->ranges[i].first);
        vsm_bytes_put_le64(&out, (uint64_t)n->ranges[i].last);
    }
    return vsm_state_add_bytes(state, RECORD, &out);
}

static bool load_numbers(struct vsm_stereo_stage_numbers *n, struct vsm_bytes_in *in)
{
    uint32_t count;

    n->frames = (int64_t)vsm_bytes_get_le64(in);
    n->unrelated = (int64_t)vsm_bytes_get_le64(in);
    n->sum = vsm_bytes_get_f64(in);
    n->minimum = vsm_bytes_get_f64(in);
    n->minimum_frame = (int64_t)vsm_bytes_get_le64(in);
    n->largest_area = vsm_bytes_get_f64(in);
    n->largest_residual = vsm_bytes_get_f64(in);
    n->below = (int64_t)vsm_bytes_get_le64(in);
    n->swapped_scenes = (int64_t)vsm_bytes_get_le64(in);
    n->largest_offset = vsm_bytes_get_f64(in);
    count = vsm_bytes_get_le32(in);
    if (in->failed || count > VSM_STEREO_STAGE_MAX_RANGES)
        return false;
    n->range_count = (int32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        n->ranges[i].first = (int64_t)vsm_bytes_get_le64(in);
        n->ranges[i].last = (int64_t)vsm_bytes_get_le64(in);
    }
    return !in->failed && vsm_bytes_left(in) == 0;
}

int vsm_stereo_stage_restore(struct vsm_stereo_stage *stage, const struct vsm_state *state)
{
    const struct vsm_state_record *record = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);
    int status = vsm_alignment_load(&stage->alignment, &in);

    if (status != VSM_OK)
        return status;
    stage->swapped = vsm_bytes_get_u8(&in) != 0;
    if (!load_numbers(&stage->numbers, &in))
        return vsm_fail(VSM_E_INPUT,
                        "checkpoint: record \"" RECORD "\" is damaged; start again with --restart");
    return VSM_OK;
}

struct vsm_stage vsm_stereo_stage_describe(struct vsm_stereo_stage *stage)
{
    return (struct vsm_stage){.name = "stereo", .self = stage, .run = run, .barrier = barrier};
}
