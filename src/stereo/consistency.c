#include "stereo/consistency.h"

#include <math.h>
#include <stddef.h>

#define SOFT     0.02f /* alpha below is background */
#define MIN_AREA 8.0f  /* grid pixels of soft area that make somebody */

struct sums {
    double both, either, area[2], x[2], y[2];
};

static void count(struct sums *sums, float w, float s, int x, int y)
{
    const float alpha[2] = {w, s};

    sums->both += (double)fminf(w, s);
    sums->either += (double)fmaxf(w, s);
    for (int i = 0; i < 2; i++) {
        sums->area[i] += (double)alpha[i];
        sums->x[i] += (double)alpha[i] * x;
        sums->y[i] += (double)alpha[i] * y;
    }
}

static struct vsm_consistency judge(const struct vsm_disparity_map *map, const struct sums *sums)
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

struct vsm_consistency vsm_consistency_measure(const struct vsm_disparity_map *map, const float *moved,
                                               const float *slave, int width, int height)
{
    struct sums sums = {0};

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const size_t at = (size_t)y * (size_t)width + (size_t)x;
            const float w = moved[at], s = slave[at];

            if (w > SOFT || (w >= 0.0f && s > SOFT))
                count(&sums, w, s, x, y);
        }
    }
    return judge(map, &sums);
}
