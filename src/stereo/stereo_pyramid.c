#include "stereo/stereo_pyramid.h"

#include <stdbool.h>
#include <string.h>

/* Rows of the grid for one call of a worker: one of the coarsest level. */
#define BAND (1 << (VSM_MATCH_LEVELS - 1))

void vsm_stereo_pyramid_init(struct vsm_stereo_pyramid *pyramid, int width, int height)
{
    *pyramid = (struct vsm_stereo_pyramid){.width = width,
                                           .height = height,
                                           .levels = vsm_pixel_match_levels(width)};
}

/* Lays the planes out in memory, and counts the floats that they take; memory NULL: only counts. */
static size_t lay_out(const struct vsm_stereo_pyramid *p, float *memory,
                      struct vsm_disparity_match_plane planes[VSM_MATCH_LEVELS][VSM_PYRAMID_PLANES])
{
    size_t at = 0;

    for (int level = 0; level < p->levels; level++) {
        const int w = p->width >> level, h = p->height >> level;
        const int margin = vsm_pixel_match_margin(w);
        const size_t stride = (size_t)(w + 2 * margin), rows = (size_t)(h + 2 * margin);

        for (int k = 0; k < VSM_PYRAMID_PLANES; k++, at += stride * rows) {
            if (!memory)
                continue;
            planes[level][k] =
                (struct vsm_disparity_match_plane){.origin =
                                                       memory + at + (size_t)margin * stride + (size_t)margin,
                                                   .stride = (ptrdiff_t)stride,
                                                   .width = w,
                                                   .height = h,
                                                   .margin = margin};
        }
    }
    return at;
}

size_t vsm_stereo_pyramid_bytes(const struct vsm_stereo_pyramid *pyramid)
{
    return lay_out(pyramid, NULL, NULL) * sizeof(float);
}

void vsm_stereo_pyramid_place(struct vsm_stereo_pyramid *pyramid, float *memory)
{
    lay_out(pyramid, memory, pyramid->planes);
}

static float *row_of(const struct vsm_disparity_match_plane *p, int y)
{
    return p->origin + y * p->stride;
}

/* The margin beside a row, and above the first and below the last one: alpha is zero there,
 * pictures are repeated. */
static void extend(const struct vsm_disparity_match_plane *p, int y, bool picture)
{
    const size_t bytes = (size_t)p->stride * sizeof(float);
    float *row = row_of(p, y);

    for (int x = 1; x <= p->margin; x++) {
        row[-x] = picture ? row[0] : 0.0f;
        row[p->width - 1 + x] = picture ? row[p->width - 1] : 0.0f;
    }
    for (int side = -1; side <= 1; side += 2) {
        for (int i = 1; y == (side < 0 ? 0 : p->height - 1) && i <= p->margin; i++) {
            float *to = row_of(p, y + side * i) - p->margin;

            if (picture)
                memcpy(to, row - p->margin, bytes);
            else
                memset(to, 0, bytes);
        }
    }
}

static void halve_row(const struct vsm_disparity_match_plane *from,
                      const struct vsm_disparity_match_plane *to, int y)
{
    const float *a = row_of(from, 2 * y), *b = a + from->stride;
    float *out = row_of(to, y);

    for (int x = 0; x < to->width; x++)
        out[x] = vsm_pixel_match_halve(a[2 * x], a[2 * x + 1], b[2 * x], b[2 * x + 1]);
}

/* What is loaded into which planes, those of first to VSM_PYRAMID_WEIGHTS. */
struct load {
    const struct vsm_stereo_pyramid *pyramid;
    const float *from[VSM_PYRAMID_PLANES]; /* R, G, B of the eyes, alpha */
    int first, bands;
};

static void load_row(const struct load *l, int plane, int y)
{
    const size_t width = (size_t)l->pyramid->width, count = width * (size_t)l->pyramid->height;
    const float *r = l->from[plane] + (size_t)y * width, *g = r + count, *b = g + count;
    float *to = row_of(&l->pyramid->planes[0][plane], y);

    if (plane == VSM_PYRAMID_WEIGHTS) {
        memcpy(to, r, width * sizeof(*to));
        return;
    }
    for (size_t x = 0; x < width; x++)
        to[x] = vsm_pixel_match_luma(r[x], g[x], b[x]);
}

/* A band's rows on all levels: those of a coarser one lie within it too. */
static void load_band(void *context, int index, int worker)
{
    const struct load *l = context;
    const int plane = l->first + index / l->bands, from = index % l->bands * BAND, end = from + BAND;

    (void)worker;
    for (int level = 0; level < l->pyramid->levels; level++) {
        const struct vsm_disparity_match_plane *to = &l->pyramid->planes[level][plane];

        for (int y = from >> level; y < end >> level && y < to->height; y++) {
            if (level == 0)
                load_row(l, plane, y);
            else
                halve_row(&l->pyramid->planes[level - 1][plane], to, y);
            extend(to, y, plane != VSM_PYRAMID_WEIGHTS);
        }
    }
}

static void load(struct load *l, struct vsm_parallel *pool)
{
    l->bands = (l->pyramid->height + BAND - 1) / BAND;
    vsm_parallel_for(pool, (VSM_PYRAMID_PLANES - l->first) * l->bands, load_band, l);
}

void vsm_stereo_pyramid_load(const struct vsm_stereo_pyramid *pyramid,
                             const struct vsm_disparity_picture *master,
                             const struct vsm_disparity_picture *slave, struct vsm_parallel *pool)
{
    struct load l = {pyramid, {master->rgb, slave->rgb, master->alpha}, VSM_PYRAMID_MASTER, 0};

    load(&l, pool);
}

void vsm_stereo_pyramid_turn(struct vsm_stereo_pyramid *pyramid, const float *alpha,
                             struct vsm_parallel *pool)
{
    struct load l = {pyramid, {NULL, NULL, alpha}, VSM_PYRAMID_WEIGHTS, 0};

    for (int level = 0; level < pyramid->levels; level++) {
        const struct vsm_disparity_match_plane master = pyramid->planes[level][VSM_PYRAMID_MASTER];

        pyramid->planes[level][VSM_PYRAMID_MASTER] = pyramid->planes[level][VSM_PYRAMID_SLAVE];
        pyramid->planes[level][VSM_PYRAMID_SLAVE] = master;
    }
    load(&l, pool);
}
