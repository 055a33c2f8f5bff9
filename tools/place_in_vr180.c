/* Places a flat clip into VR180: what a matting network makes of it can then be compared with
 * the flat original.
 *
 *   place_in_vr180 [options] CLIP OUTPUT
 *
 * The clip, a video or a folder of pictures, fills a rectilinear patch (--fov, default 90 degrees wide) at
 * --yaw to the right and --pitch up, at infinity: both eyes (--eye pixels a side, default 1024) see the same.
 * Round it --fill puts `blur`, the clip's own edge running out, or `black`. --matte places a matte instead:
 * grey, full range, black around, so that a flat result or a flat truth lands on the same pixels. Every
 * --every'th picture, at most --frames.
 */
#include "base/mem.h"
#include "base/status.h"
#include "geometry/rotation.h"
#include "image/preprocess.h"
#include "tools/canvas.h"
#include "tools/clip_writer.h"
#include "tools/picture_source.h"
#include "tools/texture.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_PER_SECOND 30
#define DEEPEST_BLUR      5.5 /* log2 of the clip's pixels */
#define STEEPEST          8.0 /* tangents beyond this show the same: rays almost along the clip's plane */

struct options {
    double yaw, pitch, fov; /* degrees */
    bool matte, black;
    int eye, frames, every;
    const char *clip, *output;
};

struct scene {
    const struct options *options;
    const struct vsm_texture *clip;
    const struct vsm_canvas *canvas;
    struct vsm_rotation pose;
    double focal; /* texels a unit of tangent */
};

static void texel_of(const struct scene *scene, const double ray[3], double texel[2])
{
    double d[3], depth;

    vsm_rotation_in(&scene->pose, ray, d);
    depth = fmax(d[2], hypot(d[0], d[1]) / STEEPEST);
    texel[0] = 0.5 * scene->clip->levels[0].width + scene->focal * d[0] / depth;
    texel[1] = 0.5 * scene->clip->levels[0].height - scene->focal * d[1] / depth;
}

/* Beyond the clip: its edge pulled outwards, blurred more the farther away. */
static void run_out(const struct scene *scene, double quad[4][2], float rgba[4])
{
    double width = scene->clip->levels[0].width, height = scene->clip->levels[0].height;
    double x = fmin(fmax(quad[0][0], 0.0), width), y = fmin(fmax(quad[0][1], 0.0), height);
    double away = hypot(quad[0][0] - x, quad[0][1] - y), edge[4][2] = {{x, y}, {x, y}, {x, y}, {x, y}};

    vsm_texture_quad(scene->clip, edge, fmin(DEEPEST_BLUR, log2(1.0 + away / 4.0)), rgba);
}

static void paint_rows(void *context, int pair, int worker)
{
    const struct scene *scene = context;
    bool fill = !scene->options->matte && !scene->options->black;

    (void)worker;
    for (int y = 2 * pair; y < 2 * pair + 2; y++) {
        for (int x = 0; x < scene->canvas->eye; x++) {
            float *rgba = vsm_canvas_at(scene->canvas, 0, x, y);
            double rays[4][3], quad[4][2];
            bool outside;

            vsm_canvas_rays(scene->canvas, x, y, rays);
            for (int i = 0; i < 4; i++)
                texel_of(scene, rays[i], quad[i]);
            outside = quad[0][0] < 0.0 || quad[0][1] < 0.0 || quad[0][0] > scene->clip->levels[0].width ||
                      quad[0][1] > scene->clip->levels[0].height;
            if (outside && fill)
                run_out(scene, quad, rgba);
            else
                vsm_texture_quad(scene->clip, quad, 0.0, rgba);
            if (scene->options->matte)
                rgba[3] = rgba[0];
            memcpy(vsm_canvas_at(scene->canvas, 1, x, y), rgba, 4 * sizeof(*rgba));
        }
    }
}

static int texture_of_video(const struct vsm_image *image, enum vsm_texture_edge edge,
                            struct vsm_texture *texture)
{
    size_t count = (size_t)image->width * (size_t)image->height;
    struct vsm_view view = {.source = {0, 0, image->width, image->height},
                            .width = image->width,
                            .height = image->height};
    float *rgb = vsm_mem_alloc_raw("picture", 3 * count, sizeof(*rgb));
    int status = rgb ? vsm_preprocess(image, &view, rgb, NULL) : VSM_E_NOMEM;

    if (status == VSM_OK)
        status = vsm_texture_create(image->width, image->height, edge, texture);
    for (size_t i = 0; status == VSM_OK && i < count; i++) {
        for (size_t c = 0; c < 3; c++)
            texture->levels[0].rgba[4 * i + c] = rgb[c * count + i];
        texture->levels[0].rgba[4 * i + 3] = 1.0f;
    }
    vsm_mem_free(rgb);
    return status == VSM_OK ? vsm_texture_finish(texture) : status;
}

static int place(struct scene *scene, const struct vsm_image *picture, struct vsm_video_writer *writer,
                 int number)
{
    const struct options *o = scene->options;
    enum vsm_texture_edge edge = o->matte || o->black ? VSM_TEXTURE_CLEAR : VSM_TEXTURE_MIRROR;
    bool packed = picture->format.planes == VSM_PLANES_RGB || picture->format.planes == VSM_PLANES_RGBA;
    struct vsm_image *image =
        o->matte ? vsm_canvas_grey_image(scene->canvas) : vsm_canvas_yuv_image(scene->canvas);
    struct vsm_texture clip = {0};
    int status = !image   ? VSM_E_NOMEM
                 : packed ? vsm_texture_of_image(picture, edge, &clip)
                          : texture_of_video(picture, edge, &clip);

    if (status == VSM_OK) {
        scene->clip = &clip;
        scene->focal = 0.5 * clip.levels[0].width / tan(o->fov / 360.0 * M_PI);
        vsm_parallel_for(scene->canvas->pool, scene->canvas->eye / 2, paint_rows, scene);
        if (o->matte)
            vsm_canvas_to_grey(scene->canvas, image);
        else
            vsm_canvas_to_yuv(scene->canvas, image);
        status = vsm_video_writer_put(writer, &image, number, 1);
    }
    vsm_texture_destroy(&clip);
    vsm_image_unref(&image);
    return status;
}

static int place_all(struct scene *scene, struct vsm_picture_source *source, struct vsm_video_writer *writer)
{
    int status = VSM_OK;

    for (int n = 0; status == VSM_OK && n / scene->options->every < scene->options->frames; n++) {
        struct vsm_image *picture = NULL;

        status = vsm_picture_source_next(source, &picture);
        if (status == VSM_OK && n % scene->options->every == 0)
            status = place(scene, picture, writer, n / scene->options->every);
        vsm_image_unref(&picture);
    }
    return status == VSM_EOF ? VSM_OK : status;
}

static int run(const struct options *o)
{
    struct vsm_clip_writer_options clip = {.path = o->output,
                                           .crf = 10.0,
                                           .frames_per_second = FRAMES_PER_SECOND,
                                           .vr180 = true};
    struct vsm_canvas canvas = {0};
    struct scene scene = {.options = o, .canvas = &canvas};
    struct vsm_picture_source *source = NULL;
    struct vsm_video_writer *writer = NULL;
    struct vsm_image *like = NULL;
    int status = vsm_picture_source_open(o->clip, &source);

    scene.pose = vsm_rotation_of(o->yaw / 180.0 * M_PI, o->pitch / 180.0 * M_PI, 0.0);
    if (status == VSM_OK)
        status = vsm_canvas_create(o->eye, &canvas);
    if (status == VSM_OK &&
        !(like = o->matte ? vsm_canvas_grey_image(&canvas) : vsm_canvas_yuv_image(&canvas)))
        status = VSM_E_NOMEM;
    if (status == VSM_OK)
        status = vsm_clip_writer_open(&clip, like, &writer);
    if (status == VSM_OK)
        status = place_all(&scene, source, writer);
    if (status == VSM_OK)
        status = vsm_video_writer_finish(writer);
    vsm_video_writer_close(writer, false);
    vsm_picture_source_close(source);
    vsm_image_unref(&like);
    vsm_canvas_destroy(&canvas);
    return status;
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {{"yaw", required_argument, NULL, 'y'},
                                          {"pitch", required_argument, NULL, 'p'},
                                          {"fov", required_argument, NULL, 'f'},
                                          {"fill", required_argument, NULL, 'b'},
                                          {"matte", no_argument, NULL, 'm'},
                                          {"eye", required_argument, NULL, 'e'},
                                          {"frames", required_argument, NULL, 'n'},
                                          {"every", required_argument, NULL, 'k'},
                                          {0}};
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (letter) {
        case 'y':
            o->yaw = atof(optarg);
            break;
        case 'p':
            o->pitch = atof(optarg);
            break;
        case 'f':
            o->fov = atof(optarg);
            break;
        case 'b':
            o->black = strcmp(optarg, "black") == 0;
            if (!o->black && strcmp(optarg, "blur") != 0)
                return false;
            break;
        case 'm':
            o->matte = true;
            break;
        case 'e':
            o->eye = atoi(optarg);
            break;
        case 'n':
            o->frames = atoi(optarg);
            break;
        case 'k':
            o->every = atoi(optarg);
            break;
        default:
            return false;
        }
    }
    if (argc - optind != 2 || o->eye < 64 || o->eye > 8192 || o->eye % 2 != 0 || o->frames < 1 ||
        o->every < 1 || !(o->fov > 1.0 && o->fov < 170.0))
        return false;
    o->clip = argv[optind];
    o->output = argv[optind + 1];
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.fov = 90.0, .eye = 1024, .frames = 1 << 30, .every = 1};
    int status;

    if (!parse(argc, argv, &options)) {
        fprintf(
            stderr,
            "usage: place_in_vr180 [--yaw DEGREES] [--pitch DEGREES] [--fov DEGREES] [--fill blur|black]\n"
            "           [--matte] [--eye PIXELS] [--frames N] [--every N] CLIP OUTPUT\n");
        return VSM_EXIT_USAGE;
    }
    status = run(&options);
    if (status != VSM_OK)
        fprintf(stderr, "place_in_vr180: %s\n", vsm_error_message());
    return (int)vsm_status_exit_code(status);
}
