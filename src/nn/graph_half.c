#include "nn/graph_half.h"

#include "base/mem.h"
#include "nn/graph_data.h"

#include <string.h>

#define OPSET 16

/* Element types of operator Cast's attribute "to". */
#define ONNX_FLOAT   1
#define ONNX_FLOAT16 10

/* What an operator does with types. */
enum rule {
    RULE_PRODUCT, /* float16 in and out */
    RULE_FIRST,   /* the same, but for inputs behind the first */
    RULE_MOVE,    /* out as the first input, others follow */
    RULE_SUM,     /* float32 where the sum accumulates, else float16 */
    RULE_NORM,    /* any in, float16 out */
    RULE_COMPARE, /* float16 in, something else out */
    RULE_CAST,
    RULE_UNKNOWN,
};

static const struct {
    const char *op;
    enum rule rule;
    const char *renamed; /* in this operator set; NULL: the same */
} rules[] = {
    {"Gemm", RULE_PRODUCT, NULL},
    {"MatMul", RULE_PRODUCT, NULL},
    {"Conv", RULE_PRODUCT, NULL},
    {"com.microsoft:MultiHeadAttention", RULE_PRODUCT, NULL},
    {"com.microsoft:RotaryEmbedding", RULE_PRODUCT, NULL},
    {"vsm:Attention", RULE_PRODUCT, NULL},
    {"vsm:LatentAttention", RULE_PRODUCT, NULL},
    {"vsm:Unfold", RULE_PRODUCT, NULL},
    {"vsm:SmallConv", RULE_PRODUCT, NULL},
    {"vsm:DepthwiseTokens", RULE_PRODUCT, NULL},
    {"GlobalAveragePool", RULE_PRODUCT, NULL},
    {"Sigmoid", RULE_PRODUCT, NULL},
    {"Gelu", RULE_PRODUCT, "com.microsoft:Gelu"},
    {"Relu", RULE_PRODUCT, NULL},
    {"Resize", RULE_FIRST, NULL},
    {"Mul", RULE_PRODUCT, NULL},
    {"Sub", RULE_PRODUCT, NULL},
    {"Reshape", RULE_MOVE, NULL},
    {"Transpose", RULE_MOVE, NULL},
    {"Slice", RULE_MOVE, NULL},
    {"Gather", RULE_MOVE, NULL},
    {"Pad", RULE_MOVE, NULL},
    {"Concat", RULE_MOVE, NULL},
    {"MaxPool", RULE_MOVE, NULL},
    {"Identity", RULE_MOVE, NULL},
    {"Add", RULE_SUM, NULL},
    {"LayerNormalization", RULE_NORM, NULL},
    {"Greater", RULE_COMPARE, NULL},
    {"Cast", RULE_CAST, NULL},
};

/* A value in the new graph: as it is, and in the other float type once somebody wants that. */
struct twin {
    vsm_value full, half;
    bool wide;   /* accumulates: a norm sees it */
    bool halved; /* computed in float16, so that `full` would be a copy */
};

struct job {
    const struct vsm_graph *from;
    struct vsm_graph *to;
    struct twin *twins;
};

uint16_t vsm_graph_half_from_float(float v)
{
    uint32_t u, sign;

    memcpy(&u, &v, sizeof(u));
    sign = u >> 16 & 0x8000;
    u &= 0x7fffffff;
    if (u > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (u == 0x7f800000)
        return (uint16_t)(sign | 0x7c00);
    if (u >= 0x477ff000) /* rounds to more than 65504 */
        return (uint16_t)(sign | 0x7bff);
    if (u < 0x33000001) /* 2^-25 and below round to zero */
        return (uint16_t)sign;
    if (u < 0x38800000) { /* subnormal: multiples of 2^-24 */
        const int shift = 126 - (int)(u >> 23);
        const uint32_t mantissa = (u & 0x7fffff) | 0x800000;
        const uint32_t rest = mantissa & ((1u << shift) - 1);

        u = mantissa >> shift;
        u += rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && (u & 1));
        return (uint16_t)(sign | u);
    }
    u -= 112u << 23;
    u += 0xfff + (u >> 13 & 1);
    return (uint16_t)(sign | u >> 13);
}

static int find_rule(const struct vsm_graph_node *node)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (strcmp(rules[i].op, node->op) == 0)
            return (int)i;
    return -1;
}

static enum rule rule_of(const struct vsm_graph_node *node)
{
    const int i = find_rule(node);

    return i < 0 ? RULE_UNKNOWN : rules[i].rule;
}

/* From the last node to the first, so that a norm's wish reaches the sums before it. */
static void mark_wide(struct job *job)
{
    for (size_t i = job->from->node_count; i-- > 0;) {
        const struct vsm_graph_node *node = &job->from->nodes[i];
        const enum rule rule = rule_of(node);
        const bool wide = job->twins[node->outputs[0]].wide;

        if (rule == RULE_NORM || (rule == RULE_MOVE && wide))
            job->twins[node->inputs[0]].wide = true;
        for (size_t k = 0; rule == RULE_SUM && wide && k < node->input_count; k++)
            job->twins[node->inputs[k]].wide = true;
    }
}

static vsm_value cast(struct job *job, vsm_value v, int to)
{
    const struct vsm_attr attr = VSM_ATTR_I("to", to);

    return vsm_graph_node(job->to, "Cast", &v, 1, &attr, 1);
}

static vsm_value half_weight(struct job *job, const struct vsm_tensor *weight)
{
    struct vsm_tensor *t = vsm_tensor_create(VSM_F16, weight->rank, weight->dims);
    vsm_value v;

    if (!t) {
        vsm_graph_fail(job->to, VSM_E_NOMEM);
        return VSM_VALUE_NONE;
    }
    for (int64_t i = 0; i < vsm_tensor_count(t); i++) {
        float f;

        memcpy(&f, (const char *)weight->data + (size_t)i * sizeof(f), sizeof(f));
        ((uint16_t *)t->data)[i] = vsm_graph_half_from_float(f);
    }
    v = vsm_graph_weight_tensor(job->to, t);
    vsm_tensor_unref(&t);
    return v;
}

static vsm_value as_half(struct job *job, vsm_value v)
{
    struct twin *twin = &job->twins[v];
    struct vsm_tensor *weight = job->from->values[v].weight;

    if (weight && weight->dtype != VSM_F32) {
        if (twin->full == VSM_VALUE_NONE)
            twin->full = vsm_graph_weight_tensor(job->to, weight);
        return twin->full;
    }
    if (twin->half == VSM_VALUE_NONE)
        twin->half = weight ? half_weight(job, weight) : cast(job, twin->full, ONNX_FLOAT16);
    return twin->half;
}

static vsm_value as_full(struct job *job, vsm_value v)
{
    struct twin *twin = &job->twins[v];
    struct vsm_tensor *weight = job->from->values[v].weight;

    if (twin->full == VSM_VALUE_NONE)
        twin->full = weight ? vsm_graph_weight_tensor(job->to, weight) : cast(job, twin->half, ONNX_FLOAT);
    return twin->full;
}

/* Whether the node's result is to be float32. */
static bool gives_full(const struct job *job, const struct vsm_graph_node *node, enum rule rule)
{
    if (rule == RULE_SUM)
        return job->twins[node->outputs[0]].wide;
    return rule == RULE_MOVE && !job->twins[node->inputs[0]].halved;
}

static void add_cast(struct job *job, const struct vsm_graph_node *node)
{
    struct twin *twin = &job->twins[node->outputs[0]];

    if (node->attrs[0].i == ONNX_FLOAT) {
        const struct vsm_attr attr = VSM_ATTR_I("to", ONNX_FLOAT16);
        const vsm_value in = as_full(job, node->inputs[0]);

        twin->half = vsm_graph_node(job->to, "Cast", &in, 1, &attr, 1);
        twin->halved = true;
    } else {
        const vsm_value in = as_half(job, node->inputs[0]);

        twin->full = vsm_graph_node(job->to, "Cast", &in, 1, node->attrs, node->attr_count);
    }
}

static void add_node(struct job *job, const struct vsm_graph_node *node, vsm_value *inputs)
{
    const int found = find_rule(node);
    const enum rule rule = found < 0 ? RULE_UNKNOWN : rules[found].rule;
    struct twin *twin;
    bool full;
    vsm_value made;

    if (rule == RULE_UNKNOWN || node->output_count != 1) {
        vsm_graph_fail(job->to, vsm_fail(VSM_E_MODEL, "network %s: no half precision for operator %s",
                                         job->from->name, node->op));
        return;
    }
    if (rule == RULE_CAST) {
        add_cast(job, node);
        return;
    }
    full = gives_full(job, node, rule);
    for (size_t i = 0; i < node->input_count; i++) {
        const vsm_value v = node->inputs[i];

        if (v == VSM_VALUE_NONE)
            inputs[i] = v;
        else if (full || (rule == RULE_FIRST && i > 0) ||
                 (rule == RULE_NORM && i == 0 && !job->twins[v].halved))
            inputs[i] = as_full(job, v);
        else
            inputs[i] = as_half(job, v);
    }
    made = vsm_graph_node(job->to, rules[found].renamed ? rules[found].renamed : node->op, inputs,
                          node->input_count, node->attrs, node->attr_count);
    twin = &job->twins[node->outputs[0]];
    if (full || rule == RULE_COMPARE)
        twin->full = made;
    else
        twin->half = made;
    twin->halved = twin->half != VSM_VALUE_NONE;
}

static void fill(struct job *job)
{
    const struct vsm_graph *from = job->from;

    for (size_t i = 0; i < from->input_count; i++) {
        const struct vsm_graph_port *p = &from->inputs[i];
        struct twin *twin = &job->twins[p->value];
        const vsm_value v = vsm_graph_input(job->to, p->name, p->dtype, p->rank, p->dims);

        twin->halved = p->dtype == VSM_F16;
        if (twin->halved)
            twin->half = v;
        else
            twin->full = v;
    }
    for (size_t i = 0; i < from->node_count && !job->to->status; i++) {
        vsm_value *inputs = vsm_mem_alloc("network node", from->nodes[i].input_count, sizeof(*inputs));

        if (inputs)
            add_node(job, &from->nodes[i], inputs);
        else
            vsm_graph_fail(job->to, VSM_E_NOMEM);
        vsm_mem_free(inputs);
    }
    for (size_t i = 0; i < from->output_count && !job->to->status; i++) {
        const struct vsm_graph_port *p = &from->outputs[i];

        vsm_graph_output(job->to, as_full(job, p->value), p->name, p->dtype, p->rank, p->dims);
    }
}

int vsm_graph_half(const struct vsm_graph *graph, struct vsm_graph **half)
{
    struct job job = {.from = graph};
    int status;

    *half = NULL;
    if (graph->status)
        return graph->status;
    job.to = vsm_graph_create(graph->name, OPSET);
    job.twins = vsm_mem_alloc("network values", graph->value_count, sizeof(*job.twins));
    if (!job.to || !job.twins) {
        vsm_graph_destroy(job.to);
        vsm_mem_free(job.twins);
        return VSM_E_NOMEM;
    }
    for (size_t i = 0; i < graph->value_count; i++)
        job.twins[i] = (struct twin){.full = VSM_VALUE_NONE, .half = VSM_VALUE_NONE};
    mark_wide(&job);
    fill(&job);
    vsm_mem_free(job.twins);
    status = vsm_graph_status(job.to);
    if (status) {
        vsm_graph_destroy(job.to);
        return status;
    }
    *half = job.to;
    return VSM_OK;
}
