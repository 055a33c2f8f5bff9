#include "nn/cuda_plan.h"

#include "base/mem.h"
#include "cuda/dense.h"
#include "nn/cuda_arena.h"
#include "nn/fused.h"

#include <stdio.h>
#include <string.h>

enum place { NOWHERE, SOURCE, WEIGHT, STATE_IN, MAP, VECTOR, MATTE };

struct value {
    enum place place;
    int channels, height, width; /* without padding */
    struct vsm_cuda_view view;   /* MAP */
    float *vector;               /* VECTOR: [parts][channels] for each image, to be added */
    int parts;
    int state;
};

struct planner {
    struct vsm_cuda_plan *plan;
    const struct vsm_graph *graph;
    struct value *values;
    struct vsm_cuda_arena arena; /* of what lives within one run */
    int status;
    struct vsm_cuda_step spare; /* written after a failure, never read */
};

static int padded(int channels)
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
static void *take(struct planner *p, size_t bytes)
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
static void *take_passing(struct planner *p, size_t bytes)
{
    void *block = p->status ? NULL : vsm_cuda_arena_take(&p->arena, bytes);

    if (!p->status && !block)
        p->status = VSM_E_NOMEM;
    return block;
}

static void *upload(struct planner *p, const void *from, size_t bytes)
{
    void *to = take(p, bytes);

    if (to)
        p->status = vsm_cuda_copy(to, from, bytes, NULL);
    if (to && !p->status)
        p->status = vsm_cuda_stream_wait(NULL);
    return to;
}

static void refuse(struct planner *p, const struct vsm_graph_node *node, const char *why)
{
    if (!p->status)
        p->status = vsm_fail(VSM_E_MODEL, "graph %s: operator %s %s; the CUDA back end cannot run it",
                             p->graph->name, node->op, why);
}

static struct vsm_cuda_step *add_step(struct planner *p, enum vsm_cuda_step_kind kind)
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

static const struct vsm_attr *attribute(const struct vsm_graph_node *node, const char *name)
{
    for (size_t i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    return NULL;
}

static int int_attribute(const struct vsm_graph_node *node, const char *name, int otherwise)
{
    const struct vsm_attr *attr = attribute(node, name);

    return attr ? (int)attr->i : otherwise;
}

static struct value *input(struct planner *p, const struct vsm_graph_node *node, size_t index)
{
    if (index >= node->input_count || node->inputs[index] == VSM_VALUE_NONE)
        return NULL;
    return &p->values[node->inputs[index]];
}

static const struct vsm_tensor *weight(const struct planner *p, const struct vsm_graph_node *node,
                                       size_t index)
{
    if (index >= node->input_count || node->inputs[index] == VSM_VALUE_NONE)
        return NULL;
    return p->graph->values[node->inputs[index]].weight;
}

static size_t pixels(const struct planner *p, int height, int width)
{
    return (size_t)p->plan->batch * (size_t)height * (size_t)width;
}

/* A new map as the node's output. */
static struct vsm_cuda_view make_map(struct planner *p, const struct vsm_graph_node *node, int channels,
                                     int height, int width)
{
    struct value *out = &p->values[node->outputs[0]];
    const int pitch = padded(channels);

    *out = (struct value){.place = MAP, .channels = channels, .height = height, .width = width};
    out->view =
        (struct vsm_cuda_view){take_passing(p, 2 * pixels(p, height, width) * (size_t)pitch), pitch, pitch};
    return out->view;
}

static void plan_image(struct planner *p, const struct vsm_graph_node *node)
{
    struct vsm_cuda_step *step = add_step(p, VSM_CUDA_STEP_IMAGE);
    const struct vsm_tensor *mean = weight(p, node, 1), *gain = weight(p, node, 2);

    if (!mean || !gain || vsm_tensor_count(mean) != 3 || vsm_tensor_count(gain) != 3) {
        refuse(p, node, "has no three means and gains");
        return;
    }
    memcpy(step->mean, mean->data, sizeof(step->mean));
    memcpy(step->gain, gain->data, sizeof(step->gain));
    step->height = p->plan->height;
    step->width = p->plan->width;
    step->out = make_map(p, node, 6, step->height, step->width);
    step->bytes = (double)pixels(p, step->height, step->width) * (12 + 16);
    snprintf(step->name, sizeof(step->name), "image");
}

static void plan_halve(struct planner *p, const struct vsm_graph_node *node)
{
    const struct value *x = input(p, node, 0);
    struct vsm_cuda_step *step = add_step(p, VSM_CUDA_STEP_HALVE);

    if (!x || x->place != MAP || x->height % 2 || x->width % 2) {
        refuse(p, node, "has an odd size");
        return;
    }
    step->in[0] = x->view;
    step->height = x->height;
    step->width = x->width;
    step->out = make_map(p, node, x->channels, x->height / 2, x->width / 2);
    step->bytes = (double)pixels(p, x->height, x->width) * 16 * 1.25;
    snprintf(step->name, sizeof(step->name), "halve %dx%d", x->width, x->height);
}

static void plan_mean(struct planner *p, const struct vsm_graph_node *node)
{
    const struct value *x = input(p, node, 0);
    struct value *out = &p->values[node->outputs[0]];
    struct vsm_cuda_step *step = add_step(p, VSM_CUDA_STEP_MEAN);

    if (!x || x->place != MAP || x->channels % 8) {
        refuse(p, node, "is not over a map of whole blocks of channels");
        return;
    }
    *out = (struct value){.place = VECTOR, .channels = x->channels, .parts = VSM_CUDA_MEAN_PARTS};
    out->vector =
        take_passing(p, (size_t)p->plan->batch * VSM_CUDA_MEAN_PARTS * (size_t)x->channels * sizeof(float));
    step->in[0] = x->view;
    step->height = x->height;
    step->width = x->width;
    step->to = out->vector;
    step->bytes = (double)pixels(p, x->height, x->width) * 2 * x->channels;
    snprintf(step->name, sizeof(step->name), "mean %d", x->channels);
}

static void plan_dense(struct planner *p, const struct vsm_graph_node *node)
{
    const struct value *x = input(p, node, VSM_FUSED_FIRST_PART);
    const struct vsm_tensor *w = weight(p, node, VSM_FUSED_WEIGHT), *bias = weight(p, node, VSM_FUSED_BIAS);
    struct value *out = &p->values[node->outputs[0]];
    struct vsm_cuda_step *step = add_step(p, VSM_CUDA_STEP_DENSE);

    if (w->dims[1] != x->channels || w->dims[2] != 1 || w->dims[3] != 1) {
        refuse(p, node, "on a vector does not fit it");
        return;
    }
    *out = (struct value){.place = VECTOR, .channels = (int)w->dims[0], .parts = 1};
    out->vector = take_passing(p, (size_t)p->plan->batch * (size_t)w->dims[0] * sizeof(float));
    step->from = x->vector;
    step->parts = x->parts;
    step->channels = x->channels;
    step->outputs = out->channels;
    step->weights = upload(p, w->data, vsm_tensor_bytes(w));
    step->bias = bias ? upload(p, bias->data, vsm_tensor_bytes(bias)) : NULL;
    step->act = (enum vsm_cuda_act)int_attribute(node, "activation", 0);
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

    l->out_padded = (halves ? 2 : 1) * padded(half);
    for (int o = 0; o < channels; o++)
        l->out_at[o] = o < half ? o : padded(half) + o - half;
}

static void pack_weights(struct planner *p, const struct vsm_tensor *w, const struct vsm_tensor *bias,
                         const struct layout *l, struct vsm_cuda_conv *conv)
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
        conv->weights = upload(p, packed, bytes);
        conv->bias = upload(p, biases, (size_t)l->out_padded * sizeof(float));
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

static void count_conv(struct planner *p, struct vsm_cuda_step *step, const struct vsm_tensor *w,
                       double bytes)
{
    const struct vsm_cuda_conv *c = &step->conv;
    const double out_pixels = (double)pixels(p, c->height / c->stride, c->width / c->stride);

    step->bytes = bytes +
                  (double)pixels(p, c->height, c->width) * 2 * (c->in[0].channels + c->in[1].channels) +
                  (double)vsm_tensor_count(w) * 2;
    step->flops = 2 * out_pixels * (double)vsm_tensor_count(w);
    snprintf(step->name, sizeof(step->name), "conv %dx%d %d-%d /%d at %dx%d", c->size, c->size,
             (int)w->dims[1], (int)w->dims[0], c->stride, c->width, c->height);
}

/* All parts in one map, or the only part itself. */
static struct vsm_cuda_view join_parts(struct planner *p, const struct vsm_graph_node *node, int height,
                                       int width, struct layout *l)
{
    const struct vsm_attr *firsts = attribute(node, "firsts"), *counts = attribute(node, "counts");
    const int count = (int)node->input_count - VSM_FUSED_FIRST_PART;
    struct vsm_cuda_view views[VSM_FUSED_MAX_PARTS], joined = {0};
    int doubled[VSM_FUSED_MAX_PARTS], at = 0;
    struct vsm_cuda_step *step;
    double read = 0;

    l->in_padded = 0;
    for (int i = 0; i < count; i++) {
        const struct value *part = input(p, node, (size_t)(VSM_FUSED_FIRST_PART + i));

        views[i] = part->view;
        doubled[i] = part->height != height;
        if (part->place != MAP || (doubled[i] && (2 * part->height != height || 2 * part->width != width)) ||
            firsts->ints[i] + counts->ints[i] > part->channels)
            refuse(p, node, "has a part that does not fit");
        for (int c = 0; c < (int)counts->ints[i] && at < 1024; c++)
            l->in_at[at++] = l->in_padded + (int)firsts->ints[i] + c;
        l->in_padded += views[i].channels;
        read += (double)pixels(p, part->height, part->width) * 2 * views[i].channels;
    }
    if (count == 1 && !doubled[0])
        return views[0];
    joined = (struct vsm_cuda_view){take_passing(p, 2 * pixels(p, height, width) * (size_t)l->in_padded),
                                    l->in_padded, l->in_padded};
    step = add_step(p, VSM_CUDA_STEP_JOIN);
    memcpy(step->in, views, (size_t)count * sizeof(*views));
    memcpy(step->doubled, doubled, (size_t)count * sizeof(*doubled));
    step->count = count;
    step->height = height;
    step->width = width;
    step->out = joined;
    step->bytes = read + (double)pixels(p, height, width) * 2 * l->in_padded;
    snprintf(step->name, sizeof(step->name), "join %d at %dx%d", l->in_padded, width, height);
    return joined;
}

static void scale_weights(struct planner *p, const struct value *squeeze, struct vsm_cuda_conv *conv)
{
    struct vsm_cuda_step *step = add_step(p, VSM_CUDA_STEP_SCALE);
    const size_t bytes = vsm_cuda_conv_weight_bytes(1, conv->in[0].channels, conv->out_channels);

    step->packed = conv->weights;
    step->channels = conv->in[0].channels;
    step->outputs = conv->out_channels;
    step->from = squeeze->vector;
    step->scaled = take_passing(p, bytes * (size_t)p->plan->batch);
    conv->weights = step->scaled;
    conv->weights_step = bytes;
    step->bytes = 3 * (double)bytes;
    snprintf(step->name, sizeof(step->name), "scale %d-%d", step->channels, step->outputs);
}

static bool is_matte(const struct planner *p, vsm_value value)
{
    for (size_t i = 0; i < p->graph->output_count; i++)
        if (p->graph->outputs[i].value == value)
            return strcmp(p->graph->outputs[i].name, "matte") == 0;
    return false;
}

static void set_halves(struct planner *p, const struct vsm_graph_node *node, int channels)
{
    struct value *first = &p->values[node->outputs[0]], *second = &p->values[node->outputs[1]];
    const int half = padded(channels / 2);

    *second = *first;
    first->channels = second->channels = channels / 2;
    first->view.channels = second->view.channels = half;
    if (first->view.data)
        second->view.data = (char *)first->view.data + 2 * half;
}

/* Where the result goes. */
static double set_output(struct planner *p, const struct vsm_graph_node *node, const struct layout *l,
                         int channels, struct vsm_cuda_conv *conv)
{
    const int height = conv->height / conv->stride, width = conv->width / conv->stride;
    struct value *out = &p->values[node->outputs[0]];

    if (is_matte(p, node->outputs[0])) {
        *out = (struct value){.place = MATTE, .channels = channels, .height = height, .width = width};
        p->plan->matte = take(p, pixels(p, height, width) * 4 * sizeof(float));
        conv->after = VSM_CUDA_AFTER_FLOAT;
        conv->out32 = p->plan->matte;
        if (channels != 4)
            refuse(p, node, "makes a matte without four channels");
        return (double)pixels(p, height, width) * 16;
    }
    *out = (struct value){.place = MAP, .channels = channels, .height = height, .width = width};
    out->view = (struct vsm_cuda_view){take_passing(p, 2 * pixels(p, height, width) * (size_t)l->out_padded),
                                       l->out_padded, l->out_padded};
    conv->out = out->view;
    if (node->output_count == 2)
        set_halves(p, node, channels);
    return (double)pixels(p, height, width) * 2 * l->out_padded;
}

/* The matte's 1x1 convolution of 16 channels is done by the convolution that makes them, while they are in registers.
 * Whoever else reads those channels would miss them: in RVM nobody does. */
static bool plan_projection(struct planner *p, const struct vsm_graph_node *node, const struct vsm_tensor *w,
                            const struct vsm_tensor *bias)
{
    const struct value *x = input(p, node, VSM_FUSED_FIRST_PART);
    struct vsm_cuda_step *last = p->plan->step_count ? &p->plan->steps[p->plan->step_count - 1] : NULL;
    static const float no_bias[4];

    if (!is_matte(p, node->outputs[0]) || !last || last->kind != VSM_CUDA_STEP_CONV || x->place != MAP ||
        last->conv.out.data != x->view.data || last->conv.after != VSM_CUDA_AFTER_STORE || last->conv.gate ||
        last->conv.residual.data || x->channels != 16 || last->conv.out_channels != 16 || w->dims[0] != 4 ||
        w->dims[1] != 16 || w->dims[2] != 1 || last->conv.stride != 1)
        return false;
    p->values[node->outputs[0]] =
        (struct value){.place = MATTE, .channels = 4, .height = x->height, .width = x->width};
    p->plan->matte = take(p, pixels(p, x->height, x->width) * 4 * sizeof(float));
    last->conv.after = VSM_CUDA_AFTER_PROJECT;
    last->conv.out.data = NULL;
    last->conv.out32 = p->plan->matte;
    last->conv.project = upload(p, w->data, vsm_tensor_bytes(w));
    last->conv.project_bias = upload(p, bias ? bias->data : no_bias, sizeof(no_bias));
    last->bytes -= (double)pixels(p, x->height, x->width) * 16;
    return true;
}

static void plan_conv(struct planner *p, const struct vsm_graph_node *node)
{
    const struct vsm_tensor *w = weight(p, node, VSM_FUSED_WEIGHT), *bias = weight(p, node, VSM_FUSED_BIAS);
    const struct vsm_attr *counts = attribute(node, "counts"), *firsts = attribute(node, "firsts");
    const struct value *residual = input(p, node, VSM_FUSED_RESIDUAL), *gate = input(p, node, VSM_FUSED_GATE),
                       *squeeze = input(p, node, VSM_FUSED_SQUEEZE);
    const size_t parts = node->input_count - VSM_FUSED_FIRST_PART;
    struct vsm_cuda_conv conv = {.batch = p->plan->batch, .stride = int_attribute(node, "stride", 1)};
    struct vsm_cuda_step *step;
    struct layout *l;
    int64_t ins = 0;
    double bytes;

    if (node->input_count <= VSM_FUSED_FIRST_PART || parts > VSM_FUSED_MAX_PARTS || !counts || !firsts ||
        counts->count != parts || firsts->count != parts || node->output_count > 2) {
        refuse(p, node, "has no parts");
        return;
    }
    for (size_t i = 0; i < parts; i++) {
        const struct value *part = input(p, node, VSM_FUSED_FIRST_PART + i);

        ins += counts->ints[i];
        if (part && part->height > conv.height) {
            conv.height = part->height;
            conv.width = part->width;
        }
    }
    if (!weights_fit(w, bias, ins)) {
        refuse(p, node, "has weights of another shape");
        return;
    }
    if (plan_projection(p, node, w, bias))
        return;
    if (input(p, node, VSM_FUSED_FIRST_PART)->place == VECTOR) {
        plan_dense(p, node);
        return;
    }
    l = vsm_mem_alloc("weights' layout", 1, sizeof(*l));
    if (!l) {
        p->status = VSM_E_NOMEM;
        return;
    }
    conv.size = (int)w->dims[2];
    conv.act = (enum vsm_cuda_act)int_attribute(node, "activation", 0);
    conv.in[0] = join_parts(p, node, conv.height, conv.width, l);
    lay_out_halves(l, (int)w->dims[0], node->output_count == 2);
    pack_weights(p, w, bias, l, &conv);
    bytes = set_output(p, node, l, (int)w->dims[0], &conv);
    if (residual) {
        conv.residual = residual->view;
        bytes *= 2;
    }
    if ((gate && (gate->place != VECTOR || gate->parts != 1 || gate->channels != l->out_padded)) ||
        (squeeze &&
         (squeeze->place != VECTOR || squeeze->parts != 1 || squeeze->channels != conv.in[0].channels)))
        refuse(p, node, "has a gate of another size");
    conv.gate = gate ? gate->vector : NULL;
    if (squeeze)
        scale_weights(p, squeeze, &conv);
    step = add_step(p, VSM_CUDA_STEP_CONV);
    step->conv = conv;
    count_conv(p, step, w, bytes);
    vsm_mem_free(l);
}

static void plan_depthwise(struct planner *p, const struct vsm_graph_node *node)
{
    const struct vsm_tensor *w = weight(p, node, 1), *bias = weight(p, node, 2);
    const struct value *x = input(p, node, 0);
    struct vsm_cuda_step *step = add_step(p, VSM_CUDA_STEP_DEPTHWISE);
    struct vsm_cuda_depthwise *d = &step->depthwise;
    const int stride = int_attribute(node, "stride", 1);
    float *turned;
    int taps;

    if (!x || x->place != MAP || x->channels % 8 || !w || !bias || w->dims[0] != x->channels ||
        vsm_tensor_count(bias) != x->channels) {
        refuse(p, node, "has weights of another shape");
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
        .dilation = int_attribute(node, "dilation", 1),
        .in = x->view,
        .weights = upload(p, turned, (size_t)taps * (size_t)x->channels * sizeof(float)),
        .bias = upload(p, bias->data, vsm_tensor_bytes(bias)),
        .act = (enum vsm_cuda_act)int_attribute(node, "activation", 0),
    };
    vsm_mem_free(turned);
    d->out = make_map(p, node, x->channels, x->height / stride, x->width / stride);
    step->bytes = (double)pixels(p, x->height, x->width) * 2 * x->channels * (1 + 1.0 / (stride * stride));
    step->flops = 2.0 * taps * x->channels * (double)pixels(p, x->height / stride, x->width / stride);
    snprintf(step->name, sizeof(step->name), "depthwise %dx%d %d /%d at %dx%d", d->size, d->size, x->channels,
             stride, x->width, x->height);
}

/* Gates of [x, h] make r * h and the update; the candidate of [x, r * h] makes the new state. */
static void plan_gru(struct planner *p, const struct vsm_graph_node *node)
{
    const struct value *x = input(p, node, 0), *h = input(p, node, 1);
    struct layout *l = vsm_mem_alloc("weights' layout", 1, sizeof(*l));
    struct vsm_cuda_plan_state *state;
    struct vsm_cuda_view kept;
    void *update;
    int channels, pad;
    double cells;

    if (!l) {
        p->status = VSM_E_NOMEM;
        return;
    }
    if (node->input_count != 6 || !x || x->place != MAP || !h || h->place != STATE_IN ||
        h->channels != x->channels || h->height != x->height || h->width != x->width ||
        !weights_fit(weight(p, node, 2), weight(p, node, 3), 2 * x->channels) ||
        !weights_fit(weight(p, node, 4), weight(p, node, 5), 2 * x->channels)) {
        refuse(p, node, "has a state or weights of another shape");
        vsm_mem_free(l);
        return;
    }
    state = &p->plan->states[h->state];
    channels = x->channels;
    pad = padded(channels);
    cells = (double)pixels(p, x->height, x->width);
    kept = (struct vsm_cuda_view){take_passing(p, 2 * (size_t)cells * (size_t)pad), pad, pad};
    update = take_passing(p, 2 * (size_t)cells * (size_t)pad);
    l->in_padded = 2 * pad;
    for (int c = 0; c < 2 * channels; c++)
        l->in_at[c] = c < channels ? c : pad + c - channels;
    for (int second = 0; second < 2; second++) {
        const struct vsm_tensor *w = weight(p, node, second ? 4 : 2);
        struct vsm_cuda_step *step = add_step(p, VSM_CUDA_STEP_CONV);
        struct vsm_cuda_conv *c = &step->conv;

        *c = (struct vsm_cuda_conv){
            .batch = p->plan->batch,
            .height = x->height,
            .width = x->width,
            .size = (int)w->dims[2],
            .stride = 1,
            .in = {x->view, second ? kept : state->half},
            .act = second ? VSM_CUDA_ACT_TANH : VSM_CUDA_ACT_SIGMOID,
            .after = second ? VSM_CUDA_AFTER_STATE : VSM_CUDA_AFTER_GATES,
            .out = second ? state->half : kept,
            .state_channels = channels,
            .update = update,
            .bad = p->plan->bad,
        };
        step->state = h->state;
        lay_out_halves(l, (int)w->dims[0], !second);
        pack_weights(p, w, weight(p, node, second ? 5 : 3), l, c);
        count_conv(p, step, w, cells * (4.0 * channels * (second ? 2 : 1) + 2.0 * pad * 2));
    }
    p->values[node->outputs[0]] = (struct value){
        .place = MAP, .channels = channels, .height = x->height, .width = x->width, .view = state->half};
    vsm_mem_free(l);
}

static void plan_fit(struct planner *p, const struct vsm_graph_node *node)
{
    const struct value *matte = input(p, node, 1);
    const struct vsm_attr *eps = attribute(node, "eps");
    struct vsm_cuda_step *step = add_step(p, VSM_CUDA_STEP_FIT);

    if (!matte || matte->place != MATTE || !eps) {
        refuse(p, node, "has no matte");
        return;
    }
    step->height = matte->height;
    step->width = matte->width;
    step->eps = eps->f;
    p->plan->fit = take(p, pixels(p, matte->height, matte->width) * 8 * sizeof(float));
    step->bytes = (double)pixels(p, matte->height, matte->width) * (12 + 16 + 32);
    snprintf(step->name, sizeof(step->name), "fit");
}

static void plan_node(struct planner *p, const struct vsm_graph_node *node)
{
    static const struct {
        const char *op;
        void (*plan)(struct planner *, const struct vsm_graph_node *);
    } kinds[] = {
        {VSM_FUSED_IMAGE, plan_image}, {VSM_FUSED_HALVE, plan_halve},         {VSM_FUSED_MEAN, plan_mean},
        {VSM_FUSED_CONV, plan_conv},   {VSM_FUSED_DEPTHWISE, plan_depthwise}, {VSM_FUSED_GRU, plan_gru},
        {VSM_FUSED_FIT, plan_fit},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(node->op, kinds[i].op) == 0) {
            kinds[i].plan(p, node);
            return;
        }
    refuse(p, node, "is not known");
}

static void plan_ports(struct planner *p)
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
    plan->source = take(p, pixels(p, plan->height, plan->width) * 3 * sizeof(float));
    plan->bad = take(p, (size_t)plan->batch * sizeof(int));
    p->values[source->value] = (struct value){.place = SOURCE, .channels = 3};
    for (size_t i = 1; i < p->graph->input_count && !p->status; i++) {
        const struct vsm_graph_port *port = &p->graph->inputs[i];
        struct vsm_cuda_plan_state *state = &plan->states[plan->state_count];
        const int channels = (int)port->dims[1], height = (int)port->dims[2], width = (int)port->dims[3];
        const size_t cells = pixels(p, height, width);

        state->channels = channels;
        state->height = height;
        state->width = width;
        for (int side = 0; side < 2; side++)
            state->sides[side] = take(p, cells * (size_t)channels * sizeof(float));
        state->half = (struct vsm_cuda_view){take(p, 2 * cells * (size_t)padded(channels)), padded(channels),
                                             padded(channels)};
        p->values[port->value] = (struct value){.place = STATE_IN,
                                                .channels = channels,
                                                .height = height,
                                                .width = width,
                                                .state = plan->state_count++};
    }
}

static void place_passing(struct planner *p)
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

int vsm_cuda_plan_init(struct vsm_cuda_plan *plan, const struct vsm_graph *graph)
{
    struct planner p = {.plan = plan, .graph = graph};

    *plan = (struct vsm_cuda_plan){0};
    p.values = vsm_mem_alloc("CUDA plan", graph->value_count, sizeof(*p.values));
    if (!p.values)
        return VSM_E_NOMEM;
    plan_ports(&p);
    for (size_t i = 0; i < graph->node_count && !p.status; i++)
        plan_node(&p, &graph->nodes[i]);
    if (!p.status && !plan->fit)
        p.status =
            vsm_fail(VSM_E_MODEL, "graph %s: no coefficients; the CUDA back end cannot run it", graph->name);
    if (!p.status)
        place_passing(&p);
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
