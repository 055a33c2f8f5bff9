/* The matting stage on a CUDA device, which compares and mends the eyes, while its grid moves under turned
 * views: nothing pops on a still scene, a job that is resumed across changes and fades goes on exactly, and
 * out of memory costs size, not frames. Skipped without a device. */
#include "device.h"
#include "moving_grid.h"
#include "npy.h"
#include "stages/gpu_stage.h"
#include "stages/gpu_upload_stage.h"

#include <math.h>

#define MODEL VSM_MODELS_DIR "/rvm.json"
#define SIDE  512 /* of an eye */

static const struct vsm_format yuv = {VSM_PLANES_YUV, 8, 0, 1, 1};
static const struct vsm_colour bt709 = {1, 1, 1, false, 0};

/* A wish so modest that the grid rises after every window. */
static const struct vsm_scaling_options ladder = {.rungs = {{256, 256}, {320, 320}, {384, 384}},
                                                  .count = 3,
                                                  .target_fps = 1e-3};

static bool cannot(void)
{
    if (access(MODEL, R_OK) == 0)
        return no_device();
    tap_skip("no model");
    return true;
}

static struct moving_grid open_grid(int first)
{
    const struct vsm_rect eyes[2] = {{0, 0, SIDE, SIDE}, {SIDE, 0, SIDE, SIDE}};
    const struct vsm_image source = {.format = yuv, .colour = bt709, .width = 2 * SIDE, .height = SIDE};
    const struct vsm_rvm_options rvm = {.graph_path = MODEL, .batch = 2};
    struct vsm_view views[2] = {{0}};
    struct vsm_scaling_options scaling = ladder;
    struct vsm_gpu_upload_stage *upload = NULL;
    struct vsm_gpu_stage *gpu = NULL;
    struct vsm_stereo_manager *stereo = NULL;
    struct moving_grid grid = {.stage_count = 2};

    scaling.first = first;
    for (int e = 0; e < 2; e++) {
        views[e].eye = e ? VSM_RIGHT : VSM_LEFT;
        views[e].source = eyes[e];
        views[e].width = ladder.rungs[first].width;
        views[e].height = ladder.rungs[first].height;
    }
    CHECK_INT(vsm_gpu_upload_stage_create(&source, eyes, 2, &upload), VSM_OK);
    CHECK_INT(vsm_gpu_stage_create(&(struct vsm_gpu_stage_options){.rvm = &rvm,
                                                                   .views = views,
                                                                   .view_count = 2,
                                                                   .source = &source,
                                                                   .alpha = true,
                                                                   .scaling = &scaling},
                                   &gpu),
              VSM_OK);
    grid.director = follow_people(views);
    CHECK_INT(vsm_gpu_stage_set_director(gpu, grid.director), VSM_OK);
    vsm_gpu_upload_stage_set_relief(upload, vsm_gpu_stage_relief(gpu));
    CHECK_INT(vsm_stereo_manager_create(&(struct vsm_stereo_manager_options){.views = views,
                                                                             .view_count = 2,
                                                                             .baseline = 0.064,
                                                                             .threshold = 0.8,
                                                                             .mend = true,
                                                                             .stream =
                                                                                 vsm_gpu_stage_stream(gpu)},
                                        &stereo),
              VSM_OK);
    vsm_gpu_stage_set_stereo(gpu, stereo);
    grid.upload = upload;
    grid.network = gpu;
    grid.stereo = stereo;
    grid.stages[0] = vsm_gpu_upload_stage_describe(upload);
    grid.stages[1] = vsm_gpu_stage_describe(gpu);
    grid.scaling = vsm_gpu_stage_scaling(gpu);
    return grid;
}

static void close_grid(struct moving_grid *grid)
{
    vsm_stereo_manager_destroy(grid->stereo);
    vsm_gpu_stage_destroy(grid->network);
    vsm_gpu_upload_stage_destroy(grid->upload);
    vsm_view_director_destroy(grid->director);
}

static int restore_grid(struct moving_grid *grid, const struct vsm_state *state, int seq)
{
    const int status = vsm_gpu_stage_restore(grid->network, state, seq);

    return status ? status : vsm_stereo_manager_restore(grid->stereo, state);
}

/* Someone large in the middle. */
static struct vsm_people in_the_middle(void)
{
    struct vsm_people people = {.known = true, .count = 1, .person[0].chosen = true};

    for (int e = 0; e < 2; e++)
        people.person[0].box[e] = (struct vsm_person_box){0.3f, 0.2f, 0.7f, 0.8f};
    return people;
}

static void test_pattern(struct vsm_image *image, int seq)
{
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p ? SIDE / 2 : SIDE); y++)
            for (int x = 0; x < (p ? SIDE : 2 * SIDE); x++)
                image->data[p][y * image->stride[p] + x] =
                    (uint8_t)(128 + 60 * sin(0.03 * (x + seq) * (1 + p)) * cos(0.05 * y));
}

static struct vsm_image *picture(int seq)
{
    struct vsm_image *image = vsm_image_create(yuv, 2 * SIDE, SIDE, bt709);

    test_pattern(image, seq);
    return image;
}

/* The first picture of the footage in the middle of both eyes, grey round it. */
static struct vsm_image *still(const struct vsm_tensor *footage)
{
    struct vsm_image *image = vsm_image_create(yuv, 2 * SIDE, SIDE, bt709);
    const int h = (int)footage->dims[1], w = (int)footage->dims[2];

    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p ? SIDE / 2 : SIDE); y++)
            memset(image->data[p] + y * image->stride[p], 128, p ? SIDE : 2 * SIDE);
    for (int e = 0; e < 2; e++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w && x < SIDE; x++) {
                const uint8_t *c = (const uint8_t *)footage->data + 3 * (y * w + x);
                const double l = 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
                const int to_x = e * SIDE + x, to_y = (SIDE - h) / 2 + y;

                image->data[0][to_y * image->stride[0] + to_x] = (uint8_t)(16 + l * 219 / 255);
                image->data[1][to_y / 2 * image->stride[1] + to_x / 2] =
                    (uint8_t)(128 + (c[2] - l) / 1.8556 * 224 / 255);
                image->data[2][to_y / 2 * image->stride[2] + to_x / 2] =
                    (uint8_t)(128 + (c[0] - l) / 1.5748 * 224 / 255);
            }
    return image;
}

#define LATTICE 128 /* places across on which alpha of grids of any size is compared */

/* Mean alpha of the cells of a view that a place touches. */
static double alpha_at(const struct vsm_tensor *alpha, int view, int place)
{
    const int h = (int)alpha->dims[1], w = (int)alpha->dims[2], x = place % LATTICE, y = place / LATTICE;
    const int x0 = x * w / LATTICE, x1 = ((x + 1) * w + LATTICE - 1) / LATTICE;
    const int y0 = y * h / LATTICE, y1 = ((y + 1) * h + LATTICE - 1) / LATTICE;
    const float *plane = vsm_tensor_f32(alpha) + (ptrdiff_t)view * h * w;
    double sum = 0;

    for (int j = y0; j < y1; j++)
        for (int i = x0; i < x1; i++)
            sum += (double)plane[(ptrdiff_t)j * w + i];
    return sum / ((x1 - x0) * (y1 - y0));
}

/* Mean difference of two frames' alpha; of one alone its mean. */
static double alpha_difference(const struct vsm_tensor *a, const struct vsm_tensor *b)
{
    double sum = 0;

    for (int view = 0; view < a->dims[0]; view++)
        for (int i = 0; i < LATTICE * LATTICE; i++)
            sum += fabs(alpha_at(a, view, i) - (b ? alpha_at(b, view, i) : 0));
    return sum / (LATTICE * LATTICE) / (double)a->dims[0];
}

static int out_of_memory_once(void *opaque)
{
    int *left = opaque;

    return (*left)-- > 0 ? vsm_fail(VSM_E_NOMEM, "out of memory") : VSM_OK;
}

/* Some stage finds no memory on the device. */
static void squeeze(struct moving_grid *grid)
{
    int short_once = 1;

    CHECK_INT(vsm_relief_try(vsm_gpu_stage_relief(grid->network), out_of_memory_once, &short_once), VSM_OK);
}

#define STILL_FRAMES 100
#define SQUEEZE      70 /* frame before which memory runs out */

/* Up in frames 28 and 56, and down in 70, through one turned view an eye. */
static void test_still_scene(void)
{
    struct vsm_tensor *footage;
    struct vsm_frame *before = NULL;
    struct moving_grid grid;
    double worst = 0, usual = 0;

    if (cannot())
        return;
    footage = npy_shared("golden/rvm/512x288_r0.375/src.npy.xz");
    if (!footage) {
        tap_skip("no footage");
        return;
    }
    grid = open_grid(0);
    for (int seq = 0; seq < STILL_FRAMES; seq++) {
        struct vsm_frame *frame;
        int status;

        if (seq == SQUEEZE)
            squeeze(&grid);
        frame = run_grid(&grid, seq, still(footage), in_the_middle(), &status);
        CHECK_INT(status, VSM_OK);
        CHECK_INT(frame->mattes[0].view.kind, VSM_VIEW_TURNED);
        if (before && seq > 12) {
            const double d = alpha_difference(frame->alpha, before->alpha);

            if (frame->mattes[0].view.width != before->mattes[0].view.width) {
                printf("# frame %d, grid %d to %d: alpha changes by %.5f in the mean, of %.4f\n", seq,
                       before->mattes[0].view.width, frame->mattes[0].view.width, d,
                       alpha_difference(frame->alpha, NULL));
                CHECK(d < 0.02);
                CHECK(alpha_difference(frame->alpha, NULL) > 0.02);
                worst = fmax(worst, d);
            } else {
                usual = fmax(usual, d);
            }
        }
        vsm_frame_destroy(&before);
        before = frame;
    }
    printf("# without a change at most %.5f\n", usual);
    CHECK(worst > 0);
    CHECK_INT((intmax_t)grid.scaling->change_count, 3);
    CHECK_INT((intmax_t)grid.scaling->changes[2].frame, SQUEEZE);
    CHECK_INT(grid.scaling->changes[2].reason, VSM_SCALING_MEMORY);
    vsm_frame_destroy(&before);
    close_grid(&grid);
    vsm_tensor_unref(&footage);
}

static bool same_maps(const struct vsm_matte *a, const struct vsm_matte *b)
{
    const size_t bytes = vsm_tensor_bytes(a->coefficients);
    uint8_t *x = malloc(bytes), *y = malloc(bytes);
    bool same = bytes == vsm_tensor_bytes(b->coefficients) && a->view.width == b->view.width &&
                a->view.yaw == b->view.yaw && !a->inverse == !b->inverse;

    same = same && vsm_cuda_copy(x, a->coefficients->data, bytes, NULL) == VSM_OK &&
           vsm_cuda_copy(y, b->coefficients->data, bytes, NULL) == VSM_OK &&
           vsm_cuda_stream_wait(NULL) == VSM_OK && memcmp(x, y, bytes) == 0;
    same = same &&
           (!a->inverse || (vsm_tensor_bytes(a->inverse) == vsm_tensor_bytes(b->inverse) &&
                            memcmp(a->inverse->data, b->inverse->data, vsm_tensor_bytes(a->inverse)) == 0));
    free(x);
    free(y);
    return same;
}

/* All of the frame's mattes, and those that fade out. */
static bool same_frames(const struct vsm_frame *a, const struct vsm_frame *b)
{
    bool same = a->view_count == b->view_count && a->fading_count == b->fading_count &&
                a->fading_weight == b->fading_weight;

    for (int i = 0; same && i < a->view_count; i++)
        same = same_maps(&a->mattes[i], &b->mattes[i]);
    for (int i = 0; same && i < a->fading_count; i++)
        same = same_maps(&a->fading[i], &b->fading[i]);
    return same;
}

static void squeeze_at_second_stop(struct moving_grid *grid, int stop)
{
    if (stop == 1)
        squeeze(grid);
}

/* The grid rises in frame 28, behind the first fade, and in 56, within the second; there it falls again for
 * want of memory, right before the checkpoint. */
static void test_resume_in_fades(void)
{
    static const int stops[] = {24, 56};
    static const struct moving_grid_kind kind = {.open = open_grid,
                                                 .close = close_grid,
                                                 .restore = restore_grid,
                                                 .picture = picture,
                                                 .same = same_frames,
                                                 .before_checkpoint = squeeze_at_second_stop};
    struct vsm_frame *frames[FRAMES] = {NULL};

    if (cannot())
        return;
    check_interrupted(&kind, stops, frames);
    CHECK_INT(frames[22]->fading[0].view.kind, VSM_VIEW_DIRECT);
    CHECK_INT(frames[30]->mattes[1].view.kind, VSM_VIEW_TURNED);
    CHECK_INT(frames[30]->mattes[1].view.width, vsm_view_place_side(320 * 320, 1, VSM_RVM_GRID));
    destroy_frames(frames);
}

#ifdef VSM_FAULT_POINTS
/* Each allocation of the frame in which views turn and direct ones begin to fade out fails for once: the
 * frame is done all the same, on one grid; then it fails for good, and the message says what to do. */
static void test_out_of_memory_while_fading(void)
{
    int smaller = 0, done = 0;
    bool hit = true;

    if (cannot())
        return;
    for (unsigned long n = 1; hit; n++) {
        struct moving_grid grid = open_grid(2);
        struct vsm_frame *frame;
        int status;

        frame = run_grid(&grid, 19, picture(19), people_in(19), &status);
        CHECK_INT(status, VSM_OK);
        vsm_frame_destroy(&frame);
        hit = run_short_of_memory(&grid, "gpu.memory", n, 20, picture(20), &frame, &status);
        CHECK_INT(status, VSM_OK);
        if (hit && status == VSM_OK) {
            const int side = vsm_scaling_current(grid.scaling).width;

            done++;
            smaller += grid.scaling->change_count > 0;
            CHECK_INT(frame->view_count, 2);
            CHECK_INT(frame->fading_count, 2);
            CHECK_INT(frame->mattes[0].view.width, vsm_view_place_side(side * side, 1, VSM_RVM_GRID));
            CHECK_INT(frame->mattes[1].coefficients->dims[1], frame->mattes[1].view.width);
            CHECK_INT(frame->fading[1].coefficients->dims[1], side);
        }
        vsm_frame_destroy(&frame);
        close_grid(&grid);
    }
    printf("# %d allocations failed, %d of them led to a smaller grid\n", done, smaller);
    CHECK(done >= 3 && smaller > 0);
}

static void test_the_end_of_the_ladder(void)
{
    struct moving_grid grid;
    struct vsm_frame *frame;
    int status;

    if (cannot())
        return;
    grid = open_grid(2);
    vsm_fault_arm("gpu.memory", 1, ENOMEM, 1);
    frame = run_grid(&grid, 0, picture(0), people_in(20), &status);
    vsm_fault_arm(NULL, 0, 0, 0);
    CHECK_INT(status, VSM_E_NOMEM);
    CHECK_HAS(vsm_error_message(), "out of memory");
    CHECK_HAS(vsm_error_message(), "lower processing.min_scale");
    vsm_frame_destroy(&frame);
    close_grid(&grid);
}
#endif

int main(void)
{
    RUN(test_still_scene);
    RUN(test_resume_in_fades);
#ifdef VSM_FAULT_POINTS
    RUN(test_out_of_memory_while_fading);
    RUN(test_the_end_of_the_ladder);
#endif
    return tap_done();
}
