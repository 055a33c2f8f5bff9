#include "image/preprocess.h"
#include "base/cpu.h"
#include "image/colour.h"
#include "pictures.h"
#include "tap.h"

static const struct vsm_format formats[] = {
    {VSM_PLANES_YUV, 8, 0, 1, 1},  {VSM_PLANES_NV, 8, 0, 1, 1},   {VSM_PLANES_YUV, 10, 0, 1, 1},
    {VSM_PLANES_NV, 10, 6, 1, 1},  {VSM_PLANES_YUV, 12, 0, 1, 0}, {VSM_PLANES_YUV, 8, 0, 0, 0},
    {VSM_PLANES_YUV, 16, 0, 0, 0}, {VSM_PLANES_GRAY, 8, 0, 0, 0}, {VSM_PLANES_GRAY, 16, 0, 0, 0},
};

/* Overlap of sample k of `span` luma samples with a <= t < b. */
static double overlap(int k, int span, double a, double b)
{
    return fmax(0, fmin(b, (k + 1) * span) - fmax(a, k * span));
}

/* Weights of a plane's samples for one cell along one axis, by the definition. */
static void weigh(int origin, int extent, int span, int cells, int j, int n, double *weight)
{
    double size = (double)extent / cells, a = origin + j * size;
    int low = origin / span, high = (origin + extent - 1) / span;
    double position = (a + size / 2) / span - 0.5, left = floor(position);

    memset(weight, 0, (size_t)n * sizeof(*weight));
    if (size >= span) {
        for (int k = low; k <= high; k++)
            weight[k] = overlap(k, span, a, a + size) / size;
        return;
    }
    weight[(int)fmin(fmax(left, low), high)] += 1 - (position - left);
    weight[(int)fmin(fmax(left + 1, low), high)] += position - left;
}

static double mean(const struct vsm_image *image, int c, const struct vsm_view *view, int i, int j)
{
    static double wx[4096], wy[4096];
    int sx = c && image->format.planes != VSM_PLANES_GRAY ? image->format.chroma_x : 0;
    int sy = c && image->format.planes != VSM_PLANES_GRAY ? image->format.chroma_y : 0;
    int w = (image->width + sx) >> sx, h = (image->height + sy) >> sy;
    double sum = 0;

    weigh(view->source.x, view->source.width, 1 << sx, view->width, i, w, wx);
    weigh(view->source.y, view->source.height, 1 << sy, view->height, j, h, wy);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            if (wx[x] > 0 && wy[y] > 0)
                sum += wx[x] * wy[y] * (c ? picture_chroma(image, c, x, y) : picture_get(image, 0, x, y));
    return sum;
}

static double compare(const struct vsm_image *image, const struct vsm_view *view, const float *rgb)
{
    struct vsm_colour_model m;
    double worst = 0;
    int plane = view->width * view->height;

    if (vsm_colour_model(image->colour, image->height, image->format.depth, &m))
        return 1;
    for (int j = 0; j < view->height; j++) {
        for (int i = 0; i < view->width; i++) {
            double y = (mean(image, 0, view, i, j) - m.luma_offset) / m.luma_range;
            double u = (mean(image, 1, view, i, j) - m.chroma_offset) / m.chroma_range;
            double v = (mean(image, 2, view, i, j) - m.chroma_offset) / m.chroma_range;
            double want[3] = {y + m.red_v * v, y + m.green_u * u + m.green_v * v, y + m.blue_u * u};

            for (int c = 0; c < 3; c++)
                worst = fmax(worst, fabs(fmin(fmax(want[c], 0), 1) - rgb[c * plane + j * view->width + i]));
        }
    }
    return worst;
}

static struct vsm_image *noise(struct vsm_format format, int width, int height, bool full)
{
    struct vsm_image *image = vsm_image_create(format, width, height, (struct vsm_colour){2, 2, 2, full, 0});

    picture_noise(image);
    return image;
}

/* Against the definition in double precision, and vector against C, to the last bit. */
static void check(struct vsm_format format, int width, int height, struct vsm_rect rect, int w, int h)
{
    struct vsm_image *image = noise(format, width, height, format.depth == 12);
    struct vsm_view view = {.source = rect, .width = w, .height = h};
    size_t bytes = sizeof(float) * 3 * (size_t)w * (size_t)h;
    float *fast = malloc(bytes), *plain = malloc(bytes);
    double worst;

    vsm_cpu_force_c(true);
    CHECK_INT(vsm_preprocess(image, &view, plain, NULL), VSM_OK);
    vsm_cpu_force_c(false);
    CHECK_INT(vsm_preprocess(image, &view, fast, NULL), VSM_OK);
    CHECK(memcmp(fast, plain, bytes) == 0);
    worst = compare(image, &view, plain);
    if (!(worst < 2e-6))
        printf("# %dx%d planes %d depth %d rect %d,%d %dx%d grid %dx%d\n", width, height, (int)format.planes,
               format.depth, rect.x, rect.y, rect.width, rect.height, w, h);
    CHECK_NEAR(worst, 0, 2e-6);
    free(fast);
    free(plain);
    vsm_image_unref(&image);
}

static void test_every_format_and_size(void)
{
    for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++) {
        check(formats[f], 64, 32, (struct vsm_rect){0, 0, 32, 32}, 8, 8);
        check(formats[f], 160, 80, (struct vsm_rect){80, 0, 80, 80}, 15, 15);
        check(formats[f], 75, 41, (struct vsm_rect){3, 1, 67, 39}, 13, 17);
        check(formats[f], 75, 41, (struct vsm_rect){38, 0, 37, 41}, 30, 7);
        check(formats[f], 21, 9, (struct vsm_rect){0, 0, 21, 9}, 33, 40);
        check(formats[f], 1, 1, (struct vsm_rect){0, 0, 1, 1}, 3, 2);
        check(formats[f], 300, 6, (struct vsm_rect){1, 1, 299, 5}, 2, 1);
        check(formats[f], 1027, 5, (struct vsm_rect){0, 0, 1027, 5}, 768, 4);
    }
}

/* The largest sums: white in every sample must stay white. */
static void test_extremes(void)
{
    for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++) {
        struct vsm_image *image = noise(formats[f], 2048, 1030, true);
        struct vsm_view view = {.source = {0, 0, 2048, 1030}, .width = 7, .height = 3};
        float rgb[3 * 21], plain[3 * 21];

        for (int p = 0; p < vsm_format_plane_count(formats[f]); p++)
            for (int y = 0; y < vsm_format_plane_height(formats[f], p, 1030); y++)
                for (int x = 0; x < vsm_format_plane_width(formats[f], p, 2048); x++)
                    picture_set(image, p, x, y, (1 << formats[f].depth) - 1);
        CHECK_INT(vsm_preprocess(image, &view, rgb, NULL), VSM_OK);
        vsm_cpu_force_c(true);
        CHECK_INT(vsm_preprocess(image, &view, plain, NULL), VSM_OK);
        vsm_cpu_force_c(false);
        CHECK(memcmp(rgb, plain, sizeof(rgb)) == 0);
        CHECK_NEAR(rgb[0], 1, 1e-6);
        vsm_image_unref(&image);
    }
}

static void test_threads_agree(void)
{
    struct vsm_image *image = noise(formats[0], 400, 200, false);
    struct vsm_view view = {.source = {0, 0, 200, 200}, .width = 96, .height = 90};
    struct vsm_parallel *pool = vsm_parallel_create(3);
    static float one[3 * 96 * 90], three[3 * 96 * 90];

    CHECK_INT(vsm_preprocess(image, &view, one, NULL), VSM_OK);
    CHECK_INT(vsm_preprocess(image, &view, three, pool), VSM_OK);
    CHECK(memcmp(one, three, sizeof(one)) == 0);
    vsm_parallel_destroy(pool);
    vsm_image_unref(&image);
}

static void test_refusals(void)
{
    struct vsm_image *image = noise(formats[0], 16, 16, false);
    struct vsm_view view = {.source = {8, 0, 9, 16}, .width = 4, .height = 4};
    float rgb[48];

    CHECK_INT(vsm_preprocess(image, &view, rgb, NULL), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "rectangle 9x16 at 8,0");
    view.source.width = 8;
    view.width = 0;
    CHECK_INT(vsm_preprocess(image, &view, rgb, NULL), VSM_E_INTERNAL);
    view.width = 4;
    image->colour.matrix = 0;
    CHECK_INT(vsm_preprocess(image, &view, rgb, NULL), VSM_E_INPUT);
    image->format.planes = VSM_PLANES_RGB;
    CHECK_INT(vsm_preprocess(image, &view, rgb, NULL), VSM_E_INTERNAL);
    image->format = formats[0];
    vsm_image_unref(&image);
}

int main(void)
{
    RUN(test_every_format_and_size);
    RUN(test_extremes);
    RUN(test_threads_agree);
    RUN(test_refusals);
    return tap_done();
}
