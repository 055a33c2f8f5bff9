#include "stages/device_review.h"

#include "tap.h"

#define SIDE   128
#define CELLS  (SIDE * SIDE)
#define SHIFT  5 /* pixels to the left in the right eye: 0.5 m from lenses 64 mm apart */
#define PLANES 5 /* of a digest */
#define EDITS  (3 * CELLS)
#define MIDDLE (64 * SIDE + 60) /* on the person, in both eyes */

static float alpha[2][CELLS], edits[2 * EDITS];
static struct vsm_view views[2];
static const struct vsm_stereo_manager_options mending = {
    .views = views, .view_count = 2, .baseline = 0.064, .threshold = 0.95, .mend = true};

/* Irregular blocks of 3 x 3. */
static float light(int x, int y)
{
    uint32_t h = (uint32_t)((x + 300) / 3) * 2654435761u ^ (uint32_t)((y + 300) / 3) * 2246822519u;

    h = (h ^ h >> 15) * 2246822519u;
    return 0.2f + 0.6f * (float)(h >> 8) / (float)(1 << 24);
}

/* A frame whose digest shows somebody before a wall, and as matte, the same at every colour,
 * what `alpha` says after that. */
static struct vsm_frame *make_frame(int64_t seq)
{
    struct vsm_frame *frame = vsm_frame_create();
    float *digest;

    frame->seq = frame->index = seq;
    frame->scene_cut = seq == 0;
    frame->digest = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){2, PLANES, SIDE, SIDE});
    frame->view_count = 2;
    frame->mattes[0].view = views[0];
    frame->mattes[1].view = views[1];
    digest = vsm_tensor_f32(frame->digest);
    for (int i = 0; i < 2 * CELLS; i++) {
        const int eye = i / CELLS, at = i % CELLS, x = at % SIDE + (eye ? SHIFT : 0), y = at / SIDE;
        const bool person = x >= 44 && x < 84 && y >= 40 && y < 88;

        for (int c = 0; c < 3; c++)
            digest[(eye * PLANES + c) * CELLS + at] =
                person ? light(x, y) : 0.4f + 0.1f * light(x / 4, y / 4);
        alpha[eye][at] = person ? 1.0f : 0.0f;
    }
    return frame;
}

static void put_alpha(struct vsm_frame *frame)
{
    for (int eye = 0; eye < 2; eye++)
        for (int i = 0; i < CELLS; i++)
            vsm_tensor_f32(frame->digest)[(eye * PLANES + 4) * CELLS + i] = alpha[eye][i];
}

static void make_views(void)
{
    for (int eye = 0; eye < 2; eye++)
        views[eye] = (struct vsm_view){.eye = (enum vsm_eye)eye,
                                       .source = {eye * SIDE, 0, SIDE, SIDE},
                                       .width = SIDE,
                                       .height = SIDE};
}

static bool is_edited(const struct vsm_device_review_rows *rows)
{
    return rows->end > rows->from;
}

/* What a grey of 1/2 comes to. */
static float edited_alpha(int eye, int cell, const struct vsm_device_review_rows rows[])
{
    const float *e = edits + eye * EDITS + 3 * cell;

    return cell / SIDE >= rows[eye].from && cell / SIDE < rows[eye].end ? e[0] * 0.5f + e[1]
                                                                        : alpha[eye][cell];
}

/* How much of the eye's alpha is changed, as a share of the left eye's people. */
static double replaced(int eye, const struct vsm_device_review_rows rows[])
{
    double sum = 0.0, people = 0.0;

    for (int i = 0; i < CELLS; i++) {
        sum += fabs((double)(edited_alpha(eye, i, rows) - alpha[eye][i]));
        people += (double)alpha[0][i];
    }
    return sum / people;
}

static void test_a_good_frame_is_left_alone(void)
{
    struct vsm_device_review_options options = {0};
    struct vsm_device_review *r = NULL;
    struct vsm_stereo_manager *m = NULL;
    struct vsm_state *state = vsm_state_create();
    struct vsm_device_review_rows rows[VSM_MAX_VIEWS] = {{0, 0}};

    CHECK_INT(vsm_stereo_manager_create(&mending, &m), VSM_OK);
    options.stereo = m;
    CHECK_INT(vsm_device_review_create(&options, &r), VSM_OK);
    for (int i = 0; i < 3; i++) {
        struct vsm_frame *frame = make_frame(i);

        put_alpha(frame);
        CHECK_INT(vsm_device_review_run(r, frame, edits, rows), VSM_OK);
        CHECK(!is_edited(&rows[0]) && !is_edited(&rows[1]));
        vsm_frame_destroy(&frame);
    }
    CHECK(vsm_stereo_manager_mean(m) > 950000);
    CHECK_INT(vsm_stereo_manager_tally(m)->frames, 3);
    CHECK_INT(vsm_device_review_save(r, state), VSM_OK);
    CHECK(vsm_state_find(state, "stereo") != NULL);
    vsm_state_destroy(&state);
    vsm_device_review_destroy(r);
    vsm_stereo_manager_destroy(m);
}

static void test_a_lost_person_is_mended(void)
{
    struct vsm_device_review_options options = {0};
    struct vsm_device_review *r = NULL;
    struct vsm_stereo_manager *m = NULL;
    struct vsm_device_review_rows rows[VSM_MAX_VIEWS] = {{0, 0}};

    CHECK_INT(vsm_stereo_manager_create(&mending, &m), VSM_OK);
    options.stereo = m;
    CHECK_INT(vsm_device_review_create(&options, &r), VSM_OK);
    for (int i = 0; i < 5; i++) {
        struct vsm_frame *frame = make_frame(i);

        if (i == 4)
            memset(alpha[1], 0, sizeof(alpha[1]));
        put_alpha(frame);
        CHECK_INT(vsm_device_review_run(r, frame, edits, rows), VSM_OK);
        vsm_frame_destroy(&frame);
    }
    CHECK(replaced(0, rows) < 0.01);
    CHECK(is_edited(&rows[1]) && replaced(1, rows) > 0.8);
    CHECK(rows[1].from > 16 && rows[1].end < SIDE - 16); /* only where the person is */
    CHECK(edited_alpha(1, MIDDLE, rows) > 0.9f);
    CHECK_NEAR(edited_alpha(1, 5 * SIDE + 5, rows), 0, 0.05);
    CHECK(edits[EDITS + 3 * MIDDLE + 2] < 0.1f); /* the matter's colour is not believed where it saw nobody */
    vsm_device_review_destroy(r);
    vsm_stereo_manager_destroy(m);
}

/* When the eye sees again, the network is told, so many frames later. */
static void test_what_recovers_is_repaired_later(void)
{
    struct vsm_device_review_options options = {0};
    struct vsm_device_review *r = NULL;
    struct vsm_stereo_manager *m = NULL;
    struct vsm_repair_delay *delay = NULL;
    const int lost = 4, found = 6;

    CHECK_INT(vsm_stereo_manager_create(&mending, &m), VSM_OK);
    CHECK_INT(vsm_repair_delay_create(&delay), VSM_OK);
    options.stereo = m;
    options.repairs = delay;
    CHECK_INT(vsm_device_review_create(&options, &r), VSM_OK);
    for (int i = 0; i < found + 2 * VSM_REPAIR_DELAY_FRAMES; i++) {
        struct vsm_device_review_rows rows[VSM_MAX_VIEWS] = {{0, 0}};
        const struct vsm_state_repairs *repairs = NULL;
        struct vsm_frame *frame = make_frame(i);

        CHECK_INT(vsm_repair_delay_take(delay, i, false, &repairs), VSM_OK);
        if (i == found + VSM_REPAIR_DELAY_FRAMES)
            CHECK(repairs && !repairs->of[0] && repairs->of[1] && vsm_state_repairs_fit(repairs, views, 2));
        CHECK(i >= found + VSM_REPAIR_DELAY_FRAMES || !repairs);
        CHECK(i < found + VSM_REPAIR_DELAY_FRAMES + 3 || !repairs);
        if (i >= lost && i < found)
            memset(alpha[1], 0, sizeof(alpha[1]));
        put_alpha(frame);
        CHECK_INT(vsm_device_review_run(r, frame, edits, rows), VSM_OK);
        vsm_frame_destroy(&frame);
    }
    vsm_device_review_destroy(r);
    vsm_repair_delay_destroy(delay);
    vsm_stereo_manager_destroy(m);
}

static void test_others_are_left_out(void)
{
    const struct vsm_device_review_options options = {.select = true};
    struct vsm_device_review *r = NULL;
    struct vsm_device_review_rows rows[VSM_MAX_VIEWS] = {{0, 0}};

    CHECK_INT(vsm_device_review_create(&options, &r), VSM_OK);
    for (int chosen = 0; chosen < 2; chosen++) {
        struct vsm_frame *frame = make_frame(0);

        put_alpha(frame);
        frame->people = (struct vsm_people){.known = true, .count = 1};
        frame->people.person[0] =
            (struct vsm_person){.id = 1,
                                .box = {{0.3f, 0.3f, 0.7f, 0.7f}, {0.3f, 0.3f, 0.7f, 0.7f}},
                                .chosen = chosen};
        CHECK_INT(vsm_device_review_run(r, frame, edits, rows), VSM_OK);
        CHECK(is_edited(&rows[0]) && is_edited(&rows[1]));
        for (int eye = 0; eye < 2; eye++) {
            CHECK_NEAR(edited_alpha(eye, MIDDLE, rows), chosen, 1e-6);
            CHECK_NEAR(edits[eye * EDITS + 3 * MIDDLE + 2], 1, 0);
        }
        vsm_frame_destroy(&frame);
    }
    vsm_device_review_destroy(r);
}

/* Somebody out of sight holds half of the body against the chosen one, in both eyes. */
static void test_rivals_are_left_out(void)
{
    const struct vsm_device_review_options options = {.select = true};
    const struct vsm_person_box left_half = {0.3f, 0.3f, 0.5f, 0.7f}, right_half = {0.5f, 0.3f, 0.7f, 0.7f};
    struct vsm_device_review *r = NULL;
    struct vsm_device_review_rows rows[VSM_MAX_VIEWS] = {{0, 0}};

    CHECK_INT(vsm_device_review_create(&options, &r), VSM_OK);
    for (int rivals = 0; rivals < 2; rivals++) {
        struct vsm_frame *frame = make_frame(0);

        put_alpha(frame);
        frame->people = (struct vsm_people){.known = true, .count = 1, .rival_count = rivals};
        frame->people.person[0] = (struct vsm_person){.id = 1, .box = {left_half, left_half}, .chosen = true};
        frame->people.rival[0] = (struct vsm_person){.id = 2, .box = {right_half, right_half}};
        CHECK_INT(vsm_device_review_run(r, frame, edits, rows), VSM_OK);
        for (int eye = 0; eye < 2; eye++) {
            CHECK_NEAR(edited_alpha(eye, 64 * SIDE + 50, rows), 1, 1e-6);
            CHECK_NEAR(edited_alpha(eye, 64 * SIDE + 74, rows), !rivals, 1e-6);
        }
        vsm_frame_destroy(&frame);
    }
    vsm_device_review_destroy(r);
}

static void test_unknown_people_all_stay(void)
{
    const struct vsm_device_review_options options = {.select = true};
    struct vsm_device_review *r = NULL;
    struct vsm_frame *frame = make_frame(0);
    struct vsm_device_review_rows rows[VSM_MAX_VIEWS] = {{0, 9}, {0, 9}};

    put_alpha(frame);
    CHECK_INT(vsm_device_review_create(&options, &r), VSM_OK);
    CHECK_INT(vsm_device_review_run(r, frame, edits, rows), VSM_OK);
    CHECK(!is_edited(&rows[0]) && !is_edited(&rows[1]));
    vsm_frame_destroy(&frame);
    vsm_device_review_destroy(r);
}

#define LONG 10

/* Frames of which one eye loses the person twice, and of two scenes. */
static struct vsm_frame *make_eventful_frame(int number)
{
    struct vsm_frame *frame = make_frame(number);

    frame->scene_cut = number == 0 || number == 6;
    if (number == 3 || number == 4 || number == 9)
        memset(alpha[number == 4 ? 0 : 1], 0, sizeof(alpha[1]));
    put_alpha(frame);
    return frame;
}

/* Nothing of the frame before, which was mended, is left where the eyes cannot be compared. */
static void test_what_cannot_be_compared_is_left_alone(void)
{
    struct vsm_device_review_options options = {0};
    struct vsm_device_review *r = NULL;
    struct vsm_stereo_manager *m = NULL;
    struct vsm_device_review_rows rows[VSM_MAX_VIEWS];

    CHECK_INT(vsm_stereo_manager_create(&mending, &m), VSM_OK);
    options.stereo = m;
    CHECK_INT(vsm_device_review_create(&options, &r), VSM_OK);
    for (int i = 0; i < 5; i++) {
        struct vsm_frame *frame = make_eventful_frame(i);

        if (i == 4)
            frame->mattes[1].view.eye = VSM_LEFT;
        CHECK_INT(vsm_device_review_run(r, frame, edits, rows), VSM_OK);
        CHECK(is_edited(&rows[1]) == (i == 3));
        vsm_frame_destroy(&frame);
    }
    vsm_device_review_destroy(r);
    vsm_stereo_manager_destroy(m);
}

/* Maps that depend on the picture, of frames that are mended, against the manager on the CPU. */
static void expect(struct vsm_stereo_manager *m, const struct vsm_frame *frame, struct vsm_frame *host)
{
    const struct vsm_matte_review review = vsm_stereo_manager_review(m);
    struct vsm_rvm_state states[VSM_MAX_VIEWS] = {0};
    const float *rgb[2];

    *host = *frame;
    for (int eye = 0; eye < 2; eye++) {
        float *maps;

        host->mattes[eye].coefficients = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){8, SIDE, SIDE});
        maps = vsm_tensor_f32(host->mattes[eye].coefficients);
        rgb[eye] = vsm_tensor_f32(frame->digest) + eye * PLANES * CELLS;
        memcpy(maps + 3 * CELLS, rgb[eye] + 3 * CELLS, CELLS * sizeof(float));
        memcpy(maps + 7 * CELLS, rgb[eye] + 4 * CELLS, CELLS * sizeof(float));
    }
    CHECK_INT(review.run(review.self, host, rgb, states), VSM_OK);
}

static void test_as_on_the_cpu(void)
{
    struct vsm_device_review_options options = {.stereo = NULL};
    struct vsm_device_review_rows rows[VSM_MAX_VIEWS];
    struct vsm_stereo_manager *m = NULL, *cpu = NULL;
    struct vsm_device_review *r = NULL;
    int edited = 0, wrong = 0;

    CHECK_INT(vsm_stereo_manager_create(&mending, &m), VSM_OK);
    CHECK_INT(vsm_stereo_manager_create(&mending, &cpu), VSM_OK);
    options.stereo = m;
    CHECK_INT(vsm_device_review_create(&options, &r), VSM_OK);
    for (int k = 0; k < LONG; k++) {
        struct vsm_frame *frame = make_eventful_frame(k), host;

        for (int i = 0; i < 2 * CELLS; i++) {
            float *a = vsm_tensor_f32(frame->digest) + (i / CELLS * PLANES + 3) * CELLS + i % CELLS;

            *a = light(i, 3 * k); /* alpha goes beyond 0 and 1 */
            a[CELLS] -= 0.4f * *a;
        }
        expect(cpu, frame, &host);
        CHECK_INT(vsm_device_review_run(r, frame, edits, rows), VSM_OK);
        for (int i = 0; i < 2 * CELLS; i++) {
            const int eye = i / CELLS, row = i % CELLS / SIDE;
            const bool within = row >= rows[eye].from && row < rows[eye].end;
            const float *maps = vsm_tensor_f32(host.mattes[eye].coefficients) + i % CELLS;
            const float *was = vsm_tensor_f32(frame->digest) + eye * PLANES * CELLS + i % CELLS;

            edited += within;
            wrong += maps[3 * CELLS] != (within ? edits[3 * i] : was[3 * CELLS]);
            wrong += maps[7 * CELLS] != (within ? edits[3 * i + 1] : was[4 * CELLS]);
        }
        vsm_tensor_unref(&host.mattes[0].coefficients);
        vsm_tensor_unref(&host.mattes[1].coefficients);
        vsm_frame_destroy(&frame);
    }
    CHECK(edited > CELLS / 2);
    CHECK_INT(wrong, 0);
    vsm_device_review_destroy(r);
    vsm_stereo_manager_destroy(m);
    vsm_stereo_manager_destroy(cpu);
}

int main(void)
{
    make_views();
    RUN(test_as_on_the_cpu);
    RUN(test_what_cannot_be_compared_is_left_alone);
    RUN(test_a_good_frame_is_left_alone);
    RUN(test_a_lost_person_is_mended);
    RUN(test_what_recovers_is_repaired_later);
    RUN(test_others_are_left_out);
    RUN(test_rivals_are_left_out);
    RUN(test_unknown_people_all_stay);
    return tap_done();
}
