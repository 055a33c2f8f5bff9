#include "stereo/stereo_repair.h"

#include "stereo/transfer.h"

#include <math.h>
#include <string.h>

#define MAX_GRID 65536 /* pixels */

void vsm_stereo_repair_apply(const struct vsm_stereo_repair *repair, const float *from, int width, int height,
                             int channels, float *to)
{
    vsm_transfer_planes(&repair->map, repair->grid_width, from, width, height, channels, repair->share, to);
}

void vsm_stereo_repair_save(const struct vsm_stereo_repair *repair, struct vsm_bytes_out *out)
{
    const struct vsm_disparity_map *map = &repair->map;

    vsm_bytes_put_le32(out, (uint32_t)repair->grid_width);
    vsm_bytes_put_le32(out, (uint32_t)map->columns);
    vsm_bytes_put_le32(out, (uint32_t)map->rows);
    vsm_bytes_put_le32(out, (uint32_t)map->side);
    for (int i = 0; i < map->columns * map->rows; i++) {
        const struct vsm_disparity_cell *cell = &map->cells[i];

        vsm_bytes_put_u8(out, cell->known);
        vsm_bytes_put_f32(out, (const float[]){cell->du, cell->dv, repair->share[i]}, 3);
    }
}

static int size_of(uint32_t value, uint32_t most)
{
    return value <= most ? (int)value : 0;
}

int vsm_stereo_repair_load(struct vsm_stereo_repair *repair, struct vsm_bytes_in *in)
{
    struct vsm_disparity_map *map = &repair->map;
    bool good;

    memset(repair, 0, sizeof(*repair));
    repair->grid_width = size_of(vsm_bytes_get_le32(in), MAX_GRID);
    map->columns = size_of(vsm_bytes_get_le32(in), VSM_DISPARITY_CELLS);
    map->rows = size_of(vsm_bytes_get_le32(in), VSM_DISPARITY_CELLS);
    map->side = size_of(vsm_bytes_get_le32(in), MAX_GRID);
    good = repair->grid_width && map->columns && map->rows && map->side;
    for (int i = 0; good && i < map->columns * map->rows; i++) {
        struct vsm_disparity_cell *cell = &map->cells[i];
        float values[3];

        cell->known = vsm_bytes_get_u8(in) != 0;
        vsm_bytes_get_f32(in, values, 3);
        cell->du = values[0];
        cell->dv = values[1];
        repair->share[i] = values[2];
        good = isfinite(values[0]) && isfinite(values[1]) && values[2] >= 0.0f && values[2] <= 1.0f;
    }
    return good && !in->failed ? VSM_OK
                               : vsm_fail(VSM_E_INPUT, "checkpoint: a repair of an eye's state is damaged");
}
