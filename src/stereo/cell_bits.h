/* A bit for each cell of a grid, to find those beside others without asking each.
 */
#ifndef VSM_STEREO_CELL_BITS_H
#define VSM_STEREO_CELL_BITS_H

#include "pixel/disparity.h"

#include <stdint.h>

/* A row of cells by their columns; the first and the last row stay 0: beyond the grid is nothing. */
struct vsm_cell_bits {
    uint64_t rows[VSM_DISPARITY_CELLS + 2];
};

static inline void vsm_cell_bits_put(struct vsm_cell_bits *bits, int column, int row, bool value)
{
    bits->rows[row + 1] |= (uint64_t)value << column;
}

/* Those of a row of `columns` cells that are set, or beside one that is. */
static inline uint64_t vsm_cell_bits_near(const struct vsm_cell_bits *bits, int columns, int row)
{
    const uint64_t any = bits->rows[row] | bits->rows[row + 1] | bits->rows[row + 2];

    return (any | any << 1 | any >> 1) & (~(uint64_t)0 >> (VSM_DISPARITY_CELLS - columns));
}

/* The first column that is set; there is one. */
static inline int vsm_cell_bits_first(uint64_t row)
{
    return __builtin_ctzll(row);
}

#endif
