#include "nn/cuda_plan.h"

#include "base/mem.h"
#include "cuda/dense.h"
#include "nn/cuda_plan_conv.h"
#include "nn/cuda_plan_full.h"
#include "nn/cuda_planner.h"
#include "nn/fused.h"

#include <stdio.h>
#include <string.h>

static void plan_image(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    struct vsm_cuda_step *step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_IMAGE);
    const struct vsm_tensor *mean = vsm_cuda_planner_weight(p, node, 1),
                            *gain = vsm_cuda_planner_weight(p, node, 2);

    if (!mean || !gain || vsm_tensor_count(mean) != 3 || vsm_tensor_count(gain) != 3) {
        vsm_cuda_planner_refuse(p, node, "has no three means and gains");
        return;
    }
    memcpy(step->mean, mean->data, sizeof(step->mean));
    memcpy(step->gain, gain->data, sizeof(step->gain));
    step->height = p->plan->height;
    step->width = p->plan->width;
    step->out = vsm_cuda_planner_make_map(p, node, 6, step->height, step->width);
    step->bytes = (double)vsm_cuda_planner_pixels(p, step->height, step->width) * (12 + 16);
    snprintf(step->name, sizeof(step->name), "image");
}

static void plan_halve(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    const struct vsm_cuda_planner_value *x = vsm_cuda_planner_input(p, node, 0);
    struct vsm_cuda_step *step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_HALVE);

    if (!x || x->place != VSM_CUDA_PLANNER_MAP || x->height % 2 || x->width % 2) {
        vsm_cuda_planner_refuse(p, node, "has an odd size");
        return;
    }
    step->in[0] = x->view;
    step->height = x->height;
    step->width = x->width;
    step->out = vsm_cuda_planner_make_map(p, node, x->channels, x->height / 2, x->width / 2);
    step->bytes = (double)vsm_cuda_planner_pixels(p, x->height, x->width) * 16 * 1.25;
    snprintf(step->name, sizeof(step->name), "halve %dx%d", x->width, x->height);
}

static void plan_mean(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    const struct vsm_cuda_planner_value *x = vsm_cuda_planner_input(p, node, 0);
    struct vsm_cuda_planner_value *out = &p->values[node->outputs[0]];
    struct vsm_cuda_step *step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_MEAN);

    if (!x || x->place != VSM_CUDA_PLANNER_MAP || x->channels % 8) {
        vsm_cuda_planner_refuse(p, node, "is not over a map of whole blocks of channels");
        return;
    }
    *out = (struct vsm_cuda_planner_value){.place = VSM_CUDA_PLANNER_VECTOR,
                                           .channels = x->channels,
                                           .parts = VSM_CUDA_MEAN_PARTS};
    out->vector = vsm_cuda_planner_take_passing(p, (size_t)p->plan->batch * VSM_CUDA_MEAN_PARTS *
                                                       (size_t)x->channels * sizeof(float));
    step->in[0] = x->view;
    step->height = x->height;
    step->width = x->width;
    step->to = out->vector;
    step->bytes = (double)vsm_cuda_planner_pixels(p, x->height, x->width) * 2 * x->channels;
    snprintf(step->name, sizeof(step->name), "mean %d", x->channels);
}

static void plan_depthwise(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    const struct vsm_tensor *w = vsm_cuda_planner_weight(p, node, 1),
                            *bias = vsm_cuda_planner_weight(p, node, 2);
    const struct vsm_cuda_planner_value *x = vsm_cuda_planner_input(p, node, 0);
    struct vsm_cuda_step *step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_DEPTHWISE);
    struct vsm_cuda_depthwise *d = &step->depthwise;
    const int stride = vsm_cuda_planner_int_attribute(node, "stride", 1);
    float *turned;
    int taps;

    if (!x || x->place != VSM_CUDA_PLANNER_MAP || x->channels % 8 || !w || !bias ||
        w->dims[0] != x->channels || vsm_tensor_count(bias) != x->channels) {
        vsm_cuda_planner_refuse(p, node, "has weights of another shape");
        return;
    }
    taps = (int)(w->dims[2] * w->dims[3]);
    turned = vsm_mem_alloc("weights", (size_t)taps * (size_t)x->channels, sizeof(float));
    if (!turned) {
        p->status = VSM_E_NOMEM;
        return;
    }
    for (int c = 0; c < x->channels; c++)
        for (int t = 0; t < taps; t++)
            turned[t * x->channels + c] = vsm_tensor_f32(w)[c * taps + t];
    *d = (struct vsm_cuda_depthwise){
        .batch = p->plan->batch,
        .height = x->height,
        .width = x->width,
        .size = (int)w->dims[2],
        .stride = stride,
        .dilation = vsm_cuda_planner_int_attribute(node, "dilation", 1),
        .in = x->view,
        .weights = vsm_cuda_planner_upload(p, turned, (size_t)taps * (size_t)x->channels * sizeof(float)),
        .bias = vsm_cuda_planner_upload(p, bias->data, vsm_tensor_bytes(bias)),
        .act = vsm_cuda_planner_activation(p, node),
    };
    vsm_mem_free(turned);
    d->out = vsm_cuda_planner_make_map(p, node, x->channels, x->height / stride, x->width / stride);
    step->bytes = (double)vsm_cuda_planner_pixels(p, x->height, x->width) * 2 * x->channels *
                  (1 + 1.0 / (stride * stride));
    step->flops =
        2.0 * taps * x->channels * (double)vsm_cuda_planner_pixels(p, x->height / stride, x->width / stride);
    snprintf(step->name, sizeof(step->name), "depthwise %dx%d %d /%d at %dx%d", d->size, d->size, x->channels,
             stride, x->width, x->height);
}

static void plan_fit(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    const struct vsm_cuda_planner_value *matte = vsm_cuda_planner_input(p, node, 1);
    const struct vsm_attr *eps = vsm_cuda_planner_attribute(node, "eps");
    struct vsm_cuda_step *step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_FIT);

    if (!matte || matte->place != VSM_CUDA_PLANNER_MATTE || !eps) {
        vsm_cuda_planner_refuse(p, node, "has no matte");
        return;
    }
    step->height = matte->height;
    step->width = matte->width;
    step->eps = eps->f;
    p->plan->fit =
        vsm_cuda_planner_take(p, vsm_cuda_planner_pixels(p, matte->height, matte->width) * 8 * sizeof(float));
    step->bytes = (double)vsm_cuda_planner_pixels(p, matte->height, matte->width) * (12 + 16 + 32);
    snprintf(step->name, sizeof(step->name), "fit");
}

static void plan_node(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    static const struct {
        const char *op;
        void (*plan)(struct vsm_cuda_planner *, const struct vsm_graph_node *);
    } kinds[] = {
        {VSM_FUSED_IMAGE, plan_image},
        {VSM_FUSED_HALVE, plan_halve},
        {VSM_FUSED_MEAN, plan_mean},
        {VSM_FUSED_CONV, vsm_cuda_plan_conv_add},
        {VSM_FUSED_DEPTHWISE, plan_depthwise},
        {VSM_FUSED_GRU, vsm_cuda_plan_conv_add_gru},
        {VSM_FUSED_FIT, plan_fit},
        {VSM_FUSED_FULL_CONV, vsm_cuda_plan_full_add},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(node->op, kinds[i].op) == 0) {
            kinds[i].plan(p, node);
            return;
        }
    vsm_cuda_planner_refuse(p, node, "is not known");
}

static void plan_ports(struct vsm_cuda_planner *p)
{
    struct vsm_cuda_plan *plan = p->plan;
    const struct vsm_graph_port *source = p->graph->inputs;

    if (p->graph->input_count < 1 || p->graph->input_count > VSM_CUDA_PLAN_STATES + 1 || source->rank != 4 ||
        source->dims[0] < 1 || source->dims[0] > 64 || source->dims[1] != 3 || source->dims[2] < 16 ||
        source->dims[3] < 16) {
        p->status =
            vsm_fail(VSM_E_MODEL, "graph %s: its inputs are not a picture and states", p->graph->name);
        return;
    }
    plan->batch = (int)source->dims[0];
    plan->height = (int)source->dims[2];
    plan->width = (int)source->dims[3];
    plan->source =
        vsm_cuda_planner_take(p, vsm_cuda_planner_pixels(p, plan->height, plan->width) * 3 * sizeof(float));
    plan->bad = vsm_cuda_planner_take(p, (size_t)plan->batch * sizeof(int));
    p->values[source->value] = (struct vsm_cuda_planner_value){.place = VSM_CUDA_PLANNER_SOURCE,
                                                               .channels = 3,
                                                               .height = plan->height,
                                                               .width = plan->width,
                                                               .planes = plan->source};
    for (size_t i = 1; i < p->graph->input_count && !p->status; i++) {
        const struct vsm_graph_port *port = &p->graph->inputs[i];
        struct vsm_cuda_plan_state *state = &plan->states[plan->state_count];
        const int channels = (int)port->dims[1], height = (int)port->dims[2], width = (int)port->dims[3];
        const size_t cells = vsm_cuda_planner_pixels(p, height, width);

        state->channels = channels;
        state->height = height;
        state->width = width;
        for (int side = 0; side < 2; side++)
            state->sides[side] = vsm_cuda_planner_take(p, cells * (size_t)channels * sizeof(float));
        state->half =
            (struct vsm_cuda_view){vsm_cuda_planner_take(p, 2 * cells *
                                                                (size_t)vsm_cuda_planner_padded(channels)),
                                   vsm_cuda_planner_padded(channels), vsm_cuda_planner_padded(channels)};
        p->values[port->value] = (struct vsm_cuda_planner_value){.place = VSM_CUDA_PLANNER_STATE_IN,
                                                                 .channels = channels,
                                                                 .height = height,
                                                                 .width = width,
                                                                 .state = plan->state_count++};
    }
}

int vsm_cuda_plan_init(struct vsm_cuda_plan *plan, const struct vsm_graph *graph)
{
    struct vsm_cuda_planner p = {.plan = plan, .graph = graph};

    *plan = (struct vsm_cuda_plan){0};
    p.values = vsm_mem_alloc("CUDA plan", graph->value_count, sizeof(*p.values));
    if (!p.values)
        return VSM_E_NOMEM;
    plan_ports(&p);
    for (size_t i = 0; i < graph->node_count && !p.status; i++)
        plan_node(&p, &graph->nodes[i]);
    if (!p.status && !plan->fit && !plan->output_count)
        p.status =
            vsm_fail(VSM_E_MODEL, "graph %s: no results; the CUDA back end cannot run it", graph->name);
    if (!p.status)
        vsm_cuda_planner_place_passing(&p);
    vsm_cuda_arena_free(&p.arena);
    vsm_mem_free(p.values);
    return p.status;
}

void vsm_cuda_plan_free(struct vsm_cuda_plan *plan)
{
    for (int i = 0; i < plan->memory_count; i++)
        vsm_cuda_free(plan->memory[i]);
    vsm_mem_free(plan->memory);
    vsm_mem_free(plan->steps);
    *plan = (struct vsm_cuda_plan){0};
}
