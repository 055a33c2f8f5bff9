/* RVM against tensors made with the pure JavaScript back end of TensorFlow.js from the same weight files. */
#include "image/guided_fit.h"
#include "models/rvm_graph.h"
#include "nn/session.h"
#include "npy.h"
#include "tap.h"

#include <math.h>

/* Agreed tolerances of alpha: float32 rounding of another order of sums; with the guided filter, which
 * divides two small differences, more. */
#define TOLERANCE         1e-5
#define TOLERANCE_REFINED 2e-4

struct network {
    struct vsm_session *session;
    struct vsm_tensor *src, *states[VSM_RVM_LEVELS];
    struct vsm_tensor *matte, *coefficients;
    int width, height;
};

static bool open_network(struct network *n, int width, int height)
{
    const struct vsm_session_options options = {.threads = 2};
    struct vsm_tfjs *weights = NULL;
    struct vsm_graph *graph = NULL;

    n->width = width;
    n->height = height;
    CHECK_INT(vsm_tfjs_open(VSM_MODELS_DIR "/rvm.json", &weights), VSM_OK);
    if (!weights)
        return false;
    CHECK_INT(vsm_rvm_graph_build(weights, width, height, 1, &graph), VSM_OK);
    vsm_tfjs_close(weights);
    if (graph)
        CHECK_INT(vsm_session_create(graph, &options, &n->session), VSM_OK);
    vsm_graph_destroy(graph);
    n->src = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, height, width});
    n->coefficients = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){8, height, width});
    for (int i = 0; i < VSM_RVM_LEVELS; i++)
        n->states[i] = vsm_tensor_create(VSM_F32, 4,
                                         (const int64_t[]){1, vsm_rvm_graph_state_channels[i],
                                                           vsm_rvm_graph_level(height, i + 1),
                                                           vsm_rvm_graph_level(width, i + 1)});
    if (!n->session)
        printf("# %s\n", vsm_error_message());
    return n->session != NULL;
}

static void close_network(struct network *n)
{
    vsm_session_destroy(n->session);
    vsm_tensor_unref(&n->src);
    vsm_tensor_unref(&n->matte);
    vsm_tensor_unref(&n->coefficients);
    for (int i = 0; i < VSM_RVM_LEVELS; i++)
        vsm_tensor_unref(&n->states[i]);
}

static void run_network(struct network *n)
{
    const struct vsm_binding in[] = {{"src", n->src},
                                     {"r1i", n->states[0]},
                                     {"r2i", n->states[1]},
                                     {"r3i", n->states[2]},
                                     {"r4i", n->states[3]}};
    struct vsm_binding out[] = {{"matte", NULL}, {"r1o", NULL}, {"r2o", NULL}, {"r3o", NULL}, {"r4o", NULL}};

    CHECK_INT(vsm_session_run(n->session, in, 5, out, 5), VSM_OK);
    vsm_tensor_unref(&n->matte);
    n->matte = out[0].tensor;
    for (int i = 0; i < VSM_RVM_LEVELS; i++) {
        vsm_tensor_unref(&n->states[i]);
        n->states[i] = out[1 + i].tensor;
    }
    vsm_guided_fit(vsm_tensor_f32(n->src), vsm_tensor_f32(n->matte), n->width, n->height,
                   vsm_tensor_f32(n->coefficients), NULL);
}

/* Bilinear with half-pixel centres and without antialias: how the network takes and stretches pictures.
 * Position of output i in the input, as the left one of two cells and the right one's share. */
struct tap {
    int at[2];
    float share;
};

static struct tap make_tap(int i, int in, int out)
{
    const float scale = (float)in / (float)out, x = ((float)i + 0.5f) * scale - 0.5f, left = floorf(x);
    struct tap t = {{(int)left, (int)left + 1}, x - left};

    for (int k = 0; k < 2; k++)
        t.at[k] = t.at[k] < 0 ? 0 : t.at[k] >= in ? in - 1 : t.at[k];
    return t;
}

static float blend(const float *plane, int stride, struct tap y, struct tap x)
{
    const float *top = plane + (ptrdiff_t)y.at[0] * stride, *bottom = plane + (ptrdiff_t)y.at[1] * stride;
    const float t = top[x.at[0]] + (top[x.at[1]] - top[x.at[0]]) * x.share;
    const float b = bottom[x.at[0]] + (bottom[x.at[1]] - bottom[x.at[0]]) * x.share;

    return t + (b - t) * y.share;
}

/* One frame of uint8 NHWC as three planes of 0..1. */
static struct vsm_tensor *make_planes(const struct vsm_tensor *frames, int frame)
{
    const int64_t h = frames->dims[1], w = frames->dims[2];
    const uint8_t *from = (const uint8_t *)frames->data + frame * h * w * 3;
    struct vsm_tensor *planes = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){3, h, w});

    for (int64_t i = 0; i < h * w; i++) {
        for (int c = 0; c < 3; c++)
            vsm_tensor_f32(planes)[c * h * w + i] = (float)from[i * 3 + c] / 255.0f;
    }
    return planes;
}

static void shrink(const struct vsm_tensor *planes, struct vsm_tensor *to)
{
    const int h = (int)planes->dims[1], w = (int)planes->dims[2], oh = (int)to->dims[2],
              ow = (int)to->dims[3];

    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < oh; y++) {
            for (int x = 0; x < ow; x++)
                vsm_tensor_f32(to)[(c * oh + y) * ow + x] =
                    blend(vsm_tensor_f32(planes) + (size_t)c * (size_t)(h * w), w, make_tap(y, h, oh),
                          make_tap(x, w, ow));
        }
    }
}

static float clamp(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

struct difference {
    double alpha, foreground, state;
    int frames;
};

static struct vsm_tensor *read_reference(const char *set, const char *name, int frame)
{
    char file[160];

    snprintf(file, sizeof(file), "golden/rvm/%s/%s_%d.npy.xz", set, name, frame);
    return npy_shared(file);
}

static void take_max(double *max, double a, double b)
{
    if (!(fabs(a - b) <= *max))
        *max = fabs(a - b);
}

static void compare_states(const struct network *n, const char *set, int frame, struct difference *d)
{
    for (int i = 0; i < VSM_RVM_LEVELS; i++) {
        const char name[] = {'r', (char)('1' + i), 'o', '\0'};
        struct vsm_tensor *reference = read_reference(set, name, frame);
        const struct vsm_tensor *state = n->states[i];
        const int64_t channels = state->dims[1], cells = state->dims[2] * state->dims[3];

        if (!reference)
            continue;
        CHECK_INT(vsm_tensor_count(reference), channels * cells);
        for (int64_t p = 0; p < cells; p++) {
            for (int64_t c = 0; c < channels; c++)
                take_max(&d->state, (double)vsm_tensor_f32(state)[c * cells + p],
                         (double)vsm_tensor_f32(reference)[p * channels + c]);
        }
        vsm_tensor_unref(&reference);
    }
}

/* Residual (4 planes: R, G, B, alpha) of the full-size pixel: straight from the matte, or A x + b with the
 * maps without their border cells stretched over the picture, as the TensorFlow network does it. */
static void full_size(const struct network *n, bool refined, const float guide[4], int y, int x, int h, int w,
                      float residual[4])
{
    const size_t cells = (size_t)(n->width * n->height);
    struct tap ty, tx;

    if (!refined) {
        for (int c = 0; c < 4; c++)
            residual[c] = vsm_tensor_f32(n->matte)[(size_t)c * cells + (size_t)(y * w + x)];
        return;
    }
    ty = make_tap(y, n->height - 2, h);
    tx = make_tap(x, n->width - 2, w);
    for (int c = 0; c < 4; c++) {
        const float *inside = vsm_tensor_f32(n->coefficients) + (size_t)c * cells + (size_t)n->width + 1;

        residual[c] =
            blend(inside, n->width, ty, tx) * guide[c] + blend(inside + 4 * cells, n->width, ty, tx);
    }
}

static void compare_pictures(const struct network *n, const struct vsm_tensor *planes, const char *set,
                             int frame, bool refined, struct difference *d)
{
    struct vsm_tensor *alpha = read_reference(set, "pha", frame),
                      *foreground = read_reference(set, "fgr", frame);
    const int h = (int)planes->dims[1], w = (int)planes->dims[2];

    CHECK(alpha && vsm_tensor_count(alpha) == h * w);
    for (int i = 0; alpha && i < h * w; i++) {
        const float *p = vsm_tensor_f32(planes);
        const float rgb[3] = {p[i], p[h * w + i], p[2 * h * w + i]};
        const float guide[4] = {rgb[0], rgb[1], rgb[2], (rgb[0] + rgb[1] + rgb[2]) / 3};
        float residual[4];

        full_size(n, refined, guide, i / w, i % w, h, w, residual);
        take_max(&d->alpha, (double)clamp(residual[3]), (double)vsm_tensor_f32(alpha)[i]);
        /* Where nothing is seen of it, the foreground of the fit is rounding noise. */
        for (int c = 0; foreground && c < 3 && (!refined || vsm_tensor_f32(alpha)[i] > 0.01f); c++)
            take_max(&d->foreground, (double)clamp(residual[c] + rgb[c]),
                     (double)vsm_tensor_f32(foreground)[i * 3 + c]);
    }
    d->frames += alpha != NULL;
    vsm_tensor_unref(&alpha);
    vsm_tensor_unref(&foreground);
}

static void check_set(const char *set, float ratio)
{
    char file[160];
    struct vsm_tensor *frames;
    struct network n = {0};
    struct difference d = {0};

    snprintf(file, sizeof(file), "golden/rvm/%s/src.npy.xz", set);
    frames = npy_shared(file);
    if (!frames || access(VSM_MODELS_DIR "/rvm.json", R_OK)) {
        tap_skip("no reference tensors or no model");
        vsm_tensor_unref(&frames);
        return;
    }
    if (open_network(&n, (int)((float)frames->dims[2] * ratio), (int)((float)frames->dims[1] * ratio))) {
        for (int frame = 0; frame < frames->dims[0]; frame++) {
            struct vsm_tensor *planes = make_planes(frames, frame);

            shrink(planes, n.src);
            run_network(&n);
            compare_pictures(&n, planes, set, frame, ratio < 1, &d);
            compare_states(&n, set, frame, &d);
            vsm_tensor_unref(&planes);
        }
    }
    printf("# %s: grid %dx%d, maxima over %d frames: alpha %.2g, foreground %.2g, states %.2g\n", set,
           n.width, n.height, d.frames, d.alpha, d.foreground, d.state);
    CHECK(d.frames == 3);
    CHECK_NEAR(d.alpha, 0, ratio < 1 ? TOLERANCE_REFINED : TOLERANCE);
    CHECK_NEAR(d.foreground, 0, ratio < 1 ? TOLERANCE_REFINED : TOLERANCE);
    CHECK_NEAR(d.state, 0, 1e-4);
    close_network(&n);
    vsm_tensor_unref(&frames);
}

static void test_ratio_1(void)
{
    check_set("256x144_r1", 1);
}

static void test_ratio_1_odd_sizes(void)
{
    check_set("230x134_r1", 1);
}

static void test_refined(void)
{
    check_set("512x288_r0.375", 0.375f);
}

static void test_refined_odd_sizes(void)
{
    check_set("230x134_r0.4", 0.4f);
}

int main(void)
{
    RUN(test_ratio_1);
    RUN(test_ratio_1_odd_sizes);
    RUN(test_refined);
    RUN(test_refined_odd_sizes);
    return tap_done();
}
