#include "image/view_fade.h"

#include "geometry/view_map.h"
#include "image/coefficients.h"

#include <math.h>

#define OTHERS 2 /* views of an eye */

/* Weight of a view at its very edge, in cells, as in refine_warp.c. */
#define EDGE 0.001

struct fading {
    struct vsm_matte *matte;
    struct vsm_view_map map, others[OTHERS];
    const float *maps[OTHERS];
    int count;
    float keep;
};

/* Where a direction lies in another view, and how far from its edges; weight 0 outside. */
struct place {
    double x, y, weight;
};

static struct place find(const struct fading *f, int other, const double direction[3])
{
    const struct vsm_view_map *map = &f->others[other];
    struct place p = {0};
    double inside;

    if (!vsm_view_map_direction_to_grid(map, direction, &p.x, &p.y))
        return (struct place){0};
    inside = fmin(fmin(p.x, map->width - p.x), fmin(p.y, map->height - p.y));
    p.weight = inside >= 0.0 ? inside + EDGE : 0.0;
    return p;
}

/* The cell before a position, and how far it is to the next. */
static int locate(double position, int cells, float *fraction)
{
    const double at = fmin(fmax(position - 0.5, 0.0), cells - 1.0);
    const int cell = (int)fmin(at, cells - 2.0);

    *fraction = (float)(at - cell);
    return cell;
}

static void add(const struct fading *f, int other, const struct place *place, float weight, float sum[])
{
    const int width = f->others[other].width, height = f->others[other].height;
    const ptrdiff_t plane = (ptrdiff_t)width * height;
    float fx, fy;
    const int x = locate(place->x, width, &fx), y = locate(place->y, height, &fy);
    const float *from = f->maps[other] + (ptrdiff_t)y * width + x;

    for (int m = 0; m < VSM_COEFFICIENT_MAPS; m++, from += plane) {
        const float top = from[0] + fx * (from[1] - from[0]);
        const float bottom = from[width] + fx * (from[width + 1] - from[width]);

        sum[m] += weight * (top + fy * (bottom - top));
    }
}

static void fade_cell(const struct fading *f, int x, int y, float *cell, ptrdiff_t plane)
{
    float sum[VSM_COEFFICIENT_MAPS] = {0};
    struct place places[OTHERS];
    double direction[3], total = 0.0;

    if (vsm_view_map_grid_to_direction(&f->map, x + 0.5, y + 0.5, direction)) {
        for (int k = 0; k < f->count; k++) {
            places[k] = find(f, k, direction);
            total += places[k].weight;
        }
        for (int k = 0; k < f->count; k++)
            if (places[k].weight > 0.0)
                add(f, k, &places[k], (float)(places[k].weight / total), sum);
    }
    for (int m = 0; m < VSM_COEFFICIENT_MAPS; m++)
        cell[m * plane] = f->keep * cell[m * plane] + (1.0f - f->keep) * sum[m];
}

static void fade_row(void *context, int y, int worker)
{
    const struct fading *f = context;
    const ptrdiff_t plane = (ptrdiff_t)f->map.width * f->map.height;
    float *row = vsm_tensor_f32(f->matte->coefficients) + (ptrdiff_t)y * f->map.width;

    (void)worker;
    for (int x = 0; x < f->map.width; x++)
        fade_cell(f, x, y, row + x, plane);
}

int vsm_view_fade(struct vsm_matte *matte, float keep, const struct vsm_matte *other, int count,
                  struct vsm_parallel *pool)
{
    struct fading f = {.matte = matte, .keep = keep};
    int status = vsm_view_map_init(&f.map, &matte->view);

    for (int k = 0; k < count && status == VSM_OK; k++) {
        if (other[k].view.eye != matte->view.eye)
            continue;
        if (f.count == OTHERS)
            return vsm_fail(VSM_E_INTERNAL, "fading views: more than %d views of an eye", OTHERS);
        f.maps[f.count] = vsm_tensor_f32(other[k].coefficients);
        status = vsm_view_map_init(&f.others[f.count++], &other[k].view);
    }
    if (status == VSM_OK)
        vsm_parallel_for(pool, f.map.height, fade_row, &f);
    return status;
}
