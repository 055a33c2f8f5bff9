#include "stereo/alignment.h"

#include "pixel/alignment.h"

#include <math.h>
#include <string.h>

#define RANGE (1.5 * VSM_DISPARITY_MAX_PITCH)

#define MIN_EVIDENCE 2.0 /* fully believable cells, for a judgement on the eyes' order */
#define MIN_TRIED    40  /* cells, for a judgement on whether the eyes belong together */
#define MIN_MATCHED  0.25
#define MOST_MATCHED 0.5
#define RECENT_TRIED 8192 /* cells on which that judgement rests: some 50 frames of a person */
#define MIN_SHOWN    10   /* cells of a frame that says whether the eyes still belong together */
#define MIN_SHIFT    1.0f /* grid pixels, for a cell to tell crossed from uncrossed */

/* Grid pixels down for a radian of pitch. */
static float pitch_scale(const struct vsm_disparity *disparity, int index)
{
    float u, before, after;

    vsm_disparity_shift(disparity, index, 0.0, 0.0, &u, &before);
    vsm_disparity_shift(disparity, index, 0.0, VSM_DISPARITY_MAX_PITCH, &u, &after);
    return (after - before) / (float)VSM_DISPARITY_MAX_PITCH;
}

static void add_pitch(struct vsm_alignment *alignment, double pitch, float weight)
{
    const double at = (pitch / RANGE + 1.0) * 0.5 * VSM_ALIGNMENT_BINS;

    if (at >= 0.0 && at < VSM_ALIGNMENT_BINS)
        alignment->pitch[(int)at] += weight;
}

/* What rows of cells show of the eyes' light. */
struct lighting {
    const struct vsm_disparity_map *map;
    const float *master, *slave;
    int width, height;
    double rows[VSM_DISPARITY_CELLS][2][3];
};

static void add_block(const struct lighting *l, const float *rgb, int x0, int y0, double sum[3])
{
    for (int y = y0; y < y0 + l->map->side; y++) {
        for (int x = x0; x < x0 + l->map->side; x++) {
            for (int c = 0; c < 3; c++)
                sum[c] +=
                    (double)rgb[((size_t)c * (size_t)l->height + (size_t)y) * (size_t)l->width + (size_t)x];
        }
    }
}

static void add_row(void *context, int row, int worker)
{
    struct lighting *l = context;
    const struct vsm_disparity_map *map = l->map;

    (void)worker;
    for (int i = row * map->columns; i < (row + 1) * map->columns; i++) {
        int to_x, to_y;

        if (!vsm_alignment_lit(map, i, l->width, l->height, &to_x, &to_y))
            continue;
        add_block(l, l->master, i % map->columns * map->side, row * map->side, l->rows[row][0]);
        add_block(l, l->slave, to_x, to_y, l->rows[row][1]);
    }
}

void vsm_alignment_light(const struct vsm_disparity_map *map, const float *master, const float *slave,
                         int width, int height, double light[2][3], struct vsm_parallel *pool)
{
    struct lighting lighting = {map, master, slave, width, height, {{{0}}}};

    memset(light, 0, 2 * sizeof(light[0]));
    vsm_parallel_for(pool, map->rows, add_row, &lighting);
    for (int i = 0; i < map->rows * 6; i++)
        light[i / 3 % 2][i % 3] += lighting.rows[i / 6][i / 3 % 2][i % 3];
}

void vsm_alignment_add_light(struct vsm_alignment *alignment, double light[2][3])
{
    for (int i = 0; i < 6; i++)
        alignment->light[i / 3][i % 3] += light[i / 3][i % 3];
}

/* Eyes that belong together stay so while one of them fails, but not for ever. */
static void judge_relation(struct vsm_alignment *alignment, const struct vsm_disparity_map *map)
{
    alignment->tried += (uint32_t)map->tried;
    alignment->matched += (uint32_t)map->matched;
    if (alignment->tried > RECENT_TRIED) {
        alignment->tried /= 2;
        alignment->matched /= 2;
    }
    if (map->matched >= MOST_MATCHED * map->tried && map->tried > 0)
        alignment->strange = 0;
    else if (map->tried >= MIN_SHOWN && map->matched < MIN_MATCHED * map->tried)
        alignment->strange++;
    if (alignment->tried >= MIN_TRIED && alignment->matched >= MOST_MATCHED * alignment->tried)
        alignment->related = true;
    if (alignment->strange >= VSM_ALIGNMENT_STRANGE) {
        alignment->related = false;
        alignment->strange = 0;
        alignment->tried = (uint32_t)map->tried;
        alignment->matched = (uint32_t)map->matched;
    }
}

void vsm_alignment_add(struct vsm_alignment *alignment, const struct vsm_disparity *disparity,
                       const struct vsm_disparity_map *map, const struct vsm_disparity_search *search)
{
    for (int i = 0; i < map->columns * map->rows; i++) {
        const struct vsm_disparity_cell *cell = &map->cells[i];
        float level, down;

        if (cell->confidence <= 0.0f || !cell->known)
            continue;
        add_pitch(alignment, search->pitch + (double)(cell->residual / pitch_scale(disparity, i)),
                  cell->confidence);
        vsm_disparity_shift(disparity, i, 0.0, search->pitch, &level, &down);
        if (fabsf(cell->du - level) >= MIN_SHIFT)
            alignment->crossed[cell->parallax < 0.0f] += (double)cell->confidence;
    }
    judge_relation(alignment, map);
    alignment->frames++;
}

static double median_pitch(const struct vsm_alignment *alignment)
{
    double total = 0.0, below = 0.0;

    for (int i = 0; i < VSM_ALIGNMENT_BINS; i++)
        total += (double)alignment->pitch[i];
    for (int i = 0; total > 0.0 && i < VSM_ALIGNMENT_BINS; i++) {
        const double here = (double)alignment->pitch[i];

        if (below + here >= 0.5 * total)
            return ((i + (0.5 * total - below) / here) / VSM_ALIGNMENT_BINS * 2.0 - 1.0) * RANGE;
        below += here;
    }
    return 0.0;
}

struct vsm_alignment_result vsm_alignment_judge(const struct vsm_alignment *alignment, double grid_height)
{
    struct vsm_alignment_result r = {.pitch = median_pitch(alignment), .gain = {1.0, 1.0, 1.0}};
    const double right = alignment->crossed[0], wrong = alignment->crossed[1];

    for (int i = 0; i < VSM_ALIGNMENT_BINS; i++)
        r.known = r.known || alignment->pitch[i] > 0.0f;
    r.offset = r.pitch / M_PI * grid_height;
    for (int c = 0; c < 3; c++) {
        if (alignment->light[0][c] > 0.0 && alignment->light[1][c] > 0.0)
            r.gain[c] = alignment->light[1][c] / alignment->light[0][c];
    }
    if (right + wrong >= MIN_EVIDENCE && right > 2.0 * wrong)
        r.eyes = VSM_ALIGNMENT_STRAIGHT;
    else if (right + wrong >= MIN_EVIDENCE && wrong > 2.0 * right)
        r.eyes = VSM_ALIGNMENT_SWAPPED;
    r.unrelated = !alignment->related && alignment->tried >= MIN_TRIED &&
                  alignment->matched < MIN_MATCHED * alignment->tried;
    return r;
}

void vsm_alignment_save(const struct vsm_alignment *alignment, struct vsm_bytes_out *out)
{
    vsm_bytes_put_f32(out, alignment->pitch, VSM_ALIGNMENT_BINS);
    for (int i = 0; i < 2; i++)
        vsm_bytes_put_f64(out, alignment->crossed[i]);
    for (int i = 0; i < 6; i++)
        vsm_bytes_put_f64(out, alignment->light[i / 3][i % 3]);
    vsm_bytes_put_le32(out, alignment->tried);
    vsm_bytes_put_le32(out, alignment->matched);
    vsm_bytes_put_u8(out, alignment->related);
    vsm_bytes_put_le32(out, alignment->strange);
    vsm_bytes_put_le32(out, alignment->frames);
}

int vsm_alignment_load(struct vsm_alignment *alignment, struct vsm_bytes_in *in)
{
    struct vsm_alignment loaded;

    vsm_bytes_get_f32(in, loaded.pitch, VSM_ALIGNMENT_BINS);
    for (int i = 0; i < 2; i++)
        loaded.crossed[i] = vsm_bytes_get_f64(in);
    for (int i = 0; i < 6; i++)
        loaded.light[i / 3][i % 3] = vsm_bytes_get_f64(in);
    loaded.tried = vsm_bytes_get_le32(in);
    loaded.matched = vsm_bytes_get_le32(in);
    loaded.related = vsm_bytes_get_u8(in) != 0;
    loaded.strange = vsm_bytes_get_le32(in);
    loaded.frames = vsm_bytes_get_le32(in);
    if (in->failed)
        return vsm_fail(VSM_E_INPUT, "checkpoint: the alignment of the eyes is cut off");
    *alignment = loaded;
    return VSM_OK;
}
