#include "app/eyes_plan.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "image/preprocess.h"
#include "stereo/disparity.h"

#include <math.h>

#define GRID   512 /* long side of the grid on which eyes are compared */
#define FRAMES 4

/* Cells that speak for exchanged eyes over those that speak against it: everything that is not far away
 * shifts one way only, but a picture may have been converged. */
#define SURE       6.0
#define SURE_CELLS 25.0

struct look {
    struct vsm_view views[2];
    struct vsm_disparity *disparity;
    struct vsm_disparity_map map;
    struct vsm_parallel *pool;
    float *rgb[2], *ones;
};

static struct vsm_lens lens_of(const struct vsm_plan *plan)
{
    return (struct vsm_lens){.projection = plan->layout.projection,
                             .field_of_view = plan->layout.field_of_view};
}

double vsm_eyes_plan_baseline(const struct vsm_plan *plan)
{
    const double metres = plan->config->stereo.baseline / 1000.0, given = plan->config->stereo.focal_length;
    const struct vsm_rect *eye = &plan->layout.eyes[0];
    const struct vsm_lens lens = lens_of(plan);
    struct vsm_projection_eye projection;
    double focal;

    if (given == VSM_CONFIG_AUTO ||
        vsm_projection_lens(&lens, eye->width, eye->height, &projection) != VSM_OK)
        return metres;
    focal = projection.focal > 0.0 ? projection.focal : projection.width / (2.0 * projection.half_view);
    return fmin(metres * given / focal, 0.999);
}

/* The grid of an eye; false: too small to be compared on. */
static bool grid_of(const struct vsm_rect *eye, int *width, int *height)
{
    const double scale = fmin(1.0, (double)GRID / (eye->width > eye->height ? eye->width : eye->height));

    *width = (int)lround(eye->width * scale);
    *height = (int)lround(eye->height * scale);
    return *width >= VSM_DISPARITY_MIN_GRID && *height >= VSM_DISPARITY_MIN_GRID;
}

static int open_look(const struct vsm_plan *plan, int width, int height, struct look *look)
{
    struct vsm_view_map maps[2];
    struct vsm_disparity_options options = {.view = &maps[VSM_LEFT],
                                            .other = &maps[VSM_RIGHT],
                                            .master = VSM_LEFT,
                                            .baseline = vsm_eyes_plan_baseline(plan)};
    size_t pixels;
    int status = VSM_OK;

    for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
        look->views[eye] = (struct vsm_view){.kind = VSM_VIEW_DIRECT,
                                             .eye = (enum vsm_eye)eye,
                                             .source = plan->layout.eyes[eye],
                                             .lens = plan->lenses[eye],
                                             .width = width,
                                             .height = height};
        status = vsm_view_map_init(&maps[eye], &look->views[eye]);
    }
    if (status == VSM_OK)
        status = vsm_disparity_create(&options, &look->disparity);
    if (status != VSM_OK)
        return status;
    pixels = (size_t)look->views[0].width * (size_t)look->views[0].height;
    look->pool = vsm_parallel_create(plan->threads);
    look->rgb[0] = vsm_mem_alloc("eyes", 3 * pixels, sizeof(float));
    look->rgb[1] = vsm_mem_alloc("eyes", 3 * pixels, sizeof(float));
    look->ones = vsm_mem_alloc("eyes", pixels, sizeof(float));
    for (size_t i = 0; look->ones && i < pixels; i++)
        look->ones[i] = 1.0f;
    return look->pool && look->rgb[0] && look->rgb[1] && look->ones ? VSM_OK : VSM_E_NOMEM;
}

static void close_look(struct look *look)
{
    vsm_disparity_destroy(look->disparity);
    vsm_parallel_destroy(look->pool);
    vsm_mem_free(look->rgb[0]);
    vsm_mem_free(look->rgb[1]);
    vsm_mem_free(look->ones);
}

static int look_at(struct look *look, const struct vsm_image *image, struct vsm_alignment *alignment)
{
    const struct vsm_disparity_picture left = {look->rgb[0], look->ones}, right = {look->rgb[1], look->ones};
    const struct vsm_disparity_search search = {
        .pitch = vsm_alignment_judge(alignment, look->views[0].height).pitch, .both_ways = true};
    double light[2][3];
    int status = VSM_OK;

    for (int eye = 0; eye < 2 && status == VSM_OK; eye++)
        status = vsm_preprocess(image, &look->views[eye], look->rgb[eye], look->pool);
    if (status != VSM_OK)
        return status;
    vsm_disparity_measure(look->disparity, &left, &right, &search, &look->map);
    vsm_alignment_add(alignment, look->disparity, &look->map, &search);
    vsm_alignment_light(&look->map, look->rgb[0], look->rgb[1], look->views[0].width, look->views[0].height,
                        light, look->pool);
    vsm_alignment_add_light(alignment, light);
    return VSM_OK;
}

/* The first frames of the range, in a reader of its own, which must not hold more pictures than the job's. */
static int look_at_frames(const struct vsm_plan *plan, struct look *look, struct vsm_alignment *alignment)
{
    const struct vsm_video_reader_options options = {.threads = VSM_PLAN_CPU_DECODER_THREADS(plan->threads)};
    struct vsm_video_reader *reader = NULL;
    struct vsm_frame *frame = NULL;
    int status = vsm_video_reader_open(plan->config->input.path, &options, &reader);

    if (status == VSM_OK && plan->first_frame > 0)
        status = vsm_video_reader_seek(reader, plan->first_frame);
    for (int i = 0; status == VSM_OK && i < FRAMES; i++) {
        frame = vsm_frame_create();
        status = frame ? vsm_video_reader_next(reader, frame) : VSM_E_NOMEM;
        if (status == VSM_OK)
            status = look_at(look, frame->source, alignment);
        vsm_frame_destroy(&frame);
    }
    vsm_video_reader_close(reader);
    return status == VSM_E_NOMEM ? status : VSM_OK;
}

static void exchange(struct vsm_plan *plan)
{
    const struct vsm_rect left = plan->layout.eyes[VSM_LEFT];
    const struct vsm_lens lens = plan->lenses[VSM_LEFT];

    plan->layout.eyes[VSM_LEFT] = plan->layout.eyes[VSM_RIGHT];
    plan->layout.eyes[VSM_RIGHT] = left;
    if (!plan->config->input.circles) { /* those that were found belong to the rectangles */
        plan->lenses[VSM_LEFT] = plan->lenses[VSM_RIGHT];
        plan->lenses[VSM_RIGHT] = lens;
    }
    plan->layout.right_left = !plan->layout.right_left;
    plan->eyes.exchanged = true;
    plan->eyes.alignment.pitch = -plan->eyes.alignment.pitch;
    plan->eyes.alignment.offset = -plan->eyes.alignment.offset;
    for (int c = 0; c < 3; c++)
        plan->eyes.alignment.gain[c] = 1.0 / plan->eyes.alignment.gain[c];
}

int vsm_eyes_plan_look(struct vsm_plan *plan)
{
    struct vsm_alignment alignment = {0};
    struct look look = {0};
    const struct vsm_rect *eyes = plan->layout.eyes;
    int width, height, status;

    if (plan->layout.eye_count < 2 || !plan->config->stereo.disparity_correction ||
        !grid_of(&eyes[0], &width, &height))
        return VSM_OK;
    status = open_look(plan, width, height, &look);
    if (status == VSM_OK)
        status = look_at_frames(plan, &look, &alignment);
    if (status == VSM_OK && alignment.frames > 0) {
        const double wrong = alignment.crossed[1], right = alignment.crossed[0];

        plan->eyes.looked = true;
        plan->eyes.alignment = vsm_alignment_judge(&alignment, eyes[0].height);
        plan->eyes.alignment.eyes = wrong > SURE_CELLS && wrong > SURE * right   ? VSM_ALIGNMENT_SWAPPED
                                    : right > SURE_CELLS && right > SURE * wrong ? VSM_ALIGNMENT_STRAIGHT
                                                                                 : VSM_ALIGNMENT_UNKNOWN;
        if (plan->eyes.alignment.eyes == VSM_ALIGNMENT_SWAPPED && !plan->eyes.alignment.unrelated &&
            plan->config->input.swap_eyes == VSM_CONFIG_SWAP_AUTO)
            exchange(plan);
    }
    close_look(&look);
    return status;
}
