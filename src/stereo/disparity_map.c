#include "stereo/disparity_map.h"

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

/* A cell's value and its neighbours', in rising order. */
struct values {
    float value[25], weight[25], total;
    int count;
};

static void add_value(struct values *v, float value, float weight)
{
    int place = v->count++;

    for (; place > 0 && v->value[place - 1] > value; place--) {
        v->value[place] = v->value[place - 1];
        v->weight[place] = v->weight[place - 1];
    }
    v->value[place] = value;
    v->weight[place] = weight;
    v->total += weight;
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

/* Settles a matched cell with its neighbours, two cells away at most. */
static float settled(const struct vsm_disparity_map *map, int index, float tolerance)
{
    const struct vsm_disparity_cell *own = &map->cells[index];
    struct values v = {.count = 0};
    float weights, mean;

    for (int j = -2; j <= 2; j++) {
        for (int i = -2; i <= 2; i++) {
            const int x = index % map->columns + i, y = index / map->columns + j;
            const struct vsm_disparity_cell *c;

            if (x < 0 || y < 0 || x >= map->columns || y >= map->rows)
                continue;
            c = &map->cells[y * map->columns + x];
            if (c->confidence > 0.0f)
                add_value(&v, c->parallax, c->confidence * (i == 0 && j == 0 ? 2.0f : 1.0f));
        }
    }
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
        smoothed[i] = map->cells[i].confidence > 0.0f ? settled(map, i, 1.5f * pixel) : 0.0f;
    for (int i = 0; i < count; i++) {
        struct vsm_disparity_cell *c = &map->cells[i];

        c->known = c->confidence > 0.0f;
        if (c->known && fabsf(c->parallax - smoothed[i]) > 2.0f * pixel)
            c->confidence *= 0.25f;
        c->parallax = smoothed[i];
    }
}

/* Spreads what is known by one cell; the same row counts double, since a person's parallax changes with
 * height. Returns whether there was anything to do. */
static bool spread(struct vsm_disparity_map *map, float least_people)
{
    float smoothed[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
    bool found[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS], any = false;

    for (int i = 0; i < map->columns * map->rows; i++) {
        float sum = 0.0f, weights = 0.0f;

        found[i] = false;
        if (map->cells[i].known || map->cells[i].people < least_people)
            continue;
        for (int k = 0; k < 9; k++) {
            const int x = i % map->columns + k % 3 - 1, y = i / map->columns + k / 3 - 1;
            const float weight = k / 3 == 1 ? 2.0f : 1.0f;

            if (x < 0 || y < 0 || x >= map->columns || y >= map->rows ||
                !map->cells[y * map->columns + x].known)
                continue;
            sum += weight * map->cells[y * map->columns + x].parallax;
            weights += weight;
        }
        found[i] = weights > 0.0f;
        any = any || found[i];
        smoothed[i] = weights > 0.0f ? sum / weights : 0.0f;
    }
    for (int i = 0; i < map->columns * map->rows; i++) {
        if (found[i]) {
            map->cells[i].parallax = smoothed[i];
            map->cells[i].known = true;
        }
    }
    return any;
}

void vsm_disparity_map_spread(struct vsm_disparity_map *map)
{
    for (int i = 0; i < FILL_STEPS && spread(map, SOMEBODY); i++)
        continue;
    for (int i = 0; i < RING_STEPS && spread(map, 0.0f); i++)
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

void vsm_disparity_map_invert(const struct vsm_disparity_map *map, struct vsm_disparity_known *known)
{
    memset(known, 0, sizeof(*known));
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < map->columns * map->rows; i++) {
            const struct vsm_disparity_cell *c = &map->cells[i];
            const float x = (float)(i % map->columns) + c->du / (float)map->side;
            const float y = (float)(i / map->columns) + c->dv / (float)map->side;

            if (!c->known)
                continue;
            for (int k = 0; k < (pass ? 9 : 1); k++) {
                const int to_x = (int)floorf(x + 0.5f) + (pass ? k % 3 - 1 : 0);
                const int to_y = (int)floorf(y + 0.5f) + (pass ? k / 3 - 1 : 0);
                const int to = to_y * map->columns + to_x;

                if (to_x < 0 || to_y < 0 || to_x >= map->columns || to_y >= map->rows ||
                    known->people[to] > (pass ? 0.0f : c->people) + 1e-6f)
                    continue;
                known->people[to] = fmaxf(c->people, 2e-6f);
                known->parallax[to] = c->parallax;
            }
        }
    }
}
