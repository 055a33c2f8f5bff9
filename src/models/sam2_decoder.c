/* The mask decoder: a two-way transformer between a few tokens and the picture, then masks at a quarter of
 * the size. Source: Kirillov et al., arXiv 2304.02643, with SAM 2's object score and finer features. */
#include "base/mem.h"
#include "models/sam2_constants.h"
#include "models/sam2_graphs.h"

#include <stdio.h>

#define EPSILON       1e-5f
#define PIXEL_EPSILON 1e-6f
#define DIM           VSM_SAM2_DIM
#define CROSS         (DIM / 2)
#define HEADS         8
#define DECODER       "sam_mask_decoder."
#define LAYERS        DECODER "transformer."

struct state {
    vsm_value queries, tokens; /* [B, T, 256]; tokens: as they came in, their position encoding */
    vsm_value keys, position;  /* [B, n n, 256], [1, n n, 256] */
    int64_t pixels;
};

static vsm_value image_linear(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out, int64_t pixels,
                              const char *key, const char *part)
{
    x = vsm_sam2_build_linear(b, vsm_sam2_build_flat(b, x, in), in, out, "%s.%s", key, part);
    return vsm_sam2_build_batched(b, x, pixels, out);
}

static vsm_value self_attention(struct vsm_sam2_build *b, vsm_value x, vsm_value position, int layer)
{
    static const char key[] = LAYERS "layers.%d.self_attn.%s";
    vsm_value turned = position == VSM_VALUE_NONE ? x : vsm_sam2_build_add(b, x, position);
    vsm_value q = vsm_sam2_build_matmul(b, turned, DIM, DIM, key, layer, "q_proj");
    vsm_value k = vsm_sam2_build_matmul(b, turned, DIM, DIM, key, layer, "k_proj");
    vsm_value v = vsm_sam2_build_matmul(b, x, DIM, DIM, key, layer, "v_proj");

    return vsm_sam2_build_matmul(b, vsm_sam2_build_attention(b, q, k, v, HEADS), DIM, DIM, key, layer,
                                 "out_proj");
}

static vsm_value tokens_to_image(struct vsm_sam2_build *b, const struct state *s, const char *key)
{
    vsm_value queries = vsm_sam2_build_add(b, s->queries, s->tokens);
    vsm_value keys = vsm_sam2_build_add(b, s->keys, s->position);
    vsm_value q = vsm_sam2_build_matmul(b, queries, DIM, CROSS, "%s.q_proj", key);
    vsm_value k = image_linear(b, keys, DIM, CROSS, s->pixels, key, "k_proj");
    vsm_value v = image_linear(b, s->keys, DIM, CROSS, s->pixels, key, "v_proj");

    return vsm_sam2_build_matmul(b, vsm_sam2_build_attention(b, q, k, v, HEADS), CROSS, DIM, "%s.out_proj",
                                 key);
}

static vsm_value image_to_tokens(struct vsm_sam2_build *b, const struct state *s, const char *key)
{
    vsm_value queries = vsm_sam2_build_add(b, s->queries, s->tokens);
    vsm_value keys = vsm_sam2_build_add(b, s->keys, s->position);
    vsm_value q = image_linear(b, keys, DIM, CROSS, s->pixels, key, "q_proj");
    vsm_value k = vsm_sam2_build_matmul(b, queries, DIM, CROSS, "%s.k_proj", key);
    vsm_value v = vsm_sam2_build_matmul(b, s->queries, DIM, CROSS, "%s.v_proj", key);

    return image_linear(b, vsm_sam2_build_attention(b, q, k, v, HEADS), CROSS, DIM, s->pixels, key,
                        "out_proj");
}

static void two_way_layer(struct vsm_sam2_build *b, struct state *s, int layer)
{
    static const char norm[] = LAYERS "layers.%d.norm%d";
    char key[96];
    vsm_value x;

    if (layer == 0) /* neither residual nor position */
        s->queries = self_attention(b, s->queries, VSM_VALUE_NONE, layer);
    else
        s->queries = vsm_sam2_build_add(b, s->queries, self_attention(b, s->queries, s->tokens, layer));
    s->queries = vsm_sam2_build_norm(b, s->queries, DIM, EPSILON, norm, layer, 1);

    snprintf(key, sizeof(key), LAYERS "layers.%d.cross_attn_token_to_image", layer);
    s->queries = vsm_sam2_build_add(b, s->queries, tokens_to_image(b, s, key));
    s->queries = vsm_sam2_build_norm(b, s->queries, DIM, EPSILON, norm, layer, 2);

    x = vsm_sam2_build_matmul(b, s->queries, DIM, 8 * DIM, LAYERS "layers.%d.mlp.layers.0", layer);
    x = vsm_sam2_build_relu(b, x);
    x = vsm_sam2_build_matmul(b, x, 8 * DIM, DIM, LAYERS "layers.%d.mlp.layers.1", layer);
    s->queries = vsm_sam2_build_norm(b, vsm_sam2_build_add(b, s->queries, x), DIM, EPSILON, norm, layer, 3);

    snprintf(key, sizeof(key), LAYERS "layers.%d.cross_attn_image_to_token", layer);
    s->keys = vsm_sam2_build_add(b, s->keys, image_to_tokens(b, s, key));
    s->keys = vsm_sam2_build_norm(b, s->keys, DIM, EPSILON, norm, layer, 4);
}

/* A transposed convolution, kernel and stride 2, of tokens [B * size * size, in] to [B * 4 size * size, out]:
 * a linear layer to 2 x 2 pixels, which are then put in their places. */
static vsm_value enlarge(struct vsm_sam2_build *b, vsm_value x, int64_t size, int64_t in, int64_t out,
                         const char *key)
{
    float *w = vsm_sam2_build_read(b, in * out * 4, "%s.weight", key);
    float *bias = vsm_sam2_build_read(b, out, "%s.bias", key);
    float *rows = vsm_mem_alloc("enlarging layer", (size_t)(in * out * 4), sizeof(*rows));
    float *biases = vsm_mem_alloc("enlarging layer", (size_t)(out * 4), sizeof(*biases));

    for (int64_t i = 0; i < 4 * out && b->status == VSM_OK && rows && biases; i++) {
        int64_t place = i / out, o = i % out;

        biases[i] = bias[o];
        for (int64_t c = 0; c < in; c++)
            rows[i * in + c] = w[(c * out + o) * 4 + place];
    }
    x = vsm_sam2_build_gemm(b, x, vsm_sam2_build_constant(b, 2, VSM_DIMS(4 * out, in), rows),
                            vsm_sam2_build_constant(b, 1, VSM_DIMS(4 * out), biases));
    vsm_mem_free(w);
    vsm_mem_free(bias);
    vsm_mem_free(rows);
    vsm_mem_free(biases);
    x = vsm_sam2_build_reshape(b, x, 6, VSM_DIMS(-1, size, size, 2, 2, out));
    x = vsm_sam2_build_transpose(b, x, 6, VSM_DIMS(0, 1, 3, 2, 4, 5));
    return vsm_sam2_build_batched(b, x, 4 * size * size, out);
}

/* Pixel embeddings [B, 16 n n, 32] */
static vsm_value pixels_of(struct vsm_sam2_build *b, vsm_value keys, vsm_value f0, vsm_value f1)
{
    const int64_t n = b->config->grid;
    vsm_value x = enlarge(b, vsm_sam2_build_flat(b, keys, DIM), n, DIM, 64, DECODER "output_upscaling.0");

    x = vsm_sam2_build_add(b, x, f1);
    x = vsm_sam2_build_norm(b, x, 64, PIXEL_EPSILON, DECODER "output_upscaling.1");
    x = vsm_sam2_build_flat(b, vsm_sam2_build_gelu(b, x), 64);
    x = enlarge(b, x, 2 * n, 64, 32, DECODER "output_upscaling.3");
    return vsm_sam2_build_gelu(b, vsm_sam2_build_add(b, x, f0));
}

static vsm_value token(struct vsm_sam2_build *b, vsm_value queries, int64_t index)
{
    return vsm_sam2_build_flat(b, vsm_sam2_build_slice(b, queries, 1, index, index + 1), DIM);
}

static void output_masks(struct vsm_sam2_build *b, vsm_value queries, vsm_value pixels)
{
    const int64_t n = b->config->grid;
    vsm_value all = VSM_VALUE_NONE;

    for (int i = 0; i < VSM_SAM2_MASKS; i++) {
        vsm_value x = vsm_sam2_build_mlp(b, token(b, queries, 2 + i), DIM, DIM, 32, 3,
                                         DECODER "output_hypernetworks_mlps.%d", i);

        x = vsm_sam2_build_reshape(b, x, 3, VSM_DIMS(-1, 32, 1));
        all = i ? vsm_sam2_build_concat(b, all, x, 2) : x;
    }
    if (b->status)
        return;
    all = vsm_graph_op(b->graph, "MatMul", pixels, all);
    all = vsm_sam2_build_transpose(b, all, 3, VSM_DIMS(0, 2, 1));
    vsm_sam2_build_output(b, all, "masks", 3, VSM_DIMS(-1, VSM_SAM2_MASKS, 16 * n * n));
}

static void output_heads(struct vsm_sam2_build *b, vsm_value queries)
{
    vsm_value x = vsm_sam2_build_mlp(b, token(b, queries, 1), DIM, DIM, VSM_SAM2_MASKS, 3,
                                     DECODER "iou_prediction_head");

    if (b->status)
        return;
    vsm_sam2_build_output(b, vsm_graph_op(b->graph, "Sigmoid", x), "iou", 2, VSM_DIMS(-1, VSM_SAM2_MASKS));
    x = vsm_sam2_build_mlp(b, token(b, queries, 0), DIM, DIM, 1, 3, DECODER "pred_obj_score_head");
    vsm_sam2_build_output(b, x, "score", 2, VSM_DIMS(-1, 1));
    x = vsm_sam2_build_slice(b, queries, 1, 2, 2 + VSM_SAM2_MASKS);
    vsm_sam2_build_output(b, x, "mask_tokens", 3, VSM_DIMS(-1, VSM_SAM2_MASKS, DIM));
    x = vsm_sam2_build_mlp(b, vsm_sam2_build_flat(b, x, DIM), DIM, DIM, DIM, 3, "obj_ptr_proj");
    x = vsm_sam2_build_batched(b, x, VSM_SAM2_MASKS, DIM);
    vsm_sam2_build_output(b, x, "pointers", 3, VSM_DIMS(-1, VSM_SAM2_MASKS, DIM));
}

static vsm_value grid_positions(struct vsm_sam2_build *b, int64_t pixels)
{
    float *gaussian =
        vsm_sam2_build_read(b, 2 * CROSS, "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix");
    float *table = gaussian ? vsm_mem_alloc("grid positions", (size_t)pixels * DIM, sizeof(*table)) : NULL;
    vsm_value v;

    if (table)
        vsm_sam2_constants_dense(gaussian, b->config->grid, table);
    v = vsm_sam2_build_constant(b, 3, VSM_DIMS(1, pixels, DIM), table);
    vsm_mem_free(gaussian);
    vsm_mem_free(table);
    return v;
}

void vsm_sam2_decoder_graph(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                            const struct vsm_sam2_config *config)
{
    const int64_t pixels = (int64_t)config->grid * config->grid;
    struct state s = {.pixels = pixels};
    vsm_value dense, f0, f1;

    vsm_sam2_build_start(b, "mask_decoder", weights, config);
    vsm_sam2_build_input(b, &s.keys, "image", 3, VSM_DIMS(-1, pixels, DIM));
    vsm_sam2_build_input(b, &dense, "dense", 3, VSM_DIMS(-1, -1, DIM));
    vsm_sam2_build_input(b, &s.tokens, "tokens", 3, VSM_DIMS(-1, -1, DIM));
    vsm_sam2_build_input(b, &f0, "f0", 3, VSM_DIMS(-1, 16 * pixels, 32));
    vsm_sam2_build_input(b, &f1, "f1", 3, VSM_DIMS(-1, 4 * pixels, 64));
    s.keys = vsm_sam2_build_add(b, s.keys, dense);
    s.queries = s.tokens;
    s.position = grid_positions(b, pixels);
    for (int i = 0; i < 2; i++)
        two_way_layer(b, &s, i);
    s.queries = vsm_sam2_build_add(b, s.queries, tokens_to_image(b, &s, LAYERS "final_attn_token_to_image"));
    s.queries = vsm_sam2_build_norm(b, s.queries, DIM, EPSILON, LAYERS "norm_final_attn");
    if (b->trace) {
        vsm_sam2_build_output(b, s.queries, "queries", 3, VSM_DIMS(-1, -1, DIM));
        vsm_sam2_build_output(b, s.keys, "keys", 3, VSM_DIMS(-1, pixels, DIM));
    }
    output_masks(b, s.queries, pixels_of(b, s.keys, f0, f1));
    output_heads(b, s.queries);
}

void vsm_sam2_prompt_graph(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                           const struct vsm_sam2_config *config)
{
    static const char key[] = "sam_prompt_encoder.mask_downscaling.%d";
    const int64_t n = config->grid;
    vsm_value x;

    vsm_sam2_build_start(b, "mask_prompt", weights, config);
    vsm_sam2_build_input(b, &x, "mask", 4, VSM_DIMS(-1, 1, 4 * n, 4 * n));
    x = vsm_sam2_build_conv(b, x, 1, 4, 2, 2, 1, key, 0);
    x = vsm_sam2_build_norm(b, vsm_sam2_build_to_tokens(b, x, 4), 4, PIXEL_EPSILON, key, 1);
    x = vsm_sam2_build_to_nchw(b, vsm_sam2_build_gelu(b, x), 2 * n, 2 * n, 4);
    x = vsm_sam2_build_conv(b, x, 4, 16, 2, 2, 1, key, 3);
    x = vsm_sam2_build_norm(b, vsm_sam2_build_to_tokens(b, x, 16), 16, PIXEL_EPSILON, key, 4);
    x = vsm_sam2_build_linear(b, vsm_sam2_build_gelu(b, x), 16, DIM, key, 6);
    vsm_sam2_build_output(b, vsm_sam2_build_batched(b, x, n * n, DIM), "dense", 3, VSM_DIMS(-1, n * n, DIM));
}
