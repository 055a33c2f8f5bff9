#include "tools/truth_film.h"

#include "base/mem.h"
#include "media/still.h"

#include <math.h>
#include <string.h>

static size_t canvas_floats(const struct vsm_truth_film *film)
{
    return 8 * (size_t)film->options.eye * (size_t)film->options.eye;
}

/* The left (0) or right half of a side-by-side picture. */
static struct vsm_image half_of(const struct vsm_image *image, int side)
{
    struct vsm_image half = {.format = image->format, .colour = image->colour, .height = image->height};

    half.width = image->width / 2;
    half.data[0] = image->data[0] + side * half.width * (image->format.planes == VSM_PLANES_RGBA ? 4 : 3);
    half.stride[0] = image->stride[0];
    return half;
}

static int paint_background(struct vsm_truth_film *film)
{
    char *path = vsm_mem_format("path", "%s/%s", film->options.data, film->options.scene.plate);
    struct vsm_image *image = NULL;
    struct vsm_texture plate[2] = {0};
    int status = path ? vsm_still_read(path, &image) : VSM_E_NOMEM;

    for (int eye = 0; status == VSM_OK && eye < 2; eye++) {
        struct vsm_image half = half_of(image, eye);

        status = vsm_texture_of_image(&half, VSM_TEXTURE_MIRROR, &plate[eye]);
    }
    if (status == VSM_OK) {
        vsm_billboards_background(&film->canvas, &film->rig, plate);
        memcpy(film->background, film->canvas.rgba, canvas_floats(film) * sizeof(float));
    }
    vsm_texture_destroy(&plate[0]);
    vsm_texture_destroy(&plate[1]);
    vsm_image_unref(&image);
    vsm_mem_free(path);
    return status;
}

static double radians(double angle)
{
    return angle / 180.0 * M_PI;
}

static int put_people_in_place(struct vsm_truth_film *film, int number)
{
    double t = film->options.frames > 1 ? (double)number / (film->options.frames - 1) : 0.0;
    int status = VSM_OK;

    for (int n = 0; status == VSM_OK && n < film->cast_count; n++) {
        const struct vsm_truth_scenes_role *role = &film->options.scene.cast[n];
        const struct vsm_cutout_person *person = vsm_cutout_find(role->person);

        film->people[n] = (struct vsm_billboards_person){
            .cutout = &film->cutouts[n],
            .azimuth = radians(role->from_azimuth + t * (role->to_azimuth - role->from_azimuth)),
            .distance = role->from_distance + t * (role->to_distance - role->from_distance)};
        if (!person)
            return vsm_fail(VSM_E_INTERNAL, "scene %s: nobody is called %s", film->options.scene.name,
                            role->person);
        film->people[n].bottom = person->bottom;
        film->people[n].passer_by = film->options.passers_by >> n & 1;
        status = vsm_cutout_load(person, film->options.data, number, &film->cutouts[n]);
    }
    return status;
}

static void expose(struct vsm_truth_film *film)
{
    const struct vsm_truth_scenes_scene *scene = &film->options.scene;

    for (int y = 0; y < film->options.eye; y++) {
        for (int x = 0; x < film->options.eye; x++) {
            float *left = vsm_canvas_at(&film->canvas, 0, x, y),
                  *right = vsm_canvas_at(&film->canvas, 1, x, y);

            for (int c = 0; c < 3; c++)
                right[c] *= (float)scene->gain;
            for (int c = 0; scene->swapped && c < 4; c++) {
                float kept = left[c];

                left[c] = right[c];
                right[c] = kept;
            }
        }
    }
}

int vsm_truth_film_create(const struct vsm_truth_film_options *options, struct vsm_truth_film *film)
{
    int status;

    *film = (struct vsm_truth_film){.options = *options};
    film->rig =
        (struct vsm_billboards_rig){.baseline = VSM_TRUTH_FILM_BASELINE,
                                    .pose = {vsm_rotation_of(0, 0, 0),
                                             vsm_rotation_of(0, radians(options->scene.vertical), 0)}};
    while (film->cast_count < VSM_TRUTH_SCENES_MAX_CAST && options->scene.cast[film->cast_count].person)
        film->cast_count++;
    status = vsm_canvas_create(options->eye, &film->canvas);
    if (status != VSM_OK)
        return status;
    film->background = vsm_mem_alloc_raw("background", canvas_floats(film), sizeof(float));
    film->kept = vsm_mem_alloc("kept eye", canvas_floats(film) / 2, sizeof(float)); /* black at first */
    film->points = vsm_mem_alloc_raw("points", canvas_floats(film) / 4, sizeof(*film->points));
    return film->background && film->kept && film->points ? paint_background(film) : VSM_E_NOMEM;
}

void vsm_truth_film_destroy(struct vsm_truth_film *film)
{
    for (int n = 0; n < VSM_TRUTH_SCENES_MAX_CAST; n++)
        vsm_cutout_destroy(&film->cutouts[n]);
    vsm_canvas_destroy(&film->canvas);
    vsm_mem_free(film->background);
    vsm_mem_free(film->kept);
    vsm_mem_free(film->points);
    *film = (struct vsm_truth_film){0};
}

int vsm_truth_film_shoot(struct vsm_truth_film *film, int number)
{
    int status = put_people_in_place(film, number);

    memcpy(film->canvas.rgba, film->background, canvas_floats(film) * sizeof(float));
    if (status == VSM_OK)
        status = vsm_billboards_paint(&film->canvas, &film->rig, film->people, film->cast_count, film->seen,
                                      film->points);
    if (status != VSM_OK)
        return status;
    expose(film);
    vsm_eye_faults_apply(&film->options.fault, &film->canvas, number, film->kept);
    if (film->options.scene.noise > 0.0)
        vsm_canvas_noise(&film->canvas, film->options.scene.noise / 255.0, (uint64_t)number + 1);
    vsm_eye_faults_hold(&film->options.fault, &film->canvas, number, film->kept);
    return VSM_OK;
}
