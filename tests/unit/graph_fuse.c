#include "nn/graph_fuse.h"

#include "nn/graph_data.h"
#include "nn/graph_half.h"
#include "nn/session.h"
#include "tap.h"

#include <math.h>

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

/* A block as in a transformer: y = x + gelu(norm(x) W1 + b1) W2 + b2, z = gelu(norm(y)); W1 as Gemm takes it, W2 as MatMul.
 * `watched`: the hidden values are a result, too, and must not be swallowed. */
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
    RUN(test_shapes_that_do_not_fit);
    return tap_done();
}
