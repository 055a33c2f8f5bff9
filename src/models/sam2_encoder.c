#include "base/mem.h"
#include "models/sam2_graphs.h"

#include <stdio.h>

#define NECK "image_encoder.neck.convs.%d.conv"

/* The pyramid's lateral layer of a trunk stage; its numbers run from the coarsest to the finest. */
static vsm_value lateral(struct vsm_sam2_build *b, vsm_value x, int stage)
{
    return vsm_sam2_build_linear(b, x, vsm_sam2_config_channels(b->config, stage), VSM_SAM2_DIM, NECK,
                                 3 - stage);
}

/* Two linear layers after each other as one: W = second first, bias = second bias1 + bias2. */
static vsm_value merged(struct vsm_sam2_build *b, vsm_value x, int stage, int64_t out, const char *second)
{
    const int64_t in = vsm_sam2_config_channels(b->config, stage), mid = VSM_SAM2_DIM;
    float *w1 = vsm_sam2_build_read(b, mid * in, NECK ".weight", 3 - stage);
    float *b1 = vsm_sam2_build_read(b, mid, NECK ".bias", 3 - stage);
    float *w2 = vsm_sam2_build_read(b, out * mid, "%s.weight", second);
    float *b2 = vsm_sam2_build_read(b, out, "%s.bias", second);
    float *w = vsm_mem_alloc("merged layer", (size_t)(out * in), sizeof(*w));
    float *bias = vsm_mem_alloc("merged layer", (size_t)out, sizeof(*bias));

    if (b->status == VSM_OK && w && bias) {
        for (int64_t i = 0; i < out; i++) {
            double sum = (double)b2[i];

            for (int64_t k = 0; k < mid; k++)
                sum += (double)w2[i * mid + k] * (double)b1[k];
            bias[i] = (float)sum;
            for (int64_t j = 0; j < in; j++) {
                sum = 0;
                for (int64_t k = 0; k < mid; k++)
                    sum += (double)w2[i * mid + k] * (double)w1[k * in + j];
                w[i * in + j] = (float)sum;
            }
        }
    }
    x = vsm_sam2_build_gemm(b, x, vsm_sam2_build_constant(b, 2, VSM_DIMS(out, in), w),
                            vsm_sam2_build_constant(b, 1, &out, bias));
    vsm_mem_free(w1);
    vsm_mem_free(b1);
    vsm_mem_free(w2);
    vsm_mem_free(b2);
    vsm_mem_free(w);
    vsm_mem_free(bias);
    return x;
}

/* Level 2 plus level 3 with every pixel doubled both ways. */
static vsm_value top_down(struct vsm_sam2_build *b, vsm_value fine, vsm_value coarse)
{
    int64_t half = b->config->grid / 2;
    vsm_value sum;

    fine = vsm_sam2_build_reshape(b, fine, 6, VSM_DIMS(-1, half, 2, half, 2, VSM_SAM2_DIM));
    coarse = vsm_sam2_build_reshape(b, coarse, 6, VSM_DIMS(-1, half, 1, half, 1, VSM_SAM2_DIM));
    sum = vsm_sam2_build_add(b, fine, coarse);
    return vsm_sam2_build_batched(b, sum, 4 * half * half, VSM_SAM2_DIM);
}

static void output(struct vsm_sam2_build *b, vsm_value x, const char *name, int64_t rows, int64_t channels)
{
    x = vsm_sam2_build_batched(b, x, rows, channels);
    vsm_sam2_build_output(b, x, name, 3, VSM_DIMS(-1, rows, channels));
}

void vsm_sam2_encoder_graph(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                            const struct vsm_sam2_config *config)
{
    const int64_t s = config->image_size, pixels = (int64_t)config->grid * config->grid;
    vsm_value image = VSM_VALUE_NONE,
              levels[4] = {VSM_VALUE_NONE, VSM_VALUE_NONE, VSM_VALUE_NONE, VSM_VALUE_NONE};

    vsm_sam2_build_start(b, "encoder", weights, config);
    if (b->own && !b->status)
        image = vsm_graph_input(b->graph, "image", VSM_F16, 4, VSM_DIMS(-1, 3, s, s));
    else
        vsm_sam2_build_input(b, &image, "image", 4, VSM_DIMS(-1, 3, s, s));
    if (config->family == VSM_SAM2_EDGETAM)
        vsm_edgetam_trunk_build(b, image, levels);
    else
        vsm_sam2_hiera_build(b, image, levels);
    for (int i = 0; b->trace && i < 4; i++) {
        char name[16];

        snprintf(name, sizeof(name), "trunk.%d", i);
        output(b, levels[i], name, pixels * 16 >> 2 * i, vsm_sam2_config_channels(config, i));
    }
    output(b, merged(b, levels[0], 0, 32, "sam_mask_decoder.conv_s0"), "f0", pixels * 16, 32);
    output(b, merged(b, levels[1], 1, 64, "sam_mask_decoder.conv_s1"), "f1", pixels * 4, 64);
    output(b, top_down(b, lateral(b, levels[2], 2), lateral(b, levels[3], 3)), "feat", pixels, VSM_SAM2_DIM);
}
