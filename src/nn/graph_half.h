/* A network whose products are done in half precision, made from the same network in float32.
 *
 * Matrix products, convolutions and attention take and give float16, which is what tensor cores are fast at.
 * What accumulates stays in float32: sums that a later LayerNormalization sees (the residual stream, through
 * operators that only move data) and the statistics of norms and of the softmax. Graph inputs and outputs
 * keep their types, so that both networks are called alike. This is the split of the official bfloat16 runs
 * of SAM 2, with float16's three more bits; weights beyond 65504 are clamped.
 *
 * The copy is in operator set 16: the last in which a norm may read float32 and write float16.
 */
#ifndef VSM_NN_GRAPH_HALF_H
#define VSM_NN_GRAPH_HALF_H

#include "base/status.h"
#include "nn/graph.h"

#include <stdint.h>

/* `graph` may be destroyed afterwards; its borrowed weights are still borrowed. VSM_E_MODEL for an operator
 * that this does not know. Float16 weights are the copy's own. */
int vsm_graph_half(const struct vsm_graph *graph, struct vsm_graph **half) VSM_NODISCARD;

/* To the nearest, ties to even; finite values stay finite. */
uint16_t vsm_graph_half_from_float(float v);

#endif
