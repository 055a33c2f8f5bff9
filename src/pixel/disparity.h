/* A map of parallax by cells (stereo/disparity.h measures it), and the shift that it has for a place. */
#ifndef VSM_PIXEL_DISPARITY_H
#define VSM_PIXEL_DISPARITY_H

#include "pixel/pixel.h"

#include <math.h>
#include <stdbool.h>

#define VSM_DISPARITY_CELLS 64 /* most along a side */

struct vsm_disparity_cell {
    float people;     /* mean of the master's alpha, 0..1 */
    float parallax;   /* radians; meaningful if `known` */
    float du, dv;     /* slave minus master at the cell's centre, grid pixels, by parallax and pitch */
    float residual;   /* vertical: what the match shifted beyond dv, grid pixels; if confidence > 0 */
    float confidence; /* 0..1 of its own match; 0 = none */
    bool known;       /* matched, or next to matched cells and filled in */
};

struct vsm_disparity_map {
    int columns, rows;
    int side;           /* of a cell, grid pixels; the last column and row may be cut */
    int tried, matched; /* cells with people and texture; those of them with a believable match */
    struct vsm_disparity_cell cells[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS]; /* row by row */
};

/* floorf() is a call without SSE 4.1. */
VSM_PIXEL int vsm_disparity_map_floor(float value)
{
    const int whole = (int)value;

    return whole - (value < (float)whole);
}

/* The usual case, with the same bits: `cell` and its neighbours across and down are all known and alike. */
VSM_PIXEL bool vsm_disparity_map_among(const struct vsm_disparity_cell *cell, int columns, float nearest,
                                       float x, float y, float *du, float *dv)
{
    const struct vsm_disparity_cell *below = cell + columns;
    const float w0 = (1.0f - x) * (1.0f - y), w1 = (1.0f - fabsf(x - 1.0f)) * (1.0f - y),
                w2 = (1.0f - x) * (1.0f - fabsf(y - 1.0f)),
                w3 = (1.0f - fabsf(x - 1.0f)) * (1.0f - fabsf(y - 1.0f));
    const float weights = w0 + w1 + w2 + w3;

    if (!cell[0].known || !cell[1].known || !below[0].known || !below[1].known ||
        fabsf(cell[0].du - nearest) > 2.0f || fabsf(cell[1].du - nearest) > 2.0f ||
        fabsf(below[0].du - nearest) > 2.0f || fabsf(below[1].du - nearest) > 2.0f || !(weights > 0.0f))
        return false;
    *du = (w0 * cell[0].du + w1 * cell[1].du + w2 * below[0].du + w3 * below[1].du) / weights;
    *dv = (w0 * cell[0].dv + w1 * cell[1].dv + w2 * below[0].dv + w3 * below[1].dv) / weights;
    return true;
}

/* The shift at a place of the master's grid, between cells as far as they belong together. false: nothing is
 * known there. Here, because it is wanted for every pixel of people, often along a row. */
VSM_PIXEL bool vsm_disparity_map_at(const struct vsm_disparity_map *map, float x, float y, float *du,
                                    float *dv)
{
    const float fx = x / (float)map->side - 0.5f, fy = y / (float)map->side - 0.5f;
    const int left = vsm_disparity_map_floor(fx), top = vsm_disparity_map_floor(fy);
    const int nearest_x = vsm_disparity_map_floor(fx + 0.5f), nearest_y = vsm_disparity_map_floor(fy + 0.5f);
    const struct vsm_disparity_cell *nearest;
    float sum_u = 0.0f, sum_v = 0.0f, weights = 0.0f;

    if (nearest_x < 0 || nearest_y < 0 || nearest_x >= map->columns || nearest_y >= map->rows)
        return false;
    nearest = &map->cells[nearest_y * map->columns + nearest_x];
    if (!nearest->known)
        return false;
    if (left >= 0 && top >= 0 && left + 1 < map->columns && top + 1 < map->rows &&
        vsm_disparity_map_among(&map->cells[top * map->columns + left], map->columns, nearest->du,
                                fx - (float)left, fy - (float)top, du, dv))
        return true;
    for (int k = 0; k < 4; k++) {
        const int i = left + (k & 1), j = top + (k >> 1);
        const float weight = (1.0f - fabsf(fx - (float)i)) * (1.0f - fabsf(fy - (float)j));
        const struct vsm_disparity_cell *c;

        if (i < 0 || j < 0 || i >= map->columns || j >= map->rows)
            continue;
        c = &map->cells[j * map->columns + i];
        if (!c->known || fabsf(c->du - nearest->du) > 2.0f)
            continue;
        sum_u += weight * c->du;
        sum_v += weight * c->dv;
        weights += weight;
    }
    *du = weights > 0.0f ? sum_u / weights : nearest->du;
    *dv = weights > 0.0f ? sum_v / weights : nearest->dv;
    return true;
}

#endif
