#include "tools/billboards.h"

#include "base/mem.h"
#include "tap.h"

#define EYE 256

static const struct vsm_billboards_rig level_rig = {.baseline = 0.064,
                                                    .pose = {{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
                                                             {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}}};

/* A white square of 64 texels a side, standing on its lower edge's middle. */
static struct vsm_cutout square(double metres)
{
    struct vsm_cutout cutout = {.x = 32, .y = 64, .texels_per_metre = 64 / metres};

    CHECK_INT(vsm_texture_create(64, 64, VSM_TEXTURE_CLEAR, &cutout.texture), VSM_OK);
    for (int i = 0; i < 4 * 64 * 64; i++)
        cutout.texture.levels[0].rgba[i] = 1.0f;
    CHECK_INT(vsm_texture_finish(&cutout.texture), VSM_OK);
    return cutout;
}

static void centre_of_alpha(const struct vsm_canvas *canvas, int eye, double *u, double *v)
{
    double sum = 0.0;

    *u = *v = 0.0;
    for (int y = 0; y < EYE; y++) {
        for (int x = 0; x < EYE; x++) {
            double alpha = vsm_canvas_at(canvas, eye, x, y)[3];

            sum += alpha;
            *u += alpha * (x + 0.5);
            *v += alpha * (y + 0.5);
        }
    }
    *u /= sum;
    *v /= sum;
}

static void mean_disparity(const struct vsm_billboards_seen *seen, double *u, double *v)
{
    double pixels = 0.0;

    *u = *v = 0.0;
    for (int i = 0; i < 1024 / VSM_BILLBOARDS_BAND; i++) {
        pixels += (double)seen->bands[i].pixels;
        *u += seen->bands[i].u_sum;
        *v += seen->bands[i].v_sum;
    }
    *u /= pixels;
    *v /= pixels;
}

/* The reported disparity is the distance by which the painted picture really moved. */
static void check_scene(const struct vsm_billboards_rig *rig, double azimuth, double distance)
{
    struct vsm_cutout cutout = square(0.1); /* small: disparity hardly changes over it */
    struct vsm_canvas canvas = {0};
    struct vsm_billboards_person person = {&cutout, azimuth, distance, -0.05};
    struct vsm_billboards_seen seen;
    double left[2], right[2], reported[2];

    CHECK_INT(vsm_canvas_create(EYE, &canvas), VSM_OK);
    CHECK_INT(vsm_billboards_paint(&canvas, rig, &person, 1, &seen, NULL), VSM_OK);
    centre_of_alpha(&canvas, 0, &left[0], &left[1]);
    centre_of_alpha(&canvas, 1, &right[0], &right[1]);
    mean_disparity(&seen, &reported[0], &reported[1]);
    CHECK_NEAR(left[0] - right[0], reported[0], 0.05);
    CHECK_NEAR(left[1] - right[1], reported[1], 0.05);
    if (azimuth == 0.0)
        CHECK_NEAR(left[0] - right[0], 2.0 * atan(0.032 / distance) / M_PI * EYE, 0.1);
    vsm_canvas_destroy(&canvas);
    vsm_cutout_destroy(&cutout);
}

static void test_disparity_is_exact(void)
{
    struct vsm_billboards_rig tilted = level_rig;

    check_scene(&level_rig, 0.0, 1.0);
    check_scene(&level_rig, 0.0, 4.0);
    check_scene(&level_rig, 0.6, 1.5);
    check_scene(&level_rig, -0.6, 2.5);
    tilted.pose[1] = vsm_rotation_of(0.0, 0.5 / 180.0 * M_PI, 0.0);
    check_scene(&tilted, 0.0, 2.0);
}

/* The right camera looks up too far, so people sink in its picture: v grows by 1/180 of the
 * height a degree. */
static void test_vertical_offset(void)
{
    struct vsm_billboards_rig tilted = level_rig;
    struct vsm_canvas canvas = {.eye = 1024};
    double left[2] = {0}, right[2] = {0};

    tilted.pose[1] = vsm_rotation_of(0.0, 0.5 / 180.0 * M_PI, 0.0);
    CHECK(vsm_billboards_project(&canvas, &tilted, 0, (double[]){0, 0, 2}, &left[0], &left[1]));
    CHECK(vsm_billboards_project(&canvas, &tilted, 1, (double[]){0, 0, 2}, &right[0], &right[1]));
    CHECK_NEAR(right[1] - left[1], 0.5 / 180.0 * 1024, 0.01);
}

static void test_near_hides_far(void)
{
    struct vsm_cutout cutout = square(1.0);
    struct vsm_canvas canvas = {0};
    struct vsm_billboards_person people[2] = {{&cutout, 0.0, 1.0, -0.5}, {&cutout, 0.0, 2.0, -0.5}};
    struct vsm_billboards_seen seen[2];
    struct vsm_billboards_point *points;

    CHECK_INT(vsm_canvas_create(EYE, &canvas), VSM_OK);
    points = vsm_mem_alloc("points", (size_t)2 * EYE * EYE, sizeof(*points));
    CHECK_INT(vsm_billboards_paint(&canvas, &level_rig, people, 2, seen, points), VSM_OK);
    CHECK_INT(points[0].person, -1);
    CHECK_INT(points[EYE / 2 * EYE + EYE / 2].person, 0);
    CHECK(!points[EYE / 2 * EYE + EYE / 2].hidden);
    CHECK_INT(points[(EYE + EYE / 2) * EYE + EYE / 2].person, 0);
    CHECK_NEAR(points[EYE / 2 * EYE + EYE / 2].u, 2.0 * atan(0.032) / M_PI * EYE, 0.1);
    vsm_mem_free(points);
    CHECK(seen[0].area[0] > 1000.0);
    CHECK_NEAR(seen[1].area[0], 0.0, 1e-6);
    CHECK_NEAR(seen[1].area[1], 0.0, 1e-6);
    vsm_canvas_destroy(&canvas);
    vsm_cutout_destroy(&cutout);
}

static void test_people_behind_are_not_seen(void)
{
    struct vsm_cutout cutout = square(1.0);
    struct vsm_canvas canvas = {0};
    struct vsm_billboards_person person = {&cutout, M_PI, 2.0, -0.5};
    struct vsm_billboards_seen seen;

    CHECK_INT(vsm_canvas_create(EYE, &canvas), VSM_OK);
    CHECK_INT(vsm_billboards_paint(&canvas, &level_rig, &person, 1, &seen, NULL), VSM_OK);
    CHECK_NEAR(seen.area[0] + seen.area[1], 0.0, 0.0);
    vsm_canvas_destroy(&canvas);
    vsm_cutout_destroy(&cutout);
}

/* Filtering keeps the amount of alpha: minified 1 : 16, a square has the area that it covers. */
static void test_textures_keep_their_area(void)
{
    struct vsm_cutout cutout = square(1.0);
    double sum = 0.0;

    for (int y = -4; y < 8; y++) {
        for (int x = -4; x < 8; x++) {
            double quad[4][2];
            float rgba[4];

            for (int i = 0; i < 4; i++) {
                quad[i][0] = 16.0 * (x + 0.3 + 0.5 * (i % 2));
                quad[i][1] = 16.0 * (y + 0.1 + 0.5 * (i / 2));
            }
            vsm_texture_quad(&cutout.texture, quad, 0.0, rgba);
            CHECK(rgba[3] >= 0.0f && rgba[3] <= 1.00001f);
            sum += rgba[3];
        }
    }
    CHECK_NEAR(sum, 16.0, 1e-3);
    vsm_cutout_destroy(&cutout);
}

static void test_canvas_colours(void)
{
    static const struct {
        float rgb[3];
        int yuv[3];
    } known[] = {{{0, 0, 0}, {16, 128, 128}}, {{1, 1, 1}, {235, 128, 128}}, {{1, 0, 0}, {63, 102, 240}}};
    struct vsm_canvas canvas = {0};
    struct vsm_image *image;

    CHECK_INT(vsm_canvas_create(4, &canvas), VSM_OK);
    image = vsm_canvas_yuv_image(&canvas);
    CHECK(image != NULL);
    for (size_t n = 0; image && n < sizeof(known) / sizeof(known[0]); n++) {
        for (int i = 0; i < 4 * 8; i++)
            memcpy(canvas.rgba + 4 * i, known[n].rgb, sizeof(known[n].rgb));
        vsm_canvas_to_yuv(&canvas, image);
        for (int p = 0; p < 3; p++)
            CHECK_INT(image->data[p][0], known[n].yuv[p]);
    }
    vsm_image_unref(&image);
    vsm_canvas_destroy(&canvas);
}

int main(void)
{
    RUN(test_disparity_is_exact);
    RUN(test_vertical_offset);
    RUN(test_near_hides_far);
    RUN(test_people_behind_are_not_seen);
    RUN(test_textures_keep_their_area);
    RUN(test_canvas_colours);
    return tap_done();
}
