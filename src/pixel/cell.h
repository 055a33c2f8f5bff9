/* What the pixels of a cell come to, added one by one, row by row: in the same order on the host and on a
 * device. */
#ifndef VSM_PIXEL_CELL_H
#define VSM_PIXEL_CELL_H

#include "pixel/mend.h"

#define VSM_CELL_COVERED                                                                                     \
    0.5f /* share of a cell's people that the other eye must show to need no own search */
#define VSM_CELL_PEOPLE 0.10f /* mean alpha of a cell with people that are searched */

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

VSM_PIXEL float vsm_cell_sum(const float *plane, int width, struct vsm_cell cell)
{
    float sum = 0.0f;

    for (int y = cell.y0; y < cell.y1; y++) {
        VSM_PIXEL_UNROLL
        for (int x = cell.x0; x < cell.x1; x++)
            sum += plane[(size_t)y * (size_t)width + (size_t)x];
    }
    return sum;
}

VSM_PIXEL float vsm_cell_mean(const float *plane, int width, struct vsm_cell cell)
{
    return vsm_cell_sum(plane, width, cell) / (float)((cell.x1 - cell.x0) * (cell.y1 - cell.y0));
}

/* Whether an eye shows people there that what was moved to it does not reach. */
VSM_PIXEL bool vsm_cell_needs(const float *own, const float *moved, int width, struct vsm_cell cell)
{
    float people = 0.0f, covered = 0.0f;

    for (int y = cell.y0; y < cell.y1; y++) {
        VSM_PIXEL_UNROLL
        for (int x = cell.x0; x < cell.x1; x++) {
            const size_t at = (size_t)y * (size_t)width + (size_t)x;

            people += own[at];
            covered += moved[at] < own[at] ? (moved[at] > 0.0f ? moved[at] : 0.0f) : own[at];
        }
    }
    return people > VSM_CELL_PEOPLE * (float)((cell.x1 - cell.x0) * (cell.y1 - cell.y0)) &&
           covered < VSM_CELL_COVERED * people;
}

/* Own alpha and the other eye's, settled (stereo/mend.h). */
VSM_PIXEL struct vsm_mend_sums vsm_cell_compare(const float *own, const float *settled, int width,
                                                struct vsm_cell cell)
{
    struct vsm_mend_sums s = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};

    for (int y = cell.y0; y < cell.y1; y++) {
        const float *own_row = own + (size_t)y * (size_t)width;
        const float *settled_row = settled + (size_t)y * (size_t)width;

        for (int x = cell.x0; x < cell.x1; x++) {
            const float mine = own_row[x], other = settled_row[x];

            if (other < 0.0f)
                continue;
            s.known += 1.0f;
            if (mine > 0.0f || other > 0.0f)
                vsm_mend_add(&s, mine, other);
        }
    }
    return s;
}

#endif
