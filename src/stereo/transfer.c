#include "stereo/transfer.h"

#include <math.h>
#include <string.h>

#define ROWS       4     /* for one call of a worker */
#define CANDIDATES 4     /* different shifts that may lead to one cell of the taker */
#define APART      0.75f /* grid pixels between shifts worth telling apart */
#define SOFT       0.02f /* alpha below is background */
#define HIDDEN     0.5f  /* the giver's alpha that hides what is behind it */

/* The shifts of giver's cells that land on or beside a cell of the taker. */
struct landing {
    float du[CANDIDATES], dv[CANDIDATES];
    int count;
};

static void add(struct landing *landing, float du, float dv)
{
    for (int i = 0; i < landing->count; i++) {
        if (fabsf(landing->du[i] - du) < APART && fabsf(landing->dv[i] - dv) < APART)
            return;
    }
    if (landing->count == CANDIDATES)
        return;
    landing->du[landing->count] = du;
    landing->dv[landing->count++] = dv;
}

static void find_landings(const struct vsm_disparity_map *map, struct landing *landings)
{
    memset(landings, 0, sizeof(*landings) * (size_t)(map->columns * map->rows));
    for (int i = 0; i < map->columns * map->rows; i++) {
        const struct vsm_disparity_cell *cell = &map->cells[i];
        const float x = (float)(i % map->columns) + 0.5f + cell->du / (float)map->side;
        const float y = (float)(i / map->columns) + 0.5f + cell->dv / (float)map->side;

        if (!cell->known)
            continue;
        for (int k = 0; k < 9; k++) {
            const int to_x = (int)floorf(x) + k % 3 - 1, to_y = (int)floorf(y) + k / 3 - 1;

            if (to_x >= 0 && to_y >= 0 && to_x < map->columns && to_y < map->rows)
                add(&landings[to_y * map->columns + to_x], cell->du, cell->dv);
        }
    }
}

/* The giver's alpha that lands on the taker's point (x, y) with about this shift; -1 if the
 * picture ends before. */
static float arriving(const struct vsm_disparity_map *map, const float *from, int width, int height, float x,
                      float y, float du, float dv)
{
    float u, v;

    /* The shift is known at the giver's place, which depends on it: one step of the fixed point is enough. */
    if (!vsm_disparity_map_at(map, x - du, y - dv, &u, &v) || fabsf(u - du) > 2.0f)
        return 0.0f;
    if (x - u < 0.0f || y - v < 0.0f || x - u >= (float)width || y - v >= (float)height)
        return -1.0f;
    return vsm_transfer_sample(from, width, height, x - u, y - v);
}

/* Whether the giver may see something nearer where the taker sees this empty place. */
static bool hidden(const struct landing *landing, const float *from, int width, int height, float x, float y)
{
    for (int i = 0; i < landing->count; i++) {
        for (int k = 0; k <= 2; k++) {
            const float part = 0.5f * (float)k;

            if (part < 1.0f && vsm_transfer_sample(from, width, height, x - part * landing->du[i],
                                                   y - part * landing->dv[i]) > HIDDEN)
                return true;
        }
    }
    return false;
}

struct job {
    const struct vsm_disparity_map *map;
    const float *from, *there;
    float *to;
    int width, height;
    struct landing landings[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
};

/* Whoever is nearest hides the rest, and is as opaque: the largest alpha is what is seen. */
static void keep_nearest(const struct job *job, float du, float dv, int y, int x0, int x1)
{
    float *to = job->to + (size_t)y * (size_t)job->width;

    for (int x = x0; x < x1; x++) {
        const float here =
            arriving(job->map, job->from, job->width, job->height, (float)x + 0.5f, (float)y + 0.5f, du, dv);

        to[x] = here > to[x] ? here : to[x];
    }
}

/* Within one row of a cell. */
static void move_span(const struct job *job, const struct landing *landing, int y, int x0, int x1)
{
    const size_t row = (size_t)y * (size_t)job->width;
    float *to = job->to + row;

    if (landing->count == 0) { /* most of an eye */
        memset(to + x0, 0, (size_t)(x1 - x0) * sizeof(float));
        return;
    }
    for (int x = x0; x < x1; x++)
        to[x] = -1.0f;
    for (int i = 0; i < landing->count; i++)
        keep_nearest(job, landing->du[i], landing->dv[i], y, x0, x1);
    for (int x = x0; x < x1; x++) {
        if (to[x] >= 0.0f && to[x] < SOFT && job->there[row + (size_t)x] > SOFT &&
            hidden(landing, job->from, job->width, job->height, (float)x + 0.5f, (float)y + 0.5f))
            to[x] = -1.0f;
    }
}

static void move_rows(void *context, int index, int worker)
{
    const struct job *job = context;
    const struct vsm_disparity_map *map = job->map;
    const int end = (index + 1) * ROWS < job->height ? (index + 1) * ROWS : job->height;

    (void)worker;
    for (int y = index * ROWS; y < end; y++) {
        const struct landing *landings = &job->landings[y / map->side * map->columns];

        for (int cell = 0; cell < map->columns; cell++) {
            const int x0 = cell * map->side;
            const int x1 = x0 + map->side < job->width ? x0 + map->side : job->width;

            move_span(job, &landings[cell], y, x0, x1);
        }
    }
}

void vsm_transfer_alpha(const struct vsm_disparity_map *map, const float *from, const float *there, int width,
                        int height, float *to, struct vsm_parallel *pool)
{
    struct job job = {.map = map, .from = from, .there = there, .to = to, .width = width, .height = height};

    find_landings(map, job.landings);
    vsm_parallel_for(pool, (height + ROWS - 1) / ROWS, move_rows, &job);
}

static void settle_rows(void *context, int index, int worker)
{
    const struct job *job = context;
    const int end = (index + 1) * ROWS < job->height ? (index + 1) * ROWS : job->height, w = job->width;

    (void)worker;
    for (int y = index * ROWS; y < end; y++) {
        const int y0 = y > 0 ? y - 1 : y, y1 = y + 1 < job->height ? y + 1 : y;

        for (int x = 0; x < w; x++) {
            const int x0 = x > 0 ? x - 1 : x, x1 = x + 1 < w ? x + 1 : x;
            const size_t at = (size_t)y * (size_t)w + (size_t)x;
            float low = job->from[at], high = low;

            if (low == job->there[at]) { /* nearly everywhere: nobody in both */
                job->to[at] = low;
                continue;
            }
            for (int j = y0; low >= 0.0f && j <= y1; j++) {
                for (int i = x0; i <= x1; i++) {
                    const float v = job->from[(size_t)j * (size_t)w + (size_t)i];

                    low = v >= 0.0f && v < low ? v : low;
                    high = v > high ? v : high;
                }
            }
            job->to[at] = low < 0.0f ? low : vsm_transfer_between(job->there[at], low, high);
        }
    }
}

void vsm_transfer_settle(const float *moved, const float *own, int width, int height, float *settled,
                         struct vsm_parallel *pool)
{
    struct job job = {.from = moved, .there = own, .to = settled, .width = width, .height = height};

    vsm_parallel_for(pool, (height + ROWS - 1) / ROWS, settle_rows, &job);
}

/* A cell's value at the middle of a plane's pixel, between cells. */
static float share_at(const struct vsm_disparity_map *map, const float *share, float x, float y)
{
    return vsm_transfer_sample(share, map->columns, map->rows, x / (float)map->side, y / (float)map->side);
}

void vsm_transfer_planes(const struct vsm_disparity_map *map, int grid_width, const float *from, int width,
                         int height, int channels, const float *share, float *to)
{
    const float scale = (float)grid_width / (float)width;
    const size_t plane = (size_t)width * (size_t)height;

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const float gx = ((float)x + 0.5f) * scale, gy = ((float)y + 0.5f) * scale;
            const float part = share_at(map, share, gx, gy);
            const size_t at = (size_t)y * (size_t)width + (size_t)x;
            float du = 0.0f, dv = 0.0f;

            if (part <= 0.0f)
                continue;
            if (!vsm_disparity_map_at(map, gx, gy, &du, &dv))
                du = dv = 0.0f;
            for (int c = 0; c < channels; c++) {
                const float there = vsm_transfer_sample(from + (size_t)c * plane, width, height,
                                                        (gx + du) / scale, (gy + dv) / scale);

                to[(size_t)c * plane + at] += part * (there - to[(size_t)c * plane + at]);
            }
        }
    }
}
