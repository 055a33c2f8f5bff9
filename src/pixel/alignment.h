/* Which cells tell how light the eyes are (stereo/alignment.h). */
#ifndef VSM_PIXEL_ALIGNMENT_H
#define VSM_PIXEL_ALIGNMENT_H

#include "pixel/disparity.h"

#define VSM_ALIGNMENT_PEOPLE     0.9f /* mean alpha of a cell whose light is compared */
#define VSM_ALIGNMENT_CONFIDENCE 0.3f

/* Whether cell `index` does, and the first pixel of the place of the same size where the other eye of a grid
 * of width * height shows the same. */
VSM_PIXEL bool vsm_alignment_lit(const struct vsm_disparity_map *map, int index, int width, int height,
                                 int *to_x, int *to_y)
{
    const struct vsm_disparity_cell *cell = &map->cells[index];
    const int x = index % map->columns * map->side, y = index / map->columns * map->side;

    if (!cell->known || cell->people < VSM_ALIGNMENT_PEOPLE || cell->confidence < VSM_ALIGNMENT_CONFIDENCE)
        return false;
    *to_x = x + (int)lroundf(cell->du);
    *to_y = y + (int)lroundf(cell->dv + cell->residual);
    return x + map->side <= width && y + map->side <= height && *to_x >= 0 && *to_y >= 0 &&
           *to_x + map->side <= width && *to_y + map->side <= height;
}

#endif
