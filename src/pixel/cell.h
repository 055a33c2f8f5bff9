/* What the pixels of a cell come to (stereo/mend.h, stereo/eye_health.h, stereo/stereo_planes.h), added one
 * by one, row by row: in the same order on the host and on a device. */
#ifndef VSM_PIXEL_CELL_H
#define VSM_PIXEL_CELL_H

#include "pixel/mend.h"

#define VSM_CELL_COVERED 0.5f  /* share of a cell's people that, reached by the other eye, need no search */
#define VSM_CELL_PEOPLE  0.10f /* mean alpha of a cell with people that are searched */

/* Pixels x0 <= x < x1, y0 <= y < y1 of a plane: at least one. */
struct vsm_cell {
    int x0, y0, x1, y1;
};

VSM_PIXEL struct vsm_cell vsm_cell_of(const struct vsm_mend_grid *grid, int index)
{
    const int x0 = index % grid->columns * grid->side, y0 = index / grid->columns * grid->side;
    const int x1 = x0 + grid->side, y1 = y0 + grid->side;
    const struct vsm_cell cell = {x0, y0, x1 < grid->width ? x1 : grid->width,
                                  y1 < grid->height ? y1 : grid->height};

    return cell;
}

VSM_PIXEL int vsm_cell_pixels(struct vsm_cell cell)
{
    return (cell.x1 - cell.x0) * (cell.y1 - cell.y0);
}

/* `sum` and the values of a plane. */
VSM_PIXEL float vsm_cell_add(float sum, const float *plane, int width, struct vsm_cell cell)
{
    for (int y = cell.y0; y < cell.y1; y++) {
        VSM_PIXEL_UNROLL
        for (int x = cell.x0; x < cell.x1; x++)
            sum += plane[(size_t)y * (size_t)width + (size_t)x];
    }
    return sum;
}

VSM_PIXEL float vsm_cell_mean(const float *plane, int width, struct vsm_cell cell)
{
    return vsm_cell_add(0.0f, plane, width, cell) / (float)vsm_cell_pixels(cell);
}

/* An eye's people, and those of them that what was moved to it reaches. */
struct vsm_cell_reach {
    float people, covered;
};

VSM_PIXEL void vsm_cell_cover(struct vsm_cell_reach *reach, const float *own, const float *moved, int width,
                              struct vsm_cell cell)
{
    for (int y = cell.y0; y < cell.y1; y++) {
        VSM_PIXEL_UNROLL
        for (int x = cell.x0; x < cell.x1; x++) {
            const size_t at = (size_t)y * (size_t)width + (size_t)x;

            reach->people += own[at];
            reach->covered += moved[at] < own[at] ? (moved[at] > 0.0f ? moved[at] : 0.0f) : own[at];
        }
    }
}

/* Whether people are not reached, in a cell of so many pixels. */
VSM_PIXEL bool vsm_cell_needs(struct vsm_cell_reach reach, int pixels)
{
    return reach.people > VSM_CELL_PEOPLE * (float)pixels && reach.covered < VSM_CELL_COVERED * reach.people;
}

/* Own alpha and the other eye's, settled (stereo/mend.h). */
VSM_PIXEL void vsm_cell_compare(struct vsm_mend_sums *sums, const float *own, const float *settled, int width,
                                struct vsm_cell cell)
{
    struct vsm_mend_sums s = *sums; /* a register a sum */

    for (int y = cell.y0; y < cell.y1; y++) {
        const float *own_row = own + (size_t)y * (size_t)width;
        const float *settled_row = settled + (size_t)y * (size_t)width;

        VSM_PIXEL_UNROLL
        for (int x = cell.x0; x < cell.x1; x++) {
            const float mine = own_row[x], other = settled_row[x];

            if (other < 0.0f)
                continue;
            s.known += 1.0f;
            if (mine > 0.0f || other > 0.0f)
                vsm_mend_add(&s, mine, other);
        }
    }
    *sums = s;
}

#endif
