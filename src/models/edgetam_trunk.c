/* RepViT-M1: Wang et al., arXiv 2307.09283, in the form of EdgeTAM. Batch norms and the parallel depthwise
 * branches are folded into one convolution each. */
#include "base/mem.h"
#include "models/sam2_graphs.h"

#include <math.h>
#include <stdio.h>

#define EPSILON 1e-5f
#define BODY    "image_encoder.trunk.body."

/* A convolution with its batch norm folded in: w [out][taps], bias [out]. */
struct folded {
    float *w, *bias;
    int64_t out, taps;
};

static void release(struct folded *f)
{
    vsm_mem_free(f->w);
    vsm_mem_free(f->bias);
}

static struct folded fold(struct vsm_sam2_build *b, int64_t out, int64_t taps, const char *key)
{
    struct folded f = {.out = out, .taps = taps};
    float *gain = vsm_sam2_build_read(b, out, "%s.bn.weight", key);
    float *mean = vsm_sam2_build_read(b, out, "%s.bn.running_mean", key);
    float *variance = vsm_sam2_build_read(b, out, "%s.bn.running_var", key);

    f.w = vsm_sam2_build_read(b, out * taps, "%s.c.weight", key);
    f.bias = vsm_sam2_build_read(b, out, "%s.bn.bias", key);
    for (int64_t i = 0; i < out && b->status == VSM_OK; i++) {
        double scale = (double)gain[i] / sqrt((double)variance[i] + (double)EPSILON);

        f.bias[i] = (float)((double)f.bias[i] - (double)mean[i] * scale);
        for (int64_t j = 0; j < taps; j++)
            f.w[i * taps + j] = (float)((double)f.w[i * taps + j] * scale);
    }
    vsm_mem_free(gain);
    vsm_mem_free(mean);
    vsm_mem_free(variance);
    return f;
}

static vsm_value apply(struct vsm_sam2_build *b, vsm_value x, const struct folded *f, int64_t in, int kernel,
                       int stride, int groups)
{
    vsm_value w = vsm_sam2_build_constant(b, 4, VSM_DIMS(f->out, in / groups, kernel, kernel), f->w);
    vsm_value bias = vsm_sam2_build_constant(b, 1, &f->out, f->bias);

    return vsm_sam2_build_conv_values(b, x, w, bias, kernel, stride, groups);
}

static vsm_value conv(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out, int kernel, int stride,
                      int groups, const char *prefix, const char *name)
{
    char key[128];
    struct folded f;

    snprintf(key, sizeof(key), "%s%s", prefix, name);
    f = fold(b, out, in / groups * kernel * kernel, key);
    x = apply(b, x, &f, in, kernel, stride, groups);
    release(&f);
    return x;
}

/* 3x3 depthwise + 1x1 depthwise + identity, as one 3x3. */
static vsm_value token_mixer(struct vsm_sam2_build *b, vsm_value x, int64_t channels, const char *prefix)
{
    char key[128];
    struct folded wide, point;

    snprintf(key, sizeof(key), "%stoken_mixer.conv", prefix);
    wide = fold(b, channels, 9, key);
    snprintf(key, sizeof(key), "%stoken_mixer.conv1", prefix);
    point = fold(b, channels, 1, key);
    for (int64_t i = 0; i < channels && b->status == VSM_OK; i++) {
        wide.w[i * 9 + 4] += point.w[i] + 1;
        wide.bias[i] += point.bias[i];
    }
    x = apply(b, x, &wide, channels, 3, 1, (int)channels);
    release(&wide);
    release(&point);
    return x;
}

static vsm_value excite(struct vsm_sam2_build *b, vsm_value x, int64_t channels, const char *prefix)
{
    int64_t hidden = (channels / 4 + 4) / 8 * 8; /* 16, 24, 48, 96 */
    vsm_value y;

    if (b->status)
        return VSM_VALUE_NONE;
    y = vsm_graph_op(b->graph, "GlobalAveragePool", x);
    y = vsm_sam2_build_conv(b, y, channels, hidden, 1, 1, 1, "%sse.fc1", prefix);
    y = vsm_sam2_build_conv(b, vsm_sam2_build_relu(b, y), hidden, channels, 1, 1, 1, "%sse.fc2", prefix);
    if (b->status)
        return VSM_VALUE_NONE;
    return vsm_graph_op(b->graph, "Mul", x, vsm_graph_op(b->graph, "Sigmoid", y));
}

static vsm_value channel_mixer(struct vsm_sam2_build *b, vsm_value x, int64_t channels, const char *prefix,
                               const char *first, const char *second)
{
    vsm_value y = conv(b, x, channels, 2 * channels, 1, 1, 1, prefix, first);

    y = conv(b, vsm_sam2_build_gelu(b, y), 2 * channels, channels, 1, 1, 1, prefix, second);
    return vsm_sam2_build_add(b, x, y);
}

static vsm_value block(struct vsm_sam2_build *b, vsm_value x, int64_t channels, bool excited,
                       const char *prefix)
{
    x = token_mixer(b, x, channels, prefix);
    if (excited)
        x = excite(b, x, channels, prefix);
    return channel_mixer(b, x, channels, prefix, "channel_mixer.conv1", "channel_mixer.conv2");
}

static vsm_value downsample(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out, int stage)
{
    char prefix[96], inner[128];

    snprintf(prefix, sizeof(prefix), BODY "stages_%d.downsample.", stage);
    snprintf(inner, sizeof(inner), "%spre_block.", prefix);
    x = block(b, x, in, false, inner);
    x = conv(b, x, in, in, 3, 2, (int)in, prefix, "spatial_downsample");
    x = conv(b, x, in, out, 1, 1, 1, prefix, "channel_downsample");
    return channel_mixer(b, x, out, prefix, "ffn.conv1", "ffn.conv2");
}

void vsm_edgetam_trunk_build(struct vsm_sam2_build *b, vsm_value image, vsm_value tokens[4])
{
    static const int blocks[4] = {2, 2, 14, 2};
    int64_t channels = b->config->dim;
    vsm_value x = conv(b, image, 3, channels / 2, 3, 2, 1, BODY, "stem.conv1");

    x = conv(b, vsm_sam2_build_gelu(b, x), channels / 2, channels, 3, 2, 1, BODY, "stem.conv2");
    for (int stage = 0; stage < 4; stage++) {
        char prefix[96];

        if (stage > 0) {
            x = downsample(b, x, channels, 2 * channels, stage);
            channels *= 2;
        }
        for (int i = 0; i < blocks[stage]; i++) {
            snprintf(prefix, sizeof(prefix), BODY "stages_%d.blocks.%d.", stage, i);
            x = block(b, x, channels, i % 2 == 0, prefix);
        }
        tokens[stage] = vsm_sam2_build_to_tokens(b, x, channels);
    }
}
