/* How much of the other eye's alpha a pixel takes, and what it becomes (stereo/mend.h). */
#ifndef VSM_PIXEL_MEND_H
#define VSM_PIXEL_MEND_H

#include "pixel/pixel.h"

#include <math.h>
#include <stdbool.h>

#define VSM_MEND_LITTLE 0.002f /* change of alpha not worth making */

/* The cells of a grid, as in struct vsm_disparity_map. */
struct vsm_mend_grid {
    int width, height, side, columns, rows;
};

/* Of a cell's pixels, added row by row. */
struct vsm_mend_sums {
    float own, moved;   /* alpha where both are known; `moved` is the settled one */
    float both, either; /* minimum and maximum */
    float apart;        /* difference */
    float known;        /* pixels */
};

VSM_PIXEL void vsm_mend_add(struct vsm_mend_sums *s, float own, float moved)
{
    s->own += own;
    s->moved += moved;
    s->both += own < moved ? own : moved;
    s->either += own > moved ? own : moved;
    s->apart += fabsf(own - moved);
}

/* The share at a pixel's centre, between the centres of cells. */
VSM_PIXEL float vsm_mend_share_at(const struct vsm_mend_grid *grid, const float *share, int x, int y)
{
    const float fx =
        vsm_pixel_between(((float)x + 0.5f) / (float)grid->side - 0.5f, 0.0f, (float)grid->columns);
    const float fy = vsm_pixel_between(((float)y + 0.5f) / (float)grid->side - 0.5f, 0.0f, (float)grid->rows);
    const int x0 = (int)fx < grid->columns ? (int)fx : grid->columns - 1;
    const int y0 = (int)fy < grid->rows ? (int)fy : grid->rows - 1;
    const int x1 = x0 + 1 < grid->columns ? x0 + 1 : x0, y1 = y0 + 1 < grid->rows ? y0 + 1 : y0;
    const float u = fx - (float)x0, v = fy - (float)y0;
    const float *top = share + (ptrdiff_t)y0 * grid->columns, *bottom = share + (ptrdiff_t)y1 * grid->columns;

    return (1 - v) * ((1 - u) * top[x0] + u * top[x1]) + v * ((1 - u) * bottom[x0] + u * bottom[x1]);
}

/* Whether a cell has no share anywhere: its own and its neighbours' are none. */
VSM_PIXEL bool vsm_mend_is_quiet(const struct vsm_mend_grid *grid, const float *share, int column, int row)
{
    for (int y = row > 0 ? row - 1 : 0; y <= row + 1 && y < grid->rows; y++) {
        for (int x = column > 0 ? column - 1 : 0; x <= column + 1 && x < grid->columns; x++) {
            if (share[y * grid->columns + x] > 0.0f)
                return false;
        }
    }
    return true;
}

struct vsm_mend_pixel {
    float alpha, target, weight; /* as of struct vsm_mend_planes */
};

/* Pixel (x, y) of an eye, from what the other one shows there (struct vsm_mend_eye) and the step to their
 * common value; taken: shares of cells. */
VSM_PIXEL struct vsm_mend_pixel vsm_mend_blend_pixel(const struct vsm_mend_grid *grid, const float *taken,
                                                     float own, float moved, float settled, float step, int x,
                                                     int y)
{
    struct vsm_mend_pixel pixel = {own, own, 0.0f};
    float share, target, alpha;

    if (settled < 0.0f || (moved == own && settled == own))
        return pixel;
    share = vsm_mend_share_at(grid, taken, x, y);
    if (settled == own && share <= 0.0f)
        return pixel;
    target = settled + share * (moved - settled);
    alpha = own + step + share * (target - own - step);
    if (target == own || fabsf(alpha - own) < VSM_MEND_LITTLE)
        return pixel;
    pixel.alpha = alpha;
    pixel.target = target;
    pixel.weight = vsm_pixel_between((alpha - own) / (target - own), 0.0f, 1.0f);
    return pixel;
}

#endif
