#include "image/refine.h"
#include "image/colour.h"
#include "image/cpu.h"
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

/* A round person with a soft edge, a guided filter's slope at the edge, and a small residual. */
static void person(struct vsm_tensor *t, double residual)
{
    int h = (int)t->dims[1], w = (int)t->dims[2];
    float *m = vsm_tensor_f32(t);

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double d = hypot((x + 0.5) / w - 0.5, (y + 0.5) / h - 0.5),
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
    struct vsm_image *source = vsm_image_create(format, 96, 64, bt709), *keyed, *matte_image;
    struct vsm_matte matte = {.view = {.source = {0, 0, 96, 64}, .width = 20, .height = 16},
                              .coefficients = maps(20, 16)};
    struct vsm_refine_options options = {0};
    struct difference worst = {0};
    struct vsm_colour_model m;
    int key_code[3], sx = format.chroma_x, sy = format.chroma_y;
    double unit = 1 << (format.depth - 8), key[3];

    keyed = vsm_image_create(format, 96, 64, bt709);
    matte_image = vsm_image_create(format, 96, 64, bt709);
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
        for (int x = 0; x < 96; x += 1 << sx) {
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

/* Without subsampling and clamps the two formulas are the same: half a code (rounding) plus float32. Snapping
 * moves alpha by at most 0.5/255, that is half an 8-bit step at most. */
static void test_full_chroma_is_the_formula(void)
{
    struct difference d = measure((struct vsm_format){VSM_PLANES_YUV, 16, 0, 0, 0}, 0.05);

    CHECK_NEAR(d.luma, 0, 0.51);
    CHECK_NEAR(d.chroma, 0, 0.51);
    CHECK_NEAR(d.alpha, 0, 0.51);
    d = measure((struct vsm_format){VSM_PLANES_YUV, 8, 0, 0, 0}, 0.05);
    CHECK_NEAR(d.luma, 0, 1.01);
    CHECK_NEAR(d.chroma, 0, 1.01);
    CHECK_NEAR(d.alpha, 0, 1.01);
}

static void test_subsampled_is_close(void)
{
    struct difference d = measure((struct vsm_format){VSM_PLANES_YUV, 8, 0, 1, 1}, 0.05);

    CHECK_NEAR(d.luma, 0, 1.6);
    CHECK_NEAR(d.chroma, 0, 2.1);
    CHECK_NEAR(d.alpha, 0, 1.01);
    d = measure((struct vsm_format){VSM_PLANES_NV, 10, 6, 1, 1}, 0.05);
    CHECK_NEAR(d.luma, 0, 1.6);
    CHECK_NEAR(d.chroma, 0, 2.1);
    d = measure((struct vsm_format){VSM_PLANES_YUV, 10, 0, 1, 0}, 0.05);
    CHECK_NEAR(d.chroma, 0, 2.1);
    d = measure((struct vsm_format){VSM_PLANES_GRAY, 8, 0, 0, 0}, 0.05);
    CHECK_NEAR(d.alpha, 0, 1.01);
}

int main(void)
{
    RUN(test_full_chroma_is_the_formula);
    RUN(test_subsampled_is_close);
    return tap_done();
}
