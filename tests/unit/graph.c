#include "nn/graph.h"

#include "base/fault.h"
#include "nn/graph_data.h"
#include "tap.h"

#include <errno.h>

static const int64_t shape[] = {1, 3, -1, 8};

static void test_nodes_copy_what_they_are_given(void)
{
    struct vsm_graph *g = vsm_graph_create("copy", 17);
    char name[] = "axis", text[] = "SAME_UPPER", op[] = "Concat";
    int64_t pads[] = {1, 2, 3, 4};
    const struct vsm_attr attrs[] = {VSM_ATTR_I(name, 1), VSM_ATTR_S("auto_pad", text),
                                     VSM_ATTR_IS("pads", pads, 4)};
    vsm_value x = vsm_graph_input(g, "x", VSM_F32, 4, shape);
    vsm_value y = vsm_graph_node(g, op, (const vsm_value[]){x, VSM_VALUE_NONE, x}, 3, attrs, 3);

    memset(name, '?', sizeof(name) - 1);
    memset(text, '?', sizeof(text) - 1);
    memset(op, '?', sizeof(op) - 1);
    pads[0] = 99;
    CHECK_INT(y, 1);
    CHECK_INT(vsm_graph_status(g), VSM_OK);
    CHECK_STR(g->nodes[0].op, "Concat");
    CHECK_STR(g->nodes[0].attrs[0].name, "axis");
    CHECK_STR(g->nodes[0].attrs[1].s, "SAME_UPPER");
    CHECK_INT(g->nodes[0].attrs[2].ints[0], 1);
    CHECK_INT(g->nodes[0].inputs[1], VSM_VALUE_NONE);
    vsm_graph_destroy(g);
}

static void test_first_error_sticks(void)
{
    struct vsm_graph *g = vsm_graph_create("broken", 17);
    vsm_value x = vsm_graph_input(g, "x", VSM_F32, 4, shape);

    CHECK_INT(vsm_graph_op(g, "Add", x, 7), VSM_VALUE_NONE);
    CHECK_INT(vsm_graph_op(g, "Relu", x), VSM_VALUE_NONE);
    CHECK_INT(vsm_graph_scalar(g, 1.0f), VSM_VALUE_NONE);
    vsm_graph_output(g, x, "y", VSM_F32, 4, shape);
    (void)vsm_fail(VSM_E_USAGE, "something else");
    CHECK_INT(vsm_graph_status(g), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "broken");
    CHECK_HAS(vsm_error_message(), "Add");
    CHECK_INT(g->node_count, 0);
    vsm_graph_destroy(g);
}

static void test_ports_are_checked(void)
{
    struct vsm_graph *g = vsm_graph_create("ports", 17);
    vsm_value x = vsm_graph_input(g, "x", VSM_F32, 4, shape);

    CHECK_INT(x, 0);
    CHECK_INT(vsm_graph_input(g, "x", VSM_F32, 4, shape), VSM_VALUE_NONE);
    CHECK_HAS(vsm_error_message(), "\"x\"");
    vsm_graph_destroy(g);

    g = vsm_graph_create("ports", 17);
    CHECK_INT(vsm_graph_input(g, "x", VSM_F32, 1, (const int64_t[]){-2}), VSM_VALUE_NONE);
    CHECK_INT(vsm_graph_status(g), VSM_E_INTERNAL);
    vsm_graph_destroy(g);

    g = vsm_graph_create("ports", 17);
    CHECK_INT(vsm_graph_weight_copy(g, VSM_F32, 2, (const int64_t[]){INT64_MAX, 2}, ""), VSM_VALUE_NONE);
    vsm_graph_destroy(g);
}

/* An input or a second use as an output needs a name of its own. */
static void test_outputs_of_named_values_are_copies(void)
{
    struct vsm_graph *g = vsm_graph_create("alias", 17);
    vsm_value x = vsm_graph_input(g, "x", VSM_F32, 4, shape), y = vsm_graph_op(g, "Relu", x);

    vsm_graph_output(g, y, "y", VSM_F32, 4, shape);
    vsm_graph_output(g, y, "y2", VSM_F32, 4, shape);
    vsm_graph_output(g, x, "x2", VSM_F32, 4, shape);
    CHECK_INT(vsm_graph_status(g), VSM_OK);
    CHECK_INT(g->node_count, 3);
    CHECK_INT(g->outputs[0].value, y);
    CHECK_STR(g->nodes[1].op, "Identity");
    CHECK(g->outputs[1].value != y);
    vsm_graph_destroy(g);
}

static void test_weights_are_borrowed_or_shared(void)
{
    static const float data[2] = {1, 2};
    struct vsm_graph *g = vsm_graph_create("weights", 17);
    struct vsm_tensor *t = vsm_tensor_create(VSM_F32, 1, (const int64_t[]){2});
    vsm_value a = vsm_graph_weight(g, VSM_F32, 1, (const int64_t[]){2}, data);
    vsm_value b = vsm_graph_weight_copy(g, VSM_F32, 1, (const int64_t[]){2}, data);
    vsm_value c = vsm_graph_weight_tensor(g, t);

    CHECK(g->values[a].weight->data == data && g->values[a].borrowed);
    CHECK(g->values[b].weight->data != data && !g->values[b].borrowed);
    CHECK_INT(memcmp(g->values[b].weight->data, data, sizeof(data)), 0);
    CHECK(g->values[c].weight == t);
    vsm_graph_destroy(g);
    CHECK_INT(atomic_load(&t->references), 1);
    vsm_tensor_unref(&t);
}

static void test_many_nodes(void)
{
    struct vsm_graph *g = vsm_graph_create("many", 17);
    vsm_value v = vsm_graph_input(g, "x", VSM_F32, 4, shape);

    for (int i = 0; i < 1000; i++)
        v = vsm_graph_op(g, "Add", v, vsm_graph_scalar(g, (float)i));
    CHECK_INT(v, 2000);
    CHECK_INT(g->node_count, 1000);
    CHECK_INT(g->nodes[999].inputs[0], 1998);
    vsm_graph_destroy(g);
}

static void test_every_allocation_may_fail(void)
{
#ifdef VSM_FAULT_POINTS
    int status = VSM_E_NOMEM;

    for (unsigned long n = 1; status; n++) {
        struct vsm_graph *g;
        vsm_value x;

        vsm_fault_arm("mem.alloc", n, ENOMEM, 0);
        g = vsm_graph_create("torture", 17);
        if (!g)
            continue;
        x = vsm_graph_input(g, "x", VSM_F32, 4, shape);
        x = vsm_graph_node(g, "Concat", &x, 1, (const struct vsm_attr[]){VSM_ATTR_I("axis", 1)}, 1);
        vsm_graph_output(g, vsm_graph_op(g, "Add", x, vsm_graph_scalar(g, 1)), "y", VSM_F32, 4, shape);
        status = vsm_graph_status(g);
        CHECK(!status || status == VSM_E_NOMEM);
        CHECK_INT(g->output_count, status ? 0 : 1);
        vsm_graph_destroy(g);
        CHECK(n < 1000);
    }
    vsm_fault_arm(NULL, 0, 0, 0);
#else
    tap_skip("built without fault points");
#endif
}

int main(void)
{
    RUN(test_nodes_copy_what_they_are_given);
    RUN(test_first_error_sticks);
    RUN(test_ports_are_checked);
    RUN(test_outputs_of_named_values_are_copies);
    RUN(test_weights_are_borrowed_or_shared);
    RUN(test_many_nodes);
    RUN(test_every_allocation_may_fail);
    return tap_done();
}
