/* Measures the stereo manager on scenes of known truth: the real matter and manager, without decoding and
 * encoding.
 *
 *   measure_stereo [options] [SCENE ...]          all scenes of make_stereo_truth --list if none is named
 *
 * Each scene is matted twice, with eyes left alone and with both mended. Printed for each: the eyes'
 * agreement (mean over frames with people) left alone, and before and after mending, as the mattes are given
 * out; SAD of both eyes against the truth, thousands of pixels a frame, left alone and mended. --warm-up
 * frames before the first are matted too, but not counted, as a job has been running. --no-repair:
 * recurrent states are left alone. With a fault: the same frame by frame.
 */
#include "base/mem.h"
#include "build_config.h"
#include "image/preprocess.h"
#include "media/still.h"
#include "stages/matte_stage.h"
#include "stages/stereo_manager.h"
#include "stereo/transfer.h"
#include "tools/metrics.h"
#include "tools/truth_film.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SAD from which on a scene counts as worse, of that alone. */
#define WORSE 1.0005

enum poison { POISON_NONE, POISON_NAN, POISON_WRONG };

struct options {
    const char *data, *models, *pictures;
    int eye, frames, from, count, warm_up;
    double threshold;
    struct vsm_eye_faults_fault fault;
    enum poison poison; /* of poisoned_eye's state before frame poisoned_frame */
    int poisoned_eye;
    int poisoned_frame;
    bool each;      /* print every frame */
    bool no_repair; /* leave recurrent states alone */
};

/* One way to matte the scene. */
struct way {
    struct vsm_rvm *rvm;
    struct vsm_matte_stage *matte;
    struct vsm_stereo_manager *manager;
    struct vsm_matte_review review; /* the manager's; ours stands before it */
    const struct options *options;
    bool poisoned;
    const char *name; /* for pictures */
    double sad[2], last[2], before, after;
    int people;
};

/* Over the scenes: sums of their agreement. */
struct summary {
    double alone, mended;
    int scenes, worse;
};

static size_t pixels_of(const struct options *o)
{
    return (size_t)o->eye * (size_t)o->eye;
}

/* Values of the right size and in the wrong places, or none at all. */
static void poison(const struct options *o, struct vsm_rvm_state *state)
{
    for (int i = 0; i < VSM_RVM_STATES; i++) {
        float *v = state->r[i] ? vsm_tensor_f32(state->r[i]) : NULL;
        const size_t n = v ? (size_t)vsm_tensor_count(state->r[i]) : 0;

        for (size_t k = 0; k < n / 2; k++) {
            const float kept = v[k];

            v[k] = o->poison == POISON_NAN ? NAN : v[n - 1 - k];
            v[n - 1 - k] = kept;
        }
    }
}

static int review(void *self, struct vsm_frame *frame, const float *const rgb[], struct vsm_rvm_state *states)
{
    struct way *way = self;
    int status = way->review.run(way->review.self, frame, rgb, way->options->no_repair ? NULL : states);

    if (way->options->poison != POISON_NONE && !way->poisoned &&
        frame->index + 1 >= way->options->poisoned_frame) {
        poison(way->options, &states[way->options->poisoned_eye]);
        way->poisoned = true;
    }
    return status;
}

static int open_way(struct way *way, const struct options *o, struct vsm_rvm *rvm, bool mend,
                    struct vsm_parallel *pool)
{
    const struct vsm_view views[2] = {
        {.eye = VSM_LEFT, .source = {0, 0, o->eye, o->eye}, .width = o->eye, .height = o->eye},
        {.eye = VSM_RIGHT, .source = {o->eye, 0, o->eye, o->eye}, .width = o->eye, .height = o->eye}};
    const struct vsm_stereo_manager_options options = {.views = views,
                                                       .view_count = 2,
                                                       .baseline = VSM_TRUTH_FILM_BASELINE,
                                                       .threshold = o->threshold,
                                                       .mend = mend,
                                                       .pool = pool};
    const struct vsm_matte_review own = {.self = way, .run = review};
    int status;

    *way = (struct way){.options = o, .rvm = rvm, .name = mend ? "_mended" : "_alone"};
    status = vsm_matte_stage_create(rvm, 1, views, 2, pool, &way->matte);
    if (status == VSM_OK)
        status = vsm_stereo_manager_create(&options, &way->manager);
    if (status != VSM_OK)
        return status;
    way->review = vsm_stereo_manager_review(way->manager);
    vsm_matte_stage_set_review(way->matte, &own);
    return VSM_OK;
}

static void close_way(struct way *way)
{
    vsm_matte_stage_destroy(way->matte);
    vsm_stereo_manager_destroy(way->manager);
}

/* The canvas' colours of an eye as the program decodes them, and its true alpha. */
static void fill_truth(const struct vsm_truth_film *film, int eye, float *truth)
{
    const int side = film->options.eye;

    for (int i = 0; i < side * side; i++)
        truth[i] = vsm_canvas_at(&film->canvas, eye, i % side, i / side)[3];
}

static void fill_matte(const struct options *o, const struct vsm_frame *frame, int eye, const float *rgb,
                       float *alpha)
{
    const size_t n = pixels_of(o);
    const float *a = vsm_tensor_f32(frame->mattes[eye].coefficients) + 3 * n, *b = a + 4 * n;

    for (size_t i = 0; i < n; i++)
        alpha[i] = fminf(fmaxf(a[i] * (rgb[i] + rgb[n + i] + rgb[2 * n + i]) / 3.0f + b[i], 0.0f), 1.0f);
}

static void put(struct vsm_image *image, int x, int y, float r, float g, float b)
{
    uint8_t *p = image->data[0] + (ptrdiff_t)y * image->stride[0] + 3 * (ptrdiff_t)x;
    const float v[3] = {r, g, b};

    for (int c = 0; c < 3; c++)
        p[c] = (uint8_t)lroundf(255.0f * fminf(fmaxf(v[c], 0.0f), 1.0f));
}

/* The left matte moved into the right eye, as the mattes were given out. */
static int move_left(const struct options *o, float *alpha[2], const float *const rgb[2], float *moved)
{
    const struct vsm_view view = {.source = {0, 0, o->eye, o->eye}, .width = o->eye, .height = o->eye};
    const struct vsm_disparity_picture left = {rgb[0], alpha[0]}, right = {rgb[1], alpha[1]};
    const struct vsm_disparity_search search = {.both_ways = true};
    struct vsm_disparity_options options = {.baseline = VSM_TRUTH_FILM_BASELINE};
    struct vsm_disparity_map *map = vsm_mem_alloc("stereo map", 1, sizeof(*map));
    struct vsm_disparity *disparity = NULL;
    struct vsm_view_map eye;
    int status = map ? vsm_view_map_init(&eye, &view) : VSM_E_NOMEM;

    options.view = &eye;
    if (status == VSM_OK)
        status = vsm_disparity_create(&options, &disparity);
    if (status == VSM_OK) {
        vsm_disparity_measure(disparity, &left, &right, &search, map);
        vsm_transfer_alpha(map, alpha[0], alpha[1], o->eye, o->eye, moved, NULL);
    }
    vsm_disparity_destroy(disparity);
    vsm_mem_free(map);
    return status;
}

/* Both eyes, brighter where the matte is; green is missing, red too much. Then the left matte, moved, in red
 * over the right one in cyan. */
static int draw(const struct way *way, const char *scene, int number, float *alpha[2], float *truth[2],
                const float *const rgb[2])
{
    const struct options *o = way->options;
    char *path = vsm_mem_format("path", "%s%s_%03d%s.png", o->pictures, scene, number, way->name);
    struct vsm_image *image = vsm_image_create((struct vsm_format){.planes = VSM_PLANES_RGB, .depth = 8},
                                               3 * o->eye, o->eye, (struct vsm_colour){0});
    const size_t n = pixels_of(o);
    float *moved = vsm_mem_alloc("matte", n, sizeof(float));
    int status = path && image && moved ? VSM_OK : VSM_E_NOMEM;

    if (status == VSM_OK)
        status = move_left(o, alpha, rgb, moved);
    for (size_t i = 0; status == VSM_OK && i < n; i++) {
        const int x = (int)(i % (size_t)o->eye), y = (int)(i / (size_t)o->eye);

        for (int eye = 0; eye < 2; eye++) {
            const float light = 0.3f + 0.7f * alpha[eye][i], wrong = alpha[eye][i] - truth[eye][i];

            put(image, eye * o->eye + x, y, rgb[eye][i] * light + fmaxf(wrong, 0.0f),
                rgb[eye][n + i] * light - fminf(wrong, 0.0f), rgb[eye][2 * n + i] * light);
        }
        put(image, 2 * o->eye + x, y, moved[i], alpha[1][i], alpha[1][i]);
    }
    if (status == VSM_OK)
        status = vsm_still_write_png(path, image);
    vsm_image_unref(&image);
    vsm_mem_free(moved);
    vsm_mem_free(path);
    return status;
}

/* One frame through one way. */
static int take(struct way *way, const char *scene, const struct vsm_image *source, int number,
                float *truth[2], float *alpha[2], struct vsm_parallel *pool)
{
    struct vsm_frame *frame = vsm_frame_create();
    const struct options *o = way->options;
    const struct vsm_stereo_pair_result *r = vsm_stereo_manager_last(way->manager, 0);
    struct vsm_stage stage = vsm_matte_stage_describe(way->matte);
    float *rgb[2];
    int status = frame ? VSM_OK : VSM_E_NOMEM;

    if (frame) {
        frame->index = frame->seq = number;
        frame->source = vsm_image_ref((struct vsm_image *)source);
        status = stage.run(stage.self, frame);
    }
    for (int eye = 0; eye < 2; eye++)
        rgb[eye] = vsm_mem_alloc("grid", 3 * pixels_of(o), sizeof(float));
    for (int eye = 0; status == VSM_OK && eye < 2; eye++) {
        status = vsm_preprocess(source, &frame->mattes[eye].view, rgb[eye], pool);
        fill_matte(o, frame, eye, rgb[eye], alpha[eye]);
        way->last[eye] = vsm_metrics_sad(alpha[eye], truth[eye], pixels_of(o)) / 1000.0;
        way->sad[eye] += number < o->from ? 0.0 : way->last[eye];
    }
    if (status == VSM_OK && number >= o->from && r->before.people) {
        way->before += (double)r->before.overlap;
        way->after += (double)r->after.overlap;
        way->people++;
    }
    if (status == VSM_OK && o->pictures)
        status = draw(way, scene, number, alpha, truth, (const float *const[]){rgb[0], rgb[1]});
    vsm_mem_free(rgb[0]);
    vsm_mem_free(rgb[1]);
    vsm_frame_destroy(&frame);
    return status;
}

static void print_frame(const struct way ways[2], int number)
{
    const struct vsm_stereo_pair_result *r = vsm_stereo_manager_last(ways[1].manager, 0);
    const struct vsm_stereo_pair_result *alone = vsm_stereo_manager_last(ways[0].manager, 0);

    printf(
        "  %3d  alone %.4f  mended %.4f -> %.4f  SAD left %.2f -> %.2f  right %.2f -> %.2f  taken %.2f %.2f "
        "matched %.2f%s\n",
        number, (double)alone->before.overlap, (double)r->before.overlap, (double)r->after.overlap,
        ways[0].last[0], ways[1].last[0], ways[0].last[1], ways[1].last[1], (double)r->taken[0],
        (double)r->taken[1], (double)r->before.matched, r->measured ? "" : "  not measured");
}

static void print_lists(const struct way *way)
{
    static const char *const names[] = {"below",    "mended L", "mended R",  "black L",  "black R",
                                        "frozen L", "frozen R", "blurred L", "blurred R"};
    const struct vsm_stereo_tally *t = vsm_stereo_manager_tally(way->manager);

    for (int kind = 0; kind < VSM_STEREO_TALLY_KINDS; kind++) {
        const struct vsm_stereo_tally_list *list = &t->lists[kind];

        if (list->frames == 0)
            continue;
        printf("  %s:", names[kind]);
        for (int i = 0; i < list->range_count; i++)
            printf(" %lld-%lld", (long long)list->ranges[i].first, (long long)list->ranges[i].last);
        printf("\n");
    }
}

static void print_scene(const char *name, const struct way ways[2], const struct options *o,
                        struct summary *all)
{
    const double n = o->count;
    const double alone = (ways[0].sad[0] + ways[0].sad[1]) / n,
                 mended = (ways[1].sad[0] + ways[1].sad[1]) / n;
    const double before = ways[0].before / fmax(ways[0].people, 1),
                 after = ways[1].after / fmax(ways[1].people, 1);
    const bool worse = mended > alone * WORSE;

    printf(
        "%-20s agree %.4f  mended %.4f -> %.4f  SAD left %6.2f -> %6.2f  right %6.2f -> %6.2f  both %6.2f -> "
        "%6.2f (%+.2f %%)  %s\n",
        name, before, ways[1].before / fmax(ways[1].people, 1), after, ways[0].sad[0] / n, ways[1].sad[0] / n,
        ways[0].sad[1] / n, ways[1].sad[1] / n, alone, mended, 100.0 * (mended / fmax(alone, 1e-9) - 1.0),
        worse ? "WORSE" : "ok");
    fflush(stdout);
    all->scenes++;
    all->worse += worse;
    all->alone += before;
    all->mended += after;
}

static int shoot_and_take(const struct options *o, struct vsm_truth_film *film, struct way ways[2],
                          struct vsm_parallel *pool)
{
    float *truth[2], *alpha[2];
    struct vsm_image *image = vsm_canvas_yuv_image(&film->canvas);
    int status = image ? VSM_OK : VSM_E_NOMEM;

    for (int eye = 0; eye < 2; eye++) {
        truth[eye] = vsm_mem_alloc("truth", pixels_of(o), sizeof(float));
        alpha[eye] = vsm_mem_alloc("matte", pixels_of(o), sizeof(float));
        if (!truth[eye] || !alpha[eye])
            status = VSM_E_NOMEM;
    }
    for (int i = -o->warm_up; status == VSM_OK && i < o->count; i++) {
        status = vsm_truth_film_shoot(film, o->from + i);
        if (status != VSM_OK)
            break;
        vsm_canvas_to_yuv(&film->canvas, image);
        for (int eye = 0; eye < 2; eye++)
            fill_truth(film, eye, truth[eye]);
        for (int w = 0; w < 2 && status == VSM_OK; w++)
            status = take(&ways[w], film->options.scene.name, image, o->from + i, truth, alpha, pool);
        if (status == VSM_OK && o->each)
            print_frame(ways, o->from + i);
    }
    for (int eye = 0; eye < 2; eye++) {
        vsm_mem_free(truth[eye]);
        vsm_mem_free(alpha[eye]);
    }
    vsm_image_unref(&image);
    return status;
}

static int measure_scene(const struct options *o, const struct vsm_truth_scenes_scene *scene,
                         struct vsm_rvm *rvm, struct vsm_parallel *pool, struct summary *all)
{
    const struct vsm_truth_film_options filming = {
        .data = o->data, .scene = *scene, .frames = o->frames, .eye = o->eye, .fault = o->fault};
    struct vsm_truth_film film = {0};
    struct way ways[2] = {0};
    int status = vsm_truth_film_create(&filming, &film);

    for (int w = 0; w < 2 && status == VSM_OK; w++)
        status = open_way(&ways[w], o, rvm, w == 1, pool);
    film.options.scene.swapped = false; /* the program's plan puts the eyes right */
    if (status == VSM_OK)
        status = shoot_and_take(o, &film, ways, pool);
    if (status == VSM_OK) {
        print_scene(scene->name, ways, o, all);
        if (o->each)
            print_lists(&ways[1]);
    }
    for (int w = 0; w < 2; w++)
        close_way(&ways[w]);
    vsm_truth_film_destroy(&film);
    return status;
}

static int measure(const struct options *o, char *const *names, int count)
{
    const struct vsm_rvm_options matter = {
        .graph_path = o->models, .width = o->eye, .height = o->eye, .batch = 1, .session = {.threads = 2}};
    struct vsm_parallel *pool = vsm_parallel_create(2);
    struct summary all = {0};
    struct vsm_rvm *rvm = NULL;
    int status = pool ? vsm_rvm_create(&matter, &rvm) : VSM_E_NOMEM;

    for (int i = 0; status == VSM_OK && (count ? i < count : vsm_truth_scenes_get(i) != NULL); i++) {
        const struct vsm_truth_scenes_scene *scene =
            count ? vsm_truth_scenes_find(names[i]) : vsm_truth_scenes_get(i);

        status = scene ? measure_scene(o, scene, rvm, pool, &all)
                       : vsm_fail(VSM_E_USAGE, "%s: no such scene; see make_stereo_truth --list", names[i]);
    }
    if (all.scenes > 1)
        printf("%d scenes: agree %.4f  mended %.4f  SAD worse in %d\n", all.scenes, all.alone / all.scenes,
               all.mended / all.scenes, all.worse);
    vsm_rvm_destroy(rvm);
    vsm_parallel_destroy(pool);
    return status;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: measure_stereo [--data FOLDER] [--model rvm.json] [--eye PIXELS] [--length FRAMES]\n"
            "           [--from N] [--count N] [--warm-up N] [--threshold X] [--each] [--pictures PREFIX]\n"
            "           [--fault [left:]black|frozen|blurred|finger:FROM:COUNT] [--poison "
            "[left:]nan|wrong:FRAME] "
            "[--no-repair] [SCENE ...]\n");
    return VSM_EXIT_USAGE;
}

static bool parse_poison(const char *text, struct options *o)
{
    const bool left = strncmp(text, "left:", 5) == 0;
    char kind[8];

    o->poisoned_eye = left ? 0 : 1;
    text += left ? 5 : 0;
    if (sscanf(text, "%7[a-z]:%d", kind, &o->poisoned_frame) != 2)
        return false;
    o->poison = strcmp(kind, "nan") == 0     ? POISON_NAN
                : strcmp(kind, "wrong") == 0 ? POISON_WRONG
                                             : POISON_NONE;
    return o->poison != POISON_NONE;
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"data", required_argument, NULL, 'd'},      {"model", required_argument, NULL, 'm'},
        {"eye", required_argument, NULL, 'e'},       {"length", required_argument, NULL, 'l'},
        {"from", required_argument, NULL, 'f'},      {"count", required_argument, NULL, 'c'},
        {"threshold", required_argument, NULL, 't'}, {"each", no_argument, NULL, 'a'},
        {"pictures", required_argument, NULL, 'p'},  {"fault", required_argument, NULL, 'x'},
        {"poison", required_argument, NULL, 'q'},    {"warm-up", required_argument, NULL, 'w'},
        {"no-repair", no_argument, NULL, 'r'},       {0}};
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter == 'd')
            o->data = optarg;
        else if (letter == 'm')
            o->models = optarg;
        else if (letter == 'e')
            o->eye = atoi(optarg);
        else if (letter == 'l')
            o->frames = atoi(optarg);
        else if (letter == 'f')
            o->from = atoi(optarg);
        else if (letter == 'c')
            o->count = atoi(optarg);
        else if (letter == 'w')
            o->warm_up = atoi(optarg);
        else if (letter == 'r')
            o->no_repair = true;
        else if (letter == 't')
            o->threshold = atof(optarg);
        else if (letter == 'a')
            o->each = true;
        else if (letter == 'p')
            o->pictures = optarg;
        else if (letter == 'x' ? !vsm_eye_faults_parse(optarg, &o->fault)
                               : letter != 'q' || !parse_poison(optarg, o))
            return false;
    }
    return o->eye >= 64 && o->eye <= 2048 && o->eye % 64 == 0 && o->frames > 0 && o->warm_up >= 0 &&
           o->from >= o->warm_up && o->count > 0 && o->from + o->count <= o->frames;
}

int main(int argc, char **argv)
{
    struct options o = {.data = "../shared/data",
                        .models = VSM_MODELS_DIR "/rvm.json",
                        .eye = 512,
                        .frames = 60,
                        .from = 20,
                        .count = 16,
                        .threshold = 0.95};
    int status;

    if (!parse(argc, argv, &o))
        return usage();
    status = measure(&o, argv + optind, argc - optind);
    if (status != VSM_OK)
        fprintf(stderr, "measure_stereo: %s\n", vsm_error_message());
    return (int)vsm_status_exit_code(status);
}
