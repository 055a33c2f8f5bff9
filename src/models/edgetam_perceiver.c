/* EdgeTAM's perceiver: 256 latents that look at the whole memory map, and one latent for each of 16 x 16
 * windows. */
#include "base/mem.h"
#include "models/sam2_constants.h"
#include "models/sam2_graphs.h"

#include <string.h>

#define EPSILON 1e-5f
#define DIM     VSM_SAM2_MEMORY_DIM
#define WINDOWS 16 /* a side */
#define LATENTS 256
#define LAYERS  2
#define KEY     "spatial_perceiver.layers.%d.%s"

void vsm_edgetam_perceiver_positions(float *out)
{
    memset(out, 0, LATENTS * DIM * sizeof(*out));
    vsm_sam2_constants_sine(WINDOWS, WINDOWS, DIM, out + LATENTS * DIM);
}

static vsm_value feed_forward(struct vsm_sam2_build *b, vsm_value x, int layer, const char *name)
{
    vsm_value y = vsm_sam2_build_norm(b, x, DIM, EPSILON, KEY ".0", layer, name);

    y = vsm_sam2_build_gelu(b, vsm_sam2_build_linear_no_bias(b, y, DIM, 4 * DIM, KEY ".1", layer, name));
    return vsm_sam2_build_add(b, x, vsm_sam2_build_linear_no_bias(b, y, 4 * DIM, DIM, KEY ".3", layer, name));
}

/* Keys (part 0) or values (part 1) of x [T, 64]. */
static vsm_value to_kv(struct vsm_sam2_build *b, vsm_value x, int layer, const char *name, int part)
{
    vsm_value w = vsm_sam2_build_rows(b, 2 * DIM, DIM, part * DIM, DIM, KEY ".to_kv.weight", layer, name);

    return vsm_sam2_build_gemm(b, x, w, VSM_VALUE_NONE);
}

/* What one layer sees of the map: `count` rows in each of the groups that attend separately. */
struct view {
    vsm_value x;        /* [groups * rows, 64] */
    vsm_value position; /* [1, rows, 64], added to keys and values alike, or none */
    int64_t rows;
    int64_t latents; /* in each group */
};

static vsm_value cross(struct vsm_sam2_build *b, vsm_value latents, const struct view *view, int layer)
{
    vsm_value x = vsm_sam2_build_norm(b, view->x, DIM, EPSILON, KEY, layer, "attn.norm_x");
    vsm_value q = vsm_sam2_build_norm(b, latents, DIM, EPSILON, KEY, layer, "attn.norm_latents");
    vsm_value kv[2];

    q = vsm_sam2_build_linear_no_bias(b, q, DIM, DIM, KEY, layer, "attn.to_q");
    q = vsm_sam2_build_batched(b, q, view->latents, DIM);
    for (int i = 0; i < 2; i++) {
        kv[i] = vsm_sam2_build_batched(b, to_kv(b, x, layer, "attn", i), view->rows, DIM);
        if (view->position != VSM_VALUE_NONE)
            kv[i] = vsm_sam2_build_add(b, kv[i], view->position);
    }
    if (b->own && view->latents == 1 && !b->status)
        x = vsm_graph_op(b->graph, "vsm:LatentAttention", q, kv[0], kv[1]);
    else
        x = vsm_sam2_build_attention(b, q, kv[0], kv[1], 1);
    x = vsm_sam2_build_flat(b, x, DIM);
    return vsm_sam2_build_linear_no_bias(b, x, DIM, DIM, KEY, layer, "attn.to_out");
}

/* With one latent a group the softmax is 1, and the latent's own value comes through. */
static vsm_value self(struct vsm_sam2_build *b, vsm_value latents, int64_t count, int layer)
{
    vsm_value x = vsm_sam2_build_norm(b, latents, DIM, EPSILON, KEY, layer, "self_attn.norm");
    vsm_value q, k, v = to_kv(b, x, layer, "self_attn", 1);

    if (count > 1) {
        q = vsm_sam2_build_linear_no_bias(b, x, DIM, DIM, KEY, layer, "self_attn.to_q");
        k = to_kv(b, x, layer, "self_attn", 0);
        v = vsm_sam2_build_attention(b, vsm_sam2_build_batched(b, q, count, DIM),
                                     vsm_sam2_build_batched(b, k, count, DIM),
                                     vsm_sam2_build_batched(b, v, count, DIM), 1);
        v = vsm_sam2_build_flat(b, v, DIM);
    }
    return vsm_sam2_build_linear_no_bias(b, v, DIM, DIM, KEY, layer, "self_attn.to_out");
}

/* latents [groups * count, 64] -> the same, [B, 256, 64]. Both kinds of latents share all weights. */
static vsm_value perceive(struct vsm_sam2_build *b, vsm_value latents, const struct view *view)
{
    latents = vsm_sam2_build_flat(b, latents, DIM);
    for (int i = 0; i < LAYERS; i++) {
        latents = vsm_sam2_build_add(b, latents, cross(b, latents, view, i));
        latents = feed_forward(b, latents, i, "ff");
        latents = vsm_sam2_build_add(b, latents, self(b, latents, view->latents, i));
        latents = feed_forward(b, latents, i, "self_ff");
    }
    latents = vsm_sam2_build_norm(b, latents, DIM, EPSILON, "spatial_perceiver.norm");
    return vsm_sam2_build_batched(b, latents, LATENTS, DIM);
}

/* The learned latents once for each picture of the batch: adding a zero of the batch's shape repeats them. */
static vsm_value repeated(struct vsm_sam2_build *b, vsm_value zero, const char *key)
{
    return vsm_sam2_build_add(b, zero, vsm_sam2_build_weight(b, 3, VSM_DIMS(1, LATENTS, DIM), "%s", key));
}

vsm_value vsm_edgetam_perceiver_build(struct vsm_sam2_build *b, vsm_value map)
{
    const int64_t n = b->config->grid, side = n / WINDOWS;
    float *table = vsm_mem_alloc("perceiver positions", (size_t)(n * n * DIM), sizeof(*table));
    struct view whole = {.x = map, .rows = n * n, .latents = LATENTS};
    struct view windows = {.position = VSM_VALUE_NONE, .rows = side * side, .latents = 1};
    vsm_value zero;

    if (table)
        vsm_sam2_constants_sine((int)n, (int)n, DIM, table);
    whole.position = vsm_sam2_build_constant(b, 3, VSM_DIMS(1, n * n, DIM), table);
    vsm_mem_free(table);
    zero = vsm_sam2_build_slice(b, vsm_sam2_build_batched(b, map, n * n, DIM), 1, 0, 1);
    if (b->status)
        return VSM_VALUE_NONE;
    zero = vsm_graph_op(b->graph, "Mul", zero, vsm_graph_scalar(b->graph, 0));
    windows.x = vsm_sam2_build_reshape(b, map, 6, VSM_DIMS(-1, WINDOWS, side, WINDOWS, side, DIM));
    windows.x = vsm_sam2_build_transpose(b, windows.x, 6, VSM_DIMS(0, 1, 3, 2, 4, 5));
    windows.x = vsm_sam2_build_flat(b, windows.x, DIM);
    return vsm_sam2_build_concat(b, perceive(b, repeated(b, zero, "spatial_perceiver.latents"), &whole),
                                 perceive(b, repeated(b, zero, "spatial_perceiver.latents_2d"), &windows), 1);
}
