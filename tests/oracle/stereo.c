/* Disparity and alignment against rendered scenes of real people, where both are known exactly: pixel by
 * pixel, and by persons' bands of rows. With VSM_SLOW_TESTS all scenes, else four of them. */
#include "base/clock.h"
#include "base/mem.h"
#include "image/preprocess.h"
#include "shared_data.h"
#include "stereo/alignment.h"
#include "stereo/consistency.h"
#include "stereo/transfer.h"
#include "tap.h"
#include "tools/truth_film.h"

#include <stdlib.h>

#define EYE      1024
#define PIXELS   (EYE * EYE)
#define FRAMES   60
#define FRAME    24
#define MIN_BAND 100 /* pixels of a person in a band to be compared */
#define LOST     99.0f

static const char *const few[] = {"portrait-tilted", "walker-2m", "two-swapped", "two-crossing-tilted"};

struct list {
    float *values;
    int count, room;
};

/* Errors in pixels of the grid. */
static struct list pixel_errors; /* of people's pixels that both eyes see, with a disparity */
static struct list any_errors;   /* of those too that the other eye cannot see */
static struct list band_errors;  /* of the mean of a band; LOST where none of its pixels has one */
static long shown, measured;     /* people's pixels, and those with a disparity */

static double overlap_sum; /* of the true mattes' consistency */
static int scene_count;

static struct vsm_disparity_map map;

/* One moment of a scene, as the program sees it. */
struct moment {
    const struct vsm_truth_scenes_scene *scene;
    struct vsm_truth_film film;
    float *rgb[2], *alpha[2];
};

static double radians(double degrees)
{
    return degrees / 180.0 * M_PI;
}

static void make_moment(struct moment *m, const struct vsm_truth_scenes_scene *scene, const char *data)
{
    const struct vsm_truth_film_options options = {.data = data,
                                                   .scene = *scene,
                                                   .frames = FRAMES,
                                                   .eye = EYE};
    struct vsm_image *image;

    *m = (struct moment){.scene = scene};
    CHECK_INT(vsm_truth_film_create(&options, &m->film), VSM_OK);
    CHECK_INT(vsm_truth_film_shoot(&m->film, FRAME), VSM_OK);
    image = vsm_canvas_yuv_image(&m->film.canvas);
    vsm_canvas_to_yuv(&m->film.canvas, image);
    for (int eye = 0; eye < 2; eye++) {
        const struct vsm_view view = {.eye = (enum vsm_eye)eye,
                                      .source = {eye * EYE, 0, EYE, EYE},
                                      .width = EYE,
                                      .height = EYE};

        m->rgb[eye] = vsm_mem_alloc("rgb", 3 * PIXELS, sizeof(float));
        m->alpha[eye] = vsm_mem_alloc("alpha", PIXELS, sizeof(float));
        CHECK_INT(vsm_preprocess(image, &view, m->rgb[eye], NULL), VSM_OK);
        for (int i = 0; i < PIXELS; i++)
            m->alpha[eye][i] = vsm_canvas_at(&m->film.canvas, eye, i % EYE, i / EYE)[3];
    }
    vsm_image_unref(&image);
}

static void end_moment(struct moment *m)
{
    for (int eye = 0; eye < 2; eye++) {
        vsm_mem_free(m->rgb[eye]);
        vsm_mem_free(m->alpha[eye]);
    }
    vsm_truth_film_destroy(&m->film);
}

static void note(struct list *list, float error)
{
    if (list->count == list->room)
        list->values = realloc(list->values, sizeof(float) * (size_t)(list->room = 2 * list->room + 1000));
    list->values[list->count++] = error;
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Of the values behind the first `from`, which are sorted. 0 without any. */
static double part_of(const struct list *list, int from, double part)
{
    const int count = list->count - from;

    if (count == 0)
        return 0.0;
    qsort(list->values + from, (size_t)count, sizeof(float), compare);
    return (double)list->values[from + (int)(part * (count - 1))];
}

/* What was measured of a person in a band of rows, against the truth of those pixels. */
struct sums {
    double u, true_u;
    long shown, measured;
};

static void add_pixel(const struct vsm_billboards_point *truth, int x, int y, struct sums *band)
{
    float du, dv;

    band->shown += !truth->hidden;
    if (!vsm_disparity_map_at(&map, (float)x + 0.5f, (float)y + 0.5f, &du, &dv))
        return;
    note(&any_errors, hypotf(truth->u + du, truth->v + dv));
    if (truth->hidden)
        return;
    band->measured++;
    band->u -= (double)du;
    band->true_u += (double)truth->u;
    note(&pixel_errors, hypotf(truth->u + du, truth->v + dv));
}

static void compare_with_truth(const struct moment *m)
{
    for (int top = 0; top < EYE; top += VSM_BILLBOARDS_BAND) {
        struct sums bands[VSM_TRUTH_SCENES_MAX_CAST] = {0};

        for (int i = top * EYE; i < (top + VSM_BILLBOARDS_BAND) * EYE; i++) {
            const struct vsm_billboards_point *truth = &m->film.points[i];

            if (truth->person >= 0)
                add_pixel(truth, i % EYE, i / EYE, &bands[truth->person]);
        }
        for (int n = 0; n < m->film.cast_count; n++) {
            const struct sums *b = &bands[n];

            shown += b->shown;
            measured += b->measured;
            if (b->shown < MIN_BAND)
                continue;
            note(&band_errors, b->measured ? (float)(fabs(b->u - b->true_u) / (double)b->measured) : LOST);
            if (getenv("VSM_STEREO_BANDS"))
                printf("#   person %d rows %d: %.2f, measured %.2f over %ld of %ld\n", n, top,
                       b->true_u / (double)b->measured, b->u / (double)b->measured, b->measured, b->shown);
        }
    }
}

static float warped[PIXELS], settled[PIXELS];

static struct vsm_consistency measure_consistency(const struct moment *m, int first)
{
    struct vsm_consistency_sums sums;

    vsm_transfer_alpha(&map, m->alpha[first], m->alpha[!first], EYE, EYE, warped, NULL);
    vsm_transfer_settle(warped, m->alpha[!first], EYE, EYE, settled, NULL);
    vsm_consistency_sum(settled, m->alpha[!first], EYE, EYE, &sums, NULL);
    return vsm_consistency_judge(&map, &sums);
}

/* The true mattes agree, but for strips of people between others, too narrow to be matched; a matte that lost
 * its lower half does not. */
static void check_consistency(const struct moment *m, int first)
{
    struct vsm_consistency c;
    uint64_t start = vsm_clock_ns();

    c = measure_consistency(m, first);
    start = vsm_clock_ns() - start;
    printf("#   consistency %.4f, area %.3f, centroid %.2f px, matched %.2f; %.1f ms\n", (double)c.overlap,
           (double)c.area, (double)c.residual, (double)c.matched, (double)start / 1e6);
    CHECK(c.people && c.overlap > 0.92f && fabsf(c.area - 1.0f) < 0.06f && c.residual < 5.0f);
    overlap_sum += (double)c.overlap;
    scene_count++;
    memset(m->alpha[!first] + PIXELS * 9 / 16, 0, PIXELS * 7 / 16 * sizeof(float));
    CHECK(measure_consistency(m, first).overlap < 0.9f);
}

/* How the eyes stand to each other, and the map measured from the left camera. */
static struct vsm_alignment_result measure(const struct moment *m)
{
    const struct vsm_disparity_options options = {.eye = {VSM_HALF_EQUIRECT, EYE, EYE, M_PI_2, 0.0},
                                                  .master = VSM_LEFT,
                                                  .baseline = VSM_TRUTH_FILM_BASELINE};
    struct vsm_disparity_search search = {.both_ways = true};
    struct vsm_disparity *disparity = NULL;
    struct vsm_alignment alignment = {0};
    struct vsm_alignment_result r;
    double light[2][3];
    int first;

    CHECK_INT(vsm_disparity_create(&options, &disparity), VSM_OK);
    for (int pass = 0; pass < 2; pass++) {
        const struct vsm_disparity_picture left = {m->rgb[0], m->alpha[0]}, right = {m->rgb[1], m->alpha[1]};

        vsm_disparity_measure(disparity, &left, &right, &search, &map);
        vsm_alignment_add(&alignment, disparity, &map, &search);
        vsm_alignment_light(&map, m->rgb[0], m->rgb[1], EYE, EYE, light, NULL);
        vsm_alignment_add_light(&alignment, light);
        r = vsm_alignment_judge(&alignment, EYE);
        search.pitch = r.pitch;
    }
    first = r.eyes == VSM_ALIGNMENT_SWAPPED;
    search = (struct vsm_disparity_search){.pitch = first ? -r.pitch : r.pitch};
    vsm_disparity_measure(disparity, &(struct vsm_disparity_picture){m->rgb[first], m->alpha[first]},
                          &(struct vsm_disparity_picture){m->rgb[!first], m->alpha[!first]}, &search, &map);
    vsm_disparity_destroy(disparity);
    return r;
}

static void check_scene(const struct vsm_truth_scenes_scene *scene, const char *data)
{
    const int pixels = pixel_errors.count, bands = band_errors.count;
    const long shown_before = shown, measured_before = measured;
    struct vsm_alignment_result r;
    double offset, gain;
    struct moment m;

    make_moment(&m, scene, data);
    r = measure(&m);
    offset = scene->swapped ? -r.offset : r.offset;
    gain = scene->swapped ? 1.0 / r.gain[1] : r.gain[1];
    CHECK_INT(r.eyes, scene->swapped ? VSM_ALIGNMENT_SWAPPED : VSM_ALIGNMENT_STRAIGHT);
    CHECK(!r.unrelated);
    CHECK(fabs(offset - radians(scene->vertical) / M_PI * EYE) < 0.3);
    CHECK(fabs(gain - scene->gain) < 0.03);
    compare_with_truth(&m);
    printf(
        "# %s: pixels: median %.2f, 95th percentile %.2f px, %.1f %% measured; %d bands: median %.2f, worst "
        "%.2f px; offset %.2f of %.2f px; gain %.3f of %.3f\n",
        scene->name, part_of(&pixel_errors, pixels, 0.5), part_of(&pixel_errors, pixels, 0.95),
        100.0 * (double)(measured - measured_before) / (double)(shown - shown_before),
        band_errors.count - bands, part_of(&band_errors, bands, 0.5), part_of(&band_errors, bands, 1.0),
        offset, scene->vertical / 180 * EYE, gain, scene->gain);
    check_consistency(&m, r.eyes == VSM_ALIGNMENT_SWAPPED);
    end_moment(&m);
}

static void check_all(void)
{
    int lost = 0;

    for (int i = 0; i < band_errors.count; i++)
        lost += band_errors.values[i] >= LOST;
    printf("# all: %d pixels: median %.3f px, 95th percentile %.3f px, %.2f %% of people's pixels measured\n",
           pixel_errors.count, part_of(&pixel_errors, 0, 0.5), part_of(&pixel_errors, 0, 0.95),
           100.0 * (double)measured / (double)shown);
    printf("# all: %d bands: median %.3f px, 95th percentile %.3f px, %d without a measurement\n",
           band_errors.count, part_of(&band_errors, 0, 0.5), part_of(&band_errors, 0, 0.95), lost);
    printf("# all: with what one eye sees alone, %d pixels: median %.3f px, 95th percentile %.3f px\n",
           any_errors.count, part_of(&any_errors, 0, 0.5), part_of(&any_errors, 0, 0.95));
    CHECK(part_of(&pixel_errors, 0, 0.5) < 0.5 && part_of(&pixel_errors, 0, 0.95) < 2.0);
    CHECK(part_of(&band_errors, 0, 0.5) < 0.5 && part_of(&band_errors, 0, 0.95) < 2.0);
    printf("# all: %d scenes: mean consistency of the true mattes %.4f\n", scene_count,
           overlap_sum / scene_count);
    CHECK(overlap_sum > 0.99 * scene_count);
    CHECK((double)measured > 0.97 * (double)shown);
    CHECK(lost <= band_errors.count / 50);
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
    check_all();
    free(pixel_errors.values);
    free(any_errors.values);
    free(band_errors.values);
}

int main(void)
{
    RUN(test_scenes);
    return tap_done();
}
