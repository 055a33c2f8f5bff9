#include "nn/cuda_plan_conv.h"

#include "base/mem.h"
#include "nn/fused.h"

#include <stdio.h>
#include <string.h>

static void plan_dense(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    const struct vsm_cuda_planner_value *x = vsm_cuda_planner_input(p, node, VSM_FUSED_FIRST_PART);
    const struct vsm_tensor *w = vsm_cuda_planner_weight(p, node, VSM_FUSED_WEIGHT),
                            *bias = vsm_cuda_planner_weight(p, node, VSM_FUSED_BIAS);
    struct vsm_cuda_planner_value *out = &p->values[node->outputs[0]];
    struct vsm_cuda_step *step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_DENSE);

    if (w->dims[1] != x->channels || w->dims[2] != 1 || w->dims[3] != 1) {
        vsm_cuda_planner_refuse(p, node, "on a vector does not fit it");
        return;
    }
    *out = (struct vsm_cuda_planner_value){.place = VSM_CUDA_PLANNER_VECTOR,
                                           .channels = (int)w->dims[0],
                                           .parts = 1};
    out->vector =
        vsm_cuda_planner_take_passing(p, (size_t)p->plan->batch * (size_t)w->dims[0] * sizeof(float));
    step->from = x->vector;
    step->parts = x->parts;
    step->channels = x->channels;
    step->outputs = out->channels;
    step->weights = vsm_cuda_planner_upload(p, w->data, vsm_tensor_bytes(w));
    step->bias = bias ? vsm_cuda_planner_upload(p, bias->data, vsm_tensor_bytes(bias)) : NULL;
    step->act = vsm_cuda_planner_activation(p, node);
    step->to = out->vector;
    step->bytes = (double)vsm_tensor_bytes(w);
    snprintf(step->name, sizeof(step->name), "dense %d-%d", x->channels, out->channels);
}

/* Where the weights' channels lie among the padded ones. */
struct layout {
    int in_padded, out_padded;
    int in_at[1024], out_at[1024];
};

static void lay_out_halves(struct layout *l, int channels, bool halves)
{
    const int half = halves ? channels / 2 : channels;

    l->out_padded = (halves ? 2 : 1) * vsm_cuda_planner_padded(half);
    for (int o = 0; o < channels; o++)
        l->out_at[o] = o < half ? o : vsm_cuda_planner_padded(half) + o - half;
}

static void pack_weights(struct vsm_cuda_planner *p, const struct vsm_tensor *w,
                         const struct vsm_tensor *bias, const struct layout *l, struct vsm_cuda_conv *conv)
{
    const int outs = (int)w->dims[0], ins = (int)w->dims[1], taps = (int)(w->dims[2] * w->dims[3]);
    const size_t bytes = vsm_cuda_conv_weight_bytes(conv->size, l->in_padded, l->out_padded);
    float *wide =
        vsm_mem_alloc("weights", (size_t)l->out_padded * (size_t)l->in_padded, (size_t)taps * sizeof(float));
    float *biases = vsm_mem_alloc("biases", (size_t)l->out_padded, sizeof(float));
    void *packed = vsm_mem_alloc("weights", 1, bytes);

    if (!wide || !biases || !packed) {
        p->status = VSM_E_NOMEM;
    } else {
        for (int o = 0; o < outs; o++) {
            for (int i = 0; i < ins; i++)
                memcpy(wide +
                           ((size_t)l->out_at[o] * (size_t)l->in_padded + (size_t)l->in_at[i]) * (size_t)taps,
                       vsm_tensor_f32(w) + ((size_t)o * (size_t)ins + (size_t)i) * (size_t)taps,
                       (size_t)taps * sizeof(float));
            biases[l->out_at[o]] = bias ? vsm_tensor_f32(bias)[o] : 0;
        }
        vsm_cuda_conv_pack(conv->size, l->in_padded, l->out_padded, wide, packed);
        conv->weights = vsm_cuda_planner_upload(p, packed, bytes);
        conv->bias = vsm_cuda_planner_upload(p, biases, (size_t)l->out_padded * sizeof(float));
        conv->out_channels = l->out_padded;
    }
    vsm_mem_free(wide);
    vsm_mem_free(biases);
    vsm_mem_free(packed);
}

static bool weights_fit(const struct vsm_tensor *w, const struct vsm_tensor *bias, int64_t ins)
{
    return w && w->dtype == VSM_F32 && w->rank == 4 && w->dims[1] == ins && w->dims[0] <= 1024 &&
           ins <= 1024 && w->dims[2] == w->dims[3] && (w->dims[2] == 1 || w->dims[2] == 3) &&
           (!bias || vsm_tensor_count(bias) == w->dims[0]);
}

static void count_conv(struct vsm_cuda_planner *p, struct vsm_cuda_step *step, const struct vsm_tensor *w,
                       double bytes)
{
    const struct vsm_cuda_conv *c = &step->conv;
    const double out_pixels = (double)vsm_cuda_planner_pixels(p, c->height / c->stride, c->width / c->stride);

    step->bytes = bytes +
                  (double)vsm_cuda_planner_pixels(p, c->height, c->width) * 2 *
                      (c->in[0].channels + c->in[1].channels) +
                  (double)vsm_tensor_count(w) * 2;
    step->flops = 2 * out_pixels * (double)vsm_tensor_count(w);
    snprintf(step->name, sizeof(step->name), "conv %dx%d %d-%d /%d at %dx%d", c->size, c->size,
             (int)w->dims[1], (int)w->dims[0], c->stride, c->width, c->height);
}

/* All parts in one map, or the only part itself. */
static struct vsm_cuda_view join_parts(struct vsm_cuda_planner *p, const struct vsm_graph_node *node,
                                       int height, int width, struct layout *l)
{
    const struct vsm_attr *firsts = vsm_cuda_planner_attribute(node, "firsts"),
                          *counts = vsm_cuda_planner_attribute(node, "counts");
    const int count = (int)node->input_count - VSM_FUSED_FIRST_PART;
    struct vsm_cuda_view views[VSM_FUSED_MAX_PARTS], joined = {0};
    int doubled[VSM_FUSED_MAX_PARTS], at = 0;
    struct vsm_cuda_step *step;
    double read = 0;

    l->in_padded = 0;
    for (int i = 0; i < count; i++) {
        const struct vsm_cuda_planner_value *part =
            vsm_cuda_planner_input(p, node, (size_t)(VSM_FUSED_FIRST_PART + i));

        views[i] = part->view;
        doubled[i] = part->height != height;
        if (part->place != VSM_CUDA_PLANNER_MAP ||
            (doubled[i] && (2 * part->height != height || 2 * part->width != width)) ||
            firsts->ints[i] + counts->ints[i] > part->channels)
            vsm_cuda_planner_refuse(p, node, "has a part that does not fit");
        for (int c = 0; c < (int)counts->ints[i] && at < 1024; c++)
            l->in_at[at++] = l->in_padded + (int)firsts->ints[i] + c;
        l->in_padded += views[i].channels;
        read += (double)vsm_cuda_planner_pixels(p, part->height, part->width) * 2 * views[i].channels;
    }
    if (count == 1 && !doubled[0])
        return views[0];
    joined =
        (struct vsm_cuda_view){vsm_cuda_planner_take_passing(p,
                                                             2 * vsm_cuda_planner_pixels(p, height, width) *
                                                                 (size_t)l->in_padded),
                               l->in_padded, l->in_padded};
    step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_JOIN);
    memcpy(step->in, views, (size_t)count * sizeof(*views));
    memcpy(step->doubled, doubled, (size_t)count * sizeof(*doubled));
    step->count = count;
    step->height = height;
    step->width = width;
    step->out = joined;
    step->bytes = read + (double)vsm_cuda_planner_pixels(p, height, width) * 2 * l->in_padded;
    snprintf(step->name, sizeof(step->name), "join %d at %dx%d", l->in_padded, width, height);
    return joined;
}

static void scale_weights(struct vsm_cuda_planner *p, const struct vsm_cuda_planner_value *squeeze,
                          struct vsm_cuda_conv *conv)
{
    struct vsm_cuda_step *step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_SCALE);
    const size_t bytes = vsm_cuda_conv_weight_bytes(1, conv->in[0].channels, conv->out_channels);

    step->packed = conv->weights;
    step->channels = conv->in[0].channels;
    step->outputs = conv->out_channels;
    step->from = squeeze->vector;
    step->scaled = vsm_cuda_planner_take_passing(p, bytes * (size_t)p->plan->batch);
    conv->weights = step->scaled;
    conv->weights_step = bytes;
    step->bytes = 3 * (double)bytes;
    snprintf(step->name, sizeof(step->name), "scale %d-%d", step->channels, step->outputs);
}

static bool is_matte(const struct vsm_cuda_planner *p, vsm_value value)
{
    for (size_t i = 0; i < p->graph->output_count; i++)
        if (p->graph->outputs[i].value == value)
            return strcmp(p->graph->outputs[i].name, "matte") == 0;
    return false;
}

static void set_halves(struct vsm_cuda_planner *p, const struct vsm_graph_node *node, int channels)
{
    struct vsm_cuda_planner_value *first = &p->values[node->outputs[0]],
                                  *second = &p->values[node->outputs[1]];
    const int half = vsm_cuda_planner_padded(channels / 2);

    *second = *first;
    first->channels = second->channels = channels / 2;
    first->view.channels = second->view.channels = half;
    if (first->view.data)
        second->view.data = (char *)first->view.data + 2 * half;
}

/* Where the result goes. */
static double set_output(struct vsm_cuda_planner *p, const struct vsm_graph_node *node,
                         const struct layout *l, int channels, struct vsm_cuda_conv *conv)
{
    const int height = conv->height / conv->stride, width = conv->width / conv->stride;
    struct vsm_cuda_planner_value *out = &p->values[node->outputs[0]];

    if (is_matte(p, node->outputs[0])) {
        *out = (struct vsm_cuda_planner_value){.place = VSM_CUDA_PLANNER_MATTE,
                                               .channels = channels,
                                               .height = height,
                                               .width = width};
        p->plan->matte =
            vsm_cuda_planner_take(p, vsm_cuda_planner_pixels(p, height, width) * 4 * sizeof(float));
        conv->after = VSM_CUDA_AFTER_FLOAT;
        conv->out32 = p->plan->matte;
        if (channels != 4)
            vsm_cuda_planner_refuse(p, node, "makes a matte without four channels");
        return (double)vsm_cuda_planner_pixels(p, height, width) * 16;
    }
    *out = (struct vsm_cuda_planner_value){.place = VSM_CUDA_PLANNER_MAP,
                                           .channels = channels,
                                           .height = height,
                                           .width = width};
    out->view =
        (struct vsm_cuda_view){vsm_cuda_planner_take_passing(p,
                                                             2 * vsm_cuda_planner_pixels(p, height, width) *
                                                                 (size_t)l->out_padded),
                               l->out_padded, l->out_padded};
    conv->out = out->view;
    if (node->output_count == 2)
        set_halves(p, node, channels);
    return (double)vsm_cuda_planner_pixels(p, height, width) * 2 * l->out_padded;
}

/* The matte's 1x1 convolution of 16 channels is done by the convolution that makes them, while they are in
 * registers. Whoever else reads those channels would miss them: in RVM nobody does. */
static bool plan_projection(struct vsm_cuda_planner *p, const struct vsm_graph_node *node,
                            const struct vsm_tensor *w, const struct vsm_tensor *bias)
{
    const struct vsm_cuda_planner_value *x = vsm_cuda_planner_input(p, node, VSM_FUSED_FIRST_PART);
    struct vsm_cuda_step *last = p->plan->step_count ? &p->plan->steps[p->plan->step_count - 1] : NULL;
    static const float no_bias[4];

    if (!is_matte(p, node->outputs[0]) || !last || last->kind != VSM_CUDA_STEP_CONV ||
        x->place != VSM_CUDA_PLANNER_MAP || last->conv.out.data != x->view.data ||
        last->conv.after != VSM_CUDA_AFTER_STORE || last->conv.gate || last->conv.residual.data ||
        x->channels != 16 || last->conv.out_channels != 16 || w->dims[0] != 4 || w->dims[1] != 16 ||
        w->dims[2] != 1 || last->conv.stride != 1)
        return false;
    p->values[node->outputs[0]] = (struct vsm_cuda_planner_value){.place = VSM_CUDA_PLANNER_MATTE,
                                                                  .channels = 4,
                                                                  .height = x->height,
                                                                  .width = x->width};
    p->plan->matte =
        vsm_cuda_planner_take(p, vsm_cuda_planner_pixels(p, x->height, x->width) * 4 * sizeof(float));
    last->conv.after = VSM_CUDA_AFTER_PROJECT;
    last->conv.out.data = NULL;
    last->conv.out32 = p->plan->matte;
    last->conv.project = vsm_cuda_planner_upload(p, w->data, vsm_tensor_bytes(w));
    last->conv.project_bias = vsm_cuda_planner_upload(p, bias ? bias->data : no_bias, sizeof(no_bias));
    last->bytes -= (double)vsm_cuda_planner_pixels(p, x->height, x->width) * 16;
    return true;
}

/* The channels of all parts; conv takes the size of the largest. -1: refused. */
static int64_t count_parts(struct vsm_cuda_planner *p, const struct vsm_graph_node *node,
                           struct vsm_cuda_conv *conv)
{
    const struct vsm_attr *counts = vsm_cuda_planner_attribute(node, "counts"),
                          *firsts = vsm_cuda_planner_attribute(node, "firsts");
    const size_t parts = node->input_count - VSM_FUSED_FIRST_PART;
    int64_t channels = 0;

    if (node->input_count <= VSM_FUSED_FIRST_PART || parts > VSM_FUSED_MAX_PARTS || !counts || !firsts ||
        counts->count != parts || firsts->count != parts || node->output_count > 2) {
        vsm_cuda_planner_refuse(p, node, "has no parts");
        return -1;
    }
    for (size_t i = 0; i < parts; i++) {
        const struct vsm_cuda_planner_value *part = vsm_cuda_planner_input(p, node, VSM_FUSED_FIRST_PART + i);

        channels += counts->ints[i];
        if (part && part->height > conv->height) {
            conv->height = part->height;
            conv->width = part->width;
        }
    }
    return channels;
}

static bool is_vector_of(const struct vsm_cuda_planner_value *value, int channels)
{
    return value->place == VSM_CUDA_PLANNER_VECTOR && value->parts == 1 && value->channels == channels;
}

/* A convolution of maps, with what is done to its weights before and to its result. */
static void plan_maps(struct vsm_cuda_planner *p, const struct vsm_graph_node *node,
                      struct vsm_cuda_conv conv, struct layout *l)
{
    const struct vsm_tensor *w = vsm_cuda_planner_weight(p, node, VSM_FUSED_WEIGHT),
                            *bias = vsm_cuda_planner_weight(p, node, VSM_FUSED_BIAS);
    const struct vsm_cuda_planner_value *residual = vsm_cuda_planner_input(p, node, VSM_FUSED_RESIDUAL),
                                        *gate = vsm_cuda_planner_input(p, node, VSM_FUSED_GATE),
                                        *squeeze = vsm_cuda_planner_input(p, node, VSM_FUSED_SQUEEZE);
    struct vsm_cuda_step *step;
    double bytes;

    conv.size = (int)w->dims[2];
    conv.act = vsm_cuda_planner_activation(p, node);
    conv.in[0] = join_parts(p, node, conv.height, conv.width, l);
    lay_out_halves(l, (int)w->dims[0], node->output_count == 2);
    pack_weights(p, w, bias, l, &conv);
    bytes = set_output(p, node, l, (int)w->dims[0], &conv);
    if (residual) {
        conv.residual = residual->view;
        bytes *= 2;
    }
    if ((gate && !is_vector_of(gate, l->out_padded)) ||
        (squeeze && !is_vector_of(squeeze, conv.in[0].channels)))
        vsm_cuda_planner_refuse(p, node, "has a gate of another size");
    conv.gate = gate ? gate->vector : NULL;
    if (squeeze)
        scale_weights(p, squeeze, &conv);
    step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_CONV);
    step->conv = conv;
    count_conv(p, step, w, bytes);
}

void vsm_cuda_plan_conv_add(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    const struct vsm_tensor *w = vsm_cuda_planner_weight(p, node, VSM_FUSED_WEIGHT),
                            *bias = vsm_cuda_planner_weight(p, node, VSM_FUSED_BIAS);
    struct vsm_cuda_conv conv = {.batch = p->plan->batch,
                                 .stride = vsm_cuda_planner_int_attribute(node, "stride", 1)};
    const int64_t channels = count_parts(p, node, &conv);
    struct layout *l;

    if (channels < 0)
        return;
    if (!weights_fit(w, bias, channels)) {
        vsm_cuda_planner_refuse(p, node, "has weights of another shape");
        return;
    }
    if (plan_projection(p, node, w, bias))
        return;
    if (vsm_cuda_planner_input(p, node, VSM_FUSED_FIRST_PART)->place == VSM_CUDA_PLANNER_VECTOR) {
        plan_dense(p, node);
        return;
    }
    l = vsm_mem_alloc("weights' layout", 1, sizeof(*l));
    if (l)
        plan_maps(p, node, conv, l);
    else
        p->status = VSM_E_NOMEM;
    vsm_mem_free(l);
}

static bool gru_fits(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    const struct vsm_cuda_planner_value *x = vsm_cuda_planner_input(p, node, 0),
                                        *h = vsm_cuda_planner_input(p, node, 1);

    return node->input_count == 6 && x && x->place == VSM_CUDA_PLANNER_MAP && h &&
           h->place == VSM_CUDA_PLANNER_STATE_IN && h->channels == x->channels && h->height == x->height &&
           h->width == x->width &&
           weights_fit(vsm_cuda_planner_weight(p, node, 2), vsm_cuda_planner_weight(p, node, 3),
                       2 * x->channels) &&
           weights_fit(vsm_cuda_planner_weight(p, node, 4), vsm_cuda_planner_weight(p, node, 5),
                       2 * x->channels);
}

/* Its two convolutions, of [x, h] and of [x, r * h], and what lies between them. */
struct gru {
    const struct vsm_cuda_planner_value *x, *h;
    struct vsm_cuda_view kept; /* r * h */
    void *update;
    double cells;
};

static void plan_gru_conv(struct vsm_cuda_planner *p, const struct vsm_graph_node *node,
                          const struct gru *gru, bool second, struct layout *l)
{
    const struct vsm_tensor *w = vsm_cuda_planner_weight(p, node, second ? 4 : 2);
    const struct vsm_cuda_plan_state *state = &p->plan->states[gru->h->state];
    const int channels = gru->x->channels, pad = gru->kept.channels;
    struct vsm_cuda_step *step = vsm_cuda_planner_add_step(p, VSM_CUDA_STEP_CONV);

    step->conv = (struct vsm_cuda_conv){
        .batch = p->plan->batch,
        .height = gru->x->height,
        .width = gru->x->width,
        .size = (int)w->dims[2],
        .stride = 1,
        .in = {gru->x->view, second ? gru->kept : state->half},
        .act = second ? VSM_CUDA_ACT_TANH : VSM_CUDA_ACT_SIGMOID,
        .after = second ? VSM_CUDA_AFTER_STATE : VSM_CUDA_AFTER_GATES,
        .out = second ? state->half : gru->kept,
        .state_channels = channels,
        .update = gru->update,
        .bad = p->plan->bad,
    };
    step->state = gru->h->state;
    lay_out_halves(l, (int)w->dims[0], !second);
    pack_weights(p, w, vsm_cuda_planner_weight(p, node, second ? 5 : 3), l, &step->conv);
    count_conv(p, step, w, gru->cells * (4.0 * channels * (second ? 2 : 1) + 2.0 * pad * 2));
}

/* Gates of [x, h] make r * h and the update; the candidate of [x, r * h] makes the new state. */
void vsm_cuda_plan_conv_add_gru(struct vsm_cuda_planner *p, const struct vsm_graph_node *node)
{
    struct gru gru = {.x = vsm_cuda_planner_input(p, node, 0), .h = vsm_cuda_planner_input(p, node, 1)};
    struct layout *l;
    int channels, pad;

    if (!gru_fits(p, node)) {
        vsm_cuda_planner_refuse(p, node, "has a state or weights of another shape");
        return;
    }
    l = vsm_mem_alloc("weights' layout", 1, sizeof(*l));
    if (!l) {
        p->status = VSM_E_NOMEM;
        return;
    }
    channels = gru.x->channels;
    pad = vsm_cuda_planner_padded(channels);
    gru.cells = (double)vsm_cuda_planner_pixels(p, gru.x->height, gru.x->width);
    gru.kept = (struct vsm_cuda_view){vsm_cuda_planner_take_passing(p, 2 * (size_t)gru.cells * (size_t)pad),
                                      pad, pad};
    gru.update = vsm_cuda_planner_take_passing(p, 2 * (size_t)gru.cells * (size_t)pad);
    l->in_padded = 2 * pad;
    for (int c = 0; c < 2 * channels; c++)
        l->in_at[c] = c < channels ? c : pad + c - channels;
    plan_gru_conv(p, node, &gru, false, l);
    plan_gru_conv(p, node, &gru, true, l);
    p->values[node->outputs[0]] = (struct vsm_cuda_planner_value){.place = VSM_CUDA_PLANNER_MAP,
                                                                  .channels = channels,
                                                                  .height = gru.x->height,
                                                                  .width = gru.x->width,
                                                                  .view = p->plan->states[gru.h->state].half};
    vsm_mem_free(l);
}
