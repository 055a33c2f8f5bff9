#include "geometry/view_map.h"

#include <math.h>

/* Step to begin with, as a part of the eye's width; halved until the table is exact enough. */
#define COARSEST 64

static int check_turned(const struct vsm_view *view)
{
    double most =
        view->projection == VSM_RECTILINEAR ? VSM_VIEW_MAP_MAX_RECTILINEAR : VSM_VIEW_MAP_MAX_FISHEYE;

    if (view->projection == VSM_HALF_EQUIRECT)
        return vsm_fail(VSM_E_USAGE, "view: a turned view is rectilinear or fisheye");
    if (!(view->field_of_view >= VSM_VIEW_MAP_MIN_VIEW && view->field_of_view <= most))
        return vsm_fail(VSM_E_USAGE,
                        "view: a %s view of %g degrees is not possible; set it between %g and %g",
                        view->projection == VSM_RECTILINEAR ? "rectilinear" : "fisheye", view->field_of_view,
                        VSM_VIEW_MAP_MIN_VIEW, most);
    return VSM_OK;
}

int vsm_view_map_init(struct vsm_view_map *map, const struct vsm_view *view)
{
    int status;

    *map = (struct vsm_view_map){.turned = view->kind == VSM_VIEW_TURNED,
                                 .width = view->width,
                                 .height = view->height};
    if (view->width < 1 || view->height < 1)
        return vsm_fail(VSM_E_USAGE, "view: a grid of %dx%d cells is empty", view->width, view->height);
    status = vsm_projection_lens(&view->lens, view->source.width, view->source.height, &map->eye);
    if (status != VSM_OK || !map->turned)
        return status;
    status = check_turned(view);
    if (status == VSM_OK)
        status =
            vsm_projection_eye(view->projection, view->width, view->height, view->field_of_view, &map->view);
    if (status != VSM_OK)
        return status;
    if (view->projection == VSM_FISHEYE)
        map->view.half_view = fmin(M_PI, 0.5 * hypot(view->width, view->height) / map->view.focal);
    map->pose = vsm_rotation_of(view->yaw, view->pitch, view->roll);
    return VSM_OK;
}

bool vsm_view_map_eye_to_direction(const struct vsm_view_map *map, double u, double v, double direction[3])
{
    return vsm_projection_to_direction(&map->eye, u, v, direction);
}

bool vsm_view_map_direction_to_eye(const struct vsm_view_map *map, const double direction[3], double *u,
                                   double *v)
{
    return vsm_projection_to_pixel(&map->eye, direction, u, v);
}

bool vsm_view_map_grid_to_direction(const struct vsm_view_map *map, double x, double y, double direction[3])
{
    double own[3];

    if (!map->turned)
        return vsm_projection_to_direction(&map->eye, x * map->eye.width / map->width,
                                           y * map->eye.height / map->height, direction);
    if (!vsm_projection_to_direction(&map->view, x, y, own))
        return false;
    vsm_rotation_out(&map->pose, own, direction);
    return true;
}

bool vsm_view_map_direction_to_grid(const struct vsm_view_map *map, const double direction[3], double *x,
                                    double *y)
{
    double own[3];

    if (!map->turned) {
        if (!vsm_projection_to_pixel(&map->eye, direction, x, y))
            return false;
        *x *= map->width / map->eye.width;
        *y *= map->height / map->eye.height;
        return true;
    }
    vsm_rotation_in(&map->pose, direction, own);
    return vsm_projection_to_pixel(&map->view, own, x, y);
}

bool vsm_view_map_grid_to_eye(const struct vsm_view_map *map, double x, double y, double *u, double *v)
{
    double direction[3];

    return vsm_view_map_grid_to_direction(map, x, y, direction) &&
           vsm_view_map_direction_to_eye(map, direction, u, v);
}

bool vsm_view_map_eye_to_grid(const struct vsm_view_map *map, double u, double v, double *x, double *y)
{
    double direction[3];

    return vsm_view_map_eye_to_direction(map, u, v, direction) &&
           vsm_view_map_direction_to_grid(map, direction, x, y);
}

bool vsm_view_map_grid_to_grid(const struct vsm_view_map *from, const struct vsm_view_map *to, double x,
                               double y, double *to_x, double *to_y)
{
    double direction[3];

    return vsm_view_map_grid_to_direction(from, x, y, direction) &&
           vsm_view_map_direction_to_grid(to, direction, to_x, to_y);
}

/* A table being made: nodes by row and column, `step` apart. */
struct nodes {
    const struct vsm_view_map *map;
    struct vsm_view_map
        wide; /* the same with the eye's circle widened, so that cells on its rim have four nodes */
    int step;
    int64_t columns, rows;
    float *at;
};

static void fill(const struct nodes *n)
{
    for (int64_t r = 0; r < n->rows; r++) {
        for (int64_t c = 0; c < n->columns; c++) {
            float *node = n->at + 2 * (r * n->columns + c);
            double x, y;
            bool seen =
                vsm_view_map_eye_to_grid(&n->wide, (double)(c * n->step), (double)(r * n->step), &x, &y);

            node[0] = seen ? (float)x : NAN;
            node[1] = seen ? (float)y : NAN;
        }
    }
}

/* How far off the middle of a cell is, 0 where it is not on the grid. */
static double error_of_cell(const struct nodes *n, int64_t r, int64_t c)
{
    const float *a = n->at + 2 * (r * n->columns + c), *b = a + 2 * n->columns;
    double x, y, at_x = 0.25 * ((double)a[0] + a[2] + b[0] + b[2]),
                 at_y = 0.25 * ((double)a[1] + a[3] + b[1] + b[3]);

    if (!vsm_view_map_eye_to_grid(n->map, ((double)c + 0.5) * n->step, ((double)r + 0.5) * n->step, &x, &y) ||
        x < 0 || y < 0 || x > n->map->width || y > n->map->height)
        return 0;
    return isnan(at_x) || isnan(at_y) ? INFINITY : hypot(at_x - x, at_y - y);
}

static double error_of(const struct nodes *n)
{
    double most = 0;

    for (int64_t r = 0; r + 1 < n->rows; r++)
        for (int64_t c = 0; c + 1 < n->columns; c++)
            most = fmax(most, error_of_cell(n, r, c));
    return most;
}

static int make(const struct vsm_view_map *map, int step, struct nodes *nodes, struct vsm_tensor **tensor)
{
    *nodes = (struct nodes){.map = map,
                            .wide = *map,
                            .step = step,
                            .columns = ((int64_t)map->eye.width + step - 1) / step + 1,
                            .rows = ((int64_t)map->eye.height + step - 1) / step + 1};
    if (map->eye.kind == VSM_FISHEYE)
        nodes->wide.eye.half_view = fmin(M_PI, map->eye.half_view + 2.0 * step / map->eye.focal);
    *tensor = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){nodes->rows, nodes->columns, 2});
    if (!*tensor)
        return VSM_E_NOMEM;
    nodes->at = vsm_tensor_f32(*tensor);
    fill(nodes);
    return VSM_OK;
}

int vsm_view_map_inverse_table(const struct vsm_view_map *map, struct vsm_view_table *table)
{
    struct vsm_tensor *tensor = NULL;
    struct nodes nodes;
    int step = 1;

    if (!map->turned)
        return vsm_fail(VSM_E_INTERNAL, "view: a direct view needs no table");
    while (2 * step * COARSEST <= map->eye.width)
        step *= 2;
    for (;; step /= 2) {
        int status = make(map, step, &nodes, &tensor);

        if (status != VSM_OK)
            return status;
        if (step == 1 || error_of(&nodes) < VSM_VIEW_MAP_ERROR)
            break;
        vsm_tensor_unref(&tensor);
    }
    *table = (struct vsm_view_table){.step = step, .nodes = tensor};
    return VSM_OK;
}
