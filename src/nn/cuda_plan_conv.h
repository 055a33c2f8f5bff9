/* The plan's convolutions: weights packed and padded, parts joined, gates, halves and the matte's projection;
 * dense layers, which are convolutions of vectors; and the recurrent unit, which is two of them. */
#ifndef VSM_NN_CUDA_PLAN_CONV_H
#define VSM_NN_CUDA_PLAN_CONV_H

#include "nn/cuda_planner.h"

/* For a node of the operator of nn/fused.h; failures stay in the planner. */
void vsm_cuda_plan_conv_add(struct vsm_cuda_planner *p, const struct vsm_graph_node *node);
void vsm_cuda_plan_conv_add_gru(struct vsm_cuda_planner *p, const struct vsm_graph_node *node);

#endif
