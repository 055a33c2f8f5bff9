/* Convolutions in float of a fused graph as steps of its plan. For nn/cuda_plan.c. */
#ifndef VSM_NN_CUDA_PLAN_FULL_H
#define VSM_NN_CUDA_PLAN_FULL_H

#include "nn/cuda_planner.h"

void vsm_cuda_plan_full_add(struct vsm_cuda_planner *p, const struct vsm_graph_node *node);

#endif
