/* Changing the grid while the network runs: nothing pops on a still scene, and a job that is resumed across a
 * change goes on exactly. */
#include "moving_grid.h"
#include "npy.h"
#include "pictures.h"
#include "stages/matte_stage.h"

#include <unistd.h>

#define MODEL VSM_MODELS_DIR "/rvm.json"

static bool no_model(void)
{
    if (access(MODEL, R_OK) == 0)
        return false;
    tap_skip("no model");
    return true;
}

static double sample(const float *plane, int width, int height, double x, double y)
{
    const int x0 = x > 0 ? (int)x : 0, y0 = y > 0 ? (int)y : 0;
    const int x1 = x0 + 1 < width ? x0 + 1 : x0, y1 = y0 + 1 < height ? y0 + 1 : y0;
    const double u = x > 0 ? x - x0 : 0, v = y > 0 ? y - y0 : 0;

    return ((double)plane[y0 * width + x0] * (1 - u) + (double)plane[y0 * width + x1] * u) * (1 - v) +
           ((double)plane[y1 * width + x0] * (1 - u) + (double)plane[y1 * width + x1] * u) * v;
}

static void resize(const float *from, int from_width, int from_height, float *to, int width, int height)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            to[y * width + x] =
                (float)sample(from, from_width, from_height, (x + 0.5) * from_width / width - 0.5,
                              (y + 0.5) * from_height / height - 0.5);
}

/* The first picture of the footage, as the network wants it. */
static struct vsm_tensor *paint(const struct vsm_tensor *footage, int width, int height)
{
    struct vsm_tensor *t = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, height, width});
    const int h = (int)footage->dims[1], w = (int)footage->dims[2];
    float *plane = malloc((size_t)(w * h) * sizeof(float));

    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < w * h; i++)
            plane[i] = (float)((const uint8_t *)footage->data)[i * 3 + c] / 255.0f;
        resize(plane, w, h, vsm_tensor_f32(t) + c * width * height, width, height);
    }
    free(plane);
    return t;
}

static struct vsm_rvm *open_rvm(int width, int height)
{
    const struct vsm_rvm_options options = {
        .graph_path = MODEL, .width = width, .height = height, .batch = 1, .session = {.threads = 2}};
    struct vsm_rvm *rvm = NULL;

    CHECK_INT(vsm_rvm_create(&options, &rvm), VSM_OK);
    return rvm;
}

/* `frames` times the same picture; the last alpha, on a grid of 512x288. */
static void run_still(const struct vsm_tensor *footage, int width, int height, int frames,
                      struct vsm_rvm_state *state, float *alpha)
{
    struct vsm_tensor *source = paint(footage, width, height), *maps = NULL;
    struct vsm_rvm *rvm = open_rvm(width, height);
    const int cells = width * height;
    float *small = malloc((size_t)cells * sizeof(float));
    int resets = 0;

    for (int i = 0; i < frames && rvm; i++) {
        vsm_tensor_unref(&maps);
        CHECK_INT(vsm_rvm_run(rvm, source, state, &maps, &resets), VSM_OK);
    }
    for (int i = 0; i < cells && maps; i++) {
        const float *m = vsm_tensor_f32(maps), *rgb = vsm_tensor_f32(source);
        const float a =
            m[3 * cells + i] * (rgb[i] + rgb[cells + i] + rgb[2 * cells + i]) / 3 + m[7 * cells + i];

        small[i] = a < 0 ? 0 : a > 1 ? 1 : a;
    }
    resize(small, width, height, alpha, 512, 288);
    free(small);
    vsm_tensor_unref(&maps);
    vsm_tensor_unref(&source);
    vsm_rvm_destroy(rvm);
}

static double difference(const float *a, const float *b)
{
    double sum = 0;

    for (int i = 0; i < 512 * 288; i++)
        sum += fabs((double)a[i] - (double)b[i]);
    return sum / (512 * 288);
}

static void check_change(const struct vsm_tensor *footage, int width, int height, int next_width,
                         int next_height)
{
    float *before = malloc(512 * 288 * sizeof(float)), *after = malloc(512 * 288 * sizeof(float)),
          *fresh = malloc(512 * 288 * sizeof(float));
    struct vsm_rvm_state state = {0}, none = {0};
    double carried, begun;

    run_still(footage, width, height, 6, &state, before);
    CHECK_INT(vsm_rvm_state_resample(&state, next_width, next_height), VSM_OK);
    run_still(footage, next_width, next_height, 1, &state, after);
    run_still(footage, next_width, next_height, 1, &none, fresh);
    carried = difference(before, after);
    begun = difference(before, fresh);
    printf("# %dx%d to %dx%d: alpha changes by %.5f in the mean, %.5f with fresh states\n", width, height,
           next_width, next_height, carried, begun);
    CHECK(carried < 0.02);
    vsm_rvm_state_reset(&state);
    vsm_rvm_state_reset(&none);
    free(before);
    free(after);
    free(fresh);
}

static void test_still_scene(void)
{
    char path[512];
    struct vsm_tensor *footage;

    if (no_model())
        return;
    if (!shared_path("golden/rvm/512x288_r0.375/src.npy.xz", path, sizeof(path))) {
        tap_skip("no footage");
        return;
    }
    footage = npy_read(path);
    CHECK(footage != NULL);
    if (!footage)
        return;
    check_change(footage, 320, 176, 384, 208);
    check_change(footage, 384, 208, 320, 176);
    check_change(footage, 256, 144, 384, 208);
    check_change(footage, 512, 288, 384, 208);
    vsm_tensor_unref(&footage);
}

/* Three small grids, and a wish so modest that the grid rises after every window. */
static const struct vsm_scaling_options ladder = {.rungs = {{64, 48}, {80, 64}, {96, 80}},
                                                  .count = 3,
                                                  .target_fps = 1e-3};

static struct moving_grid open_stage(int first, bool turned)
{
    struct vsm_rvm_options options = {.graph_path = MODEL, .batch = 1, .session = {.threads = 2}};
    struct vsm_view views[2] = {{.source = {0, 0, 96, 80}}, {.eye = VSM_RIGHT, .source = {96, 0, 96, 80}}};
    struct vsm_scaling_options scaling = ladder;
    struct vsm_matte_stage *stage = NULL;
    struct moving_grid grid = {.stage_count = 1};
    struct vsm_rvm *rvm = NULL;

    scaling.first = first;
    for (int i = 0; i < 2; i++) {
        options.width = views[i].width = ladder.rungs[first].width;
        options.height = views[i].height = ladder.rungs[first].height;
    }
    CHECK_INT(vsm_rvm_create(&options, &rvm), VSM_OK);
    CHECK_INT(vsm_matte_stage_create(rvm, 1, views, 2, NULL, &stage), VSM_OK);
    vsm_matte_stage_own(stage, &rvm, &options);
    CHECK(rvm == NULL);
    vsm_matte_stage_adapt(stage, &scaling);
    if (turned) {
        grid.director = follow_people(views);
        vsm_matte_stage_set_director(stage, grid.director);
    }
    grid.network = stage;
    grid.stages[0] = vsm_matte_stage_describe(stage);
    grid.scaling = vsm_matte_stage_scaling(stage);
    return grid;
}

static struct moving_grid open_direct(int first)
{
    return open_stage(first, false);
}

static struct moving_grid open_turned(int first)
{
    return open_stage(first, true);
}

static void close_grid(struct moving_grid *grid)
{
    vsm_matte_stage_destroy(grid->network);
    vsm_view_director_destroy(grid->director);
}

static int restore_grid(struct moving_grid *grid, const struct vsm_state *state, int seq)
{
    (void)seq;
    return vsm_matte_stage_restore(grid->network, state);
}

static struct vsm_image *picture(int seq)
{
    const struct vsm_format format = {VSM_PLANES_YUV, 8, 0, 1, 1};
    struct vsm_image *image = vsm_image_create(format, 192, 80, (struct vsm_colour){1, 1, 1, false, 0});

    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p ? 40 : 80); y++)
            for (int x = 0; x < (p ? 96 : 192); x++)
                image->data[p][y * image->stride[p] + x] =
                    (uint8_t)(128 + 60 * sin(0.05 * (x + seq) * (1 + p)) * cos(0.07 * y));
    return image;
}

static bool same_mattes(const struct vsm_frame *a, const struct vsm_frame *b)
{
    for (int i = 0; i < 2; i++) {
        const struct vsm_tensor *x = a->mattes[i].coefficients, *y = b->mattes[i].coefficients;

        if (a->mattes[i].view.width != b->mattes[i].view.width ||
            vsm_tensor_bytes(x) != vsm_tensor_bytes(y) || memcmp(x->data, y->data, vsm_tensor_bytes(x)) != 0)
            return false;
    }
    return true;
}

#define BARRIER 39 /* behind the first change, before the second */

static void test_resume_across_changes(void)
{
    struct moving_grid grids[2] = {{.network = NULL}};
    struct vsm_frame *frames[FRAMES] = {NULL};
    struct vsm_state *state = vsm_state_create();
    int status;

    if (no_model()) {
        vsm_state_destroy(&state);
        return;
    }
    for (int part = 0; part < 2; part++) {
        const struct vsm_stage *stage = grids[part].stages;

        grids[part] = open_direct(0);
        if (part)
            CHECK_INT(restore_grid(&grids[1], state, BARRIER + 1), VSM_OK);
        for (int seq = part ? BARRIER + 1 : 0; seq < FRAMES; seq++) {
            struct vsm_frame *frame = run_grid(&grids[part], seq, picture(seq), people_in(seq), &status);

            CHECK_INT(status, VSM_OK);
            if (part)
                CHECK(same_mattes(frame, frames[seq]));
            vsm_frame_destroy(&frames[seq]);
            frames[seq] = frame;
            if (!part && seq == BARRIER)
                CHECK_INT(stage->barrier(stage->self, seq, state), VSM_OK);
        }
    }
    CHECK_INT((intmax_t)grids[0].scaling->change_count, 2);
    CHECK_INT((intmax_t)grids[0].scaling->changes[0].frame, VSM_SCALING_SETTLE + VSM_SCALING_WINDOW);
    CHECK_INT(frames[BARRIER + 1]->mattes[0].view.width, 80);
    CHECK_INT(frames[FRAMES - 1]->mattes[1].view.height, 80);
    CHECK_INT((intmax_t)grids[1].scaling->change_count, 2);
    CHECK(memcmp(grids[0].scaling->changes, grids[1].scaling->changes, sizeof(grids[0].scaling->changes)) ==
          0);
    destroy_frames(frames);
    for (int part = 0; part < 2; part++)
        close_grid(&grids[part]);
    vsm_state_destroy(&state);
}

/* All of the frame's mattes, and the tables by which the full-size pass finds them. */
static bool same_views(const struct vsm_frame *a, const struct vsm_frame *b)
{
    bool same = a->view_count == b->view_count;

    for (int i = 0; same && i < a->view_count; i++) {
        const struct vsm_matte *x = &a->mattes[i], *y = &b->mattes[i];

        same = x->view.width == y->view.width && x->view.yaw == y->view.yaw &&
               x->coefficients->dims[2] == x->view.width &&
               vsm_tensor_bytes(x->coefficients) == vsm_tensor_bytes(y->coefficients) &&
               memcmp(x->coefficients->data, y->coefficients->data, vsm_tensor_bytes(x->coefficients)) == 0 &&
               !x->inverse == !y->inverse && x->inverse_step == y->inverse_step &&
               (!x->inverse || memcmp(x->inverse->data, y->inverse->data, vsm_tensor_bytes(x->inverse)) == 0);
    }
    return same;
}

/* The grid rises in frame 28, behind the first fade, and in 56, within the second. */
static void test_turned_views_follow(void)
{
    static const int stops[] = {24, 55};
    static const struct moving_grid_kind kind = {.open = open_turned,
                                                 .close = close_grid,
                                                 .restore = restore_grid,
                                                 .picture = picture,
                                                 .same = same_views};
    struct vsm_frame *frames[FRAMES] = {NULL};

    if (no_model())
        return;
    check_interrupted(&kind, stops, frames);
    CHECK_INT(frames[22]->mattes[0].view.kind, VSM_VIEW_DIRECT); /* sees more, so it is kept while it fades */
    CHECK_INT(frames[30]->mattes[1].view.kind, VSM_VIEW_TURNED);
    CHECK_INT(frames[30]->mattes[1].view.width, vsm_view_place_side(80 * 64, 1, VSM_RVM_GRID));
    CHECK_INT(frames[FRAMES - 1]->mattes[3].view.width, vsm_view_place_side(96 * 80, 2, VSM_RVM_GRID));
    destroy_frames(frames);
}

#ifdef VSM_FAULT_POINTS
/* Each allocation of a frame in turn fails for once: the frame is made all the same, on a smaller grid. */
static void test_out_of_memory(void)
{
    bool hit = true;
    int smaller = 0;

    if (no_model())
        return;
    for (unsigned long n = 1; hit; n++) {
        struct moving_grid grid = open_direct(2);
        struct vsm_frame *frame;
        int status;

        hit = run_short_of_memory(&grid, "mem.alloc", n, 0, picture(0), &frame, &status);
        CHECK(status == VSM_OK || status == VSM_E_NOMEM);
        if (status == VSM_OK && grid.scaling->change_count) {
            smaller++;
            CHECK_INT(frame->mattes[0].view.width, 80);
            CHECK_INT(frame->mattes[1].coefficients->dims[2], 80);
        }
        vsm_frame_destroy(&frame);
        close_grid(&grid);
    }
    printf("# %d allocations led to a smaller grid\n", smaller);
    CHECK(smaller > 0);
}

/* The same, of some, in the frame in which views turn and direct ones begin to fade out: all are of the
 * smaller grid. */
static void test_out_of_memory_while_fading(void)
{
    bool hit = true;
    int smaller = 0;

    if (no_model())
        return;
    for (unsigned long n = 1; hit; n += 61) {
        struct moving_grid grid = open_turned(2);
        struct vsm_frame *frame;
        int status;

        frame = run_grid(&grid, 19, picture(19), people_in(19), &status);
        CHECK_INT(status, VSM_OK);
        vsm_frame_destroy(&frame);
        hit = run_short_of_memory(&grid, "mem.alloc", n, 20, picture(20), &frame, &status);
        CHECK(status == VSM_OK || status == VSM_E_NOMEM);
        if (status == VSM_OK && grid.scaling->change_count) {
            const struct vsm_view_choice *choice = vsm_view_director_choice(grid.director);

            smaller++;
            CHECK_INT(choice->now.views[0].width, vsm_view_place_side(80 * 64, 1, VSM_RVM_GRID));
            CHECK_INT(choice->old.views[0].width, 80);
            for (int i = 0; i < frame->view_count; i++)
                CHECK(frame->mattes[i].view.width == 80 && frame->mattes[i].coefficients->dims[2] == 80);
        }
        vsm_frame_destroy(&frame);
        close_grid(&grid);
    }
    printf("# %d allocations led to a smaller grid while views faded\n", smaller);
    CHECK(smaller > 0);
}
#endif

int main(void)
{
    RUN(test_still_scene);
    RUN(test_resume_across_changes);
    RUN(test_turned_views_follow);
#ifdef VSM_FAULT_POINTS
    RUN(test_out_of_memory);
    RUN(test_out_of_memory_while_fading);
#endif
    return tap_done();
}
