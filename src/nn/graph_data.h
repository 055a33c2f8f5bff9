/* What a finished graph holds, for the back ends in this folder that read it (models use nn/graph.h only).
 *
 * Nodes are in the order they were made, which is a topological order: a value exists before it is
 * used. Everything here belongs to the graph, except that a back end may take its own reference to
 * a weight's tensor.
 */
#ifndef VSM_NN_GRAPH_DATA_H
#define VSM_NN_GRAPH_DATA_H

#include "nn/graph.h"

#include <stdbool.h>

enum vsm_value_kind { VSM_VALUE_INPUT, VSM_VALUE_WEIGHT, VSM_VALUE_COMPUTED };

/* The type and shape of an input or output, dims[i] = -1 if free. */
struct vsm_graph_port {
    const char *name;
    vsm_value value;
    enum vsm_dtype dtype;
    int rank;
    int64_t dims[VSM_TENSOR_MAX_RANK];
};

struct vsm_graph_value {
    enum vsm_value_kind kind;
    const char *name;          /* of an input or output, NULL for inner values */
    struct vsm_tensor *weight; /* VSM_VALUE_WEIGHT only */
    bool borrowed;             /* the weight's data belongs to the caller of vsm_graph_weight() */
};

struct vsm_graph_node {
    const char *op;
    vsm_value *inputs;
    size_t input_count;
    vsm_value *outputs;
    size_t output_count;
    struct vsm_attr *attrs;
    size_t attr_count;
};

struct vsm_graph {
    char *name;
    int opset;
    int status;
    char *message; /* of the first failure; NULL if it could not be kept */
    struct vsm_graph_value *values;
    size_t value_count, value_capacity;
    struct vsm_graph_node *nodes;
    size_t node_count, node_capacity;
    struct vsm_graph_port *inputs;
    size_t input_count, input_capacity;
    struct vsm_graph_port *outputs;
    size_t output_count, output_capacity;
    void **blocks; /* every small piece of memory that nodes point into */
    size_t block_count, block_capacity;
};

#endif
