/* The kernels behind nn/own_ops.h against their plain loops. "time" as argument also times the narrow
 * attention at the shape of SAM 2.1 at 1024 with two eyes. */
#include "cuda/attention.h"
#include "cuda/device.h"
#include "cuda/linear.h"
#include "nn/graph_half.h"
#include "nn/half.h"
#include "nn/own_ops.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* Of an input: the numbers lie between -scale and scale. */
struct operand {
    int64_t dims[4]; /* 0 from the rank on */
    float scale;
};

struct example {
    const char *op;
    struct operand in[VSM_OWN_OPS_MAX_INPUTS];
    double tolerance;
    int64_t attributes[VSM_OWN_OPS_ATTRIBUTES];
    float epsilon;
};

#define ACT(act)   [VSM_OWN_OPS_ACT] = VSM_CUDA_LINEAR_##act
#define BY_COLUMNS [VSM_OWN_OPS_BY_COLUMNS] = 1
#define GELU       [VSM_OWN_OPS_GELU] = 1
#define PLANAR     [VSM_OWN_OPS_PLANAR] = 1
#define WINDOW(kernel, stride, pad, depth)                                                                   \
    [VSM_OWN_OPS_KERNEL] = kernel, [VSM_OWN_OPS_STRIDE] = stride, [VSM_OWN_OPS_PAD] = pad,                   \
    [VSM_OWN_OPS_DEPTH] = depth

static const struct example examples[] = {
    {"LinearHalf", {{{300, 96}, 1}, {{384, 96}, 0.2f}, {{384}, 1}}, 2e-3, {ACT(GELU)}},
    {"LinearHalf", {{{16, 256}, 1}, {{256, 2048}, 0.2f}, {{2048}, 1}}, 2e-3, {ACT(RELU), BY_COLUMNS}},
    {"LinearHalf", {{{1000, 64}, 1}, {{256, 64}, 0.2f}, {{256}, 1}}, 2e-3},
    {"LinearFull", {{{513, 384}, 1}, {{96, 384}, 0.2f}, {{96}, 1}, {{513, 96}, 3}}, 2e-5},
    {"LinearFull", {{{7, 256}, 1}, {{256, 256}, 0.2f}, {{256}, 1}, {{7, 256}, 3}}, 2e-5, {BY_COLUMNS}},
    {"NormHalf", {{{1001, 4}, 5}, {{4}, 2}, {{4}, 1}}, 2e-3, {GELU}, 1e-6f},
    {"NormFull", {{{333, 96}, 5}, {{96}, 2}, {{96}, 1}}, 2e-3, {0}, 1e-6f},
    {"NormFull", {{{77, 256}, 5}, {{256}, 2}, {{256}, 1}}, 2e-3, {0}, 1e-5f},
    {"NormFull", {{{50, 768}, 5}, {{768}, 2}, {{768}, 1}}, 2e-3, {0}, 1e-6f},
    {"NormHalf", {{{65, 1152}, 5}, {{1152}, 2}, {{1152}, 1}}, 2e-3, {0}, 1e-6f},
    {"NormHalf", {{{65, 112}, 5}, {{112}, 2}, {{112}, 1}}, 2e-3, {GELU}, 1e-6f},
    {"FinishPlanes", {{{2, 48, 8, 8}, 3}, {{48}, 1}, {{2, 48, 8, 8}, 2}}, 2e-3, {GELU}},
    {"FinishPlanes", {{{1, 5, 7, 7}, 3}, {{5}, 1}, {{1, 5, 7, 7}, 2}}, 2e-3},
    {"PlaneMeans", {{{2, 48, 8, 8}, 3}}, 1e-3},
    {"PlaneMeans", {{{1, 5, 7, 7}, 3}}, 1e-3},
    {"PoolTokens", {{{3, 8, 6, 16}, 3}}, 0},
    {"Rotate", {{{2, 60, 256}, 2}, {{20, 128}, 1}, {{20, 128}, 1}, {{2, 3, 256}, 2}}, 2e-3},
    {"Attention", {{{1, 128, 256}, 1.5f}, {{1, 128, 256}, 1.5f}, {{1, 128, 64}, 2}}, 3e-3},
    {"Attention", {{{2, 256, 256}, 1.5f}, {{2, 300, 256}, 1.5f}, {{2, 300, 64}, 2}}, 3e-3},
    {"Attention", {{{3, 200, 256}, 1.5f}, {{3, 1000, 256}, 1.5f}, {{3, 1000, 64}, 2}}, 3e-3},
    {"Attention", {{{1, 64, 256}, 1.5f}, {{1, 17, 256}, 1.5f}, {{1, 17, 64}, 2}}, 3e-3},
    {"Attention", {{{1, 4096, 256}, 1.5f}, {{1, 640, 256}, 1.5f}, {{1, 640, 64}, 2}}, 3e-3},
    {"LatentAttention", {{{512, 1, 64}, 2}, {{512, 16, 64}, 2}, {{512, 16, 64}, 2}}, 2e-3},
    {"LatentAttention", {{{3, 1, 64}, 2}, {{3, 1, 64}, 2}, {{3, 1, 64}, 2}}, 2e-3},
    {"LatentAttention", {{{19, 1, 64}, 2}, {{19, 4, 64}, 2}, {{19, 4, 64}, 2}}, 2e-3},
    {"Unfold", {{{2, 3, 20, 28}, 2}}, 0, {WINDOW(7, 4, 3, 152), PLANAR}},
    {"Unfold", {{{1, 6, 10, 16}, 2}}, 0, {WINDOW(3, 2, 1, 144)}},
    {"SmallConv", {{{2, 18, 10, 4}, 2}, {{16, 36}, 1}, {{16}, 1}}, 2e-3},
    {"DepthwiseTokens", {{{2, 9, 11, 16}, 2}, {{49, 16}, 1}, {{16}, 1}}, 2e-3},
};

static const struct vsm_own_ops_operator *find(const char *name)
{
    const struct vsm_own_ops_operator *op = vsm_own_ops;

    while (op->name && strcmp(op->name, name) != 0)
        op++;
    return op;
}

/* The first `given` inputs of the example, on both sides: the plain loops write the result
 * here, the kernel there. */
static void run_example(const struct example *e, const struct vsm_own_ops_operator *op, size_t given,
                        const struct vsm_own_ops_device *cuda)
{
    const struct vsm_own_ops_device cpu = {0};
    struct vsm_own_ops_node node = {.op = op, .device = &cpu, .epsilon = e->epsilon};
    struct vsm_own_ops_operand here[VSM_OWN_OPS_MAX_INPUTS] = {{0}}, there[VSM_OWN_OPS_MAX_INPUTS], out;
    struct buffers b = {0};
    int64_t count;

    memcpy(node.attributes, e->attributes, sizeof(node.attributes));
    for (size_t i = 0; i < given; i++) {
        while (here[i].rank < 4 && e->in[i].dims[here[i].rank]) {
            here[i].dims[here[i].rank] = e->in[i].dims[here[i].rank];
            here[i].rank++;
        }
        here[i].data = b.host[add(&b, vsm_own_ops_count(&here[i]), op->inputs[i] == 'H', e->in[i].scale)];
    }
    memcpy(there, here, sizeof(there));
    for (size_t i = 0; i < given; i++)
        there[i].data = b.device[i];
    if (op->infer(&node, here, &out)) {
        count = vsm_own_ops_count(&out);
        add(&b, count, op->output == 'H', 9);
        check(op->run(&node, here, b.host[given], NULL));
        node.device = cuda;
        check(op->run(&node, there, b.device[given], stream));
        compare(&b, (int)given, count, op->output == 'H', e->tolerance, op->name);
    } else {
        tap_fail_check(__FILE__, __LINE__, "%s: shapes do not fit", e->op);
    }
    drop(&b);
}

static void test_examples(void)
{
    struct vsm_own_ops_device cuda = {.cuda = true};

    check(vsm_cuda_linear_create(&cuda.linear));
    if (vsm_cuda_attention_available())
        check(vsm_cuda_attention_create(&cuda.attention));
    for (size_t i = 0; cuda.linear && i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct vsm_own_ops_operator *op = find(examples[i].op);

        if (strcmp(examples[i].op, "Attention") == 0 && !cuda.attention)
            continue;
        run_example(&examples[i], op, strlen(op->inputs), &cuda);
        if (op->needed < strlen(op->inputs))
            run_example(&examples[i], op, op->needed, &cuda);
    }
    vsm_cuda_attention_destroy(cuda.attention);
    vsm_cuda_linear_destroy(cuda.linear);
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
    RUN(test_examples);
    if (argc > 1 && strcmp(argv[1], "time") == 0) {
        time_attention(28736);
        time_attention(3648);
    }
    vsm_cuda_stream_destroy(stream);
    return tap_done();
}
