#include "stereo/consistency.h"

#include <math.h>
#include <string.h>

#define CANDIDATES 4     /* different shifts that may lead to one cell of the slave */
#define APART      0.75f /* grid pixels between shifts worth telling apart */
#define SOFT       0.02f /* alpha below is background */
#define HIDDEN     0.5f  /* the master's alpha that hides what is behind it */
#define MIN_AREA   8.0f  /* grid pixels of soft area that make somebody */

/* The shifts of master cells that land on or beside a cell of the slave. */
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

/* Bilinear at continuous (x, y); pixel centres lie at halves. Outside: the border repeated. */
static float sample(const float *plane, int width, int height, float x, float y)
{
    const float fx = fminf(fmaxf(x - 0.5f, 0.0f), (float)(width - 1));
    const float fy = fminf(fmaxf(y - 0.5f, 0.0f), (float)(height - 1));
    const int x0 = (int)fx, y0 = (int)fy, x1 = x0 + 1 < width ? x0 + 1 : x0,
              y1 = y0 + 1 < height ? y0 + 1 : y0;
    const float u = fx - (float)x0, v = fy - (float)y0;
    const float *top = plane + (size_t)y0 * (size_t)width, *bottom = plane + (size_t)y1 * (size_t)width;

    return (1 - v) * ((1 - u) * top[x0] + u * top[x1]) + v * ((1 - u) * bottom[x0] + u * bottom[x1]);
}

/* The master's alpha that lands on the slave's point (x, y) with about this shift; -1 if the master ends before. */
static float arriving(const struct vsm_disparity_map *map, const float *master, int width, int height,
                      float x, float y, float du, float dv)
{
    float u, v;

    /* The shift is known at the master's place, which depends on it: one step of the fixed point is enough. */
    if (!vsm_disparity_at(map, x - du, y - dv, &u, &v) || fabsf(u - du) > 2.0f)
        return 0.0f;
    if (x - u < 0.0f || y - v < 0.0f || x - u >= (float)width || y - v >= (float)height)
        return -1.0f;
    return sample(master, width, height, x - u, y - v);
}

/* Whoever is nearest hides the rest, and is as opaque: the largest alpha is what is seen. */
static float warp_point(const struct vsm_disparity_map *map, const struct landing *landing,
                        const float *master, int width, int height, float x, float y)
{
    float most = landing->count ? -1.0f : 0.0f;

    for (int i = 0; i < landing->count; i++)
        most = fmaxf(most, arriving(map, master, width, height, x, y, landing->du[i], landing->dv[i]));
    return most;
}

/* Whether the master may see something nearer where the slave sees this empty place. */
static bool hidden(const struct landing *landing, const float *master, int width, int height, float x,
                   float y)
{
    for (int i = 0; i < landing->count; i++) {
        for (int k = 0; k <= 2; k++) {
            const float part = 0.5f * (float)k;

            if (part < 1.0f &&
                sample(master, width, height, x - part * landing->du[i], y - part * landing->dv[i]) > HIDDEN)
                return true;
        }
    }
    return false;
}

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

struct vsm_consistency vsm_consistency_measure(const struct vsm_disparity_map *map, const float *master,
                                               const float *slave, int width, int height, float *warped)
{
    struct landing landings[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
    struct sums sums = {0};

    find_landings(map, landings);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const struct landing *landing = &landings[y / map->side * map->columns + x / map->side];
            const size_t at = (size_t)y * (size_t)width + (size_t)x;
            const float px = (float)x + 0.5f, py = (float)y + 0.5f, s = slave[at];
            float w = warp_point(map, landing, master, width, height, px, py);

            if (w >= 0.0f && w < SOFT && s > SOFT && hidden(landing, master, width, height, px, py))
                w = -1.0f;
            warped[at] = w;
            if (w > SOFT || (w >= 0.0f && s > SOFT))
                count(&sums, w, s, x, y);
        }
    }
    return judge(map, &sums);
}
