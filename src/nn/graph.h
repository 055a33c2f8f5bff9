/* A neural network as data: values, nodes and weights, in ONNX operator terms, before any back end sees it.
 *
 * Models build graphs with these calls; a back end turns a finished graph into a session. Errors are sticky:
 * a failed call yields VSM_VALUE_NONE, every later call does nothing, and vsm_graph_status() gives the first
 * failure, so that builders read as straight lines. Not thread-safe.
 */
#ifndef VSM_NN_GRAPH_H
#define VSM_NN_GRAPH_H

#include "base/status.h"
#include "frame/tensor.h"

#include <stddef.h>
#include <stdint.h>

typedef int vsm_value; /* index of a value in its graph */
#define VSM_VALUE_NONE ((vsm_value)-1)

enum vsm_attr_kind { VSM_ATTR_INT, VSM_ATTR_INTS, VSM_ATTR_FLOAT, VSM_ATTR_FLOATS, VSM_ATTR_STRING };

struct vsm_attr {
    const char *name;
    enum vsm_attr_kind kind;
    int64_t i;
    float f;
    const char *s;
    const int64_t *ints;
    const float *floats;
    size_t count; /* of ints or floats */
};

#define VSM_ATTR_I(n, v) ((struct vsm_attr){.name = (n), .kind = VSM_ATTR_INT, .i = (v)})
#define VSM_ATTR_F(n, v) ((struct vsm_attr){.name = (n), .kind = VSM_ATTR_FLOAT, .f = (v)})
#define VSM_ATTR_S(n, v) ((struct vsm_attr){.name = (n), .kind = VSM_ATTR_STRING, .s = (v)})
#define VSM_ATTR_IS(n, v, c)                                                                                 \
    ((struct vsm_attr){.name = (n), .kind = VSM_ATTR_INTS, .ints = (v), .count = (c)})
#define VSM_ATTR_FS(n, v, c)                                                                                 \
    ((struct vsm_attr){.name = (n), .kind = VSM_ATTR_FLOATS, .floats = (v), .count = (c)})

struct vsm_graph;

/* An empty graph; NULL on failure (message set). `opset` is the ONNX operator set of all nodes. */
struct vsm_graph *vsm_graph_create(const char *name, int opset) VSM_NODISCARD;
void vsm_graph_destroy(struct vsm_graph *graph);

/* Makes a failure of the builder's own (a weight that is missing, say) the graph's, unless it has failed
 * before. The message is the thread's current one: vsm_graph_fail(g, vsm_fail(...)). VSM_OK does nothing. */
void vsm_graph_fail(struct vsm_graph *graph, int status);

/* VSM_OK or the first failure (message of that failure set again). */
int vsm_graph_status(struct vsm_graph *graph) VSM_NODISCARD;

/* A run-time input. A dimension of -1 is free. */
vsm_value vsm_graph_input(struct vsm_graph *graph, const char *name, enum vsm_dtype dtype, int rank,
                          const int64_t *dims);

/* A weight. `data` is borrowed and must stay valid, unchanged, until the last session built from the graph
 * has been destroyed (an mmapped checkpoint, say): the back end reads large weights in place.
 * vsm_graph_weight_copy() copies; the copy is freed as soon as neither the graph nor a session needs it.
 * vsm_graph_weight_tensor() takes a reference to a host tensor with the same rule. */
vsm_value vsm_graph_weight(struct vsm_graph *graph, enum vsm_dtype dtype, int rank, const int64_t *dims,
                           const void *data);
vsm_value vsm_graph_weight_copy(struct vsm_graph *graph, enum vsm_dtype dtype, int rank, const int64_t *dims,
                                const void *data);
vsm_value vsm_graph_weight_tensor(struct vsm_graph *graph, struct vsm_tensor *tensor);

/* Short forms: a float scalar (rank 0), and a vector of int64. */
vsm_value vsm_graph_scalar(struct vsm_graph *graph, float v);
vsm_value vsm_graph_ints(struct vsm_graph *graph, const int64_t *v, size_t count);

/* One node with one output. `op` names an operator of the ONNX default domain, or one of ONNX Runtime's own
 * as "com.microsoft:FusedConv". Inputs may be VSM_VALUE_NONE at optional places. Attributes are copied. */
vsm_value vsm_graph_node(struct vsm_graph *graph, const char *op, const vsm_value *inputs, size_t input_count,
                         const struct vsm_attr *attrs, size_t attr_count);

/* One node with several outputs. */
void vsm_graph_node_multi(struct vsm_graph *graph, const char *op, const vsm_value *inputs,
                          size_t input_count, const struct vsm_attr *attrs, size_t attr_count,
                          vsm_value *outputs, size_t output_count);

/* vsm_graph_op(g, "Add", a, b): a node without attributes, inputs given in place. */
#define vsm_graph_op(graph, op, ...)                                                                         \
    vsm_graph_node((graph), (op), (const vsm_value[]){__VA_ARGS__},                                          \
                   sizeof((const vsm_value[]){__VA_ARGS__}) / sizeof(vsm_value), NULL, 0)

/* Declares a value as the output `name` of the graph. dtype and dims (-1 = free) describe it to
 * the back end. */
void vsm_graph_output(struct vsm_graph *graph, vsm_value value, const char *name, enum vsm_dtype dtype,
                      int rank, const int64_t *dims);

#endif
