/* Views that change while nothing in the scene does: alpha must not pop, and a job that is resumed in the middle of a
 * change goes on exactly. Footage of a person stands twice in the eye, and people are said to be where the test wants
 * views. */
#include "geometry/view_map.h"
#include "image/refine.h"
#include "npy.h"
#include "pictures.h"
#include "stages/matte_stage.h"
#include "tap.h"

#include <unistd.h>

#define MODEL   VSM_MODELS_DIR "/rvm.json"
#define RADIANS (M_PI / 180)
#define EYE     512
#define GRID    256

/* Degrees: where the footage stands, and how wide it is. */
#define ASIDE 42.0
#define WIDE  75.0

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

/* The footage's texel for a direction, the edge running out. */
static const uint8_t *texel(const struct vsm_tensor *footage, const double d[3])
{
    const int64_t h = footage->dims[1], w = footage->dims[2];
    const struct vsm_rotation pose = vsm_rotation_of((d[0] < 0 ? -ASIDE : ASIDE) * RADIANS, 0, 0);
    const double focal = 0.5 * (double)w / tan(0.5 * WIDE * RADIANS);
    double in[3], x, y;

    vsm_rotation_in(&pose, d, in);
    in[2] = fmax(in[2], 0.05);
    x = fmin(fmax(0.5 * (double)w + focal * in[0] / in[2], 0), (double)w - 1);
    y = fmin(fmax(0.5 * (double)h - focal * in[1] / in[2], 0), (double)h - 1);
    return (const uint8_t *)footage->data + 3 * ((int64_t)y * w + (int64_t)x);
}

static struct vsm_image *scene(const struct vsm_tensor *footage)
{
    struct vsm_image *image =
        vsm_image_create((struct vsm_format){VSM_PLANES_YUV, 8, 0, 0, 0}, EYE, EYE, full_range);
    const struct vsm_view eye = {.source = {0, 0, EYE, EYE}, .width = EYE, .height = EYE};
    struct vsm_view_map map;

    CHECK_INT(vsm_view_map_init(&map, &eye), VSM_OK);
    for (int y = 0; y < EYE; y++)
        for (int x = 0; x < EYE; x++) {
            double d[3] = {0, 0, 1}, luma;
            const uint8_t *c;

            CHECK(vsm_view_map_eye_to_direction(&map, x + 0.5, y + 0.5, d));
            c = texel(footage, d);
            luma = 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
            picture_set(image, 0, x, y, (int)lrint(luma));
            picture_set(image, 1, x, y, (int)lrint(fmin(fmax(128 + (c[2] - luma) / 1.8556, 0), 255)));
            picture_set(image, 2, x, y, (int)lrint(fmin(fmax(128 + (c[0] - luma) / 1.5748, 0), 255)));
        }
    return image;
}

/* What people the script wants in frame `seq`: degrees to the right of each. */
struct act {
    const char *name;
    int frames, count;
    double yaw[2];
};

/* Nobody, one person far to the side, who then is elsewhere, two far apart, and nobody again. */
static const struct act acts[] = {
    {"begins", 8, 0, {0}},
    {"direct to turned", VSM_VIEW_DIRECTOR_FADE + 4, 1, {-ASIDE}},
    {"turning", 30, 1, {-ASIDE + 22}},
    {"one view to two", VSM_VIEW_DIRECTOR_HURRY + VSM_VIEW_DIRECTOR_FADE + 4, 2, {-ASIDE, ASIDE}},
    {"two views to one", VSM_VIEW_DIRECTOR_PATIENCE + VSM_VIEW_DIRECTOR_FADE + 4, 1, {ASIDE}},
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
        p->box[0] = (struct vsm_person_box){middle - 0.1f, 0.35f, middle + 0.1f, 0.65f};
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

static struct vsm_image *open_scene(void)
{
    char path[512];
    struct vsm_tensor *footage;
    struct vsm_image *picture;

    if (access(MODEL, R_OK) != 0) {
        tap_skip("no model");
        return NULL;
    }
    if (!shared_path("golden/rvm/512x288_r0.375/src.npy.xz", path, sizeof(path))) {
        tap_skip("no footage");
        return NULL;
    }
    footage = npy_read(path);
    CHECK(footage != NULL);
    picture = footage ? scene(footage) : NULL;
    vsm_tensor_unref(&footage);
    return picture;
}

static double mean_change(const float *a, const float *b)
{
    double sum = 0;

    for (int i = 0; i < EYE * EYE; i++)
        sum += fabs((double)a[i] - (double)b[i]);
    return sum / (EYE * EYE);
}

static double mean(const float *a)
{
    double sum = 0;

    for (int i = 0; i < EYE * EYE; i++)
        sum += (double)a[i];
    return sum / (EYE * EYE);
}

/* Mean change of alpha from frame to frame under 0.01 of the eye; and no frame may bring more than a part of what the
 * whole change brings. */
static void test_nothing_pops(void)
{
    struct vsm_image *picture = open_scene();
    float *alpha[3];
    struct rig rig;
    int seq = 0;

    if (!picture)
        return;
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
        printf("# %s: alpha changes by %.5f a frame at most; by %.5f in all; it is %.4f in the mean\n",
               acts[a].name, worst, a ? whole : 0.0, mean(alpha[0]));
        CHECK(worst < 0.01);
        memcpy(alpha[2], alpha[0], EYE * EYE * sizeof(float));
    }
    CHECK_INT(vsm_view_director_counters(rig.director).changes, 4);
    for (int i = 0; i < 3; i++)
        free(alpha[i]);
    rig_free(&rig);
    vsm_image_unref(&picture);
}

/* Interrupted while direct views fade out, and while one view gives way to two. */
static void test_resumes_in_the_middle(void)
{
    static const struct act script[] = {{"", 3, 0, {0}},
                                        {"", 10, 1, {-ASIDE}},
                                        {"", VSM_VIEW_DIRECTOR_HURRY + 10, 2, {-ASIDE, ASIDE}}};
    static const int stops[] = {5, 3 + 10 + VSM_VIEW_DIRECTOR_HURRY + 2};
    const int frames = 3 + 10 + VSM_VIEW_DIRECTOR_HURRY + 10;
    struct vsm_image *picture = open_scene();
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
