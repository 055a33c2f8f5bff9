#include "image/refine.h"
#include "base/cpu.h"
#include "image/colour.h"
#include "pictures.h"
#include "tap.h"

#define EYES 2

static struct vsm_tensor *maps(int width, int height)
{
    return vsm_tensor_create(VSM_F32, 3, (const int64_t[]){8, height, width});
}

static double map_at(const struct vsm_tensor *t, int map, double x, double y)
{
    int h = (int)t->dims[1], w = (int)t->dims[2], x0 = (int)floor(x), y0 = (int)floor(y);
    const float *m = vsm_tensor_f32(t) + (size_t)map * (size_t)(w * h);
    double sum = 0;

    for (int j = 0; j < 2; j++)
        for (int i = 0; i < 2; i++) {
            int cx = (int)fmin(fmax(x0 + i, 0), w - 1), cy = (int)fmin(fmax(y0 + j, 0), h - 1);

            sum += (i ? x - x0 : 1 - (x - x0)) * (j ? y - y0 : 1 - (y - y0)) * m[cy * w + cx];
        }
    return sum;
}

/* Full-size RGB reference of one pixel: alpha and composite, in double precision, as RVM defines them. */
static double reference(const struct vsm_image *s, const struct vsm_colour_model *m,
                        const struct vsm_matte *matte, int x, int y, const double key[3], double yuv[3])
{
    const struct vsm_rect *r = &matte->view.source;
    double gx = (x - r->x + 0.5) * matte->view.width / r->width - 0.5;
    double gy = (y - r->y + 0.5) * matte->view.height / r->height - 0.5;
    int cx = x >> s->format.chroma_x, cy = y >> s->format.chroma_y;
    double l = (picture_get(s, 0, x, y) - m->luma_offset) / m->luma_range;
    double u = (picture_chroma(s, 1, cx, cy) - m->chroma_offset) / m->chroma_range;
    double v = (picture_chroma(s, 2, cx, cy) - m->chroma_offset) / m->chroma_range;
    double rgb[3] = {l + m->red_v * v, l + m->green_u * u + m->green_v * v, l + m->blue_u * u}, alpha;

    alpha = map_at(matte->coefficients, 3, gx, gy) * (rgb[0] + rgb[1] + rgb[2]) / 3 +
            map_at(matte->coefficients, 7, gx, gy);
    alpha = fmin(fmax(alpha, 0), 1);
    for (int c = 0; c < 3; c++) {
        double f = rgb[c] + map_at(matte->coefficients, c, gx, gy) * rgb[c] +
                   map_at(matte->coefficients, 4 + c, gx, gy);

        rgb[c] = alpha * fmin(fmax(f, 0), 1) + (1 - alpha) * key[c];
    }
    yuv[0] = m->kr * rgb[0] + m->kg * rgb[1] + m->kb * rgb[2];
    yuv[1] = (rgb[2] - yuv[0]) / m->blue_u;
    yuv[2] = (rgb[0] - yuv[0]) / m->red_v;
    return alpha;
}

/* Smooth picture with a soft texture, inside the RGB gamut. */
static void paint(struct vsm_image *image, const struct vsm_colour_model *m)
{
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++)
            picture_set(image, 0, x, y,
                        (int)lrint(m->luma_offset + m->luma_range * (0.42 + 0.15 * sin(x * 0.11 + y * 0.07) +
                                                                     0.1 * (double)picture_unit())));
    if (image->format.planes == VSM_PLANES_GRAY)
        return;
    for (int y = 0; y < vsm_format_plane_height(image->format, 1, image->height); y++)
        for (int x = 0; x < (image->width + image->format.chroma_x) >> image->format.chroma_x; x++)
            for (int c = 1; c < 3; c++) {
                double value = m->chroma_offset + m->chroma_range * 0.1 * sin(x * 0.2 * c + y * 0.1);
                bool nv = image->format.planes == VSM_PLANES_NV;

                picture_set(image, nv ? 1 : c, nv ? 2 * x + c - 1 : x, y, (int)lrint(value));
            }
}

/* A person with a soft edge in the left part of the picture (the right strips are empty), a guided filter's
 * slope at the edge, and a small residual. */
static void person(struct vsm_tensor *t, double residual)
{
    int h = (int)t->dims[1], w = (int)t->dims[2];
    float *m = vsm_tensor_f32(t);

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double d = hypot((x + 0.5) / w - 0.2, (y + 0.5) / h - 0.5),
                   edge = fmin(fmax((0.4 - d) * 6, -0.2), 1.2);

            for (int c = 0; c < 3; c++) {
                m[(c * h + y) * w + x] = (float)(residual * sin(x * 0.9 + c));
                m[((4 + c) * h + y) * w + x] = (float)(residual * cos(y * 0.7 - c));
            }
            m[(3 * h + y) * w + x] = edge > 0 && edge < 1 ? 0.3f : 0;
            m[(7 * h + y) * w + x] = (float)edge;
        }
}

struct difference {
    double luma, chroma, alpha; /* in 8-bit steps, against the reference rounded to codes */
};

static const struct vsm_colour bt709 = {1, 1, 1, false, 0};

static struct difference measure(struct vsm_format format, double residual)
{
    const uint8_t green[3] = {0x00, 0xb1, 0x40};
    struct vsm_image *source = vsm_image_create(format, 1300, 64, bt709), *keyed, *matte_image;
    struct vsm_matte matte = {.view = {.source = {0, 0, 1300, 64}, .width = 220, .height = 16},
                              .coefficients = maps(220, 16)};
    struct vsm_refine_options options = {0};
    struct difference worst = {0};
    struct vsm_colour_model m;
    int key_code[3], sx = format.chroma_x, sy = format.chroma_y;
    double unit = 1 << (format.depth - 8), key[3];

    keyed = vsm_image_create(format, 1300, 64, bt709);
    matte_image = vsm_image_create(format, 1300, 64, bt709);
    CHECK_INT(vsm_colour_model(bt709, 64, format.depth, &m), VSM_OK);
    paint(source, &m);
    person(matte.coefficients, residual);
    vsm_colour_encode(&m, green, key_code);
    key[0] = (key_code[0] - m.luma_offset) / m.luma_range;
    key[1] = (key_code[1] - m.chroma_offset) / m.chroma_range;
    key[2] = (key_code[2] - m.chroma_offset) / m.chroma_range;
    {
        double y = key[0], u = key[1], v = key[2];
        struct vsm_composite_output outputs[2] = {{VSM_COMPOSITE_KEY, keyed, {0x00, 0xb1, 0x40}},
                                                  {VSM_COMPOSITE_MATTE, matte_image, {0}}};

        key[0] = y + m.red_v * v;
        key[1] = y + m.green_u * u + m.green_v * v;
        key[2] = y + m.blue_u * u;
        CHECK_INT(vsm_refine(source, &matte, 1, outputs, 2, &options, NULL), VSM_OK);
    }
    for (int y = 0; y < 64; y += 1 << sy)
        for (int x = 0; x < 1300; x += 1 << sx) {
            double sum[3] = {0}, yuv[3];
            int n = 0;

            for (int j = 0; j < 1 << sy; j++)
                for (int i = 0; i < 1 << sx; i++, n++) {
                    double alpha = reference(source, &m, &matte, x + i, y + j, key, yuv);
                    double luma = m.luma_offset + m.luma_range * yuv[0],
                           grey = m.luma_offset + m.luma_range * alpha;

                    worst.luma = fmax(worst.luma, fabs(luma - picture_get(keyed, 0, x + i, y + j)) / unit);
                    worst.alpha =
                        fmax(worst.alpha, fabs(grey - picture_get(matte_image, 0, x + i, y + j)) / unit);
                    sum[1] += yuv[1];
                    sum[2] += yuv[2];
                }
            for (int c = 1; c < 3 && format.planes != VSM_PLANES_GRAY; c++)
                worst.chroma = fmax(worst.chroma, fabs(m.chroma_offset + m.chroma_range * sum[c] / n -
                                                       picture_chroma(keyed, c, x >> sx, y >> sy)) /
                                                      unit);
        }
    vsm_tensor_unref(&matte.coefficients);
    vsm_image_unref(&source);
    vsm_image_unref(&keyed);
    vsm_image_unref(&matte_image);
    printf("# planes %d depth %d chroma %d%d residual %.2f: luma %.3f chroma %.3f alpha %.3f (8-bit steps)\n",
           (int)format.planes, format.depth, sx, sy, residual, worst.luma, worst.chroma, worst.alpha);
    return worst;
}

static void check(struct difference found, double luma, double chroma, double alpha)
{
    CHECK_NEAR(found.luma, 0, luma);
    CHECK_NEAR(found.chroma, 0, chroma);
    CHECK_NEAR(found.alpha, 0, alpha);
}

/* Without subsampling and clamps the two formulas are the same: half a code (rounding) plus float32. Snapping
 * moves alpha by at most 0.5/255, that is half an 8-bit step at most. */
static void test_full_chroma_is_the_formula(void)
{
    check(measure((struct vsm_format){VSM_PLANES_YUV, 16, 0, 0, 0}, 0.05), 0.51, 0.51, 0.51);
    check(measure((struct vsm_format){VSM_PLANES_YUV, 8, 0, 0, 0}, 0.05), 1.01, 1.01, 1.01);
}

static void test_subsampled_is_close(void)
{
    check(measure((struct vsm_format){VSM_PLANES_YUV, 8, 0, 1, 1}, 0.05), 1.6, 2.1, 1.01);
    check(measure((struct vsm_format){VSM_PLANES_NV, 10, 6, 1, 1}, 0.05), 1.6, 2.1, 1.01);
    check(measure((struct vsm_format){VSM_PLANES_YUV, 10, 0, 1, 0}, 0.05), 1.6, 2.1, 1.01);
    check(measure((struct vsm_format){VSM_PLANES_GRAY, 8, 0, 0, 0}, 0.05), 1.6, 2.1, 1.01);
}

/* Residuals of a fifth of full scale push R, G and B out of 0..1, where the two clamps differ by design. */
static void test_clamps_differ_little(void)
{
    check(measure((struct vsm_format){VSM_PLANES_YUV, 8, 0, 0, 0}, 0.2), 7, 21, 0.51);
}

static const struct vsm_format sources[] = {
    {VSM_PLANES_YUV, 8, 0, 1, 1},  {VSM_PLANES_NV, 8, 0, 1, 1},   {VSM_PLANES_YUV, 10, 0, 1, 1},
    {VSM_PLANES_NV, 10, 6, 1, 1},  {VSM_PLANES_YUV, 12, 0, 1, 0}, {VSM_PLANES_YUV, 8, 0, 0, 0},
    {VSM_PLANES_YUV, 16, 0, 0, 0}, {VSM_PLANES_GRAY, 8, 0, 0, 0}, {VSM_PLANES_YUVA, 8, 0, 1, 1},
};

/* What a source may become at once: its own format and others of every kind. */
static const struct vsm_format targets[] = {
    {VSM_PLANES_YUV, 8, 0, 1, 1},  {VSM_PLANES_NV, 10, 6, 1, 1},   {VSM_PLANES_YUV, 10, 0, 0, 0},
    {VSM_PLANES_YUV, 16, 0, 1, 0}, {VSM_PLANES_GRAY, 12, 0, 0, 0}, {VSM_PLANES_NV, 8, 0, 1, 1},
};

#define TARGETS (sizeof(targets) / sizeof(targets[0]))

struct scene {
    struct vsm_image *source;
    struct vsm_matte mattes[EYES];
    struct vsm_composite_output outputs[TARGETS];
};

static void noise_maps(struct vsm_tensor *t)
{
    float *m = vsm_tensor_f32(t);

    for (int64_t i = 0; i < vsm_tensor_count(t); i++)
        m[i] = picture_unit() * 1.6f - 0.5f;
}

/* Two eyes, side by side or one above the other, with a gap of `gap` samples between and after them. */
static struct scene make_scene(struct vsm_format format, int width, int height, bool sbs, int gap, int w,
                               int h)
{
    struct vsm_colour colour = {1, 1, 1, format.depth == 12, 0};
    struct scene scene = {.source = vsm_image_create(format, width, height, colour)};
    int eye_width = sbs ? width / 2 - gap : width, eye_height = sbs ? height : height / 2 - gap;

    picture_noise(scene.source);
    for (int i = 0; i < EYES; i++) {
        struct vsm_rect rect = {sbs ? i * (eye_width + gap) : 0, sbs ? 0 : i * (eye_height + gap), eye_width,
                                eye_height};

        scene.mattes[i] = (struct vsm_matte){{.source = rect, .width = w, .height = h}, maps(w, h)};
        noise_maps(scene.mattes[i].coefficients);
    }
    for (size_t i = 0; i < TARGETS; i++) {
        struct vsm_image *image;

        colour.full_range = i % 2;
        image = vsm_image_create(targets[i], width, height, colour);
        scene.outputs[i] = (struct vsm_composite_output){i % 3 == 2 ? VSM_COMPOSITE_MATTE : VSM_COMPOSITE_KEY,
                                                         image,
                                                         {0x00, 0xb1, 0x40}};
    }
    return scene;
}

static void free_scene(struct scene *scene)
{
    vsm_image_unref(&scene->source);
    for (int i = 0; i < EYES; i++)
        vsm_tensor_unref(&scene->mattes[i].coefficients);
    for (size_t i = 0; i < TARGETS; i++)
        vsm_image_unref(&scene->outputs[i].image);
}

/* Runs the scene, and again into copies (without vectors or with `pool`): both must be equal, padding
 * included. */
static void check_same(struct scene *scene, bool force_c, struct vsm_parallel *pool, const char *what)
{
    struct vsm_composite_output again[TARGETS];
    struct vsm_refine_options options = {.despill = 0.7f};
    bool same = true;

    for (size_t i = 0; i < TARGETS; i++) {
        struct vsm_image *image = scene->outputs[i].image;

        again[i] = scene->outputs[i];
        again[i].image = vsm_image_create(image->format, image->width, image->height, image->colour);
        picture_clear(image, 0x5a);
        picture_clear(again[i].image, 0x5a);
    }
    CHECK_INT(vsm_refine(scene->source, scene->mattes, EYES, scene->outputs, TARGETS, &options, NULL),
              VSM_OK);
    vsm_cpu_force_c(force_c);
    CHECK_INT(vsm_refine(scene->source, scene->mattes, EYES, again, TARGETS, &options, pool), VSM_OK);
    vsm_cpu_force_c(false);
    for (size_t i = 0; i < TARGETS; i++) {
        same = same && picture_equal(scene->outputs[i].image, again[i].image);
        vsm_image_unref(&again[i].image);
    }
    if (!same)
        printf("# differs: %s, %dx%d planes %d depth %d\n", what, scene->source->width, scene->source->height,
               (int)scene->source->format.planes, scene->source->format.depth);
    CHECK(same);
}

static void test_vectors_equal_c(void)
{
    static const struct {
        int width, height, gap, w, h;
        bool sbs;
    } sizes[] = {{64, 32, 0, 8, 8, true},    {75, 41, 0, 11, 7, true}, {75, 41, 1, 11, 7, false},
                 {70, 45, 2, 50, 60, true},  {3, 5, 0, 2, 2, true},    {2, 2, 0, 1, 1, false},
                 {2600, 6, 3, 300, 2, true}, {90, 70, 0, 9, 5, false}};

    for (size_t f = 0; f < sizeof(sources) / sizeof(sources[0]); f++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct scene scene = make_scene(sources[f], sizes[i].width, sizes[i].height, sizes[i].sbs,
                                            sizes[i].gap, sizes[i].w, sizes[i].h);

            check_same(&scene, true, NULL, "vectors");
            free_scene(&scene);
        }
}

/* Large enough to be written past the caches, at rows that are and are not aligned for it. */
static void test_large_pictures(void)
{
    struct scene scene = make_scene(sources[0], 4100, 1380, true, 3, 70, 40);

    check_same(&scene, true, NULL, "large");
    free_scene(&scene);
}

static void test_threads_agree(void)
{
    struct scene scene = make_scene(sources[0], 300, 401, true, 1, 40, 50);
    struct vsm_parallel *pool = vsm_parallel_create(4);

    check_same(&scene, false, pool, "threads");
    vsm_parallel_destroy(pool);
    free_scene(&scene);
}

static void set_maps(struct scene *scene, float alpha)
{
    for (int i = 0; i < EYES; i++) {
        struct vsm_tensor *t = scene->mattes[i].coefficients;
        int64_t cells = t->dims[1] * t->dims[2];

        memset(t->data, 0, vsm_tensor_bytes(t));
        for (int64_t c = 0; c < cells; c++)
            vsm_tensor_f32(t)[7 * cells + c] = alpha;
    }
}

/* Every sample of the planes has the plane's code value. */
static bool flat(const struct vsm_image *image, const int code[3])
{
    bool nv = image->format.planes == VSM_PLANES_NV;

    for (int p = 0; p < vsm_format_plane_count(image->format); p++)
        for (int y = 0; y < vsm_format_plane_height(image->format, p, image->height); y++)
            for (int x = 0; x < vsm_format_plane_width(image->format, p, image->width); x++)
                if (picture_get(image, p, x, y) != code[nv && p ? 1 + x % 2 : p])
                    return false;
    return true;
}

/* Alpha 0, also when it is only nearly 0 or not a number, and what no eye covers: the key's code values
 * everywhere. */
static void test_background_is_flat(void)
{
    const float alphas[] = {0, -3, 0.0019f, NAN};

    for (size_t f = 0; f < sizeof(sources) / sizeof(sources[0]); f++)
        for (size_t a = 0; a < sizeof(alphas) / sizeof(alphas[0]); a++) {
            struct scene scene = make_scene(sources[f], 75, 41, true, 2, 6, 5);
            struct vsm_refine_options options = {.despill = 1};

            set_maps(&scene, alphas[a]);
            CHECK_INT(vsm_refine(scene.source, scene.mattes, EYES, scene.outputs, TARGETS, &options, NULL),
                      VSM_OK);
            for (size_t i = 0; i < TARGETS; i++) {
                const struct vsm_image *image = scene.outputs[i].image;
                struct vsm_colour_model m;
                int code[3];

                CHECK_INT(vsm_colour_model(image->colour, image->height, image->format.depth, &m), VSM_OK);
                vsm_colour_encode(&m, scene.outputs[i].key, code);
                if (scene.outputs[i].kind == VSM_COMPOSITE_MATTE) {
                    code[0] = (int)m.luma_offset;
                    code[1] = code[2] = (int)m.chroma_offset;
                }
                CHECK(flat(image, code));
            }
            free_scene(&scene);
        }
}

/* Alpha 1, also nearly, and no residual: the picture itself, illegal code values included, one more depth
 * exactly. */
static void test_foreground_is_the_source(void)
{
    for (size_t f = 0; f < sizeof(sources) / sizeof(sources[0]); f++) {
        struct vsm_format same = sources[f], deep = sources[f];
        struct vsm_refine_options options = {.despill = 1};
        struct vsm_matte matte = {.view = {.source = {0, 0, 75, 41}, .width = 9, .height = 9},
                                  .coefficients = maps(9, 9)};
        struct scene scene = {.mattes = {matte}};
        int shift = 16 - same.depth;

        if (same.planes == VSM_PLANES_YUVA)
            same.planes = deep.planes = VSM_PLANES_YUV;
        deep.depth = 16;
        deep.shift = 0;
        scene.mattes[1].coefficients = maps(1, 1);
        scene.source = vsm_image_create(sources[f], 75, 41, bt709);
        picture_noise(scene.source);
        set_maps(&scene, 0.9985f);
        scene.outputs[0] = (struct vsm_composite_output){VSM_COMPOSITE_KEY,
                                                         vsm_image_create(same, 75, 41, bt709),
                                                         {9, 8, 7}};
        scene.outputs[1] =
            (struct vsm_composite_output){VSM_COMPOSITE_KEY, vsm_image_create(deep, 75, 41, bt709), {0}};
        CHECK_INT(vsm_refine(scene.source, scene.mattes, 1, scene.outputs, 2, &options, NULL), VSM_OK);
        for (int p = 0; p < vsm_format_plane_count(same); p++)
            for (int y = 0; y < vsm_format_plane_height(same, p, 41); y++)
                for (int x = 0; x < vsm_format_plane_width(same, p, 75); x++) {
                    int want = picture_get(scene.source, p, x, y);

                    if (picture_get(scene.outputs[0].image, p, x, y) != want)
                        CHECK_INT(picture_get(scene.outputs[0].image, p, x, y), want);
                    if (picture_get(scene.outputs[1].image, p, x, y) != want << shift)
                        CHECK_INT(picture_get(scene.outputs[1].image, p, x, y), want << shift);
                }
        free_scene(&scene);
    }
}

/* Half-transparent green over green: without despill its chroma stays as green as the key, with it it goes
 * neutral by half; a colour on the other side of neutral is left alone. */
static void test_despill(void)
{
    const uint8_t colours[2][3] = {{0x00, 0xb1, 0x40}, {0xb1, 0x00, 0x71}};

    for (int i = 0; i < 2; i++) {
        struct vsm_format format = {VSM_PLANES_YUV, 8, 0, 0, 0};
        struct scene scene = {.source = vsm_image_create(format, 16, 16, bt709)};
        struct vsm_colour_model m;
        int code[3], key[3], plain, despilled;

        CHECK_INT(vsm_colour_model(bt709, 16, 8, &m), VSM_OK);
        vsm_colour_encode(&m, colours[i], code);
        vsm_colour_encode(&m, colours[0], key);
        for (int p = 0; p < 3; p++)
            memset(scene.source->data[p], code[p], (size_t)scene.source->stride[p] * 16);
        for (int e = 0; e < EYES; e++)
            scene.mattes[e] =
                (struct vsm_matte){{.source = {0, 0, 16, 16}, .width = 2, .height = 2}, maps(2, 2)};
        set_maps(&scene, 0.5f);
        scene.outputs[0] = (struct vsm_composite_output){VSM_COMPOSITE_KEY,
                                                         vsm_image_create(format, 16, 16, bt709),
                                                         {0x00, 0xb1, 0x40}};
        CHECK_INT(vsm_refine(scene.source, scene.mattes, 1, scene.outputs, 1, &(struct vsm_refine_options){0},
                             NULL),
                  VSM_OK);
        plain = picture_get(scene.outputs[0].image, 2, 5, 5);
        CHECK_INT(vsm_refine(scene.source, scene.mattes, 1, scene.outputs, 1, &(struct vsm_refine_options){1},
                             NULL),
                  VSM_OK);
        despilled = picture_get(scene.outputs[0].image, 2, 5, 5);
        CHECK_NEAR(plain, (code[2] + key[2]) / 2.0, 0.51);
        CHECK_NEAR(despilled, i ? plain : 128 + 0.75 * (key[2] - 128), 0.51);
        free_scene(&scene);
    }
}

static void test_refusals(void)
{
    struct scene scene = make_scene(sources[0], 64, 32, true, 0, 8, 8);
    struct vsm_refine_options options = {0};

    scene.mattes[1].view.source.x = 33;
    CHECK_INT(vsm_refine(scene.source, scene.mattes, EYES, scene.outputs, 1, &options, NULL), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "rectangle 32x32 at 33,0");
    scene.mattes[1].view.source.x = 32;
    scene.mattes[1].view.width = 9;
    CHECK_INT(vsm_refine(scene.source, scene.mattes, EYES, scene.outputs, 1, &options, NULL), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "[8, 8, 9]");
    CHECK_INT(vsm_refine(scene.source, scene.mattes, 1, scene.outputs, 2 * VSM_MAX_OUTPUTS + 1, &options,
                         NULL),
              VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "are more than");
    scene.outputs[0].image->width = 62;
    CHECK_INT(vsm_refine(scene.source, scene.mattes, 1, scene.outputs, 1, &options, NULL), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "62x32");
    scene.outputs[0].image->width = 64;
    scene.outputs[0].image->colour.matrix = 9;
    CHECK_INT(vsm_refine(scene.source, scene.mattes, 1, scene.outputs, 1, &options, NULL), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "matrix 9");
    free_scene(&scene);
}

int main(void)
{
    RUN(test_full_chroma_is_the_formula);
    RUN(test_subsampled_is_close);
    RUN(test_clamps_differ_little);
    RUN(test_vectors_equal_c);
    RUN(test_large_pictures);
    RUN(test_threads_agree);
    RUN(test_background_is_flat);
    RUN(test_foreground_is_the_source);
    RUN(test_despill);
    RUN(test_refusals);
    return tap_done();
}
