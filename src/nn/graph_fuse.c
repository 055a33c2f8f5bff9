#include "nn/graph_fuse.h"

#include "base/mem.h"
#include "cuda/linear.h"
#include "cuda/norm.h"
#include "nn/graph_data.h"
#include "nn/half.h"

#include <string.h>

/* Operator Cast's attribute "to". */
#define ONNX_FLOAT 1

#define NO_NODE SIZE_MAX

struct job {
    const struct vsm_graph *from;
    struct vsm_graph *to;
    size_t *producers; /* of each value; NO_NODE for inputs and weights */
    size_t *users;     /* how many uses each value has */
    size_t *readers;   /* one of the nodes that read it */
    bool *swallowed;   /* nodes that became part of a later one */
    vsm_value *values; /* in the new graph */
};

enum kind {
    KIND_NONE,
    KIND_LAYER,
    KIND_FINISH, /* behind a convolution: x, bias, residual, and GELU as `act` */
    KIND_ROTATE, /* x, cosine as weights, sine as bias, still rows as residual */
};

/* An operator as it is put together. */
struct layer {
    enum kind kind;
    vsm_value x, weights, bias, residual, result; /* of the old graph */
    bool by_columns, full;
    enum vsm_cuda_linear_act act;
};

static const struct vsm_tensor *weight_of(const struct job *job, vsm_value v)
{
    return v == VSM_VALUE_NONE ? NULL : job->from->values[v].weight;
}

static bool is_op(const struct vsm_graph_node *node, const char *op)
{
    return strcmp(node->op, op) == 0;
}

/* The only node that uses the value, or NULL. */
static const struct vsm_graph_node *next(const struct job *job, vsm_value v)
{
    return job->users[v] == 1 && job->readers[v] != NO_NODE ? &job->from->nodes[job->readers[v]] : NULL;
}

static vsm_value other(const struct vsm_graph_node *add, vsm_value v)
{
    return add->inputs[0] == v ? add->inputs[1] : add->inputs[0];
}

static int64_t attr_int(const struct vsm_graph_node *node, const char *name, int64_t missing)
{
    for (size_t i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return node->attrs[i].i;
    return missing;
}

static float attr_float(const struct vsm_graph_node *node, const char *name, float missing)
{
    for (size_t i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return node->attrs[i].f;
    return missing;
}

static void swallow(struct job *job, const struct vsm_graph_node *node)
{
    job->swallowed[node - job->from->nodes] = true;
}

static bool starts_layer(const struct job *job, const struct vsm_graph_node *node, struct layer *layer)
{
    const struct vsm_tensor *w;
    const bool gemm = is_op(node, "Gemm");

    if (!gemm && !is_op(node, "MatMul"))
        return false;
    w = weight_of(job, node->inputs[1]);
    if (!w || w->rank != 2 || w->dtype != VSM_F16)
        return false;
    *layer = (struct layer){.kind = KIND_LAYER,
                            .x = node->inputs[0],
                            .weights = node->inputs[1],
                            .bias = gemm && node->input_count > 2 ? node->inputs[2] : VSM_VALUE_NONE,
                            .residual = VSM_VALUE_NONE,
                            .result = node->outputs[0],
                            .by_columns = !gemm || !attr_int(node, "transB", 0)};
    /* The library's kernels read and write eight numbers at a time. */
    return w->dims[0] % 8 == 0 && w->dims[1] % 8 == 0;
}

/* Takes the node behind the layer into it; false if there is none that fits. */
static bool extend(struct job *job, struct layer *l)
{
    const struct vsm_graph_node *node = next(job, l->result);
    const struct vsm_tensor *bias;
    vsm_value with;

    if (!node || job->swallowed[node - job->from->nodes])
        return false;
    if (is_op(node, "Add")) {
        with = other(node, l->result);
        bias = weight_of(job, with);
        if (bias && bias->rank == 1 && bias->dims[0] > 1 && l->bias == VSM_VALUE_NONE &&
            l->act == VSM_CUDA_LINEAR_NONE)
            l->bias = with;
        else if (l->full && !bias && with != l->result)
            l->residual = with;
        else
            return false;
    } else if (l->full || l->act != VSM_CUDA_LINEAR_NONE) {
        return false;
    } else if (is_op(node, "Relu")) {
        l->act = VSM_CUDA_LINEAR_RELU;
    } else if (is_op(node, "com.microsoft:Gelu")) {
        l->act = VSM_CUDA_LINEAR_GELU;
    } else if (is_op(node, "Cast") && attr_int(node, "to", 0) == ONNX_FLOAT) {
        l->full = true;
    } else {
        return false;
    }
    l->result = node->outputs[0];
    swallow(job, node);
    return l->residual == VSM_VALUE_NONE;
}

static vsm_value moved(struct job *job, vsm_value v)
{
    if (v == VSM_VALUE_NONE)
        return v;
    if (job->values[v] == VSM_VALUE_NONE && weight_of(job, v))
        job->values[v] = vsm_graph_weight_tensor(job->to, job->from->values[v].weight);
    return job->values[v];
}

/* A weight as float32. */
static vsm_value full_weight(struct job *job, vsm_value v)
{
    const struct vsm_tensor *from = weight_of(job, v);
    struct vsm_tensor *t = from ? vsm_tensor_create(VSM_F32, from->rank, from->dims) : NULL;
    vsm_value made;

    if (!from)
        return VSM_VALUE_NONE;
    if (from->dtype == VSM_F32) {
        vsm_tensor_unref(&t);
        return moved(job, v);
    }
    if (!t) {
        vsm_graph_fail(job->to, VSM_E_NOMEM);
        return VSM_VALUE_NONE;
    }
    for (int64_t i = 0; i < vsm_tensor_count(t); i++)
        vsm_tensor_f32(t)[i] = vsm_half_to_float(((const uint16_t *)from->data)[i]);
    made = vsm_graph_weight_tensor(job->to, t);
    vsm_tensor_unref(&t);
    return made;
}

static void add_linear(struct job *job, const struct layer *l)
{
    const struct vsm_attr attrs[] = {VSM_ATTR_I("by_columns", l->by_columns), VSM_ATTR_I("act", l->act)};
    const vsm_value inputs[] = {moved(job, l->x), moved(job, l->weights),
                                l->full ? full_weight(job, l->bias) : moved(job, l->bias),
                                moved(job, l->residual)};
    const size_t count = l->residual != VSM_VALUE_NONE ? 4 : l->bias != VSM_VALUE_NONE ? 3 : 2;

    job->values[l->result] =
        vsm_graph_node(job->to, l->full ? "vsm:LinearFull" : "vsm:LinearHalf", inputs, count, attrs, 2);
}

static void add_layer(struct job *job, const struct layer *l)
{
    const struct vsm_attr gelu = VSM_ATTR_I("gelu", l->act == VSM_CUDA_LINEAR_GELU);
    const bool finishes = l->kind == KIND_FINISH;
    const vsm_value finish[] = {moved(job, l->x), moved(job, l->bias), moved(job, l->residual)};
    const vsm_value rotate[] = {moved(job, l->x), moved(job, l->weights), moved(job, l->bias),
                                moved(job, l->residual)};
    const size_t count = (finishes ? 2 : 3) + (l->residual != VSM_VALUE_NONE);

    if (l->kind == KIND_LAYER)
        add_linear(job, l);
    else if (finishes)
        job->values[l->result] = vsm_graph_node(job->to, "vsm:FinishPlanes", finish, count, &gelu, 1);
    else
        job->values[l->result] = vsm_graph_node(job->to, "vsm:Rotate", rotate, count, NULL, 0);
}

/* A convolution whose bias goes into what is behind it, GELU or a residual; it is added without. */
static bool starts_finish(struct job *job, const struct vsm_graph_node *node, struct layer *l)
{
    const struct vsm_graph_node *behind = next(job, node->outputs[0]);
    vsm_value with;

    if (!is_op(node, "Conv") || node->input_count != 3 || !weight_of(job, node->inputs[2]) || !behind ||
        job->swallowed[behind - job->from->nodes])
        return false;
    *l = (struct layer){.kind = KIND_FINISH,
                        .x = node->outputs[0],
                        .weights = VSM_VALUE_NONE,
                        .bias = node->inputs[2],
                        .residual = VSM_VALUE_NONE,
                        .result = behind->outputs[0]};
    if (is_op(behind, "com.microsoft:Gelu")) {
        l->act = VSM_CUDA_LINEAR_GELU;
    } else if (is_op(behind, "Add")) {
        with = other(behind, node->outputs[0]);
        if (weight_of(job, with) || with == node->outputs[0])
            return false;
        l->residual = with;
    } else {
        return false;
    }
    swallow(job, behind);
    job->values[node->outputs[0]] =
        vsm_graph_node(job->to, "Conv",
                       (const vsm_value[]){moved(job, node->inputs[0]), moved(job, node->inputs[1])}, 2,
                       node->attrs, node->attr_count);
    return true;
}

/* Rotary positions, and the rows that are put behind them. */
static bool starts_rotation(struct job *job, const struct vsm_graph_node *node, struct layer *l)
{
    const struct vsm_graph_node *reshape, *concat;

    if (!is_op(node, "com.microsoft:RotaryEmbedding") || node->input_count != 4 ||
        !attr_int(node, "interleaved", 0))
        return false;
    *l = (struct layer){.kind = KIND_ROTATE,
                        .x = node->inputs[0],
                        .weights = node->inputs[2],
                        .bias = node->inputs[3],
                        .residual = VSM_VALUE_NONE,
                        .result = node->outputs[0]};
    reshape = next(job, node->outputs[0]);
    if (!reshape || !is_op(reshape, "Reshape"))
        return true;
    concat = next(job, reshape->outputs[0]);
    if (!concat || !is_op(concat, "Concat") || concat->input_count != 2 || attr_int(concat, "axis", 0) != 1 ||
        concat->inputs[0] != reshape->outputs[0] || weight_of(job, concat->inputs[1]))
        return true;
    swallow(job, reshape);
    swallow(job, concat);
    l->residual = concat->inputs[1];
    l->result = concat->outputs[0];
    return true;
}

static bool is_norm(const struct job *job, const struct vsm_graph_node *node)
{
    const struct vsm_tensor *scale, *bias;

    if (!is_op(node, "LayerNormalization") || node->input_count != 3)
        return false;
    scale = weight_of(job, node->inputs[1]);
    bias = weight_of(job, node->inputs[2]);
    return scale && bias && scale->dtype == VSM_F16 && bias->dtype == VSM_F16 &&
           vsm_cuda_norm_lanes(vsm_tensor_count(scale)) > 0;
}

/* Whether a value is float16: what norms read is either a half's result or not, and only its producer
 * tells. */
static bool is_half(const struct job *job, vsm_value v)
{
    const struct vsm_graph *g = job->from;

    while (job->producers[v] != NO_NODE) {
        const struct vsm_graph_node *node = &g->nodes[job->producers[v]];

        if (is_op(node, "Cast"))
            return attr_int(node, "to", 0) != ONNX_FLOAT;
        if (is_op(node, "Gemm") || is_op(node, "MatMul") || is_op(node, "Conv") || is_op(node, "Relu") ||
            is_op(node, "Mul") || is_op(node, "LayerNormalization") || strchr(node->op, ':'))
            return true;
        v = weight_of(job, node->inputs[0]) ? node->inputs[1] : node->inputs[0];
    }
    for (size_t i = 0; i < g->input_count; i++)
        if (g->inputs[i].value == v)
            return g->inputs[i].dtype == VSM_F16;
    return weight_of(job, v) && weight_of(job, v)->dtype == VSM_F16;
}

static bool has_ints(const struct vsm_graph_node *node, const char *name, const int64_t *ints, size_t count)
{
    for (size_t i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return node->attrs[i].count == count &&
                   memcmp(node->attrs[i].ints, ints, count * sizeof(*ints)) == 0;
    return false;
}

/* Maxima of tokens by way of planes: Transpose, MaxPool, Transpose. */
static bool add_pool(struct job *job, const struct vsm_graph_node *node)
{
    static const int64_t to_planes[] = {0, 3, 1, 2}, to_tokens[] = {0, 2, 3, 1}, two[] = {2, 2};
    const struct vsm_graph_node *pool, *back;
    vsm_value x;

    if (!is_op(node, "Transpose") || !has_ints(node, "perm", to_planes, 4) || !is_half(job, node->inputs[0]))
        return false;
    pool = next(job, node->outputs[0]);
    if (!pool || !is_op(pool, "MaxPool") || !has_ints(pool, "kernel_shape", two, 2) ||
        !has_ints(pool, "strides", two, 2))
        return false;
    back = next(job, pool->outputs[0]);
    if (!back || !is_op(back, "Transpose") || !has_ints(back, "perm", to_tokens, 4))
        return false;
    swallow(job, pool);
    swallow(job, back);
    x = moved(job, node->inputs[0]);
    job->values[back->outputs[0]] = vsm_graph_node(job->to, "vsm:PoolTokens", &x, 1, NULL, 0);
    return true;
}

static bool add_means(struct job *job, const struct vsm_graph_node *node)
{
    vsm_value x;

    if (!is_op(node, "GlobalAveragePool"))
        return false;
    x = moved(job, node->inputs[0]);
    job->values[node->outputs[0]] = vsm_graph_node(job->to, "vsm:PlaneMeans", &x, 1, NULL, 0);
    return true;
}

static void add_norm(struct job *job, const struct vsm_graph_node *node)
{
    const struct vsm_graph_node *behind = next(job, node->outputs[0]);
    const bool gelu = behind && is_op(behind, "com.microsoft:Gelu");
    const struct vsm_attr attrs[] = {VSM_ATTR_I("gelu", gelu),
                                     VSM_ATTR_F("epsilon", attr_float(node, "epsilon", 1e-5f))};
    const vsm_value inputs[] = {moved(job, node->inputs[0]), moved(job, node->inputs[1]),
                                moved(job, node->inputs[2])};

    if (gelu)
        swallow(job, behind);
    job->values[gelu ? behind->outputs[0] : node->outputs[0]] =
        vsm_graph_node(job->to, is_half(job, node->inputs[0]) ? "vsm:NormHalf" : "vsm:NormFull", inputs, 3,
                       attrs, 2);
}

static void add_plain(struct job *job, const struct vsm_graph_node *node)
{
    vsm_value *ports = vsm_mem_alloc("network node", node->input_count + node->output_count, sizeof(*ports));

    if (!ports) {
        vsm_graph_fail(job->to, VSM_E_NOMEM);
        return;
    }
    for (size_t i = 0; i < node->input_count; i++)
        ports[i] = moved(job, node->inputs[i]);
    vsm_graph_node_multi(job->to, node->op, ports, node->input_count, node->attrs, node->attr_count,
                         ports + node->input_count, node->output_count);
    for (size_t i = 0; i < node->output_count; i++)
        job->values[node->outputs[i]] = ports[node->input_count + i];
    vsm_mem_free(ports);
}

/* What ends in something that is made later has to wait for it: `waiting` tells at which node. */
static void fill(struct job *job, struct layer *waiting)
{
    const struct vsm_graph *from = job->from;

    for (size_t i = 0; i < from->input_count; i++) {
        const struct vsm_graph_port *p = &from->inputs[i];

        job->values[p->value] = vsm_graph_input(job->to, p->name, p->dtype, p->rank, p->dims);
    }
    for (size_t i = 0; i < from->node_count && !job->to->status; i++) {
        const struct vsm_graph_node *node = &from->nodes[i];
        struct layer layer;

        if (waiting[i].kind != KIND_NONE) {
            add_layer(job, &waiting[i]);
        } else if (job->swallowed[i]) {
            continue;
        } else if (starts_layer(job, node, &layer) || starts_finish(job, node, &layer) ||
                   starts_rotation(job, node, &layer)) {
            while (layer.kind == KIND_LAYER && extend(job, &layer))
                ;
            if (layer.residual == VSM_VALUE_NONE)
                add_layer(job, &layer);
            else
                waiting[job->producers[layer.result]] = layer;
        } else if (is_norm(job, node)) {
            add_norm(job, node);
        } else if (!add_pool(job, node) && !add_means(job, node)) {
            add_plain(job, node);
        }
    }
    for (size_t i = 0; i < from->output_count && !job->to->status; i++) {
        const struct vsm_graph_port *p = &from->outputs[i];

        vsm_graph_output(job->to, moved(job, p->value), p->name, p->dtype, p->rank, p->dims);
    }
}

static void index_values(struct job *job)
{
    const struct vsm_graph *g = job->from;

    for (size_t i = 0; i < g->value_count; i++) {
        job->producers[i] = job->readers[i] = NO_NODE;
        job->values[i] = VSM_VALUE_NONE;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        for (size_t k = 0; k < g->nodes[i].output_count; k++)
            job->producers[g->nodes[i].outputs[k]] = i;
        for (size_t k = 0; k < g->nodes[i].input_count; k++) {
            if (g->nodes[i].inputs[k] == VSM_VALUE_NONE)
                continue;
            job->users[g->nodes[i].inputs[k]]++;
            job->readers[g->nodes[i].inputs[k]] = i;
        }
    }
    for (size_t i = 0; i < g->output_count; i++) /* an output is a use without a node */
        job->users[g->outputs[i].value] += 2;
}

int vsm_graph_fuse(const struct vsm_graph *graph, struct vsm_graph **fused)
{
    struct job job = {.from = graph};
    struct layer *waiting = NULL;
    int status;

    *fused = NULL;
    if (graph->status)
        return graph->status;
    job.to = vsm_graph_create(graph->name, graph->opset);
    job.producers = vsm_mem_alloc("network values", graph->value_count, sizeof(*job.producers));
    job.users = vsm_mem_alloc("network values", graph->value_count, sizeof(*job.users));
    job.readers = vsm_mem_alloc("network values", graph->value_count, sizeof(*job.readers));
    job.values = vsm_mem_alloc("network values", graph->value_count, sizeof(*job.values));
    job.swallowed = vsm_mem_alloc("network nodes", graph->node_count, sizeof(*job.swallowed));
    waiting = vsm_mem_alloc("network nodes", graph->node_count, sizeof(*waiting));
    if (job.to && job.producers && job.users && job.readers && job.values && job.swallowed && waiting) {
        index_values(&job);
        fill(&job, waiting);
        status = vsm_graph_status(job.to);
    } else {
        status = VSM_E_NOMEM;
    }
    vsm_mem_free(waiting);
    vsm_mem_free(job.swallowed);
    vsm_mem_free(job.values);
    vsm_mem_free(job.readers);
    vsm_mem_free(job.users);
    vsm_mem_free(job.producers);
    if (status) {
        vsm_graph_destroy(job.to);
        return status;
    }
    *fused = job.to;
    return VSM_OK;
}
