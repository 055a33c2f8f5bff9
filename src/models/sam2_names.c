#include "models/sam2_names.h"

#include "models/sam2_config.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 192

struct rule {
    const char *from, *to;
};

/* Whole names, without .weight and .bias. */
static const struct rule whole[] = {
    {"maskmem_tpos_enc", "memory_temporal_positional_encoding"},
    {"no_mem_embed", "no_memory_embedding"},
    {"no_mem_pos_enc", "no_memory_positional_encoding"},
    {"no_obj_ptr", "no_object_pointer"},
    {"no_obj_embed_spatial", "occlusion_spatial_embedding_parameter"},
    {"obj_ptr_proj.layers.0", "object_pointer_proj.proj_in"},
    {"obj_ptr_proj.layers.1", "object_pointer_proj.layers.0"},
    {"obj_ptr_proj.layers.2", "object_pointer_proj.proj_out"},
    {"obj_ptr_tpos_proj", "temporal_positional_encoding_projection_layer"},
    {"memory_encoder.out_proj", "memory_encoder.projection"},
    {"memory_encoder.pix_feat_proj", "memory_encoder.feature_projection"},
    {"memory_encoder.mask_downsampler.encoder.0", "memory_encoder.mask_downsampler.layers.0.conv"},
    {"memory_encoder.mask_downsampler.encoder.1", "memory_encoder.mask_downsampler.layers.0.layer_norm"},
    {"memory_encoder.mask_downsampler.encoder.3", "memory_encoder.mask_downsampler.layers.1.conv"},
    {"memory_encoder.mask_downsampler.encoder.4", "memory_encoder.mask_downsampler.layers.1.layer_norm"},
    {"memory_encoder.mask_downsampler.encoder.6", "memory_encoder.mask_downsampler.layers.2.conv"},
    {"memory_encoder.mask_downsampler.encoder.7", "memory_encoder.mask_downsampler.layers.2.layer_norm"},
    {"memory_encoder.mask_downsampler.encoder.9", "memory_encoder.mask_downsampler.layers.3.conv"},
    {"memory_encoder.mask_downsampler.encoder.10", "memory_encoder.mask_downsampler.layers.3.layer_norm"},
    {"memory_encoder.mask_downsampler.encoder.12", "memory_encoder.mask_downsampler.final_conv"},
    {"sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
     "prompt_encoder.shared_embedding.positional_embedding"},
    {"sam_prompt_encoder.mask_downscaling.0", "prompt_encoder.mask_embed.conv1"},
    {"sam_prompt_encoder.mask_downscaling.1", "prompt_encoder.mask_embed.layer_norm1"},
    {"sam_prompt_encoder.mask_downscaling.3", "prompt_encoder.mask_embed.conv2"},
    {"sam_prompt_encoder.mask_downscaling.4", "prompt_encoder.mask_embed.layer_norm2"},
    {"sam_prompt_encoder.mask_downscaling.6", "prompt_encoder.mask_embed.conv3"},
    {"sam_mask_decoder.output_upscaling.0", "mask_decoder.upscale_conv1"},
    {"sam_mask_decoder.output_upscaling.1", "mask_decoder.upscale_layer_norm"},
    {"sam_mask_decoder.output_upscaling.3", "mask_decoder.upscale_conv2"},
    {"spatial_perceiver.latents", "spatial_perceiver.latents_1d"},
    {"spatial_perceiver.latents_2d", "spatial_perceiver.latents_2d"},
};

/* Parts of names under a prefix; the first occurrence is replaced, in this order. */
struct part_rule {
    const char *prefix, *from, *to;
};

static const struct part_rule parts[] = {
    {"image_encoder.neck.", ".conv", ""},
    {"image_encoder.trunk.blocks.", "mlp.layers.0", "mlp.proj_in"},
    {"image_encoder.trunk.blocks.", "mlp.layers.1", "mlp.proj_out"},
    {"image_encoder.trunk.blocks.", ".norm", ".layer_norm"},
    {"image_encoder.trunk.patch_embed.", "proj", "projection"},
    {"memory_attention.", "out_proj", "o_proj"},
    {"memory_attention.", ".norm", ".layer_norm"},
    {"memory_encoder.", "fuser", "memory_fuser"},
    {"memory_encoder.", "dwconv", "depthwise_conv"},
    {"memory_encoder.", "pwconv", "pointwise_conv"},
    {"memory_encoder.", "gamma", "scale"},
    {"memory_encoder.", ".norm", ".layer_norm"},
    {"sam_mask_decoder.", "out_proj", "o_proj"},
    {"sam_mask_decoder.", ".norm", ".layer_norm"},
    {"sam_mask_decoder.transformer.", "mlp.layers.0", "mlp.proj_in"},
    {"sam_mask_decoder.transformer.", "mlp.layers.1", "mlp.proj_out"},
    {"spatial_perceiver.", "self_attn.norm", "layer_norm_self"},
    {"spatial_perceiver.", "self_attn.", "self_attention."},
    {"spatial_perceiver.", ".attn.norm_x", ".layer_norm_input"},
    {"spatial_perceiver.", ".attn.norm_latents", ".layer_norm_latents"},
    {"spatial_perceiver.", ".attn.", ".cross_attention."},
    {"spatial_perceiver.", ".norm", ".layer_norm"},
    {"spatial_perceiver.", "to_q", "q_proj"},
    {"spatial_perceiver.", "to_out", "o_proj"},
    {"spatial_perceiver.", "self_ff.0", "self_mlp.layer_norm"},
    {"spatial_perceiver.", "self_ff.1", "self_mlp.up_proj"},
    {"spatial_perceiver.", "self_ff.3", "self_mlp.down_proj"},
    {"spatial_perceiver.", ".ff.0", ".mlp.layer_norm"},
    {"spatial_perceiver.", ".ff.1", ".mlp.up_proj"},
    {"spatial_perceiver.", ".ff.3", ".mlp.down_proj"},
};

static const struct rule prefixes[] = {
    {"sam_prompt_encoder.", "prompt_encoder."},
    {"sam_mask_decoder.", "mask_decoder."},
    {"image_encoder.trunk.body.", "vision_encoder.backbone.timm_model."},
    {"image_encoder.trunk.", "vision_encoder.backbone."},
    {"image_encoder.neck.", "vision_encoder.neck."},
};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Replaces the last occurrence of `from` in `text`. */
static void replace(char text[NAME_SIZE], const char *from, const char *to)
{
    char rest[NAME_SIZE], *at = NULL;

    for (char *p = text; (p = strstr(p, from)); p++)
        at = p;
    if (!at)
        return;
    snprintf(rest, sizeof(rest), "%s", at + strlen(from));
    snprintf(at, NAME_SIZE - (size_t)(at - text), "%s%s", to, rest);
}

/* The decoder's three-layer perceptrons: layers 0, 1, 2 are proj_in, layers.0, proj_out. */
static void rename_perceptron(char text[NAME_SIZE])
{
    static const struct rule layers[] = {{".layers.0.", ".proj_in."},
                                         {".layers.1.", ".layers.0."},
                                         {".layers.2.", ".proj_out."}};

    for (size_t i = 0; i < 3; i++)
        if (strstr(text, layers[i].from)) {
            replace(text, layers[i].from, layers[i].to);
            return;
        }
}

static bool rename_whole(const char *key, char *name, size_t size)
{
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        size_t length = strlen(whole[i].from);
        const char *rest = key + length;

        if (strncmp(key, whole[i].from, length) != 0)
            continue;
        if (*rest && strcmp(rest, ".weight") != 0 && strcmp(rest, ".bias") != 0)
            continue;
        snprintf(name, size, "%s%s", whole[i].to, rest);
        return true;
    }
    return false;
}

/* Parameters that the two kinds of file cut differently. */
static bool rename_special(const char *key, int64_t *first, char text[NAME_SIZE])
{
    const int64_t k_size = (int64_t)VSM_SAM2_MEMORY_DIM * VSM_SAM2_MEMORY_DIM;
    int label;

    if (sscanf(key, "sam_prompt_encoder.point_embeddings.%d.", &label) == 1) {
        snprintf(text, NAME_SIZE, "prompt_encoder.point_embed.weight");
        *first += (int64_t)label * VSM_SAM2_DIM;
        return true;
    }
    if (strstr(key, "to_kv")) {
        replace(text, "to_kv", *first < k_size ? "k_proj" : "v_proj");
        *first -= *first < k_size ? 0 : k_size;
        return true;
    }
    return false;
}

bool vsm_sam2_names_transformers(const char *key, bool edgetam, int64_t *first, char *name, size_t size)
{
    char text[NAME_SIZE];
    bool special;

    if (rename_whole(key, name, size))
        return false;
    snprintf(text, sizeof(text), "%s", key);
    special = rename_special(key, first, text);
    if (starts_with(key, "sam_mask_decoder.output_hyper") || starts_with(key, "sam_mask_decoder.iou_pred") ||
        starts_with(key, "sam_mask_decoder.pred_obj"))
        rename_perceptron(text);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (starts_with(key, parts[i].prefix))
            replace(text, parts[i].from, parts[i].to);
    if (edgetam && starts_with(key, "memory_attention.")) {
        replace(text, "linear1", "mlp.up_proj");
        replace(text, "linear2", "mlp.down_proj");
    }
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (starts_with(text, prefixes[i].from)) {
            char rest[NAME_SIZE];

            snprintf(rest, sizeof(rest), "%s", text + strlen(prefixes[i].from));
            snprintf(text, sizeof(text), "%s%s", prefixes[i].to, rest);
            break;
        }
    snprintf(name, size, "%s", text);
    return special;
}
