#include "geometry/mesh_fit.h"

#include <math.h>

#define FEWEST 9

/* Sums of a weighted straight line y = centre + scale x. */
struct line {
    double w, x, y, xx, xy;
};

static void add(struct line *line, double weight, double x, double y)
{
    line->w += weight;
    line->x += weight * x;
    line->y += weight * y;
    line->xx += weight * x * x;
    line->xy += weight * x * y;
}

/* False unless y rises with x. */
static bool solve(const struct line *line, double *centre, double *scale)
{
    const double spread = line->w * line->xx - line->x * line->x;

    if (!(spread > 1e-9 * line->w * line->w))
        return false;
    *scale = (line->w * line->xy - line->x * line->y) / spread;
    *centre = (line->y - *scale * line->x) / line->w;
    return *scale > 0.0;
}

/* The angles in which the projection is straight, to the right and down, and how many radians in space one of
 * the first is worth there. */
static double angles_of(enum vsm_projection projection, const float d[3], double *right, double *down)
{
    const double across = hypot((double)d[0], (double)d[1]), theta = atan2(across, (double)d[2]);

    if (projection == VSM_FISHEYE) {
        *right = across > 0.0 ? theta * (double)d[0] / across : 0.0;
        *down = across > 0.0 ? -theta * (double)d[1] / across : 0.0;
        return 1.0;
    }
    *right = atan2((double)d[0], (double)d[2]);
    *down = -atan2((double)d[1], hypot((double)d[0], (double)d[2]));
    return cos(*down);
}

static bool fit_one(enum vsm_projection projection, const struct vsm_mesh_point *points, size_t count,
                    struct vsm_mesh_fit *fit)
{
    struct line across = {0}, along = {0};
    double right, down;

    *fit = (struct vsm_mesh_fit){.projection = projection};
    for (size_t i = 0; i < count; i++) {
        const double worth = angles_of(projection, points[i].direction, &right, &down);

        add(&across, worth * worth, right, (double)points[i].u);
        add(&along, 1.0, down, (double)points[i].v);
    }
    if (!solve(&across, &fit->centre_u, &fit->scale_u) || !solve(&along, &fit->centre_v, &fit->scale_v))
        return false;
    for (size_t i = 0; i < count; i++) {
        const float *d = points[i].direction;
        const double worth = angles_of(projection, d, &right, &down);
        const double u = ((double)points[i].u - fit->centre_u) / fit->scale_u - right;
        const double v = ((double)points[i].v - fit->centre_v) / fit->scale_v - down;

        fit->error = fmax(fit->error, hypot(u * worth, v));
        fit->half_view = fmax(fit->half_view, atan2(hypot((double)d[0], (double)d[1]), (double)d[2]));
    }
    return isfinite(fit->error);
}

bool vsm_mesh_fit(const struct vsm_mesh_point *points, size_t count, struct vsm_mesh_fit *fit)
{
    struct vsm_mesh_fit half, fish;
    bool is_half, is_fish;

    if (count < FEWEST)
        return false;
    is_half = fit_one(VSM_HALF_EQUIRECT, points, count, &half);
    is_fish = fit_one(VSM_FISHEYE, points, count, &fish);
    if (!is_half && !is_fish)
        return false;
    *fit = is_fish && (!is_half || fish.error < half.error) ? fish : half;
    return true;
}
