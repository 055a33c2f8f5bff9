/* What of one eye's alpha arrives at a pixel of the other (stereo/transfer.h, whose terms it uses). */
#ifndef VSM_PIXEL_TRANSFER_H
#define VSM_PIXEL_TRANSFER_H

#include "pixel/disparity.h"

#define VSM_TRANSFER_CANDIDATES 4     /* different shifts that may lead to one cell of the taker */
#define VSM_TRANSFER_APART      0.75f /* grid pixels between shifts worth telling apart */
#define VSM_TRANSFER_SOFT       0.02f /* alpha below is background */
#define VSM_TRANSFER_HIDING     0.5f  /* the giver's alpha that hides what is behind it */

/* The shifts of giver's cells that land on or beside a cell of the taker. */
struct vsm_transfer_landing {
    float du[VSM_TRANSFER_CANDIDATES], dv[VSM_TRANSFER_CANDIDATES];
    int count;
};

/* The first of the 3 x 3 cells of the taker, which may lie outside, to which a known cell's shift leads. */
VSM_PIXEL void vsm_transfer_place(const struct vsm_disparity_map *map, int index, int *left, int *top)
{
    const struct vsm_disparity_cell *cell = &map->cells[index];
    const float x = (float)(index % map->columns) + 0.5f + cell->du / (float)map->side;
    const float y = (float)(index / map->columns) + 0.5f + cell->dv / (float)map->side;

    *left = vsm_disparity_map_floor(x) - 1;
    *top = vsm_disparity_map_floor(y) - 1;
}

/* Adds a shift, if it is none that is there already; in the order of the giver's cells. */
VSM_PIXEL void vsm_transfer_land(struct vsm_transfer_landing *landing, float du, float dv)
{
    for (int i = 0; i < landing->count; i++) {
        if (fabsf(landing->du[i] - du) < VSM_TRANSFER_APART &&
            fabsf(landing->dv[i] - dv) < VSM_TRANSFER_APART)
            return;
    }
    if (landing->count == VSM_TRANSFER_CANDIDATES)
        return;
    landing->du[landing->count] = du;
    landing->dv[landing->count++] = dv;
}

/* The giver's alpha that lands on the taker's point (x, y) with about this shift; -1 if the picture ends
 * before. */
VSM_PIXEL float vsm_transfer_arriving(const struct vsm_disparity_map *map, const float *from, int width,
                                      int height, float x, float y, float du, float dv)
{
    float u, v;

    /* The shift is known at the giver's place, which depends on it: one step of the fixed point is enough. */
    if (!vsm_disparity_map_at(map, x - du, y - dv, &u, &v) || fabsf(u - du) > 2.0f)
        return 0.0f;
    if (x - u < 0.0f || y - v < 0.0f || x - u >= (float)width || y - v >= (float)height)
        return -1.0f;
    return vsm_pixel_sample(from, width, height, x - u, y - v);
}

/* Whether the giver may see something nearer where the taker sees this empty place. */
VSM_PIXEL bool vsm_transfer_hidden(const struct vsm_transfer_landing *landing, const float *from, int width,
                                   int height, float x, float y)
{
    for (int i = 0; i < landing->count; i++) {
        if (vsm_pixel_sample(from, width, height, x, y) > VSM_TRANSFER_HIDING ||
            vsm_pixel_sample(from, width, height, x - 0.5f * landing->du[i], y - 0.5f * landing->dv[i]) >
                VSM_TRANSFER_HIDING)
            return true;
    }
    return false;
}

/* What is seen at (x, y), a pixel's middle where the taker has `own`, if `nearest` is the largest alpha that
 * arrives there: whoever is nearest hides the rest, and is as opaque. */
VSM_PIXEL float vsm_transfer_seen(const struct vsm_transfer_landing *landing, const float *from, float own,
                                  float nearest, int width, int height, float x, float y)
{
    return nearest >= 0.0f && nearest < VSM_TRANSFER_SOFT && own > VSM_TRANSFER_SOFT &&
                   vsm_transfer_hidden(landing, from, width, height, x, y)
               ? -1.0f
               : nearest;
}

/* `own` drawn between the least and the largest of what was moved within a pixel of (x, y); negative if the
 * pixel itself is not known. */
VSM_PIXEL float vsm_transfer_settled(const float *moved, float own, int width, int height, int x, int y)
{
    const int x0 = x > 0 ? x - 1 : x, x1 = x + 1 < width ? x + 1 : x;
    const int y0 = y > 0 ? y - 1 : y, y1 = y + 1 < height ? y + 1 : y;
    float low = moved[(size_t)y * (size_t)width + (size_t)x], high = low;

    if (low == own) /* nearly everywhere: nobody in both */
        return low;
    for (int j = y0; low >= 0.0f && j <= y1; j++) {
        for (int i = x0; i <= x1; i++) {
            const float v = moved[(size_t)j * (size_t)width + (size_t)i];

            low = v >= 0.0f && v < low ? v : low;
            high = v > high ? v : high;
        }
    }
    return low < 0.0f ? low : vsm_pixel_between(own, low, high);
}

#endif
