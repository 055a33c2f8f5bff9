/* The kernels behind nn/ort_ops.h against plain loops (nn/ops_reference.h). "time" as argument also times the narrow attention
 * at the shape of SAM 2.1 at 1024 with two eyes. */
#include "cuda/device.h"
#include "nn/graph_half.h"
#include "nn/half.h"
#include "nn/ops_reference.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>

#define MOST 8 /* buffers of a test */

static struct vsm_cuda_stream *stream;

struct buffers {
    void *host[MOST], *device[MOST];
    int count;
};

static uint32_t random_bits(void)
{
    static uint32_t state = 12345;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* `count` numbers between -scale and scale, on both sides. `half`: float16. */
static int add(struct buffers *b, int64_t count, bool half, float scale)
{
    const size_t bytes = (size_t)count * (half ? 2 : 4);
    const int i = b->count++;

    b->host[i] = malloc(bytes);
    for (int64_t k = 0; b->host[i] && k < count; k++) {
        const float v = scale * ((float)(random_bits() >> 8) * 0x1p-23f - 1);

        if (half)
            ((uint16_t *)b->host[i])[k] = vsm_graph_half_from_float(v);
        else
            ((float *)b->host[i])[k] = v;
    }
    if (!b->host[i] || vsm_cuda_alloc("test", bytes, &b->device[i]) ||
        vsm_cuda_copy(b->device[i], b->host[i], bytes, stream) || vsm_cuda_stream_wait(stream))
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    return i;
}

static void drop(struct buffers *b)
{
    for (int i = 0; i < b->count; i++) {
        free(b->host[i]);
        vsm_cuda_free(b->device[i]);
    }
    *b = (struct buffers){0};
}

/* Buffer i holds the expected numbers here and the kernel's there; `relative` to numbers above 1. */
static void compare(struct buffers *b, int i, int64_t count, bool half, double tolerance, const char *what)
{
    const size_t bytes = (size_t)count * (half ? 2 : 4);
    char *there = malloc(bytes);
    double worst = 0;

    if (!there || vsm_cuda_copy(there, b->device[i], bytes, stream) || vsm_cuda_stream_wait(stream)) {
        tap_fail_check(__FILE__, __LINE__, "%s: %s", what, vsm_error_message());
        free(there);
        return;
    }
    for (int64_t k = 0; k < count; k++) {
        const double a = (double)(half ? vsm_half_to_float(((uint16_t *)b->host[i])[k])
                                       : ((float *)b->host[i])[k]),
                     c = (double)(half ? vsm_half_to_float(((uint16_t *)(void *)there)[k])
                                       : ((float *)(void *)there)[k]),
                     d = fabs(a - c) / fmax(1, fabs(a));

        worst = d <= worst ? worst : d; /* not a number: worst too */
    }
    printf("# %s: largest difference %.2e\n", what, worst);
    if (!(worst <= tolerance))
        tap_fail_check(__FILE__, __LINE__, "%s: %g is above %g", what, worst, tolerance);
    free(there);
}

static void check(int status)
{
    if (status)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
}

static void test_linear(void)
{
    static const struct vsm_cuda_linear_layer layers[] = {
        {.rows = 300, .in = 96, .out = 384, .act = VSM_CUDA_LINEAR_GELU},
        {.rows = 16, .in = 256, .out = 2048, .by_columns = 1, .act = VSM_CUDA_LINEAR_RELU},
        {.rows = 1000, .in = 64, .out = 256},
        {.rows = 513, .in = 384, .out = 96, .full = 1},
        {.rows = 7, .in = 256, .out = 256, .by_columns = 1, .full = 1},
    };
    struct vsm_cuda_linear *linear = NULL;

    check(vsm_cuda_linear_create(&linear));
    for (size_t i = 0; linear && i < sizeof(layers) / sizeof(layers[0]); i++) {
        const struct vsm_cuda_linear_layer *l = &layers[i];
        struct buffers b = {0};
        const int x = add(&b, l->rows * l->in, true, 1), w = add(&b, l->in * l->out, true, 0.2f),
                  bias = add(&b, l->out, !l->full, 1), residual = add(&b, l->rows * l->out, !l->full, 3),
                  out = add(&b, l->rows * l->out, !l->full, 9);
        const int64_t count = l->rows * l->out;

        for (int with = 0; with < 2; with++) { /* without bias and residual, and with */
            const float *more = with && l->full ? b.host[residual] : NULL,
                        *there = more ? b.device[residual] : NULL;

            vsm_ops_reference_linear(l, b.host[x], b.host[w], with ? b.host[bias] : NULL, more, b.host[out]);
            check(vsm_cuda_linear_run(linear, l, b.device[x], b.device[w], with ? b.device[bias] : NULL,
                                      there, b.device[out], stream));
            compare(&b, out, count, !l->full, l->full ? 2e-5 : 2e-3, "linear layer");
        }
        drop(&b);
    }
    vsm_cuda_linear_destroy(linear);
}

static void test_norm(void)
{
    static const struct vsm_cuda_norm norms[] = {
        {.rows = 1001, .channels = 4, .gelu = 1, .epsilon = 1e-6f},
        {.rows = 333, .channels = 96, .full = 1, .epsilon = 1e-6f},
        {.rows = 77, .channels = 256, .full = 1, .epsilon = 1e-5f},
        {.rows = 50, .channels = 768, .full = 1, .epsilon = 1e-6f},
        {.rows = 65, .channels = 1152, .epsilon = 1e-6f},
        {.rows = 65, .channels = 112, .gelu = 1, .epsilon = 1e-6f},
    };

    for (size_t i = 0; i < sizeof(norms) / sizeof(norms[0]); i++) {
        const struct vsm_cuda_norm *n = &norms[i];
        struct buffers b = {0};
        const int x = add(&b, n->rows * n->channels, !n->full, 5), scale = add(&b, n->channels, true, 2),
                  bias = add(&b, n->channels, true, 1), out = add(&b, n->rows * n->channels, true, 9);

        vsm_ops_reference_norm(n, b.host[x], b.host[scale], b.host[bias], b.host[out]);
        check(vsm_cuda_norm_run(n, b.device[x], b.device[scale], b.device[bias], b.device[out], stream));
        compare(&b, out, n->rows * n->channels, true, 2e-3, "norm");
        drop(&b);
    }
}

static void test_planes(void)
{
    static const struct vsm_cuda_planes cases[] = {{.batch = 2, .channels = 48, .pixels = 64, .gelu = 1},
                                                   {.batch = 1, .channels = 5, .pixels = 49}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct vsm_cuda_planes *p = &cases[i];
        const int64_t maps = p->batch * p->channels, count = maps * p->pixels;
        struct buffers b = {0};
        const int x = add(&b, count, true, 3), bias = add(&b, p->channels, true, 1),
                  more = add(&b, count, true, 2), out = add(&b, count, true, 9),
                  means = add(&b, maps, true, 9);

        vsm_ops_reference_finish(p, b.host[x], b.host[bias], b.host[more], b.host[out]);
        check(vsm_cuda_planes_finish(p, b.device[x], b.device[bias], b.device[more], b.device[out], stream));
        compare(&b, out, count, true, 2e-3, "bias, GELU and residual");
        vsm_ops_reference_means(p, b.host[x], b.host[means]);
        check(vsm_cuda_planes_mean(p, b.device[x], b.device[means], stream));
        compare(&b, means, maps, true, 1e-3, "means of maps");
        drop(&b);
    }
}

static void test_tokens(void)
{
    const struct vsm_cuda_tokens_rotation r = {
        .batch = 2, .rows = 60, .period = 20, .still = 3, .channels = 256};
    const int64_t all = r.batch * (r.rows + r.still) * r.channels;
    struct buffers b = {0};
    int x = add(&b, 3 * 8 * 6 * 16, true, 3), out = add(&b, 3 * 4 * 3 * 16, true, 9), c, s, still;

    vsm_ops_reference_pool(3, 8, 6, 16, b.host[x], b.host[out]);
    check(vsm_cuda_tokens_pool(3, 8, 6, 16, b.device[x], b.device[out], stream));
    compare(&b, out, 3 * 4 * 3 * 16, true, 0, "maxima of tokens");
    x = add(&b, r.batch * r.rows * r.channels, true, 2);
    c = add(&b, r.period * r.channels / 2, true, 1);
    s = add(&b, r.period * r.channels / 2, true, 1);
    still = add(&b, r.batch * r.still * r.channels, true, 2);
    out = add(&b, all, true, 9);
    vsm_ops_reference_rotate(&r, b.host[x], b.host[c], b.host[s], b.host[still], b.host[out]);
    check(vsm_cuda_tokens_rotate(&r, b.device[x], b.device[c], b.device[s], b.device[still], b.device[out],
                                 stream));
    compare(&b, out, all, true, 2e-3, "rotary positions");
    drop(&b);
}

static void test_patches(void)
{
    static const struct vsm_cuda_patches cases[] = {
        {.batch = 2,
         .height = 20,
         .width = 28,
         .channels = 3,
         .kernel = 7,
         .stride = 4,
         .pad = 3,
         .planar = 1,
         .columns = 152},
        {.batch = 1,
         .height = 6,
         .width = 10,
         .channels = 16,
         .kernel = 3,
         .stride = 2,
         .pad = 1,
         .columns = 144},
    };
    const struct vsm_cuda_patches small = {.batch = 2,
                                           .height = 18,
                                           .width = 10,
                                           .channels = 4,
                                           .kernel = 3,
                                           .stride = 2,
                                           .pad = 1,
                                           .columns = 36};
    struct buffers b = {0};
    int x, w, bias, out;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct vsm_cuda_patches *p = &cases[i];
        const int64_t rows =
            p->batch * vsm_cuda_patches_along(p, p->height) * vsm_cuda_patches_along(p, p->width);

        x = add(&b, p->batch * p->height * p->width * p->channels, true, 2);
        out = add(&b, rows * p->columns, true, 9);
        vsm_ops_reference_unfold(p, b.host[x], b.host[out]);
        check(vsm_cuda_patches_unfold(p, b.device[x], b.device[out], stream));
        compare(&b, out, rows * p->columns, true, 0, "patches");
        drop(&b);
    }
    x = add(&b, 2 * 18 * 10 * 4, true, 2);
    w = add(&b, 16 * 36, true, 1);
    bias = add(&b, 16, true, 1);
    out = add(&b, 2 * 9 * 5 * 16, true, 9);
    vsm_ops_reference_small(&small, 16, b.host[x], b.host[w], b.host[bias], b.host[out]);
    check(
        vsm_cuda_patches_small(&small, 16, b.device[x], b.device[w], b.device[bias], b.device[out], stream));
    compare(&b, out, 2 * 9 * 5 * 16, true, 2e-3, "small convolution");
    drop(&b);
    x = add(&b, 2 * 9 * 11 * 16, true, 2);
    w = add(&b, 49 * 16, true, 1);
    bias = add(&b, 16, true, 1);
    out = add(&b, 2 * 9 * 11 * 16, true, 9);
    vsm_ops_reference_depthwise(2, 9, 11, 16, b.host[x], b.host[w], b.host[bias], b.host[out]);
    check(vsm_cuda_patches_depthwise(2, 9, 11, 16, b.device[x], b.device[w], b.device[bias], b.device[out],
                                     stream));
    compare(&b, out, 2 * 9 * 11 * 16, true, 2e-3, "depthwise convolution");
    drop(&b);
}

static void test_attention(void)
{
    static const struct {
        int64_t batch, queries, keys;
    } cases[] = {{1, 128, 128}, {2, 256, 300}, {3, 200, 1000}, {1, 64, 17}, {1, 4096, 640}};
    struct vsm_cuda_attention *attention = NULL;

    check(vsm_cuda_attention_create(&attention));
    for (size_t i = 0; attention && i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int64_t n = cases[i].batch, queries = cases[i].queries, keys = cases[i].keys;
        struct buffers b = {0};
        const int q = add(&b, n * queries * 256, true, 1.5f), k = add(&b, n * keys * 256, true, 1.5f),
                  v = add(&b, n * keys * 64, true, 2), out = add(&b, n * queries * 64, true, 9);

        check(vsm_ops_reference_attention(n, queries, keys, b.host[q], b.host[k], b.host[v], b.host[out]));
        check(vsm_cuda_attention_run(attention, n, queries, keys, b.device[q], b.device[k], b.device[v],
                                     b.device[out], stream));
        compare(&b, out, n * queries * 64, true, 3e-3, "narrow attention");
        drop(&b);
    }
    vsm_cuda_attention_destroy(attention);
}

static void time_attention(int64_t keys)
{
    struct vsm_cuda_attention *attention = NULL;
    struct vsm_cuda_event *begin = NULL, *end = NULL;
    struct buffers b = {0};
    const int q = add(&b, 2 * 4096 * 256, true, 1), k = add(&b, 2 * keys * 256, true, 1),
              v = add(&b, 2 * keys * 64, true, 1), out = add(&b, 2 * 4096 * 64, true, 1);
    float ms = 0;

    check(vsm_cuda_attention_create(&attention));
    check(vsm_cuda_event_create(1, &begin));
    check(vsm_cuda_event_create(1, &end));
    for (int i = -3; attention && i < 20; i++) {
        if (i == 0)
            check(vsm_cuda_event_record(begin, stream));
        check(vsm_cuda_attention_run(attention, 2, 4096, keys, b.device[q], b.device[k], b.device[v],
                                     b.device[out], stream));
    }
    check(vsm_cuda_event_record(end, stream));
    check(vsm_cuda_stream_wait(stream));
    check(vsm_cuda_event_ms(begin, end, &ms));
    printf("# 2 x 4096 queries, %d keys: %.3f ms, %.0f TFLOP/s\n", (int)keys, (double)ms / 20,
           2 * 2 * 4096.0 * (double)keys * 320 / ((double)ms / 20) * 1e-9);
    vsm_cuda_event_destroy(begin);
    vsm_cuda_event_destroy(end);
    vsm_cuda_attention_destroy(attention);
    drop(&b);
}

int main(int argc, char **argv)
{
    struct vsm_cuda_info info;

    if (!vsm_cuda_built() || vsm_cuda_device_info(&info) != VSM_OK ||
        vsm_cuda_stream_create(&stream) != VSM_OK) {
        printf("1..0 # SKIP %s\n", vsm_error_message());
        return 0;
    }
    RUN(test_linear);
    RUN(test_norm);
    RUN(test_planes);
    RUN(test_tokens);
    RUN(test_patches);
    if (vsm_cuda_attention_available())
        RUN(test_attention);
    if (argc > 1 && strcmp(argv[1], "time") == 0) {
        time_attention(28736);
        time_attention(3648);
    }
    vsm_cuda_stream_destroy(stream);
    return tap_done();
}
