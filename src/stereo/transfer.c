#include "stereo/transfer.h"

#include "pixel/transfer.h"

#include <math.h>
#include <string.h>

#define ROWS 4 /* for one call of a worker */

static void find_landings(const struct vsm_disparity_map *map, struct vsm_transfer_landing *landings)
{
    memset(landings, 0, sizeof(*landings) * (size_t)(map->columns * map->rows));
    for (int i = 0; i < map->columns * map->rows; i++) {
        const struct vsm_disparity_cell *cell = &map->cells[i];
        int left, top;

        if (!cell->known)
            continue;
        vsm_transfer_place(map, i, &left, &top);
        for (int k = 0; k < 9; k++) {
            const int x = left + k % 3, y = top + k / 3;

            if (x >= 0 && y >= 0 && x < map->columns && y < map->rows)
                vsm_transfer_land(&landings[y * map->columns + x], cell->du, cell->dv);
        }
    }
}

struct job {
    const struct vsm_disparity_map *map;
    const float *from, *there;
    float *to;
    int width, height;
    struct vsm_transfer_landing landings[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
};

static void keep_nearest(const struct job *job, float du, float dv, int y, int x0, int x1)
{
    float *to = job->to + (size_t)y * (size_t)job->width;

    for (int x = x0; x < x1; x++) {
        const float here = vsm_transfer_arriving(job->map, job->from, job->width, job->height,
                                                 (float)x + 0.5f, (float)y + 0.5f, du, dv);

        to[x] = here > to[x] ? here : to[x];
    }
}

/* Within one row of a cell. */
static void move_span(const struct job *job, const struct vsm_transfer_landing *landing, int y, int x0,
                      int x1)
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
    for (int x = x0; x < x1; x++)
        to[x] = vsm_transfer_seen(landing, job->from, job->there[row + (size_t)x], to[x], job->width,
                                  job->height, (float)x + 0.5f, (float)y + 0.5f);
}

static void move_rows(void *context, int index, int worker)
{
    const struct job *job = context;
    const struct vsm_disparity_map *map = job->map;
    const int end = (index + 1) * ROWS < job->height ? (index + 1) * ROWS : job->height;

    (void)worker;
    for (int y = index * ROWS; y < end; y++) {
        const struct vsm_transfer_landing *landings = &job->landings[y / map->side * map->columns];

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
    const int end = (index + 1) * ROWS < job->height ? (index + 1) * ROWS : job->height;

    (void)worker;
    for (int y = index * ROWS; y < end; y++) {
        const size_t row = (size_t)y * (size_t)job->width;

        for (int x = 0; x < job->width; x++)
            job->to[row + (size_t)x] =
                vsm_transfer_settled(job->from, job->there[row + (size_t)x], job->width, job->height, x, y);
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
    return vsm_pixel_sample(share, map->columns, map->rows, x / (float)map->side, y / (float)map->side);
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
                const float there = vsm_pixel_sample(from + (size_t)c * plane, width, height,
                                                     (gx + du) / scale, (gy + dv) / scale);

                to[(size_t)c * plane + at] += part * (there - to[(size_t)c * plane + at]);
            }
        }
    }
}
