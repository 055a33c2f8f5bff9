/* Memory attention: the picture's features look at themselves and then at the memory, with rotary positions.
 */
#include "base/mem.h"
#include "models/sam2_constants.h"
#include "models/sam2_graphs.h"

#include <stdio.h>
#include <string.h>

#define EPSILON      1e-5f
#define DIM          VSM_SAM2_DIM
#define MEMORY       VSM_SAM2_MEMORY_DIM
#define POSITION     0.1f /* weight of the sine position added to the features */
#define EDGETAM_GRID 16   /* of its two-dimensional latents */
#define KEY          "memory_attention.layers.%d.cross_attn_image.%s"

/* A pair of rotary tables [rows, 128]. */
struct rotary {
    vsm_value cosine, sine, start;
};

/* The memory as keys (with positions) and values. */
struct memory {
    vsm_value keys;         /* [B, L, T, 64] */
    vsm_value pointer_keys; /* [B, Q, 64] */
    vsm_value values;       /* [B, L T + Q, 64] */
};

/* Tables of an n x n grid behind `still` rows that do not turn. */
static struct rotary make_rotary(struct vsm_sam2_build *b, int n, int64_t still)
{
    const int64_t zero = 0, rows = still + (int64_t)n * n;
    float *cosine = vsm_mem_alloc("rotary table", (size_t)rows * DIM / 2, sizeof(*cosine));
    float *sine = vsm_mem_alloc("rotary table", (size_t)rows * DIM / 2, sizeof(*sine));
    struct rotary r;

    if (cosine && sine) {
        for (int64_t i = 0; i < still * DIM / 2; i++)
            cosine[i] = 1;
        vsm_sam2_constants_rotary(n, cosine + still * DIM / 2, sine + still * DIM / 2);
    }
    r.cosine = vsm_sam2_build_constant(b, 2, VSM_DIMS(rows, DIM / 2), cosine);
    r.sine = vsm_sam2_build_constant(b, 2, VSM_DIMS(rows, DIM / 2), sine);
    r.start = b->status ? VSM_VALUE_NONE : vsm_graph_ints(b->graph, &zero, 1);
    vsm_mem_free(cosine);
    vsm_mem_free(sine);
    return r;
}

/* x [B, rows, 256] or [B, L, rows, 256]; pairs are neighbouring channels. */
static vsm_value rotate(struct vsm_sam2_build *b, vsm_value x, const struct rotary *r)
{
    const struct vsm_attr attr = VSM_ATTR_I("interleaved", 1);
    const vsm_value inputs[] = {x, r->start, r->cosine, r->sine};

    return b->status ? VSM_VALUE_NONE
                     : vsm_graph_node(b->graph, "com.microsoft:RotaryEmbedding", inputs, 4, &attr, 1);
}

static vsm_value self_attention(struct vsm_sam2_build *b, vsm_value x, const struct rotary *r, int64_t pixels,
                                int layer)
{
    static const char *const names[] = {"q_proj", "k_proj", "v_proj"};
    vsm_value part[3];

    for (int i = 0; i < 3; i++) {
        part[i] =
            vsm_sam2_build_linear(b, x, DIM, DIM, "memory_attention.layers.%d.self_attn.%s", layer, names[i]);
        part[i] = vsm_sam2_build_batched(b, part[i], pixels, DIM);
        if (i < 2)
            part[i] = rotate(b, part[i], r);
    }
    x = vsm_sam2_build_flat(b, vsm_sam2_build_attention(b, part[0], part[1], part[2], 1), DIM);
    return vsm_sam2_build_linear(b, x, DIM, DIM, "memory_attention.layers.%d.self_attn.out_proj", layer);
}

/* out_proj after v_proj as one layer 64 -> 256; the softmax's weights sum to one, so v's bias goes through
 * it. */
static vsm_value merged_output(struct vsm_sam2_build *b, vsm_value x, int layer)
{
    float *wv = vsm_sam2_build_read(b, DIM * MEMORY, KEY, layer, "v_proj.weight");
    float *bv = vsm_sam2_build_read(b, DIM, KEY, layer, "v_proj.bias");
    float *wo = vsm_sam2_build_read(b, DIM * DIM, KEY, layer, "out_proj.weight");
    float *bo = vsm_sam2_build_read(b, DIM, KEY, layer, "out_proj.bias");
    float *w = vsm_mem_alloc("merged layer", DIM * MEMORY, sizeof(*w));
    float *bias = vsm_mem_alloc("merged layer", DIM, sizeof(*bias));

    for (int i = 0; i < DIM && b->status == VSM_OK && w && bias; i++) {
        double sum = (double)bo[i];

        for (int k = 0; k < DIM; k++)
            sum += (double)wo[i * DIM + k] * (double)bv[k];
        bias[i] = (float)sum;
        for (int j = 0; j < MEMORY; j++) {
            sum = 0;
            for (int k = 0; k < DIM; k++)
                sum += (double)wo[i * DIM + k] * (double)wv[k * MEMORY + j];
            w[i * MEMORY + j] = (float)sum;
        }
    }
    x = vsm_sam2_build_gemm(b, x, vsm_sam2_build_constant(b, 2, VSM_DIMS(DIM, MEMORY), w),
                            vsm_sam2_build_constant(b, 1, VSM_DIMS(DIM), bias));
    vsm_mem_free(wv);
    vsm_mem_free(bv);
    vsm_mem_free(wo);
    vsm_mem_free(bo);
    vsm_mem_free(w);
    vsm_mem_free(bias);
    return x;
}

static vsm_value cross_attention(struct vsm_sam2_build *b, vsm_value x, const struct memory *m,
                                 const struct rotary *query_turn, const struct rotary *key_turn,
                                 int64_t pixels, int layer)
{
    char key[80];
    vsm_value q, k, pointers;

    q = vsm_sam2_build_linear(b, x, DIM, DIM, KEY, layer, "q_proj");
    q = rotate(b, vsm_sam2_build_batched(b, q, pixels, DIM), query_turn);
    snprintf(key, sizeof(key), KEY, layer, "k_proj");
    k = rotate(b, vsm_sam2_build_matmul(b, m->keys, MEMORY, DIM, "%s", key), key_turn);
    k = vsm_sam2_build_reshape(b, k, 3, VSM_DIMS(0, -1, DIM));
    pointers = vsm_sam2_build_matmul(b, m->pointer_keys, MEMORY, DIM, "%s", key);
    k = vsm_sam2_build_concat(b, k, pointers, 1);
    if (b->narrow && !b->status) {
        x = vsm_graph_op(b->graph, "vsm:Attention", q, k, m->values);
        return merged_output(b, vsm_sam2_build_flat(b, x, MEMORY), layer);
    }
    if (b->device) { /* the library's fast kernels want values as wide as keys */
        vsm_value v = vsm_sam2_build_matmul(b, m->values, MEMORY, DIM, KEY, layer, "v_proj");

        x = vsm_sam2_build_flat(b, vsm_sam2_build_attention(b, q, k, v, 1), DIM);
        return vsm_sam2_build_linear(b, x, DIM, DIM, KEY, layer, "out_proj");
    }
    x = vsm_sam2_build_attention(b, q, k, m->values, 1);
    return merged_output(b, vsm_sam2_build_flat(b, x, MEMORY), layer);
}

/* Positions of the tokens inside one memory, [1, 1, T, 64]. */
static vsm_value memory_positions(struct vsm_sam2_build *b)
{
    const int64_t tokens = b->config->memory_tokens;
    float *table = vsm_mem_alloc("memory positions", (size_t)tokens * MEMORY, sizeof(*table));
    vsm_value v;

    if (table && b->config->family == VSM_SAM2_EDGETAM)
        vsm_edgetam_perceiver_positions(table);
    else if (table)
        vsm_sam2_constants_sine(b->config->grid, b->config->grid, MEMORY, table);
    v = vsm_sam2_build_constant(b, 4, VSM_DIMS(1, 1, tokens, MEMORY), table);
    vsm_mem_free(table);
    return v;
}

static struct memory memory_inputs(struct vsm_sam2_build *b)
{
    const int64_t tokens = b->config->memory_tokens;
    vsm_value memory, temporal, pointers, position;
    struct memory m;

    if (b->device && !b->status)
        memory = vsm_sam2_build_cast(
            b, vsm_graph_input(b->graph, "memory", VSM_BF16, 4, VSM_DIMS(-1, -1, tokens, MEMORY)), 1);
    else
        vsm_sam2_build_input(b, &memory, "memory", 4, VSM_DIMS(-1, -1, tokens, MEMORY));
    vsm_sam2_build_input(b, &temporal, "temporal", 4, VSM_DIMS(-1, -1, 1, MEMORY));
    vsm_sam2_build_input(b, &pointers, "pointers", 3, VSM_DIMS(-1, -1, MEMORY));
    vsm_sam2_build_input(b, &position, "pointer_position", 3, VSM_DIMS(-1, -1, MEMORY));
    m.keys = vsm_sam2_build_add(b, memory, vsm_sam2_build_add(b, memory_positions(b), temporal));
    m.pointer_keys = vsm_sam2_build_add(b, pointers, position);
    m.values = vsm_sam2_build_reshape(b, memory, 3, VSM_DIMS(0, -1, MEMORY));
    m.values = vsm_sam2_build_concat(b, m.values, pointers, 1);
    return m;
}

/* The features plus a tenth of their sine position, [B * pixels, 256]. */
static vsm_value feature_input(struct vsm_sam2_build *b, int64_t pixels)
{
    float *table = vsm_mem_alloc("feature positions", (size_t)pixels * DIM, sizeof(*table));
    vsm_value x;

    if (table)
        vsm_sam2_constants_sine(b->config->grid, b->config->grid, DIM, table);
    for (int64_t i = 0; table && i < pixels * DIM; i++)
        table[i] *= POSITION;
    vsm_sam2_build_input(b, &x, "feat", 3, VSM_DIMS(-1, pixels, DIM));
    x = vsm_sam2_build_add(b, x, vsm_sam2_build_constant(b, 3, VSM_DIMS(1, pixels, DIM), table));
    vsm_mem_free(table);
    return vsm_sam2_build_flat(b, x, DIM);
}

void vsm_sam2_attention_graph(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                              const struct vsm_sam2_config *config)
{
    static const char key[] = "memory_attention.layers.%d.%s";
    const bool edgetam = config->family == VSM_SAM2_EDGETAM;
    const int64_t pixels = (int64_t)config->grid * config->grid;
    struct rotary grid, memory_grid;
    struct memory m;
    vsm_value x, y;

    vsm_sam2_build_start(b, "memory_attention", weights, config);
    x = feature_input(b, pixels);
    m = memory_inputs(b);
    grid = memory_grid = make_rotary(b, config->grid, 0);
    if (edgetam)
        memory_grid = make_rotary(b, EDGETAM_GRID, config->memory_tokens - EDGETAM_GRID * EDGETAM_GRID);
    for (int i = 0; i < config->attention_layers; i++) {
        y = vsm_sam2_build_norm(b, x, DIM, EPSILON, key, i, "norm1");
        x = vsm_sam2_build_add(b, x, self_attention(b, y, &grid, pixels, i));
        y = vsm_sam2_build_norm(b, x, DIM, EPSILON, key, i, "norm2");
        x = vsm_sam2_build_add(b, x, cross_attention(b, y, &m, &grid, &memory_grid, pixels, i));
        y = vsm_sam2_build_norm(b, x, DIM, EPSILON, key, i, "norm3");
        y = vsm_sam2_build_relu(b, vsm_sam2_build_linear(b, y, DIM, 8 * DIM, key, i, "linear1"));
        x = vsm_sam2_build_add(b, x, vsm_sam2_build_linear(b, y, 8 * DIM, DIM, key, i, "linear2"));
        if (b->trace) {
            char name[16];

            snprintf(name, sizeof(name), "layer%d", i);
            vsm_sam2_build_output(b, vsm_sam2_build_batched(b, x, pixels, DIM), name, 3,
                                  VSM_DIMS(-1, pixels, DIM));
        }
    }
    x = vsm_sam2_build_norm(b, x, DIM, EPSILON, "memory_attention.norm");
    vsm_sam2_build_output(b, vsm_sam2_build_batched(b, x, pixels, DIM), "conditioned", 3,
                          VSM_DIMS(-1, pixels, DIM));
}
