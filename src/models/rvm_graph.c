#include "models/rvm_graph.h"

#include "base/mem.h"
#include "models/rvm.h"
#include "nn/fused.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define OPSET 17

/* Guided filter's regulariser, as trained (float32 of 1e-5). */
#define GUIDED_EPS 1e-5f

#define NETWORK         "StatefulPartitionedCall/matting_network_wrapper/StatefulPartitionedCall/"
#define NAME_MAX_LENGTH 320

const int vsm_rvm_graph_state_channels[VSM_RVM_LEVELS] = {16, 20, 40, 64};

enum activation {
    ACT_NONE = VSM_FUSED_NONE,
    ACT_RELU = VSM_FUSED_RELU,
    ACT_HARDSWISH = VSM_FUSED_HARDSWISH,
    ACT_SIGMOID = VSM_FUSED_SIGMOID,
    ACT_TANH = VSM_FUSED_TANH,
    ACT_HARDSIGMOID = VSM_FUSED_HARDSIGMOID,
};

/* One inverted residual block of the backbone. */
struct block {
    int kernel, expanded, out;
    int squeezed; /* channels between the two layers of squeeze and excite, 0 = none */
    enum activation activation;
    int stride, dilation;
};

static const struct block blocks[] = {
    {3, 16, 16, 0, ACT_RELU, 1, 1},          {3, 64, 24, 0, ACT_RELU, 2, 1},
    {3, 72, 24, 0, ACT_RELU, 1, 1},          {5, 72, 40, 24, ACT_RELU, 2, 1},
    {5, 120, 40, 32, ACT_RELU, 1, 1},        {5, 120, 40, 32, ACT_RELU, 1, 1},
    {3, 240, 80, 0, ACT_HARDSWISH, 2, 1},    {3, 200, 80, 0, ACT_HARDSWISH, 1, 1},
    {3, 184, 80, 0, ACT_HARDSWISH, 1, 1},    {3, 184, 80, 0, ACT_HARDSWISH, 1, 1},
    {3, 480, 112, 120, ACT_HARDSWISH, 1, 1}, {3, 672, 112, 168, ACT_HARDSWISH, 1, 1},
    {5, 672, 160, 168, ACT_HARDSWISH, 1, 2}, {5, 960, 160, 240, ACT_HARDSWISH, 1, 2},
    {5, 960, 160, 240, ACT_HARDSWISH, 1, 2},
};

#define BLOCKS (sizeof(blocks) / sizeof(blocks[0]))

/* Blocks whose results the decoder takes, at levels 1, 2 and 3. */
static const size_t skip_blocks[] = {0, 2, 5};

struct builder {
    struct vsm_graph *graph;
    const struct vsm_tfjs *weights;
    int width[VSM_RVM_LEVELS + 1], height[VSM_RVM_LEVELS + 1];
    int batch;
    bool fused; /* operators of nn/fused.h instead of ONNX's */
    /* The converter numbered layers of a kind in the order of the network. */
    int conv, depthwise, conv_bn, squeeze;
};

/* Which part of a convolution's weights one node uses. */
struct part {
    vsm_value input;
    int64_t from, count; /* input channels */
    int low_height,
        height; /* other than 0: rows of a band of level 1 and of the grid, to which it is enlarged
                             * just before its convolution, which needs less memory at a time */
};

#define MAX_PARTS 4

struct conv {
    char kernel[NAME_MAX_LENGTH], bias[NAME_MAX_LENGTH]; /* names; bias "" = none */
    int64_t out_from, out_count;                         /* output channels; count 0 = all */
    int stride, dilation;
    enum activation activation;
    /* Fused graphs only: */
    vsm_value residual, gate, squeeze; /* VSM_VALUE_NONE = none */
    int64_t first;                     /* channel of a single part at which its channels begin */
};

int vsm_rvm_graph_level(int size, int level)
{
    for (int i = 0; i < level; i++)
        size = (size + 1) / 2;
    return size;
}

static struct vsm_tensor *load(struct builder *b, const char *name, int rank)
{
    struct vsm_tensor *tensor;
    int status;

    if (vsm_graph_status(b->graph))
        return NULL;
    tensor = vsm_tfjs_tensor(b->weights, name, &status);
    if (tensor && (tensor->dtype != VSM_F32 || tensor->rank != rank)) {
        status = vsm_fail(VSM_E_MODEL, "tensor \"%s\": not %d-dimensional float32; it is another model", name,
                          rank);
        vsm_tensor_unref(&tensor);
    }
    vsm_graph_fail(b->graph, status);
    return tensor;
}

/* Adds a tensor to the graph and gives it up. */
static vsm_value add_weight(struct builder *b, struct vsm_tensor *tensor)
{
    vsm_value value;

    if (!tensor) {
        vsm_graph_fail(b->graph, VSM_E_NOMEM);
        return VSM_VALUE_NONE;
    }
    value = vsm_graph_weight_tensor(b->graph, tensor);
    vsm_tensor_unref(&tensor);
    return value;
}

static bool check_part(struct builder *b, const char *name, int64_t from, int64_t count, int64_t channels)
{
    if (from >= 0 && count >= 0 && from + count <= channels)
        return true;
    vsm_graph_fail(b->graph,
                   vsm_fail(VSM_E_MODEL,
                            "tensor \"%s\": has %lld channels, %lld are wanted; it is another model", name,
                            (long long)channels, (long long)(from + count)));
    return false;
}

/* Height, width, input, output channels to output, input, height, width, keeping some of the channels. */
static vsm_value transpose_kernel(struct builder *b, const struct conv *c, const struct part *part,
                                  const struct vsm_tensor *hwio)
{
    const int64_t h = hwio->dims[0], w = hwio->dims[1], ins = hwio->dims[2], outs = hwio->dims[3];
    const int64_t out_count = c->out_count ? c->out_count : outs;
    struct vsm_tensor *oihw;
    float *to;

    if (!check_part(b, c->kernel, part->from, part->count, ins) ||
        !check_part(b, c->kernel, c->out_from, out_count, outs))
        return VSM_VALUE_NONE;
    oihw = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){out_count, part->count, h, w});
    if (!oihw)
        return add_weight(b, NULL);
    to = vsm_tensor_f32(oihw);
    for (int64_t o = 0; o < out_count; o++) {
        for (int64_t i = 0; i < part->count; i++) {
            for (int64_t p = 0; p < h * w; p++)
                *to++ = vsm_tensor_f32(hwio)[(p * ins + part->from + i) * outs + c->out_from + o];
        }
    }
    return add_weight(b, oihw);
}

static vsm_value load_bias(struct builder *b, const struct conv *c)
{
    struct vsm_tensor *all = load(b, c->bias, 1), *some;
    const int64_t count = all && !c->out_count ? all->dims[0] : c->out_count;

    if (!all)
        return VSM_VALUE_NONE;
    some = check_part(b, c->bias, c->out_from, count, all->dims[0])
               ? vsm_tensor_create(VSM_F32, 1, (const int64_t[]){count})
               : NULL;
    if (some)
        memcpy(some->data, vsm_tensor_f32(all) + c->out_from, (size_t)count * sizeof(float));
    vsm_tensor_unref(&all);
    return add_weight(b, some);
}

static vsm_value conv_node(struct builder *b, vsm_value input, vsm_value kernel, vsm_value bias, int size,
                           int stride, int dilation, int64_t groups)
{
    const int64_t pad = (size / 2) * dilation, pads[] = {pad, pad, pad, pad}, strides[] = {stride, stride};
    const int64_t dilations[] = {dilation, dilation};
    const struct vsm_attr attrs[] = {VSM_ATTR_IS("pads", pads, 4), VSM_ATTR_IS("strides", strides, 2),
                                     VSM_ATTR_IS("dilations", dilations, 2), VSM_ATTR_I("group", groups)};

    return vsm_graph_node(b->graph, "Conv", (const vsm_value[]){input, kernel, bias},
                          bias == VSM_VALUE_NONE ? 2 : 3, attrs, 4);
}

static vsm_value hard_sigmoid(struct builder *b, vsm_value x)
{
    const struct vsm_attr attrs[] = {VSM_ATTR_F("alpha", 1.0f / 6.0f), VSM_ATTR_F("beta", 0.5f)};

    return vsm_graph_node(b->graph, "HardSigmoid", &x, 1, attrs, 2);
}

static vsm_value activate(struct builder *b, vsm_value x, enum activation activation)
{
    switch (activation) {
    case ACT_RELU:
        return vsm_graph_op(b->graph, "Relu", x);
    case ACT_HARDSWISH:
        return vsm_graph_op(b->graph, "Mul", x, hard_sigmoid(b, x));
    case ACT_SIGMOID:
        return vsm_graph_op(b->graph, "Sigmoid", x);
    case ACT_TANH:
        return vsm_graph_op(b->graph, "Tanh", x);
    case ACT_HARDSIGMOID:
        return hard_sigmoid(b, x);
    case ACT_NONE:
        break;
    }
    return x;
}

/* Twice the size of low_width x low_height, then without the last row or column if that is one too many. */
static vsm_value enlarge(struct builder *b, vsm_value x, int low_width, int low_height, int width, int height)
{
    static const float scales[] = {1, 1, 2, 2};
    static const int64_t four = 4, starts[] = {0, 0}, axes[] = {2, 3};
    const int64_t ends[] = {height, width};
    const struct vsm_attr attrs[] = {VSM_ATTR_S("mode", "linear"),
                                     VSM_ATTR_S("coordinate_transformation_mode", "half_pixel")};
    vsm_value weights;

    if (b->fused)
        return x;
    weights = vsm_graph_weight_copy(b->graph, VSM_F32, 1, &four, scales);
    x = vsm_graph_node(b->graph, "Resize", (const vsm_value[]){x, VSM_VALUE_NONE, weights}, 3, attrs, 2);
    if (height == 2 * low_height && width == 2 * low_width)
        return x;
    return vsm_graph_op(b->graph, "Slice", x, vsm_graph_ints(b->graph, starts, 2),
                        vsm_graph_ints(b->graph, ends, 2), vsm_graph_ints(b->graph, axes, 2));
}

/* Blocks of the library's layout have 8 or 16 channels; other counts are padded. */
#define BLOCK 16

/* Brings channels that are not whole blocks into the blocked layout, where enlarging is cheap: a convolution that
 * copies. */
static vsm_value blocked_copy(struct builder *b, vsm_value x, int64_t channels)
{
    const int64_t dims[] = {channels, channels, 1, 1};
    struct vsm_tensor *identity = vsm_tensor_create(VSM_F32, 4, dims);

    for (int64_t i = 0; identity && i < channels; i++)
        vsm_tensor_f32(identity)[i * channels + i] = 1.0f;
    return conv_node(b, x, add_weight(b, identity), VSM_VALUE_NONE, 1, 1, 1, 1);
}

static vsm_value upsample(struct builder *b, vsm_value x, int64_t channels, int level)
{
    if (!b->fused && channels % BLOCK != 0)
        x = blocked_copy(b, x, channels);
    return enlarge(b, x, b->width[level + 1], b->height[level + 1], b->width[level], b->height[level]);
}

static void check_inputs(struct builder *b, const struct conv *c, const struct vsm_tensor *kernel,
                         int64_t channels)
{
    if (kernel && channels != kernel->dims[2])
        vsm_graph_fail(
            b->graph, vsm_fail(VSM_E_MODEL,
                               "tensor \"%s\": has %lld input channels, %lld are wanted; it is another model",
                               c->kernel, (long long)kernel->dims[2], (long long)channels));
}

/* The same as one node over all parts, and its `output_count` outputs. */
static void fused_conv(struct builder *b, const struct conv *c, const struct part *parts, size_t count,
                       vsm_value *outputs, size_t output_count)
{
    struct vsm_tensor *kernel = load(b, c->kernel, 4);
    vsm_value inputs[VSM_FUSED_FIRST_PART + MAX_PARTS];
    int64_t firsts[MAX_PARTS] = {0}, counts[MAX_PARTS], channels = 0;

    for (size_t i = 0; i < count; i++) {
        inputs[VSM_FUSED_FIRST_PART + i] = parts[i].input;
        counts[i] = parts[i].count;
        channels += parts[i].count;
    }
    firsts[0] = c->first;
    check_inputs(b, c, kernel, channels);
    if (kernel) {
        const struct part whole = {.count = channels};
        const struct vsm_attr attrs[] = {VSM_ATTR_I("stride", c->stride),
                                         VSM_ATTR_I("activation", c->activation),
                                         VSM_ATTR_IS("firsts", firsts, count),
                                         VSM_ATTR_IS("counts", counts, count)};

        inputs[VSM_FUSED_WEIGHT] = transpose_kernel(b, c, &whole, kernel);
        inputs[VSM_FUSED_BIAS] = c->bias[0] ? load_bias(b, c) : VSM_VALUE_NONE;
        inputs[VSM_FUSED_RESIDUAL] = c->residual;
        inputs[VSM_FUSED_GATE] = c->gate;
        inputs[VSM_FUSED_SQUEEZE] = c->squeeze;
        vsm_graph_node_multi(b->graph, VSM_FUSED_CONV, inputs, VSM_FUSED_FIRST_PART + count, attrs, 4,
                             outputs, output_count);
    }
    vsm_tensor_unref(&kernel);
}

/* A convolution over inputs that the network concatenates. A sum of convolutions needs no concatenated
 * copy, leaves each input in the blocked layout whatever its channel count, and the library adds in place.
 * The last part is made first, so that the library enlarges one input after the other and not all at once. */
static vsm_value conv_parts(struct builder *b, const struct conv *c, const struct part *parts, size_t count)
{
    vsm_value nodes[MAX_PARTS] = {VSM_VALUE_NONE}, sum = VSM_VALUE_NONE;
    struct vsm_tensor *kernel;
    int64_t channels = 0;

    if (b->fused) {
        fused_conv(b, c, parts, count, &sum, 1);
        return sum;
    }
    kernel = load(b, c->kernel, 4);
    for (size_t i = count; kernel && i-- > 0; channels += parts[i].count) {
        vsm_value weight = transpose_kernel(b, c, &parts[i], kernel);
        vsm_value bias = i == 0 && c->bias[0] ? load_bias(b, c) : VSM_VALUE_NONE;
        vsm_value input = parts[i].input;

        if (parts[i].height)
            input = enlarge(b, input, b->width[1], parts[i].low_height, b->width[0], parts[i].height);

        nodes[i] = conv_node(b, input, weight, bias, (int)kernel->dims[0], c->stride, c->dilation, 1);
    }
    check_inputs(b, c, kernel, channels);
    vsm_tensor_unref(&kernel);
    sum = nodes[0];
    for (size_t i = 1; i < count; i++)
        sum = vsm_graph_op(b->graph, "Add", sum, nodes[i]);
    return activate(b, sum, c->activation);
}

/* The next convolution of the network in the scope `path`. `folded` tells how the converter named it: with
 * batch normalisation folded in, or as the variables of a plain layer. */
static struct conv next_conv(struct builder *b, const char *path, bool folded, enum activation activation)
{
    struct conv c = {.stride = 1,
                     .dilation = 1,
                     .activation = activation,
                     .residual = VSM_VALUE_NONE,
                     .gate = VSM_VALUE_NONE,
                     .squeeze = VSM_VALUE_NONE};
    char layer[16];

    if (b->conv)
        snprintf(layer, sizeof(layer), "conv2d_%d", b->conv);
    else
        snprintf(layer, sizeof(layer), "conv2d");
    b->conv++;
    snprintf(c.kernel, sizeof(c.kernel), NETWORK "%s%s/%s", path, layer,
             folded ? "Conv2D_weights" : "Conv2D/ReadVariableOp");
    snprintf(c.bias, sizeof(c.bias), NETWORK "%s%s/%s", path, layer,
             folded ? "Conv2D_bn_offset" : "BiasAdd/ReadVariableOp");
    return c;
}

/* "name" for 0, "name_N" for others: how the converter numbers layers. */
static const char *numbered(char text[48], const char *name, int number)
{
    if (number)
        snprintf(text, 48, "%s_%d", name, number);
    else
        snprintf(text, 48, "%s", name);
    return text;
}

/* A 1x1 or strided convolution of the backbone with batch normalisation folded in. */
static struct conv next_conv_bn(struct builder *b, const char *scope, int stride, enum activation activation)
{
    char path[NAME_MAX_LENGTH / 2], layer[48];
    struct conv c;

    snprintf(path, sizeof(path), "mobile_net_v3_encoder/%s%s/", scope,
             numbered(layer, "conv_bn_activation", b->conv_bn++));
    c = next_conv(b, path, true, activation);
    c.stride = stride;
    return c;
}

static vsm_value conv_bn(struct builder *b, const char *scope, vsm_value x, int64_t channels, int stride,
                         enum activation activation)
{
    const struct conv c = next_conv_bn(b, scope, stride, activation);

    return conv_parts(b, &c, &(const struct part){x, 0, channels}, 1);
}

/* [h, w, C, 1] to [C, 1, h, w], times a factor for each channel if there is one. */
static vsm_value depthwise_kernel(struct builder *b, const struct vsm_tensor *hwc,
                                  const struct vsm_tensor *factor)
{
    const int64_t h = hwc->dims[0], w = hwc->dims[1], channels = hwc->dims[2];
    struct vsm_tensor *chw = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){channels, 1, h, w});

    for (int64_t c = 0; chw && c < channels; c++) {
        for (int64_t p = 0; p < h * w; p++)
            vsm_tensor_f32(chw)[c * h * w + p] =
                vsm_tensor_f32(hwc)[p * channels + c] * (factor ? vsm_tensor_f32(factor)[c] : 1.0f);
    }
    return add_weight(b, chw);
}

static bool has_shape(struct builder *b, const struct vsm_tensor *t, const char *name, int64_t first,
                      int64_t third)
{
    if (!t)
        return false;
    if (t->rank == 1 ? t->dims[0] == first
                     : t->dims[0] == first && t->dims[1] == first && t->dims[2] == third && t->dims[3] == 1)
        return true;
    vsm_graph_fail(b->graph,
                   vsm_fail(VSM_E_MODEL, "tensor \"%s\": unexpected shape; it is another model", name));
    return false;
}

/* Depthwise convolution. The dilated ones were converted without folding their batch normalisation. */
static vsm_value depthwise_bn(struct builder *b, const char *scope, vsm_value x, const struct block *block)
{
    char path[NAME_MAX_LENGTH / 2], layer[48], kernel_name[NAME_MAX_LENGTH], other[NAME_MAX_LENGTH];
    const bool folded = block->dilation == 1;
    struct vsm_tensor *kernel, *factor = NULL, *offset;
    vsm_value result = VSM_VALUE_NONE;

    snprintf(path, sizeof(path), "mobile_net_v3_encoder/%s%s/", scope,
             numbered(layer, "conv_bn_activation", b->conv_bn));
    snprintf(kernel_name, sizeof(kernel_name), NETWORK "%s%s/%s", path,
             numbered(layer, "depthwise_conv2d", b->depthwise++),
             folded ? "depthwise_weights" : "depthwise/ReadVariableOp");
    kernel = load(b, kernel_name, 4);
    snprintf(other, sizeof(other), NETWORK "%s%s/depthwise_bn_offset", path, layer);
    if (!folded) {
        snprintf(other, sizeof(other), NETWORK "%sbatch_normalization_%d/FusedBatchNormV3/Scaled", path,
                 b->conv_bn);
        factor = load(b, other, 1);
        snprintf(other, sizeof(other), NETWORK "%sbatch_normalization_%d/FusedBatchNormV3/Offset", path,
                 b->conv_bn);
    }
    b->conv_bn++;
    offset = load(b, other, 1);
    if (has_shape(b, kernel, kernel_name, block->kernel, block->expanded) &&
        (folded || has_shape(b, factor, other, block->expanded, 0)) &&
        has_shape(b, offset, other, block->expanded, 0)) {
        vsm_value weight = depthwise_kernel(b, kernel, factor),
                  bias = vsm_graph_weight_tensor(b->graph, offset);
        const struct vsm_attr attrs[] = {VSM_ATTR_I("stride", block->stride),
                                         VSM_ATTR_I("dilation", block->dilation),
                                         VSM_ATTR_I("activation", block->activation)};

        if (b->fused)
            result = vsm_graph_node(b->graph, VSM_FUSED_DEPTHWISE, (const vsm_value[]){x, weight, bias}, 3,
                                    attrs, 3);
        else
            result = activate(b,
                              conv_node(b, x, weight, bias, block->kernel, block->stride, block->dilation,
                                        block->expanded),
                              block->activation);
    }
    vsm_tensor_unref(&kernel);
    vsm_tensor_unref(&factor);
    vsm_tensor_unref(&offset);
    return result;
}

/* The gain of each channel. */
static vsm_value squeeze(struct builder *b, const char *scope, vsm_value x, const struct block *block)
{
    char path[NAME_MAX_LENGTH / 2], layer[48];
    vsm_value mean = vsm_graph_op(b->graph, VSM_FUSED_MEAN, x), hidden;
    struct conv c;

    snprintf(path, sizeof(path), "mobile_net_v3_encoder/%s%s/", scope,
             numbered(layer, "squeeze_excitation", b->squeeze++));
    c = next_conv(b, path, false, ACT_RELU);
    hidden = conv_parts(b, &c, &(const struct part){mean, 0, block->expanded}, 1);
    c = next_conv(b, path, false, ACT_HARDSIGMOID);
    return conv_parts(b, &c, &(const struct part){hidden, 0, block->squeezed}, 1);
}

static vsm_value residual_block(struct builder *b, size_t index, vsm_value x, int64_t in)
{
    const struct block *block = &blocks[index];
    const bool residual = block->stride == 1 && block->out == in;
    char scope[96], name[48], sequential[48];
    struct conv project;
    vsm_value y = x, gain;

    snprintf(scope, sizeof(scope), "%s/%s/", numbered(name, "inverted_residual", (int)index),
             numbered(sequential, "sequential", (int)index));
    if (block->expanded != in)
        y = conv_bn(b, scope, y, in, 1, block->activation);
    y = depthwise_bn(b, scope, y, block);
    gain = block->squeezed ? squeeze(b, scope, y, block) : VSM_VALUE_NONE;
    project = next_conv_bn(b, scope, 1, ACT_NONE);
    if (b->fused) {
        project.residual = residual ? x : VSM_VALUE_NONE;
        project.squeeze = gain;
        return conv_parts(b, &project, &(const struct part){y, 0, block->expanded}, 1);
    }
    if (block->squeezed)
        y = vsm_graph_op(b->graph, "Mul", y, gain);
    y = conv_parts(b, &project, &(const struct part){y, 0, block->expanded}, 1);
    return residual ? vsm_graph_op(b->graph, "Add", y, x) : y;
}

static vsm_value channel_weight(struct builder *b, const char *name)
{
    struct vsm_tensor *t = load(b, name, 1);

    if (!has_shape(b, t, name, 3, 0)) {
        vsm_tensor_unref(&t);
        return VSM_VALUE_NONE;
    }
    t->rank = 4;
    memcpy(t->dims, (const int64_t[]){1, 3, 1, 1}, 4 * sizeof(int64_t));
    return add_weight(b, t);
}

/* Backbone: the image to skips at levels 1, 2, 3 and 960 channels at level 4. */
static vsm_value encode(struct builder *b, vsm_value src, vsm_value *image, vsm_value skips[3])
{
    vsm_value mean = channel_weight(b, NETWORK "mobile_net_v3_encoder/Const");
    vsm_value gain = channel_weight(b, "ConstantFolding/" NETWORK "mobile_net_v3_encoder/truediv_recip");
    struct conv c = next_conv_bn(b, "", 2, ACT_HARDSWISH);
    int64_t channels = 16;
    vsm_value x;
    size_t skip = 0;

    if (b->fused) {
        x = *image = vsm_graph_op(b->graph, VSM_FUSED_IMAGE, src, mean, gain);
        c.first = 3;
    } else {
        x = vsm_graph_op(b->graph, "Mul", vsm_graph_op(b->graph, "Sub", src, mean), gain);
        *image = src;
    }
    x = conv_parts(b, &c, &(const struct part){x, 0, 3}, 1);
    for (size_t i = 0; i < BLOCKS; i++) {
        x = residual_block(b, i, x, channels);
        channels = blocks[i].out;
        if (skip < 3 && skip_blocks[skip] == i)
            skips[skip++] = x;
    }
    return conv_bn(b, "", x, channels, 1, ACT_HARDSWISH);
}

/* Lite R-ASPP: 128 channels, each gated by the picture's mean. */
static struct conv gate_conv(struct builder *b)
{
    struct conv c = next_conv(b, "lraspp/", false, ACT_SIGMOID);

    c.bias[0] = '\0';
    return c;
}

/* Brings an input into the blocked layout before elementwise operators, which stay in the layout of their
 * operands: a pool over one cell changes nothing. */
static vsm_value blocked(struct builder *b, vsm_value x)
{
    static const int64_t one[] = {1, 1};
    const struct vsm_attr shape = VSM_ATTR_IS("kernel_shape", one, 2);

    return vsm_graph_node(b->graph, "AveragePool", &x, 1, &shape, 1);
}

static vsm_value concat(struct builder *b, vsm_value first, vsm_value second)
{
    const struct vsm_attr axis = VSM_ATTR_I("axis", 1);

    return vsm_graph_node(b->graph, "Concat", (const vsm_value[]){first, second}, 2, &axis, 1);
}

/* A convolutional GRU's values: features x, state h, and the two gates. */
struct gru {
    vsm_value x, h, reset, update;
    int64_t channels;
};

/* In whole blocks: separate convolutions for everything, so that nothing leaves the blocked layout. The state's parts
 * stand first, to be made last: they need nothing, and would be kept from the beginning. */
static vsm_value recur_blocked(struct builder *b, struct gru *u, struct conv *gates,
                               const struct conv *candidate)
{
    const int64_t n = u->channels;
    vsm_value kept;

    gates->out_count = n;
    u->reset = conv_parts(b, gates, (const struct part[]){{u->h, n, n}, {u->x, 0, n}}, 2);
    gates->out_from = n;
    u->update = conv_parts(b, gates, (const struct part[]){{u->h, n, n}, {u->x, 0, n}}, 2);
    kept = vsm_graph_op(b->graph, "Mul", u->reset, u->h);
    return conv_parts(b, candidate, (const struct part[]){{kept, n, n}, {u->x, 0, n}}, 2);
}

/* In parts of blocks: concatenated, since each separate convolution would be padded. */
static vsm_value recur_packed(struct builder *b, struct gru *u, const struct conv *gates,
                              const struct conv *candidate)
{
    const struct vsm_attr axis = VSM_ATTR_I("axis", 1);
    const int64_t n = u->channels;
    vsm_value both = conv_parts(b, gates, &(const struct part){concat(b, u->x, u->h), 0, 2 * n}, 1),
              halves[2], kept;

    vsm_graph_node_multi(b->graph, "Split", &both, 1, &axis, 1, halves, 2);
    u->reset = halves[0];
    u->update = halves[1];
    kept = vsm_graph_op(b->graph, "Mul", u->reset, u->h);
    return conv_parts(b, candidate, &(const struct part){concat(b, u->x, kept), 0, 2 * n}, 1);
}

static vsm_value whole_weight(struct builder *b, const struct conv *c, const struct part *all)
{
    struct vsm_tensor *kernel = load(b, c->kernel, 4);
    vsm_value weight = kernel ? transpose_kernel(b, c, all, kernel) : VSM_VALUE_NONE;

    vsm_tensor_unref(&kernel);
    return weight;
}

static vsm_value fused_recur(struct builder *b, const struct conv *gates, const struct conv *candidate,
                             const struct part *all, vsm_value x, vsm_value state)
{
    const vsm_value gates_weight = whole_weight(b, gates, all), gates_bias = load_bias(b, gates);
    const vsm_value weight = whole_weight(b, candidate, all), bias = load_bias(b, candidate);

    return vsm_graph_op(b->graph, VSM_FUSED_GRU, x, state, gates_weight, gates_bias, weight, bias);
}

/* Convolutional GRU on x with the state of `level`. Source: arXiv 2108.11515, equation 1. */
static vsm_value recur(struct builder *b, const char *scope, int number, vsm_value x, int level)
{
    const int64_t channels = vsm_rvm_graph_state_channels[level - 1];
    const int64_t dims[] = {b->batch, channels, b->height[level], b->width[level]};
    const bool whole = channels % BLOCK == 0;
    char path[NAME_MAX_LENGTH / 2], layer[48], name[8];
    struct conv gates, candidate;
    struct gru u = {.x = x, .channels = channels};
    vsm_value h, minus_h, next;
    struct part all = {.count = 2 * channels};

    snprintf(name, sizeof(name), "r%di", level);
    h = vsm_graph_input(b->graph, name, VSM_F32, 4, dims);
    name[2] = 'o';
    snprintf(path, sizeof(path), "recurrent_decoder/%s/%s/", scope, numbered(layer, "conv_gru", number));
    gates = next_conv(b, path, false, ACT_SIGMOID);
    candidate = next_conv(b, path, false, ACT_TANH);
    if (b->fused) {
        next = fused_recur(b, &gates, &candidate, &all, x, h);
        vsm_graph_output(b->graph, next, name, VSM_F32, 4, dims);
        return next;
    }
    minus_h = vsm_graph_op(b->graph, "Neg", h);
    u.h = whole ? blocked(b, h) : h;
    next = whole ? recur_blocked(b, &u, &gates, &candidate) : recur_packed(b, &u, &gates, &candidate);
    /* h + update * (candidate - h), without a subtraction, which would leave the blocked layout. */
    next = vsm_graph_op(b->graph, "Add", next, whole ? blocked(b, minus_h) : minus_h);
    next = vsm_graph_op(b->graph, "Add", u.h, vsm_graph_op(b->graph, "Mul", u.update, next));
    vsm_graph_output(b->graph, next, name, VSM_F32, 4, dims);
    return next;
}

/* The image at the size of `level`, from the level above. */
static vsm_value halve(struct builder *b, vsm_value x, int level)
{
    static const int64_t two[] = {2, 2};
    const int64_t pads[] = {0, 0, b->height[level - 1] % 2, b->width[level - 1] % 2};
    const struct vsm_attr attrs[] = {VSM_ATTR_IS("kernel_shape", two, 2), VSM_ATTR_IS("strides", two, 2),
                                     VSM_ATTR_IS("pads", pads, 4)};

    if (b->fused)
        return vsm_graph_op(b->graph, VSM_FUSED_HALVE, x);
    return vsm_graph_node(b->graph, "AveragePool", &x, 1, attrs, 3);
}

/* Two halves of a level's features: one goes on as it is, the other through the GRU. */
struct halves {
    vsm_value plain, recurrent;
    int64_t channels; /* of each */
};

static struct halves split_conv(struct builder *b, struct conv *c, const struct part *parts, size_t count,
                                int level)
{
    struct halves h = {.channels = vsm_rvm_graph_state_channels[level - 1]};
    const struct vsm_attr axis = VSM_ATTR_I("axis", 1);
    vsm_value both[2] = {VSM_VALUE_NONE, VSM_VALUE_NONE}, whole;

    if (b->fused) {
        fused_conv(b, c, parts, count, both, 2);
        h.plain = both[0];
        h.recurrent = both[1];
        return h;
    }
    /* In one: two convolutions would keep the enlarged inputs until the GRU is done, 55 MB at 768x768. */
    whole = conv_parts(b, c, parts, count);
    vsm_graph_node_multi(b->graph, "Split", &whole, 1, &axis, 1, both, 2);
    h.plain = both[0];
    h.recurrent = both[1];
    return h;
}

/* Features at 1/16 and what the GRU makes of their second half. */
static struct halves bottleneck(struct builder *b, vsm_value x)
{
    struct conv project = next_conv(b, "lraspp/sequential_15/", true, ACT_RELU), gate = gate_conv(b),
                part = project;
    vsm_value mean = vsm_graph_op(b->graph, VSM_FUSED_MEAN, x), gains;
    const struct part input = {x, 0, 960}, pooled = {mean, 0, 960};
    struct halves h = {.channels = 64};

    if (b->fused) {
        project.gate = conv_parts(b, &gate, &pooled, 1);
        h = split_conv(b, &project, &input, 1, 4);
        h.recurrent = recur(b, "bottleneck_block", 0, h.recurrent, 4);
        return h;
    }
    part.out_count = gate.out_count = h.channels;
    gains = conv_parts(b, &gate, &pooled, 1);
    h.plain = vsm_graph_op(b->graph, "Mul", conv_parts(b, &part, &input, 1), gains);
    part.out_from = gate.out_from = h.channels;
    gains = conv_parts(b, &gate, &pooled, 1);
    h.recurrent = vsm_graph_op(b->graph, "Mul", conv_parts(b, &part, &input, 1), gains);
    h.recurrent = recur(b, "bottleneck_block", 0, h.recurrent, 4);
    return h;
}

/* One step up: both halves of the level below, the backbone's skip and the image. */
static struct halves decode_level(struct builder *b, struct halves below, vsm_value skip,
                                  int64_t skip_channels, vsm_value image, int level)
{
    const int number = 3 - level;
    char block[48], sequential[64], path[NAME_MAX_LENGTH / 2];
    struct conv c;
    struct halves h;

    numbered(block, "upsampling_block", number);
    snprintf(sequential, sizeof(sequential), "sequential_%d", 16 + number);
    snprintf(path, sizeof(path), "recurrent_decoder/%s/%s/", block, sequential);
    c = next_conv(b, path, true, ACT_RELU);
    h = split_conv(b, &c,
                   (const struct part[]){{upsample(b, below.plain, below.channels, level), 0, below.channels},
                                         {upsample(b, below.recurrent, below.channels, level), below.channels,
                                          below.channels},
                                         {skip, 2 * below.channels, skip_channels},
                                         {image, 2 * below.channels + skip_channels, 3}},
                   4, level);
    h.recurrent = recur(b, block, number + 1, h.recurrent, level);
    return h;
}

/* Rows of the grid that the output block makes at a time. Its values are the largest of the network, 64 bytes a
 * cell each: 100 MB more at 768x768 when they are made in one piece. The fused operators have no such values. */
#define BAND 128

#define MAX_BANDS (VSM_RVM_GRID_MAX / BAND)

/* Rows of level 1 that a band reads beyond its own: two convolutions and the enlargement reach over 3 rows of the
 * grid, so that zeros and copies at the edges of a band stay outside it. */
#define BAND_MARGIN 2

static vsm_value rows(struct builder *b, vsm_value x, int from, int to)
{
    const int64_t start = from, end = to, axis = 2;

    return vsm_graph_op(b->graph, "Slice", x, vsm_graph_ints(b->graph, &start, 1),
                        vsm_graph_ints(b->graph, &end, 1), vsm_graph_ints(b->graph, &axis, 1));
}

static vsm_value output_block(struct builder *b, const struct conv convs[3], const struct part parts[3])
{
    vsm_value x = conv_parts(b, &convs[0], parts, 3);

    for (int i = 1; i < 3; i++)
        x = conv_parts(b, &convs[i], &(const struct part){x, 0, 16}, 1);
    return x;
}

/* Alpha and foreground of rows from .. to - 1 of the grid; from is even. */
static vsm_value decode_band(struct builder *b, const struct conv convs[3], struct halves below,
                             vsm_value image, int from, int to)
{
    const int low_from = from / 2 > BAND_MARGIN ? from / 2 - BAND_MARGIN : 0;
    const int low_end = (to + 1) / 2 + BAND_MARGIN;
    const int low_to = low_end < b->height[1] ? low_end : b->height[1], first = 2 * low_from;
    const int last = 2 * low_to < b->height[0] ? 2 * low_to : b->height[0];
    const int low_height = low_to - low_from, height = last - first;
    const struct part parts[] = {{rows(b, below.plain, low_from, low_to), 0, 16, low_height, height},
                                 {rows(b, below.recurrent, low_from, low_to), 16, 16, low_height, height},
                                 {rows(b, image, first, last), 32, 3}};

    return rows(b, output_block(b, convs, parts), from - first, to - first);
}

static vsm_value decode_output(struct builder *b, struct halves below, vsm_value image)
{
    static const char path[] = "recurrent_decoder/output_block/sequential_19/";
    const struct part parts[] = {{below.plain, 0, 16}, {below.recurrent, 16, 16}, {image, 32, 3}};
    const struct vsm_attr axis = VSM_ATTR_I("axis", 2);
    struct conv convs[3];
    vsm_value bands[MAX_BANDS];
    size_t count = 0;

    convs[0] = next_conv(b, path, true, ACT_RELU);
    convs[1] = next_conv(b, path, true, ACT_RELU);
    convs[2] = next_conv(b, "", false, ACT_NONE);
    if (b->fused)
        return output_block(b, convs, parts);
    for (int from = 0; from < b->height[0]; from += BAND) {
        const int to = from + BAND < b->height[0] ? from + BAND : b->height[0];

        bands[count++] = decode_band(b, convs, below, image, from, to);
    }
    return vsm_graph_node(b->graph, "Concat", bands, count, &axis, 1);
}

static void build(struct builder *b)
{
    const int64_t src_dims[] = {b->batch, 3, b->height[0], b->width[0]};
    const int64_t fit_dims[] = {b->batch, 8, b->height[0], b->width[0]};
    const int64_t matte_dims[] = {b->batch, 4, b->height[0], b->width[0]};
    vsm_value src = vsm_graph_input(b->graph, "src", VSM_F32, 4, src_dims);
    const struct vsm_attr eps = VSM_ATTR_F("eps", GUIDED_EPS);
    vsm_value images[4], skips[3], matte, coefficients;
    struct halves h;

    h = bottleneck(b, encode(b, src, &images[0], skips));
    for (int level = 1; level < 4; level++)
        images[level] = halve(b, images[level - 1], level);
    for (int level = 3; level >= 1; level--)
        h = decode_level(b, h, skips[level - 1], blocks[skip_blocks[level - 1]].out, images[level], level);
    matte = decode_output(b, h, images[0]);
    vsm_graph_output(b->graph, matte, "matte", VSM_F32, 4, matte_dims);
    if (b->fused) {
        coefficients = vsm_graph_node(b->graph, VSM_FUSED_FIT, (const vsm_value[]){src, matte}, 2, &eps, 1);
        vsm_graph_output(b->graph, coefficients, "coefficients", VSM_F32, 4, fit_dims);
    }
}

static int build_graph(const struct vsm_tfjs *weights, int width, int height, int batch, bool fused,
                       struct vsm_graph **graph)
{
    struct builder b = {.weights = weights, .batch = batch, .fused = fused};
    int status;

    b.graph = vsm_graph_create("RVM", OPSET);
    if (!b.graph)
        return VSM_E_NOMEM;
    for (int level = 0; level <= VSM_RVM_LEVELS; level++) {
        b.width[level] = vsm_rvm_graph_level(width, level);
        b.height[level] = vsm_rvm_graph_level(height, level);
    }
    build(&b);
    status = vsm_graph_status(b.graph);
    if (status) {
        vsm_graph_destroy(b.graph);
        return status;
    }
    *graph = b.graph;
    return VSM_OK;
}

int vsm_rvm_graph_build(const struct vsm_tfjs *weights, int width, int height, int batch,
                        struct vsm_graph **graph)
{
    return build_graph(weights, width, height, batch, false, graph);
}

int vsm_rvm_graph_build_fused(const struct vsm_tfjs *weights, int width, int height, int batch,
                              struct vsm_graph **graph)
{
    return build_graph(weights, width, height, batch, true, graph);
}
