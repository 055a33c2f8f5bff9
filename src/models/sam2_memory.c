/* The memory encoder: a mask and the picture's features become 64 channels a pixel. */
#include "base/mem.h"
#include "models/sam2_graphs.h"

#define EPSILON 1e-6f
#define DIM     VSM_SAM2_DIM
#define ENCODER "memory_encoder."
#define TAPS    49 /* of the 7 x 7 kernels */

static vsm_value downsample_mask(struct vsm_sam2_build *b, vsm_value x)
{
    static const char key[] = ENCODER "mask_downsampler.encoder.%d";
    int64_t size = b->config->image_size, channels = 1;

    if (b->own)
        x = vsm_sam2_build_reshape(b, x, 4, VSM_DIMS(-1, size, size, 1));
    for (int i = 0; i < 4; i++) {
        if (!b->own)
            x = vsm_sam2_build_to_tokens(
                b, vsm_sam2_build_conv(b, x, channels, 4 * channels, 3, 2, 1, key, 3 * i), 4 * channels);
        else if (i < 2)
            x = vsm_sam2_build_small(b, x, channels, 4 * channels, key, 3 * i);
        else
            x = vsm_sam2_build_patches(b, x, channels, 4 * channels, 3, 2, 1, false, key, 3 * i);
        size /= 2;
        channels *= 4;
        x = vsm_sam2_build_norm(b, x, channels, EPSILON, key, 3 * i + 1);
        x = vsm_sam2_build_gelu(b, x);
        if (i < 3 && b->own)
            x = vsm_sam2_build_reshape(b, x, 4, VSM_DIMS(-1, size, size, channels));
        else if (i < 3)
            x = vsm_sam2_build_to_nchw(b, x, size, size, channels);
    }
    return vsm_sam2_build_linear(b, x, DIM, DIM, key, 12);
}

/* The block's last layer with its learned scale of every channel folded in. */
static vsm_value scaled_linear(struct vsm_sam2_build *b, vsm_value x, int layer)
{
    static const char key[] = ENCODER "fuser.layers.%d.%s";
    float *w = vsm_sam2_build_read(b, 4 * DIM * DIM, key, layer, "pwconv2.weight");
    float *bias = vsm_sam2_build_read(b, DIM, key, layer, "pwconv2.bias");
    float *gamma = vsm_sam2_build_read(b, DIM, key, layer, "gamma");

    for (int i = 0; i < DIM && b->status == VSM_OK; i++) {
        bias[i] *= gamma[i];
        for (int j = 0; j < 4 * DIM; j++)
            w[i * 4 * DIM + j] *= gamma[i];
    }
    x = vsm_sam2_build_gemm(b, x, vsm_sam2_build_constant(b, 2, VSM_DIMS(DIM, 4 * DIM), w),
                            vsm_sam2_build_constant(b, 1, VSM_DIMS(DIM), bias));
    vsm_mem_free(w);
    vsm_mem_free(bias);
    vsm_mem_free(gamma);
    return x;
}

static vsm_value depthwise_tokens(struct vsm_sam2_build *b, vsm_value x, int layer)
{
    static const char key[] = ENCODER "fuser.layers.%d.dwconv.%s";
    const int64_t n = b->config->grid, dim = DIM;
    float *from = vsm_sam2_build_read(b, dim * TAPS, key, layer, "weight");
    float *to = from ? vsm_mem_alloc("model parameter", (size_t)(dim * TAPS), sizeof(*to)) : NULL;
    vsm_value inputs[3];

    for (int64_t i = 0; to && i < dim * TAPS; i++)
        to[i % TAPS * dim + i / TAPS] = from[i];
    inputs[0] = vsm_sam2_build_reshape(b, x, 4, VSM_DIMS(-1, n, n, DIM));
    inputs[1] = vsm_sam2_build_constant(b, 2, VSM_DIMS(TAPS, dim), to);
    inputs[2] = vsm_sam2_build_weight(b, 1, &dim, key, layer, "bias");
    vsm_mem_free(to);
    vsm_mem_free(from);
    if (b->status)
        return VSM_VALUE_NONE;
    return vsm_sam2_build_flat(b, vsm_graph_node(b->graph, "vsm:DepthwiseTokens", inputs, 3, NULL, 0), DIM);
}

static vsm_value fuse(struct vsm_sam2_build *b, vsm_value x, int layer)
{
    static const char key[] = ENCODER "fuser.layers.%d.%s";
    const int64_t n = b->config->grid;
    vsm_value y;

    if (b->own)
        y = depthwise_tokens(b, x, layer);
    else
        y = vsm_sam2_build_to_tokens(b,
                                     vsm_sam2_build_conv(b, vsm_sam2_build_to_nchw(b, x, n, n, DIM), DIM, DIM,
                                                         7, 1, DIM, key, layer, "dwconv"),
                                     DIM);
    y = vsm_sam2_build_norm(b, y, DIM, EPSILON, key, layer, "norm");
    y = vsm_sam2_build_gelu(b, vsm_sam2_build_linear(b, y, DIM, 4 * DIM, key, layer, "pwconv1"));
    return vsm_sam2_build_add(b, x, scaled_linear(b, y, layer));
}

static vsm_value op(struct vsm_sam2_build *b, const char *name, vsm_value x, vsm_value y)
{
    const vsm_value inputs[] = {x, y};

    return b->status ? VSM_VALUE_NONE
                     : vsm_graph_node(b->graph, name, inputs, y == VSM_VALUE_NONE ? 1 : 2, NULL, 0);
}

/* The mask input from low-resolution logits, enlarged four times as vsm_sam2_mask_resize() does it. */
static vsm_value mask_of_logits(struct vsm_sam2_build *b)
{
    static const float by_four[] = {1, 1, 4, 4};
    const struct vsm_attr attrs[] = {VSM_ATTR_S("mode", "linear"),
                                     VSM_ATTR_S("coordinate_transformation_mode", "half_pixel")};
    const int64_t side = b->config->image_size / 4;
    vsm_value logits, binary, x, soft, hard;

    vsm_sam2_build_input(b, &logits, "logits", 4, VSM_DIMS(-1, 1, side, side));
    vsm_sam2_build_input(b, &binary, "binary", 4, VSM_DIMS(-1, 1, 1, 1));
    if (b->status)
        return VSM_VALUE_NONE;
    x = vsm_graph_node(b->graph, "Resize",
                       (const vsm_value[]){logits, VSM_VALUE_NONE,
                                           vsm_graph_weight_copy(b->graph, VSM_F32, 1, VSM_DIMS(4), by_four)},
                       3, attrs, 2);
    soft = op(b, "Sigmoid", x, VSM_VALUE_NONE);
    hard = vsm_sam2_build_cast(b, op(b, "Greater", x, vsm_graph_scalar(b->graph, 0)), 1);
    x = vsm_sam2_build_add(b, soft, op(b, "Mul", binary, op(b, "Sub", hard, soft)));
    x = op(b, "Mul", x, vsm_graph_scalar(b->graph, 20));
    return vsm_sam2_build_add(b, x, vsm_graph_scalar(b->graph, -10));
}

/* Marks the memory of absent objects, rounds and declares it. */
static void output_rounded(struct vsm_sam2_build *b, vsm_value x)
{
    const int64_t dims[] = {-1, b->config->memory_tokens, VSM_SAM2_MEMORY_DIM};

    if (b->config->family == VSM_SAM2_1) {
        vsm_value absent, mark;

        vsm_sam2_build_input(b, &absent, "absent", 3, VSM_DIMS(-1, 1, 1));
        mark = vsm_sam2_build_weight(b, 3, VSM_DIMS(1, 1, VSM_SAM2_MEMORY_DIM), "no_obj_embed_spatial");
        x = vsm_sam2_build_add(b, x, op(b, "Mul", absent, mark));
    }
    x = vsm_sam2_build_cast(b, x, 16);
    if (!b->status)
        vsm_graph_output(b->graph, x, "memory", VSM_BF16, 3, dims);
}

void vsm_sam2_memory_graph(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                           const struct vsm_sam2_config *config)
{
    const int64_t s = config->image_size, pixels = (int64_t)config->grid * config->grid;
    const bool edgetam = config->family == VSM_SAM2_EDGETAM;
    vsm_value feat, x, y;

    vsm_sam2_build_start(b, "memory_encoder", weights, config);
    vsm_sam2_build_input(b, &feat, "feat", 3, VSM_DIMS(-1, pixels, DIM));
    if (b->device)
        x = mask_of_logits(b);
    else
        vsm_sam2_build_input(b, &x, "mask", 4, VSM_DIMS(-1, 1, s, s));
    x = downsample_mask(b, x);
    if (b->trace)
        vsm_sam2_build_output(b, vsm_sam2_build_batched(b, x, pixels, DIM), "mask_downsampled", 3,
                              VSM_DIMS(-1, pixels, DIM));
    y = vsm_sam2_build_linear(b, vsm_sam2_build_flat(b, feat, DIM), DIM, DIM, ENCODER "pix_feat_proj");
    x = vsm_sam2_build_add(b, y, x);
    for (int i = 0; i < 2; i++)
        x = fuse(b, x, i);
    x = vsm_sam2_build_linear(b, x, DIM, VSM_SAM2_MEMORY_DIM, ENCODER "out_proj");
    if (edgetam && b->trace)
        vsm_sam2_build_output(b, vsm_sam2_build_batched(b, x, pixels, VSM_SAM2_MEMORY_DIM), "raw", 3,
                              VSM_DIMS(-1, pixels, VSM_SAM2_MEMORY_DIM));
    x = edgetam ? vsm_edgetam_perceiver_build(b, x)
                : vsm_sam2_build_batched(b, x, pixels, VSM_SAM2_MEMORY_DIM);
    if (b->device)
        output_rounded(b, x);
    else
        vsm_sam2_build_output(b, x, "memory", 3, VSM_DIMS(-1, config->memory_tokens, VSM_SAM2_MEMORY_DIM));
}
