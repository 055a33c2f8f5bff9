#include "stereo/disparity_map.h"

#include "stereo/cell_bits.h"

#include <math.h>
#include <string.h>

/* Confidence of the neighbours that agree with a cell, for it to be right against the others; and the part
 * that it and they are of all that is matched there: fewer are chance. */
#define COMPANY      0.8f
#define COMPANY_PART 0.2f

#define FILL_STEPS   8    /* cells that known parallax spreads within people */
#define RING_STEPS   2    /* and beyond them, for soft borders */
#define SMOOTHING    0.6f /* share of the past in parallax that hardly changes */
#define MEMORY_FADE  0.99f
#define FILLED_TRUST 0.75f
#define MIN_TRUST    0.3f
#define SOMEBODY     0.01f /* mean alpha of a cell that shows a bit of a person */

#define NEAR   2  /* cells away, of those that settle a cell */
#define PADDED 28 /* their number, for vectors of 4 */

/* A cell's value and its neighbours', in rising order; equal ones in that of the cells. */
struct values {
    float value[PADDED], weight[PADDED], total;
    int count;
};

static void gather(const struct vsm_disparity_map *map, int column, int row, struct values *v)
{
    const int x0 = column > NEAR ? column - NEAR : 0, y0 = row > NEAR ? row - NEAR : 0;
    const int x1 = column + NEAR < map->columns ? column + NEAR : map->columns - 1;
    const int y1 = row + NEAR < map->rows ? row + NEAR : map->rows - 1;

    v->total = 0.0f;
    v->count = 0;
    for (int y = y0; y <= y1; y++) {
        for (int x = x0; x <= x1; x++) {
            const struct vsm_disparity_cell *c = &map->cells[y * map->columns + x];
            const float weight = c->confidence * (x == column && y == row ? 2.0f : 1.0f);

            if (!(c->confidence > 0.0f))
                continue;
            v->value[v->count] = c->parallax;
            v->weight[v->count++] = weight;
            v->total += weight;
        }
    }
    for (int i = v->count; i < PADDED; i++)
        v->value[i] = INFINITY;
}

/* By counting for each how many are less: without a branch that nobody can foresee. */
static void sort(const struct values *from, struct values *to)
{
    uint32_t filled = 0;

    to->total = from->total;
    to->count = from->count;
    for (int i = 0; i < from->count; i++) {
        const float value = from->value[i];
        int place = 0;

        for (int k = 0; k < PADDED; k++)
            place += from->value[k] < value;
        while (filled >> place & 1)
            place++;
        filled |= (uint32_t)1 << place;
        to->value[place] = value;
        to->weight[place] = from->weight[i];
    }
}

static float median_of(const struct values *v)
{
    float below = 0.0f, median = 0.0f;

    for (int i = 0; i < v->count && below < 0.5f * v->total; i++) {
        below += v->weight[i];
        median = v->value[i];
    }
    return median;
}

/* The mean of those that agree with `value`; *weights: theirs. */
static float mean_near(const struct values *v, float value, float tolerance, float *weights)
{
    float sum = 0.0f;

    *weights = 0.0f;
    for (int i = 0; i < v->count; i++) {
        if (fabsf(v->value[i] - value) <= tolerance) {
            sum += v->weight[i] * v->value[i];
            *weights += v->weight[i];
        }
    }
    return *weights > 0.0f ? sum / *weights : value;
}

/* Settles a matched cell with its neighbours. */
static float settled(const struct vsm_disparity_map *map, int column, int row, float tolerance)
{
    const struct vsm_disparity_cell *own = &map->cells[row * map->columns + column];
    struct values any, v;
    float weights, mean;

    gather(map, column, row, &any);
    sort(&any, &v);
    mean = mean_near(&v, own->parallax, tolerance, &weights);
    if (weights - 2.0f * own->confidence >= COMPANY && weights >= COMPANY_PART * v.total)
        return mean;
    return mean_near(&v, median_of(&v), tolerance, &weights);
}

void vsm_disparity_map_settle(struct vsm_disparity_map *map, float pixel)
{
    float smoothed[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
    const int count = map->columns * map->rows;

    for (int i = 0; i < count; i++)
        smoothed[i] = map->cells[i].confidence > 0.0f
                          ? settled(map, i % map->columns, i / map->columns, 1.5f * pixel)
                          : 0.0f;
    for (int i = 0; i < count; i++) {
        struct vsm_disparity_cell *c = &map->cells[i];

        c->known = c->confidence > 0.0f;
        if (c->known && fabsf(c->parallax - smoothed[i]) > 2.0f * pixel)
            c->confidence *= 0.25f;
        c->parallax = smoothed[i];
    }
}

/* What is known beside a cell; the same row counts double, since a person's parallax changes with height. */
static float mean_beside(const struct vsm_disparity_map *map, int column, int row)
{
    const int x0 = column > 0 ? column - 1 : 0, x1 = column + 1 < map->columns ? column + 1 : column;
    const int y0 = row > 0 ? row - 1 : 0, y1 = row + 1 < map->rows ? row + 1 : row;
    float sum = 0.0f, weights = 0.0f;

    for (int y = y0; y <= y1; y++) {
        for (int x = x0; x <= x1; x++) {
            const struct vsm_disparity_cell *c = &map->cells[y * map->columns + x];
            const float weight = y == row ? 2.0f : 1.0f;

            if (!c->known)
                continue;
            sum += weight * c->parallax;
            weights += weight;
        }
    }
    return sum / weights;
}

/* Where nothing is known but beside it, on cells that show so much of people. */
static bool find_beside(const struct vsm_disparity_map *map, const struct vsm_cell_bits *known,
                        float least_people, struct vsm_cell_bits *beside)
{
    bool any = false;

    for (int y = 0; y < map->rows; y++) {
        uint64_t row = vsm_cell_bits_near(known, map->columns, y) & ~known->rows[y + 1];

        beside->rows[y + 1] = 0;
        for (; row; row &= row - 1) {
            const int x = vsm_cell_bits_first(row);

            vsm_cell_bits_put(beside, x, y, map->cells[y * map->columns + x].people >= least_people);
        }
        any = any || beside->rows[y + 1];
    }
    return any;
}

/* Spreads what is known by one cell. Returns whether there was anything to do. */
static bool spread(struct vsm_disparity_map *map, struct vsm_cell_bits *known, float least_people)
{
    float smoothed[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
    struct vsm_cell_bits beside;

    if (!find_beside(map, known, least_people, &beside))
        return false;
    for (int y = 0; y < map->rows; y++) {
        for (uint64_t row = beside.rows[y + 1]; row; row &= row - 1)
            smoothed[y * map->columns + vsm_cell_bits_first(row)] =
                mean_beside(map, vsm_cell_bits_first(row), y);
    }
    for (int y = 0; y < map->rows; y++) {
        for (uint64_t row = beside.rows[y + 1]; row; row &= row - 1) {
            const int i = y * map->columns + vsm_cell_bits_first(row);

            map->cells[i].parallax = smoothed[i];
            map->cells[i].known = true;
        }
        known->rows[y + 1] |= beside.rows[y + 1];
    }
    return true;
}

void vsm_disparity_map_spread(struct vsm_disparity_map *map)
{
    struct vsm_cell_bits known = {{0}};

    for (int y = 0; y < map->rows; y++) {
        for (int x = 0; x < map->columns; x++)
            vsm_cell_bits_put(&known, x, y, map->cells[y * map->columns + x].known);
    }
    for (int i = 0; i < FILL_STEPS && spread(map, &known, SOMEBODY); i++)
        continue;
    for (int i = 0; i < RING_STEPS && spread(map, &known, 0.0f); i++)
        continue;
}

void vsm_disparity_map_take(struct vsm_disparity_map *map, const struct vsm_disparity_known *known)
{
    for (int i = 0; i < map->columns * map->rows; i++) {
        if (!map->cells[i].known && known->people[i] > 0.0f) {
            map->cells[i].parallax = known->parallax[i];
            map->cells[i].known = true;
        }
    }
}

void vsm_disparity_map_remember(struct vsm_disparity_map *map, struct vsm_disparity_memory *memory,
                                float pixel)
{
    const float near = 1.5f * pixel;

    for (int i = 0; i < map->columns * map->rows; i++) {
        struct vsm_disparity_cell *c = &map->cells[i];
        float *trust = &memory->trust[i], *parallax = &memory->parallax[i];

        if (c->known) {
            if (*trust > 0.0f && fabsf(c->parallax - *parallax) < near)
                c->parallax += (*parallax - c->parallax) * SMOOTHING * *trust;
            *parallax = c->parallax;
            *trust = 1.0f;
        } else if (c->people >= SOMEBODY && *trust > MIN_TRUST) {
            c->parallax = *parallax;
            c->known = true;
            *trust *= MEMORY_FADE;
        }
    }
}

void vsm_disparity_map_learn(const struct vsm_disparity_map *map, struct vsm_disparity_memory *memory)
{
    for (int i = 0; i < map->columns * map->rows; i++) {
        if (map->cells[i].known && memory->trust[i] <= MIN_TRUST) {
            memory->parallax[i] = map->cells[i].parallax;
            memory->trust[i] = FILLED_TRUST;
        }
    }
}

/* What a cell shows, for the cell of the other eye at (x, y), unless that knows of somebody as solid. */
static void tell(const struct vsm_disparity_map *map, const struct vsm_disparity_cell *cell, int x, int y,
                 float people, struct vsm_disparity_known *known)
{
    const int to = y * map->columns + x;

    if (x < 0 || y < 0 || x >= map->columns || y >= map->rows || known->people[to] > people + 1e-6f)
        return;
    known->people[to] = cell->people > 2e-6f ? cell->people : 2e-6f;
    known->parallax[to] = cell->parallax;
}

void vsm_disparity_map_invert(const struct vsm_disparity_map *map, struct vsm_disparity_known *known)
{
    memset(known, 0, sizeof(*known));
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < map->columns * map->rows; i++) {
            const struct vsm_disparity_cell *c = &map->cells[i];
            int x, y;

            if (!c->known)
                continue;
            x = vsm_disparity_map_floor((float)(i % map->columns) + c->du / (float)map->side + 0.5f);
            y = vsm_disparity_map_floor((float)(i / map->columns) + c->dv / (float)map->side + 0.5f);
            for (int k = 0; k < 9 && pass == 1; k++)
                tell(map, c, x + k % 3 - 1, y + k / 3 - 1, 0.0f, known);
            if (pass == 0)
                tell(map, c, x, y, c->people, known);
        }
    }
}
