#include "geometry/circle_map.h"

#include "base/mem.h"

#include <math.h>
#include <stdbool.h>

/* Nodes behind a row's reach look up to a step outside of the circle and of the source's picture. */
struct finder {
    struct vsm_projection_eye circle, source; /* wider than they are, with the same scale */
    double radius;
};

static int widen(const struct vsm_projection_eye *eye, double field_of_view, struct vsm_projection_eye *wide)
{
    double factor = fmin(2, 360 / field_of_view);
    int status = vsm_projection_eye(VSM_FISHEYE, 2, 2, field_of_view * factor, wide);

    if (status != VSM_OK)
        return status;
    wide->width = eye->width * factor;
    wide->height = eye->height * factor;
    wide->focal = eye->focal;
    wide->centre_u = 0.5 * wide->width;
    wide->centre_v = 0.5 * wide->height;
    return VSM_OK;
}

/* The source point seen at (x, y) luma samples right of and below the centre. */
static bool find(const struct finder *f, double x, double y, double *across, double *down)
{
    double direction[3], u, v;
    bool behind;

    if (!vsm_projection_to_direction(&f->circle, 0.5 * f->circle.width + x, 0.5 * f->circle.height + y,
                                     direction))
        return false;
    behind = f->source.kind == VSM_HALF_EQUIRECT && direction[2] < 0;
    if (behind)
        direction[2] = -direction[2];
    if (!vsm_projection_to_pixel(&f->source, direction, &u, &v))
        return false;
    if (behind)
        u = 2 * f->source.width - u;
    *across = u - 0.5 * f->source.width;
    *down = v - 0.5 * f->source.height;
    return true;
}

static void fill_row(const struct finder *f, const struct vsm_circle *circle, int row,
                     struct vsm_circle_map *map)
{
    float *across = map->across + (ptrdiff_t)row * map->nodes,
          *down = map->down + (ptrdiff_t)row * map->nodes;
    int last = (map->reach[row] + VSM_CIRCLE_MAP_STEP - 1) / VSM_CIRCLE_MAP_STEP;
    double y = (row + 0.5) * (1 << circle->chroma_y), u = 0, v = 0;

    for (int k = 0; k <= last; k++) {
        /* Where even the wider circle sees nothing, the last point that it sees must do. */
        (void)find(f, (double)k * VSM_CIRCLE_MAP_STEP * (1 << circle->chroma_x), y, &u, &v);
        across[k] = (float)u;
        down[k] = (float)v;
    }
}

static void fill_polar_row(const struct finder *f, const struct vsm_circle *circle, int row,
                           struct vsm_circle_map *map)
{
    ptrdiff_t at = (ptrdiff_t)(row - map->first_polar) * VSM_CIRCLE_MAP_POLE;
    double y = (row + 0.5) * (1 << circle->chroma_y), u = 0, v = 0;

    for (int i = 0; i < VSM_CIRCLE_MAP_POLE; i++) {
        (void)find(f, (i + 0.5) * (1 << circle->chroma_x), y, &u, &v);
        map->polar_across[at + i] = (float)u;
        map->polar_down[at + i] = (float)v;
    }
}

/* A sample belongs to the circle if the luma sample that it covers nearest to the centre does. */
static int reach_of(const struct vsm_circle *circle, double limit, int row)
{
    double y = (row << circle->chroma_y) + 0.5;

    if (y > limit)
        return 0;
    return ((int)(sqrt(limit * limit - y * y) + 0.5) + circle->chroma_x) >> circle->chroma_x;
}

/* Likewise for a square: on a circle of latitude the angle from Z grows with the longitude. */
static int square_reach_of(const struct vsm_circle *circle, double half_view, int row)
{
    const double latitude = ((row << circle->chroma_y) + 0.5) / circle->radius * M_PI_2;
    double longitude = M_PI_2;

    if (half_view < M_PI_2)
        longitude = cos(latitude) > cos(half_view) ? acos(cos(half_view) / cos(latitude)) : 0;
    return ((int)(longitude / M_PI_2 * circle->radius + 0.5) + circle->chroma_x) >> circle->chroma_x;
}

int vsm_circle_map_create(const struct vsm_projection_eye *source, const struct vsm_circle *circle,
                          struct vsm_circle_map *map)
{
    double view = 2 * source->half_view * 180 / M_PI;
    double limit = circle->radius * fmin(1, view / circle->field_of_view);
    struct vsm_projection_eye narrow = {.width = 2 * circle->radius, .height = 2 * circle->radius};
    struct finder finder = {.source = *source};
    int columns = (int)ceil(circle->radius / (1 << circle->chroma_x)), status;
    size_t count;

    *map = (struct vsm_circle_map){.rows = (int)ceil(circle->radius / (1 << circle->chroma_y)),
                                   .nodes = columns / VSM_CIRCLE_MAP_STEP + 2};
    status = vsm_projection_eye(VSM_FISHEYE, 2, 2, circle->field_of_view, &finder.circle);
    if (status != VSM_OK)
        return status;
    narrow.focal = circle->radius / finder.circle.half_view;
    if (circle->half_equirect)
        status =
            vsm_projection_eye(VSM_HALF_EQUIRECT, (int)narrow.width, (int)narrow.height, 180, &finder.circle);
    else
        status = widen(&narrow, circle->field_of_view, &finder.circle);
    if (status == VSM_OK && source->kind == VSM_FISHEYE)
        status = widen(source, view, &finder.source);
    if (status != VSM_OK)
        return status;
    count = (size_t)map->rows * (size_t)map->nodes;
    map->reach = vsm_mem_alloc("circle map", (size_t)map->rows, sizeof(*map->reach));
    map->across = vsm_mem_alloc_raw("circle map", count, sizeof(*map->across));
    map->down = vsm_mem_alloc_raw("circle map", count, sizeof(*map->down));
    map->first_polar = (int)(limit / (1 << circle->chroma_y)) - VSM_CIRCLE_MAP_POLE;
    if (source->kind != VSM_HALF_EQUIRECT || map->first_polar > map->rows)
        map->first_polar = map->rows;
    if (map->first_polar < 0)
        map->first_polar = 0;
    count = (size_t)(map->rows - map->first_polar) * VSM_CIRCLE_MAP_POLE;
    map->polar_across = vsm_mem_alloc_raw("circle map", count, sizeof(*map->polar_across));
    map->polar_down = vsm_mem_alloc_raw("circle map", count, sizeof(*map->polar_down));
    if (!map->reach || !map->across || !map->down || !map->polar_across || !map->polar_down) {
        vsm_circle_map_finish(map);
        return VSM_E_NOMEM;
    }
    for (int row = 0; row < map->rows; row++) {
        map->reach[row] = circle->half_equirect ? square_reach_of(circle, source->half_view, row)
                                                : reach_of(circle, limit, row);
        fill_row(&finder, circle, row, map);
        if (row >= map->first_polar)
            fill_polar_row(&finder, circle, row, map);
    }
    return VSM_OK;
}

void vsm_circle_map_finish(struct vsm_circle_map *map)
{
    vsm_mem_free(map->reach);
    vsm_mem_free(map->across);
    vsm_mem_free(map->down);
    vsm_mem_free(map->polar_across);
    vsm_mem_free(map->polar_down);
    *map = (struct vsm_circle_map){0};
}
