#include "stereo/consensus.h"

#include "pixel/pixel.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define ROWS 16    /* for one call of a worker */
#define STEP 0.25f /* most by which a share moves in a frame */
#define LOST 1.0f  /* grid pixels between there and back: not the same point */

/* Pictures' colours differ by this part: from the first on points count less, from twice that not at all.
 * DARK is added to what it is a part of, for the noise of dark places. */
#define UNLIKE 0.07f
#define DARK   0.1f

/* An eye's way is as long as half its difference, but no longer than this many times the other's. */
#define MORE 8.0f

/* Pixels of 3 x 3 that differ to the same side: a half of a plane has 6 at its border, a line 3. */
#define WIDE 5

/* How much larger one eye sees a surface than the other: its measure's reach in pixels, and
 * bounds, as change of shift. */
#define REACH 2.0f
#define LEAST (-0.6f)
#define MOST  1.5f

/* Best confidence and mean alpha among a cell and its neighbours in both eyes. Chosen with the scenes of
 * tools/truth_scenes.h at a grid of 512: the first keeps shifts that are only filled in from mixing people
 * with background, the second keeps people whom neither eye sees well from fading in both. */
#define MATCHED 0.3f
#define SOLID   0.7f

static const struct vsm_disparity_cell *cell_at(const struct vsm_disparity_map *map, int x, int y)
{
    if (x < 0 || y < 0 || x >= map->columns || y >= map->rows)
        return NULL;
    return &map->cells[y * map->columns + x];
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

    if (!other->cells[there].known || fabsf(other->cells[there].du + map->cells[here].du) > LOST)
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

/* Whether a cell gives way nowhere: its share and its neighbours' are none. */
static bool is_quiet(const struct vsm_disparity_map *map, const float *share, int column, int row)
{
    for (int k = 0; k < 9; k++) {
        const int x = column + k % 3 - 1, y = row + k / 3 - 1;

        if (cell_at(map, x, y) && share[y * map->columns + x] > 0.0f)
            return false;
    }
    return true;
}

/* Within one row of a cell. */
static void measure_span(const struct search *s, int eye, int y, int x0, int x1)
{
    const struct vsm_disparity_map *map = s->eyes->maps[eye];
    const float *share = s->consensus->share[eye];
    const size_t row = (size_t)y * (size_t)s->eyes->width;
    const float *own = s->eyes->own[eye] + row, *settled = s->eyes->settled[eye] + row;
    float *apart = s->apart[eye] + row;

    memset(apart + x0, 0, (size_t)(x1 - x0) * sizeof(*apart));
    if (is_quiet(map, share, x0 / map->side, y / map->side)) /* most of an eye */
        return;
    for (int x = x0; x < x1; x++) {
        if (settled[x] < 0.0f || settled[x] == own[x])
            continue;
        apart[x] = (settled[x] - own[x]) * vsm_pixel_sample(share, map->columns, map->rows,
                                                            ((float)x + 0.5f) / (float)map->side,
                                                            ((float)y + 0.5f) / (float)map->side);
    }
}

static void measure_row(const struct search *s, int eye, int y)
{
    const int side = s->eyes->maps[eye]->side, width = s->eyes->width;

    for (int x = 0; x < width; x += side)
        measure_span(s, eye, y, x, x + side < width ? x + side : width);
}

/* Where three samples a pixel apart lie along one direction: between which pixels, and how far, as of
 * vsm_pixel_sample(). */
struct taps {
    int low[3], high[3];
    float part[3];
};

static struct taps taps_round(float centre, int extent)
{
    struct taps t;

    for (int k = 0; k < 3; k++) {
        const float at = centre + (float)(k - 1) - 0.5f;
        const float f = at > 0.0f ? (at < (float)(extent - 1) ? at : (float)(extent - 1)) : 0.0f;

        t.low[k] = (int)f;
        t.high[k] = t.low[k] + 1 < extent ? t.low[k] + 1 : t.low[k];
        t.part[k] = f - (float)t.low[k];
    }
    return t;
}

static float mean_round(const float *plane, int width, const struct taps *across, const struct taps *down)
{
    float sum = 0.0f;

    for (int j = 0; j < 3; j++) {
        const float *top = plane + (ptrdiff_t)down->low[j] * width, v = down->part[j];
        const float *bottom = plane + (ptrdiff_t)down->high[j] * width;

        for (int i = 0; i < 3; i++) {
            const int x0 = across->low[i], x1 = across->high[i];
            const float u = across->part[i];

            sum += (1 - v) * ((1 - u) * top[x0] + u * top[x1]) + v * ((1 - u) * bottom[x0] + u * bottom[x1]);
        }
    }
    return sum / 9.0f;
}

/* The same where all parts are none: round a pixel's middle. */
static float mean_beside(const float *plane, int width, const struct taps *across, const struct taps *down)
{
    float sum = 0.0f;

    for (int j = 0; j < 3; j++) {
        for (int i = 0; i < 3; i++)
            sum += plane[(ptrdiff_t)down->low[j] * width + across->low[i]];
    }
    return sum / 9.0f;
}

/* 1 where both pictures show the same colour, 0 where they show different things. (x, y) is a
 * pixel's middle. */
static float alike(const struct vsm_consensus_eyes *eyes, int eye, float x, float y, float du, float dv)
{
    const size_t plane = (size_t)eyes->width * (size_t)eyes->height;
    const struct taps across = taps_round(x, eyes->width), down = taps_round(y, eyes->height);
    const struct taps to_across = taps_round(x + du, eyes->width), to_down = taps_round(y + dv, eyes->height);
    float unlike = 0.0f;

    for (size_t c = 0; c < 3; c++) {
        const float here =
            eyes->gain[eye][c] * mean_beside(eyes->rgb[eye] + c * plane, eyes->width, &across, &down);
        const float there = mean_round(eyes->rgb[!eye] + c * plane, eyes->width, &to_across, &to_down);

        unlike += fabsf(here - there) / (DARK + fmaxf(here, there));
    }
    return fminf(fmaxf(2.0f - unlike / (3.0f * UNLIKE), 0.0f), 1.0f);
}

/* This eye's part of the way to their common value, so that both give way by as much in all: dx pixels here
 * are (1 + change) dx there. */
static float part_of_way(const struct vsm_disparity_map *map, float x, float y)
{
    float before, after, change, v;

    if (!vsm_disparity_map_at(map, x - REACH, y, &before, &v) ||
        !vsm_disparity_map_at(map, x + REACH, y, &after, &v))
        return 0.5f;
    change = fminf(fmaxf((after - before) / (2.0f * REACH), LEAST), MOST);
    return (1.0f + change) / (2.0f + change);
}

/* Whether the eye differs to the same side over some area round a place: slivers are borders
 * that are not exact. */
static bool is_wide(const struct vsm_consensus_eyes *eyes, const float *apart, float x, float y, float sign)
{
    const int px = (int)x, py = (int)y;
    int count = 0;

    for (int k = 0; k < 9; k++) {
        const int i = px + k % 3 - 1, j = py + k / 3 - 1;

        if (i >= 0 && j >= 0 && i < eyes->width && j < eyes->height)
            count += apart[(size_t)j * (size_t)eyes->width + (size_t)i] * sign > 0.0f;
    }
    return count >= WIDE;
}

/* What to add at a place where the eyes are `apart`. */
static float step_at(const struct search *s, int eye, float x, float y, float apart)
{
    const struct vsm_consensus_eyes *eyes = s->eyes;
    float du, dv, back_u, back_v, there, both;

    if (!vsm_disparity_map_at(eyes->maps[eye], x, y, &du, &dv) ||
        !vsm_disparity_map_at(eyes->maps[!eye], x + du, y + dv, &back_u, &back_v) ||
        fabsf(back_u + du) > LOST || fabsf(back_v + dv) > LOST)
        return 0.0f;
    there = -MORE * vsm_pixel_sample(s->apart[!eye], eyes->width, eyes->height, x + du, y + dv);
    both = apart > 0.0f ? fmaxf(fminf(apart, there), 0.0f) : fminf(fmaxf(apart, there), 0.0f);
    if (both == 0.0f || !is_wide(eyes, s->apart[eye], x, y, both) ||
        !is_wide(eyes, s->apart[!eye], x + du, y + dv, -both))
        return 0.0f;
    return both * alike(eyes, eye, x, y, du, dv) * part_of_way(eyes->maps[eye], x, y);
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
    struct sums sums = {0};

    (void)worker;
    for (int eye = 0; eye < 2; eye++) {
        for (size_t i = from; i < end; i++) {
            const float apart = s->apart[eye][i];
            const float step =
                apart == 0.0f ? 0.0f
                              : step_at(s, eye, (float)(i % width) + 0.5f, (float)(i / width) + 0.5f, apart);

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
        s->gains[eye] = gained > lost ? (float)(lost / gained) : 1.0f;
        s->losses[!eye] = lost > gained ? (float)(gained / lost) : 1.0f;
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
