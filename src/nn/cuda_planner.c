#include "nn/cuda_planner.h"

#include "base/mem.h"

#include <string.h>

int vsm_cuda_planner_padded(int channels)
{
    return (channels + 7) / 8 * 8;
}

static int grow(void **list, int count, int *capacity, size_t size)
{
    int wanted = *capacity ? 2 * *capacity : 64;
    void *more;

    if (count < *capacity)
        return VSM_OK;
    more = vsm_mem_alloc("CUDA plan", (size_t)wanted, size);
    if (!more)
        return VSM_E_NOMEM;
    if (count)
        memcpy(more, *list, (size_t)count * size);
    vsm_mem_free(*list);
    *list = more;
    *capacity = wanted;
    return VSM_OK;
}

/* Device memory of the plan, zeroed; NULL after a failure. */
void *vsm_cuda_planner_take(struct vsm_cuda_planner *p, size_t bytes)
{
    struct vsm_cuda_plan *plan = p->plan;
    void *list = plan->memory, *block = NULL;

    if (!p->status)
        p->status = grow(&list, plan->memory_count, &plan->memory_capacity, sizeof(void *));
    plan->memory = list;
    if (!p->status)
        p->status = vsm_cuda_alloc("memory of the network", bytes, &block);
    if (p->status)
        return NULL;
    plan->memory[plan->memory_count++] = block;
    plan->bytes += bytes;
    return block;
}

/* Device memory of a result that is used up within the run; NULL after a failure. */
void *vsm_cuda_planner_take_passing(struct vsm_cuda_planner *p, size_t bytes)
{
    void *block = p->status ? NULL : vsm_cuda_arena_take(&p->arena, bytes);

    if (!p->status && !block)
        p->status = VSM_E_NOMEM;
    return block;
}

void vsm_cuda_planner_place_passing(struct vsm_cuda_planner *p)
{
    struct vsm_cuda_plan *plan = p->plan;
    void *list = plan->memory, *block = NULL;
    size_t bytes = 0;

    p->status = grow(&list, plan->memory_count, &plan->memory_capacity, sizeof(void *));
    plan->memory = list;
    if (!p->status)
        p->status = vsm_cuda_arena_place(&p->arena, plan, &block, &bytes);
    if (block)
        plan->memory[plan->memory_count++] = block;
    plan->bytes += bytes;
}

void *vsm_cuda_planner_upload(struct vsm_cuda_planner *p, const void *from, size_t bytes)
{
    void *to = vsm_cuda_planner_take(p, bytes);

    if (to)
        p->status = vsm_cuda_copy(to, from, bytes, NULL);
    if (to && !p->status)
        p->status = vsm_cuda_stream_wait(NULL);
    return to;
}

void vsm_cuda_planner_refuse(struct vsm_cuda_planner *p, const struct vsm_graph_node *node, const char *why)
{
    if (!p->status)
        p->status = vsm_fail(VSM_E_MODEL, "graph %s: operator %s %s; the CUDA back end cannot run it",
                             p->graph->name, node->op, why);
}

struct vsm_cuda_step *vsm_cuda_planner_add_step(struct vsm_cuda_planner *p, enum vsm_cuda_step_kind kind)
{
    struct vsm_cuda_plan *plan = p->plan;
    void *list = plan->steps;
    struct vsm_cuda_step *step;

    if (!p->status)
        p->status = grow(&list, plan->step_count, &plan->step_capacity, sizeof(*plan->steps));
    plan->steps = list;
    if (p->status)
        return &p->spare;
    step = &plan->steps[plan->step_count++];
    step->kind = kind;
    step->state = -1;
    return step;
}

const struct vsm_attr *vsm_cuda_planner_attribute(const struct vsm_graph_node *node, const char *name)
{
    for (size_t i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    return NULL;
}

int vsm_cuda_planner_int_attribute(const struct vsm_graph_node *node, const char *name, int otherwise)
{
    const struct vsm_attr *attr = vsm_cuda_planner_attribute(node, name);

    return attr ? (int)attr->i : otherwise;
}

struct vsm_cuda_planner_value *vsm_cuda_planner_input(struct vsm_cuda_planner *p,
                                                      const struct vsm_graph_node *node, size_t index)
{
    if (index >= node->input_count || node->inputs[index] == VSM_VALUE_NONE)
        return NULL;
    return &p->values[node->inputs[index]];
}

const struct vsm_tensor *vsm_cuda_planner_weight(const struct vsm_cuda_planner *p,
                                                 const struct vsm_graph_node *node, size_t index)
{
    if (index >= node->input_count || node->inputs[index] == VSM_VALUE_NONE)
        return NULL;
    return p->graph->values[node->inputs[index]].weight;
}

enum vsm_cuda_act vsm_cuda_planner_activation(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    const enum vsm_cuda_act act = (enum vsm_cuda_act)vsm_cuda_planner_int_attribute(node, "activation", 0);

    if (act == VSM_CUDA_ACT_RELU6)
        vsm_cuda_planner_refuse(p, node, "has an activation that only float has");
    return act;
}

size_t vsm_cuda_planner_pixels(const struct vsm_cuda_planner *p, int height, int width)
{
    return (size_t)p->plan->batch * (size_t)height * (size_t)width;
}

/* A new map as the node's output. */
struct vsm_cuda_view vsm_cuda_planner_make_map(struct vsm_cuda_planner *p, const struct vsm_graph_node *node,
                                               int channels, int height, int width)
{
    struct vsm_cuda_planner_value *out = &p->values[node->outputs[0]];
    const int pitch = vsm_cuda_planner_padded(channels);

    *out = (struct vsm_cuda_planner_value){.place = VSM_CUDA_PLANNER_MAP,
                                           .channels = channels,
                                           .height = height,
                                           .width = width};
    out->view = (struct vsm_cuda_view){
        vsm_cuda_planner_take_passing(p, 2 * vsm_cuda_planner_pixels(p, height, width) * (size_t)pitch),
        pitch, pitch};
    return out->view;
}
