#include "models/detector_graph.h"

#include "models/tfjs_layers.h"

#include <stdio.h>

#define OPSET 17

#define NAME_SIZE 240
#define PATH_SIZE 160
#define NETWORK   "StatefulPartitionedCall/"
#define BODY      NETWORK "center_net_mobile_net_v2fpn_feature_extractor/model_1/"

#define KEYPOINTS 17

enum activation { ACT_NONE, ACT_RELU, ACT_RELU6 };

struct builder {
    struct vsm_tfjs_layers layers;
    int side;
};

/* Inverted residual blocks 1 to 16; those that keep size and channels add their input. */
static const struct block {
    int out, stride;
} blocks[] = {
    {40, 2}, {40, 1},  {48, 2},  {48, 1},  {48, 1},  {96, 2},  {96, 1},  {96, 1},
    {96, 1}, {144, 1}, {144, 1}, {144, 1}, {240, 2}, {240, 1}, {240, 1}, {480, 1},
};

#define BLOCKS (int)(sizeof(blocks) / sizeof(blocks[0]))

static vsm_value activate(struct builder *b, vsm_value x, enum activation activation)
{
    if (activation == ACT_RELU)
        return vsm_graph_op(b->layers.graph, "Relu", x);
    if (activation == ACT_RELU6)
        return vsm_graph_op(b->layers.graph, "Clip", x, vsm_graph_scalar(b->layers.graph, 0.0f),
                            vsm_graph_scalar(b->layers.graph, 6.0f));
    return x;
}

static vsm_value kernel(struct builder *b, const char *name, int size, int ins, int outs, bool depthwise)
{
    const int64_t dims[] = {size, size, ins, depthwise ? 1 : outs};
    const struct vsm_tfjs_layers_part whole = {0, ins, 0, outs};
    struct vsm_tensor *stored = vsm_tfjs_layers_load(&b->layers, name, 4, dims);
    vsm_value value = VSM_VALUE_NONE;

    if (stored)
        value = depthwise ? vsm_tfjs_layers_depthwise(&b->layers, stored, NULL)
                          : vsm_tfjs_layers_kernel(&b->layers, name, stored, &whole);
    vsm_tensor_unref(&stored);
    return value;
}

/* `groups` is 1 or, depthwise, the number of channels. `bias` NULL = none. */
static vsm_value conv(struct builder *b, vsm_value x, const char *weights, const char *bias, int size,
                      int ins, int outs, int stride, int groups, enum activation activation)
{
    const struct vsm_tfjs_layers_conv options = {
        .size = size, .stride = stride, .dilation = 1, .groups = groups, .even = stride == 2};
    const int64_t channels = outs;
    const vsm_value weight = kernel(b, weights, size, ins, outs, groups > 1);
    vsm_value offset = VSM_VALUE_NONE;

    if (bias)
        offset = vsm_tfjs_layers_add(&b->layers, vsm_tfjs_layers_load(&b->layers, bias, 1, &channels));
    return activate(b, vsm_tfjs_layers_conv(&b->layers, x, weight, offset, &options), activation);
}

/* A convolution of the backbone, whose batch normalisation is folded into weights and offset. */
static vsm_value folded(struct builder *b, vsm_value x, const char *layer, int size, int ins, int outs,
                        int stride, enum activation activation)
{
    const bool depthwise = size == 3 && ins == outs;
    char weights[NAME_SIZE], bias[NAME_SIZE];

    snprintf(weights, sizeof(weights), BODY "model/%s/%s_weights", layer, depthwise ? "depthwise" : "Conv2D");
    snprintf(bias, sizeof(bias), BODY "model/%s/%s_bn_offset", layer, depthwise ? "depthwise" : "Conv2D");
    return conv(b, x, weights, bias, size, ins, outs, stride, depthwise ? ins : 1, activation);
}

static vsm_value inverted_residual(struct builder *b, vsm_value x, int number, int ins)
{
    const struct block *block = &blocks[number - 1];
    const int wide = 6 * ins;
    char layer[40];
    vsm_value y;

    snprintf(layer, sizeof(layer), "block_%d_expand", number);
    y = folded(b, x, layer, 1, ins, wide, 1, ACT_RELU6);
    snprintf(layer, sizeof(layer), "block_%d_depthwise", number);
    y = folded(b, y, layer, 3, wide, wide, block->stride, ACT_RELU6);
    snprintf(layer, sizeof(layer), "block_%d_project", number);
    y = folded(b, y, layer, 1, wide, block->out, 1, ACT_NONE);
    return block->stride == 1 && block->out == ins ? vsm_graph_op(b->layers.graph, "Add", x, y) : y;
}

/* A layer under `path` whose kernel and bias are named by `kernel_name` and `bias_name`. */
static vsm_value plain(struct builder *b, vsm_value x, const char *path, const char *kernel_name,
                       const char *bias_name, int ins, int outs, enum activation activation)
{
    char weights[NAME_SIZE], bias[NAME_SIZE];

    snprintf(weights, sizeof(weights), "%s%s", path, kernel_name);
    snprintf(bias, sizeof(bias), "%s%s", path, bias_name);
    return conv(b, x, weights, bias, 1, ins, outs, 1, 1, activation);
}

static vsm_value depthwise_plain(struct builder *b, vsm_value x, const char *path, int channels)
{
    char weights[NAME_SIZE];

    snprintf(weights, sizeof(weights), "%sseparable_conv2d/ReadVariableOp", path);
    return conv(b, x, weights, NULL, 3, channels, channels, 1, channels, ACT_NONE);
}

/* One step up the pyramid: the level below enlarged, plus the backbone's features, then a separable
 * convolution. */
static vsm_value step_up(struct builder *b, vsm_value below, vsm_value skip, const char *lateral,
                         int skip_channels, const char *separable, int channels, int outs)
{
    char path[PATH_SIZE];
    vsm_value x = vsm_tfjs_layers_double(&b->layers, below), y;

    snprintf(path, sizeof(path), BODY "%s/", lateral);
    y = plain(b, skip, path, "Conv2D/ReadVariableOp", "BiasAdd/ReadVariableOp", skip_channels, channels,
              ACT_NONE);
    x = vsm_graph_op(b->layers.graph, "Add", x, y);
    snprintf(path, sizeof(path), BODY "%s/", separable);
    x = depthwise_plain(b, x, path, channels);
    return plain(b, x, path, "separable_conv2d_weights", "separable_conv2d_bn_offset", channels, outs,
                 ACT_RELU);
}

static void head(struct builder *b, vsm_value x, const char *scope, int number, const char *output,
                 int channels, bool probability)
{
    const int64_t cells = b->side / VSM_DETECTOR_GRAPH_STRIDE, dims[] = {1, channels, cells, cells};
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), NETWORK "%s/separable_conv2d_%d/", scope, number);
    x = depthwise_plain(b, x, path, 24);
    x = plain(b, x, path, "separable_conv2d/ReadVariableOp_1", "BiasAdd/ReadVariableOp", 24, 96, ACT_RELU);
    snprintf(path, sizeof(path), NETWORK "%s/conv2d_%d/", scope, number + 1);
    x = plain(b, x, path, "Conv2D/ReadVariableOp", "BiasAdd/ReadVariableOp", 96, channels, ACT_NONE);
    if (probability)
        x = vsm_graph_op(b->layers.graph, "Sigmoid", x);
    vsm_graph_output(b->layers.graph, x, output, VSM_F32, 4, dims);
}

static void build(struct builder *b)
{
    const int64_t dims[] = {1, 3, b->side, b->side};
    vsm_value x = vsm_graph_input(b->layers.graph, "src", VSM_F32, 4, dims), skips[BLOCKS + 1];
    char path[PATH_SIZE];
    int channels = 24;

    x = folded(b, x, "Conv1", 3, 3, 48, 2, ACT_RELU6);
    x = folded(b, x, "expanded_conv_depthwise", 3, 48, 48, 1, ACT_RELU6);
    x = folded(b, x, "expanded_conv_project", 1, 48, 24, 1, ACT_NONE);
    for (int i = 1; i <= BLOCKS; i++) {
        x = skips[i] = inverted_residual(b, x, i, channels);
        channels = blocks[i - 1].out;
    }
    x = folded(b, x, "Conv_1", 1, channels, 1280, 1, ACT_RELU6);
    snprintf(path, sizeof(path), BODY "conv2d/");
    x = plain(b, x, path, "Conv2D/ReadVariableOp", "BiasAdd/ReadVariableOp", 1280, 64, ACT_NONE);
    x = step_up(b, x, skips[9], "conv2d_1", 96, "separable_conv2d", 64, 32);
    x = step_up(b, x, skips[5], "conv2d_2", 48, "separable_conv2d_1", 32, 24);
    x = step_up(b, x, skips[2], "conv2d_3", 40, "separable_conv2d_2", 24, 24);
    head(b, x, "center_0", 3, "centre", 1, true);
    head(b, x, "box_scale_0", 4, "size", 2, false);
    head(b, x, "box_offset_0", 5, "offset", 2, false);
    head(b, x, "kpt_heatmap_0", 6, "keypoints", KEYPOINTS, true);
    head(b, x, "kpt_regress_0", 7, "regress", 2 * KEYPOINTS, false);
}

int vsm_detector_graph_build(const struct vsm_tfjs *weights, int side, struct vsm_graph **graph)
{
    struct builder b = {.layers = {vsm_graph_create("MoveNet", OPSET), weights}, .side = side};
    int status;

    if (!b.layers.graph)
        return VSM_E_NOMEM;
    build(&b);
    status = vsm_graph_status(b.layers.graph);
    if (status) {
        vsm_graph_destroy(b.layers.graph);
        return status;
    }
    *graph = b.layers.graph;
    return VSM_OK;
}
