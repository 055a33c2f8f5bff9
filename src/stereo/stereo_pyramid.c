#include "stereo/stereo_pyramid.h"

#include <string.h>

#define COARSE 256 /* the coarsest level is at most this wide */

void vsm_stereo_pyramid_init(struct vsm_stereo_pyramid *pyramid, int width, int height)
{
    *pyramid = (struct vsm_stereo_pyramid){.width = width, .height = height, .levels = 1};
    while (width >> (pyramid->levels - 1) > COARSE && pyramid->levels < VSM_PYRAMID_LEVELS)
        pyramid->levels++;
}

/* Lays the planes out in memory, and counts the floats that they take; memory NULL: only counts. */
static size_t lay_out(const struct vsm_stereo_pyramid *p, float *memory,
                      struct vsm_disparity_match_plane planes[VSM_PYRAMID_LEVELS][VSM_PYRAMID_PLANES])
{
    size_t at = 0;

    for (int level = 0; level < p->levels; level++) {
        const int w = p->width >> level, h = p->height >> level;
        const int margin = w / VSM_PYRAMID_SHIFT + VSM_DISPARITY_MATCH_ROW + 16;
        const size_t stride = (size_t)(w + 2 * margin), rows = (size_t)(h + 2 * margin);

        for (int k = 0; k < VSM_PYRAMID_PLANES; k++, at += stride * rows) {
            if (!memory)
                continue;
            /* Alpha is zero in the margin; pictures are repeated there (extend). */
            if (k == VSM_PYRAMID_WEIGHTS)
                memset(memory + at, 0, stride * rows * sizeof(float));
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

/* Repeats the border into the margin (pictures), or leaves it zero (alpha). */
static void extend(const struct vsm_disparity_match_plane *p)
{
    for (int y = 0; y < p->height; y++) {
        float *row = p->origin + y * p->stride;

        for (int x = 1; x <= p->margin; x++) {
            row[-x] = row[0];
            row[p->width - 1 + x] = row[p->width - 1];
        }
    }
    for (int y = 1; y <= p->margin; y++) {
        memcpy(p->origin - y * p->stride - p->margin, p->origin - p->margin,
               (size_t)p->stride * sizeof(float));
        memcpy(p->origin + (p->height - 1 + y) * p->stride - p->margin,
               p->origin + (p->height - 1) * p->stride - p->margin, (size_t)p->stride * sizeof(float));
    }
}

static void halve(const struct vsm_disparity_match_plane *from, const struct vsm_disparity_match_plane *to)
{
    for (int y = 0; y < to->height; y++) {
        const float *a = from->origin + 2 * y * from->stride, *b = a + from->stride;
        float *out = to->origin + y * to->stride;

        for (int x = 0; x < to->width; x++)
            out[x] = 0.25f * (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]);
    }
}

static void load_luma(const struct vsm_stereo_pyramid *p, const float *rgb, int plane)
{
    const size_t count = (size_t)p->width * (size_t)p->height;

    for (int y = 0; y < p->height; y++) {
        const float *r = rgb + (size_t)y * (size_t)p->width, *g = r + count, *b = g + count;
        float *luma = p->planes[0][plane].origin + y * p->planes[0][plane].stride;

        for (int x = 0; x < p->width; x++)
            luma[x] = 0.2126f * r[x] + 0.7152f * g[x] + 0.0722f * b[x];
    }
    for (int level = 1; level < p->levels; level++)
        halve(&p->planes[level - 1][plane], &p->planes[level][plane]);
    for (int level = 0; level < p->levels; level++)
        extend(&p->planes[level][plane]);
}

static void load_weights(const struct vsm_stereo_pyramid *p, const float *alpha)
{
    for (int y = 0; y < p->height; y++)
        memcpy(p->planes[0][VSM_PYRAMID_WEIGHTS].origin + y * p->planes[0][VSM_PYRAMID_WEIGHTS].stride,
               alpha + (size_t)y * (size_t)p->width, (size_t)p->width * sizeof(float));
    for (int level = 1; level < p->levels; level++)
        halve(&p->planes[level - 1][VSM_PYRAMID_WEIGHTS], &p->planes[level][VSM_PYRAMID_WEIGHTS]);
}

void vsm_stereo_pyramid_load(const struct vsm_stereo_pyramid *pyramid,
                             const struct vsm_disparity_picture *master,
                             const struct vsm_disparity_picture *slave)
{
    load_luma(pyramid, master->rgb, VSM_PYRAMID_MASTER);
    load_luma(pyramid, slave->rgb, VSM_PYRAMID_SLAVE);
    load_weights(pyramid, master->alpha);
}
