/* Makes VR180 scenes of real people with exact alpha, depth and disparity, to measure stereo matting by.
 *
 *   make_stereo_truth [options] SCENE PREFIX      writes PREFIX.source.mkv, PREFIX.alpha.mkv and PREFIX.json
 *   make_stereo_truth --list
 *
 * Scenes: tools/truth_scenes.c; options override what the scene says of the cameras, and --cast who is in it.
 * Both videos are side by side; the alpha is 8-bit grey, full range, FFV1. In the JSON, lengths are metres,
 * angles degrees, u and v pixels of one eye, and disparity is left u - right u (vertical: left v - right v)
 * of the true eyes, also if they are swapped. Faults change one eye's colours only: the truth stays what
 * ought to be found. Same options, same pixels.
 */
#include "base/mem.h"
#include "base/status.h"
#include "tools/clip_writer.h"
#include "tools/truth_film.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_PER_SECOND 30

struct options {
    const char *data, *codec;
    const struct vsm_truth_scenes_scene *scene;
    struct vsm_truth_scenes_scene camera; /* the scene as overridden */
    int frames, eye;
    struct vsm_eye_faults_fault fault;
    const char *prefix;
};

struct stage {
    const struct options *options;
    struct vsm_truth_film film;
    struct vsm_video_writer *source, *alpha;
    FILE *json;
    char *json_path;
};

static double degrees(double angle)
{
    return angle / M_PI * 180.0;
}

static void write_bands(const struct stage *stage, const struct vsm_billboards_seen *seen)
{
    int rows = stage->options->eye * VSM_BILLBOARDS_BAND / 1024, written = 0;

    fprintf(stage->json, "\"bands\": [");
    for (int i = 0; i < 1024 / VSM_BILLBOARDS_BAND; i++) {
        const struct vsm_billboards_band *band = &seen->bands[i];

        if (band->pixels > 0)
            fprintf(stage->json,
                    "%s{\"v\": %d, \"rows\": %d, \"pixels\": %ld, \"disparity\": %.3f, \"vertical\": %.3f}",
                    written++ ? ", " : "", i * rows, rows, band->pixels, band->u_sum / (double)band->pixels,
                    band->v_sum / (double)band->pixels);
    }
    fprintf(stage->json, "]");
}

static void write_person(const struct stage *stage, int n, const struct vsm_billboards_person *person,
                         const struct vsm_billboards_seen *seen)
{
    double height = vsm_cutout_find(stage->options->camera.cast[n].person)->height;
    double middle[3] = {person->distance * sin(person->azimuth), person->bottom + 0.5 * height,
                        person->distance * cos(person->azimuth)};
    double left[2] = {0}, right[2] = {0};
    bool seen_left =
        vsm_billboards_project(&stage->film.canvas, &stage->film.rig, 0, middle, &left[0], &left[1]);
    bool seen_right =
        vsm_billboards_project(&stage->film.canvas, &stage->film.rig, 1, middle, &right[0], &right[1]);

    fprintf(stage->json,
            "%s{\"person\": %d, \"distance\": %.4f, \"azimuth\": %.3f, \"area_left\": %.1f, \"area_right\": "
            "%.1f, ",
            n ? ",\n   " : "", n, person->distance, degrees(person->azimuth), seen->area[0], seen->area[1]);
    if (seen_left && seen_right)
        fprintf(stage->json,
                "\"left\": [%.3f, %.3f], \"right\": [%.3f, %.3f], \"disparity\": %.3f, \"vertical\": %.3f, ",
                left[0], left[1], right[0], right[1], left[0] - right[0], left[1] - right[1]);
    write_bands(stage, seen);
    fprintf(stage->json, "}");
}

static void write_head(const struct stage *stage)
{
    const struct options *o = stage->options;

    fprintf(
        stage->json,
        "{\"scene\": \"%s\", \"eye\": %d, \"frames\": %d, \"fps\": %d, \"baseline\": %g, \"swapped\": %s,\n"
        " \"vertical_offset\": %g, \"vertical_pixels\": %.3f, \"gain_right\": %g, \"noise\": %g,\n"
        " \"fault\": {\"eye\": \"%s\", \"kind\": \"%s\", \"from\": %d, \"count\": %d},\n \"people\": [",
        o->scene->name, o->eye, o->frames, FRAMES_PER_SECOND, VSM_TRUTH_FILM_BASELINE,
        o->camera.swapped ? "true" : "false", o->camera.vertical, o->camera.vertical / 180.0 * o->eye,
        o->camera.gain, o->camera.noise, o->fault.eye ? "right" : "left", vsm_eye_faults_name(o->fault.kind),
        o->fault.from, o->fault.count);
    for (int n = 0; n < stage->film.cast_count; n++)
        fprintf(stage->json, "%s\"%s\"", n ? ", " : "", o->camera.cast[n].person);
    fprintf(stage->json, "],\n \"truth\": [\n");
}

static int write_picture(struct vsm_video_writer *writer, const struct vsm_canvas *canvas, bool alpha,
                         int number)
{
    struct vsm_image *image = alpha ? vsm_canvas_grey_image(canvas) : vsm_canvas_yuv_image(canvas);
    int status;

    if (!image)
        return VSM_E_NOMEM;
    if (alpha)
        vsm_canvas_to_grey(canvas, image);
    else
        vsm_canvas_to_yuv(canvas, image);
    status = vsm_video_writer_put(writer, &image, number, 1);
    vsm_image_unref(&image);
    return status;
}

static int make_frame(struct stage *stage, int number)
{
    const struct vsm_truth_film *film = &stage->film;
    int status = vsm_truth_film_shoot(&stage->film, number);

    if (status != VSM_OK)
        return status;
    fprintf(stage->json, "  {\"frame\": %d, \"people\": [", number);
    for (int n = 0; n < film->cast_count; n++)
        write_person(stage, n, &film->people[n], &film->seen[n]);
    fprintf(stage->json, "]}%s\n", number + 1 < stage->options->frames ? "," : "");
    status = write_picture(stage->source, &film->canvas, false, number);
    return status == VSM_OK ? write_picture(stage->alpha, &film->canvas, true, number) : status;
}

static int open_video(const struct stage *stage, const char *suffix, bool alpha,
                      struct vsm_video_writer **writer)
{
    char *path = vsm_mem_format("path", "%s.%s.mkv", stage->options->prefix, suffix);
    struct vsm_image *like =
        alpha ? vsm_canvas_grey_image(&stage->film.canvas) : vsm_canvas_yuv_image(&stage->film.canvas);
    struct vsm_clip_writer_options options = {.path = path,
                                              .codec = alpha ? "ffv1" : stage->options->codec,
                                              .crf = alpha || strcmp(stage->options->codec, "ffv1") == 0
                                                         ? -1.0
                                                         : 10.0,
                                              .frames_per_second = FRAMES_PER_SECOND,
                                              .vr180 = true};
    int status = path && like ? vsm_clip_writer_open(&options, like, writer) : VSM_E_NOMEM;

    vsm_image_unref(&like);
    vsm_mem_free(path);
    return status;
}

static int set_up(struct stage *stage)
{
    const struct options *o = stage->options;
    const struct vsm_truth_film_options film = {
        .data = o->data, .scene = o->camera, .frames = o->frames, .eye = o->eye, .fault = o->fault};
    int status = (stage->json_path = vsm_mem_format("path", "%s.json", o->prefix))
                     ? vsm_truth_film_create(&film, &stage->film)
                     : VSM_E_NOMEM;

    if (status == VSM_OK && !(stage->json = fopen(stage->json_path, "w")))
        status = vsm_fail(VSM_E_OUTPUT, "%s: cannot be written", stage->json_path);
    if (status == VSM_OK)
        status = open_video(stage, "source", false, &stage->source);
    if (status == VSM_OK)
        status = open_video(stage, "alpha", true, &stage->alpha);
    return status;
}

static int make_scene(const struct options *options)
{
    struct stage stage = {.options = options};
    int status = set_up(&stage);

    if (status == VSM_OK)
        write_head(&stage);
    for (int n = 0; status == VSM_OK && n < options->frames; n++)
        status = make_frame(&stage, n);
    if (status == VSM_OK)
        status = vsm_video_writer_finish(stage.source);
    if (status == VSM_OK)
        status = vsm_video_writer_finish(stage.alpha);
    if (stage.json) {
        fprintf(stage.json, " ]}\n");
        if (fclose(stage.json) != 0 && status == VSM_OK)
            status = vsm_fail(VSM_E_OUTPUT, "%s.json: cannot be written", options->prefix);
    }
    vsm_video_writer_close(stage.source, false);
    vsm_video_writer_close(stage.alpha, false);
    if (status != VSM_OK && stage.json)
        remove(stage.json_path);
    vsm_truth_film_destroy(&stage.film);
    vsm_mem_free(stage.json_path);
    return status;
}

static int list_scenes(void)
{
    const struct vsm_truth_scenes_scene *scene;

    for (int i = 0; (scene = vsm_truth_scenes_get(i)); i++)
        printf("%s\n", scene->name);
    return VSM_EXIT_OK;
}

/* PERSON:FROM:TO:METRES[,...], angles in degrees. */
static bool parse_cast(const char *text, struct vsm_truth_scenes_role cast[VSM_TRUTH_SCENES_MAX_CAST])
{
    int count = 0;

    for (int size = 0; *text; text += size + (text[size] == ',')) {
        struct vsm_truth_scenes_role role;
        char name[16];

        if (count == VSM_TRUTH_SCENES_MAX_CAST ||
            sscanf(text, "%15[a-z]:%lf:%lf:%lf%n", name, &role.from_azimuth, &role.to_azimuth,
                   &role.from_distance, &size) != 4 ||
            !vsm_cutout_find(name) || !(role.from_distance > 0.1) || (text[size] && text[size] != ','))
            return false;
        role.person = vsm_cutout_find(name)->name;
        role.to_distance = role.from_distance;
        cast[count++] = role;
    }
    return count > 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: make_stereo_truth [--data FOLDER] [--frames N] [--eye PIXELS] [--codec ENCODER]\n"
                    "           [--vertical DEGREES] [--gain FACTOR] [--swap] [--noise STEPS]\n"
                    "           [--cast PERSON:FROM:TO:METRES[,...]]\n"
                    "           [--fault [left:]black|frozen|blurred|finger:FROM:COUNT] SCENE PREFIX\n"
                    "       make_stereo_truth --list\n");
    return VSM_EXIT_USAGE;
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"data", required_argument, NULL, 'd'},
                                          {"frames", required_argument, NULL, 'f'},
                                          {"eye", required_argument, NULL, 'e'},
                                          {"codec", required_argument, NULL, 'c'},
                                          {"vertical", required_argument, NULL, 'v'},
                                          {"gain", required_argument, NULL, 'g'},
                                          {"swap", no_argument, NULL, 's'},
                                          {"noise", required_argument, NULL, 'n'},
                                          {"fault", required_argument, NULL, 'x'},
                                          {"cast", required_argument, NULL, 'p'},
                                          {0}};
    struct vsm_truth_scenes_scene over = {.vertical = NAN, .gain = NAN, .noise = NAN};
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter == 'd')
            options->data = optarg;
        else if (letter == 'f')
            options->frames = atoi(optarg);
        else if (letter == 'e')
            options->eye = atoi(optarg);
        else if (letter == 'c')
            options->codec = optarg;
        else if (letter == 'v')
            over.vertical = atof(optarg);
        else if (letter == 'g')
            over.gain = atof(optarg);
        else if (letter == 's')
            over.swapped = true;
        else if (letter == 'n')
            over.noise = atof(optarg);
        else if (letter == 'p') {
            if (!parse_cast(optarg, over.cast))
                return false;
        } else if (letter != 'x' || !vsm_eye_faults_parse(optarg, &options->fault))
            return false;
    }
    if (argc - optind != 2 || options->frames < 1 || options->eye < 64 || options->eye > 8192 ||
        options->eye % 64 != 0 || !(options->scene = vsm_truth_scenes_find(argv[optind])))
        return false;
    options->prefix = argv[optind + 1];
    options->camera = *options->scene;
    if (over.cast[0].person)
        memcpy(options->camera.cast, over.cast, sizeof(over.cast));
    if (!isnan(over.vertical))
        options->camera.vertical = over.vertical;
    if (!isnan(over.gain))
        options->camera.gain = over.gain;
    if (!isnan(over.noise))
        options->camera.noise = over.noise;
    options->camera.swapped |= over.swapped;
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.data = "../shared/data", .codec = "libx264", .frames = 60, .eye = 1024};
    int status;

    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list_scenes();
    if (!parse(argc, argv, &options))
        return usage();
    status = make_scene(&options);
    if (status != VSM_OK)
        fprintf(stderr, "make_stereo_truth: %s\n", vsm_error_message());
    return (int)vsm_status_exit_code(status);
}
