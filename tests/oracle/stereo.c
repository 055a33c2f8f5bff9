/* Disparity and alignment against rendered scenes of real people, where both are known exactly. */
#include "base/clock.h"
#include "base/mem.h"
#include "media/still.h"
#include "shared_data.h"
#include "stereo/alignment.h"
#include "stereo/consistency.h"
#include "stereo/transfer.h"
#include "tap.h"
#include "tools/billboards.h"
#include "tools/truth_scenes.h"

#include <stdlib.h>

#define EYE      1024
#define PIXELS   (EYE * EYE)
#define BASELINE 0.064
#define MIN_BAND 100 /* pixels of a person in a band to be compared */

static const char *const few[] = {"portrait-tilted", "walker-2m", "two-swapped", "two-crossing-tilted"};

static float *errors;
static int error_count, error_room;

static struct vsm_disparity_map map;

/* One moment of a scene. */
struct moment {
    const struct vsm_truth_scenes_scene *scene;
    struct vsm_canvas canvas, alone;
    struct vsm_billboards_rig rig;
    struct vsm_cutout cutouts[VSM_TRUTH_SCENES_MAX_CAST];
    struct vsm_billboards_person people[VSM_TRUTH_SCENES_MAX_CAST];
    struct vsm_billboards_seen seen[VSM_TRUTH_SCENES_MAX_CAST];
    int count;
    float *masks[VSM_TRUTH_SCENES_MAX_CAST]; /* of the left eye, each alone */
    float *rgb[2], *alpha[2];
};

static double radians(double degrees)
{
    return degrees / 180.0 * M_PI;
}

static struct vsm_image half_of(const struct vsm_image *image, int side)
{
    struct vsm_image half = {.format = image->format, .colour = image->colour, .height = image->height};

    half.width = image->width / 2;
    half.data[0] = image->data[0] + side * half.width * (image->format.planes == VSM_PLANES_RGBA ? 4 : 3);
    half.stride[0] = image->stride[0];
    return half;
}

static void paint_background(struct moment *m, const char *data)
{
    struct vsm_texture plate[2] = {0};
    struct vsm_image *image = NULL;
    char path[600];

    snprintf(path, sizeof(path), "%s/%s", data, m->scene->plate);
    CHECK_INT(vsm_still_read(path, &image), VSM_OK);
    for (int eye = 0; image && eye < 2; eye++) {
        struct vsm_image half = half_of(image, eye);

        CHECK_INT(vsm_texture_of_image(&half, VSM_TEXTURE_MIRROR, &plate[eye]), VSM_OK);
    }
    if (image)
        vsm_billboards_background(&m->canvas, &m->rig, plate);
    vsm_texture_destroy(&plate[0]);
    vsm_texture_destroy(&plate[1]);
    vsm_image_unref(&image);
}

static void place_people(struct moment *m, const char *data, double t)
{
    for (m->count = 0; m->count < VSM_TRUTH_SCENES_MAX_CAST && m->scene->cast[m->count].person; m->count++) {
        const struct vsm_truth_scenes_role *role = &m->scene->cast[m->count];
        const struct vsm_cutout_person *person = vsm_cutout_find(role->person);

        CHECK_INT(vsm_cutout_load(person, data, 5, &m->cutouts[m->count]), VSM_OK);
        m->people[m->count] = (struct vsm_billboards_person){
            .cutout = &m->cutouts[m->count],
            .azimuth = radians(role->from_azimuth + t * (role->to_azimuth - role->from_azimuth)),
            .distance = role->from_distance + t * (role->to_distance - role->from_distance),
            .bottom = person->bottom};
    }
}

static void paint_people(struct moment *m)
{
    CHECK_INT(vsm_billboards_paint(&m->canvas, &m->rig, m->people, m->count, m->seen), VSM_OK);
    for (int n = 0; n < m->count; n++) {
        struct vsm_billboards_seen seen;

        memset(m->alone.rgba, 0, 8 * (size_t)PIXELS * sizeof(float));
        CHECK_INT(vsm_billboards_paint(&m->alone, &m->rig, &m->people[n], 1, &seen), VSM_OK);
        m->masks[n] = vsm_mem_alloc("mask", PIXELS, sizeof(float));
        for (int i = 0; i < PIXELS; i++)
            m->masks[n][i] = vsm_canvas_at(&m->alone, 0, i % EYE, i / EYE)[3];
    }
}

/* Both eyes as the cameras film them, exchanged if the scene says so. */
static void film(struct moment *m)
{
    vsm_canvas_noise(&m->canvas, m->scene->noise / 255.0, 1);
    for (int eye = 0; eye < 2; eye++) {
        const int from = m->scene->swapped ? 1 - eye : eye;
        const float gain = from == 1 ? (float)m->scene->gain : 1.0f;

        m->rgb[eye] = vsm_mem_alloc("rgb", 3 * PIXELS, sizeof(float));
        m->alpha[eye] = vsm_mem_alloc("alpha", PIXELS, sizeof(float));
        for (int i = 0; i < PIXELS; i++) {
            const float *rgba = vsm_canvas_at(&m->canvas, from, i % EYE, i / EYE);

            for (int c = 0; c < 3; c++)
                m->rgb[eye][c * PIXELS + i] = fminf(fmaxf(rgba[c] * gain, 0.0f), 1.0f);
            m->alpha[eye][i] = rgba[3];
        }
    }
}

static void make_moment(struct moment *m, const struct vsm_truth_scenes_scene *scene, const char *data,
                        double t)
{
    *m = (struct moment){.scene = scene};
    CHECK_INT(vsm_canvas_create(EYE, &m->canvas), VSM_OK);
    CHECK_INT(vsm_canvas_create(EYE, &m->alone), VSM_OK);
    m->rig = (struct vsm_billboards_rig){.baseline = BASELINE,
                                         .pose = {vsm_rotation_of(0, 0, 0),
                                                  vsm_rotation_of(0, radians(scene->vertical), 0)}};
    paint_background(m, data);
    place_people(m, data, t);
    paint_people(m);
    film(m);
}

static void end_moment(struct moment *m)
{
    for (int n = 0; n < VSM_TRUTH_SCENES_MAX_CAST; n++) {
        vsm_cutout_destroy(&m->cutouts[n]);
        vsm_mem_free(m->masks[n]);
    }
    for (int eye = 0; eye < 2; eye++) {
        vsm_mem_free(m->rgb[eye]);
        vsm_mem_free(m->alpha[eye]);
    }
    vsm_canvas_destroy(&m->canvas);
    vsm_canvas_destroy(&m->alone);
}

/* Whether the left eye's pixel is person n and nobody nearer. */
static bool shows(const struct moment *m, int n, int pixel)
{
    if (m->masks[n][pixel] < 0.5f)
        return false;
    for (int k = 0; k < m->count; k++) {
        if (k != n && m->people[k].distance < m->people[n].distance && m->masks[k][pixel] > 0.5f)
            return false;
    }
    return true;
}

static void note_error(float error)
{
    if (error_count == error_room)
        errors = realloc(errors, sizeof(float) * (size_t)(error_room = 2 * error_room + 1000));
    errors[error_count++] = error;
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Mean measured disparity of each person in each band against the truth. */
static void compare_bands(const struct moment *m, float *worst)
{
    for (int n = 0; n < m->count; n++) {
        for (int band = 0; band < EYE / VSM_BILLBOARDS_BAND; band++) {
            const struct vsm_billboards_band *truth = &m->seen[n].bands[band];
            double sum = 0.0;
            long pixels = 0;
            float error, du, dv;

            for (int i = band * VSM_BILLBOARDS_BAND * EYE; i < (band + 1) * VSM_BILLBOARDS_BAND * EYE; i++) {
                if (shows(m, n, i) &&
                    vsm_disparity_map_at(&map, (float)(i % EYE) + 0.5f, (float)(i / EYE) + 0.5f, &du, &dv)) {
                    sum -= (double)du;
                    pixels++;
                }
            }
            if (truth->pixels < MIN_BAND)
                continue;
            error = pixels ? (float)fabs(sum / (double)pixels - truth->u_sum / (double)truth->pixels) : 99.0f;
            note_error(error);
            *worst = fmaxf(*worst, error);
            if (getenv("VSM_STEREO_BANDS"))
                printf("#   person %d band %d: %.2f, measured %.2f over %ld of %ld\n", n, band,
                       truth->u_sum / (double)truth->pixels, sum / (double)pixels, pixels, truth->pixels);
        }
    }
}

static float warped[PIXELS], settled[PIXELS];

static struct vsm_consistency measure_consistency(const struct moment *m, int first)
{
    vsm_transfer_alpha(&map, m->alpha[first], m->alpha[!first], EYE, EYE, warped, NULL);
    vsm_transfer_settle(warped, m->alpha[!first], EYE, EYE, settled, NULL);
    return vsm_consistency_measure(&map, settled, m->alpha[!first], EYE, EYE);
}

/* The true mattes agree; a matte that lost its lower half does not. */
static void check_consistency(const struct moment *m, int first)
{
    struct vsm_consistency c;
    uint64_t start = vsm_clock_ns();

    c = measure_consistency(m, first);
    start = vsm_clock_ns() - start;
    printf("#   consistency %.4f, area %.3f, centroid %.2f px, matched %.2f; %.1f ms\n", (double)c.overlap,
           (double)c.area, (double)c.residual, (double)c.matched, (double)start / 1e6);
    CHECK(c.people && c.overlap > 0.97f && fabsf(c.area - 1.0f) < 0.06f && c.residual < 2.0f);
    memset(m->alpha[!first] + PIXELS * 9 / 16, 0, PIXELS * 7 / 16 * sizeof(float));
    CHECK(measure_consistency(m, first).overlap < 0.9f);
}

static void check_scene(const struct vsm_truth_scenes_scene *scene, const char *data)
{
    const struct vsm_disparity_options options = {.eye = {VSM_HALF_EQUIRECT, EYE, EYE, M_PI_2, 0.0},
                                                  .master = VSM_LEFT,
                                                  .baseline = BASELINE};
    struct vsm_disparity_search search = {.both_ways = true};
    struct vsm_disparity *disparity = NULL;
    struct vsm_alignment alignment = {0};
    struct vsm_alignment_result r;
    struct moment m;
    float worst = 0.0f;
    uint64_t start;
    int first, from = error_count;

    make_moment(&m, scene, data, 0.4);
    CHECK_INT(vsm_disparity_create(&options, &disparity), VSM_OK);
    for (int pass = 0; pass < 2; pass++) {
        const struct vsm_disparity_picture left = {m.rgb[0], m.alpha[0]}, right = {m.rgb[1], m.alpha[1]};

        vsm_disparity_measure(disparity, &left, &right, &search, &map);
        vsm_alignment_add(&alignment, disparity, &map, &search, &left, &right);
        r = vsm_alignment_judge(&alignment, EYE);
        search.pitch = r.pitch;
    }
    CHECK_INT(r.eyes, scene->swapped ? VSM_ALIGNMENT_SWAPPED : VSM_ALIGNMENT_STRAIGHT);
    CHECK(!r.unrelated);
    first = r.eyes == VSM_ALIGNMENT_SWAPPED;
    search = (struct vsm_disparity_search){.pitch = first ? -r.pitch : r.pitch};
    start = vsm_clock_ns();
    vsm_disparity_measure(disparity, &(struct vsm_disparity_picture){m.rgb[first], m.alpha[first]},
                          &(struct vsm_disparity_picture){m.rgb[!first], m.alpha[!first]}, &search, &map);
    start = vsm_clock_ns() - start;
    compare_bands(&m, &worst);
    CHECK(fabs(search.pitch - radians(scene->vertical)) / M_PI * EYE < 0.3);
    CHECK(fabs((first ? 1.0 / r.gain[1] : r.gain[1]) - scene->gain) < 0.03);
    qsort(errors + from, (size_t)(error_count - from), sizeof(float), compare);
    printf("# %s: %d bands, median %.2f px, worst %.2f px; offset %.2f of %.2f px; gain %.3f of %.3f; %d of "
           "%d cells; "
           "%.1f ms\n",
           scene->name, error_count - from,
           error_count > from ? (double)errors[(from + error_count) / 2] : 0.0, (double)worst,
           search.pitch / M_PI * EYE, scene->vertical / 180 * EYE, first ? 1.0 / r.gain[1] : r.gain[1],
           scene->gain, map.matched, map.tried, (double)start / 1e6);
    check_consistency(&m, first);
    vsm_disparity_destroy(disparity);
    end_moment(&m);
}

static void test_scenes(void)
{
    const char *slow = getenv("VSM_SLOW_TESTS"), *only = getenv("VSM_STEREO_SCENE");
    char data[512];

    if (!shared_path("data", data, sizeof(data))) {
        tap_skip("no shared data");
        return;
    }
    for (int i = 0; only || slow ? vsm_truth_scenes_get(i) != NULL : i < (int)(sizeof(few) / sizeof(few[0]));
         i++) {
        const struct vsm_truth_scenes_scene *scene =
            only || slow ? vsm_truth_scenes_get(i) : vsm_truth_scenes_find(few[i]);

        if (!only || strcmp(only, scene->name) == 0)
            check_scene(scene, data);
    }
    if (error_count) {
        qsort(errors, (size_t)error_count, sizeof(float), compare);
        printf("# all: %d bands, median %.3f px, 95th percentile %.3f px\n", error_count,
               (double)errors[error_count / 2], (double)errors[error_count * 95 / 100]);
        CHECK(errors[error_count / 2] < 0.5f);
        /* All scenes: slivers of people behind others, narrower than the window, take the nearer one's disparity. */
        CHECK(errors[error_count * 95 / 100] < (slow || only ? 5.0f : 2.0f));
    }
    free(errors);
}

int main(void)
{
    RUN(test_scenes);
    return tap_done();
}
