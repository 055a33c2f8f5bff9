#include "stereo/consistency.h"

#include <math.h>
#include <stddef.h>

#define ROWS     16   /* for one call of a worker */
#define MIN_AREA 8.0f /* grid pixels of soft area that make somebody */

/* Rows are summed by bands, so that the result does not depend on the number of threads. */
struct job {
    const float *moved, *slave;
    int width, height;
    struct vsm_consistency_sums bands[(VSM_DISPARITY_MAX_GRID + ROWS - 1) / ROWS];
};

static void measure_rows(void *context, int index, int worker)
{
    struct job *job = context;
    const int end = (index + 1) * ROWS < job->height ? (index + 1) * ROWS : job->height;
    struct vsm_consistency_sums sums = {0};

    (void)worker;
    for (int y = index * ROWS; y < end; y++) {
        const float *moved = job->moved + (size_t)y * (size_t)job->width;
        const float *slave = job->slave + (size_t)y * (size_t)job->width;

        for (int x = 0; x < job->width; x++)
            vsm_consistency_count(&sums, moved[x], slave[x], x, y);
    }
    job->bands[index] = sums;
}

void vsm_consistency_sum(const float *moved, const float *slave, int width, int height,
                         struct vsm_consistency_sums *sums, struct vsm_parallel *pool)
{
    const int bands = (height + ROWS - 1) / ROWS;
    struct job job = {.moved = moved, .slave = slave, .width = width, .height = height};

    vsm_parallel_for(pool, bands, measure_rows, &job);
    *sums = (struct vsm_consistency_sums){0};
    for (int i = 0; i < bands; i++)
        vsm_consistency_join(sums, &job.bands[i]);
}

struct vsm_consistency vsm_consistency_judge(const struct vsm_disparity_map *map,
                                             const struct vsm_consistency_sums *sums)
{
    struct vsm_consistency c = {.overlap = 1.0f, .area = 1.0f, .matched = 1.0f};
    const double *area = sums->area;

    c.people = area[0] >= (double)MIN_AREA || area[1] >= (double)MIN_AREA;
    if (map->tried > 0)
        c.matched = (float)map->matched / (float)map->tried;
    if (!c.people)
        return c;
    c.overlap = sums->either > 0.0 ? (float)(sums->both / sums->either) : 1.0f;
    c.area = area[0] > 0.0 ? (float)fmin(area[1] / area[0], 100.0) : 100.0f;
    if (area[0] > 0.0 && area[1] > 0.0)
        c.residual = (float)hypot(sums->x[0] / area[0] - sums->x[1] / area[1],
                                  sums->y[0] / area[0] - sums->y[1] / area[1]);
    return c;
}
