#include "stereo/stereo_past.h"

#include <string.h>

/* The old cell that looks where the new one's middle does; -1: none. */
static int find_cell(const struct vsm_stereo_past *from, const struct vsm_stereo_past *to, int eye, int index)
{
    const struct vsm_mend_grid *g = &to->grid, *old = &from->grid;
    double x, y;

    if (!vsm_view_map_grid_to_grid(&to->views[eye], &from->views[eye], (index % g->columns + 0.5) * g->side,
                                   (index / g->columns + 0.5) * g->side, &x, &y) ||
        !(x >= 0.0 && y >= 0.0 && x < old->width && y < old->height))
        return -1;
    return (int)y / old->side * old->columns + (int)x / old->side;
}

static void carry_cell(const struct vsm_stereo_past *from, int cell, int eye, int index,
                       struct vsm_stereo_past *to)
{
    to->memory[eye].trust[index] = from->memory[eye].trust[cell];
    to->memory[eye].parallax[index] = from->memory[eye].parallax[cell];
    to->mend.before[eye][index] = from->mend.before[eye][cell];
    to->mend.share[eye][index] = from->mend.share[eye][cell];
    to->consensus.share[eye][index] = from->consensus.share[eye][cell];
}

void vsm_stereo_past_carry(const struct vsm_stereo_past *from, int count, struct vsm_stereo_past *to)
{
    memset(to->memory, 0, sizeof(to->memory));
    to->alignment = from[0].alignment;
    to->mend = (struct vsm_mend){.frames = from[0].mend.frames};
    to->consensus = (struct vsm_consensus){.frames = from[0].consensus.frames};
    for (int eye = 0; eye < 2; eye++) {
        for (int i = 0; i < to->grid.columns * to->grid.rows; i++) {
            int cell = -1, k = 0;

            for (; k < count && cell < 0; k++)
                cell = find_cell(&from[k], to, eye, i);
            if (cell >= 0)
                carry_cell(&from[k - 1], cell, eye, i, to);
        }
    }
}
