#include "nn/graph_fuse.h"

#include "nn/graph_data.h"
#include "nn/graph_half.h"
#include "nn/session.h"
#include "tap.h"

#include <math.h>

#define GROUPS 3
#define LATENT 64
#define ROWS   5
#define DIM    16
#define HIDDEN 32

static vsm_value weight(struct vsm_graph *g, int rank, int64_t a, int64_t b, float scale)
{
    const int64_t dims[] = {a, b};
    float data[DIM * HIDDEN];

    for (int64_t i = 0; i < (rank == 2 ? a * b : a); i++)
        data[i] = scale * (float)((i * 7 + 3) % 11 - 5) / 5;
    return vsm_graph_weight_copy(g, VSM_F32, rank, dims, data);
}

static vsm_value norm(struct vsm_graph *g, vsm_value x)
{
    const struct vsm_attr attrs[] = {VSM_ATTR_I("axis", -1), VSM_ATTR_F("epsilon", 1e-5f)};

    return vsm_graph_node(g, "LayerNormalization",
                          (const vsm_value[]){x, weight(g, 1, DIM, 0, 1), weight(g, 1, DIM, 0, 0.2f)}, 3,
                          attrs, 2);
}

/* A block as in a transformer: y = x + gelu(norm(x) W1 + b1) W2 + b2, z = gelu(norm(y)); W1 as Gemm takes it,
 * W2 as MatMul. `watched`: the hidden values are a result, too, and must not be swallowed. */
static struct vsm_graph *block(bool watched)
{
    const int64_t dims[] = {-1, DIM}, hidden_dims[] = {-1, HIDDEN};
    const struct vsm_attr turned = VSM_ATTR_I("transB", 1);
    struct vsm_graph *g = vsm_graph_create("block", 20);
    vsm_value x = vsm_graph_input(g, "x", VSM_F32, 2, dims), y, hidden;

    y = norm(g, x);
    hidden =
        vsm_graph_node(g, "Gemm",
                       (const vsm_value[]){y, weight(g, 2, HIDDEN, DIM, 0.5f), weight(g, 1, HIDDEN, 0, 0.1f)},
                       3, &turned, 1);
    y = vsm_graph_op(g, "Gelu", hidden);
    y = vsm_graph_op(g, "MatMul", y, weight(g, 2, HIDDEN, DIM, 0.3f));
    y = vsm_graph_op(g, "Add", y, weight(g, 1, DIM, 0, 0.4f));
    y = vsm_graph_op(g, "Add", x, y);
    vsm_graph_output(g, y, "y", VSM_F32, 2, dims);
    vsm_graph_output(g, vsm_graph_op(g, "Gelu", norm(g, y)), "z", VSM_F32, 2, dims);
    if (watched)
        vsm_graph_output(g, hidden, "hidden", VSM_F32, 2, hidden_dims);
    return g;
}

static int count(const struct vsm_graph *g, const char *op)
{
    int n = 0;

    for (size_t i = 0; i < g->node_count; i++)
        n += strcmp(g->nodes[i].op, op) == 0;
    return n;
}

static void test_fusing(void)
{
    struct vsm_graph *g = block(false), *half = NULL, *fused = NULL;

    CHECK_INT(vsm_graph_half(g, &half), VSM_OK);
    CHECK_INT(vsm_graph_fuse(half, &fused), VSM_OK);
    CHECK_INT(count(fused, "vsm:NormFull"), 2);
    CHECK_INT(count(fused, "vsm:LinearHalf"), 1);
    CHECK_INT(count(fused, "vsm:LinearFull"), 1);
    CHECK_INT(fused->node_count, 5); /* and z as float32 */
    vsm_graph_destroy(fused);
    vsm_graph_destroy(half);
    vsm_graph_destroy(g);
}

static void test_shared_values_stay(void)
{
    struct vsm_graph *g = block(true), *half = NULL, *fused = NULL;

    CHECK_INT(vsm_graph_half(g, &half), VSM_OK);
    CHECK_INT(vsm_graph_fuse(half, &fused), VSM_OK);
    CHECK_INT(count(fused, "com.microsoft:Gelu"), 1);
    CHECK_INT(count(fused, "vsm:LinearHalf"), 1);
    CHECK_INT(count(fused, "Cast"), 2);
    vsm_graph_destroy(fused);
    vsm_graph_destroy(half);
    vsm_graph_destroy(g);
}

static void run(const struct vsm_graph *g, float y[ROWS * DIM], float z[ROWS * DIM])
{
    const struct vsm_session_options options = {.threads = 1};
    struct vsm_tensor *x = vsm_tensor_create(VSM_F32, 2, (const int64_t[]){ROWS, DIM});
    struct vsm_binding in = {"x", x}, out[] = {{"y", NULL}, {"z", NULL}};
    struct vsm_session *s = NULL;

    for (int i = 0; i < ROWS * DIM; i++)
        vsm_tensor_f32(x)[i] = sinf((float)i);
    if (vsm_session_create(g, &options, &s) != VSM_OK || vsm_session_run(s, &in, 1, out, 2) != VSM_OK) {
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    } else {
        memcpy(y, out[0].tensor->data, ROWS * DIM * sizeof(*y));
        memcpy(z, out[1].tensor->data, ROWS * DIM * sizeof(*z));
    }
    vsm_tensor_unref(&out[0].tensor);
    vsm_tensor_unref(&out[1].tensor);
    vsm_tensor_unref(&x);
    vsm_session_destroy(s);
}

static void test_same_network(void)
{
    float y[2][ROWS * DIM] = {{0}}, z[2][ROWS * DIM] = {{0}};
    struct vsm_graph *g = block(false), *half = NULL, *fused = NULL;

    CHECK_INT(vsm_graph_half(g, &half), VSM_OK);
    CHECK_INT(vsm_graph_fuse(half, &fused), VSM_OK);
    run(g, y[0], z[0]);
    run(fused, y[1], z[1]);
    for (int i = 0; i < ROWS * DIM; i++) {
        CHECK_NEAR(y[1][i], y[0][i], 4e-3);
        CHECK_NEAR(z[1][i], z[0][i], 4e-3);
    }
    vsm_graph_destroy(fused);
    vsm_graph_destroy(half);
    vsm_graph_destroy(g);
}

#define SIDE 4

/* Of x [1, SIDE, SIDE, DIM]: maxima of tokens, convolutions with GELU and a residual and the means of maps,
 * and rotary positions with more rows behind them. */
static struct vsm_graph *maps(void)
{
    const int64_t dims[] = {1, SIDE, SIDE, DIM}, planes[] = {0, 3, 1, 2}, tokens[] = {0, 2, 3, 1},
                  two[] = {2, 2}, rows[] = {1, -1, DIM}, tables[] = {SIDE, DIM / 2}, zero = 0,
                  kernel[] = {DIM, DIM, 1, 1};
    const struct vsm_attr to_planes = VSM_ATTR_IS("perm", planes, 4),
                          to_tokens = VSM_ATTR_IS("perm", tokens, 4),
                          interleaved = VSM_ATTR_I("interleaved", 1), axis = VSM_ATTR_I("axis", 1);
    const struct vsm_attr pool[] = {VSM_ATTR_IS("kernel_shape", two, 2), VSM_ATTR_IS("strides", two, 2)};
    struct vsm_graph *g = vsm_graph_create("maps", 20);
    vsm_value x = vsm_graph_input(g, "x", VSM_F32, 4, dims), h, y, z, start, shape;
    float w[DIM * DIM], cosine[SIDE * DIM / 2], sine[SIDE * DIM / 2];

    for (int i = 0; i < DIM * DIM; i++)
        w[i] = 0.1f * sinf((float)i);
    for (int i = 0; i < SIDE * DIM / 2; i++) {
        cosine[i] = cosf((float)i);
        sine[i] = sinf((float)i);
    }
    h = vsm_graph_op(g, "Relu", x); /* float16 from here on */
    y = vsm_graph_node(g, "Transpose", &h, 1, &to_planes, 1);
    y = vsm_graph_node(g, "MaxPool", &y, 1, pool, 2);
    y = vsm_graph_node(g, "Transpose", &y, 1, &to_tokens, 1);
    vsm_graph_output(g, y, "pooled", VSM_F32, 4, (const int64_t[]){1, SIDE / 2, SIDE / 2, DIM});

    z = vsm_graph_op(g, "Conv", h,
                     vsm_graph_weight_copy(g, VSM_F32, 4, (const int64_t[]){DIM, SIDE, 1, 1}, w),
                     weight(g, 1, DIM, 0, 0.3f)); /* [1, DIM, SIDE, DIM] */
    z = vsm_graph_op(g, "Gelu", z);
    y = vsm_graph_op(g, "Conv", z, vsm_graph_weight_copy(g, VSM_F32, 4, kernel, w),
                     weight(g, 1, DIM, 0, 0.2f));
    y = vsm_graph_op(g, "Add", z, y);
    vsm_graph_output(g, vsm_graph_op(g, "GlobalAveragePool", y), "means", VSM_F32, 4,
                     (const int64_t[]){1, DIM, 1, 1});

    start = vsm_graph_ints(g, &zero, 1);
    shape = vsm_graph_ints(g, rows, 3);
    y = vsm_graph_node(g, "com.microsoft:RotaryEmbedding",
                       (const vsm_value[]){h, start, vsm_graph_weight_copy(g, VSM_F32, 2, tables, cosine),
                                           vsm_graph_weight_copy(g, VSM_F32, 2, tables, sine)},
                       4, &interleaved, 1);
    y = vsm_graph_op(g, "Reshape", y, shape);
    y = vsm_graph_node(g, "Concat", (const vsm_value[]){y, vsm_graph_op(g, "Reshape", h, shape)}, 2, &axis,
                       1);
    vsm_graph_output(g, y, "rotated", VSM_F32, 3, (const int64_t[]){1, 2 * SIDE * SIDE, DIM});
    return g;
}

static void run_maps(const struct vsm_graph *g, struct vsm_binding out[3])
{
    const struct vsm_session_options options = {.threads = 1};
    struct vsm_tensor *x = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, SIDE, SIDE, DIM});
    struct vsm_binding in = {"x", x};
    struct vsm_session *s = NULL;

    for (int i = 0; i < SIDE * SIDE * DIM; i++)
        vsm_tensor_f32(x)[i] = sinf(3 * (float)i) + 0.5f;
    if (vsm_session_create(g, &options, &s) != VSM_OK || vsm_session_run(s, &in, 1, out, 3) != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    vsm_tensor_unref(&x);
    vsm_session_destroy(s);
}

static void test_maps(void)
{
    struct vsm_binding full[] = {{"pooled", NULL}, {"means", NULL}, {"rotated", NULL}},
                       half[] = {{"pooled", NULL}, {"means", NULL}, {"rotated", NULL}};
    struct vsm_graph *g = maps(), *plain = NULL, *fused = NULL;

    CHECK_INT(vsm_graph_half(g, &plain), VSM_OK);
    CHECK_INT(vsm_graph_fuse(plain, &fused), VSM_OK);
    CHECK_INT(count(fused, "vsm:PoolTokens"), 1);
    CHECK_INT(count(fused, "vsm:FinishPlanes"), 2);
    CHECK_INT(count(fused, "vsm:PlaneMeans"), 1);
    CHECK_INT(count(fused, "vsm:Rotate"), 1);
    CHECK_INT(count(fused, "Transpose") + count(fused, "Concat") + count(fused, "com.microsoft:Gelu"), 0);
    run_maps(g, full);
    run_maps(fused, half);
    for (int k = 0; k < 3; k++) {
        for (int64_t i = 0; full[k].tensor && half[k].tensor && i < vsm_tensor_count(full[k].tensor); i++)
            CHECK_NEAR(vsm_tensor_f32(half[k].tensor)[i], vsm_tensor_f32(full[k].tensor)[i], 2e-3);
        vsm_tensor_unref(&full[k].tensor);
        vsm_tensor_unref(&half[k].tensor);
    }
    vsm_graph_destroy(fused);
    vsm_graph_destroy(plain);
    vsm_graph_destroy(g);
}

static void attend(const char *op, bool half, float out[GROUPS * LATENT])
{
    const int64_t q_dims[] = {GROUPS, 1, LATENT}, k_dims[] = {GROUPS, ROWS, LATENT};
    const struct vsm_session_options options = {.threads = 1, .half = half};
    const struct vsm_attr heads = VSM_ATTR_I("num_heads", 1);
    struct vsm_graph *g = vsm_graph_create("attention", 20);
    struct vsm_binding in[] = {{"q", vsm_tensor_create(VSM_F32, 3, q_dims)},
                               {"k", vsm_tensor_create(VSM_F32, 3, k_dims)},
                               {"v", vsm_tensor_create(VSM_F32, 3, k_dims)}},
                       y = {"y", NULL};
    struct vsm_session *s = NULL;
    vsm_value inputs[3];

    for (int i = 0; i < 3; i++) {
        inputs[i] = vsm_graph_input(g, in[i].name, VSM_F32, 3, i ? k_dims : q_dims);
        for (int64_t k = 0; k < vsm_tensor_count(in[i].tensor); k++)
            vsm_tensor_f32(in[i].tensor)[k] = 2 * sinf((float)(k * (i + 2)));
    }
    vsm_graph_output(g, vsm_graph_node(g, op, inputs, 3, &heads, half ? 0 : 1), "y", VSM_F32, 3, q_dims);
    if (vsm_session_create(g, &options, &s) != VSM_OK || vsm_session_run(s, in, 3, &y, 1) != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    else
        memcpy(out, y.tensor->data, GROUPS * LATENT * sizeof(*out));
    for (int i = 0; i < 3; i++)
        vsm_tensor_unref(&in[i].tensor);
    vsm_tensor_unref(&y.tensor);
    vsm_session_destroy(s);
    vsm_graph_destroy(g);
}

static void test_latents(void)
{
    float full[GROUPS * LATENT] = {0}, half[GROUPS * LATENT] = {0};

    attend("com.microsoft:MultiHeadAttention", false, full);
    attend("vsm:LatentAttention", true, half);
    for (int i = 0; i < GROUPS * LATENT; i++)
        CHECK_NEAR(half[i], full[i], 4e-3);
}

static void test_shapes_that_do_not_fit(void)
{
    const int64_t dims[] = {-1, DIM};
    struct vsm_graph *g = vsm_graph_create("odd", 16);
    const struct vsm_session_options options = {.threads = 1};
    const struct vsm_attr attrs[] = {VSM_ATTR_I("by_columns", 1), VSM_ATTR_I("act", 0)};
    const uint16_t zeros[8 * HIDDEN] = {0};
    struct vsm_tensor *x = vsm_tensor_create(VSM_F16, 2, (const int64_t[]){ROWS, DIM});
    struct vsm_binding in = {"x", x}, out = {"y", NULL};
    struct vsm_session *s = NULL;
    const vsm_value inputs[] = {vsm_graph_input(g, "x", VSM_F16, 2, dims),
                                vsm_graph_weight_copy(g, VSM_F16, 2, (const int64_t[]){8, HIDDEN}, zeros)};

    vsm_graph_output(g, vsm_graph_node(g, "vsm:LinearHalf", inputs, 2, attrs, 2), "y", VSM_F16, 2,
                     (const int64_t[]){-1, HIDDEN});
    CHECK_INT(vsm_session_create(g, &options, &s), VSM_OK);
    CHECK_INT(s ? vsm_session_run(s, &in, 1, &out, 1) : VSM_OK, VSM_E_DEVICE);
    CHECK_HAS(vsm_error_message(), "shapes");
    vsm_tensor_unref(&x);
    vsm_session_destroy(s);
    vsm_graph_destroy(g);
}

int main(void)
{
    RUN(test_fusing);
    RUN(test_shared_values_stay);
    RUN(test_same_network);
    RUN(test_maps);
    RUN(test_latents);
    RUN(test_shapes_that_do_not_fit);
    return tap_done();
}
