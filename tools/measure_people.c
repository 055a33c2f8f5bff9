/* Measures the people stage on scenes of known truth, without decoding and encoding.
 *
 *   measure_people [--data FOLDER] [--eye PIXELS] [--frames N] [--interval N] [--choose N]
 *                  [--pictures PREFIX] [SCENE ...]  all scenes of make_stereo_truth --list if none is named
 *
 * Persons are compared where at least a fiftieth of the eye's height of them is to be seen; in the left eye
 * the best box of at least 0.3 overlap is theirs, the one with their last number before others; one round
 * several of them is the nearest's. Printed for each scene: how many of the persons' frames have a box,
 * switches (a person's number is not the one it had), boxes that are nobody's, mean overlap with the truth in
 * the left and in the right eye, and how much the speed of a box's middle changes from frame to frame (95th
 * percentile, pixels at 1024). The truth's box holds what is visible, the detector's the hidden parts too:
 * overlaps below 1 are not errors of the transfer; their difference between the eyes is. --choose N:
 * matting.people is the place of member N of the cast; the matter runs too, and SAD of each eye against the
 * alpha of that person alone is printed, everybody kept and chosen.
 */
#include "base/mem.h"
#include "build_config.h"
#include "image/preprocess.h"
#include "media/still.h"
#include "people/roster.h"
#include "stages/matte_stage.h"
#include "stages/people_stage.h"
#include "stages/select_stage.h"
#include "tools/metrics.h"
#include "tools/truth_film.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEAST_OVERLAP 0.3f

struct options {
    const char *data, *pictures;
    int eye, frames, interval, choose;
};

struct score {
    long persons, found, switches, strangers, boxes;
    double overlap[2], seconds;
    double sad[2][2]; /* everybody kept or chosen; eye */
    float *jumps;     /* room for all */
    long jump_count;
    int32_t last_id[VSM_TRUTH_SCENES_MAX_CAST];
    float last_box[VSM_TRUTH_SCENES_MAX_CAST], last_speed[VSM_TRUTH_SCENES_MAX_CAST];
};

struct measurement {
    const struct options *options;
    struct vsm_parallel *pool;
    struct vsm_detector *detector;
    struct vsm_rvm *rvm;
    struct vsm_truth_film film;
    struct vsm_people_stage *people;
    struct vsm_matte_stage *matte;
    struct vsm_select_stage *select;
    struct score score;
};

static struct vsm_person_box true_box(const struct measurement *m, int n, int eye)
{
    const float side = (float)m->options->eye;
    const int *b = m->film.seen[n].box[eye];

    return (struct vsm_person_box){(float)b[0] / side, (float)b[1] / side, (float)b[2] / side,
                                   (float)b[3] / side};
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void note(struct measurement *m, int n, const struct vsm_person *person)
{
    const struct vsm_person_box left = true_box(m, n, 0), right = true_box(m, n, 1);
    struct score *s = &m->score;
    const float box = 0.5f * (person->box[0].left + person->box[0].right);

    s->found++;
    s->overlap[0] += (double)vsm_person_box_overlap(&left, &person->box[0]);
    s->overlap[1] += (double)vsm_person_box_overlap(&right, &person->box[1]);
    s->switches += s->last_id[n] != 0 && s->last_id[n] != person->id;
    if (s->last_id[n] == person->id)
        s->jumps[s->jump_count++] = fabsf(box - s->last_box[n] - s->last_speed[n]) * 1024.0f;
    s->last_speed[n] = s->last_id[n] == person->id ? box - s->last_box[n] : 0.0f;
    s->last_id[n] = person->id;
    s->last_box[n] = box;
}

/* Whether somebody nearer is best seen in the same box: it is that person's then. */
static bool belongs_nearer(const struct measurement *m, const struct vsm_people *people, const bool *taken,
                           const bool *done, int n, int which)
{
    for (int k = 0; k < m->film.cast_count; k++) {
        const struct vsm_person_box box = true_box(m, k, 0);
        float best = LEAST_OVERLAP;
        int own = -1;

        if (k == n || done[k] || m->film.people[k].distance >= m->film.people[n].distance)
            continue;
        for (int i = 0; i < people->count; i++) {
            const float o = taken[i] ? 0.0f : vsm_person_box_overlap(&box, &people->person[i].box[0]);

            if (o > best) {
                best = o;
                own = i;
            }
        }
        if (own == which)
            return true;
    }
    return false;
}

/* Whose number is still at them stays paired with it (CLEAR MOT: Bernardin & Stiefelhagen, 2008, section
 * 2.1.2). */
static void keep_pairs(struct measurement *m, const struct vsm_people *people, bool *taken, bool *done)
{
    for (int n = 0; n < m->film.cast_count; n++) {
        const struct vsm_person_box box = true_box(m, n, 0);

        for (int i = 0; i < people->count && !done[n]; i++) {
            if (taken[i] || people->person[i].id != m->score.last_id[n] ||
                vsm_person_box_overlap(&box, &people->person[i].box[0]) < LEAST_OVERLAP)
                continue;
            done[n] = taken[i] = true;
            note(m, n, &people->person[i]);
        }
    }
}

static void judge(struct measurement *m, const struct vsm_people *people)
{
    bool taken[VSM_MAX_PEOPLE] = {false}, done[VSM_TRUTH_SCENES_MAX_CAST] = {false};
    struct score *s = &m->score;

    s->boxes += people->count;
    for (int n = 0; n < m->film.cast_count; n++) {
        const struct vsm_person_box box = true_box(m, n, 0);

        done[n] = box.bottom - box.top < 0.02f || box.right - box.left < 0.005f;
        s->persons += !done[n];
    }
    keep_pairs(m, people, taken, done);
    for (;;) {
        float best = LEAST_OVERLAP;
        int who = -1, which = -1;

        for (int n = 0; n < m->film.cast_count; n++) {
            const struct vsm_person_box box = true_box(m, n, 0);

            for (int i = 0; i < people->count && !done[n]; i++) {
                const float o = taken[i] ? 0.0f : vsm_person_box_overlap(&box, &people->person[i].box[0]);

                if (o > best && !belongs_nearer(m, people, taken, done, n, i)) {
                    best = o;
                    who = n;
                    which = i;
                }
            }
        }
        if (who < 0)
            break;
        done[who] = taken[which] = true;
        note(m, who, &people->person[which]);
    }
    for (int i = 0; i < people->count; i++)
        s->strangers += !taken[i];
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int set_up(struct measurement *m, struct vsm_people_rule rule)
{
    const int side = m->options->eye;
    const struct vsm_view views[2] = {
        {.eye = VSM_LEFT, .source = {0, 0, side, side}, .width = side, .height = side},
        {.eye = VSM_RIGHT, .source = {side, 0, side, side}, .width = side, .height = side}};
    const struct vsm_people_stage_options people = {.detector = m->detector,
                                                    .eyes = {views[0].source, views[1].source},
                                                    .eye_count = 2,
                                                    .master = VSM_LEFT,
                                                    .projection = VSM_HALF_EQUIRECT,
                                                    .field_of_view = 180.0,
                                                    .baseline = VSM_TRUTH_FILM_BASELINE,
                                                    .interval = m->options->interval,
                                                    .correction = 300,
                                                    .rule = rule,
                                                    .pool = m->pool};
    int status = vsm_people_stage_create(&people, &m->people);

    if (status == VSM_OK && m->rvm)
        status = vsm_matte_stage_create(m->rvm, 1, views, 2, m->pool, &m->matte);
    return status == VSM_OK && m->rvm ? vsm_select_stage_create(m->pool, &m->select) : status;
}

/* alpha = clamp(A mean(x) + b) of an eye. */
static int fill_matte(const struct measurement *m, const struct vsm_frame *frame, int eye, float *rgb,
                      float *alpha)
{
    const size_t n = (size_t)m->options->eye * (size_t)m->options->eye;
    const float *a = vsm_tensor_f32(frame->mattes[eye].coefficients) + 3 * n, *b = a + 4 * n;
    int status = vsm_preprocess(frame->source, &frame->mattes[eye].view, rgb, m->pool);

    for (size_t i = 0; i < n; i++)
        alpha[i] = fminf(fmaxf(a[i] * (rgb[i] + rgb[n + i] + rgb[2 * n + i]) / 3.0f + b[i], 0.0f), 1.0f);
    return status;
}

static void line(struct vsm_image *image, int x, int y, bool good)
{
    uint8_t *p;

    if (x < 0 || y < 0 || x >= image->width || y >= image->height)
        return;
    p = image->data[0] + (ptrdiff_t)y * image->stride[0] + 3 * (ptrdiff_t)x;
    p[0] = good ? 0 : 255;
    p[1] = good ? 255 : 0;
    p[2] = 0;
}

static void draw_box(struct vsm_image *image, const struct vsm_person_box *box, int from, int side, bool good)
{
    const int x0 = (int)(box->left * (float)side), x1 = (int)(box->right * (float)side);
    const int y0 = (int)(box->top * (float)side), y1 = (int)(box->bottom * (float)side);

    for (int x = x0; x <= x1; x++) {
        line(image, from + x, y0, good);
        line(image, from + x, y1, good);
    }
    for (int y = y0; y <= y1; y++) {
        line(image, from + x0, y, good);
        line(image, from + x1, y, good);
    }
}

/* Both eyes with the boxes of the chosen in green and of the others in red; with a matter, darker where it
 * has gone. */
static int draw(const struct measurement *m, const struct vsm_frame *frame, float *const alpha[2])
{
    const int side = m->options->eye;
    char *path = vsm_mem_format("path", "%s%s_%03d.png", m->options->pictures, m->film.options.scene.name,
                                (int)frame->index);
    struct vsm_image *image = vsm_image_create((struct vsm_format){.planes = VSM_PLANES_RGB, .depth = 8},
                                               2 * side, side, (struct vsm_colour){0});
    int status = path && image ? VSM_OK : VSM_E_NOMEM;

    for (int y = 0; status == VSM_OK && y < side; y++) {
        for (int x = 0; x < 2 * side; x++) {
            const float *rgba = vsm_canvas_at(&m->film.canvas, x / side, x % side, y);
            const float light = alpha ? 0.2f + 0.8f * alpha[x / side][y * side + x % side] : 1.0f;

            for (int c = 0; c < 3; c++)
                image->data[0][(ptrdiff_t)y * image->stride[0] + 3 * x + c] =
                    (uint8_t)(255.0f * light * fminf(fmaxf(rgba[c], 0.0f), 1.0f));
        }
    }
    for (int i = 0; status == VSM_OK && i < frame->people.count; i++) {
        for (int eye = 0; eye < 2; eye++)
            draw_box(image, &frame->people.person[i].box[eye], eye * side, side,
                     frame->people.person[i].chosen);
    }
    if (status == VSM_OK)
        status = vsm_still_write_png(path, image);
    vsm_image_unref(&image);
    vsm_mem_free(path);
    return status;
}

/* Both eyes' SAD before and after the choice; the frame's picture. */
static int judge_mattes(struct measurement *m, struct vsm_frame *frame, float *const room[4])
{
    const struct vsm_stage matte = vsm_matte_stage_describe(m->matte),
                           select = vsm_select_stage_describe(m->select);
    const int side = m->options->eye;
    int status = matte.run(matte.self, frame);

    for (int pass = 0; pass < 2 && status == VSM_OK; pass++) {
        if (pass == 1)
            status = select.run(select.self, frame);
        for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
            float *truth = room[3];

            status = fill_matte(m, frame, eye, room[2], room[eye]);
            for (int i = 0; i < side * side; i++)
                truth[i] = vsm_canvas_at(&m->film.canvas, eye, i % side, i / side)[3];
            m->score.sad[pass][eye] +=
                vsm_metrics_sad(room[eye], truth, (size_t)side * (size_t)side) / 1000.0;
        }
    }
    return status;
}

static int take(struct measurement *m, const struct vsm_image *image, int number, float *const room[4])
{
    struct vsm_frame *frame = vsm_frame_create();
    const struct vsm_stage people = vsm_people_stage_describe(m->people);
    const double start = cpu_seconds();
    int status;

    if (!frame)
        return VSM_E_NOMEM;
    frame->index = frame->seq = number;
    frame->source = vsm_image_ref((struct vsm_image *)image);
    status = people.run(people.self, frame);
    m->score.seconds += cpu_seconds() - start;
    if (status == VSM_OK)
        judge(m, &frame->people);
    if (status == VSM_OK && m->matte)
        status = judge_mattes(m, frame, room);
    if (status == VSM_OK && m->options->pictures && number % 10 == 0)
        status = draw(m, frame, m->matte ? room : NULL);
    vsm_frame_destroy(&frame);
    return status;
}

static int rule_of(const struct measurement *m, struct vsm_people_rule *rule)
{
    const int chosen = m->options->choose;
    const struct vsm_person_box box = true_box(m, chosen, 0);

    *rule = (struct vsm_people_rule){.kind = VSM_PEOPLE_ALL};
    if (chosen < 0)
        return VSM_OK;
    if (chosen >= m->film.cast_count || box.right <= 0.0f)
        return vsm_fail(VSM_E_USAGE, "%s: nobody with number %d in its first picture",
                        m->film.options.scene.name, chosen);
    *rule = (struct vsm_people_rule){
        .kind = VSM_PEOPLE_PLACES,
        .count = 1,
        .place = {
            {.x = box.left, .y = box.top, .width = box.right - box.left, .height = box.bottom - box.top}}};
    return VSM_OK;
}

static int shoot_all(struct measurement *m)
{
    const size_t pixels = (size_t)m->options->eye * (size_t)m->options->eye;
    struct vsm_image *image = vsm_canvas_yuv_image(&m->film.canvas);
    float *room = vsm_mem_alloc("measurement", 6 * pixels, sizeof(float));
    float *const parts[4] = {room, room + pixels, room + 2 * pixels, room + 5 * pixels};
    int status = image && room ? VSM_OK : VSM_E_NOMEM;

    for (int i = 0; status == VSM_OK && i < m->options->frames; i++) {
        status = vsm_truth_film_shoot(&m->film, i);
        if (status == VSM_OK && i == 0) {
            struct vsm_people_rule rule;

            status = rule_of(m, &rule);
            if (status == VSM_OK)
                status = set_up(m, rule);
        }
        if (status != VSM_OK)
            break;
        vsm_canvas_to_yuv(&m->film.canvas, image);
        status = take(m, image, i, parts);
    }
    vsm_mem_free(room);
    vsm_image_unref(&image);
    return status;
}

static void print(const struct measurement *m)
{
    const struct score *s = &m->score;
    const double found = fmax((double)s->found, 1.0), frames = m->options->frames;
    float jump = 0.0f;

    qsort(s->jumps, (size_t)s->jump_count, sizeof(float), compare);
    if (s->jump_count > 0)
        jump = s->jumps[(long)(0.95 * (double)(s->jump_count - 1))];
    printf("%-20s found %ld of %ld, switches %ld, strangers %ld of %ld, overlap left %.3f right %.3f, jump "
           "%.1f, "
           "%.1f ms a frame",
           m->film.options.scene.name, s->found, s->persons, s->switches, s->strangers, s->boxes,
           s->overlap[0] / found, s->overlap[1] / found, (double)jump, 1000.0 * s->seconds / frames);
    if (m->matte)
        printf(", SAD left %.2f -> %.2f right %.2f -> %.2f", s->sad[0][0] / frames, s->sad[1][0] / frames,
               s->sad[0][1] / frames, s->sad[1][1] / frames);
    printf("\n");
    fflush(stdout);
}

static int measure_scene(struct measurement *m, const struct vsm_truth_scenes_scene *scene)
{
    const struct vsm_truth_film_options filming = {.data = m->options->data,
                                                   .scene = *scene,
                                                   .frames = m->options->frames,
                                                   .eye = m->options->eye,
                                                   .passers_by = m->options->choose < 0
                                                                     ? 0
                                                                     : ~(1u << m->options->choose)};
    int status = vsm_truth_film_create(&filming, &m->film);

    m->film.options.scene.swapped = false; /* the program's plan puts the eyes right */
    m->score = (struct score){0};
    m->score.jumps =
        vsm_mem_alloc("measurement", (size_t)m->options->frames * VSM_TRUTH_SCENES_MAX_CAST, sizeof(float));
    if (!m->score.jumps)
        status = VSM_E_NOMEM;
    if (status == VSM_OK)
        status = shoot_all(m);
    if (status == VSM_OK)
        print(m);
    vsm_mem_free(m->score.jumps);
    vsm_people_stage_destroy(m->people);
    vsm_matte_stage_destroy(m->matte);
    vsm_select_stage_destroy(m->select);
    m->people = NULL;
    m->matte = NULL;
    m->select = NULL;
    vsm_truth_film_destroy(&m->film);
    return status;
}

static int measure(const struct options *o, char *const *names, int count)
{
    const struct vsm_session_options session = {.threads = 1};
    const struct vsm_rvm_options matter = {.graph_path = VSM_MODELS_DIR "/rvm.json",
                                           .width = o->eye,
                                           .height = o->eye,
                                           .batch = 1,
                                           .session = {.threads = 2}};
    struct measurement m = {.options = o, .pool = vsm_parallel_create(2)};
    int status = m.pool ? vsm_detector_create(VSM_MODELS_DIR "/" VSM_DETECTOR_GRAPH, &session, &m.detector)
                        : VSM_E_NOMEM;

    if (status == VSM_OK && o->choose >= 0)
        status = vsm_rvm_create(&matter, &m.rvm);
    for (int i = 0; status == VSM_OK && (count ? i < count : vsm_truth_scenes_get(i) != NULL); i++) {
        const struct vsm_truth_scenes_scene *scene =
            count ? vsm_truth_scenes_find(names[i]) : vsm_truth_scenes_get(i);

        status = scene ? measure_scene(&m, scene)
                       : vsm_fail(VSM_E_USAGE, "%s: no such scene; see make_stereo_truth --list", names[i]);
    }
    vsm_rvm_destroy(m.rvm);
    vsm_detector_destroy(m.detector);
    vsm_parallel_destroy(m.pool);
    return status;
}

static int usage(void)
{
    fprintf(stderr, "usage: measure_people [--data FOLDER] [--eye PIXELS] [--frames N] [--interval N]\n"
                    "           [--choose N] [--pictures PREFIX] [SCENE ...]\n");
    return VSM_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"data", required_argument, NULL, 'd'},
                                          {"eye", required_argument, NULL, 'e'},
                                          {"frames", required_argument, NULL, 'f'},
                                          {"interval", required_argument, NULL, 'i'},
                                          {"pictures", required_argument, NULL, 'p'},
                                          {"choose", required_argument, NULL, 'c'},
                                          {0}};
    struct options o = {.data = "../shared/data", .eye = 512, .frames = 60, .interval = 8, .choose = -1};
    int letter, status;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter == 'd')
            o.data = optarg;
        else if (letter == 'p')
            o.pictures = optarg;
        else if (letter == 'e')
            o.eye = atoi(optarg);
        else if (letter == 'f')
            o.frames = atoi(optarg);
        else if (letter == 'i')
            o.interval = atoi(optarg);
        else if (letter == 'c')
            o.choose = atoi(optarg);
        else
            return usage();
    }
    if (o.eye < 128 || o.eye > 2048 || o.eye % 64 != 0 || o.frames < 1 || o.interval < 1 ||
        o.choose >= VSM_TRUTH_SCENES_MAX_CAST)
        return usage();
    status = measure(&o, argv + optind, argc - optind);
    if (status != VSM_OK)
        fprintf(stderr, "measure_people: %s\n", vsm_error_message());
    return (int)vsm_status_exit_code(status);
}
