#include "stages/stereo_manager.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SIDE   128
#define PIXELS (SIDE * SIDE)
#define SHIFT  5 /* pixels to the left in the right eye: 0.5 m from lenses 64 mm apart */

static float rgb[2][3 * PIXELS], alpha[2][PIXELS];
static float given[2][PIXELS]; /* alpha of the mattes as they were given out last */
static bool states_elsewhere;  /* the network has its states on a device */
static char folder[] = "/tmp/vsm-stereo-XXXXXX";

/* Irregular blocks of 3 x 3. */
static float light(int x, int y)
{
    uint32_t h = (uint32_t)((x + 300) / 3) * 2654435761u ^ (uint32_t)((y + 300) / 3) * 2246822519u;

    h = (h ^ h >> 15) * 2246822519u;
    return 0.2f + 0.6f * (float)(h >> 8) / (float)(1 << 24);
}

/* Somebody before a grey wall, `step` pixels to the right of the start. */
static void paint(int step)
{
    for (int i = 0; i < 2 * PIXELS; i++) {
        const int eye = i / PIXELS, x = i % SIDE + (eye ? SHIFT : 0) - step, y = i % PIXELS / SIDE;
        const bool person = x >= 44 && x < 84 && y >= 40 && y < 88;

        for (int c = 0; c < 3; c++)
            rgb[eye][c * PIXELS + i % PIXELS] = person ? light(x, y) : 0.4f + 0.1f * light(x / 4, y / 4);
        alpha[eye][i % PIXELS] = person ? 1.0f : 0.0f;
    }
}

static struct vsm_view views[2];

static struct vsm_stereo_manager *open_manager(bool mend, const char *list)
{
    struct vsm_stereo_manager_options options = {
        .views = views, .view_count = 2, .baseline = 0.064, .threshold = 0.95, .mend = mend, .list = list};
    struct vsm_stereo_manager *m = NULL;

    for (int eye = 0; eye < 2; eye++)
        views[eye] = (struct vsm_view){.eye = (enum vsm_eye)eye,
                                       .source = {eye * SIDE, 0, SIDE, SIDE},
                                       .width = SIDE,
                                       .height = SIDE};
    CHECK(vsm_stereo_manager_fits(views, 2));
    CHECK_INT(vsm_stereo_manager_create(&options, &m), VSM_OK);
    return m;
}

/* The eye's state is its number everywhere. */
static struct vsm_rvm_state make_state(int eye)
{
    struct vsm_rvm_state s = {0};

    for (int i = 0; i < VSM_RVM_STATES; i++) {
        s.r[i] = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){2, SIDE >> (i + 1), SIDE >> (i + 1)});
        for (int64_t k = 0; k < vsm_tensor_count(s.r[i]); k++)
            vsm_tensor_f32(s.r[i])[k] = (float)eye;
    }
    return s;
}

struct outcome {
    double seen[2]; /* mean alpha of the given out mattes over the true person */
    float state;    /* of the right eye in the middle */
    int status;
};

/* One frame whose mattes are `alpha`, as maps without edges. */
static struct outcome review(struct vsm_stereo_manager *m, int64_t index, bool cut)
{
    struct vsm_matte_review r = vsm_stereo_manager_review(m);
    struct vsm_frame *frame = vsm_frame_create();
    struct vsm_rvm_state states[2] = {make_state(0), make_state(1)};
    struct outcome o = {0};

    frame->index = index;
    frame->scene_cut = cut;
    frame->view_count = 2;
    for (int eye = 0; eye < 2; eye++) {
        frame->mattes[eye].view = views[eye];
        frame->mattes[eye].coefficients = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){8, SIDE, SIDE});
        memcpy(vsm_tensor_f32(frame->mattes[eye].coefficients) + 7 * PIXELS, alpha[eye], sizeof(alpha[eye]));
    }
    o.status = r.run(r.self, frame, (const float *const[]){rgb[0], rgb[1]}, states_elsewhere ? NULL : states);
    if (states_elsewhere)
        vsm_state_repairs_apply(vsm_stereo_manager_repairs(m), states);
    for (int eye = 0; eye < 2; eye++) {
        const float *maps = vsm_tensor_f32(frame->mattes[eye].coefficients);

        for (int i = 0; i < PIXELS; i++) {
            const float mean = (rgb[eye][i] + rgb[eye][PIXELS + i] + rgb[eye][2 * PIXELS + i]) / 3.0f;

            given[eye][i] = fminf(fmaxf(maps[3 * PIXELS + i] * mean + maps[7 * PIXELS + i], 0.0f), 1.0f);
            o.seen[eye] += (double)given[eye][i] / (40.0 * 48.0);
        }
    }
    o.state = vsm_tensor_f32(states[1].r[0])[(SIDE / 4) * (SIDE / 2) + SIDE / 4];
    vsm_rvm_state_reset(&states[0]);
    vsm_rvm_state_reset(&states[1]);
    vsm_frame_destroy(&frame);
    return o;
}

static void lose(int eye)
{
    memset(alpha[eye], 0, sizeof(alpha[eye]));
}

static void test_lost_person_stays(void)
{
    struct vsm_stereo_manager *m = open_manager(true, NULL);
    const struct vsm_stereo_tally *t = vsm_stereo_manager_tally(m);
    struct outcome o;

    CHECK_INT(vsm_stereo_manager_mean(m), -1);
    for (int n = 0; n < 4; n++) {
        paint(n);
        o = review(m, 100 + n, false);
        CHECK(vsm_stereo_manager_last(m, 0)->before.overlap > 0.98f);
        CHECK(o.seen[1] > 0.98 && o.state == 1.0f);
    }
    CHECK_INT(t->lists[VSM_STEREO_TALLY_BELOW].frames, 0);
    for (int n = 4; n < 10; n++) {
        paint(n);
        lose(1);
        o = review(m, 100 + n, false);
        CHECK(o.seen[0] > 0.95 && o.seen[1] > 0.97); /* at once, without a gap or a rim */
        CHECK(o.state == 1.0f);                      /* what it remembers is its own */
    }
    CHECK(vsm_stereo_manager_last(m, 0)->after.overlap > 0.95f);
    for (int n = 10; n < 15; n++) {
        paint(n);
        o = review(m, 100 + n, false);
        CHECK(o.seen[1] > 0.95);
        CHECK(n != 10 || o.state < 0.05f); /* as it recovers, the left eye's */
        CHECK(n < 12 || o.state == 1.0f);  /* its own again */
    }
    CHECK_INT(t->frames, 15);
    CHECK_INT(t->lists[VSM_STEREO_TALLY_BELOW].range_count, 1);
    CHECK_INT(t->lists[VSM_STEREO_TALLY_BELOW].ranges[0].first, 104);
    CHECK_INT(t->lists[VSM_STEREO_TALLY_BELOW].ranges[0].last, 109);
    CHECK_INT(t->lists[VSM_STEREO_TALLY_MENDED].frames, 0);
    CHECK_INT(t->lists[VSM_STEREO_TALLY_MENDED + 1].ranges[0].first, 104);
    CHECK(t->minimum < 0.1 && t->minimum_frame >= 104 && t->minimum_frame <= 109);
    CHECK(vsm_stereo_manager_mean(m) > 950000);
    vsm_stereo_manager_destroy(m);
}

/* Whoever has the states elsewhere is told of every repair, of the eye that recovers and not before. */
static void test_states_may_be_elsewhere(void)
{
    struct vsm_stereo_manager *m = open_manager(true, NULL), *other = open_manager(true, NULL);
    int repaired = 0;

    for (int n = 0; n < 12; n++) {
        const struct vsm_state_repairs *wanted;
        struct outcome here, there;

        paint(0);
        if (n >= 4 && n < 8)
            lose(1);
        here = review(m, n, n == 0);
        states_elsewhere = true;
        there = review(other, n, n == 0);
        states_elsewhere = false;
        CHECK(here.state == there.state && here.seen[1] == there.seen[1]);
        wanted = vsm_stereo_manager_repairs(other);
        CHECK_INT(wanted->of[1] != NULL, here.state != 1.0f);
        CHECK(!wanted->of[1] || n >= 8);
        CHECK(!wanted->of[0]);
        repaired += here.state != 1.0f;
    }
    CHECK(repaired > 0 && repaired < 3);
    vsm_stereo_manager_destroy(m);
    vsm_stereo_manager_destroy(other);
}

/* The middle of the person, 16 x 16, as doubtful as this. */
static void doubt(int eye, int step, float value)
{
    const int from = 56 + step - (eye ? SHIFT : 0);

    for (int y = 56; y < 72; y++) {
        for (int x = from; x < from + 16; x++)
            alpha[eye][y * SIDE + x] = value;
    }
}

/* Where neither eye is known to be wrong they meet in the middle; alone they stay apart. */
static void test_doubts_are_shared(void)
{
    const double full = 1.0 - 256.0 / (40.0 * 48.0); /* of the person beside the doubtful part */

    for (int mend = 0; mend < 2; mend++) {
        struct vsm_stereo_manager *m = open_manager(mend, NULL);
        struct outcome o = {0};
        double left, right;

        for (int n = 0; n < 4; n++) {
            paint(n);
            doubt(0, n, 0.85f);
            doubt(1, n, 0.7f);
            o = review(m, n, false);
        }
        left = (o.seen[0] - full) / (1.0 - full);
        right = (o.seen[1] - full) / (1.0 - full);
        CHECK(mend || (fabs(left - 0.85) < 0.01 && fabs(right - 0.7) < 0.01));
        CHECK(!mend || (fabs(left - 0.775) < 0.03 && fabs(right - 0.775) < 0.03));
        CHECK(vsm_stereo_manager_last(m, 0)->after.overlap > (mend ? 0.995f : 0.0f));
        CHECK(o.state == 1.0f && vsm_stereo_manager_tally(m)->lists[VSM_STEREO_TALLY_MENDED + 1].frames == 0);
        vsm_stereo_manager_destroy(m);
    }
}

/* Of a doubtful part with borders that the picture does not have, the maps hold the mean
 * itself, not a fit of it. */
static void test_what_is_measured_is_given_out(void)
{
    struct vsm_stereo_manager *m = open_manager(true, NULL), *check = open_manager(false, NULL);
    float apart = 0.0f;

    for (int n = 0; n < 4; n++) {
        float after;

        paint(n);
        doubt(0, n, 0.85f);
        doubt(1, n, 0.6f);
        CHECK_INT(review(m, n, false).status, VSM_OK);
        after = vsm_stereo_manager_last(m, 0)->after.overlap;
        memcpy(alpha, given, sizeof(alpha));
        CHECK_INT(review(check, n, false).status, VSM_OK);
        CHECK_NEAR(vsm_stereo_manager_last(check, 0)->before.overlap, after, 1e-3);
        CHECK(after > vsm_stereo_manager_last(m, 0)->before.overlap + 0.005f);
    }
    for (int y = 59; y < 69; y++) {
        for (int x = 62; x < 72; x++) {
            apart = fmaxf(apart, fabsf(given[0][y * SIDE + x] - 0.725f));
            apart = fmaxf(apart, fabsf(given[1][y * SIDE + x - SHIFT] - 0.725f));
        }
    }
    CHECK(apart < 5e-3f);
    vsm_stereo_manager_destroy(m);
    vsm_stereo_manager_destroy(check);
}

/* Either eye can be wrong, the master too. */
static void test_master_is_mended_as_well(void)
{
    struct vsm_stereo_manager *m = open_manager(true, NULL);
    struct outcome o = {0};

    for (int n = 0; n < 8; n++) {
        paint(n);
        if (n >= 4)
            lose(0);
        o = review(m, n, false);
    }
    CHECK(o.seen[0] > 0.87 && o.seen[1] > 0.95);
    vsm_stereo_manager_destroy(m);
}

static void test_only_measuring_changes_nothing(void)
{
    struct vsm_stereo_manager *m = open_manager(false, NULL);
    struct outcome o = {0};

    for (int n = 0; n < 6; n++) {
        paint(n);
        if (n >= 4)
            lose(1);
        o = review(m, n, false);
    }
    CHECK(o.seen[1] == 0.0 && o.state == 1.0f);
    CHECK_INT(vsm_stereo_manager_tally(m)->lists[VSM_STEREO_TALLY_BELOW].frames, 2);
    vsm_stereo_manager_destroy(m);
}

static void test_black_and_frozen_eyes(void)
{
    struct vsm_stereo_manager *m = open_manager(true, NULL);
    const struct vsm_stereo_tally *t = vsm_stereo_manager_tally(m);
    float kept[3 * PIXELS], kept_alpha[PIXELS];
    struct outcome o = {0};

    for (int n = 0; n < 8; n++) {
        paint(2 * n);
        if (n >= 5) {
            memset(rgb[1], 0, sizeof(rgb[1]));
            lose(1);
        }
        o = review(m, n, false);
        CHECK(o.seen[1] > 0.87);
    }
    CHECK_INT(t->lists[VSM_STEREO_TALLY_BLACK + 1].ranges[0].first, 5);
    CHECK_INT(t->lists[VSM_STEREO_TALLY_BLACK].frames, 0);
    vsm_stereo_manager_destroy(m);

    m = open_manager(true, NULL);
    t = vsm_stereo_manager_tally(m);
    for (int n = 0; n < 9; n++) {
        paint(2 * n);
        if (n == 4) {
            memcpy(kept, rgb[0], sizeof(kept));
            memcpy(kept_alpha, alpha[0], sizeof(kept_alpha));
        } else if (n > 4) {
            memcpy(rgb[0], kept, sizeof(kept));
            memcpy(alpha[0], kept_alpha, sizeof(kept_alpha));
        }
        o = review(m, n, false);
        CHECK(o.seen[0] > 0.95 && o.seen[1] > 0.95); /* each as its picture shows */
    }
    CHECK_INT(t->lists[VSM_STEREO_TALLY_FROZEN].ranges[0].first, 6);
    CHECK_INT(t->lists[VSM_STEREO_TALLY_FROZEN].ranges[0].last, 8);
    vsm_stereo_manager_destroy(m);
}

/* Somebody too thin to be matched is not measured, which is not the same as not agreeing; who is missing in a
 * black master does not agree. */
static void test_what_cannot_be_measured(void)
{
    struct vsm_stereo_manager *m = open_manager(false, NULL);
    const struct vsm_stereo_tally *t = vsm_stereo_manager_tally(m);

    for (int n = 0; n < 3; n++) {
        paint(0);
        for (int i = 0; i < 2 * PIXELS; i++) {
            const int x = i % SIDE + (i / PIXELS ? SHIFT : 0);

            if (x < 60 || x > 61)
                alpha[i / PIXELS][i % PIXELS] = 0.0f;
        }
        CHECK_INT(review(m, n, false).status, VSM_OK);
        CHECK(!vsm_stereo_manager_last(m, 0)->measured && vsm_stereo_manager_last(m, 0)->before.people);
    }
    CHECK_INT(t->frames, 0);
    CHECK_INT(vsm_stereo_manager_mean(m), -1);
    memset(alpha, 0, sizeof(alpha)); /* nobody: all agrees, but nothing is counted */
    CHECK_INT(review(m, 3, false).status, VSM_OK);
    CHECK(vsm_stereo_manager_last(m, 0)->measured);
    CHECK_INT(t->frames, 0);
    for (int n = 4; n < 7; n++) {
        paint(0);
        memset(rgb[0], 0, sizeof(rgb[0]));
        lose(0);
        CHECK_INT(review(m, n, false).status, VSM_OK);
        CHECK(vsm_stereo_manager_last(m, 0)->measured);
    }
    CHECK_INT(t->frames, 3);
    CHECK_NEAR(t->sum, 0.0, 1e-9);
    CHECK_INT(vsm_stereo_manager_mean(m), 0);
    vsm_stereo_manager_destroy(m);
}

static void scene(struct vsm_stereo_manager *m, int from, int to)
{
    for (int n = from; n < to; n++) {
        paint(n);
        doubt(0, n, 0.7f);
        if (n >= 3 && n < 9)
            lose(1);
        CHECK_INT(review(m, n, n == 11).status, VSM_OK);
    }
}

static void save(struct vsm_stereo_manager *m, struct vsm_state *state)
{
    struct vsm_matte_review r = vsm_stereo_manager_review(m);

    CHECK_INT(r.barrier(r.self, state), VSM_OK);
}

/* Those of scene(): the second one begins with frame 11. */
static void check_scenes(const struct vsm_stereo_tally *tally)
{
    const struct vsm_stereo_scenes *s = &tally->scenes;

    CHECK_INT(s->count, 2);
    CHECK(s->listed[0].first == 0 && s->listed[0].frames == 11);
    CHECK(s->listed[1].first == 11 && s->listed[1].frames == 3);
    for (int i = 0; i < 2; i++) {
        CHECK(s->listed[i].known && !s->listed[i].unrelated);
        CHECK_INT(s->listed[i].order, VSM_ALIGNMENT_STRAIGHT);
        CHECK(fabs(s->listed[i].pitch) < M_PI / SIDE);
        CHECK_NEAR(s->listed[i].gain[1], 1.0, 0.03);
    }
}

/* A scene whose first frames have views of one eye only begins with the first one of both, in
 * a resumed job too. */
static void test_a_cut_waits_for_comparable_eyes(void)
{
    struct vsm_stereo_manager *m = open_manager(true, NULL), *resumed;
    struct vsm_state *state = vsm_state_create();

    for (int n = 0; n < 6; n++) {
        paint(n);
        views[1].eye = n < 3 ? VSM_RIGHT : VSM_LEFT;
        CHECK_INT(review(m, n, n == 3).status, VSM_OK);
    }
    save(m, state);
    CHECK_INT(vsm_stereo_manager_tally(m)->scenes.count, 1);
    resumed = open_manager(true, NULL);
    CHECK_INT(vsm_stereo_manager_restore(resumed, state), VSM_OK);
    for (int n = 6; n < 8; n++) {
        const struct vsm_stereo_scenes *s = &vsm_stereo_manager_tally(resumed)->scenes;

        paint(n);
        CHECK_INT(review(resumed, n, false).status, VSM_OK);
        CHECK_INT(vsm_stereo_manager_last(resumed, 0)->scene_frames, n - 6);
        CHECK(s->count == 2 && s->listed[0].frames == 3 && s->listed[1].first == 6);
        CHECK_INT(s->listed[1].frames, n - 5);
    }
    vsm_stereo_manager_destroy(m);
    vsm_stereo_manager_destroy(resumed);
    vsm_state_destroy(&state);
}

/* A list of the first scenes and a count of all, of the right eye against the left one. */
static void test_scenes_are_listed(void)
{
    static struct vsm_stereo_scenes s, loaded;
    struct vsm_alignment_result r = {.pitch = 0.01,
                                     .gain = {2.0, 1.0, 0.5},
                                     .eyes = VSM_ALIGNMENT_SWAPPED,
                                     .known = true};
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;

    vsm_stereo_scenes_add(&s, 7, false, VSM_LEFT, &r);
    vsm_stereo_scenes_add(&s, 8, false, VSM_LEFT, &r);
    vsm_stereo_scenes_add(&s, 9, true, VSM_RIGHT, &r);
    CHECK_INT(s.count, 2);
    CHECK(s.listed[0].first == 7 && s.listed[0].frames == 2 && s.listed[1].first == 9);
    CHECK_INT(s.listed[0].order, VSM_ALIGNMENT_SWAPPED);
    CHECK(s.listed[0].pitch == 0.01 && s.listed[0].gain[0] == 2.0);
    CHECK(s.listed[1].pitch == -0.01 && s.listed[1].gain[0] == 0.5 && s.listed[1].gain[2] == 2.0);
    for (int i = 2; i < VSM_STEREO_SCENES_LISTED + 3; i++)
        vsm_stereo_scenes_add(&s, 8 + i, true, VSM_LEFT, &r);
    r.pitch = 1.0;
    vsm_stereo_scenes_add(&s, 5000, false, VSM_LEFT, &r); /* of a scene that is not listed */
    CHECK_INT(s.count, VSM_STEREO_SCENES_LISTED + 3);
    CHECK_INT(s.listed[VSM_STEREO_SCENES_LISTED - 1].first, 8 + VSM_STEREO_SCENES_LISTED - 1);
    CHECK(s.listed[VSM_STEREO_SCENES_LISTED - 1].pitch == 0.01);
    vsm_stereo_scenes_save(&s, &out);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK(vsm_stereo_scenes_load(&loaded, &in) && vsm_bytes_left(&in) == 0);
    CHECK(memcmp(&s, &loaded, sizeof(s)) == 0);
    in = vsm_bytes_in_of(out.data, out.size - 1);
    CHECK(!vsm_stereo_scenes_load(&loaded, &in));
    out.data[8 + 16] = VSM_ALIGNMENT_SWAPPED + 1;
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK(!vsm_stereo_scenes_load(&loaded, &in));
    out.data[7] = 0x80; /* a negative count */
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK(!vsm_stereo_scenes_load(&loaded, &in));
    vsm_bytes_out_finish(&out);
}

/* Ended in the midst of mending and gone on: the same state and the same list, bit by bit. */
static void test_resume_is_exact(void)
{
    char whole[64], cut[64];
    struct vsm_state *states[3] = {vsm_state_create(), vsm_state_create(), vsm_state_create()},
                     *none = vsm_state_create();
    struct vsm_stereo_manager *m;
    void *a = NULL, *b = NULL;
    size_t a_size = 0, b_size = 0;
    const struct vsm_state_record *x, *y;

    CHECK(mkdtemp(folder) != NULL);
    snprintf(whole, sizeof(whole), "%s/whole", folder);
    snprintf(cut, sizeof(cut), "%s/cut", folder);
    m = open_manager(true, whole);
    scene(m, 0, 14);
    save(m, states[0]);
    check_scenes(vsm_stereo_manager_tally(m));
    vsm_stereo_manager_destroy(m);
    m = open_manager(true, cut);
    scene(m, 0, 6);
    save(m, states[1]);
    scene(m, 6, 8); /* lost */
    vsm_stereo_manager_destroy(m);
    m = open_manager(true, cut);
    CHECK_INT(vsm_stereo_manager_restore(m, states[1]), VSM_OK);
    scene(m, 6, 14);
    save(m, states[2]);
    check_scenes(vsm_stereo_manager_tally(m));
    vsm_stereo_manager_destroy(m);
    x = vsm_state_find(states[0], "stereo");
    y = vsm_state_find(states[2], "stereo");
    CHECK(x && y && x->size == y->size && memcmp(x->data, y->data, x->size) == 0);
    CHECK_INT(vsm_file_read(whole, 1 << 20, VSM_E_INPUT, &a, &a_size), VSM_OK);
    CHECK_INT(vsm_file_read(cut, 1 << 20, VSM_E_INPUT, &b, &b_size), VSM_OK);
    CHECK(a_size > 1000 && a_size == b_size && memcmp(a, b, a_size) == 0);
    CHECK_HAS(a, "{\"frame\":0,\"pair\":0,\"measured\":true");
    vsm_mem_free(a);
    vsm_mem_free(b);

    m = open_manager(true, cut); /* its list has gone */
    CHECK_INT(vsm_stereo_manager_restore(m, states[1]), VSM_OK);
    CHECK_INT(truncate(cut, 10), 0);
    paint(6);
    CHECK_INT(review(m, 6, false).status, VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "shorter than its checkpoint says");
    vsm_stereo_manager_destroy(m);
    m = open_manager(true, NULL);
    CHECK_INT(vsm_stereo_manager_restore(m, none), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "checkpoint");
    vsm_stereo_manager_destroy(m);
    for (int i = 0; i < 3; i++)
        vsm_state_destroy(&states[i]);
    vsm_state_destroy(&none);
    unlink(whole);
    unlink(cut);
    rmdir(folder);
}

static struct vsm_stereo_past past_of(const struct vsm_view *view)
{
    struct vsm_stereo_past p = {.grid = {view->width, view->height, view->width / 64, 64, 64}};

    CHECK_INT(vsm_view_map_init(&p.views[0], view), VSM_OK);
    CHECK_INT(vsm_view_map_init(&p.views[1], view), VSM_OK);
    return p;
}

/* Grids that do not fit, and directions that no view has. */
static void test_damaged_views_are_refused(void)
{
    static const struct {
        size_t at;
        uint8_t value;
    } damages[] = {{0, 7}, {4, 0xff}, {1, 1}};
    struct vsm_stereo_grids grids = {.options = {.baseline = 0.064, .threshold = 0.95}};
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;
    bool changed;

    CHECK_INT(vsm_stereo_grids_set(&grids, views, 2, &changed), VSM_OK);
    vsm_stereo_grids_save(&grids, &out);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_stereo_grids_load(&grids, views, &in), VSM_OK);
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        uint8_t *byte = out.data + damages[i].at;
        const uint8_t good = *byte;

        *byte = damages[i].value;
        in = vsm_bytes_in_of(out.data, out.size);
        CHECK_INT(vsm_stereo_grids_load(&grids, views, &in), VSM_E_INPUT);
        CHECK_HAS(vsm_error_message(), "damaged");
        *byte = good;
    }
    in = vsm_bytes_in_of(out.data, 20);
    CHECK_INT(vsm_stereo_grids_load(&grids, views, &in), VSM_E_INPUT);
    vsm_stereo_grids_clear(&grids);
    vsm_bytes_out_finish(&out);
}

/* What is known of a direction stays with it when the grid changes, and when the view turns. */
static void test_past_follows_directions(void)
{
    static struct vsm_stereo_past from[2], to;
    struct vsm_view view = {.source = {0, 0, 512, 512}, .width = 256, .height = 256};
    const double ahead[3] = {0.2, 0.1, 1.0};
    double x, y;
    int here;

    from[0] = from[1] = past_of(&view);
    CHECK(vsm_view_map_direction_to_grid(&from[1].views[0], ahead, &x, &y));
    here = (int)y / 4 * 64 + (int)x / 4;
    for (int i = 0; i < 9; i++) {
        const int cell = here + (i / 3 - 1) * 64 + i % 3 - 1;

        from[1].memory[1].parallax[cell] = 0.05f;
        from[1].memory[1].trust[cell] = 0.7f;
        from[1].mend.share[1][cell] = 1.0f;
        from[1].mend.before[1][cell] = 0.9f;
        from[1].consensus.share[1][cell] = 0.6f;
    }
    from[1].mend.frames = from[1].alignment.frames = 12;
    view.kind = VSM_VIEW_TURNED;
    view.projection = VSM_RECTILINEAR;
    view.field_of_view = 90;
    view.yaw = 0.4;
    from[0] = past_of(&view);
    from[0].views[0].pose = from[0].views[1].pose = vsm_rotation_of(-1.5, 0.0, 0.0); /* sees nothing of it */
    from[0].mend.frames = from[0].alignment.frames = 12;
    view.width = view.height = 192;
    to = past_of(&view);
    to.memory[0].trust[5] = 9.0f;
    vsm_stereo_past_carry(from, 2, &to);
    CHECK(vsm_view_map_direction_to_grid(&to.views[1], ahead, &x, &y));
    here = (int)y / 3 * 64 + (int)x / 3;
    CHECK(to.memory[1].parallax[here] == 0.05f && to.memory[1].trust[here] == 0.7f);
    CHECK(to.mend.share[1][here] == 1.0f && to.mend.before[1][here] == 0.9f);
    CHECK(to.consensus.share[1][here] == 0.6f && to.consensus.share[1][here - 10] == 0.0f);
    CHECK(to.memory[1].trust[here - 10] == 0.0f && to.memory[0].trust[here] == 0.0f);
    CHECK(to.memory[0].trust[5] == 0.0f);
    CHECK_INT(to.mend.frames, 12);
    CHECK_INT(to.alignment.frames, 12);
}

/* Views turn and double while somebody is lost: no gap, and a resumed job goes on likewise, bit by bit. */
static void test_views_change(void)
{
    struct vsm_state *states[2] = {vsm_state_create(), vsm_state_create()}, *middle = vsm_state_create();
    struct vsm_stereo_manager *m = open_manager(true, NULL);
    const struct vsm_state_record *x, *y;
    struct outcome o;

    for (int way = 0; way < 2; way++) {
        for (int n = 0; n < 12; n++) {
            paint(n);
            for (int eye = 0; eye < 2 && n == 5; eye++) {
                views[eye].kind = VSM_VIEW_TURNED;
                views[eye].projection = VSM_FISHEYE;
                views[eye].field_of_view = 180;
            }
            for (int eye = 0; eye < 2 && n == 8; eye++)
                views[eye].yaw = 0.01;
            if (n >= 4)
                lose(1);
            o = review(m, n, false);
            CHECK_INT(o.status, VSM_OK);
            CHECK(n < 4 || o.seen[1] > 0.85);
            if (n == 9 && way == 0)
                save(m, middle);
            if (n == 9 && way == 1) { /* what this one knew is forgotten */
                vsm_stereo_manager_destroy(m);
                m = open_manager(true, NULL);
                CHECK_INT(vsm_stereo_manager_restore(m, middle), VSM_OK);
                for (int eye = 0; eye < 2; eye++) {
                    views[eye].kind = VSM_VIEW_TURNED;
                    views[eye].projection = VSM_FISHEYE;
                    views[eye].field_of_view = 180;
                    views[eye].yaw = 0.01;
                }
            }
        }
        save(m, states[way]);
        vsm_stereo_manager_destroy(m);
        m = open_manager(true, NULL);
    }
    x = vsm_state_find(states[0], "stereo");
    y = vsm_state_find(states[1], "stereo");
    CHECK(x && y && x->size == y->size && memcmp(x->data, y->data, x->size) == 0);
    views[1].width = 64; /* no pair: passes as it is */
    paint(0);
    o = review(m, 12, false);
    CHECK_INT(o.status, VSM_OK);
    CHECK_INT(vsm_stereo_manager_tally(m)->frames, 0);
    vsm_stereo_manager_destroy(m);
    vsm_state_destroy(&states[0]);
    vsm_state_destroy(&states[1]);
    vsm_state_destroy(&middle);
}

static void test_unlike_views_do_not_fit(void)
{
    struct vsm_view v[4] = {{.eye = VSM_LEFT, .width = 128, .height = 128},
                            {.eye = VSM_RIGHT, .width = 128, .height = 128}};

    v[2] = v[0];
    v[3] = v[1];
    CHECK(vsm_stereo_manager_fits(v, 2) && vsm_stereo_manager_fits(v, 4));
    CHECK(!vsm_stereo_manager_fits(v, 1) && !vsm_stereo_manager_fits(v, 3));
    v[3].kind = VSM_VIEW_TURNED;
    CHECK(!vsm_stereo_manager_fits(v, 4));
    v[2].kind = VSM_VIEW_TURNED;
    CHECK(vsm_stereo_manager_fits(v, 4));
    v[2].yaw = 0.1;
    CHECK(!vsm_stereo_manager_fits(v, 4));
    v[1].height = 64;
    CHECK(!vsm_stereo_manager_fits(v, 2));
}

#ifdef VSM_FAULT_POINTS
static void turn_views(void)
{
    for (int eye = 0; eye < 2; eye++) {
        views[eye].kind = VSM_VIEW_TURNED;
        views[eye].projection = VSM_FISHEYE;
        views[eye].field_of_view = 180;
    }
}

/* Where memory for other views is wanting again and again, the scene is known all the same in the end. */
static void test_want_of_memory_forgets_nothing(void)
{
    struct vsm_state *states[2] = {vsm_state_create(), vsm_state_create()};
    const struct vsm_state_record *records[2];
    int failures = 0;

    for (int wanting = 0; wanting < 2; wanting++) {
        struct vsm_stereo_manager *m = open_manager(true, NULL);

        for (int n = 0; n < 6; n++) {
            int status = VSM_E_NOMEM;

            paint(n);
            if (n >= 3)
                lose(1);
            if (n == 4)
                turn_views();
            for (unsigned long k = 1; n == 4 && wanting && status == VSM_E_NOMEM && k < 40; k++) {
                vsm_fault_arm("mem.alloc", k, ENOMEM, 0);
                status = vsm_stereo_manager_follow(m, views, 2);
                failures += status == VSM_E_NOMEM;
                vsm_fault_arm(NULL, 0, 0, 0);
            }
            CHECK_INT(review(m, n, false).status, VSM_OK);
        }
        save(m, states[wanting]);
        vsm_stereo_manager_destroy(m);
    }
    CHECK(failures > 4);
    for (int i = 0; i < 2; i++)
        records[i] = vsm_state_find(states[i], "stereo");
    CHECK(records[0] && records[1] && records[0]->size == records[1]->size &&
          memcmp(records[0]->data, records[1]->data, records[0]->size) == 0);
    vsm_state_destroy(&states[0]);
    vsm_state_destroy(&states[1]);
}
#else
static void test_want_of_memory_forgets_nothing(void)
{
    tap_skip("built without fault points");
}
#endif

int main(void)
{
    RUN(test_lost_person_stays);
    RUN(test_states_may_be_elsewhere);
    RUN(test_doubts_are_shared);
    RUN(test_what_is_measured_is_given_out);
    RUN(test_master_is_mended_as_well);
    RUN(test_only_measuring_changes_nothing);
    RUN(test_black_and_frozen_eyes);
    RUN(test_what_cannot_be_measured);
    RUN(test_a_cut_waits_for_comparable_eyes);
    RUN(test_scenes_are_listed);
    RUN(test_resume_is_exact);
    RUN(test_damaged_views_are_refused);
    RUN(test_past_follows_directions);
    RUN(test_views_change);
    RUN(test_unlike_views_do_not_fit);
    RUN(test_want_of_memory_forgets_nothing);
    return tap_done();
}
