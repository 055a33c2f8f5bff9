#include "models/sam2_config.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define MAX_BLOCKS 100

struct size {
    const char *name[2]; /* 2.0, 2.1 */
    size_t tensors;      /* of 2.1; 2.0 has 3 less */
    int dim, heads, total_blocks;
    int blocks[4], window[4], global_blocks[3];
};

static const struct size sizes[] = {
    {{"sam2_hiera_tiny", "sam2.1_hiera_tiny"}, 471, 96, 1, 12, {1, 2, 7, 2}, {8, 4, 14, 7}, {5, 7, 9}},
    {{"sam2_hiera_small", "sam2.1_hiera_small"}, 519, 96, 1, 16, {1, 2, 11, 2}, {8, 4, 14, 7}, {7, 10, 13}},
    {{"sam2_hiera_base_plus", "sam2.1_hiera_base_plus"},
     615,
     112,
     2,
     24,
     {2, 3, 16, 3},
     {8, 4, 14, 7},
     {12, 16, 20}},
    {{"sam2_hiera_large", "sam2.1_hiera_large"}, 903, 144, 2, 48, {2, 6, 36, 4}, {8, 4, 16, 8}, {23, 33, 43}},
};

#define EDGETAM_TENSORS 982
#define EDGETAM_DIM     48

/* The tensor under its official or its transformers name; notes which it was. */
static const struct vsm_weight *either(const struct vsm_weights *weights, const char *official,
                                       const char *other, bool *hugging_face)
{
    const struct vsm_weight *w = vsm_weights_find(weights, official);

    *hugging_face = !w;
    return w ? w : vsm_weights_find(weights, other);
}

static int count_blocks(const struct vsm_weights *weights, bool hugging_face)
{
    char key[96];
    int n = 0;

    for (; n < MAX_BLOCKS; n++) {
        snprintf(key, sizeof(key),
                 hugging_face ? "vision_encoder.backbone.blocks.%d.layer_norm1.weight"
                              : "image_encoder.trunk.blocks.%d.norm1.weight",
                 n);
        if (!vsm_weights_find(weights, key))
            break;
    }
    return n;
}

static int detect_hiera(const struct vsm_weights *weights, const struct vsm_weight *position,
                        struct vsm_sam2_config *config, size_t *tensors)
{
    int blocks = count_blocks(weights, config->hugging_face);
    bool newer = vsm_weights_find(weights, config->hugging_face
                                               ? "temporal_positional_encoding_projection_layer.weight"
                                               : "obj_ptr_tpos_proj.weight");

    config->family = newer ? VSM_SAM2_1 : VSM_SAM2_0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const struct size *s = &sizes[i];

        if (position->rank != 4 || position->dims[1] != s->dim || blocks != s->total_blocks ||
            position->dims[2] != position->dims[3] || position->dims[2] < 1 || position->dims[2] > 64)
            continue;
        config->name = s->name[newer];
        config->dim = s->dim;
        config->heads = s->heads;
        config->position_side = (int)position->dims[2];
        memcpy(config->blocks, s->blocks, sizeof(s->blocks));
        memcpy(config->window, s->window, sizeof(s->window));
        memcpy(config->global_blocks, s->global_blocks, sizeof(s->global_blocks));
        config->attention_layers = 4;
        *tensors = newer ? s->tensors : s->tensors - 3;
        return VSM_OK;
    }
    return vsm_fail(VSM_E_MODEL, "%s: a SAM 2 of unknown size (%lld channels, %d blocks)",
                    vsm_weights_path(weights), position->rank == 4 ? (long long)position->dims[1] : -1,
                    blocks);
}

int vsm_sam2_config_detect(const struct vsm_weights *weights, int image_size, struct vsm_sam2_config *config)
{
    const char *path = vsm_weights_path(weights);
    const struct vsm_weight *w;
    size_t tensors = EDGETAM_TENSORS;
    int status = VSM_OK, step = 32;

    *config = (struct vsm_sam2_config){.image_size = image_size, .grid = image_size / 16};
    if (either(weights, "spatial_perceiver.latents", "spatial_perceiver.latents_1d", &config->hugging_face)) {
        config->family = VSM_SAM2_EDGETAM;
        config->name = "edgetam";
        config->dim = EDGETAM_DIM;
        config->attention_layers = 2;
        step = 256;
    } else if ((w = either(weights, "image_encoder.trunk.pos_embed", "vision_encoder.backbone.pos_embed",
                           &config->hugging_face))) {
        status = detect_hiera(weights, w, config, &tensors);
    } else {
        return vsm_fail(
            VSM_E_MODEL,
            "%s: neither SAM 2, SAM 2.1 nor EdgeTAM (%zu tensors, none of an image encoder known here)", path,
            vsm_weights_count(weights));
    }
    if (status)
        return status;
    if (image_size < 128 || image_size > 2048 || image_size % step)
        return vsm_fail(VSM_E_USAGE, "%s: image size %d; %s needs a multiple of %d from %d to 2048", path,
                        image_size, config->name, step, step < 128 ? 128 : step);
    config->memory_tokens = config->family == VSM_SAM2_EDGETAM ? 512 : config->grid * config->grid;
    if (!config->hugging_face && vsm_weights_count(weights) > tensors)
        vsm_log(VSM_LOG_WARN, path, "has %zu tensors, %zu more than %s; the others are not used",
                vsm_weights_count(weights), vsm_weights_count(weights) - tensors, config->name);
    return VSM_OK;
}

int vsm_sam2_config_channels(const struct vsm_sam2_config *config, int stage)
{
    return config->dim << stage;
}
