#include "nn/graph.h"

#include "base/mem.h"
#include "nn/graph_data.h"

#include <string.h>

#define FIRST_CAPACITY 64

void vsm_graph_fail(struct vsm_graph *graph, int status)
{
    if (graph->status || !status)
        return;
    graph->status = status;
    graph->message = vsm_mem_string("graph message", vsm_error_message());
}

/* Makes room for one more element of `size` bytes and returns its address, zeroed; NULL if out of memory. */
static void *grow(struct vsm_graph *graph, void *array_at, size_t *count, size_t *capacity, size_t size)
{
    void *array, *larger;

    memcpy(&array, array_at, sizeof(array));
    if (*count == *capacity) {
        size_t wanted = *capacity ? *capacity * 2 : FIRST_CAPACITY;

        larger = vsm_mem_alloc("graph", wanted, size);
        if (!larger) {
            vsm_graph_fail(graph, VSM_E_NOMEM);
            return NULL;
        }
        if (array)
            memcpy(larger, array, *count * size);
        vsm_mem_free(array);
        array = larger;
        memcpy(array_at, &array, sizeof(array));
        *capacity = wanted;
    }
    return (char *)array + (*count)++ * size;
}

/* A copy that lives as long as the graph. */
static void *keep(struct vsm_graph *graph, const void *data, size_t bytes)
{
    void **slot =
        grow(graph, &graph->blocks, &graph->block_count, &graph->block_capacity, sizeof(*graph->blocks));

    if (!slot)
        return NULL;
    *slot = vsm_mem_alloc_raw("graph", bytes, 1);
    if (!*slot) {
        vsm_graph_fail(graph, VSM_E_NOMEM);
        return NULL;
    }
    if (bytes)
        memcpy(*slot, data, bytes);
    return *slot;
}

static const char *keep_string(struct vsm_graph *graph, const char *text)
{
    return keep(graph, text, strlen(text) + 1);
}

static vsm_value add_value(struct vsm_graph *graph, enum vsm_value_kind kind)
{
    struct vsm_graph_value *value =
        grow(graph, &graph->values, &graph->value_count, &graph->value_capacity, sizeof(*graph->values));

    if (!value)
        return VSM_VALUE_NONE;
    value->kind = kind;
    return (vsm_value)(graph->value_count - 1);
}

static bool name_is_taken(const struct vsm_graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->input_count; i++) {
        if (strcmp(graph->inputs[i].name, name) == 0)
            return true;
    }
    for (size_t i = 0; i < graph->output_count; i++) {
        if (strcmp(graph->outputs[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Fills a port after checking its name and shape. On failure the graph has failed. */
static bool describe_port(struct vsm_graph *graph, struct vsm_graph_port *port, const char *name,
                          enum vsm_dtype dtype, int rank, const int64_t *dims)
{
    if (name_is_taken(graph, name)) {
        vsm_graph_fail(graph, vsm_fail(VSM_E_INTERNAL, "graph %s: two inputs or outputs are called \"%s\"",
                                       graph->name, name));
        return false;
    }
    if (rank < 0 || rank > VSM_TENSOR_MAX_RANK) {
        vsm_graph_fail(graph, vsm_fail(VSM_E_INTERNAL, "graph %s: \"%s\" has rank %d, must be 0 to %d",
                                       graph->name, name, rank, VSM_TENSOR_MAX_RANK));
        return false;
    }
    for (int i = 0; i < rank; i++) {
        if (dims[i] < -1) {
            vsm_graph_fail(graph, vsm_fail(VSM_E_INTERNAL, "graph %s: dimension %d of \"%s\" is %lld",
                                           graph->name, i, name, (long long)dims[i]));
            return false;
        }
        port->dims[i] = dims[i];
    }
    port->name = keep_string(graph, name);
    port->dtype = dtype;
    port->rank = rank;
    return port->name != NULL;
}

struct vsm_graph *vsm_graph_create(const char *name, int opset)
{
    struct vsm_graph *graph = vsm_mem_alloc("graph", 1, sizeof(*graph));

    if (!graph)
        return NULL;
    graph->opset = opset;
    graph->name = vsm_mem_string("graph", name);
    if (!graph->name) {
        vsm_mem_free(graph);
        return NULL;
    }
    return graph;
}

void vsm_graph_destroy(struct vsm_graph *graph)
{
    if (!graph)
        return;
    for (size_t i = 0; i < graph->value_count; i++)
        vsm_tensor_unref(&graph->values[i].weight);
    for (size_t i = 0; i < graph->block_count; i++)
        vsm_mem_free(graph->blocks[i]);
    vsm_mem_free(graph->blocks);
    vsm_mem_free(graph->values);
    vsm_mem_free(graph->nodes);
    vsm_mem_free(graph->inputs);
    vsm_mem_free(graph->outputs);
    vsm_mem_free(graph->message);
    vsm_mem_free(graph->name);
    vsm_mem_free(graph);
}

int vsm_graph_status(struct vsm_graph *graph)
{
    if (graph->status && graph->message)
        vsm_error_set_message(graph->message);
    return graph->status;
}

vsm_value vsm_graph_input(struct vsm_graph *graph, const char *name, enum vsm_dtype dtype, int rank,
                          const int64_t *dims)
{
    struct vsm_graph_port port = {0}, *slot;

    if (graph->status || !describe_port(graph, &port, name, dtype, rank, dims))
        return VSM_VALUE_NONE;
    port.value = add_value(graph, VSM_VALUE_INPUT);
    if (port.value == VSM_VALUE_NONE)
        return VSM_VALUE_NONE;
    slot = grow(graph, &graph->inputs, &graph->input_count, &graph->input_capacity, sizeof(*slot));
    if (!slot)
        return VSM_VALUE_NONE;
    *slot = port;
    graph->values[port.value].name = port.name;
    return port.value;
}

static void release_borrowed(struct vsm_tensor *tensor)
{
    vsm_mem_free(tensor);
}

static struct vsm_tensor *borrow_tensor(enum vsm_dtype dtype, int rank, const int64_t *dims, const void *data)
{
    struct vsm_tensor *tensor = vsm_mem_alloc("graph weight", 1, sizeof(*tensor));

    if (!tensor)
        return NULL;
    tensor->dtype = dtype;
    tensor->rank = rank;
    for (int i = 0; i < rank; i++)
        tensor->dims[i] = dims[i];
    /* Back ends only read weights; the cast does not lead to a write. */
    tensor->data = (void *)(uintptr_t)data;
    tensor->release = release_borrowed;
    atomic_init(&tensor->references, 1);
    return tensor;
}

static bool shape_is_sane(struct vsm_graph *graph, int rank, const int64_t *dims)
{
    int64_t count = 1;
    bool sane = rank >= 0 && rank <= VSM_TENSOR_MAX_RANK;

    for (int i = 0; sane && i < rank; i++)
        sane = dims[i] >= 0 && !__builtin_mul_overflow(count, dims[i], &count) && count <= INT64_MAX / 8;
    if (!sane)
        vsm_graph_fail(graph,
                       vsm_fail(VSM_E_INTERNAL, "graph %s: weight %zu of rank %d has an impossible shape",
                                graph->name, graph->value_count, rank));
    return sane;
}

static vsm_value add_weight(struct vsm_graph *graph, struct vsm_tensor *tensor, bool borrowed)
{
    vsm_value value;

    if (!tensor) {
        vsm_graph_fail(graph, VSM_E_NOMEM);
        return VSM_VALUE_NONE;
    }
    value = add_value(graph, VSM_VALUE_WEIGHT);
    if (value == VSM_VALUE_NONE) {
        vsm_tensor_unref(&tensor);
        return VSM_VALUE_NONE;
    }
    graph->values[value].weight = tensor;
    graph->values[value].borrowed = borrowed;
    return value;
}

vsm_value vsm_graph_weight(struct vsm_graph *graph, enum vsm_dtype dtype, int rank, const int64_t *dims,
                           const void *data)
{
    if (graph->status || !shape_is_sane(graph, rank, dims))
        return VSM_VALUE_NONE;
    return add_weight(graph, borrow_tensor(dtype, rank, dims, data), true);
}

vsm_value vsm_graph_weight_copy(struct vsm_graph *graph, enum vsm_dtype dtype, int rank, const int64_t *dims,
                                const void *data)
{
    struct vsm_tensor *tensor;

    if (graph->status || !shape_is_sane(graph, rank, dims))
        return VSM_VALUE_NONE;
    tensor = vsm_tensor_create(dtype, rank, dims);
    if (tensor && vsm_tensor_bytes(tensor))
        memcpy(tensor->data, data, vsm_tensor_bytes(tensor));
    return add_weight(graph, tensor, false);
}

vsm_value vsm_graph_weight_tensor(struct vsm_graph *graph, struct vsm_tensor *tensor)
{
    if (graph->status)
        return VSM_VALUE_NONE;
    return add_weight(graph, vsm_tensor_ref(tensor), false);
}

vsm_value vsm_graph_scalar(struct vsm_graph *graph, float v)
{
    return vsm_graph_weight_copy(graph, VSM_F32, 0, NULL, &v);
}

vsm_value vsm_graph_ints(struct vsm_graph *graph, const int64_t *v, size_t count)
{
    return vsm_graph_weight_copy(graph, VSM_I64, 1, (const int64_t[]){(int64_t)count}, v);
}

static bool copy_attr(struct vsm_graph *graph, struct vsm_attr *to, const struct vsm_attr *from)
{
    *to = *from;
    to->name = keep_string(graph, from->name);
    switch (from->kind) {
    case VSM_ATTR_STRING:
        to->s = keep_string(graph, from->s);
        break;
    case VSM_ATTR_INTS:
        to->ints = keep(graph, from->ints, from->count * sizeof(*from->ints));
        break;
    case VSM_ATTR_FLOATS:
        to->floats = keep(graph, from->floats, from->count * sizeof(*from->floats));
        break;
    case VSM_ATTR_INT:
    case VSM_ATTR_FLOAT:
        break;
    }
    return !graph->status;
}

/* Inputs must be values of this graph that exist already, or VSM_VALUE_NONE at an optional place. */
static bool inputs_exist(struct vsm_graph *graph, const char *op, const vsm_value *inputs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (inputs[i] < VSM_VALUE_NONE || inputs[i] >= (vsm_value)graph->value_count) {
            vsm_graph_fail(graph,
                           vsm_fail(VSM_E_INTERNAL, "graph %s: input %zu of a %s node is value %d of %zu",
                                    graph->name, i, op, inputs[i], graph->value_count));
            return false;
        }
    }
    return true;
}

static bool fill_node(struct vsm_graph *graph, struct vsm_graph_node *node, const struct vsm_attr *attrs)
{
    struct vsm_attr *copies = keep(graph, attrs, node->attr_count * sizeof(*attrs));

    if (!copies)
        return false;
    node->attrs = copies;
    for (size_t i = 0; i < node->attr_count; i++) {
        if (!copy_attr(graph, &copies[i], &attrs[i]))
            return false;
    }
    return true;
}

void vsm_graph_node_multi(struct vsm_graph *graph, const char *op, const vsm_value *inputs,
                          size_t input_count, const struct vsm_attr *attrs, size_t attr_count,
                          vsm_value *outputs, size_t output_count)
{
    struct vsm_graph_node node = {.input_count = input_count,
                                  .output_count = output_count,
                                  .attr_count = attr_count};
    struct vsm_graph_node *slot;

    for (size_t i = 0; i < output_count; i++)
        outputs[i] = VSM_VALUE_NONE;
    if (graph->status || !inputs_exist(graph, op, inputs, input_count))
        return;
    node.op = keep_string(graph, op);
    node.inputs = keep(graph, inputs, input_count * sizeof(*inputs));
    if (!node.op || !node.inputs || !fill_node(graph, &node, attrs))
        return;
    for (size_t i = 0; i < output_count; i++)
        outputs[i] = add_value(graph, VSM_VALUE_COMPUTED);
    node.outputs = keep(graph, outputs, output_count * sizeof(*outputs));
    slot = graph->status
               ? NULL
               : grow(graph, &graph->nodes, &graph->node_count, &graph->node_capacity, sizeof(node));
    if (slot) {
        *slot = node;
        return;
    }
    for (size_t i = 0; i < output_count; i++)
        outputs[i] = VSM_VALUE_NONE;
}

vsm_value vsm_graph_node(struct vsm_graph *graph, const char *op, const vsm_value *inputs, size_t input_count,
                         const struct vsm_attr *attrs, size_t attr_count)
{
    vsm_value output;

    vsm_graph_node_multi(graph, op, inputs, input_count, attrs, attr_count, &output, 1);
    return output;
}

void vsm_graph_output(struct vsm_graph *graph, vsm_value value, const char *name, enum vsm_dtype dtype,
                      int rank, const int64_t *dims)
{
    struct vsm_graph_port port = {0}, *slot;

    if (graph->status)
        return;
    if (value < 0 || value >= (vsm_value)graph->value_count) {
        vsm_graph_fail(graph, vsm_fail(VSM_E_INTERNAL, "graph %s: output \"%s\" is value %d of %zu",
                                       graph->name, name, value, graph->value_count));
        return;
    }
    if (!describe_port(graph, &port, name, dtype, rank, dims))
        return;
    /* A back end names values once: inputs, weights and earlier outputs come out through a copy. */
    if (graph->values[value].kind != VSM_VALUE_COMPUTED || graph->values[value].name)
        value = vsm_graph_op(graph, "Identity", value);
    if (value == VSM_VALUE_NONE)
        return;
    slot = grow(graph, &graph->outputs, &graph->output_count, &graph->output_capacity, sizeof(*slot));
    if (!slot)
        return;
    port.value = value;
    *slot = port;
    graph->values[value].name = port.name;
}
