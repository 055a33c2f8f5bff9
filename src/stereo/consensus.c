#include "stereo/consensus.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define STEP  0.25f  /* most by which a share moves in a frame */
#define LOST  1.0f   /* grid pixels between there and back: not the same point */
#define LAYER 2.0f   /* grid pixels of shift between neighbours: people at different distances */
#define SURE  0.001f /* no eye is surer than this */

/* Best confidence and mean alpha among a cell and its neighbours in both eyes. Measured over the scenes of
 * tools/truth_scenes.h at a grid of 512: without the first, shifts that are filled in mix up people and background in five
 * scenes; without the second, people whom neither eye sees well fade in both. */
#define MATCHED 0.3f
#define SOLID   0.6f

static const struct vsm_disparity_cell *cell_at(const struct vsm_disparity_map *map, int x, int y)
{
    if (x < 0 || y < 0 || x >= map->columns || y >= map->rows)
        return NULL;
    return &map->cells[y * map->columns + x];
}

/* Whether people at the same distance are known all round. */
static bool lies_within(const struct vsm_disparity_map *map, int x, int y)
{
    const struct vsm_disparity_cell *cell = cell_at(map, x, y);

    for (int k = 0; k < 9; k++) {
        const struct vsm_disparity_cell *beside = cell_at(map, x + k % 3 - 1, y + k / 3 - 1);

        if (beside && beside->known && fabsf(beside->du - cell->du) > LAYER)
            return false;
    }
    return true;
}

/* What the cells round one show at best. */
static void look_round(const struct vsm_disparity_map *map, int x, int y, float *confidence, float *people)
{
    for (int k = 0; k < 9; k++) {
        const struct vsm_disparity_cell *cell = cell_at(map, x + k % 3 - 1, y + k / 3 - 1);

        if (!cell)
            continue;
        *confidence = fmaxf(*confidence, cell->confidence);
        *people = fmaxf(*people, cell->people);
    }
}

/* The other eye's cell that shows the same, -1 if none is known. */
static int same_cell(const struct vsm_disparity_map *map, int index)
{
    const struct vsm_disparity_cell *cell = &map->cells[index];
    const int x = (int)floorf((float)(index % map->columns) + 0.5f + cell->du / (float)map->side);
    const int y = (int)floorf((float)(index / map->columns) + 0.5f + cell->dv / (float)map->side);

    return cell->known && cell_at(map, x, y) ? y * map->columns + x : -1;
}

/* Whether the other eye's cell shows the same people for certain. */
static bool agrees(const struct vsm_disparity_map *map, int here, const struct vsm_disparity_map *other,
                   int there)
{
    const int x = here % map->columns, y = here / map->columns;
    const int to_x = there % map->columns, to_y = there / map->columns;
    float confidence = 0.0f, people = 0.0f;

    if (!other->cells[there].known || fabsf(other->cells[there].du + map->cells[here].du) > LOST ||
        !lies_within(map, x, y) || !lies_within(other, to_x, to_y))
        return false;
    look_round(map, x, y, &confidence, &people);
    look_round(other, to_x, to_y, &confidence, &people);
    return confidence >= MATCHED && people >= SOLID;
}

float vsm_consensus_judge(struct vsm_consensus *consensus, const struct vsm_disparity_map *const maps[2],
                          const float *const mended[2])
{
    float largest = 0.0f;

    for (int eye = 0; eye < 2; eye++) {
        for (int i = 0; i < maps[eye]->columns * maps[eye]->rows; i++) {
            const int there = same_cell(maps[eye], i);
            const float most = 1.0f - fmaxf(mended[eye][i], there < 0 ? 0.0f : mended[!eye][there]);
            const float aim = there >= 0 && agrees(maps[eye], i, maps[!eye], there) ? most : 0.0f;
            float *share = &consensus->share[eye][i];

            *share = consensus->frames == 0 ? aim : fminf(fmaxf(aim, *share - STEP), *share + STEP);
            *share = fminf(*share, most);
            largest = fmaxf(largest, *share);
        }
    }
    if (consensus->frames < UINT32_MAX)
        consensus->frames++;
    return largest;
}

float vsm_consensus_of(float a, float b)
{
    const float p = fminf(fmaxf(a, SURE), 1.0f - SURE), q = fminf(fmaxf(b, SURE), 1.0f - SURE);
    const float yes = sqrtf(p * q), no = sqrtf((1.0f - p) * (1.0f - q));

    return fminf(fmaxf(yes / (yes + no), fminf(a, b)), fmaxf(a, b));
}

void vsm_consensus_save(const struct vsm_consensus *consensus, struct vsm_bytes_out *out)
{
    for (int eye = 0; eye < 2; eye++)
        vsm_bytes_put_f32(out, consensus->share[eye], VSM_CONSENSUS_CELLS);
    vsm_bytes_put_le32(out, consensus->frames);
}

int vsm_consensus_load(struct vsm_consensus *consensus, struct vsm_bytes_in *in)
{
    struct vsm_consensus loaded;

    for (int eye = 0; eye < 2; eye++)
        vsm_bytes_get_f32(in, loaded.share[eye], VSM_CONSENSUS_CELLS);
    loaded.frames = vsm_bytes_get_le32(in);
    if (in->failed)
        return vsm_fail(VSM_E_INPUT, "checkpoint: the eyes' common cells are cut off");
    *consensus = loaded;
    return VSM_OK;
}
