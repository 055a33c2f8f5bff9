/* Changing the grid while the network runs: nothing pops on a still scene, and a job that is resumed across a change
 * goes on exactly. */
#include "base/fault.h"
#include "geometry/view_place.h"
#include "models/rvm.h"
#include "npy.h"
#include "pictures.h"
#include "stages/matte_stage.h"
#include "tap.h"

#include <errno.h>
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

/* Turned views are of grids that the first rung allows. */
static struct vsm_view_director *direct_views(struct vsm_matte_stage *stage, const struct vsm_view views[2])
{
    struct vsm_view_director_options wishes = {.direct = views,
                                               .eye_count = 2,
                                               .projection = VSM_RECTILINEAR,
                                               .follow = true};
    struct vsm_view_director *director = NULL;

    for (int k = 0; k < VSM_VIEW_PLACE_MAX; k++)
        wishes.sides[k] = vsm_view_place_side((int64_t)views[0].width * views[0].height, k + 1, VSM_RVM_GRID);
    CHECK_INT(vsm_view_director_create(&wishes, &director), VSM_OK);
    vsm_matte_stage_set_director(stage, director);
    return director;
}

/* With `director`, views are turned, and *director is the caller's. */
static struct vsm_matte_stage *make_stage(int first, struct vsm_view_director **director)
{
    struct vsm_rvm_options options = {.graph_path = MODEL, .batch = 1, .session = {.threads = 2}};
    struct vsm_view views[2] = {{.source = {0, 0, 96, 80}}, {.eye = VSM_RIGHT, .source = {96, 0, 96, 80}}};
    struct vsm_scaling_options scaling = ladder;
    struct vsm_matte_stage *stage = NULL;
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
    if (director)
        *director = direct_views(stage, views);
    return stage;
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

static struct vsm_frame *run_frame(const struct vsm_stage *stage, int seq)
{
    struct vsm_frame *frame = vsm_frame_create();

    frame->seq = seq;
    frame->source = picture(seq);
    CHECK_INT(stage->run(stage->self, frame), VSM_OK);
    return frame;
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

#define FRAMES  64
#define BARRIER 39 /* behind the first change, before the second */

static void test_resume_across_changes(void)
{
    struct vsm_matte_stage *stages[2] = {NULL, NULL};
    struct vsm_frame *frames[FRAMES] = {NULL};
    struct vsm_state *state = vsm_state_create();
    const struct vsm_scaling *scaling[2];

    if (no_model()) {
        vsm_state_destroy(&state);
        return;
    }
    for (int part = 0; part < 2; part++) {
        struct vsm_stage stage;

        stages[part] = make_stage(0, NULL);
        stage = vsm_matte_stage_describe(stages[part]);
        if (part)
            CHECK_INT(vsm_matte_stage_restore(stages[part], state), VSM_OK);
        for (int seq = part ? BARRIER + 1 : 0; seq < FRAMES; seq++) {
            struct vsm_frame *frame = run_frame(&stage, seq);

            if (part)
                CHECK(same_mattes(frame, frames[seq]));
            vsm_frame_destroy(&frames[seq]);
            frames[seq] = frame;
            if (!part && seq == BARRIER)
                CHECK_INT(stage.barrier(stage.self, seq, state), VSM_OK);
        }
        scaling[part] = vsm_matte_stage_scaling(stages[part]);
    }
    CHECK_INT((intmax_t)scaling[0]->change_count, 2);
    CHECK_INT((intmax_t)scaling[0]->changes[0].frame, VSM_SCALING_SETTLE + VSM_SCALING_WINDOW);
    CHECK_INT(frames[BARRIER + 1]->mattes[0].view.width, 80);
    CHECK_INT(frames[FRAMES - 1]->mattes[1].view.height, 80);
    CHECK_INT((intmax_t)scaling[1]->change_count, 2);
    CHECK(memcmp(scaling[0]->changes, scaling[1]->changes, sizeof(scaling[0]->changes)) == 0);
    for (int seq = 0; seq < FRAMES; seq++)
        vsm_frame_destroy(&frames[seq]);
    for (int part = 0; part < 2; part++)
        vsm_matte_stage_destroy(stages[part]);
    vsm_state_destroy(&state);
}

/* Nobody, somebody on the left from frame 20 on, and another one on the right from frame 48 on. */
static void add_people(struct vsm_frame *frame)
{
    const int count = frame->seq < 20 ? 0 : frame->seq < 48 ? 1 : 2;

    frame->people = (struct vsm_people){.known = true, .count = count};
    for (int i = 0; i < count; i++) {
        struct vsm_person *p = &frame->people.person[i];

        p->chosen = true;
        for (int e = 0; e < 2; e++)
            p->box[e] = (struct vsm_person_box){0.05f + 0.7f * (float)i, 0.3f, 0.2f + 0.7f * (float)i, 0.7f};
    }
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

/* Direct views fade into one view an eye in frames 20 to 27, and the grid rises in frame 28; that fades into two in frames
 * 52 to 59, and the grid rises meanwhile, in 56. Interrupted in both fades. */
static void test_turned_views_follow(void)
{
    static const int stops[] = {24, 54};
    struct vsm_frame *frames[FRAMES] = {NULL};
    struct vsm_state *states[2];

    if (no_model())
        return;
    for (int part = 0; part < 3; part++) {
        struct vsm_view_director *director = NULL;
        struct vsm_matte_stage *made = make_stage(0, &director);
        const struct vsm_stage stage = vsm_matte_stage_describe(made);
        const struct vsm_view_choice *choice = vsm_view_director_choice(director);
        int seq = part ? stops[part - 1] + 1 : 0, end = part == 1 ? seq + 8 : FRAMES;

        if (part)
            CHECK_INT(vsm_matte_stage_restore(made, states[part - 1]), VSM_OK);
        for (; seq < end; seq++) {
            struct vsm_frame *frame = vsm_frame_create();

            frame->seq = seq;
            frame->source = picture(seq);
            add_people(frame);
            CHECK_INT(stage.run(stage.self, frame), VSM_OK);
            CHECK(!part || same_views(frame, frames[seq]));
            vsm_frame_destroy(&frames[seq]);
            frames[seq] = frame;
            for (int k = 0; k < 2 && !part; k++) {
                if (seq != stops[k])
                    continue;
                CHECK(choice->old.count > 0);
                states[k] = vsm_state_create();
                CHECK_INT(stage.barrier(stage.self, seq, states[k]), VSM_OK);
            }
        }
        if (part != 1) {
            const struct vsm_scaling *scaling = vsm_matte_stage_scaling(made);

            CHECK_INT((intmax_t)scaling->change_count, 2);
            CHECK_INT(choice->now.count, 4);
            CHECK_INT(choice->now.views[3].width, vsm_view_place_side(96 * 80, 2, VSM_RVM_GRID));
        }
        vsm_matte_stage_destroy(made);
        vsm_view_director_destroy(director);
    }
    CHECK_INT(frames[22]->mattes[0].view.kind, VSM_VIEW_DIRECT); /* sees more, so it is kept while it fades */
    CHECK_INT(frames[30]->mattes[1].view.kind, VSM_VIEW_TURNED);
    CHECK_INT(frames[30]->mattes[1].view.width, vsm_view_place_side(80 * 64, 1, VSM_RVM_GRID));
    for (int seq = 0; seq < FRAMES; seq++)
        vsm_frame_destroy(&frames[seq]);
    for (int k = 0; k < 2; k++)
        vsm_state_destroy(&states[k]);
}

#ifdef VSM_FAULT_POINTS
/* The frame `seq` while the n-th allocation fails; *hits becomes n + 1 if there are so many. */
static struct vsm_frame *run_short_of_memory(const struct vsm_stage *stage, int seq, unsigned long n,
                                             unsigned long *hits, int *status)
{
    struct vsm_frame *frame = vsm_frame_create();

    frame->seq = seq;
    frame->source = picture(seq);
    add_people(frame);
    vsm_fault_arm("mem.alloc", n, ENOMEM, 0);
    *status = stage->run(stage->self, frame);
    *hits = vsm_fault_hits() < n ? 0 : n + 1;
    vsm_fault_arm(NULL, 0, 0, 0);
    CHECK(*status == VSM_OK || *status == VSM_E_NOMEM);
    return frame;
}

/* Each allocation of a frame in turn fails for once: the frame is made all the same, on a smaller grid. */
static void test_out_of_memory(void)
{
    unsigned long hits = 1;
    int smaller = 0;

    if (no_model())
        return;
    for (unsigned long n = 1; hits >= n; n++) {
        struct vsm_matte_stage *made = make_stage(2, NULL);
        struct vsm_stage stage = vsm_matte_stage_describe(made);
        int status;
        struct vsm_frame *frame = run_short_of_memory(&stage, 0, n, &hits, &status);

        if (status == VSM_OK && vsm_matte_stage_scaling(made)->change_count) {
            smaller++;
            CHECK_INT(frame->mattes[0].view.width, 80);
            CHECK_INT(frame->mattes[1].coefficients->dims[2], 80);
        }
        vsm_frame_destroy(&frame);
        vsm_matte_stage_destroy(made);
    }
    printf("# %d allocations led to a smaller grid\n", smaller);
    CHECK(smaller > 0);
}

/* The same, of some, in the frame in which views turn and direct ones begin to fade out: all are of the smaller
 * grid. */
static void test_out_of_memory_while_fading(void)
{
    unsigned long hits = 1;
    int smaller = 0;

    if (no_model())
        return;
    for (unsigned long n = 1; hits > 0; n += 61) {
        struct vsm_view_director *director = NULL;
        struct vsm_matte_stage *made = make_stage(2, &director);
        struct vsm_stage stage = vsm_matte_stage_describe(made);
        struct vsm_frame *frame = run_frame(&stage, 19);
        int status;

        vsm_frame_destroy(&frame);
        frame = run_short_of_memory(&stage, 20, n, &hits, &status);
        if (status == VSM_OK && vsm_matte_stage_scaling(made)->change_count) {
            const struct vsm_view_choice *choice = vsm_view_director_choice(director);

            smaller++;
            CHECK_INT(choice->now.views[0].width, vsm_view_place_side(80 * 64, 1, VSM_RVM_GRID));
            CHECK_INT(choice->old.views[0].width, 80);
            for (int i = 0; i < frame->view_count; i++)
                CHECK(frame->mattes[i].view.width == 80 && frame->mattes[i].coefficients->dims[2] == 80);
        }
        vsm_frame_destroy(&frame);
        vsm_matte_stage_destroy(made);
        vsm_view_director_destroy(director);
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
