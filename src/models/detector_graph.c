#include "models/detector_graph.h"

#include "models/tfjs_layers.h"

#include <stdio.h>

#define OPSET 17

#define NAME_SIZE 240
#define PATH_SIZE 160
#define NETWORK   "StatefulPartitionedCall/"
#define BODY      NETWORK "center_net_mobile_net_v2fpn_feature_extractor/model_1/"

#define KEYPOINTS 17

struct builder {
    struct vsm_tfjs_layers layers;
    int side;
    bool fused; /* operators of nn/fused.h instead of ONNX's */
};

/* Inverted residual blocks 1 to 16; those that keep size and channels add their input. */
static const struct block {
    int out, stride;
} blocks[] = {
    {40, 2}, {40, 1},  {48, 2},  {48, 1},  {48, 1},  {96, 2},  {96, 1},  {96, 1},
    {96, 1}, {144, 1}, {144, 1}, {144, 1}, {240, 2}, {240, 1}, {240, 1}, {480, 1},
};

#define BLOCKS (int)(sizeof(blocks) / sizeof(blocks[0]))

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

struct conv {
    const char *weights, *bias; /* names; bias NULL = none */
    int size, ins, outs, stride;
    bool depthwise;
    enum vsm_fused_activation activation;
};

static vsm_value fused_conv(struct builder *b, const struct conv *c, vsm_value x, vsm_value weight,
                            vsm_value bias, vsm_value residual)
{
    const struct vsm_attr attrs[] = {VSM_ATTR_I("depthwise", c->depthwise), VSM_ATTR_I("stride", c->stride),
                                     VSM_ATTR_I("even", c->stride == 2),
                                     VSM_ATTR_I("activation", c->activation)};

    return vsm_graph_node(b->layers.graph, VSM_FUSED_FULL_CONV,
                          (const vsm_value[]){x, weight, bias, residual}, 4, attrs, 4);
}

/* residual: VSM_VALUE_NONE, or what is added to a result that is not activated; of half its size, it is
 * enlarged. */
static vsm_value conv(struct builder *b, const struct conv *c, vsm_value x, vsm_value residual)
{
    const struct vsm_tfjs_layers_conv options = {.size = c->size,
                                                 .stride = c->stride,
                                                 .dilation = 1,
                                                 .groups = c->depthwise ? c->ins : 1,
                                                 .even = c->stride == 2};
    const int64_t channels = c->outs;
    const vsm_value weight = kernel(b, c->weights, c->size, c->ins, c->outs, c->depthwise);
    vsm_value bias = VSM_VALUE_NONE;

    if (c->bias)
        bias = vsm_tfjs_layers_add(&b->layers, vsm_tfjs_layers_load(&b->layers, c->bias, 1, &channels));
    if (b->fused)
        return fused_conv(b, c, x, weight, bias, residual);
    x = vsm_tfjs_layers_conv(&b->layers, x, weight, bias, &options);
    x = vsm_tfjs_layers_activate(&b->layers, x, c->activation);
    return residual == VSM_VALUE_NONE ? x : vsm_graph_op(b->layers.graph, "Add", residual, x);
}

/* A convolution of the backbone, whose batch normalisation is folded into weights and offset: 3x3 layers that
 * keep the channels are depthwise. */
static vsm_value folded(struct builder *b, vsm_value x, const char *layer, struct conv c, vsm_value residual)
{
    char weights[NAME_SIZE], bias[NAME_SIZE];

    c.depthwise = c.size == 3 && c.ins == c.outs;
    c.weights = weights;
    c.bias = bias;
    snprintf(weights, sizeof(weights), BODY "model/%s/%s_weights", layer,
             c.depthwise ? "depthwise" : "Conv2D");
    snprintf(bias, sizeof(bias), BODY "model/%s/%s_bn_offset", layer, c.depthwise ? "depthwise" : "Conv2D");
    return conv(b, &c, x, residual);
}

static vsm_value inverted_residual(struct builder *b, vsm_value x, int number, int ins)
{
    const struct block *block = &blocks[number - 1];
    const struct conv expand = {.size = 1,
                                .ins = ins,
                                .outs = 6 * ins,
                                .stride = 1,
                                .activation = VSM_FUSED_RELU6},
                      depthwise = {.size = 3,
                                   .ins = 6 * ins,
                                   .outs = 6 * ins,
                                   .stride = block->stride,
                                   .activation = VSM_FUSED_RELU6},
                      project = {.size = 1, .ins = 6 * ins, .outs = block->out, .stride = 1};
    char layer[40];
    vsm_value y;

    snprintf(layer, sizeof(layer), "block_%d_expand", number);
    y = folded(b, x, layer, expand, VSM_VALUE_NONE);
    snprintf(layer, sizeof(layer), "block_%d_depthwise", number);
    y = folded(b, y, layer, depthwise, VSM_VALUE_NONE);
    snprintf(layer, sizeof(layer), "block_%d_project", number);
    return folded(b, y, layer, project, block->stride == 1 && block->out == ins ? x : VSM_VALUE_NONE);
}

/* A 1x1 layer under `path` whose kernel and bias are named by `kernel_name` and `bias_name`. */
static vsm_value plain(struct builder *b, vsm_value x, const char *path, const char *kernel_name,
                       const char *bias_name, int ins, int outs, enum vsm_fused_activation activation,
                       vsm_value residual)
{
    char weights[NAME_SIZE], bias[NAME_SIZE];
    const struct conv c = {.weights = weights,
                           .bias = bias,
                           .size = 1,
                           .ins = ins,
                           .outs = outs,
                           .stride = 1,
                           .activation = activation};

    snprintf(weights, sizeof(weights), "%s%s", path, kernel_name);
    snprintf(bias, sizeof(bias), "%s%s", path, bias_name);
    return conv(b, &c, x, residual);
}

static vsm_value depthwise_plain(struct builder *b, vsm_value x, const char *path, int channels)
{
    char weights[NAME_SIZE];
    const struct conv c = {
        .weights = weights, .size = 3, .ins = channels, .outs = channels, .stride = 1, .depthwise = true};

    snprintf(weights, sizeof(weights), "%sseparable_conv2d/ReadVariableOp", path);
    return conv(b, &c, x, VSM_VALUE_NONE);
}

/* One step up the pyramid: the level below enlarged, plus the backbone's features, then a separable
 * convolution. */
static vsm_value step_up(struct builder *b, vsm_value below, vsm_value skip, const char *lateral,
                         int skip_channels, const char *separable, int channels, int outs)
{
    char path[PATH_SIZE];
    vsm_value x = b->fused ? below : vsm_tfjs_layers_double(&b->layers, below);

    snprintf(path, sizeof(path), BODY "%s/", lateral);
    x = plain(b, skip, path, "Conv2D/ReadVariableOp", "BiasAdd/ReadVariableOp", skip_channels, channels,
              VSM_FUSED_NONE, x);
    snprintf(path, sizeof(path), BODY "%s/", separable);
    x = depthwise_plain(b, x, path, channels);
    return plain(b, x, path, "separable_conv2d_weights", "separable_conv2d_bn_offset", channels, outs,
                 VSM_FUSED_RELU, VSM_VALUE_NONE);
}

static void head(struct builder *b, vsm_value x, const char *scope, int number, const char *output,
                 int channels, bool probability)
{
    const int64_t cells = b->side / VSM_DETECTOR_GRAPH_STRIDE, dims[] = {1, channels, cells, cells};
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), NETWORK "%s/separable_conv2d_%d/", scope, number);
    x = depthwise_plain(b, x, path, 24);
    x = plain(b, x, path, "separable_conv2d/ReadVariableOp_1", "BiasAdd/ReadVariableOp", 24, 96,
              VSM_FUSED_RELU, VSM_VALUE_NONE);
    snprintf(path, sizeof(path), NETWORK "%s/conv2d_%d/", scope, number + 1);
    x = plain(b, x, path, "Conv2D/ReadVariableOp", "BiasAdd/ReadVariableOp", 96, channels,
              probability ? VSM_FUSED_SIGMOID : VSM_FUSED_NONE, VSM_VALUE_NONE);
    vsm_graph_output(b->layers.graph, x, output, VSM_F32, 4, dims);
}

static vsm_value stem(struct builder *b, vsm_value x)
{
    static const struct conv
        first = {.size = 3, .ins = 3, .outs = 48, .stride = 2, .activation = VSM_FUSED_RELU6},
        depthwise = {.size = 3, .ins = 48, .outs = 48, .stride = 1, .activation = VSM_FUSED_RELU6},
        project = {.size = 1, .ins = 48, .outs = 24, .stride = 1};

    x = folded(b, x, "Conv1", first, VSM_VALUE_NONE);
    x = folded(b, x, "expanded_conv_depthwise", depthwise, VSM_VALUE_NONE);
    return folded(b, x, "expanded_conv_project", project, VSM_VALUE_NONE);
}

static void build(struct builder *b)
{
    static const struct conv last = {
        .size = 1, .ins = 480, .outs = 1280, .stride = 1, .activation = VSM_FUSED_RELU6};
    const int64_t dims[] = {1, 3, b->side, b->side};
    vsm_value x = stem(b, vsm_graph_input(b->layers.graph, "src", VSM_F32, 4, dims)), skips[BLOCKS + 1];
    char path[PATH_SIZE];
    int channels = 24;

    for (int i = 1; i <= BLOCKS; i++) {
        x = skips[i] = inverted_residual(b, x, i, channels);
        channels = blocks[i - 1].out;
    }
    x = folded(b, x, "Conv_1", last, VSM_VALUE_NONE);
    snprintf(path, sizeof(path), BODY "conv2d/");
    x = plain(b, x, path, "Conv2D/ReadVariableOp", "BiasAdd/ReadVariableOp", 1280, 64, VSM_FUSED_NONE,
              VSM_VALUE_NONE);
    x = step_up(b, x, skips[9], "conv2d_1", 96, "separable_conv2d", 64, 32);
    x = step_up(b, x, skips[5], "conv2d_2", 48, "separable_conv2d_1", 32, 24);
    x = step_up(b, x, skips[2], "conv2d_3", 40, "separable_conv2d_2", 24, 24);
    head(b, x, "center_0", 3, "centre", 1, true);
    head(b, x, "box_scale_0", 4, "size", 2, false);
    head(b, x, "box_offset_0", 5, "offset", 2, false);
    head(b, x, "kpt_heatmap_0", 6, "keypoints", KEYPOINTS, true);
    head(b, x, "kpt_regress_0", 7, "regress", 2 * KEYPOINTS, false);
}

static int build_graph(const struct vsm_tfjs *weights, int side, bool fused, struct vsm_graph **graph)
{
    struct builder b = {.layers = {vsm_graph_create("MoveNet", OPSET), weights},
                        .side = side,
                        .fused = fused};
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

int vsm_detector_graph_build(const struct vsm_tfjs *weights, int side, struct vsm_graph **graph)
{
    return build_graph(weights, side, false, graph);
}

int vsm_detector_graph_build_fused(const struct vsm_tfjs *weights, int side, struct vsm_graph **graph)
{
    return build_graph(weights, side, true, graph);
}
