/* Turned views against plain references: what the network is given, and what becomes of its maps at full
 * size. */
#include "base/cpu.h"
#include "geometry/view_map.h"
#include "image/preprocess.h"
#include "image/refine.h"
#include "pictures.h"
#include "tap.h"
#include "turned_view.h"

static const struct vsm_colour full_range = {1, 1, 1, true, 0};
static const struct vsm_format deep_444 = {VSM_PLANES_YUV, 16, 0, 0, 0};

static struct vsm_matte matte_of(struct vsm_view view)
{
    struct vsm_matte matte = {.view = view};
    struct vsm_view_map map;
    struct vsm_view_table table = {0};

    CHECK_INT(vsm_view_map_init(&map, &view), VSM_OK);
    CHECK_INT(vsm_view_map_inverse_table(&map, &table), VSM_OK);
    matte.coefficients = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){8, view.height, view.width});
    matte.inverse = table.nodes;
    matte.inverse_step = table.step;
    return matte;
}

static void free_matte(struct vsm_matte *matte)
{
    vsm_tensor_unref(&matte->coefficients);
    vsm_tensor_unref(&matte->inverse);
}

/* A soft pattern over directions: what the world looks like. */
static double world(const double d[3])
{
    return 0.5 + 0.2 * sin(7 * d[0] + 1) + 0.2 * cos(6 * d[1] - 2 * d[2]);
}

static void test_view_sees_the_world(void)
{
    static const double poses[][2] = {{0, 0}, {30, 20}, {-50, 35}, {0, 80}};
    struct vsm_rect rect = {700, 0, 700, 700};
    struct vsm_image *image = vsm_image_create(deep_444, 1400, 700, full_range);
    struct vsm_view eye = {.source = rect, .width = 700, .height = 700};
    struct vsm_view_map eye_map;
    float *rgb = malloc(3 * 160 * 160 * sizeof(float));

    CHECK_INT(vsm_view_map_init(&eye_map, &eye), VSM_OK);
    picture_noise(image);
    for (int y = 0; y < 700; y++)
        for (int x = 0; x < 700; x++) {
            double d[3];

            CHECK(vsm_view_map_eye_to_direction(&eye_map, x + 0.5, y + 0.5, d));
            picture_set(image, 0, 700 + x, y, (int)lrint(65535 * world(d)));
            picture_set(image, 1, 700 + x, y, 32768);
            picture_set(image, 2, 700 + x, y, 32768);
        }
    for (size_t p = 0; p < sizeof(poses) / sizeof(poses[0]); p++) {
        struct vsm_view view = turned(rect, poses[p][0], poses[p][1], 100, 160);
        struct vsm_view_map map;
        double worst = 0;

        CHECK_INT(vsm_view_map_init(&map, &view), VSM_OK);
        CHECK_INT(vsm_preprocess(image, &view, rgb, NULL), VSM_OK);
        for (int y = 0; y < 160; y++)
            for (int x = 0; x < 160; x++) {
                double d[3];

                CHECK(vsm_view_map_grid_to_direction(&map, x + 0.5, y + 0.5, d));
                if (d[2] > 0.05) /* beyond is not in the picture */
                    worst = fmax(worst, fabs(rgb[y * 160 + x] - world(d)));
            }
        printf("# yaw %g pitch %g: off by %.4f at most\n", poses[p][0], poses[p][1], worst);
        CHECK(worst < (poses[p][1] > 60 ? 0.03 : 0.01)); /* the pole is one row of the picture */
    }
    free(rgb);
    vsm_image_unref(&image);
}

/* Alpha by direction: a disc with a soft rim, into the b of alpha. */
static double disc(const double d[3])
{
    return fmin(fmax((d[0] * 0.3 + d[1] * 0.2 + d[2] - 0.85) * 8, 0), 1);
}

static void paint_disc(struct vsm_matte *matte)
{
    int w = matte->view.width, h = matte->view.height;
    struct vsm_view_map map;

    CHECK_INT(vsm_view_map_init(&map, &matte->view), VSM_OK);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double d[3];

            CHECK(vsm_view_map_grid_to_direction(&map, x + 0.5, y + 0.5, d));
            vsm_tensor_f32(matte->coefficients)[(7 * h + y) * w + x] = (float)disc(d);
        }
}

static double matte_at(const struct vsm_image *image, int x, int y)
{
    return picture_get(image, 0, x, y) / 65535.0;
}

/* One view, and two that overlap: alpha is the world's wherever a view looks, and 0 elsewhere. */
static void test_full_size_alpha(void)
{
    struct vsm_rect rect = {0, 0, 600, 600};
    struct vsm_image *source = vsm_image_create(deep_444, 600, 600, full_range);
    struct vsm_image *result =
        vsm_image_create((struct vsm_format){VSM_PLANES_GRAY, 16, 0, 0, 0}, 600, 600, full_range);
    struct vsm_matte mattes[2] = {matte_of(turned(rect, -10, 5, 60, 256)),
                                  matte_of(turned(rect, 30, -10, 80, 256))};
    struct vsm_view_map maps[2];

    picture_noise(source);
    for (int i = 0; i < 2; i++) {
        paint_disc(&mattes[i]);
        CHECK_INT(vsm_view_map_init(&maps[i], &mattes[i].view), VSM_OK);
    }
    for (int count = 1; count <= 2; count++) {
        struct vsm_composite_output output = {VSM_COMPOSITE_MATTE, result, {0}};
        double worst = 0, outside = 0;
        int seen = 0;

        CHECK_INT(vsm_refine(source, mattes, count, &output, 1, &(struct vsm_refine_options){0}, NULL),
                  VSM_OK);
        for (int y = 0; y < 600; y++)
            for (int x = 0; x < 600; x++) {
                double d[3], gx, gy;
                bool in = false, near = false;

                CHECK(vsm_view_map_eye_to_direction(&maps[0], x + 0.5, y + 0.5, d));
                for (int k = 0; k < count; k++)
                    if (vsm_view_map_direction_to_grid(&maps[k], d, &gx, &gy)) {
                        in = in || (gx > 0.2 && gy > 0.2 && gx < 255.8 && gy < 255.8);
                        near = near || (gx > -0.2 && gy > -0.2 && gx < 256.2 && gy < 256.2);
                    }
                if (in)
                    worst = fmax(worst, fabs(matte_at(result, x, y) - disc(d)));
                else if (!near)
                    outside = fmax(outside, matte_at(result, x, y));
                seen += in && disc(d) > 0.5;
            }
        printf("# %d views: %d pixels of the disc, off by %.4f, outside %.4f\n", count, seen, worst, outside);
        CHECK(seen > 1000);
        CHECK(worst < 0.02);
        CHECK(outside == 0);
    }
    for (int i = 0; i < 2; i++)
        free_matte(&mattes[i]);
    vsm_image_unref(&source);
    vsm_image_unref(&result);
}

static const struct vsm_format formats[] = {{VSM_PLANES_YUV, 8, 0, 1, 1},
                                            {VSM_PLANES_NV, 10, 6, 1, 1},
                                            {VSM_PLANES_YUV, 12, 0, 1, 0},
                                            {VSM_PLANES_GRAY, 8, 0, 0, 0}};

/* Runs with random maps: without vectors, and with four threads, the outputs have the same bits. */
static void check_same(struct vsm_format format, int width, int height, int gap)
{
    struct vsm_image *source = vsm_image_create(format, 2 * width + gap, height, full_range);
    struct vsm_rect left = {0, 0, width, height}, right = {width + gap, 0, width, height};
    struct vsm_matte mattes[4] = {matte_of(turned(left, -20, 10, 100, 64)),
                                  matte_of(turned(right, -20, 10, 100, 64)),
                                  matte_of(turned(left, 40, 0, 90, 48)),
                                  matte_of(turned(right, 40, 0, 90, 48))};
    struct vsm_parallel *pool = vsm_parallel_create(4);
    struct vsm_image *results[3][2];

    picture_noise(source);
    for (int i = 0; i < 4; i++)
        for (int64_t k = 0; k < vsm_tensor_count(mattes[i].coefficients); k++)
            vsm_tensor_f32(mattes[i].coefficients)[k] = picture_unit() * 1.6f - 0.5f;
    for (int run = 0; run < 3; run++) {
        struct vsm_composite_output outputs[2];

        for (int i = 0; i < 2; i++) {
            results[run][i] = vsm_image_create(i ? deep_444 : formats[0], source->width, height, full_range);
            picture_clear(results[run][i], 0x5a);
            outputs[i] = (struct vsm_composite_output){i ? VSM_COMPOSITE_MATTE : VSM_COMPOSITE_KEY,
                                                       results[run][i],
                                                       {0, 0xb1, 0x40}};
        }
        vsm_cpu_force_c(run == 1);
        CHECK_INT(vsm_refine(source, mattes, 4, outputs, 2, &(struct vsm_refine_options){0.7f},
                             run == 2 ? pool : NULL),
                  VSM_OK);
        vsm_cpu_force_c(false);
    }
    for (int i = 0; i < 2; i++) {
        CHECK(picture_equal(results[0][i], results[1][i]));
        CHECK(picture_equal(results[0][i], results[2][i]));
        for (int run = 0; run < 3; run++)
            vsm_image_unref(&results[run][i]);
    }
    for (int i = 0; i < 4; i++)
        free_matte(&mattes[i]);
    vsm_parallel_destroy(pool);
    vsm_image_unref(&source);
}

static void test_vectors_and_threads_agree(void)
{
    for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++) {
        check_same(formats[f], 301, 280, 0);
        check_same(formats[f], 64, 65, 3);
        check_same(formats[f], 700, 300, 2);
    }
}

/* Skipping what is surely background must not show: maps with alpha only in places. */
static void test_empty_places_are_skipped_rightly(void)
{
    struct vsm_rect rect = {0, 0, 900, 900};
    struct vsm_image *source = vsm_image_create(formats[0], 900, 900, full_range);
    struct vsm_image *result =
        vsm_image_create((struct vsm_format){VSM_PLANES_GRAY, 8, 0, 0, 0}, 900, 900, full_range);
    struct vsm_matte matte = matte_of(turned(rect, 20, 10, 100, 128));
    struct vsm_composite_output output = {VSM_COMPOSITE_MATTE, result, {0}};
    struct vsm_view_map map;
    int wrong = 0;

    picture_noise(source);
    CHECK_INT(vsm_view_map_init(&map, &matte.view), VSM_OK);
    for (int spot = 0; spot < 60; spot++)
        vsm_tensor_f32(matte.coefficients)[7 * 128 * 128 + (int)(picture_random() % (128 * 128))] = 1;
    CHECK_INT(vsm_refine(source, &matte, 1, &output, 1, &(struct vsm_refine_options){0}, NULL), VSM_OK);
    for (int y = 0; y < 900; y++)
        for (int x = 0; x < 900; x++) {
            double gx, gy, expected = 0;

            if (vsm_view_map_eye_to_grid(&map, x + 0.5, y + 0.5, &gx, &gy) && gx > 1 && gy > 1 && gx < 127 &&
                gy < 127) {
                int cx = (int)floor(gx - 0.5), cy = (int)floor(gy - 0.5);
                const float *b = vsm_tensor_f32(matte.coefficients) + 7 * 128 * 128 + cy * 128 + cx;
                double fx = gx - 0.5 - cx, fy = gy - 0.5 - cy;

                expected = (1 - fy) * ((1 - fx) * b[0] + fx * b[1]) + fy * ((1 - fx) * b[128] + fx * b[129]);
                wrong += fabs(picture_get(result, 0, x, y) / 255.0 - expected) > 0.2;
            }
        }
    CHECK_INT(wrong, 0);
    free_matte(&matte);
    vsm_image_unref(&source);
    vsm_image_unref(&result);
}

static void test_refusals(void)
{
    struct vsm_rect rect = {0, 0, 64, 64};
    struct vsm_image *source = vsm_image_create(formats[0], 64, 64, full_range);
    struct vsm_matte matte = matte_of(turned(rect, 0, 0, 90, 32));
    struct vsm_composite_output output = {VSM_COMPOSITE_KEY, source, {0}};

    matte.inverse_step = 0;
    CHECK_INT(vsm_refine(source, &matte, 1, &output, 1, &(struct vsm_refine_options){0}, NULL),
              VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "inverse mapping");
    matte.inverse_step = 1;
    matte.inverse->dims[0] = 60;
    CHECK_INT(vsm_refine(source, &matte, 1, &output, 1, &(struct vsm_refine_options){0}, NULL),
              VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "60 nodes");
    free_matte(&matte);
    vsm_image_unref(&source);
}

int main(void)
{
    RUN(test_view_sees_the_world);
    RUN(test_full_size_alpha);
    RUN(test_vectors_and_threads_agree);
    RUN(test_empty_places_are_skipped_rightly);
    RUN(test_refusals);
    return tap_done();
}
