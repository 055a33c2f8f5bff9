#include "nn/graph_hash.h"

#include "base/bytes.h"
#include "nn/graph_data.h"

#include <string.h>

static void put_text(struct vsm_bytes_out *out, const char *text)
{
    vsm_bytes_put(out, text ? text : "", (text ? strlen(text) : 0) + 1);
}

static void put_dims(struct vsm_bytes_out *out, enum vsm_dtype dtype, int rank, const int64_t *dims)
{
    vsm_bytes_put_le32(out, (uint32_t)dtype);
    vsm_bytes_put_le32(out, (uint32_t)rank);
    for (int i = 0; i < rank; i++)
        vsm_bytes_put_le64(out, (uint64_t)dims[i]);
}

static void put_ports(struct vsm_bytes_out *out, const struct vsm_graph_port *ports, size_t count)
{
    vsm_bytes_put_le64(out, count);
    for (size_t i = 0; i < count; i++) {
        put_text(out, ports[i].name);
        vsm_bytes_put_le32(out, (uint32_t)ports[i].value);
        put_dims(out, ports[i].dtype, ports[i].rank, ports[i].dims);
    }
}

static void put_values(struct vsm_bytes_out *out, const vsm_value *values, size_t count)
{
    vsm_bytes_put_le64(out, count);
    for (size_t i = 0; i < count; i++)
        vsm_bytes_put_le32(out, (uint32_t)values[i]);
}

static void put_attr(struct vsm_bytes_out *out, const struct vsm_attr *attr)
{
    put_text(out, attr->name);
    vsm_bytes_put_le32(out, (uint32_t)attr->kind);
    switch (attr->kind) {
    case VSM_ATTR_INT:
        vsm_bytes_put_le64(out, (uint64_t)attr->i);
        break;
    case VSM_ATTR_FLOAT:
        vsm_bytes_put_f32(out, &attr->f, 1);
        break;
    case VSM_ATTR_STRING:
        put_text(out, attr->s);
        break;
    case VSM_ATTR_INTS:
        vsm_bytes_put_le64(out, attr->count);
        for (size_t i = 0; i < attr->count; i++)
            vsm_bytes_put_le64(out, (uint64_t)attr->ints[i]);
        break;
    case VSM_ATTR_FLOATS:
        vsm_bytes_put_le64(out, attr->count);
        vsm_bytes_put_f32(out, attr->floats, attr->count);
        break;
    }
}

static void put_nodes(struct vsm_bytes_out *out, const struct vsm_graph *graph)
{
    vsm_bytes_put_le64(out, graph->node_count);
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct vsm_graph_node *node = &graph->nodes[i];

        put_text(out, node->op);
        put_values(out, node->inputs, node->input_count);
        put_values(out, node->outputs, node->output_count);
        vsm_bytes_put_le64(out, node->attr_count);
        for (size_t k = 0; k < node->attr_count; k++)
            put_attr(out, &node->attrs[k]);
    }
}

static int put_weights(struct vsm_bytes_out *out, const struct vsm_graph *graph)
{
    for (size_t i = 0; i < graph->value_count; i++) {
        const struct vsm_graph_value *value = &graph->values[i];
        struct vsm_sha256 hash;
        int status;

        if (!value->weight)
            continue;
        vsm_bytes_put_le64(out, i);
        put_dims(out, value->weight->dtype, value->weight->rank, value->weight->dims);
        if (value->borrowed)
            continue;
        status = vsm_hash_sha256(value->weight->data, vsm_tensor_bytes(value->weight), &hash);
        if (status)
            return status;
        vsm_bytes_put(out, &hash, sizeof(hash));
    }
    return VSM_OK;
}

int vsm_graph_hash(const struct vsm_graph *graph, struct vsm_sha256 *hash)
{
    struct vsm_bytes_out out = {0};
    int status;

    put_text(&out, graph->name);
    vsm_bytes_put_le32(&out, (uint32_t)graph->opset);
    put_ports(&out, graph->inputs, graph->input_count);
    put_ports(&out, graph->outputs, graph->output_count);
    put_nodes(&out, graph);
    status = put_weights(&out, graph);
    if (!status)
        status = out.failed ? VSM_E_NOMEM : vsm_hash_sha256(out.data, out.size, hash);
    vsm_bytes_out_finish(&out);
    return status;
}
