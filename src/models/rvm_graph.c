#include "models/rvm_graph.h"

#include "models/rvm.h"
#include "models/rvm_layers.h"

#define OPSET 17

/* Guided filter's regulariser, as trained (float32 of 1e-5). */
#define GUIDED_EPS 1e-5f

const int vsm_rvm_graph_state_channels[VSM_RVM_LEVELS] = {16, 20, 40, 64};

/* One inverted residual block of the backbone. */
struct block {
    int kernel, expanded, out;
    int squeezed; /* channels between the two layers of squeeze and excite, 0 = none */
    enum vsm_fused_activation activation;
    int stride, dilation;
};

static const struct block blocks[] = {
    {3, 16, 16, 0, VSM_FUSED_RELU, 1, 1},          {3, 64, 24, 0, VSM_FUSED_RELU, 2, 1},
    {3, 72, 24, 0, VSM_FUSED_RELU, 1, 1},          {5, 72, 40, 24, VSM_FUSED_RELU, 2, 1},
    {5, 120, 40, 32, VSM_FUSED_RELU, 1, 1},        {5, 120, 40, 32, VSM_FUSED_RELU, 1, 1},
    {3, 240, 80, 0, VSM_FUSED_HARDSWISH, 2, 1},    {3, 200, 80, 0, VSM_FUSED_HARDSWISH, 1, 1},
    {3, 184, 80, 0, VSM_FUSED_HARDSWISH, 1, 1},    {3, 184, 80, 0, VSM_FUSED_HARDSWISH, 1, 1},
    {3, 480, 112, 120, VSM_FUSED_HARDSWISH, 1, 1}, {3, 672, 112, 168, VSM_FUSED_HARDSWISH, 1, 1},
    {5, 672, 160, 168, VSM_FUSED_HARDSWISH, 1, 2}, {5, 960, 160, 240, VSM_FUSED_HARDSWISH, 1, 2},
    {5, 960, 160, 240, VSM_FUSED_HARDSWISH, 1, 2},
};

#define BLOCKS (sizeof(blocks) / sizeof(blocks[0]))

/* Blocks whose results the decoder takes, at levels 1, 2 and 3. */
static const size_t skip_blocks[] = {0, 2, 5};

struct builder {
    struct vsm_rvm_layers layers;
    struct vsm_graph *graph; /* of the layers */
    int width[VSM_RVM_LEVELS + 1], height[VSM_RVM_LEVELS + 1];
    int batch;
};

int vsm_rvm_graph_level(int size, int level)
{
    for (int i = 0; i < level; i++)
        size = (size + 1) / 2;
    return size;
}

static vsm_value upsample(struct builder *b, vsm_value x, int64_t channels, int level)
{
    if (!b->layers.fused && channels % VSM_RVM_LAYERS_BLOCK != 0)
        x = vsm_rvm_layers_blocked_copy(&b->layers, x, channels);
    return vsm_rvm_layers_enlarge(&b->layers, x, b->width[level + 1], b->height[level + 1], b->width[level],
                                  b->height[level]);
}

/* A 1x1 or strided convolution of the backbone with batch normalisation folded in. */
static struct vsm_rvm_conv next_conv_bn(struct builder *b, const char *scope, int stride,
                                        enum vsm_fused_activation activation)
{
    char path[VSM_RVM_LAYERS_NAME / 2], layer[48];
    struct vsm_rvm_conv c;

    vsm_rvm_layers_name(&b->layers, path, sizeof(path), "mobile_net_v3_encoder/%s%s/", scope,
                        vsm_rvm_layers_numbered(&b->layers, layer, "conv_bn_activation",
                                                b->layers.conv_bn++));
    c = vsm_rvm_layers_next(&b->layers, path, true, activation);
    c.stride = stride;
    return c;
}

static vsm_value conv_bn(struct builder *b, const char *scope, vsm_value x, int64_t channels, int stride,
                         enum vsm_fused_activation activation)
{
    const struct vsm_rvm_conv c = next_conv_bn(b, scope, stride, activation);

    return vsm_rvm_layers_conv(&b->layers, &c, &(const struct vsm_rvm_part){x, 0, channels}, 1);
}

/* The gain of each channel. */
static vsm_value squeeze(struct builder *b, const char *scope, vsm_value x, const struct block *block)
{
    char path[VSM_RVM_LAYERS_NAME / 2], layer[48];
    vsm_value mean = vsm_graph_op(b->graph, VSM_FUSED_MEAN, x), hidden;
    struct vsm_rvm_conv c;

    vsm_rvm_layers_name(&b->layers, path, sizeof(path), "mobile_net_v3_encoder/%s%s/", scope,
                        vsm_rvm_layers_numbered(&b->layers, layer, "squeeze_excitation",
                                                b->layers.squeeze++));
    c = vsm_rvm_layers_next(&b->layers, path, false, VSM_FUSED_RELU);
    hidden = vsm_rvm_layers_conv(&b->layers, &c, &(const struct vsm_rvm_part){mean, 0, block->expanded}, 1);
    c = vsm_rvm_layers_next(&b->layers, path, false, VSM_FUSED_HARDSIGMOID);
    return vsm_rvm_layers_conv(&b->layers, &c, &(const struct vsm_rvm_part){hidden, 0, block->squeezed}, 1);
}

static vsm_value residual_block(struct builder *b, size_t index, vsm_value x, int64_t in)
{
    const struct block *block = &blocks[index];
    const bool residual = block->stride == 1 && block->out == in;
    char scope[96], name[48], sequential[48];
    struct vsm_rvm_conv project;
    vsm_value y = x, gain;

    vsm_rvm_layers_name(&b->layers, scope, sizeof(scope), "%s/%s/",
                        vsm_rvm_layers_numbered(&b->layers, name, "inverted_residual", (int)index),
                        vsm_rvm_layers_numbered(&b->layers, sequential, "sequential", (int)index));
    if (block->expanded != in)
        y = conv_bn(b, scope, y, in, 1, block->activation);
    y = vsm_rvm_layers_depthwise(&b->layers,
                                 &(const struct vsm_rvm_depthwise){scope, block->kernel, block->expanded,
                                                                   block->stride, block->dilation,
                                                                   block->activation},
                                 y);
    gain = block->squeezed ? squeeze(b, scope, y, block) : VSM_VALUE_NONE;
    project = next_conv_bn(b, scope, 1, VSM_FUSED_NONE);
    if (b->layers.fused) {
        project.residual = residual ? x : VSM_VALUE_NONE;
        project.squeeze = gain;
        return vsm_rvm_layers_conv(&b->layers, &project, &(const struct vsm_rvm_part){y, 0, block->expanded},
                                   1);
    }
    if (block->squeezed)
        y = vsm_graph_op(b->graph, "Mul", y, gain);
    y = vsm_rvm_layers_conv(&b->layers, &project, &(const struct vsm_rvm_part){y, 0, block->expanded}, 1);
    return residual ? vsm_graph_op(b->graph, "Add", y, x) : y;
}

/* Backbone: the image to skips at levels 1, 2, 3 and 960 channels at level 4. */
static vsm_value encode(struct builder *b, vsm_value src, vsm_value *image, vsm_value skips[3])
{
    vsm_value mean =
        vsm_rvm_layers_channels(&b->layers, VSM_RVM_LAYERS_NETWORK "mobile_net_v3_encoder/Const");
    vsm_value gain = vsm_rvm_layers_channels(&b->layers, "ConstantFolding/" VSM_RVM_LAYERS_NETWORK
                                                         "mobile_net_v3_encoder/truediv_recip");
    struct vsm_rvm_conv c = next_conv_bn(b, "", 2, VSM_FUSED_HARDSWISH);
    int64_t channels = 16;
    vsm_value x;
    size_t skip = 0;

    if (b->layers.fused) {
        x = *image = vsm_graph_op(b->graph, VSM_FUSED_IMAGE, src, mean, gain);
        c.first = 3;
    } else {
        x = vsm_graph_op(b->graph, "Mul", vsm_graph_op(b->graph, "Sub", src, mean), gain);
        *image = src;
    }
    x = vsm_rvm_layers_conv(&b->layers, &c, &(const struct vsm_rvm_part){x, 0, 3}, 1);
    for (size_t i = 0; i < BLOCKS; i++) {
        x = residual_block(b, i, x, channels);
        channels = blocks[i].out;
        if (skip < 3 && skip_blocks[skip] == i)
            skips[skip++] = x;
    }
    return conv_bn(b, "", x, channels, 1, VSM_FUSED_HARDSWISH);
}

/* Lite R-ASPP: 128 channels, each gated by the picture's mean. */
static struct vsm_rvm_conv gate_conv(struct builder *b)
{
    struct vsm_rvm_conv c = vsm_rvm_layers_next(&b->layers, "lraspp/", false, VSM_FUSED_SIGMOID);

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

/* In whole blocks: separate convolutions for everything, so that nothing leaves the blocked layout. The
 * state's parts stand first, to be made last: they need nothing, and would be kept from the beginning. */
static vsm_value recur_blocked(struct builder *b, struct gru *u, struct vsm_rvm_conv *gates,
                               const struct vsm_rvm_conv *candidate)
{
    const int64_t n = u->channels;
    vsm_value kept;

    gates->out_count = n;
    u->reset =
        vsm_rvm_layers_conv(&b->layers, gates, (const struct vsm_rvm_part[]){{u->h, n, n}, {u->x, 0, n}}, 2);
    gates->out_from = n;
    u->update =
        vsm_rvm_layers_conv(&b->layers, gates, (const struct vsm_rvm_part[]){{u->h, n, n}, {u->x, 0, n}}, 2);
    kept = vsm_graph_op(b->graph, "Mul", u->reset, u->h);
    return vsm_rvm_layers_conv(&b->layers, candidate,
                               (const struct vsm_rvm_part[]){{kept, n, n}, {u->x, 0, n}}, 2);
}

/* In parts of blocks: concatenated, since each separate convolution would be padded. */
static vsm_value recur_packed(struct builder *b, struct gru *u, const struct vsm_rvm_conv *gates,
                              const struct vsm_rvm_conv *candidate)
{
    const struct vsm_attr axis = VSM_ATTR_I("axis", 1);
    const int64_t n = u->channels;
    vsm_value both = vsm_rvm_layers_conv(&b->layers, gates,
                                         &(const struct vsm_rvm_part){concat(b, u->x, u->h), 0, 2 * n}, 1),
              halves[2], kept;

    vsm_graph_node_multi(b->graph, "Split", &both, 1, &axis, 1, halves, 2);
    u->reset = halves[0];
    u->update = halves[1];
    kept = vsm_graph_op(b->graph, "Mul", u->reset, u->h);
    return vsm_rvm_layers_conv(&b->layers, candidate,
                               &(const struct vsm_rvm_part){concat(b, u->x, kept), 0, 2 * n}, 1);
}

static vsm_value fused_recur(struct builder *b, const struct vsm_rvm_conv *gates,
                             const struct vsm_rvm_conv *candidate, vsm_value x, vsm_value state)
{
    const vsm_value gates_weight = vsm_rvm_layers_weight(&b->layers, gates);
    const vsm_value gates_bias = vsm_rvm_layers_bias(&b->layers, gates);
    const vsm_value weight = vsm_rvm_layers_weight(&b->layers, candidate);
    const vsm_value bias = vsm_rvm_layers_bias(&b->layers, candidate);

    return vsm_graph_op(b->graph, VSM_FUSED_GRU, x, state, gates_weight, gates_bias, weight, bias);
}

/* Convolutional GRU on x with the state of `level`. Source: arXiv 2108.11515, equation 1. */
static vsm_value recur(struct builder *b, const char *scope, int number, vsm_value x, int level)
{
    const int64_t channels = vsm_rvm_graph_state_channels[level - 1];
    const int64_t dims[] = {b->batch, channels, b->height[level], b->width[level]};
    const bool whole = channels % VSM_RVM_LAYERS_BLOCK == 0;
    static const char *const inputs[] = {"r1i", "r2i", "r3i", "r4i"}, *const outputs[] = {"r1o", "r2o", "r3o",
                                                                                          "r4o"};
    char path[VSM_RVM_LAYERS_NAME / 2], layer[48];
    struct vsm_rvm_conv gates, candidate;
    struct gru u = {.x = x, .channels = channels};
    vsm_value h, minus_h, next;

    h = vsm_graph_input(b->graph, inputs[level - 1], VSM_F32, 4, dims);
    vsm_rvm_layers_name(&b->layers, path, sizeof(path), "recurrent_decoder/%s/%s/", scope,
                        vsm_rvm_layers_numbered(&b->layers, layer, "conv_gru", number));
    gates = vsm_rvm_layers_next(&b->layers, path, false, VSM_FUSED_SIGMOID);
    candidate = vsm_rvm_layers_next(&b->layers, path, false, VSM_FUSED_TANH);
    if (b->layers.fused) {
        next = fused_recur(b, &gates, &candidate, x, h);
        vsm_graph_output(b->graph, next, outputs[level - 1], VSM_F32, 4, dims);
        return next;
    }
    minus_h = vsm_graph_op(b->graph, "Neg", h);
    u.h = whole ? blocked(b, h) : h;
    next = whole ? recur_blocked(b, &u, &gates, &candidate) : recur_packed(b, &u, &gates, &candidate);
    /* h + update * (candidate - h), without a subtraction, which would leave the blocked layout. */
    next = vsm_graph_op(b->graph, "Add", next, whole ? blocked(b, minus_h) : minus_h);
    next = vsm_graph_op(b->graph, "Add", u.h, vsm_graph_op(b->graph, "Mul", u.update, next));
    vsm_graph_output(b->graph, next, outputs[level - 1], VSM_F32, 4, dims);
    return next;
}

/* The image at the size of `level`, from the level above. */
static vsm_value halve(struct builder *b, vsm_value x, int level)
{
    static const int64_t two[] = {2, 2};
    const int64_t pads[] = {0, 0, b->height[level - 1] % 2, b->width[level - 1] % 2};
    const struct vsm_attr attrs[] = {VSM_ATTR_IS("kernel_shape", two, 2), VSM_ATTR_IS("strides", two, 2),
                                     VSM_ATTR_IS("pads", pads, 4)};

    if (b->layers.fused)
        return vsm_graph_op(b->graph, VSM_FUSED_HALVE, x);
    return vsm_graph_node(b->graph, "AveragePool", &x, 1, attrs, 3);
}

/* Two halves of a level's features: one goes on as it is, the other through the GRU. */
struct halves {
    vsm_value plain, recurrent;
    int64_t channels; /* of each */
};

static struct halves split_conv(struct builder *b, struct vsm_rvm_conv *c, const struct vsm_rvm_part *parts,
                                size_t count, int level)
{
    struct halves h = {.channels = vsm_rvm_graph_state_channels[level - 1]};
    vsm_value both[2];

    vsm_rvm_layers_conv_halves(&b->layers, c, parts, count, both);
    h.plain = both[0];
    h.recurrent = both[1];
    return h;
}

/* Features at 1/16 and what the GRU makes of their second half. */
static struct halves bottleneck(struct builder *b, vsm_value x)
{
    struct vsm_rvm_conv project =
                            vsm_rvm_layers_next(&b->layers, "lraspp/sequential_15/", true, VSM_FUSED_RELU),
                        gate = gate_conv(b), part = project;
    vsm_value mean = vsm_graph_op(b->graph, VSM_FUSED_MEAN, x), gains;
    const struct vsm_rvm_part input = {x, 0, 960}, pooled = {mean, 0, 960};
    struct halves h = {.channels = 64};

    if (b->layers.fused) {
        project.gate = vsm_rvm_layers_conv(&b->layers, &gate, &pooled, 1);
        h = split_conv(b, &project, &input, 1, 4);
        h.recurrent = recur(b, "bottleneck_block", 0, h.recurrent, 4);
        return h;
    }
    part.out_count = gate.out_count = h.channels;
    gains = vsm_rvm_layers_conv(&b->layers, &gate, &pooled, 1);
    h.plain = vsm_graph_op(b->graph, "Mul", vsm_rvm_layers_conv(&b->layers, &part, &input, 1), gains);
    part.out_from = gate.out_from = h.channels;
    gains = vsm_rvm_layers_conv(&b->layers, &gate, &pooled, 1);
    h.recurrent = vsm_graph_op(b->graph, "Mul", vsm_rvm_layers_conv(&b->layers, &part, &input, 1), gains);
    h.recurrent = recur(b, "bottleneck_block", 0, h.recurrent, 4);
    return h;
}

/* One step up: both halves of the level below, the backbone's skip and the image. */
static struct halves decode_level(struct builder *b, struct halves below, vsm_value skip,
                                  int64_t skip_channels, vsm_value image, int level)
{
    const int number = 3 - level;
    char block[48], sequential[64], path[VSM_RVM_LAYERS_NAME / 2];
    struct vsm_rvm_conv c;
    struct halves h;

    vsm_rvm_layers_numbered(&b->layers, block, "upsampling_block", number);
    vsm_rvm_layers_name(&b->layers, sequential, sizeof(sequential), "sequential_%d", 16 + number);
    vsm_rvm_layers_name(&b->layers, path, sizeof(path), "recurrent_decoder/%s/%s/", block, sequential);
    c = vsm_rvm_layers_next(&b->layers, path, true, VSM_FUSED_RELU);
    h = split_conv(b, &c,
                   (const struct vsm_rvm_part[]){
                       {upsample(b, below.plain, below.channels, level), 0, below.channels},
                       {upsample(b, below.recurrent, below.channels, level), below.channels, below.channels},
                       {skip, 2 * below.channels, skip_channels},
                       {image, 2 * below.channels + skip_channels, 3}},
                   4, level);
    h.recurrent = recur(b, block, number + 1, h.recurrent, level);
    return h;
}

/* Rows of the grid that the output block makes at a time. Its values are the largest of the network, 64 bytes
 * a cell each: 100 MB more at 768x768 when they are made in one piece. The fused operators have no such
 * values. */
#define BAND 128

#define MAX_BANDS (VSM_RVM_GRID_MAX / BAND)

/* Rows of level 1 that a band reads beyond its own: two convolutions and the enlargement reach over 3 rows of
 * the grid, so that zeros and copies at the edges of a band stay outside it. */
#define BAND_MARGIN 2

static vsm_value rows(struct builder *b, vsm_value x, int from, int to)
{
    const int64_t start = from, end = to, axis = 2;

    return vsm_graph_op(b->graph, "Slice", x, vsm_graph_ints(b->graph, &start, 1),
                        vsm_graph_ints(b->graph, &end, 1), vsm_graph_ints(b->graph, &axis, 1));
}

static vsm_value output_block(struct builder *b, const struct vsm_rvm_conv convs[3],
                              const struct vsm_rvm_part parts[3])
{
    vsm_value x = vsm_rvm_layers_conv(&b->layers, &convs[0], parts, 3);

    for (int i = 1; i < 3; i++)
        x = vsm_rvm_layers_conv(&b->layers, &convs[i], &(const struct vsm_rvm_part){x, 0, 16}, 1);
    return x;
}

/* Alpha and foreground of rows from .. to - 1 of the grid; from is even. */
static vsm_value decode_band(struct builder *b, const struct vsm_rvm_conv convs[3], struct halves below,
                             vsm_value image, int from, int to)
{
    const int low_from = from / 2 > BAND_MARGIN ? from / 2 - BAND_MARGIN : 0;
    const int low_end = (to + 1) / 2 + BAND_MARGIN;
    const int low_to = low_end < b->height[1] ? low_end : b->height[1], first = 2 * low_from;
    const int last = 2 * low_to < b->height[0] ? 2 * low_to : b->height[0];
    const int low_height = low_to - low_from, height = last - first;
    const struct vsm_rvm_part parts[] = {{rows(b, below.plain, low_from, low_to), 0, 16, b->width[1],
                                          low_height, b->width[0], height},
                                         {rows(b, below.recurrent, low_from, low_to), 16, 16, b->width[1],
                                          low_height, b->width[0], height},
                                         {rows(b, image, first, last), 32, 3}};

    return rows(b, output_block(b, convs, parts), from - first, to - first);
}

static vsm_value decode_output(struct builder *b, struct halves below, vsm_value image)
{
    static const char path[] = "recurrent_decoder/output_block/sequential_19/";
    const struct vsm_rvm_part parts[] = {{below.plain, 0, 16}, {below.recurrent, 16, 16}, {image, 32, 3}};
    const struct vsm_attr axis = VSM_ATTR_I("axis", 2);
    struct vsm_rvm_conv convs[3];
    vsm_value bands[MAX_BANDS];
    size_t count = 0;

    convs[0] = vsm_rvm_layers_next(&b->layers, path, true, VSM_FUSED_RELU);
    convs[1] = vsm_rvm_layers_next(&b->layers, path, true, VSM_FUSED_RELU);
    convs[2] = vsm_rvm_layers_next(&b->layers, "", false, VSM_FUSED_NONE);
    if (b->layers.fused)
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
    if (b->layers.fused) {
        coefficients = vsm_graph_node(b->graph, VSM_FUSED_FIT, (const vsm_value[]){src, matte}, 2, &eps, 1);
        vsm_graph_output(b->graph, coefficients, "coefficients", VSM_F32, 4, fit_dims);
    }
}

static int build_graph(const struct vsm_tfjs *weights, int width, int height, int batch, bool fused,
                       struct vsm_graph **graph)
{
    struct builder b = {.batch = batch};
    int status;

    b.graph = vsm_graph_create("RVM", OPSET);
    if (!b.graph)
        return VSM_E_NOMEM;
    b.layers = (struct vsm_rvm_layers){.base = {b.graph, weights}, .fused = fused};
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
