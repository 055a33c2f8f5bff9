#include "nn/cuda_plan_full.h"

#include "nn/fused.h"

#include <stdio.h>

enum { SOURCE, WEIGHT, BIAS, RESIDUAL }; /* inputs */

static bool weights_fit(const struct vsm_tensor *w, const struct vsm_tensor *bias, int channels,
                        bool depthwise)
{
    return w && w->dtype == VSM_F32 && w->rank == 4 && w->dims[0] <= VSM_CUDA_PLAN_FULL_CHANNELS &&
           w->dims[1] == (depthwise ? 1 : channels) && (!depthwise || w->dims[0] == channels) &&
           w->dims[2] == w->dims[3] &&
           (w->dims[2] == 3 ? depthwise || channels == VSM_CUDA_FULL_PICTURE
                            : w->dims[2] == 1 && !depthwise) &&
           (!bias || (bias->dtype == VSM_F32 && vsm_tensor_count(bias) == w->dims[0]));
}

static void set_residual(struct vsm_cuda_planner *p, const struct vsm_graph_node *node,
                         struct vsm_cuda_full *f)
{
    const struct vsm_cuda_planner_value *r = vsm_cuda_planner_input(p, node, RESIDUAL);

    if (!r)
        return;
    f->doubled = r->height != f->height;
    f->residual = r->planes;
    if (r->place != VSM_CUDA_PLANNER_PLANES || r->channels != f->outs || f->size != 1 ||
        (f->doubled && (2 * r->height != f->height || 2 * r->width != f->width)))
        vsm_cuda_planner_refuse(p, node, "has a residual of another shape");
}

/* Where the result goes: to stay if it is one of the graph's. */
static void set_output(struct vsm_cuda_planner *p, const struct vsm_graph_node *node, struct vsm_cuda_full *f)
{
    struct vsm_cuda_plan *plan = p->plan;
    struct vsm_cuda_planner_value *out = &p->values[node->outputs[0]];
    size_t port = 0, bytes;

    *out = (struct vsm_cuda_planner_value){.place = VSM_CUDA_PLANNER_PLANES,
                                           .channels = f->outs,
                                           .height = (f->height + f->stride - 1) / f->stride,
                                           .width = (f->width + f->stride - 1) / f->stride};
    bytes = vsm_cuda_planner_pixels(p, out->height, out->width) * (size_t)f->outs * sizeof(float);
    while (port < p->graph->output_count && p->graph->outputs[port].value != node->outputs[0])
        port++;
    if (port == p->graph->output_count) {
        out->planes = vsm_cuda_planner_take_passing(p, bytes);
    } else if (plan->output_count == VSM_CUDA_PLAN_OUTPUTS) {
        vsm_cuda_planner_refuse(p, node, "makes one result too many");
    } else {
        out->planes = vsm_cuda_planner_take(p, bytes);
        plan->outputs[plan->output_count++] = (struct vsm_cuda_plan_output){port, out->planes};
    }
    f->out = out->planes;
}

static void count(struct vsm_cuda_planner *p, const struct vsm_graph_node *node, const struct vsm_tensor *w,
                  struct vsm_cuda_step *step)
{
    const struct vsm_cuda_full *f = &step->full;
    const struct vsm_cuda_planner_value *out = &p->values[node->outputs[0]];
    const double outs = (double)vsm_cuda_planner_pixels(p, out->height, out->width) * f->outs;

    step->bytes = 4 * (outs * (f->residual ? 2 : 1) + (double)vsm_tensor_count(w) +
                       (double)vsm_cuda_planner_pixels(p, f->height, f->width) * f->ins);
    step->flops = 2 * outs * f->size * f->size * (f->depthwise ? 1 : f->ins);
    snprintf(step->name, sizeof(step->name), "full %s%dx%d %d-%d /%d at %dx%d",
             f->depthwise ? "depthwise " : "", f->size, f->size, f->ins, f->outs, f->stride, f->width,
             f->height);
}

void vsm_cuda_plan_full_add(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    const struct vsm_cuda_planner_value *x = vsm_cuda_planner_input(p, node, SOURCE);
    const struct vsm_tensor *w = vsm_cuda_planner_weight(p, node, WEIGHT),
                            *bias = vsm_cuda_planner_weight(p, node, BIAS);
    struct vsm_cuda_step *step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_FULL);
    struct vsm_cuda_full *f = &step->full;

    *f = (struct vsm_cuda_full){
        .batch = p->plan->batch,
        .depthwise = vsm_cuda_planner_int_attribute(node, "depthwise", 0),
        .stride = vsm_cuda_planner_int_attribute(node, "stride", 1),
        .even = vsm_cuda_planner_int_attribute(node, "even", 0),
        .act = (enum vsm_cuda_act)vsm_cuda_planner_int_attribute(node, "activation", 0),
    };
    if (!x || (x->place != VSM_CUDA_PLANNER_PLANES && x->place != VSM_CUDA_PLANNER_SOURCE)) {
        vsm_cuda_planner_refuse(p, node, "is not over planes");
        return;
    }
    if (!weights_fit(w, bias, x->channels, f->depthwise)) {
        vsm_cuda_planner_refuse(p, node, "has weights of another shape");
        return;
    }
    f->height = x->height;
    f->width = x->width;
    f->size = (int)w->dims[2];
    f->ins = x->channels;
    f->outs = (int)w->dims[0];
    f->in = x->planes;
    f->weights = vsm_cuda_planner_upload(p, w->data, vsm_tensor_bytes(w));
    f->bias = bias ? vsm_cuda_planner_upload(p, bias->data, vsm_tensor_bytes(bias)) : NULL;
    set_residual(p, node, f);
    set_output(p, node, f);
    count(p, node, w, step);
}
