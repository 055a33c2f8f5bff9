/* Makes the demonstration clip: photographs of people on a curved wall, filmed in VR180 by a swaying head.
 *
 *   make_demo_clip AUDIO OUTPUT.mp4 PHOTOGRAPH...
 *
 * Each photograph is one scene of two seconds. The wall is a sphere round the viewer, so the disparity of
 * both eyes is exact by intersecting their rays with it; the photograph lies on it in stereographic
 * projection, which keeps shapes, and goes on beyond its edges as its own blurred mirror image. Same
 * input, same pixels.
 */
#include "base/status.h"
#include "geometry/rotation.h"
#include "media/still.h"
#include "tools/canvas.h"
#include "tools/clip_writer.h"
#include "tools/texture.h"

#include <math.h>
#include <stdio.h>

#define EYE_PIXELS        1024
#define FRAMES_PER_SECOND 30
#define SCENE_FRAMES      60
#define EYE_DISTANCE      0.064 /* metres */
#define WALL_RADIUS       2.5   /* metres */
#define PHOTO_WIDTH       92.0  /* degrees */
#define SWAY_YAW          6.0   /* degrees to each side */
#define SWAY_PITCH        2.5   /* degrees up and down */
#define EDGE_BLUR         6.0   /* log2 of photograph pixels, reached soon beyond its edge */
#define EDGE_RUN          0.22  /* photograph heights over which its colours run out */
#define PLASTER_GRAIN     0.07  /* metres */
#define PLASTER_CONTRAST  0.10

struct scene {
    const struct vsm_texture *photo;
    const struct vsm_canvas *canvas;
    struct vsm_rotation head;
    double wall[3];         /* RGB */
    double texels_per_unit; /* of the stereographic plane, in which 90 degrees from the centre are 2 */
};

/* Where a ray from `eye` meets the wall, in metres round the viewer and in texels of the photograph. */
static void look_at_wall(const struct scene *scene, const double eye[3], const double ray[3], double point[3],
                         double texel[2])
{
    double direction[3], along = 0.0, outside = -WALL_RADIUS * WALL_RADIUS, distance, scale;

    vsm_rotation_out(&scene->head, ray, direction);
    for (int i = 0; i < 3; i++) {
        along += eye[i] * direction[i];
        outside += eye[i] * eye[i];
    }
    distance = sqrt(along * along - outside) - along;
    for (int i = 0; i < 3; i++)
        point[i] = eye[i] + distance * direction[i];
    scale = 2.0 * scene->texels_per_unit / fmax(WALL_RADIUS + point[2], 0.01);
    texel[0] = 0.5 * scene->photo->levels[0].width + scale * point[0];
    texel[1] = 0.5 * scene->photo->levels[0].height - scale * point[1];
}

static double smooth_step(double from, double to, double x)
{
    double t = fmin(fmax((x - from) / (to - from), 0.0), 1.0);

    return t * t * (3.0 - 2.0 * t);
}

/* A number in 0..1 for a point of the integer lattice. */
static double lattice(int x, int y, int z)
{
    uint32_t h = (uint32_t)x * 0x8da6b343u ^ (uint32_t)y * 0xd8163841u ^ (uint32_t)z * 0xcb1ab31fu;

    h = (h ^ h >> 15) * 0x2c1b3c6du;
    h = (h ^ h >> 12) * 0x297a2d39u;
    return (double)(h >> 8 & 0xffff) / 65535.0;
}

/* Value noise: lattice numbers, smoothly interpolated. */
static double plaster(const double point[3])
{
    double part[3], sum = 0.0;
    int cell[3];

    for (int i = 0; i < 3; i++) {
        cell[i] = (int)floor(point[i] / PLASTER_GRAIN);
        part[i] = smooth_step(0.0, 1.0, point[i] / PLASTER_GRAIN - cell[i]);
    }
    for (int n = 0; n < 8; n++) {
        int dx = n & 1, dy = n >> 1 & 1, dz = n >> 2;

        sum += (dx ? part[0] : 1.0 - part[0]) * (dy ? part[1] : 1.0 - part[1]) *
               (dz ? part[2] : 1.0 - part[2]) * lattice(cell[0] + dx, cell[1] + dy, cell[2] + dz);
    }
    return sum;
}

/* How far `texel` lies beyond the photograph, in texels. */
static double beyond(const struct vsm_texture *photo, const double texel[2])
{
    double x = fmax(-texel[0], texel[0] - photo->levels[0].width);
    double y = fmax(-texel[1], texel[1] - photo->levels[0].height);

    return fmax(0.0, fmax(x, y));
}

/* The room round the photograph: its edge colours running out into plaster, darker towards the floor. */
static void paint_room(const struct scene *scene, const double point[3], const double texel[2], float rgba[4])
{
    const struct vsm_texture_level *photo = &scene->photo->levels[0];
    double away = beyond(scene->photo, texel), mix = smooth_step(0.0, EDGE_RUN * photo->height, away);
    double x = fmin(fmax(texel[0], 0.0), photo->width), y = fmin(fmax(texel[1], 0.0), photo->height);
    double quad[4][2] = {{x, y}, {x, y}, {x, y}, {x, y}};
    double light = 0.55 + 0.45 * smooth_step(-0.5, 0.1, point[1] / WALL_RADIUS);

    light *= 1.0 + PLASTER_CONTRAST * mix * (plaster(point) - 0.5);
    rgba[3] = 1.0f;
    if (mix < 1.0)
        vsm_texture_quad(scene->photo, quad, fmin(EDGE_BLUR, log2(1.0 + 0.5 * away)), rgba);
    for (int c = 0; c < 3; c++)
        rgba[c] = (float)((1.0 - mix) * rgba[c] + mix * light * scene->wall[c]);
}

static void paint_pixel(const struct scene *scene, const double eye[3], int x, int y, float rgba[4])
{
    double rays[4][3], quad[4][2], point[3];

    vsm_canvas_rays(scene->canvas, x, y, rays);
    look_at_wall(scene, eye, rays[0], point, quad[0]);
    if (beyond(scene->photo, quad[0]) > 0.0) {
        paint_room(scene, point, quad[0], rgba);
        return;
    }
    for (int i = 1; i < 4; i++)
        look_at_wall(scene, eye, rays[i], point, quad[i]);
    vsm_texture_quad(scene->photo, quad, 0.0, rgba);
}

static void paint_rows(void *context, int pair, int worker)
{
    const struct scene *scene = context;

    (void)worker;
    for (int eye = 0; eye < 2; eye++) {
        double place[3] = {(eye - 0.5) * EYE_DISTANCE, 0.0, 0.0};

        vsm_rotation_out(&scene->head, place, place);
        for (int y = 2 * pair; y < 2 * pair + 2; y++) {
            for (int x = 0; x < scene->canvas->eye; x++)
                paint_pixel(scene, place, x, y, vsm_canvas_at(scene->canvas, eye, x, y));
        }
    }
}

/* The mean colour of the photograph's upper edge, where the room behind the people shows. */
static void find_wall_colour(struct scene *scene)
{
    const struct vsm_texture_level *level = &scene->photo->levels[5];

    for (int x = 0; x < level->width; x++) {
        for (int c = 0; c < 3; c++)
            scene->wall[c] += (double)level->rgba[4 * x + c] / level->width;
    }
}

/* One photograph's two seconds; the sway goes on over the cut. */
static int paint_scene(struct scene *scene, int first_frame, struct vsm_video_writer *writer)
{
    int status = VSM_OK;

    scene->texels_per_unit = 0.5 * scene->photo->levels[0].width / (2.0 * tan(PHOTO_WIDTH / 720.0 * M_PI));
    find_wall_colour(scene);
    for (int n = first_frame; status == VSM_OK && n < first_frame + SCENE_FRAMES; n++) {
        double turn = 2.0 * M_PI * n / (4.0 * FRAMES_PER_SECOND);
        struct vsm_image *image = vsm_canvas_yuv_image(scene->canvas);

        if (!image)
            return VSM_E_NOMEM;
        scene->head = vsm_rotation_of(SWAY_YAW / 180.0 * M_PI * sin(turn),
                                      SWAY_PITCH / 180.0 * M_PI * sin(1.7 * turn), 0.0);
        vsm_parallel_for(scene->canvas->pool, scene->canvas->eye / 2, paint_rows, scene);
        vsm_canvas_to_yuv(scene->canvas, image);
        status = vsm_video_writer_put(writer, &image, n, 1);
        vsm_image_unref(&image);
    }
    return status;
}

static int load_photo(const char *path, struct vsm_texture *photo)
{
    struct vsm_image *image = NULL;
    int status = vsm_still_read(path, &image);

    if (status == VSM_OK)
        status = vsm_texture_of_image(image, VSM_TEXTURE_MIRROR, photo);
    vsm_image_unref(&image);
    return status;
}

static int paint_all(char *const *photos, int count, const struct vsm_canvas *canvas,
                     struct vsm_video_writer *writer)
{
    int status = VSM_OK;

    for (int i = 0; status == VSM_OK && i < count; i++) {
        struct vsm_texture photo = {0};
        struct scene scene = {.photo = &photo, .canvas = canvas};

        status = load_photo(photos[i], &photo);
        if (status == VSM_OK)
            status = paint_scene(&scene, i * SCENE_FRAMES, writer);
        vsm_texture_destroy(&photo);
    }
    return status;
}

static int make_clip(const char *audio, const char *output, char *const *photos, int count)
{
    struct vsm_clip_writer_options options = {.path = output,
                                              .crf = 16.0,
                                              .frames_per_second = FRAMES_PER_SECOND,
                                              .audio_source = audio,
                                              .vr180 = true};
    struct vsm_canvas canvas = {0};
    struct vsm_video_writer *writer = NULL;
    struct vsm_image *like = NULL;
    int status = vsm_canvas_create(EYE_PIXELS, &canvas);

    if (status == VSM_OK && !(like = vsm_canvas_yuv_image(&canvas)))
        status = VSM_E_NOMEM;
    if (status == VSM_OK)
        status = vsm_clip_writer_open(&options, like, &writer);
    if (status == VSM_OK)
        status = paint_all(photos, count, &canvas, writer);
    if (status == VSM_OK)
        status = vsm_video_writer_finish(writer);
    vsm_video_writer_close(writer, false);
    vsm_image_unref(&like);
    vsm_canvas_destroy(&canvas);
    return status;
}

int main(int argc, char **argv)
{
    int status;

    if (argc < 4) {
        fprintf(stderr, "usage: make_demo_clip AUDIO OUTPUT.mp4 PHOTOGRAPH...\n");
        return VSM_EXIT_USAGE;
    }
    status = make_clip(argv[1], argv[2], argv + 3, argc - 3);
    if (status != VSM_OK)
        fprintf(stderr, "make_demo_clip: %s\n", vsm_error_message());
    return (int)vsm_status_exit_code(status);
}
