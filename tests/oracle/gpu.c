/* The CUDA kernels against the C reference and the network against ONNX Runtime on the CPU. Skipped without a
 * device. */
#include "cuda/review.h"
#include "device.h"
#include "geometry/view_map.h"
#include "image/coefficients.h"
#include "image/preprocess.h"
#include "image/preprocess_cuda.h"
#include "image/refine.h"
#include "image/refine_cuda.h"
#include "image/view_fade.h"
#include "image/view_fade_cuda.h"
#include "models/rvm.h"
#include "models/rvm_cuda.h"
#include "npy.h"
#include "pictures.h"
#include "tap.h"
#include "turned_view.h"

#include <math.h>
#include <unistd.h>

static const struct vsm_colour bt709 = {1, 1, 1, false, 0};
static const struct vsm_format formats[] = {
    {VSM_PLANES_YUV, 8, 0, 1, 1},  {VSM_PLANES_NV, 8, 0, 1, 1},   {VSM_PLANES_NV, 10, 6, 1, 1},
    {VSM_PLANES_YUV, 10, 0, 1, 1}, {VSM_PLANES_GRAY, 8, 0, 0, 0},
};

/* A device picture of the same kind; copied from the host's, or filled with a byte. */
static struct vsm_image to_device(const struct vsm_image *host, int byte)
{
    struct vsm_image image = *host;

    image.place = VSM_PLACE_CUDA;
    for (int p = 0; p < vsm_format_plane_count(host->format); p++) {
        size_t bytes =
            (size_t)host->stride[p] * (size_t)vsm_format_plane_height(host->format, p, host->height);
        void *memory = NULL, *filled = malloc(bytes);

        memset(filled, byte, bytes);
        CHECK_INT(vsm_cuda_alloc("picture", bytes, &memory), VSM_OK);
        CHECK_INT(vsm_cuda_copy(memory, byte < 0 ? host->data[p] : filled, bytes, NULL), VSM_OK);
        CHECK_INT(vsm_cuda_stream_wait(NULL), VSM_OK);
        image.data[p] = memory;
        free(filled);
    }
    return image;
}

static void free_device(struct vsm_image *image)
{
    for (int p = 0; p < vsm_format_plane_count(image->format); p++)
        vsm_cuda_free(image->data[p]);
}

static void check_view(struct vsm_format format, struct vsm_view view)
{
    struct vsm_image *host = vsm_image_create(format, 643, 402, bt709), device;
    const size_t bytes = 3 * sizeof(float) * (size_t)view.width * (size_t)view.height;
    float *expected = malloc(bytes), *found = malloc(bytes);
    struct vsm_preprocess_cuda *plan = NULL;
    void *rgb = NULL;

    picture_noise(host);
    device = to_device(host, -1);
    CHECK_INT(vsm_preprocess(host, &view, expected, NULL), VSM_OK);
    CHECK_INT(vsm_cuda_alloc("grid", bytes, &rgb), VSM_OK);
    CHECK_INT(vsm_preprocess_cuda_create(&device, &view, 1, &plan), VSM_OK);
    CHECK_INT(vsm_preprocess_cuda_run(plan, &device, rgb, NULL), VSM_OK);
    CHECK_INT(vsm_cuda_copy(found, rgb, bytes, NULL), VSM_OK);
    CHECK_INT(vsm_cuda_stream_wait(NULL), VSM_OK);
    CHECK(memcmp(expected, found, bytes) == 0);
    vsm_preprocess_cuda_destroy(plan);
    vsm_cuda_free(rgb);
    free_device(&device);
    vsm_image_unref(&host);
    free(expected);
    free(found);
}

static void check_preprocess(struct vsm_format format, struct vsm_rect rect, int width, int height)
{
    check_view(format, (struct vsm_view){.source = rect, .width = width, .height = height});
}

static void test_preprocess_turned(void)
{
    const struct vsm_rect eye = {320, 0, 322, 402};

    if (no_device())
        return;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        check_view(formats[i], turned(eye, 0, 0, 90, 96));
        check_view(formats[i], turned(eye, -60, 35, 110, 80)); /* past the picture's edge */
        check_view(formats[i], turned(eye, 20, 80, 40, 64));
    }
}

static void test_preprocess(void)
{
    if (no_device())
        return;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        check_preprocess(formats[i], (struct vsm_rect){0, 0, 320, 402}, 80, 96);
        check_preprocess(formats[i], (struct vsm_rect){321, 1, 322, 399}, 64, 48);
        check_preprocess(formats[i], (struct vsm_rect){2, 2, 100, 90}, 160, 144);
    }
}

static struct vsm_tensor *make_maps(int width, int height, bool flat)
{
    struct vsm_tensor *t = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){8, height, width});
    float *m = vsm_tensor_f32(t);

    for (int i = 0; i < 8 * width * height; i++)
        m[i] = flat ? 0 : ((float)picture_unit() - 0.5f) * (i / (width * height) % 4 == 3 ? 1.0f : 0.2f);
    for (int i = 0; !flat && i < width * height; i++)
        m[7 * width * height + i] += 0.5f;
    return t;
}

static const float *upload_fit(const struct vsm_tensor *maps)
{
    const int64_t cells = maps->dims[1] * maps->dims[2];
    float *pixels = malloc((size_t)cells * 8 * sizeof(float));
    void *to = NULL;

    for (int64_t i = 0; i < cells; i++)
        for (int m = 0; m < 8; m++)
            pixels[i * 8 + m] = vsm_tensor_f32(maps)[m * cells + i];
    CHECK_INT(vsm_cuda_alloc("fit", (size_t)cells * 8 * sizeof(float), &to), VSM_OK);
    CHECK_INT(vsm_cuda_copy(to, pixels, (size_t)cells * 8 * sizeof(float), NULL), VSM_OK);
    CHECK_INT(vsm_cuda_stream_wait(NULL), VSM_OK);
    free(pixels);
    return to;
}

static void compare(const struct vsm_image *a, const struct vsm_image *b, int *worst, int64_t *different,
                    int64_t *count)
{
    for (int p = 0; p < vsm_format_plane_count(a->format); p++)
        for (int y = 0; y < vsm_format_plane_height(a->format, p, a->height); y++)
            for (int x = 0; x < vsm_format_plane_width(a->format, p, a->width); x++) {
                int d = abs(picture_get(a, p, x, y) - picture_get(b, p, x, y));

                *worst = d > *worst ? d : *worst;
                *different += d != 0;
                ++*count;
            }
}

static struct vsm_matte make_matte(struct vsm_view view, bool flat)
{
    struct vsm_matte matte = {.view = view, .coefficients = make_maps(view.width, view.height, flat)};
    struct vsm_view_table table = {0};
    struct vsm_view_map map;

    if (view.kind == VSM_VIEW_DIRECT)
        return matte;
    CHECK_INT(vsm_view_map_init(&map, &view), VSM_OK);
    CHECK_INT(vsm_view_map_inverse_table(&map, &table), VSM_OK);
    matte.inverse = table.nodes;
    matte.inverse_step = table.step;
    return matte;
}

static float *to_device_floats(const float *values, size_t count)
{
    void *memory = NULL;

    CHECK_INT(vsm_cuda_alloc("values", count * sizeof(float), &memory), VSM_OK);
    CHECK_INT(vsm_cuda_copy(memory, values, count * sizeof(float), NULL), VSM_OK);
    CHECK_INT(vsm_cuda_stream_wait(NULL), VSM_OK);
    return memory;
}

/* The mattes' own device memory, given back by free_view(). */
static struct vsm_refine_cuda_view upload_view(const struct vsm_matte *matte)
{
    return (struct vsm_refine_cuda_view){.view = &matte->view,
                                         .fit = upload_fit(matte->coefficients),
                                         .inverse = matte->inverse,
                                         .nodes =
                                             matte->inverse
                                                 ? to_device_floats(vsm_tensor_f32(matte->inverse),
                                                                    (size_t)vsm_tensor_count(matte->inverse))
                                                 : NULL,
                                         .inverse_step = matte->inverse_step};
}

static void free_view(struct vsm_refine_cuda_view *view, struct vsm_matte *matte)
{
    vsm_cuda_free((void *)(uintptr_t)view->fit);
    vsm_cuda_free((void *)(uintptr_t)view->nodes);
    vsm_tensor_unref(&matte->coefficients);
    vsm_tensor_unref(&matte->inverse);
}

/* Refines on both sides; returns how many codes the pictures differ by. */
static int check_refine(struct vsm_format format, struct vsm_format matte_format, struct vsm_matte *mattes,
                        int count, const char *what)
{
    const struct vsm_refine_options options = {.despill = 0.7f};
    struct vsm_image *source = vsm_image_create(format, 645, 403, bt709), *host[2], device[2], from;
    struct vsm_composite_output outputs[2] = {{VSM_COMPOSITE_KEY, NULL, {0x00, 0xb1, 0x40}},
                                              {VSM_COMPOSITE_MATTE, NULL, {0}}};
    struct vsm_refine_cuda_view views[VSM_MAX_VIEWS];
    struct vsm_image *results[2] = {&device[0], &device[1]};
    struct vsm_refine_cuda *plan = NULL;
    int worst = 0;
    int64_t different = 0, samples = 0;

    picture_noise(source);
    from = to_device(source, -1);
    for (int i = 0; i < count; i++)
        views[i] = upload_view(&mattes[i]);
    for (int i = 0; i < 2; i++) {
        host[i] = vsm_image_create(i ? matte_format : format, 645, 403, bt709);
        picture_clear(host[i], 0x5a);
        device[i] = to_device(host[i], 0xa5);
        outputs[i].image = host[i];
    }
    CHECK_INT(vsm_refine(source, mattes, count, outputs, 2, &options, NULL), VSM_OK);
    CHECK_INT(vsm_refine_cuda_create(source, outputs, 2, &options, &plan), VSM_OK);
    if (plan)
        CHECK_INT(vsm_refine_cuda_run(plan, &from, views, count, results, NULL), VSM_OK);
    for (int i = 0; i < 2; i++) {
        struct vsm_image *back = vsm_image_create(host[i]->format, 645, 403, bt709);

        for (int p = 0; p < vsm_format_plane_count(back->format); p++)
            CHECK_INT(vsm_cuda_copy(back->data[p], device[i].data[p],
                                    (size_t)back->stride[p] *
                                        (size_t)vsm_format_plane_height(back->format, p, back->height),
                                    NULL),
                      VSM_OK);
        CHECK_INT(vsm_cuda_stream_wait(NULL), VSM_OK);
        compare(host[i], back, &worst, &different, &samples);
        vsm_image_unref(&back);
        vsm_image_unref(&host[i]);
        free_device(&device[i]);
    }
    for (int i = 0; i < count; i++)
        free_view(&views[i], &mattes[i]);
    printf("# planes %d depth %d %s: at most %d codes apart, %.3f%% of samples differ\n", format.planes,
           format.depth, what, worst, 100.0 * (double)different / (double)samples);
    vsm_refine_cuda_destroy(plan);
    free_device(&from);
    vsm_image_unref(&source);
    return worst;
}

static void test_refine(void)
{
    const struct vsm_format grey = {VSM_PLANES_GRAY, 8, 0, 0, 0}, nv12 = {VSM_PLANES_NV, 8, 0, 1, 1};
    const struct vsm_view views[2] = {{.source = {0, 2, 320, 401}, .width = 80, .height = 96},
                                      {.source = {320, 2, 325, 401}, .width = 64, .height = 48}};

    if (no_device())
        return;
    for (int i = 0; i < 4; i++) {
        struct vsm_matte mattes[2] = {make_matte(views[0], false), make_matte(views[1], false)};
        struct vsm_matte flat[2] = {make_matte(views[0], true), make_matte(views[1], true)};

        CHECK(check_refine(formats[i], grey, mattes, 2, "direct") <= 1);
        CHECK_INT(check_refine(formats[i], nv12, flat, 2, "flat"), 0);
    }
}

/* The left eye through two views that overlap and leave its rim to nobody, the right one through one. */
static void test_refine_turned(void)
{
    const struct vsm_format grey = {VSM_PLANES_GRAY, 8, 0, 0, 0};
    const struct vsm_rect left = {0, 2, 320, 401}, right = {320, 2, 325, 401};

    if (no_device())
        return;
    for (int i = 0; i < 4; i++) {
        struct vsm_matte mattes[3] = {make_matte(turned(left, -25, 10, 80, 96), false),
                                      make_matte(turned(left, 30, -15, 70, 96), false),
                                      make_matte(turned(right, 70, 40, 110, 96), false)};

        CHECK(check_refine(formats[i], grey, mattes, 3, "turned") <= 1);
    }
}

/* Two views mixed into one that they only partly cover, here and on the device. */
static void check_fade(void)
{
    const struct vsm_rect eye = {0, 2, 320, 401};
    struct vsm_view_fade_cuda *fade = NULL;
    struct vsm_matte kept = make_matte(turned(eye, 0, 0, 100, 96), false),
                     others[2] = {make_matte(turned(eye, -25, 10, 60, 80), false),
                                  make_matte(turned(eye, 30, -15, 50, 80), false)};
    struct vsm_refine_cuda_view views[3];
    struct vsm_tensor on_device[3];
    struct vsm_matte mixed[3] = {kept, others[0], others[1]};
    float *found = malloc(8 * 96 * 96 * sizeof(float));
    double worst = 0, sum = 0;

    for (int i = 0; i < 3; i++) {
        views[i] = upload_view(&mixed[i]);
        on_device[i] = *mixed[i].coefficients;
        on_device[i].data = (void *)(uintptr_t)views[i].fit;
        on_device[i].place = VSM_PLACE_CUDA;
        mixed[i].coefficients = &on_device[i];
    }
    fade = vsm_view_fade_cuda_create();
    CHECK_INT(vsm_view_fade_cuda_run(fade, 0, &mixed[0], 0.3f, &mixed[1], 2, NULL), VSM_OK);
    CHECK_INT(vsm_cuda_copy(found, views[0].fit, 8 * 96 * 96 * sizeof(float), NULL), VSM_OK);
    CHECK_INT(vsm_cuda_stream_wait(NULL), VSM_OK);
    CHECK_INT(vsm_view_fade(&kept, 0.3f, others, 2, NULL), VSM_OK);
    for (int i = 0; i < 96 * 96; i++)
        for (int m = 0; m < 8; m++) {
            const double d =
                fabs((double)vsm_tensor_f32(kept.coefficients)[m * 96 * 96 + i] - (double)found[i * 8 + m]);

            worst = fmax(worst, d);
            sum += d;
        }
    printf(
        "# fading views: maps %.2g apart at most, %.2g in the mean (noise of 0.2 to 1 from cell to cell)\n",
        worst, sum / (8 * 96 * 96));
    CHECK(sum / (8 * 96 * 96) < 0.01); /* tables are off by up to 0.1 cells */
    vsm_view_fade_cuda_destroy(fade);
    free_view(&views[0], &kept);
    free_view(&views[1], &others[0]);
    free_view(&views[2], &others[1]);
    free(found);
}

static void test_fade(void)
{
    if (!no_device())
        check_fade();
}

static float *noise(size_t count, float low, float high)
{
    float *values = malloc(count * sizeof(float));

    for (size_t i = 0; i < count; i++)
        values[i] = low + (high - low) * (float)picture_unit();
    return values;
}

static void check_alpha(int cells)
{
    const size_t n = (size_t)cells;
    float *rgb = noise(2 * 3 * n, 0, 1), *fit = noise(2 * 8 * n, -1, 1.5f), *found = noise(2 * n, 5, 6);
    float *device_rgb = to_device_floats(rgb, 6 * n), *device_fit = to_device_floats(fit, 16 * n);
    float *device = to_device_floats(found, 2 * n), *maps = noise(8 * n, 0, 1), *wanted = noise(n, 0, 1);
    int wrong = 0;

    for (size_t view = 0; view < 2; view++)
        CHECK_INT(vsm_cuda_review_alpha(device_rgb + view * 3 * n, device_fit + view * 8 * n, cells,
                                        device + view * n, NULL),
                  VSM_OK);
    CHECK_INT(vsm_cuda_copy(found, device, 2 * n * sizeof(float), NULL), VSM_OK);
    CHECK_INT(vsm_cuda_stream_wait(NULL), VSM_OK);
    for (size_t view = 0; view < 2; view++) {
        for (size_t i = 0; i < 8 * n; i++)
            maps[i % 8 * n + i / 8] = fit[view * 8 * n + i];
        vsm_coefficients_fill_alpha(maps, rgb + view * 3 * n, n, wanted, NULL);
        for (size_t i = 0; i < n; i++)
            wrong += found[view * n + i] != wanted[i];
    }
    CHECK_INT(wrong, 0);
    vsm_cuda_free(device_rgb);
    vsm_cuda_free(device_fit);
    vsm_cuda_free(device);
    free(rgb);
    free(fit);
    free(found);
    free(maps);
    free(wanted);
}

static void check_close(int cells)
{
    const size_t n = (size_t)cells;
    float *open = noise(n, 0, 1), *fit = noise(8 * n, -1, 1), *found = noise(8 * n, 5, 6);
    float *device_open = to_device_floats(open, n), *device_fit = to_device_floats(fit, 8 * n);
    int wrong = 0;

    CHECK_INT(vsm_cuda_review_close(device_open, device_fit, cells, NULL), VSM_OK);
    CHECK_INT(vsm_cuda_copy(found, device_fit, 8 * n * sizeof(float), NULL), VSM_OK);
    CHECK_INT(vsm_cuda_stream_wait(NULL), VSM_OK);
    for (size_t i = 0; i < 8 * n; i++)
        wrong += found[i] != (i % 8 == 3 || i % 8 == 7 ? fit[i] * open[i / 8] : fit[i]);
    CHECK_INT(wrong, 0);
    vsm_cuda_free(device_open);
    vsm_cuda_free(device_fit);
    free(open);
    free(fit);
    free(found);
}

static void test_review(void)
{
    if (no_device())
        return;
    check_alpha(96 * 80);
    check_alpha(1001);
    check_close(96 * 80);
    check_close(1001);
}

/* Frames of real footage forth and back; the second view sees them mirrored. */
static void paint_frame(struct vsm_tensor *source, const struct vsm_tensor *footage, int frame)
{
    const int h = (int)source->dims[2], w = (int)source->dims[3], count = (int)footage->dims[0];
    const int at = frame % (2 * count - 2), n = at < count ? at : 2 * count - 2 - at;
    const uint8_t *from = (const uint8_t *)footage->data + (size_t)n * (size_t)(h * w) * 3;

    for (int b = 0; b < 2; b++)
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < h; y++)
                for (int x = 0; x < w; x++)
                    vsm_tensor_f32(source)[((b * 3 + c) * h + y) * w + x] =
                        (float)from[(y * w + (b ? w - 1 - x : x)) * 3 + c] / 255.0f;
}

static struct vsm_tensor *read_footage(const char *set)
{
    char file[160];

    snprintf(file, sizeof(file), "golden/rvm/%s/src.npy.xz", set);
    return npy_shared(file);
}

static float alpha_at(const struct vsm_tensor *maps, const struct vsm_tensor *source, int view, int64_t i)
{
    const int64_t cells = maps->dims[1] * maps->dims[2];
    const float *rgb = vsm_tensor_f32(source) + view * 3 * cells, *m = vsm_tensor_f32(maps);
    const float a = m[3 * cells + i] * (rgb[i] + rgb[cells + i] + rgb[2 * cells + i]) / 3 + m[7 * cells + i];

    return a < 0 ? 0 : a > 1 ? 1 : a;
}

struct comparison {
    double worst, sum;
    int64_t count, above; /* above 0.02 */
};

static void compare_alpha(struct vsm_tensor *a[2], struct vsm_tensor *b[2], const struct vsm_tensor *source,
                          struct comparison *c)
{
    for (int view = 0; view < 2; view++)
        for (int64_t i = 0; i < a[0]->dims[1] * a[0]->dims[2]; i++) {
            double d = fabs(alpha_at(a[view], source, view, i) - alpha_at(b[view], source, view, i));

            c->worst = !(d <= c->worst) ? d : c->worst;
            c->sum += d;
            c->above += d > 0.02;
            c->count++;
        }
}

/* Alpha from the fit, at the grid's own pixels, over `frames` frames; states run on separately. */
static void check_network(const char *set, int frames)
{
    struct vsm_tensor *footage = read_footage(set);
    const int width = footage ? (int)footage->dims[2] : 0, height = footage ? (int)footage->dims[1] : 0;
    struct vsm_rvm_options options = {.graph_path = VSM_MODELS_DIR "/rvm.json",
                                      .width = width,
                                      .height = height,
                                      .batch = 2,
                                      .session = {.device = VSM_DEVICE_CPU, .threads = 8}};
    struct vsm_tensor *source;
    struct vsm_rvm *rvm[2] = {NULL, NULL};
    struct vsm_rvm_state states[2][2] = {0};
    struct comparison all = {0}, part = {0};
    int resets = 0;

    if (!footage) {
        tap_skip("no footage");
        return;
    }
    source = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){2, 3, height, width});
    CHECK_INT(vsm_rvm_create(&options, &rvm[0]), VSM_OK);
    options.session.device = VSM_DEVICE_CUDA;
    CHECK_INT(vsm_rvm_create(&options, &rvm[1]), VSM_OK);
    if (!rvm[1])
        printf("# %s\n", vsm_error_message());
    for (int frame = 0; frame < frames && rvm[0] && rvm[1]; frame++) {
        struct vsm_tensor *maps[2][2] = {0};

        paint_frame(source, footage, frame);
        for (int side = 0; side < 2; side++)
            CHECK_INT(vsm_rvm_run(rvm[side], source, states[side], maps[side], &resets), VSM_OK);
        part = (struct comparison){0};
        compare_alpha(maps[0], maps[1], source, &part);
        compare_alpha(maps[0], maps[1], source, &all);
        if (frame < 3 || (frame & (frame - 1)) == 0 || frame == frames - 1)
            printf("# %dx%d frame %d: alpha differs by %.5f at most, %.6f in the mean, %.4f%% above 0.02\n",
                   width, height, frame, part.worst, part.sum / (double)part.count,
                   100.0 * (double)part.above / (double)part.count);
        for (int side = 0; side < 2; side++)
            for (int view = 0; view < 2; view++)
                vsm_tensor_unref(&maps[side][view]);
    }
    CHECK_INT(resets, 0);
    CHECK(all.sum / (double)all.count < 0.002);
    CHECK((double)all.above < 0.001 * (double)all.count);
    CHECK(part.sum / (double)part.count < 0.004);
    for (int side = 0; side < 2; side++) {
        vsm_rvm_destroy(rvm[side]);
        for (int view = 0; view < 2; view++)
            vsm_rvm_state_reset(&states[side][view]);
    }
    vsm_tensor_unref(&source);
    vsm_tensor_unref(&footage);
}

static bool no_network(void)
{
    if (no_device())
        return true;
    if (access(VSM_MODELS_DIR "/rvm.json", R_OK) == 0)
        return false;
    tap_skip("no model");
    return true;
}

static void test_network(void)
{
    if (no_network())
        return;
    check_network("256x144_r1", 12);
    check_network("512x288_r0.375", 6);
}

/* Long runs: VSM_GPU_FRAMES=2000 (bench/gpu/run.sh). */
static void test_drift(void)
{
    const char *frames = getenv("VSM_GPU_FRAMES");

    if (no_network())
        return;
    if (!frames) {
        tap_skip("VSM_GPU_FRAMES is not set");
        return;
    }
    check_network("256x144_r1", atoi(frames));
}

/* A state that is not finite is reset and the frame repeated; the other view is not touched. */
static void test_repair(void)
{
    const struct vsm_rvm_options options = {.graph_path = VSM_MODELS_DIR "/rvm.json",
                                            .width = 128,
                                            .height = 64,
                                            .batch = 2};
    struct vsm_tensor *source = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){2, 3, 64, 128});
    struct vsm_rvm_state before[2] = {0}, good[2] = {0}, after = {0}, broken = {0};
    struct vsm_cuda_stream *stream = NULL;
    struct vsm_rvm_cuda *rvm = NULL;
    int resets = 0;
    bool repeated = false;

    if (no_network()) {
        vsm_tensor_unref(&source);
        return;
    }
    for (int64_t i = 0; i < vsm_tensor_count(source); i++)
        vsm_tensor_f32(source)[i] = picture_unit();
    CHECK_INT(vsm_cuda_stream_create(&stream), VSM_OK);
    CHECK_INT(vsm_rvm_cuda_create(&options, stream, &rvm), VSM_OK);
    CHECK_INT(vsm_cuda_copy(vsm_rvm_cuda_source(rvm), source->data, vsm_tensor_bytes(source), stream),
              VSM_OK);
    CHECK_INT(vsm_rvm_cuda_run(rvm), VSM_OK);
    for (int v = 0; v < 2; v++)
        CHECK_INT(vsm_rvm_cuda_get_state(rvm, v, &before[v]), VSM_OK);
    CHECK_INT(vsm_rvm_cuda_run(rvm), VSM_OK);
    for (int v = 0; v < 2; v++)
        CHECK_INT(vsm_rvm_cuda_get_state(rvm, v, &good[v]), VSM_OK);
    CHECK_INT(vsm_rvm_cuda_set_state(rvm, 0, &before[0]), VSM_OK);
    CHECK_INT(vsm_rvm_cuda_set_state(rvm, 1, &before[1]), VSM_OK);
    CHECK_INT(vsm_rvm_cuda_get_state(rvm, 0, &broken), VSM_OK);
    vsm_tensor_f32(broken.r[1])[77] = NAN;
    CHECK_INT(vsm_rvm_cuda_set_state(rvm, 0, &broken), VSM_OK);
    CHECK_INT(vsm_rvm_cuda_run(rvm), VSM_OK);
    CHECK_INT(vsm_cuda_stream_wait(stream), VSM_OK);
    CHECK_INT(vsm_rvm_cuda_check(rvm, &resets, &repeated), VSM_OK);
    CHECK(repeated);
    CHECK_INT(resets, 1);
    CHECK_INT(vsm_rvm_cuda_get_state(rvm, 1, &after), VSM_OK);
    for (int level = 0; level < VSM_RVM_STATES; level++)
        CHECK(memcmp(after.r[level]->data, good[1].r[level]->data, vsm_tensor_bytes(after.r[level])) == 0);
    CHECK_INT(vsm_rvm_cuda_get_state(rvm, 0, &after), VSM_OK);
    CHECK(vsm_rvm_state_is_finite(&after));
    for (int v = 0; v < 2; v++) {
        vsm_rvm_state_reset(&before[v]);
        vsm_rvm_state_reset(&good[v]);
    }
    vsm_rvm_state_reset(&after);
    vsm_rvm_state_reset(&broken);
    vsm_rvm_cuda_destroy(rvm);
    vsm_cuda_stream_destroy(stream);
    vsm_tensor_unref(&source);
}

/* VSM_GPU_SMALL: only what runs every kernel of network and review, for tools under which everything takes a
 * thousand times as long. */
int main(void)
{
    if (!getenv("VSM_GPU_SMALL")) {
        RUN(test_preprocess);
        RUN(test_refine);
        RUN(test_network);
    }
    RUN(test_preprocess_turned);
    RUN(test_refine_turned);
    RUN(test_fade);
    RUN(test_review);
    RUN(test_repair);
    RUN(test_drift);
    return tap_done();
}
