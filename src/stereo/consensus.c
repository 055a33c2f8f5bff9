#include "stereo/consensus.h"

#include "stereo/cell_bits.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define ROWS 16    /* for one call of a worker */
#define STEP 0.25f /* most by which a share moves in a frame */

/* Best confidence and mean alpha among a cell and its neighbours in both eyes. Chosen with the scenes of
 * tools/truth_scenes.h at a grid of 512: the first keeps shifts that are only filled in from mixing people
 * with background, the second keeps people whom neither eye sees well from fading in both. */
#define MATCHED 0.3f
#define SOLID   0.7f

/* Where an eye's cells are matched with confidence, and where they show somebody for certain; or their
 * neighbours. */
struct certain {
    uint64_t matched[VSM_DISPARITY_CELLS], solid[VSM_DISPARITY_CELLS]; /* by row, a bit a column */
};

static void find_certain(const struct vsm_disparity_map *map, struct certain *certain)
{
    struct vsm_cell_bits matched = {{0}}, solid = {{0}};

    for (int y = 0; y < map->rows; y++) {
        const struct vsm_disparity_cell *row = &map->cells[y * map->columns];

        for (int x = 0; x < map->columns; x++) {
            vsm_cell_bits_put(&matched, x, y, row[x].confidence >= MATCHED);
            vsm_cell_bits_put(&solid, x, y, row[x].people >= SOLID);
        }
    }
    for (int y = 0; y < map->rows; y++) {
        certain->matched[y] = vsm_cell_bits_near(&matched, map->columns, y);
        certain->solid[y] = vsm_cell_bits_near(&solid, map->columns, y);
    }
}

/* The other eye's cell that shows the same, -1 if none is known. */
static int same_cell(const struct vsm_disparity_map *map, int column, int row)
{
    const struct vsm_disparity_cell *cell = &map->cells[row * map->columns + column];
    int x, y;

    if (!cell->known)
        return -1;
    x = vsm_disparity_map_floor((float)column + 0.5f + cell->du / (float)map->side);
    y = vsm_disparity_map_floor((float)row + 0.5f + cell->dv / (float)map->side);
    return x >= 0 && y >= 0 && x < map->columns && y < map->rows ? y * map->columns + x : -1;
}

/* Both eyes while shares are decided. */
struct deciding {
    const struct vsm_disparity_map *const *maps;
    const float *const *mended;
    bool begins; /* a scene: shares need not move slowly */
    struct certain certain[2];
};

/* Whether the other eye's cell `there` shows the same people for certain. */
static bool agrees(const struct deciding *d, int eye, int column, int row, int there)
{
    const struct vsm_disparity_map *map = d->maps[eye];
    const int to_x = there % map->columns, to_y = there / map->columns;
    const struct certain *own = &d->certain[eye], *other = &d->certain[!eye];

    return d->maps[!eye]->cells[there].known &&
           !(fabsf(d->maps[!eye]->cells[there].du + map->cells[row * map->columns + column].du) >
             VSM_CONSENSUS_LOST) &&
           ((own->matched[row] >> column | other->matched[to_y] >> to_x) & 1) &&
           ((own->solid[row] >> column | other->solid[to_y] >> to_x) & 1);
}

static float larger(float a, float b)
{
    return a > b ? a : b;
}

/* A cell's share, which was `before`. */
static float share_of(const struct deciding *d, int eye, int column, int row, float before)
{
    const int there = same_cell(d->maps[eye], column, row);
    const float own = d->mended[eye][row * d->maps[eye]->columns + column];
    const float most = 1.0f - larger(own, there < 0 ? 0.0f : d->mended[!eye][there]);
    const float aim = there >= 0 && agrees(d, eye, column, row, there) ? most : 0.0f;
    const float share = d->begins ? aim : vsm_pixel_between(aim, before - STEP, before + STEP);

    return share < most ? share : most;
}

float vsm_consensus_judge(struct vsm_consensus *consensus, const struct vsm_disparity_map *const maps[2],
                          const float *const mended[2])
{
    struct deciding deciding = {.maps = maps, .mended = mended, .begins = consensus->frames == 0};
    float largest = 0.0f;

    for (int eye = 0; eye < 2; eye++)
        find_certain(maps[eye], &deciding.certain[eye]);
    for (int eye = 0; eye < 2; eye++) {
        for (int i = 0; i < maps[eye]->columns * maps[eye]->rows; i++) {
            float *share = &consensus->share[eye][i];

            if (!maps[eye]->cells[i].known && *share == 0.0f) /* most of an eye */
                continue;
            *share = share_of(&deciding, eye, i % maps[eye]->columns, i / maps[eye]->columns, *share);
            largest = larger(largest, *share);
        }
    }
    if (consensus->frames < UINT32_MAX)
        consensus->frames++;
    return largest;
}

/* What steps of some rows come to, by eye. */
struct sums {
    double gained[2], lost[2];
};

struct search {
    const struct vsm_consensus *consensus;
    const struct vsm_consensus_eyes *eyes;
    float *const *apart, *const *steps;
    struct sums sums[(VSM_DISPARITY_MAX_GRID + ROWS - 1) / ROWS];
    float gains[2], losses[2]; /* parts of the steps of an eye that remain */
};

static int rows_of(const struct search *s, int index)
{
    return (index + 1) * ROWS < s->eyes->height ? ROWS : s->eyes->height - index * ROWS;
}

/* Within one row of a cell. */
static void measure_span(const struct search *s, int eye, int y, int x0, int x1)
{
    const struct vsm_disparity_map *map = s->eyes->maps[eye];
    const struct vsm_mend_grid grid = {s->eyes->width, s->eyes->height, map->side, map->columns, map->rows};
    const float *share = s->consensus->share[eye];
    const size_t row = (size_t)y * (size_t)s->eyes->width;
    const float *own = s->eyes->own[eye] + row, *settled = s->eyes->settled[eye] + row;
    float *apart = s->apart[eye] + row;

    if (vsm_mend_is_quiet(&grid, share, x0 / map->side, y / map->side)) { /* most of an eye */
        memset(apart + x0, 0, (size_t)(x1 - x0) * sizeof(*apart));
        return;
    }
    for (int x = x0; x < x1; x++)
        apart[x] = vsm_consensus_apart(&grid, share, own[x], settled[x], x, y);
}

static void measure_row(const struct search *s, int eye, int y)
{
    const int side = s->eyes->maps[eye]->side, width = s->eyes->width;

    for (int x = 0; x < width; x += side)
        measure_span(s, eye, y, x, x + side < width ? x + side : width);
}

static void measure_rows(void *context, int index, int worker)
{
    const struct search *s = context;
    const int from = index * ROWS;

    (void)worker;
    for (int y = from; y < from + rows_of(s, index); y++) {
        measure_row(s, 0, y);
        measure_row(s, 1, y);
    }
}

static void step_rows(void *context, int index, int worker)
{
    struct search *s = context;
    const size_t width = (size_t)s->eyes->width, from = (size_t)index * ROWS * width;
    const size_t end = from + (size_t)rows_of(s, index) * width;
    const float *const apart[2] = {s->apart[0], s->apart[1]};
    struct sums sums = {0};

    (void)worker;
    for (int eye = 0; eye < 2; eye++) {
        for (size_t i = from; i < end; i++) {
            const float step = apart[eye][i] == 0.0f
                                   ? 0.0f
                                   : vsm_consensus_step(s->eyes, apart, eye, (float)(i % width) + 0.5f,
                                                        (float)(i / width) + 0.5f);

            s->steps[eye][i] = step;
            if (step > 0.0f)
                sums.gained[eye] += (double)step;
            else if (step < 0.0f)
                sums.lost[eye] -= (double)step;
        }
    }
    s->sums[index] = sums;
}

/* What one eye gains in all the other loses, in either direction: the longer way is shortened. */
static void balance_rows(void *context, int index, int worker)
{
    const struct search *s = context;
    const size_t from = (size_t)index * ROWS * (size_t)s->eyes->width;
    const size_t end = from + (size_t)rows_of(s, index) * (size_t)s->eyes->width;

    (void)worker;
    for (int eye = 0; eye < 2; eye++) {
        const bool none = s->sums[index].gained[eye] <= 0.0 && s->sums[index].lost[eye] <= 0.0;

        for (size_t i = from; i < end && !none; i++)
            s->steps[eye][i] *= s->steps[eye][i] > 0.0f ? s->gains[eye] : s->losses[eye];
    }
}

static void balance(struct search *s, int calls)
{
    for (int eye = 0; eye < 2; eye++) {
        double gained = 0.0, lost = 0.0;

        for (int i = 0; i < calls; i++) {
            gained += s->sums[i].gained[eye];
            lost += s->sums[i].lost[!eye];
        }
        s->gains[eye] = vsm_consensus_remaining(gained, lost);
        s->losses[!eye] = vsm_consensus_remaining(lost, gained);
    }
}

void vsm_consensus_find(const struct vsm_consensus *consensus, const struct vsm_consensus_eyes *eyes,
                        float *const apart[2], float *const steps[2], struct vsm_parallel *pool)
{
    struct search s = {.consensus = consensus, .eyes = eyes, .apart = apart, .steps = steps};
    const int calls = (eyes->height + ROWS - 1) / ROWS;

    vsm_parallel_for(pool, calls, measure_rows, &s);
    vsm_parallel_for(pool, calls, step_rows, &s);
    balance(&s, calls);
    vsm_parallel_for(pool, calls, balance_rows, &s);
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
