/* From our graph to ONNX Runtime's model, through its Model Editor API: no file format in between.
 *
 * Weights of 128 bytes and more are not copied: the library reads them where they are and, once it has packed
 * them for its kernels, lets them go through a deleter that drops our reference.
 */
#ifndef VSM_NN_ORT_BUILD_H
#define VSM_NN_ORT_BUILD_H

#include "nn/graph_data.h"
#include "nn/ort_api.h"

/* References to weights in use by a session. Must outlive it. */
struct vsm_ort_weights;

/* Builds a model; *weights must be released after every session made from it. VSM_E_MODEL if the library
 * refuses a node or a weight; the graph's name is in the message. */
int vsm_ort_build(const struct vsm_graph *graph, OrtModel **model,
                  struct vsm_ort_weights **weights) VSM_NODISCARD;
/* Whether the graph has operators of nn/own_ops.h. */
bool vsm_ort_build_has_own(const struct vsm_graph *graph);

void vsm_ort_build_release_weights(struct vsm_ort_weights *weights);

#endif
