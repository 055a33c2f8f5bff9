/* The people stage on real footage: who is there, where scenes begin, and going on from any barrier. */
#include "build_config.h"
#include "image/preprocess.h"
#include "media/video_reader.h"
#include "people/roster.h"
#include "shared_data.h"
#include "stages/people_stage.h"
#include "tap.h"

#define FRAMES 18
#define CUT    11 /* first frame of the second clip */

static const char *const clips[] = {"data/clips/05_default_juggle.mp4", "data/clips/07_snowboarder.mp4"};

static struct vsm_frame *frames[FRAMES];
static struct vsm_people want[FRAMES];
static struct vsm_detector *detector;

static bool load(void)
{
    const struct vsm_session_options session = {.threads = 1};
    int seq = 0;

    if (vsm_detector_create(VSM_MODELS_DIR "/" VSM_DETECTOR_GRAPH, &session, &detector))
        return false;
    for (int clip = 0; clip < 2; clip++) {
        struct vsm_video_reader *reader;
        char path[4096];

        if (!shared_path(clips[clip], path, sizeof(path)) ||
            vsm_video_reader_open(path, &(struct vsm_video_reader_options){1}, &reader))
            return false;
        for (; seq < (clip ? FRAMES : CUT); seq++) {
            frames[seq] = vsm_frame_create();
            if (!frames[seq] || vsm_video_reader_next(reader, frames[seq]))
                return false;
            frames[seq]->seq = seq;
        }
        vsm_video_reader_close(reader);
    }
    return true;
}

static struct vsm_people_stage *create_looking(int interval)
{
    struct vsm_people_stage_options options = {.detector = detector,
                                               .eyes = {{0, 0, 1280, 720}},
                                               .eye_count = 1,
                                               .projection = VSM_RECTILINEAR,
                                               .field_of_view = 65,
                                               .baseline = 0.06,
                                               .interval = interval,
                                               .correction = 300,
                                               .rule = {.kind = VSM_PEOPLE_LARGEST, .count = 1}};
    struct vsm_people_stage *stage = NULL;

    CHECK_INT(vsm_people_stage_create(&options, &stage), VSM_OK);
    return stage;
}

static struct vsm_people_stage *create(void)
{
    return create_looking(6);
}

static void run(struct vsm_people_stage *stage, int seq)
{
    const struct vsm_stage s = vsm_people_stage_describe(stage);

    frames[seq]->people = (struct vsm_people){0};
    frames[seq]->scene_cut = false;
    CHECK_INT(s.run(s.self, frames[seq]), VSM_OK);
}

static void test_undisturbed(void)
{
    struct vsm_people_stage *stage = create();
    struct vsm_people_stage_numbers n;

    for (int i = 0; i < FRAMES; i++) {
        const struct vsm_people *p = &frames[i]->people;

        run(stage, i);
        want[i] = *p;
        CHECK(p->known);
        CHECK_INT(frames[i]->scene_cut, i == CUT);
        CHECK(p->count >= 1 && p->person[0].chosen);
        if (i == 0 || i == CUT)
            CHECK(p->detected);
        /* One person a clip, who keeps the number, and never the number of another scene. */
        CHECK_INT(p->person[0].id == want[0].person[0].id, i < CUT);
        CHECK_INT(p->person[0].id, want[i < CUT ? 0 : CUT].person[0].id);
        if (i > 0 && i != CUT)
            CHECK(vsm_person_box_overlap(&p->person[0].box[0], &want[i - 1].person[0].box[0]) > 0.85f);
        CHECK(memcmp(&p->person[0].box[0], &p->person[0].box[1], sizeof(p->person[0].box[0])) == 0);
    }
    n = vsm_people_stage_numbers(stage);
    CHECK_INT(n.scene_cuts, 1);
    CHECK(n.detections < FRAMES / 2);
    CHECK_INT(n.frames_with_any, FRAMES);
    CHECK_INT(n.people, 2);
    CHECK_INT(n.listed[0].frames, CUT);
    CHECK_INT(n.listed[1].frames, FRAMES - CUT);
    CHECK_INT(n.listed[1].scene, 1);
    CHECK(n.listed[0].chosen && n.listed[1].chosen);
    vsm_people_stage_destroy(stage);
}

/* The state after any frame continues exactly: same boxes to the last bit, looked at in the same frames. */
static void test_resume(void)
{
    static const int stops[] = {1, 7, CUT - 1, CUT};

    for (size_t k = 0; k < sizeof(stops) / sizeof(stops[0]); k++) {
        struct vsm_people_stage *before = create(), *after = create();
        const struct vsm_stage s = vsm_people_stage_describe(before);
        struct vsm_state *state = vsm_state_create();

        for (int i = 0; i <= stops[k]; i++)
            run(before, i);
        CHECK_INT(s.barrier(s.self, stops[k], state), VSM_OK);
        CHECK_INT(vsm_people_stage_restore(after, state), VSM_OK);
        for (int i = stops[k] + 1; i < FRAMES && i < stops[k] + 8; i++) {
            run(after, i);
            CHECK(memcmp(&frames[i]->people, &want[i], sizeof(want[i])) == 0);
            CHECK_INT(frames[i]->scene_cut, i == CUT);
        }
        vsm_state_destroy(&state);
        vsm_people_stage_destroy(before);
        vsm_people_stage_destroy(after);
    }
}

/* A frame as it comes from a device: small grids in place of the picture, in which `hidden` is a flat
 * grey. */
static void run_on_thumbnails(struct vsm_people_stage *stage, int seq, const struct vsm_person_box *hidden)
{
    const struct vsm_rect eye = {0, 0, 1280, 720};
    struct vsm_tensor *t;
    struct vsm_view views[2];
    float *rgb;
    int w, h;

    vsm_people_stage_views(&eye, 1, views);
    w = views[0].width;
    h = views[0].height;
    t = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, h, w});
    rgb = vsm_tensor_f32(t);
    CHECK_INT(vsm_preprocess(frames[seq]->source, &views[0], rgb, NULL), VSM_OK);
    for (int i = 0; hidden && i < w * h; i++) {
        const float x = (float)(i % w) / (float)w, y = (float)(i / w) / (float)h;

        if (x > hidden->left && x < hidden->right && y > hidden->top && y < hidden->bottom)
            rgb[i] = rgb[w * h + i] = rgb[2 * w * h + i] = 0.4f;
    }
    frames[seq]->thumbnails = t;
    run(stage, seq);
    CHECK(frames[seq]->thumbnails == NULL);
}

/* Nobody can tell from the state where the pictures came from. */
static void test_thumbnails(void)
{
    struct vsm_people_stage *stages[2] = {create(), create()};
    struct vsm_state *states[2] = {vsm_state_create(), vsm_state_create()};

    for (int k = 0; k < 2; k++) {
        const struct vsm_stage s = vsm_people_stage_describe(stages[k]);

        for (int i = 0; i < 8; i++) {
            if (k == 0)
                run(stages[k], i);
            else
                run_on_thumbnails(stages[k], i, NULL);
        }
        CHECK_INT(s.barrier(s.self, 7, states[k]), VSM_OK);
    }
    CHECK_INT(states[0]->count, states[1]->count);
    for (size_t i = 0; i < states[0]->count; i++) {
        const struct vsm_state_record *a = &states[0]->records[i], *b = &states[1]->records[i];

        CHECK(a->size == b->size && memcmp(a->data, b->data, a->size) == 0);
    }
    for (int k = 0; k < 2; k++) {
        vsm_state_destroy(&states[k]);
        vsm_people_stage_destroy(stages[k]);
    }
}

#define HIDDEN 4 /* first frame in which the person is behind a board */
#define RIVAL  9 /* first frame behind the second look that misses them */

static void hide(struct vsm_people_stage *stage, int seq)
{
    const struct vsm_person_box *b = &want[0].person[0].box[0];
    const struct vsm_person_box board = {b->left - 0.05f, b->top - 0.05f, b->right + 0.05f,
                                         b->bottom + 0.05f};

    run_on_thumbnails(stage, seq, seq >= HIDDEN && seq < CUT ? &board : NULL);
}

/* Who is missed twice is nobody's number any more, but a rival until the cut; also when going on from a
 * barrier. */
static void test_rivals(void)
{
    struct vsm_people_stage *stage = create_looking(3);
    struct vsm_people seen[FRAMES];

    for (int i = 0; i < FRAMES; i++) {
        const struct vsm_people *p = &frames[i]->people;

        hide(stage, i);
        seen[i] = *p;
        CHECK_INT(frames[i]->scene_cut, i == CUT);
        CHECK_INT(p->rival_count, i >= RIVAL && i < CUT);
        CHECK_INT(p->count, i < RIVAL || i >= CUT);
        if (p->rival_count) {
            CHECK_INT(p->rival[0].id, want[0].person[0].id);
            CHECK(p->rival[0].chosen);
            CHECK(vsm_person_box_overlap(&p->rival[0].box[0], &want[0].person[0].box[0]) > 0.7f);
        }
    }
    CHECK_INT(vsm_people_stage_numbers(stage).most_at_once, 1);
    CHECK_INT(vsm_people_stage_numbers(stage).listed[0].frames, RIVAL);
    vsm_people_stage_destroy(stage);
    for (int stop = RIVAL - 2; stop <= CUT; stop++) {
        struct vsm_people_stage *before = create_looking(3), *after = create_looking(3);
        const struct vsm_stage s = vsm_people_stage_describe(before);
        struct vsm_state *state = vsm_state_create();

        for (int i = 0; i <= stop; i++)
            hide(before, i);
        CHECK_INT(s.barrier(s.self, stop, state), VSM_OK);
        CHECK_INT(vsm_people_stage_restore(after, state), VSM_OK);
        for (int i = stop + 1; i < CUT + 2; i++) {
            hide(after, i);
            CHECK(memcmp(&frames[i]->people, &seen[i], sizeof(seen[i])) == 0);
        }
        vsm_state_destroy(&state);
        vsm_people_stage_destroy(before);
        vsm_people_stage_destroy(after);
    }
}

static void test_damaged_states(void)
{
    struct vsm_people_stage *stage = create();
    const struct vsm_stage s = vsm_people_stage_describe(stage);
    struct vsm_state *state = vsm_state_create(), *empty = vsm_state_create();

    run(stage, 0);
    CHECK_INT(s.barrier(s.self, 0, state), VSM_OK);
    CHECK_INT(vsm_people_stage_restore(stage, empty), VSM_E_INPUT);
    state->records[1].size--;
    CHECK_INT(vsm_people_stage_restore(stage, state), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "--restart");
    vsm_state_destroy(&state);
    vsm_state_destroy(&empty);
    vsm_people_stage_destroy(stage);
}

/* Without weights scenes are still told, and nobody is known. */
static void test_without_detector(void)
{
    struct vsm_detector *kept = detector;
    struct vsm_people_stage *stage;

    detector = NULL;
    stage = create();
    for (int i = CUT - 3; i < CUT + 2; i++) {
        run(stage, i);
        CHECK(!frames[i]->people.known);
        CHECK_INT(frames[i]->scene_cut, i == CUT);
    }
    detector = kept;
    vsm_people_stage_destroy(stage);
}

int main(void)
{
    if (!load()) {
        tap_skip("no shared footage or no detector");
    } else {
        RUN(test_undisturbed);
        RUN(test_resume);
        RUN(test_thumbnails);
        RUN(test_rivals);
        RUN(test_damaged_states);
        RUN(test_without_detector);
    }
    for (int i = 0; i < FRAMES; i++)
        vsm_frame_destroy(&frames[i]);
    vsm_detector_destroy(detector);
    return tap_done();
}
