/* A plan in the making: what is known of a graph's values, the plan's device memory, and access to a node's
 * inputs, weights and attributes. For nn/cuda_plan.c and nn/cuda_plan_conv.c.
 *
 * The first failure stays in `status`; what is taken after it is NULL, and steps that are added after it go
 * nowhere, so that only the end has to look.
 */
#ifndef VSM_NN_CUDA_PLANNER_H
#define VSM_NN_CUDA_PLANNER_H

#include "nn/cuda_arena.h"
#include "nn/cuda_plan.h"
#include "nn/graph.h"

enum vsm_cuda_planner_place {
    VSM_CUDA_PLANNER_NOWHERE,
    VSM_CUDA_PLANNER_SOURCE,
    VSM_CUDA_PLANNER_WEIGHT,
    VSM_CUDA_PLANNER_STATE_IN,
    VSM_CUDA_PLANNER_MAP,
    VSM_CUDA_PLANNER_VECTOR,
    VSM_CUDA_PLANNER_PLANES,
    VSM_CUDA_PLANNER_MATTE
};

struct vsm_cuda_planner_value {
    enum vsm_cuda_planner_place place;
    int channels, height, width; /* without padding */
    struct vsm_cuda_view view;   /* of a map */
    float *planes;               /* of planes and the source: [channels][height][width] for each image */
    float *vector;               /* of a vector: [parts][channels] for each image, to be added */
    int parts;
    int state;
};

struct vsm_cuda_planner {
    struct vsm_cuda_plan *plan;
    const struct vsm_graph *graph;
    struct vsm_cuda_planner_value *values;
    struct vsm_cuda_arena arena; /* of what lives within one run */
    int status;
    struct vsm_cuda_step spare; /* written after a failure, never read */
};

/* Channels rounded up to whole blocks of 8. */
int vsm_cuda_planner_padded(int channels);

/* Device memory of the plan, zeroed; of a result that is used up within the run; and with a copy of host
 * memory. */
void *vsm_cuda_planner_take(struct vsm_cuda_planner *p, size_t bytes);
void *vsm_cuda_planner_take_passing(struct vsm_cuda_planner *p, size_t bytes);
void *vsm_cuda_planner_upload(struct vsm_cuda_planner *p, const void *from, size_t bytes);

/* Once all steps are there: gives the results that are used up within a run their places. */
void vsm_cuda_planner_place_passing(struct vsm_cuda_planner *p);

/* VSM_E_MODEL: the operator `why`, "has ...". */
void vsm_cuda_planner_refuse(struct vsm_cuda_planner *p, const struct vsm_graph_node *node, const char *why);

struct vsm_cuda_step *vsm_cuda_planner_add_step(struct vsm_cuda_planner *p, enum vsm_cuda_step_kind kind);

/* NULL, or `otherwise`, where the node has none. */
const struct vsm_attr *vsm_cuda_planner_attribute(const struct vsm_graph_node *node, const char *name);
int vsm_cuda_planner_int_attribute(const struct vsm_graph_node *node, const char *name, int otherwise);
struct vsm_cuda_planner_value *vsm_cuda_planner_input(struct vsm_cuda_planner *p,
                                                      const struct vsm_graph_node *node, size_t index);
const struct vsm_tensor *vsm_cuda_planner_weight(const struct vsm_cuda_planner *p,
                                                 const struct vsm_graph_node *node, size_t index);

/* The attribute "activation", for what runs in half precision. */
enum vsm_cuda_act vsm_cuda_planner_activation(struct vsm_cuda_planner *p, const struct vsm_graph_node *node);

/* Of all images of a batch. */
size_t vsm_cuda_planner_pixels(const struct vsm_cuda_planner *p, int height, int width);

/* A new map as the node's output. */
struct vsm_cuda_view vsm_cuda_planner_make_map(struct vsm_cuda_planner *p, const struct vsm_graph_node *node,
                                               int channels, int height, int width);

#endif
