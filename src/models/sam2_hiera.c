/* Hiera: Ryali et al., arXiv 2306.00989, in the form of SAM 2: windowed attention without shifts, pooled
 * queries at the start of stages 1 to 3, a few global blocks. */
#include "base/mem.h"
#include "models/sam2_constants.h"
#include "models/sam2_graphs.h"

#define EPSILON 1e-6f
#define TRUNK   "image_encoder.trunk"

/* Tokens [B * size * size, channels]; ordered by windows of side `window`, or by rows if that is 0.
 * Consecutive blocks with the same windows stay in window order, which saves most of the reordering. */
struct map {
    vsm_value tokens;
    int64_t size, channels, window;
};

struct block {
    int index, heads;
    int64_t window, in, out; /* window 0: attention over the whole map */
    bool pool;
};

/* Tokens of a padded map of side `size` from rows to windows, or back: both swap the middle axes. */
static vsm_value swap_windows(struct vsm_sam2_build *b, vsm_value x, int64_t size, int64_t window,
                              int64_t channels, bool to_windows)
{
    int64_t n = size / window;

    if (to_windows)
        x = vsm_sam2_build_reshape(b, x, 6, VSM_DIMS(-1, n, window, n, window, channels));
    else
        x = vsm_sam2_build_reshape(b, x, 6, VSM_DIMS(-1, n, n, window, window, channels));
    return vsm_sam2_build_transpose(b, x, 6, VSM_DIMS(0, 1, 3, 2, 4, 5));
}

static void order_by(struct vsm_sam2_build *b, struct map *m, int64_t window)
{
    if (m->window == window)
        return;
    if (m->window) {
        m->tokens = swap_windows(b, m->tokens, m->size, m->window, m->channels, false);
        m->tokens = vsm_sam2_build_flat(b, m->tokens, m->channels);
    }
    if (window) {
        m->tokens = swap_windows(b, m->tokens, m->size, window, m->channels, true);
        m->tokens = vsm_sam2_build_flat(b, m->tokens, m->channels);
    }
    m->window = window;
}

/* Where window order finds its tokens in a map of side `size` padded to `full`: row numbers, and -1 outside;
 * or the way back, where the map finds its tokens in window order. The caller's; NULL if out of memory. */
static int64_t *window_rows(int64_t size, int64_t full, int64_t window, bool back)
{
    const int64_t across = full / window;
    int64_t *rows = vsm_mem_alloc("window order", (size_t)(full * full), sizeof(*rows));

    for (int64_t i = 0; rows && i < full * full; i++) {
        const int64_t in_window = i % (window * window), number = i / (window * window);
        const int64_t y = number / across * window + in_window / window,
                      x = number % across * window + in_window % window;

        if (!back)
            rows[i] = y < size && x < size ? y * size + x : -1;
        else if (y < size && x < size)
            rows[y * size + x] = i;
    }
    return rows;
}

/* x [B, rows, channels] -> [B, count, channels], the given rows. */
static vsm_value take_rows(struct vsm_sam2_build *b, vsm_value x, const int64_t *rows, int64_t count)
{
    const struct vsm_attr attr = VSM_ATTR_I("axis", 1);

    if (b->status || !rows)
        return VSM_VALUE_NONE;
    return vsm_graph_node(b->graph, "Gather",
                          (const vsm_value[]){x, vsm_graph_ints(b->graph, rows, (size_t)count)}, 2, &attr, 1);
}

/* Tokens of a map in rows to padded windows with zeros outside, all in one step, which a GPU does at the
 * speed of its memory; padding is slow there. */
static vsm_value gather_windows(struct vsm_sam2_build *b, vsm_value x, int64_t size, int64_t full,
                                int64_t window, int64_t channels)
{
    int64_t *rows = window_rows(size, full, window, false);
    float *inside = vsm_mem_alloc("window order", (size_t)(full * full), sizeof(*inside));
    vsm_value mask;

    for (int64_t i = 0; rows && inside && i < full * full; i++) {
        inside[i] = rows[i] >= 0;
        rows[i] = rows[i] >= 0 ? rows[i] : 0;
    }
    x = take_rows(b, vsm_sam2_build_batched(b, x, size * size, channels), rows, full * full);
    mask = vsm_sam2_build_constant(b, 3, VSM_DIMS(1, full * full, 1), inside);
    if (!rows || b->status)
        x = VSM_VALUE_NONE;
    else
        x = vsm_graph_op(b->graph, "Mul", x, mask);
    vsm_mem_free(inside);
    vsm_mem_free(rows);
    return vsm_sam2_build_flat(b, x, channels);
}

/* The way back. */
static vsm_value scatter_windows(struct vsm_sam2_build *b, vsm_value x, int64_t size, int64_t full,
                                 int64_t window, int64_t channels)
{
    int64_t *rows = window_rows(size, full, window, true);

    x = take_rows(b, vsm_sam2_build_batched(b, x, full * full, channels), rows, size * size);
    vsm_mem_free(rows);
    return vsm_sam2_build_flat(b, x, channels);
}

static int64_t round_up(int64_t v, int64_t unit)
{
    return (v + unit - 1) / unit * unit;
}

/* Rows of the block's qkv layer: part 0 queries, 1 keys, 2 values, as [windows, tokens, out].
 *
 * Where the windows stick out of the map, the positions outside are zeros after the norm, so that their keys
 * and values are the bias, and they do take part in the softmax. Projecting real tokens only, padding with
 * zeros and then adding the bias gives the same with less work. */
static vsm_value project(struct vsm_sam2_build *b, const struct block *k, vsm_value x, int64_t size,
                         bool padded, int part)
{
    int64_t side = k->window ? k->window : size, full = padded ? round_up(size, k->window) : size;
    vsm_value weight, bias;

    weight = vsm_sam2_build_rows(b, 3 * k->out, k->in, part * k->out, k->out,
                                 TRUNK ".blocks.%d.attn.qkv.weight", k->index);
    bias = vsm_sam2_build_rows(b, 3 * k->out, 1, part * k->out, k->out, TRUNK ".blocks.%d.attn.qkv.bias",
                               k->index);
    x = vsm_sam2_build_gemm(b, x, weight, padded ? VSM_VALUE_NONE : bias);
    if (padded) {
        x = vsm_sam2_build_reshape(b, x, 4, VSM_DIMS(-1, size, size, k->out));
        x = vsm_sam2_build_pad(b, x, full - size);
        x = swap_windows(b, x, full, k->window, k->out, true);
        x = vsm_sam2_build_add(b, x, bias);
    }
    return vsm_sam2_build_batched(b, x, side * side, k->out);
}

/* The attention's result as tokens in the map's order, before the output projection. `size` is that of the
 * result, `side` of its windows. */
static vsm_value unpad(struct vsm_sam2_build *b, vsm_value x, int64_t size, int64_t full, int64_t side,
                       int64_t channels)
{
    if (b->device)
        return scatter_windows(b, x, size, full, side, channels);
    x = swap_windows(b, x, full, side, channels, false);
    x = vsm_sam2_build_reshape(b, x, 4, VSM_DIMS(-1, full, full, channels));
    x = vsm_sam2_build_slice(b, x, 1, 0, size);
    x = vsm_sam2_build_slice(b, x, 2, 0, size);
    return vsm_sam2_build_flat(b, x, channels);
}

static vsm_value attend(struct vsm_sam2_build *b, const struct block *k, vsm_value x, int64_t size,
                        bool padded)
{
    int64_t side = k->window ? k->window : size, full = padded ? round_up(size, k->window) : size;
    bool gathered = padded && b->device;
    vsm_value q;

    if (gathered)
        x = gather_windows(b, x, size, full, k->window, k->in);
    q = project(b, k, x, size, padded && !gathered, 0);
    if (k->pool) {
        q = vsm_sam2_build_max_pool(b, q, side, side, k->out);
        q = vsm_sam2_build_batched(b, q, side * side / 4, k->out);
    }
    x = vsm_sam2_build_attention(b, q, project(b, k, x, size, padded && !gathered, 1),
                                 project(b, k, x, size, padded && !gathered, 2), k->heads);
    if (padded) {
        int64_t scale = k->pool ? 2 : 1;

        x = unpad(b, x, size / scale, full / scale, side / scale, k->out);
    }
    x = vsm_sam2_build_flat(b, x, k->out);
    return vsm_sam2_build_linear(b, x, k->out, k->out, TRUNK ".blocks.%d.attn.proj", k->index);
}

static void add_block(struct vsm_sam2_build *b, const struct block *k, struct map *m)
{
    bool padded = k->window && m->size % k->window;
    vsm_value x, normed, shortcut;

    order_by(b, m, padded ? 0 : k->window);
    normed = vsm_sam2_build_norm(b, m->tokens, k->in, EPSILON, TRUNK ".blocks.%d.norm1", k->index);
    shortcut = m->tokens;
    if (k->in != k->out)
        shortcut = vsm_sam2_build_linear(b, normed, k->in, k->out, TRUNK ".blocks.%d.proj", k->index);
    if (k->pool) {
        int64_t side = m->window ? m->window : m->size;

        shortcut = vsm_sam2_build_max_pool(b, shortcut, side, side, k->out);
    }
    x = vsm_sam2_build_add(b, shortcut, attend(b, k, normed, m->size, padded));
    normed = vsm_sam2_build_norm(b, x, k->out, EPSILON, TRUNK ".blocks.%d.norm2", k->index);
    normed = vsm_sam2_build_linear(b, normed, k->out, 4 * k->out, TRUNK ".blocks.%d.mlp.layers.0", k->index);
    normed = vsm_sam2_build_gelu(b, normed);
    normed = vsm_sam2_build_linear(b, normed, 4 * k->out, k->out, TRUNK ".blocks.%d.mlp.layers.1", k->index);
    m->tokens = vsm_sam2_build_add(b, x, normed);
    m->channels = k->out;
    if (k->pool) {
        m->size /= 2;
        m->window /= 2;
    }
}

static void embed_patches(struct vsm_sam2_build *b, vsm_value image, struct map *m)
{
    int64_t n = b->config->image_size / 4, dim = b->config->dim, side = b->config->position_side,
            rows = n * n;
    vsm_value x;
    float *position, *window, *table = NULL;

    position = vsm_sam2_build_read(b, dim * side * side, TRUNK ".pos_embed");
    window = vsm_sam2_build_read(b, dim * 64, TRUNK ".pos_embed_window");
    if (position && window)
        table = vsm_mem_alloc_raw("position table", (size_t)(rows * dim), sizeof(*table));
    if (table)
        vsm_sam2_constants_hiera(position, (int)side, window, (int)dim, (int)n, table);
    if (b->own)
        x = vsm_sam2_build_patches(b, image, 3, dim, 7, 4, 3, true, TRUNK ".patch_embed.proj");
    else
        x = vsm_sam2_build_to_tokens(
            b, vsm_sam2_build_conv(b, image, 3, dim, 7, 4, 1, TRUNK ".patch_embed.proj"), dim);
    x = vsm_sam2_build_batched(b, x, rows, dim);
    x = vsm_sam2_build_add(b, x, vsm_sam2_build_constant(b, 3, VSM_DIMS(1, rows, dim), table));
    vsm_mem_free(position);
    vsm_mem_free(window);
    vsm_mem_free(table);
    *m = (struct map){vsm_sam2_build_flat(b, x, dim), n, dim, 0};
}

static bool is_global(const struct vsm_sam2_config *config, int index)
{
    for (int i = 0; i < 3; i++)
        if (config->global_blocks[i] == index)
            return true;
    return false;
}

void vsm_sam2_hiera_build(struct vsm_sam2_build *b, vsm_value image, vsm_value tokens[4])
{
    const struct vsm_sam2_config *config = b->config;
    struct map m;
    int index = 0;

    embed_patches(b, image, &m);
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < config->blocks[stage]; i++, index++) {
            bool first = stage > 0 && i == 0;
            const struct block k = {
                .index = index,
                .heads = config->heads << stage,
                .window = is_global(config, index) ? 0 : config->window[first ? stage - 1 : stage],
                .in = m.channels,
                .out = vsm_sam2_config_channels(config, stage),
                .pool = first,
            };

            add_block(b, &k, &m);
        }
        order_by(b, &m, 0);
        tokens[stage] = m.tokens;
    }
}
