#include "geometry/reprojection.h"
#include "base/cpu.h"
#include "geometry/circle_map.h"
#include "geometry/projection.h"

#include "media/video_reader.h"
#include "media/video_writer.h"
#include "media_source.h"
#include "tap.h"

#include <math.h>

#define CYCLES 8 /* of the wave across a disc: 0.8 pixels off are 6/255 of alpha at 819 pixels */

static const struct vsm_format yuv420 = {.planes = VSM_PLANES_YUV, .depth = 8, .chroma_x = 1, .chroma_y = 1};
static const struct vsm_format gray16 = {.planes = VSM_PLANES_GRAY, .depth = 16};
static const struct vsm_colour bt709 = {1, 1, 1, false, 1};

/* The known mattes, as functions of the place in an eye's fisheye square. */
typedef double matte_function(int eye, double x, double y);

static double wave(int eye, double x, double y)
{
    double phase = eye ? 1.3 : 0.2;

    return 0.5 + 0.25 * sin(2 * M_PI * CYCLES * x + phase) + 0.25 * cos(2 * M_PI * CYCLES * y + phase);
}

/* A soft body with strands of hair. */
static double person(int eye, double x, double y)
{
    double dx = x - (eye ? 0.48 : 0.52), dy = y - 0.55, r = hypot(dx / 0.2, dy / 0.35);
    double edge = 0.94 + 0.05 * sin(40 * atan2(dy, dx)), alpha = (edge - r) / 0.06 + 0.5;

    return alpha < 0 ? 0 : alpha > 1 ? 1 : alpha;
}

static struct vsm_image *draw_matte(matte_function *function, int size, double view)
{
    struct vsm_image *image = vsm_image_create(gray16, 2 * size, size, bt709);
    struct vsm_projection_eye source, unit;

    CHECK_INT(vsm_projection_eye(VSM_HALF_EQUIRECT, size, size, 180, &source), VSM_OK);
    CHECK_INT(vsm_projection_eye(VSM_FISHEYE, 1, 1, view, &unit), VSM_OK);
    for (int row = 0; row < size; row++) {
        uint16_t *to = (uint16_t *)(image->data[0] + row * image->stride[0]);

        for (int x = 0; x < 2 * size; x++) {
            double direction[3], u = 0, v = 0;

            (void)vsm_projection_to_direction(&source, x % size + 0.5, row + 0.5, direction);
            (void)vsm_projection_to_pixel(&unit, direction, &u, &v);
            to[x] = (uint16_t)lrint(65535 * function(x / size, u, v));
        }
    }
    return image;
}

static struct vsm_image *draw_flat(int size, int luma, int chroma)
{
    struct vsm_image *image = vsm_image_create(yuv420, 2 * size, size, bt709);

    for (int p = 0; p < 3; p++)
        for (int row = 0; row < size >> (p > 0); row++)
            memset(image->data[p] + row * image->stride[p], p ? chroma : luma, (size_t)(p ? size : 2 * size));
    return image;
}

static struct vsm_reprojection_options options_of(int size, int height, double view)
{
    return (struct vsm_reprojection_options){
        .lens = {.projection = VSM_HALF_EQUIRECT},
        .eyes = {{0, 0, size, size}, {size, 0, size, size}},
        .field_of_view = view,
        .height = height,
        .format = yuv420,
        .background = {16, 128, 128},
        .alpha_zero = {16, 128, 128},
        .alpha_one = {235, 128, 128},
    };
}

static struct vsm_image *draw_frame(const struct vsm_reprojection_options *options,
                                    const struct vsm_image *matte)
{
    struct vsm_image *picture = draw_flat(options->eyes[0].width, 200, 90);
    struct vsm_image *frame = vsm_image_create(yuv420, 2 * options->height, options->height, bt709);
    struct vsm_reprojection *reprojection = NULL;

    CHECK_INT(vsm_reprojection_create(options, &reprojection), VSM_OK);
    CHECK_INT(vsm_reprojection_draw(reprojection, picture, matte, frame, NULL), VSM_OK);
    vsm_reprojection_destroy(reprojection);
    vsm_image_unref(&picture);
    return frame;
}

/* Bilinear, clamped at the border, as a texture is read. */
static double texture(const struct vsm_image *frame, double u, double v)
{
    double x = fmin(fmax(u * frame->width - 0.5, 0), frame->width - 1);
    double y = fmin(fmax(v * frame->height - 0.5, 0), frame->height - 1);
    int left = (int)x, top = (int)y, right = left + (left + 1 < frame->width),
        below = top + (top + 1 < frame->height);
    const uint8_t *a = frame->data[0] + top * frame->stride[0];
    const uint8_t *b = frame->data[0] + below * frame->stride[0];

    x -= left;
    y -= top;
    return (a[left] * (1 - x) + a[right] * x) * (1 - y) + (b[left] * (1 - x) + b[right] * x) * y;
}

/* What a player takes for the eye's alpha at (x, y), written from the published table of tiles. */
static double read_alpha(const struct vsm_image *frame, int eye, double x, double y)
{
    double u = 0.4 + 0.2 * x, v = y < 0.5 ? 0.8 + 0.4 * y : 0.4 * y - 0.2;

    if (eye == 1)
        u = x < 0.5 ? 0.9 + 0.2 * x : 0.2 * (x - 0.5);
    return (texture(frame, u, v) - 16) / 219;
}

/* Whether a player sees nothing but the disc's own pixels there: not at the rim, nor less than half a
 * pixel from the frame's border, where textures are clamped. */
static bool is_inside(double x, double y, int steps)
{
    return hypot(x - 0.5, y - 0.5) < 0.49 && fabs(x - 0.5) * steps > 0.5 && fabs(y - 0.5) * steps > 0.5;
}

/* Greatest and mean squared difference from the function, or from what another frame gives, within the
 * discs. */
static double read_error(const struct vsm_image *frame, matte_function *function,
                         const struct vsm_image *other, double *squared)
{
    double worst = 0, sum = 0;
    int steps = (int)(0.4 * frame->height), count = 0;

    for (int n = 0; n < 2 * steps * steps; n++) {
        int eye = n / (steps * steps), j = n / steps % steps, i = n % steps;
        double x = (i + 0.5) / steps, y = (j + 0.5) / steps, error;

        if (!is_inside(x, y, steps))
            continue;
        error = read_alpha(frame, eye, x, y) - (other ? read_alpha(other, eye, x, y) : function(eye, x, y));
        worst = fmax(worst, fabs(error));
        sum += error * error;
        count++;
    }
    *squared = sum / count;
    return worst;
}

static void check_round_trip(int size, int height)
{
    struct vsm_reprojection_options options = options_of(size, height, 180);
    struct vsm_image *matte = draw_matte(wave, size, 180), *frame = draw_frame(&options, matte);
    double squared, worst = read_error(frame, wave, NULL, &squared);

    printf("# H %d: worst %.2f/255, %.1f dB\n", height, 255 * worst, -10 * log10(squared));
    CHECK(255 * worst < 1.5);
    vsm_image_unref(&matte);
    vsm_image_unref(&frame);
}

static void test_matte_comes_back_at_any_height(void)
{
    check_round_trip(1024, 1024); /* from the matte at half size */
    check_round_trip(1024, 1600); /* 0.4 H is whole */
    check_round_trip(1024, 2048); /* 819.2 */
}

static void test_matte_comes_back_at_8k(void)
{
    check_round_trip(1024, 4096); /* 1638.4 */
}

/* A fisheye source whose circle lies off the middle of its eye: what it holds is the wave as a player shall
 * see it. */
static void test_matte_of_a_fisheye_source(void)
{
    const double x = 500.5, y = 530.25, r = 450;
    struct vsm_reprojection_options options = options_of(1024, 1024, 190);
    struct vsm_image *matte = vsm_image_create(gray16, 2048, 1024, bt709), *frame;
    double squared, worst;

    for (int row = 0; row < 1024; row++)
        for (int i = 0; i < 2048; i++)
            ((uint16_t *)(matte->data[0] + row * matte->stride[0]))[i] =
                (uint16_t)lrint(65535 * wave(i / 1024, 0.5 + 0.5 * (i % 1024 + 0.5 - x) / r,
                                             0.5 + 0.5 * (row + 0.5 - y) / r));
    options.lens = (struct vsm_lens){VSM_FISHEYE, 190, x, y, r};
    frame = draw_frame(&options, matte);
    worst = read_error(frame, wave, NULL, &squared);
    printf("# worst %.2f/255, %.1f dB\n", 255 * worst, -10 * log10(squared));
    CHECK(255 * worst < 1.5);
    vsm_image_unref(&matte);
    vsm_image_unref(&frame);
}

/* A value for every direction, without a pole. */
static double sky(int eye, const double d[3])
{
    return 0.5 + 0.2 * sin(9 * d[0] + 4 * d[2] + eye) + 0.2 * cos(11 * d[1] - eye);
}

/* Fisheye eyes drawn as half-equirect ones show every direction where it belongs, and background where they
 * saw none. */
static void check_unrolled(double view, int height)
{
    const int size = 1024;
    const struct vsm_lens lens = {VSM_FISHEYE, view, 500.5, 530.25, 450};
    struct vsm_reprojection_options options = options_of(size, height, 180);
    struct vsm_image *picture = vsm_image_create(gray16, 2 * size, size, bt709);
    struct vsm_image *frame = vsm_image_create(gray16, 2 * height, height, bt709);
    struct vsm_projection_eye source, square;
    struct vsm_reprojection *reprojection = NULL;
    double worst = 0, d[3] = {0};
    int lost = 0;

    options.lens = lens;
    options.half_equirect = true;
    options.format = gray16;
    CHECK_INT(vsm_projection_lens(&lens, size, size, &source), VSM_OK);
    CHECK_INT(vsm_projection_eye(VSM_HALF_EQUIRECT, height, height, 180, &square), VSM_OK);
    source.half_view *= 1.01; /* what bilinear samples at the rim read */
    for (int row = 0; row < size; row++)
        for (int x = 0; x < 2 * size; x++) {
            const bool seen = vsm_projection_to_direction(&source, x % size + 0.5, row + 0.5, d);

            ((uint16_t *)(picture->data[0] + row * picture->stride[0]))[x] =
                seen ? (uint16_t)lrint(65535 * sky(x / size, d)) : 0;
        }
    CHECK_INT(vsm_reprojection_create(&options, &reprojection), VSM_OK);
    CHECK_INT(vsm_reprojection_draw(reprojection, picture, NULL, frame, NULL), VSM_OK);
    for (int row = 0; row < height; row++)
        for (int x = 0; x < 2 * height; x++) {
            const int value = ((uint16_t *)(frame->data[0] + row * frame->stride[0]))[x];
            double angle;

            (void)vsm_projection_to_direction(&square, x % height + 0.5, row + 0.5, d);
            angle = acos(fmin(1, d[2])) * 180 / M_PI;
            if (fabs(angle - view / 2) < 0.4)
                continue;
            if (angle < view / 2)
                worst = fmax(worst, fabs(value / 65535.0 - sky(x / height, d)));
            lost += angle > view / 2 && value != options.background[0];
        }
    printf("# %g degrees to H %d: worst %.2f/255\n", view, height, 255 * worst);
    CHECK(255 * worst < 0.5); /* 0.1 pixels off are 0.9 of 255 */
    CHECK_INT(lost, 0);
    vsm_reprojection_destroy(reprojection);
    vsm_image_unref(&picture);
    vsm_image_unref(&frame);
}

static void test_fisheyes_become_half_equirect(void)
{
    check_unrolled(200, 1024);
    check_unrolled(180, 720);
    check_unrolled(150, 1024);
}

/* Circle from the picture, discs from the matte, and nothing else; black lies between them. */
static void check_places(int height, double view)
{
    struct vsm_reprojection_options options = options_of(256, height, view);
    struct vsm_image *matte = vsm_image_create(gray16, 512, 256, bt709), *frame;
    double reach = 0.5 * height * fmin(1, 180 / view);
    int wrong = 0;

    for (int row = 0; row < 256; row++)
        memset(matte->data[0] + row * matte->stride[0], 0xff, 1024);
    frame = draw_frame(&options, matte);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < 2 * height; x++) {
            double dx = x + 0.5 - (x / height + 0.5) * height, dy = y + 0.5 - 0.5 * height;
            double from_circle = hypot(dx, dy) - reach, from_disc = 1e9;
            int value = frame->data[0][y * frame->stride[0] + x];

            for (int c = 0; c < 6; c++)
                from_disc = fmin(from_disc, hypot(x + 0.5 - c / 2 * height, y + 0.5 - c % 2 * height));
            from_disc -= 0.4 * reach;
            if (fabs(from_circle) < 0.75 || fabs(from_disc) < 0.75)
                continue;
            wrong += value != (from_circle < 0 ? 200 : from_disc < 0 ? 235 : 16);
        }
    }
    CHECK_INT(wrong, 0);
    vsm_image_unref(&matte);
    vsm_image_unref(&frame);
}

static void test_discs_do_not_touch_circles(void)
{
    check_places(288, 180);
    check_places(512, 180);
    check_places(512, 200);
}

static void test_red(void)
{
    struct vsm_reprojection_options options = options_of(128, 256, 180);
    struct vsm_image *matte = draw_matte(person, 128, 180), *frame;

    memcpy(options.alpha_one, (const int[4]){63, 102, 240}, sizeof(options.alpha_one));
    frame = draw_frame(&options, matte);
    CHECK_INT(frame->data[0][2 * frame->stride[0] + 256], 63); /* the left eye's lower middle */
    CHECK_INT(frame->data[1][1 * frame->stride[1] + 128], 102);
    CHECK_INT(frame->data[2][1 * frame->stride[2] + 128], 240);
    CHECK_INT(frame->data[2][40], 128);
    vsm_image_unref(&matte);
    vsm_image_unref(&frame);
}

static void check_encoder(int height)
{
    struct vsm_reprojection_options options = options_of(height / 2, height, 180);
    struct vsm_video_writer_options target = {
        .path = media_source_path("alpha.mp4"),
        .encoder = {.codec = "libx265",
                    .crf = 18,
                    .preset = "medium",
                    .threads = 1,
                    .width = 2 * height,
                    .height = height,
                    .format = yuv420,
                    .colour = bt709,
                    .time_base = {1, 30},
                    .frame_rate = {30, 1},
                    .sample_aspect = {1, 1}},
        .end_pts = INT64_MAX,
    };
    struct vsm_image *matte = draw_matte(person, height / 2, 180), *frame = draw_frame(&options, matte);
    struct vsm_video_reader_options reading = {.threads = 1};
    struct vsm_video_writer *writer = NULL;
    struct vsm_video_reader *reader = NULL;
    struct vsm_frame *back = vsm_frame_create();
    double squared, worst;

    if (vsm_video_writer_open(&target, &writer) == VSM_E_USAGE) {
        tap_skip("no libx265");
    } else {
        CHECK_INT(vsm_video_writer_put(writer, &(struct vsm_image *){vsm_image_ref(frame)}, 0, 1), VSM_OK);
        CHECK_INT(vsm_video_writer_finish(writer), VSM_OK);
        vsm_video_writer_close(writer, false);
        CHECK_INT(vsm_video_reader_open(target.path, &reading, &reader), VSM_OK);
        CHECK_INT(vsm_video_reader_next(reader, back), VSM_OK);
        worst = read_error(back->source, NULL, frame, &squared);
        printf("# H %d, x265 at CRF 18: worst %.1f/255, %.1f dB\n", height, 255 * worst,
               -10 * log10(squared));
        CHECK(-10 * log10(squared) >= 55);
    }
    vsm_frame_destroy(&back);
    vsm_video_reader_close(reader);
    vsm_image_unref(&matte);
    vsm_image_unref(&frame);
}

/* How far from a sample's middle the circle shows what the coarse table gives for it, in samples. */
static double map_error(const struct vsm_circle *circle, int size)
{
    struct vsm_projection_eye source, seen;
    struct vsm_circle_map map;
    double worst = 0;

    CHECK_INT(vsm_projection_eye(VSM_HALF_EQUIRECT, size, size, 180, &source), VSM_OK);
    CHECK_INT(vsm_projection_eye(VSM_FISHEYE, 2 * (int)circle->radius, 2 * (int)circle->radius,
                                 circle->field_of_view, &seen),
              VSM_OK);
    CHECK_INT(vsm_circle_map_create(&source, circle, &map), VSM_OK);
    for (int row = 0; row < map.rows; row++) {
        for (int i = 0; i < map.reach[row]; i++) {
            const float *across = map.across + row * map.nodes + i / VSM_CIRCLE_MAP_STEP;
            const float *down = map.down + row * map.nodes + i / VSM_CIRCLE_MAP_STEP;
            double t = (i % VSM_CIRCLE_MAP_STEP + 0.5) / VSM_CIRCLE_MAP_STEP, direction[3];
            double u = across[0] + (across[1] - across[0]) * t, v = down[0] + (down[1] - down[0]) * t;

            if (row >= map.first_polar && i < VSM_CIRCLE_MAP_POLE) {
                u = map.polar_across[(row - map.first_polar) * VSM_CIRCLE_MAP_POLE + i];
                v = map.polar_down[(row - map.first_polar) * VSM_CIRCLE_MAP_POLE + i];
            }
            (void)vsm_projection_to_direction(&source, 0.5 * size + u, 0.5 * size + v, direction);
            if (!vsm_projection_to_pixel(&seen, direction, &u, &v))
                continue; /* a chroma sample that reaches over the rim */
            worst = fmax(worst, hypot((u - circle->radius) / (1 << circle->chroma_x) - i - 0.5,
                                      (v - circle->radius) / (1 << circle->chroma_y) - row - 0.5));
        }
    }
    vsm_circle_map_finish(&map);
    return worst;
}

static void test_coarse_table(void)
{
    const struct vsm_circle luma = {.field_of_view = 180, .radius = 512};
    const struct vsm_circle chroma = {.field_of_view = 190, .radius = 512, .chroma_x = 1, .chroma_y = 1};
    const struct vsm_circle large = {.field_of_view = 180, .radius = 2048};
    double a = map_error(&luma, 1024), b = map_error(&chroma, 1024), c = map_error(&large, 4096);

    printf("# coarse table: off by %.4f samples (radius 512), %.4f (chroma of it), %.4f (radius 2048)\n", a,
           b, c);
    CHECK(a < 0.1 && b < 0.1 && c < 0.1);
}

static struct vsm_image *draw_noise(struct vsm_format format, int size)
{
    struct vsm_image *image = vsm_image_create(format, 2 * size, size, bt709);
    uint32_t state = 1;

    for (int p = 0; p < vsm_format_plane_count(format); p++)
        for (int row = 0; row < vsm_format_plane_height(format, p, size); row++)
            for (int x = 0; x < vsm_format_plane_width(format, p, 2 * size); x++) {
                uint16_t code =
                    (uint16_t)((state = state * 1664525 + 1013904223) >> 8 & ((1u << format.depth) - 1));
                uint8_t *to = image->data[p] + row * image->stride[p];

                if (format.depth == 8)
                    to[x] = (uint8_t)code;
                else
                    memcpy(to + 2 * x, &code, 2);
            }
    return image;
}

static int count_differences(const struct vsm_image *a, const struct vsm_image *b)
{
    int count = 0;

    for (int p = 0; p < vsm_format_plane_count(a->format); p++)
        for (int row = 0; row < vsm_format_plane_height(a->format, p, a->height); row++)
            count += memcmp(a->data[p] + row * a->stride[p], b->data[p] + row * b->stride[p],
                            (size_t)(vsm_format_plane_width(a->format, p, a->width) *
                                     vsm_format_bytes_per_sample(a->format))) != 0;
    return count;
}

/* C and AVX2, one thread and three. */
static void check_same_bits(struct vsm_format format, double view, bool with_matte, int one)
{
    struct vsm_reprojection_options options = options_of(192, 208, view);
    struct vsm_image *picture = draw_noise(format, 192), *matte = draw_noise(gray16, 192);
    struct vsm_image *plain = vsm_image_create(format, 416, 208, bt709);
    struct vsm_image *fast = vsm_image_create(format, 416, 208, bt709);
    struct vsm_parallel *pool = vsm_parallel_create(3);
    struct vsm_reprojection *reprojection = NULL;

    options.format = format;
    options.alpha_one[1] = one;
    CHECK_INT(vsm_reprojection_create(&options, &reprojection), VSM_OK);
    CHECK_INT(vsm_reprojection_draw(reprojection, picture, with_matte ? matte : NULL, fast, pool), VSM_OK);
    vsm_cpu_force_c(true);
    CHECK_INT(vsm_reprojection_draw(reprojection, picture, with_matte ? matte : NULL, plain, NULL), VSM_OK);
    vsm_cpu_force_c(false);
    CHECK_INT(count_differences(plain, fast), 0);
    vsm_reprojection_destroy(reprojection);
    vsm_parallel_destroy(pool);
    vsm_image_unref(&picture);
    vsm_image_unref(&matte);
    vsm_image_unref(&plain);
    vsm_image_unref(&fast);
}

static void test_vector_kernels_give_the_same_bits(void)
{
    const struct vsm_format deep = {.planes = VSM_PLANES_YUV, .depth = 10, .chroma_x = 1};
    const struct vsm_format full = {.planes = VSM_PLANES_YUVA, .depth = 16};

    check_same_bits(yuv420, 180, true, 128);
    check_same_bits(yuv420, 220, true, 90);
    check_same_bits(deep, 200, true, 90);
    check_same_bits(full, 180, true, 90);
    check_same_bits(gray16, 180, false, 0);
}

static void test_through_the_encoder(void)
{
    check_encoder(1024);
}

/* Takes half a minute: by hand. */
static void test_large_ones_through_the_encoder(void)
{
    check_encoder(2048);
    check_encoder(4096);
}

static void test_refusals(void)
{
    struct vsm_reprojection_options options = options_of(128, 250, 180);
    struct vsm_reprojection *reprojection = NULL;

    CHECK_INT(vsm_reprojection_create(&options, &reprojection), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "250");
    options = options_of(128, 256, 400);
    CHECK_INT(vsm_reprojection_create(&options, &reprojection), VSM_E_USAGE);
    CHECK_INT(vsm_reprojection_height(1080), 1088);
    CHECK_INT(vsm_reprojection_height(4096), 4096);
    CHECK_INT(vsm_reprojection_height(2), 64);
}

int main(int argc, char **argv)
{
    RUN(test_matte_comes_back_at_any_height);
    RUN(test_matte_comes_back_at_8k);
    RUN(test_matte_of_a_fisheye_source);
    RUN(test_fisheyes_become_half_equirect);
    RUN(test_discs_do_not_touch_circles);
    RUN(test_red);
    RUN(test_through_the_encoder);
    if (argc > 1 && strcmp(argv[1], "--large") == 0)
        RUN(test_large_ones_through_the_encoder);
    RUN(test_coarse_table);
    RUN(test_vector_kernels_give_the_same_bits);
    RUN(test_refusals);
    media_source_clean();
    return tap_done();
}
