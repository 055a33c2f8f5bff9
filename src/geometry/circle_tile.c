#include "geometry/circle_tile.h"

#include <string.h>

#define BLOCK VSM_REPROJECTION_BLOCK
#define POLAR (VSM_CIRCLE_MAP_POLE / BLOCK)
#define UNIT  ((float)(1 << VSM_REPROJECTION_WEIGHT_BITS))

_Static_assert(VSM_CIRCLE_MAP_POLE % BLOCK == 0, "a block is near a pole or not");
_Static_assert(VSM_CIRCLE_MAP_STEP == VSM_REPROJECTION_BLOCK, "a block lies between two nodes");

struct vsm_circle_lens vsm_circle_lens(const struct vsm_image *image, int plane, int planes,
                                       const struct vsm_rect eyes[2], const double centre[2])
{
    bool chroma = plane == 1 || plane == 2;
    int x = chroma ? image->format.chroma_x : 0, y = chroma ? image->format.chroma_y : 0;
    float across = 1.0f / (float)(1 << x), down = 1.0f / (float)(1 << y);
    struct vsm_circle_lens lens = {
        .window = {.sources = 2 * planes,
                   .stride = image->stride[plane],
                   .depth = image->format.depth,
                   .right = ((eyes[0].width + x) >> x) - 1,
                   .bottom = ((eyes[0].height + y) >> y) - 1},
        .centre_x = (float)centre[0] * across - 0.5f,
        .centre_y = (float)centre[1] * down - 0.5f,
        .scale_x = across,
        .scale_y = down,
    };

    for (int i = 0; i < 2 * planes; i++) {
        const struct vsm_rect *eye = &eyes[i % 2];

        lens.window.data[i] = image->data[plane + i / 2] + (eye->y >> y) * image->stride[plane] +
                              (ptrdiff_t)(eye->x >> x) * vsm_format_bytes_per_sample(image->format);
    }
    return lens;
}

static int within(int value, int last)
{
    return value < 0 ? 0 : value > last ? last : value;
}

/* Asks for the two rows of every source where a block begins; the next block's beginning is where it ends.
 * Inline: for gcc 12 a function that only asks for memory does nothing, and calls of it are dropped. */
static inline __attribute__((always_inline)) void prefetch_block(const struct vsm_reprojection_window *w,
                                                                 const struct vsm_reprojection_block *block)
{
    int x = within((int)block->u >> VSM_REPROJECTION_WEIGHT_BITS, w->right);
    int y = within((int)block->v >> VSM_REPROJECTION_WEIGHT_BITS, w->bottom - 1);
    ptrdiff_t at = y * w->stride + ((ptrdiff_t)x << (w->depth > 8));

    for (int i = 0; i < w->sources; i++) {
        __builtin_prefetch(w->data[i] + at);
        __builtin_prefetch(w->data[i] + at + w->stride);
    }
}

/* A block's right end is the next one's left end. */
static void place_blocks(struct vsm_circle_run *run, const struct vsm_circle_map *map,
                         const struct vsm_circle_lens *lens)
{
    int mirrored = run->row < 0 ? -1 - run->row : run->row;
    float side_y = (run->row < 0 ? -lens->scale_y : lens->scale_y) * UNIT;
    float centre_x = lens->centre_x * UNIT, centre_y = lens->centre_y * UNIT, u, v;
    const float *across = map->across + (ptrdiff_t)mirrored * map->nodes;
    const float *down = map->down + (ptrdiff_t)mirrored * map->nodes;
    int node = run->from < 0 ? -run->from : run->from;

    u = across[node] * (run->from < 0 ? -lens->scale_x : lens->scale_x) * UNIT;
    v = down[node] * side_y;
    for (int b = run->from; b < run->to; b++) {
        struct vsm_reprojection_block *block = &run->blocks[b - run->begin];
        float side_x = (b < 0 ? -lens->scale_x : lens->scale_x) * UNIT, next_u, next_v;

        node = b < 0 ? -b - 1 : b + 1;
        next_u = across[node] * side_x;
        next_v = down[node] * side_y;
        block->du = (next_u - u) * (1.0f / BLOCK);
        block->dv = (next_v - v) * (1.0f / BLOCK);
        block->u = centre_x + u + 0.5f * block->du;
        block->v = centre_y + v + 0.5f * block->dv;
        u = next_u;
        v = next_v;
        if (lens->window.depth > 8 || b % 2 == 0)
            prefetch_block(&lens->window, block);
    }
}

void vsm_circle_run_place(struct vsm_circle_run *run, const struct vsm_circle_map *map,
                          const struct vsm_circle_lens *lens, int row, int begin)
{
    int mirrored = row < 0 ? -1 - row : row, reach = mirrored < map->rows ? map->reach[mirrored] : 0;
    int half = (reach + BLOCK - 1) / BLOCK, end = begin + VSM_CIRCLE_TILE_BLOCKS;

    run->row = row;
    run->begin = begin;
    run->from = begin > -half ? begin : -half;
    run->to = end < half ? end : half;
    run->first = run->from * BLOCK > -reach ? run->from * BLOCK : -reach;
    run->last = run->to * BLOCK < reach ? run->to * BLOCK : reach;
    if (run->from >= run->to) {
        run->first = run->last = begin * BLOCK;
        return;
    }
    place_blocks(run, map, lens);
}

/* The outputs from block `begin` on. */
static void skip_to(const struct vsm_circle_run *run, const struct vsm_reprojection_window *window, int begin,
                    uint8_t *const *out, uint8_t **from)
{
    ptrdiff_t skip = (ptrdiff_t)(begin - run->begin) * BLOCK * (window->depth > 8 ? 2 : 1);

    for (int i = 0; i < window->sources; i++)
        from[i] = out[i] + skip;
}

/* Samples blocks begin..end-1 of a row near a pole, where each sample has a place of its own. */
static void sample_polar(const struct vsm_circle_run *run, const struct vsm_circle_map *map,
                         const struct vsm_circle_lens *lens, const struct vsm_reprojection_kernels *kernels,
                         int begin, int end, uint8_t *const *out)
{
    int row = run->row, mirrored = row < 0 ? -1 - row : row;
    ptrdiff_t start = (ptrdiff_t)(mirrored - map->first_polar) * VSM_CIRCLE_MAP_POLE;
    struct vsm_reprojection_points points[VSM_CIRCLE_TILE_BLOCKS];
    uint8_t *from[VSM_REPROJECTION_SOURCES];

    for (int i = begin * BLOCK; i < end * BLOCK; i++) {
        struct vsm_reprojection_points *p = &points[(i - begin * BLOCK) / BLOCK];
        ptrdiff_t at = start + (i < 0 ? -1 - i : i);
        float across = i < 0 ? -map->polar_across[at] : map->polar_across[at];
        float down = row < 0 ? -map->polar_down[at] : map->polar_down[at];

        p->u[i & (BLOCK - 1)] = (lens->centre_x + across * lens->scale_x) * UNIT;
        p->v[i & (BLOCK - 1)] = (lens->centre_y + down * lens->scale_y) * UNIT;
    }
    skip_to(run, &lens->window, begin, out, from);
    kernels->sample_points(&lens->window, points, end - begin, from);
}

static void sample_straight(const struct vsm_circle_run *run, const struct vsm_circle_lens *lens,
                            const struct vsm_reprojection_kernels *kernels, int begin, int end,
                            uint8_t *const *out)
{
    uint8_t *from[VSM_REPROJECTION_SOURCES];

    skip_to(run, &lens->window, begin, out, from);
    kernels->sample(&lens->window, run->blocks + (begin - run->begin), end - begin, from);
}

void vsm_circle_run_sample(const struct vsm_circle_run *run, const struct vsm_circle_map *map,
                           const struct vsm_circle_lens *lens, const struct vsm_reprojection_kernels *kernels,
                           uint8_t *const *out)
{
    int mirrored = run->row < 0 ? -1 - run->row : run->row, first = run->from, last = run->to;

    if (first >= last)
        return;
    if (mirrored < map->first_polar || first >= POLAR || last <= -POLAR) {
        sample_straight(run, lens, kernels, first, last, out);
        return;
    }
    first = first > -POLAR ? first : -POLAR;
    last = last < POLAR ? last : POLAR;
    sample_polar(run, map, lens, kernels, first, last, out);
    sample_straight(run, lens, kernels, run->from, first, out);
    sample_straight(run, lens, kernels, last, run->to, out);
}
