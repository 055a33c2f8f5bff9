#include "nn/graph_half.h"

#include "nn/graph_data.h"
#include "nn/session.h"
#include "tap.h"

#include <math.h>

#define ROWS 3
#define DIM  8

static void test_rounding(void)
{
    static const struct {
        float from;
        uint16_t to;
    } cases[] = {
        {0, 0},
        {-0.0f, 0x8000},
        {1, 0x3c00},
        {-2, 0xc000},
        {65504, 0x7bff},
        {1e9f, 0x7bff}, /* finite stays finite */
        {-1e9f, 0xfbff},
        {INFINITY, 0x7c00},
        {1 + 0x1p-11f, 0x3c00}, /* a tie, to even */
        {1 + 3 * 0x1p-11f, 0x3c02},
        {1 + 0x1.8p-11f, 0x3c01},
        {2 - 0x1p-12f, 0x4000}, /* carries into the exponent */
        {0x1p-14f, 0x0400},
        {0x1p-24f, 0x0001}, /* the smallest */
        {0x1p-25f, 0},      /* a tie, to even */
        {0x1.8p-25f, 0x0001},
        {3 * 0x1p-25f, 0x0002},
        {0x1.ff8p-15f, 0x03ff},
        {0x1.ffcp-15f, 0x0400},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_INT(vsm_graph_half_from_float(cases[i].from), cases[i].to);
    CHECK((vsm_graph_half_from_float(NAN) & 0x7fff) > 0x7c00);
}

static vsm_value weight(struct vsm_graph *g, int rank, const int64_t *dims, float scale)
{
    float data[DIM * DIM];
    int64_t count = 1;

    for (int i = 0; i < rank; i++)
        count *= dims[i];
    for (int64_t i = 0; i < count; i++)
        data[i] = scale * (float)((i * 7 + 3) % 11 - 5) / 5;
    return vsm_graph_weight_copy(g, VSM_F32, rank, dims, data);
}

/* y = norm(x + relu(x W + b)): a product, a sum that accumulates, a norm. */
static struct vsm_graph *residual_block(void)
{
    const int64_t x_dims[] = {-1, DIM}, w_dims[] = {DIM, DIM}, vector[] = {DIM};
    const struct vsm_attr norm[] = {VSM_ATTR_I("axis", -1), VSM_ATTR_F("epsilon", 1e-5f)};
    struct vsm_graph *g = vsm_graph_create("block", 20);
    vsm_value x = vsm_graph_input(g, "x", VSM_F32, 2, x_dims), y;

    y = vsm_graph_op(g, "Relu",
                     vsm_graph_op(g, "Gemm", x, weight(g, 2, w_dims, 0.5f), weight(g, 1, vector, 0.1f)));
    y = vsm_graph_op(g, "Add", x, y);
    y = vsm_graph_node(g, "LayerNormalization",
                       (const vsm_value[]){y, weight(g, 1, vector, 1), weight(g, 1, vector, 0.2f)}, 3, norm,
                       2);
    vsm_graph_output(g, y, "y", VSM_F32, 2, x_dims);
    return g;
}

static const struct vsm_graph_node *find(const struct vsm_graph *g, const char *op)
{
    for (size_t i = 0; i < g->node_count; i++)
        if (strcmp(g->nodes[i].op, op) == 0)
            return &g->nodes[i];
    return NULL;
}

static enum vsm_dtype weight_type(const struct vsm_graph *g, vsm_value v)
{
    return g->values[v].weight->dtype;
}

static void test_types(void)
{
    struct vsm_graph *g = residual_block(), *half = NULL;
    const struct vsm_graph_node *gemm, *add, *norm;

    CHECK_INT(vsm_graph_half(g, &half), VSM_OK);
    gemm = find(half, "Gemm");
    add = find(half, "Add");
    norm = find(half, "LayerNormalization");
    CHECK(gemm && add && norm);
    CHECK_INT(weight_type(half, gemm->inputs[1]), VSM_F16);
    CHECK_INT(weight_type(half, norm->inputs[1]), VSM_F16);
    CHECK_INT(add->inputs[0], half->inputs[0].value); /* the stream itself, not a copy in half */
    CHECK_INT(norm->inputs[0], add->outputs[0]);
    CHECK_INT(half->inputs[0].dtype, VSM_F32);
    CHECK_INT(half->outputs[0].dtype, VSM_F32);
    vsm_graph_destroy(half);
    vsm_graph_destroy(g);
}

static void run_block(struct vsm_graph *g, bool half, float out[ROWS * DIM])
{
    const struct vsm_session_options options = {.threads = 1, .half = half};
    struct vsm_tensor *x = vsm_tensor_create(VSM_F32, 2, (const int64_t[]){ROWS, DIM});
    struct vsm_binding in = {"x", x}, y = {"y", NULL};
    struct vsm_session *s = NULL;

    for (int i = 0; i < ROWS * DIM; i++)
        vsm_tensor_f32(x)[i] = sinf((float)i);
    if (vsm_session_create(g, &options, &s) != VSM_OK || vsm_session_run(s, &in, 1, &y, 1) != VSM_OK)
        tap_fail_check(__FILE__, __LINE__, "%s", vsm_error_message());
    else
        memcpy(out, y.tensor->data, ROWS * DIM * sizeof(*out));
    vsm_tensor_unref(&y.tensor);
    vsm_tensor_unref(&x);
    vsm_session_destroy(s);
}

static void test_same_network(void)
{
    float full[ROWS * DIM] = {0}, half[ROWS * DIM] = {0};
    struct vsm_graph *g = residual_block();

    run_block(g, false, full);
    run_block(g, true, half);
    for (int i = 0; i < ROWS * DIM; i++)
        CHECK_NEAR(half[i], full[i], 4e-3);
    vsm_graph_destroy(g);
}

/* What comes in half already is taken as it is. */
static void test_half_input(void)
{
    const int64_t x_dims[] = {-1, DIM}, w_dims[] = {DIM, DIM};
    struct vsm_graph *g = vsm_graph_create("half input", 20), *half = NULL;
    vsm_value x = vsm_graph_input(g, "x", VSM_F16, 2, x_dims);
    const struct vsm_graph_node *gemm;

    x = vsm_graph_op(g, "Gemm", vsm_graph_op(g, "Reshape", x, vsm_graph_ints(g, x_dims, 2)),
                     weight(g, 2, w_dims, 0.5f));
    vsm_graph_output(g, x, "y", VSM_F32, 2, x_dims);
    CHECK_INT(vsm_graph_half(g, &half), VSM_OK);
    gemm = find(half, "Gemm");
    CHECK_INT(half->inputs[0].dtype, VSM_F16);
    CHECK_INT(find(half, "Reshape")->inputs[0], half->inputs[0].value);
    CHECK_INT(gemm->inputs[0], find(half, "Reshape")->outputs[0]);
    vsm_graph_destroy(half);
    vsm_graph_destroy(g);
}

/* A cast to float32 wants a float32 value even of what comes in half. */
static void test_cast_half_input(void)
{
    const int64_t dims[] = {2};
    const struct vsm_attr to = VSM_ATTR_I("to", 1);
    struct vsm_graph *g = vsm_graph_create("cast", 20), *half = NULL;
    vsm_value x = vsm_graph_input(g, "x", VSM_F16, 1, dims);

    x = vsm_graph_node(g, "Cast", &x, 1, &to, 1);
    vsm_graph_output(g, x, "y", VSM_F32, 1, dims);
    CHECK_INT(vsm_graph_half(g, &half), VSM_OK);
    for (size_t i = 0; half && i < half->node_count; i++)
        CHECK(half->nodes[i].inputs[0] != VSM_VALUE_NONE);
    vsm_graph_destroy(half);
    vsm_graph_destroy(g);
}

static void test_unknown_operator(void)
{
    struct vsm_graph *g = vsm_graph_create("odd", 20), *half = NULL;
    const int64_t dims[] = {2};

    vsm_graph_output(g, vsm_graph_op(g, "Erf", vsm_graph_input(g, "x", VSM_F32, 1, dims)), "y", VSM_F32, 1,
                     dims);
    CHECK_INT(vsm_graph_half(g, &half), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "Erf");
    CHECK(half == NULL);
    vsm_graph_destroy(g);
}

int main(void)
{
    RUN(test_rounding);
    RUN(test_types);
    RUN(test_same_network);
    RUN(test_half_input);
    RUN(test_cast_half_input);
    RUN(test_unknown_operator);
    return tap_done();
}
