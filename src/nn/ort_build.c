#include "nn/ort_build.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* The library's own limit for weights in foreign memory (documented at AddInitializerToGraph). */
#define MIN_EXTERNAL_BYTES 128

/* "#" and 10 digits. */
#define INNER_NAME 12

/* The library frees a weight through an allocator; ours knows one tensor and drops our reference to it. */
struct lent_weight {
    OrtAllocator allocator; /* first: the library hands this address back */
    const OrtMemoryInfo *place;
    struct vsm_tensor *tensor;
};

struct vsm_ort_weights {
    OrtMemoryInfo *place;
    size_t count;
    struct lent_weight lent[];
};

struct builder {
    const OrtApi *api;
    const OrtModelEditorApi *editor;
    const struct vsm_graph *graph;
    OrtAllocator *allocator; /* the library's default one, borrowed */
    OrtGraph *target;
    struct vsm_ort_weights *weights;
    const char **names; /* of values */
    char (*inner_names)[INNER_NAME];
};

static void *lent_alloc(OrtAllocator *allocator, size_t size)
{
    (void)allocator, (void)size;
    return NULL;
}

static void lent_free(OrtAllocator *allocator, void *data)
{
    struct lent_weight *lent = (struct lent_weight *)allocator;

    (void)data;
    vsm_tensor_unref(&lent->tensor);
}

static const OrtMemoryInfo *lent_info(const OrtAllocator *allocator)
{
    return ((const struct lent_weight *)allocator)->place;
}

static int check(const struct builder *b, OrtStatus *result, const char *what)
{
    char subject[96];

    if (!result)
        return VSM_OK;
    snprintf(subject, sizeof(subject), "network %.40s, %.40s", b->graph->name, what);
    return vsm_ort_api_check(result, VSM_E_MODEL, subject);
}

static int name_values(struct builder *b)
{
    const struct vsm_graph *graph = b->graph;

    b->names = vsm_mem_alloc("network names", graph->value_count, sizeof(*b->names));
    b->inner_names = vsm_mem_alloc("network names", graph->value_count, sizeof(*b->inner_names));
    if (!b->names || !b->inner_names)
        return VSM_E_NOMEM;
    for (size_t i = 0; i < graph->value_count; i++) {
        snprintf(b->inner_names[i], INNER_NAME, "#%u", (unsigned)i);
        b->names[i] = graph->values[i].name ? graph->values[i].name : b->inner_names[i];
    }
    return VSM_OK;
}

static int make_value_info(struct builder *b, const struct vsm_graph_port *port, OrtValueInfo **info)
{
    OrtTensorTypeAndShapeInfo *shape = NULL;
    OrtTypeInfo *type = NULL;
    int status = check(b, b->api->CreateTensorTypeAndShapeInfo(&shape), port->name);

    if (!status)
        status = check(b, b->api->SetTensorElementType(shape, vsm_ort_api_dtype(port->dtype)), port->name);
    if (!status)
        status = check(b, b->api->SetDimensions(shape, port->dims, (size_t)port->rank), port->name);
    if (!status)
        status = check(b, b->editor->CreateTensorTypeInfo(shape, &type), port->name);
    if (!status)
        status = check(b, b->editor->CreateValueInfo(port->name, type, info), port->name);
    b->api->ReleaseTypeInfo(type);
    b->api->ReleaseTensorTypeAndShapeInfo(shape);
    return status;
}

static int set_ports(struct builder *b, const struct vsm_graph_port *ports, size_t count, bool inputs)
{
    OrtValueInfo **infos = vsm_mem_alloc("network ports", count, sizeof(OrtValueInfo *));
    int status = infos ? VSM_OK : VSM_E_NOMEM;

    for (size_t i = 0; !status && i < count; i++)
        status = make_value_info(b, &ports[i], &infos[i]);
    if (!status && inputs)
        status = check(b, b->editor->SetGraphInputs(b->target, infos, count), "inputs");
    else if (!status)
        status = check(b, b->editor->SetGraphOutputs(b->target, infos, count), "outputs");
    for (size_t i = 0; infos && i < count; i++)
        b->api->ReleaseValueInfo(infos[i]);
    vsm_mem_free(infos);
    return status;
}

static int lend_weight(struct builder *b, struct vsm_tensor *tensor, const char *name, OrtValue **value)
{
    struct lent_weight *lent = &b->weights->lent[b->weights->count];

    lent->allocator = (OrtAllocator){.version = ORT_API_VERSION,
                                     .Alloc = lent_alloc,
                                     .Free = lent_free,
                                     .Info = lent_info,
                                     .Reserve = lent_alloc};
    lent->place = b->weights->place;
    lent->tensor = vsm_tensor_ref(tensor);
    b->weights->count++;
    return check(b,
                 b->api->CreateTensorWithDataAndDeleterAsOrtValue(&lent->allocator, tensor->data,
                                                                  vsm_tensor_bytes(tensor), tensor->dims,
                                                                  (size_t)tensor->rank,
                                                                  vsm_ort_api_dtype(tensor->dtype), value),
                 name);
}

static int copy_weight(struct builder *b, const struct vsm_tensor *tensor, const char *name, OrtValue **value)
{
    void *data = NULL;
    int status = check(b,
                       b->api->CreateTensorAsOrtValue(b->allocator, tensor->dims, (size_t)tensor->rank,
                                                      vsm_ort_api_dtype(tensor->dtype), value),
                       name);

    if (!status)
        status = check(b, b->api->GetTensorMutableData(*value, &data), name);
    if (!status && vsm_tensor_bytes(tensor))
        memcpy(data, tensor->data, vsm_tensor_bytes(tensor));
    return status;
}

static int add_weights(struct builder *b)
{
    int status = VSM_OK;

    for (size_t i = 0; !status && i < b->graph->value_count; i++) {
        struct vsm_tensor *tensor = b->graph->values[i].weight;
        bool external = tensor && vsm_tensor_bytes(tensor) >= MIN_EXTERNAL_BYTES;
        OrtValue *value = NULL;

        if (!tensor)
            continue;
        if (external)
            status = lend_weight(b, tensor, b->names[i], &value);
        else
            status = copy_weight(b, tensor, b->names[i], &value);
        if (!status)
            status = check(b, b->editor->AddInitializerToGraph(b->target, b->names[i], value, external),
                           b->names[i]);
        if (status && value)
            b->api->ReleaseValue(value);
    }
    return status;
}

static int make_attr(struct builder *b, const struct vsm_attr *attr, OrtOpAttr **made)
{
    switch (attr->kind) {
    case VSM_ATTR_INT:
        return check(b, b->api->CreateOpAttr(attr->name, &attr->i, 1, ORT_OP_ATTR_INT, made), attr->name);
    case VSM_ATTR_FLOAT:
        return check(b, b->api->CreateOpAttr(attr->name, &attr->f, 1, ORT_OP_ATTR_FLOAT, made), attr->name);
    case VSM_ATTR_INTS:
        return check(b,
                     b->api->CreateOpAttr(attr->name, attr->ints, (int)attr->count, ORT_OP_ATTR_INTS, made),
                     attr->name);
    case VSM_ATTR_FLOATS:
        return check(b,
                     b->api->CreateOpAttr(attr->name, attr->floats, (int)attr->count, ORT_OP_ATTR_FLOATS,
                                          made),
                     attr->name);
    case VSM_ATTR_STRING:
        break;
    }
    return check(b, b->api->CreateOpAttr(attr->name, attr->s, (int)strlen(attr->s), ORT_OP_ATTR_STRING, made),
                 attr->name);
}

/* "domain:Op" or "Op". */
static const char *split_op(const char *op, char domain[32])
{
    const char *colon = strchr(op, ':');

    snprintf(domain, 32, "%.*s", colon ? (int)(colon - op) : 0, op);
    return colon ? colon + 1 : op;
}

static int make_node(struct builder *b, size_t index, const char **names, OrtOpAttr **attrs)
{
    const struct vsm_graph_node *node = &b->graph->nodes[index];
    char domain[32], name[64];
    const char *op = split_op(node->op, domain);
    OrtNode *made = NULL;
    int status = VSM_OK;

    snprintf(name, sizeof(name), "%.40s#%zu", op, index);
    for (size_t i = 0; i < node->input_count; i++)
        names[i] = node->inputs[i] == VSM_VALUE_NONE ? "" : b->names[node->inputs[i]];
    for (size_t i = 0; i < node->output_count; i++)
        names[node->input_count + i] = b->names[node->outputs[i]];
    for (size_t i = 0; !status && i < node->attr_count; i++)
        status = make_attr(b, &node->attrs[i], &attrs[i]);
    if (!status)
        status =
            check(b,
                  b->editor->CreateNode(op, domain, name, names, node->input_count, names + node->input_count,
                                        node->output_count, attrs, node->attr_count, &made),
                  name);
    if (!status)
        status = check(b, b->editor->AddNodeToGraph(b->target, made), name);
    if (status && made)
        b->api->ReleaseNode(made);
    return status;
}

static int add_node(struct builder *b, size_t index)
{
    const struct vsm_graph_node *node = &b->graph->nodes[index];
    const char **names =
        vsm_mem_alloc("network node", node->input_count + node->output_count, sizeof(*names));
    OrtOpAttr **attrs = vsm_mem_alloc("network node", node->attr_count, sizeof(OrtOpAttr *));
    int status = names && attrs ? make_node(b, index, names, attrs) : VSM_E_NOMEM;

    for (size_t i = 0; attrs && i < node->attr_count; i++) {
        if (attrs[i])
            b->api->ReleaseOpAttr(attrs[i]);
    }
    vsm_mem_free(attrs);
    vsm_mem_free(names);
    return status;
}

static int make_weights(struct builder *b)
{
    size_t count = 0;

    for (size_t i = 0; i < b->graph->value_count; i++)
        count += b->graph->values[i].weight != NULL;
    b->weights =
        vsm_mem_alloc("network weights", 1, sizeof(*b->weights) + count * sizeof(b->weights->lent[0]));
    if (!b->weights)
        return VSM_E_NOMEM;
    return check(b, b->api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &b->weights->place),
                 "weights");
}

static int fill_graph(struct builder *b)
{
    int status = name_values(b);

    if (!status)
        status = make_weights(b);
    if (!status)
        status = check(b, b->api->GetAllocatorWithDefaultOptions(&b->allocator), "weights");
    if (!status)
        status = check(b, b->editor->CreateGraph(&b->target), "graph");
    if (!status)
        status = set_ports(b, b->graph->inputs, b->graph->input_count, true);
    if (!status)
        status = set_ports(b, b->graph->outputs, b->graph->output_count, false);
    if (!status)
        status = add_weights(b);
    for (size_t i = 0; !status && i < b->graph->node_count; i++)
        status = add_node(b, i);
    return status;
}

bool vsm_ort_build_has_own(const struct vsm_graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++)
        if (strncmp(graph->nodes[i].op, "vsm:", 4) == 0)
            return true;
    return false;
}

int vsm_ort_build(const struct vsm_graph *graph, OrtModel **model, struct vsm_ort_weights **weights)
{
    static const char *const domains[] = {"", "com.microsoft", "vsm"};
    const int versions[] = {graph->opset, 1, 1};
    struct builder b = {.graph = graph};
    OrtModel *made = NULL;
    int status = vsm_ort_api_get(&b.api, &b.editor);

    if (status)
        return status;
    status = fill_graph(&b);
    if (!status)
        status =
            check(&b, b.editor->CreateModel(domains, versions, vsm_ort_build_has_own(graph) ? 3 : 2, &made),
                  "model");
    if (!status)
        status = check(&b, b.editor->AddGraphToModel(made, b.target), "model");
    if (!status)
        b.target = NULL; /* the model's now */
    vsm_mem_free(b.inner_names);
    vsm_mem_free(b.names);
    b.api->ReleaseGraph(b.target);
    if (status) {
        b.api->ReleaseModel(made);
        vsm_ort_build_release_weights(b.weights);
        return status;
    }
    *model = made;
    *weights = b.weights;
    return VSM_OK;
}

void vsm_ort_build_release_weights(struct vsm_ort_weights *weights)
{
    const OrtApi *api;

    if (!weights)
        return;
    for (size_t i = 0; i < weights->count; i++)
        vsm_tensor_unref(&weights->lent[i].tensor);
    if (weights->place && vsm_ort_api_get(&api, NULL) == VSM_OK)
        api->ReleaseMemoryInfo(weights->place);
    vsm_mem_free(weights);
}
