#include "image/refine.h"

#include "pictures.h"
#include "tap.h"

#define WIDTH  301
#define HEIGHT 46

static const struct vsm_colour bt709 = {1, 1, 1, false, 1};
static const struct vsm_format yuv420 = {.planes = VSM_PLANES_YUV, .depth = 8, .chroma_x = 1, .chroma_y = 1};
static const struct vsm_format yuva420 = {.planes = VSM_PLANES_YUVA,
                                          .depth = 8,
                                          .chroma_x = 1,
                                          .chroma_y = 1};
static const struct vsm_format yuva444 = {.planes = VSM_PLANES_YUVA, .depth = 10};
static const struct vsm_format gray8 = {.planes = VSM_PLANES_GRAY, .depth = 8};
static const struct vsm_format gray10 = {.planes = VSM_PLANES_GRAY, .depth = 10};

enum { KEY, PREMULTIPLIED, STRAIGHT, MATTE8, MATTE10, DEEP, OUTPUTS };

struct scene {
    struct vsm_image *source;
    struct vsm_matte matte;
    struct vsm_composite_output outputs[OUTPUTS];
};

/* Alpha rises from 0 left to 1 right, behind a margin of background on all sides. */
static struct scene make_scene(void)
{
    static const struct vsm_format formats[OUTPUTS] = {yuv420, yuva420, yuva420, gray8, gray10, yuva444};
    static const enum vsm_composite kinds[OUTPUTS] = {VSM_COMPOSITE_KEY,        VSM_COMPOSITE_KEY,
                                                      VSM_COMPOSITE_FOREGROUND, VSM_COMPOSITE_MATTE,
                                                      VSM_COMPOSITE_MATTE,      VSM_COMPOSITE_FOREGROUND};
    struct vsm_colour full = {1, 1, 1, true, 1};
    struct vsm_refine_options options = {0};
    struct scene s = {.source = vsm_image_create(yuv420, WIDTH, HEIGHT, bt709)};

    for (int p = 0; p < 3; p++)
        for (int y = 0; y < vsm_format_plane_height(yuv420, p, HEIGHT); y++)
            for (int x = 0; x < vsm_format_plane_width(yuv420, p, WIDTH); x++)
                picture_set(s.source, p, x, y, 60 + (int)(picture_random() % 100));
    s.matte.view = (struct vsm_view){.source = {4, 2, WIDTH - 9, HEIGHT - 5}, .width = 32, .height = 8};
    s.matte.coefficients = vsm_tensor_create(VSM_F32, 3, (int64_t[]){8, 8, 32});
    for (int i = 0; i < 8 * 32; i++) {
        float alpha = ((float)(i % 32) - 8) / 16;

        vsm_tensor_f32(s.matte.coefficients)[7 * 8 * 32 + i] = alpha < 0 ? 0 : alpha > 1 ? 1 : alpha;
    }
    for (int i = 0; i < OUTPUTS; i++)
        s.outputs[i] =
            (struct vsm_composite_output){kinds[i],
                                          vsm_image_create(formats[i], WIDTH, HEIGHT,
                                                           kinds[i] == VSM_COMPOSITE_MATTE ? full : bt709),
                                          {0, 0, 0}};
    CHECK_INT(vsm_refine(s.source, &s.matte, 1, s.outputs, OUTPUTS, &options, NULL), VSM_OK);
    return s;
}

static void free_scene(struct scene *s)
{
    vsm_image_unref(&s->source);
    vsm_tensor_unref(&s->matte.coefficients);
    for (int i = 0; i < OUTPUTS; i++)
        vsm_image_unref(&s->outputs[i].image);
}

static int differences(const struct vsm_image *a, int plane_a, const struct vsm_image *b, int plane_b)
{
    int count = 0;

    for (int y = 0; y < vsm_format_plane_height(a->format, plane_a, HEIGHT); y++)
        for (int x = 0; x < vsm_format_plane_width(a->format, plane_a, WIDTH); x++)
            count += picture_get(a, plane_a, x, y) != picture_get(b, plane_b, x, y);
    return count;
}

static void test_alpha_is_the_matte(void)
{
    struct scene s = make_scene();

    CHECK_INT(differences(s.outputs[MATTE8].image, 0, s.outputs[STRAIGHT].image, 3), 0);
    CHECK_INT(differences(s.outputs[MATTE8].image, 0, s.outputs[PREMULTIPLIED].image, 3), 0);
    CHECK_INT(differences(s.outputs[MATTE10].image, 0, s.outputs[DEEP].image, 3), 0);
    CHECK_INT(picture_get(s.outputs[MATTE10].image, 0, WIDTH - 10, 20), 1023);
    CHECK_INT(picture_get(s.outputs[MATTE10].image, 0, 10, 20), 0);
    free_scene(&s);
}

static void test_premultiplied_is_black_under_nothing(void)
{
    struct scene s = make_scene();

    for (int p = 0; p < 3; p++)
        CHECK_INT(differences(s.outputs[KEY].image, p, s.outputs[PREMULTIPLIED].image, p), 0);
    free_scene(&s);
}

static void test_straight_keeps_the_colour(void)
{
    struct scene s = make_scene();
    const struct vsm_image *out = s.outputs[STRAIGHT].image;
    int wrong = 0, half = 0;

    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            int alpha = picture_get(out, 3, x, y), luma = picture_get(out, 0, x, y);

            half += alpha > 4 && alpha < 255;
            wrong += alpha > 4 && luma != picture_get(s.source, 0, x, y);
            wrong += alpha == 0 && luma != 16;
        }
    }
    CHECK_INT(wrong, 0);
    CHECK(half > 1000);
    free_scene(&s);
}

static void test_refusals(void)
{
    struct scene s = make_scene();
    struct vsm_refine_options options = {0};

    vsm_image_unref(&s.outputs[0].image);
    s.outputs[0] = (struct vsm_composite_output){VSM_COMPOSITE_MATTE, s.outputs[STRAIGHT].image, {0}};
    CHECK_INT(vsm_refine(s.source, &s.matte, 1, s.outputs, 1, &options, NULL), VSM_E_INTERNAL);
    s.outputs[0].image = NULL;
    free_scene(&s);
}

int main(void)
{
    RUN(test_alpha_is_the_matte);
    RUN(test_premultiplied_is_black_under_nothing);
    RUN(test_straight_keeps_the_colour);
    RUN(test_refusals);
    return tap_done();
}
