/* How the eyes stand to each other, in all generated scenes: exchanged or not, the vertical offset, and
 * whether they show the same thing at all. Judged as the program does at its start (app/eyes_plan.c): whole
 * pictures on a grid of 512, no mattes. */
#include "base/mem.h"
#include "image/preprocess.h"
#include "shared_data.h"
#include "stereo/alignment.h"
#include "tap.h"
#include "tools/truth_film.h"

#include <math.h>
#include <string.h>

#define EYE    512
#define PIXELS (EYE * EYE)
#define FRAMES 2
#define SCENES 20

static float *rgb[SCENES][FRAMES][2]; /* as filmed, left and right */
static float ones[PIXELS];
static struct vsm_disparity_map map;

static void take(const struct vsm_truth_film *film, struct vsm_image *image, float *const out[2])
{
    struct vsm_view view = {.width = EYE, .height = EYE};

    vsm_canvas_to_yuv(&film->canvas, image);
    for (int eye = 0; eye < 2; eye++) {
        view.eye = (enum vsm_eye)eye;
        view.source = (struct vsm_rect){eye * EYE, 0, EYE, EYE};
        CHECK_INT(vsm_preprocess(image, &view, out[eye], NULL), VSM_OK);
    }
}

static void film_scene(int number, const char *data)
{
    struct vsm_truth_film_options options = {.data = data,
                                             .scene = *vsm_truth_scenes_get(number),
                                             .frames = 60,
                                             .eye = EYE};
    struct vsm_truth_film film;
    struct vsm_image *image;

    CHECK_INT(vsm_truth_film_create(&options, &film), VSM_OK);
    film.options.scene.swapped = false; /* each is judged both ways */
    image = vsm_canvas_yuv_image(&film.canvas);
    for (int f = 0; f < FRAMES; f++) {
        for (int eye = 0; eye < 2; eye++)
            rgb[number][f][eye] = vsm_mem_alloc("eye", 3 * PIXELS, sizeof(float));
        CHECK_INT(vsm_truth_film_shoot(&film, 20 + f), VSM_OK);
        take(&film, image, rgb[number][f]);
    }
    vsm_image_unref(&image);
    vsm_truth_film_destroy(&film);
}

static struct vsm_alignment_result judge(struct vsm_disparity *disparity, float *const left[FRAMES],
                                         float *const right[FRAMES])
{
    struct vsm_alignment alignment = {0};

    for (int f = 0; f < FRAMES; f++) {
        const struct vsm_disparity_picture a = {left[f], ones}, b = {right[f], ones};
        const struct vsm_disparity_search search = {.pitch = vsm_alignment_judge(&alignment, EYE).pitch,
                                                    .both_ways = true};

        vsm_disparity_measure(disparity, &a, &b, &search, &map);
        vsm_alignment_add(&alignment, disparity, &map, &search);
    }
    return vsm_alignment_judge(&alignment, EYE);
}

/* The eyes of different scenes in different places. */
static int find_stranger(int number)
{
    for (int k = 1; k < SCENES; k++) {
        const int other = (number + k) % SCENES;

        if (strcmp(vsm_truth_scenes_get(other)->plate, vsm_truth_scenes_get(number)->plate) != 0)
            return other;
    }
    return -1;
}

static void test_scenes(void)
{
    const struct vsm_disparity_options options = {.eye = {VSM_HALF_EQUIRECT, EYE, EYE, M_PI_2, 0.0},
                                                  .master = VSM_LEFT,
                                                  .baseline = 0.064};
    struct vsm_disparity *disparity = NULL;
    int straight = 0, swapped = 0, related = 0, unrelated = 0;
    double worst = 0.0;

    CHECK_INT(vsm_disparity_create(&options, &disparity), VSM_OK);
    for (int n = 0; n < SCENES; n++) {
        float *left[FRAMES], *right[FRAMES], *strange[FRAMES];
        struct vsm_alignment_result r, exchanged;
        const double true_offset = vsm_truth_scenes_get(n)->vertical / 180.0 * EYE;

        for (int f = 0; f < FRAMES; f++) {
            left[f] = rgb[n][f][0];
            right[f] = rgb[n][f][1];
            strange[f] = rgb[find_stranger(n)][f][1];
        }
        r = judge(disparity, left, right);
        exchanged = judge(disparity, right, left);
        straight += r.eyes == VSM_ALIGNMENT_STRAIGHT;
        swapped += exchanged.eyes == VSM_ALIGNMENT_SWAPPED;
        related += !r.unrelated && !exchanged.unrelated;
        worst = fmax(worst, fmax(fabs(r.offset - true_offset), fabs(exchanged.offset + true_offset)));
        unrelated += judge(disparity, left, strange).unrelated;
    }
    printf("# told straight %d, exchanged %d, of one scene %d, of two %d of 20; vertical offset within %.3f "
           "pixels "
           "of a grid of %d\n",
           straight, swapped, related, unrelated, worst, EYE);
    CHECK_INT(straight, SCENES);
    CHECK_INT(swapped, SCENES);
    CHECK_INT(related, SCENES);
    CHECK_INT(unrelated, SCENES);
    CHECK(worst < 0.3 * EYE / 1024);
    vsm_disparity_destroy(disparity);
}

static void test_eyes(void)
{
    char data[512];

    if (!shared_path("data", data, sizeof(data))) {
        tap_skip("no shared data");
        return;
    }
    for (int i = 0; i < PIXELS; i++)
        ones[i] = 1.0f;
    for (int n = 0; n < SCENES; n++)
        film_scene(n, data);
    test_scenes();
    for (int i = 0; i < SCENES * FRAMES * 2; i++)
        vsm_mem_free(rgb[i / (FRAMES * 2)][i / 2 % FRAMES][i % 2]);
}

int main(void)
{
    RUN(test_eyes);
    return tap_done();
}
