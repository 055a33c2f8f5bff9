/* Views that change while nothing in the scene does: alpha must not pop, and a job that is resumed in the
 * middle of a change goes on exactly. Two people stand still, in sight of all views, and people are said to
 * be where the test wants views. */
#include "image/refine.h"
#include "pictures.h"
#include "shared_data.h"
#include "stages/matte_stage.h"
#include "tap.h"
#include "tools/truth_film.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define MODEL VSM_MODELS_DIR "/rvm.json"
#define EYE   512
#define GRID  256

/* Mean change of alpha over the eye, by a whole change of views, and from frame to frame. */
#define NO_POP  0.01
#define NO_JUMP 0.003

/* Degrees: where people stand. */
#define ASIDE 24.0

static const struct vsm_colour full_range = {1, 1, 1, true, 0};

struct rig {
    struct vsm_view_director *director;
    struct vsm_matte_stage *made;
    struct vsm_stage stage;
};

static struct rig rig_make(void)
{
    static const struct vsm_view direct = {.source = {0, 0, EYE, EYE}, .width = GRID, .height = GRID};
    struct vsm_view_director_options options = {
        .direct = &direct, .eye_count = 1, .projection = VSM_RECTILINEAR, .follow = true, .sides = {GRID}};
    const struct vsm_rvm_options rvm_options = {
        .graph_path = MODEL, .width = GRID, .height = GRID, .batch = 1, .session = {.threads = 2}};
    struct vsm_rvm *rvm = NULL;
    struct rig rig = {0};

    options.sides[1] = vsm_view_place_side((int64_t)GRID * GRID, 2, VSM_RVM_GRID);
    CHECK_INT(vsm_rvm_create(&rvm_options, &rvm), VSM_OK);
    CHECK_INT(vsm_view_director_create(&options, &rig.director), VSM_OK);
    CHECK_INT(vsm_matte_stage_create(rvm, 1, &direct, 1, NULL, &rig.made), VSM_OK);
    vsm_matte_stage_own(rig.made, &rvm, &rvm_options);
    CHECK(rvm == NULL);
    vsm_matte_stage_set_director(rig.made, rig.director);
    rig.stage = vsm_matte_stage_describe(rig.made);
    return rig;
}

static void rig_free(struct rig *rig)
{
    vsm_matte_stage_destroy(rig->made);
    vsm_view_director_destroy(rig->director);
}

static struct vsm_image *left_half(const struct vsm_image *both)
{
    struct vsm_image *left = vsm_image_create(both->format, EYE, EYE, both->colour);

    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < EYE >> (plane > 0); y++)
            memcpy(left->data[plane] + y * left->stride[plane], both->data[plane] + y * both->stride[plane],
                   EYE >> (plane > 0));
    return left;
}

/* The left eye's picture, and its true alpha in `truth`. */
static struct vsm_image *scene(const char *data, float *truth)
{
    const struct vsm_truth_film_options options = {
        .data = data,
        .scene = {.plate = "plates_vr180/crop180_dolphins_020_SBS_4096x2048.jpg",
                  .cast = {{"woman", -ASIDE, -ASIDE, 1.2, 1.2}, {"manager", ASIDE, ASIDE, 1.4, 1.4}},
                  .gain = 1.0},
        .frames = 1,
        .eye = EYE};
    struct vsm_image *both, *left;
    struct vsm_truth_film film;

    CHECK_INT(vsm_truth_film_create(&options, &film), VSM_OK);
    CHECK_INT(vsm_truth_film_shoot(&film, 0), VSM_OK);
    both = vsm_canvas_yuv_image(&film.canvas);
    vsm_canvas_to_yuv(&film.canvas, both);
    left = left_half(both);
    for (int i = 0; i < EYE * EYE && truth; i++)
        truth[i] = vsm_canvas_at(&film.canvas, 0, i % EYE, i / EYE)[3];
    vsm_truth_film_destroy(&film);
    vsm_image_unref(&both);
    return left;
}

/* Degrees to the right of those whom the script wants to be seen. */
struct act {
    const char *name;
    int frames, count;
    double yaw[3];
};

/* Nobody, the two, somebody beyond them on one side, who widens their view, and on the other,
 * who needs another. */
static const struct act acts[] = {
    {"begins", 8, 0, {0}},
    {"direct to turned", VSM_VIEW_DIRECTOR_FADE + 4, 2, {-ASIDE, ASIDE}},
    {"turning", 12, 2, {-ASIDE + 13, ASIDE + 13}},
    {"wider", VSM_VIEW_DIRECTOR_PATIENCE + VSM_VIEW_DIRECTOR_FADE + 4, 3, {-60, -ASIDE, ASIDE}},
    {"one view to two", VSM_VIEW_DIRECTOR_FADE + 4, 3, {-ASIDE, ASIDE, 80}},
    {"two views to one", VSM_VIEW_DIRECTOR_PATIENCE + VSM_VIEW_DIRECTOR_FADE + 4, 2, {-ASIDE, ASIDE}},
    {"turned to direct", VSM_VIEW_DIRECTOR_PATIENCE + VSM_VIEW_DIRECTOR_FADE + 4, 0, {0}},
};
#define ACTS (int)(sizeof(acts) / sizeof(acts[0]))

static struct vsm_frame *frame_of(struct vsm_image *picture, const struct act *act, int seq)
{
    struct vsm_frame *frame = vsm_frame_create();

    frame->seq = frame->index = seq;
    frame->source = vsm_image_ref(picture);
    frame->people.known = act->count > 0; /* else the footage itself would be found */
    for (int i = 0; i < act->count; i++) {
        const float middle = (float)(act->yaw[i] / 180 + 0.5);
        struct vsm_person *p = &frame->people.person[frame->people.count++];

        p->chosen = true;
        p->score = 1;
        p->box[0] = (struct vsm_person_box){middle - 0.05f, 0.4f, middle + 0.05f, 0.7f};
    }
    return frame;
}

/* One frame; its alpha at full size, 0..1. */
static void run(struct rig *rig, struct vsm_image *picture, const struct act *act, int seq, float *alpha)
{
    struct vsm_image *matte =
        vsm_image_create((struct vsm_format){VSM_PLANES_GRAY, 16, 0, 0, 0}, EYE, EYE, full_range);
    const struct vsm_composite_output output = {VSM_COMPOSITE_MATTE, matte, {0}};
    struct vsm_frame *frame = frame_of(picture, act, seq);

    CHECK_INT(rig->stage.run(rig->stage.self, frame), VSM_OK);
    CHECK_INT(vsm_refine(picture, frame->mattes, frame->view_count, &output, 1,
                         &(struct vsm_refine_options){0}, NULL),
              VSM_OK);
    for (int y = 0; y < EYE; y++)
        for (int x = 0; x < EYE; x++)
            alpha[y * EYE + x] = (float)picture_get(matte, 0, x, y) / 65535.0f;
    vsm_frame_destroy(&frame);
    vsm_image_unref(&matte);
}

static struct vsm_image *open_scene(float *truth)
{
    char data[512];

    if (access(MODEL, R_OK) != 0) {
        tap_skip("no model");
        return NULL;
    }
    if (!shared_path("data", data, sizeof(data))) {
        tap_skip("no shared data");
        return NULL;
    }
    return scene(data, truth);
}

static double mean_change(const float *a, const float *b)
{
    double sum = 0;

    for (int i = 0; i < EYE * EYE; i++)
        sum += fabs((double)a[i] - (double)b[i]);
    return sum / (EYE * EYE);
}

static void test_nothing_pops(void)
{
    float *truth = malloc(EYE * EYE * sizeof(float));
    struct vsm_image *picture = open_scene(truth);
    float *alpha[3];
    struct rig rig;
    int seq = 0;

    if (!picture) {
        free(truth);
        return;
    }
    rig = rig_make();
    for (int i = 0; i < 3; i++)
        alpha[i] = malloc(EYE * EYE * sizeof(float));
    for (int a = 0; a < ACTS; a++) {
        double worst = 0, whole;

        for (int i = 0; i < acts[a].frames; i++, seq++) {
            float *before = alpha[1];

            alpha[1] = alpha[0];
            alpha[0] = before;
            run(&rig, picture, &acts[a], seq, alpha[0]);
            if (seq > 4)
                worst = fmax(worst, mean_change(alpha[0], alpha[1]));
        }
        whole = mean_change(alpha[0], alpha[2]);
        printf("# %s: alpha changes by %.5f a frame at most; by %.5f in all; %.5f from the truth\n",
               acts[a].name, worst, a ? whole : 0.0, mean_change(alpha[0], truth));
        CHECK(worst < NO_JUMP);
        CHECK(a == 0 || whole < NO_POP);
        memcpy(alpha[2], alpha[0], EYE * EYE * sizeof(float));
    }
    CHECK_INT(vsm_view_director_counters(rig.director).changes, 5);
    for (int i = 0; i < 3; i++)
        free(alpha[i]);
    free(truth);
    rig_free(&rig);
    vsm_image_unref(&picture);
}

/* Interrupted while direct views fade out, and while one view gives way to two. */
static void test_resumes_in_the_middle(void)
{
    static const struct act script[] = {{"", 3, 0, {0}},
                                        {"", 10, 2, {-ASIDE, ASIDE}},
                                        {"", 10, 3, {-ASIDE, ASIDE, 80}}};
    static const int stops[] = {5, 3 + 10 + 2};
    const int frames = 3 + 10 + 10;
    struct vsm_image *picture = open_scene(NULL);
    struct vsm_state *states[2];
    float *alpha[64], *again;
    struct rig rig;

    if (!picture)
        return;
    again = malloc(EYE * EYE * sizeof(float));
    for (int i = 0; i < frames; i++)
        alpha[i] = malloc(EYE * EYE * sizeof(float));
    for (int part = 0; part < 3; part++) {
        int next = part ? stops[part - 1] + 1 : 0, last = part == 1 ? next + 4 : frames;

        rig = rig_make();
        if (part)
            CHECK_INT(vsm_matte_stage_restore(rig.made, states[part - 1]), VSM_OK);
        for (; next < last; next++) {
            const struct act *act = &script[next < 3 ? 0 : next < 13 ? 1 : 2];

            run(&rig, picture, act, next, part ? again : alpha[next]);
            CHECK(!part || memcmp(again, alpha[next], EYE * EYE * sizeof(float)) == 0);
            for (int k = 0; k < 2 && !part; k++) {
                if (next != stops[k])
                    continue;
                CHECK_INT(vsm_view_director_choice(rig.director)->old.count, 1);
                states[k] = vsm_state_create();
                CHECK_INT(rig.stage.barrier(rig.stage.self, next, states[k]), VSM_OK);
            }
        }
        rig_free(&rig);
    }
    for (int k = 0; k < 2; k++)
        vsm_state_destroy(&states[k]);
    for (int i = 0; i < frames; i++)
        free(alpha[i]);
    free(again);
    vsm_image_unref(&picture);
}

int main(void)
{
    RUN(test_nothing_pops);
    RUN(test_resumes_in_the_middle);
    return tap_done();
}
