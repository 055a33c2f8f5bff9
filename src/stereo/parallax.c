#include "stereo/parallax.h"

#include "base/mem.h"
#include "geometry/rotation.h"

#include <math.h>

/* A place in the master's picture. */
struct place {
    double x, y, direction[3];
};

static bool look_at(const struct vsm_parallax *p, double x, double y, struct place *place)
{
    place->x = x;
    place->y = y;
    return p->by_view ? vsm_view_map_grid_to_direction(&p->view, x, y, place->direction)
                      : vsm_projection_to_direction(&p->eye, x, y, place->direction);
}

/* Where the slave, turned by `pose`, sees what the master sees there. */
static bool project(const struct vsm_parallax *p, const struct place *place, double parallax,
                    const struct vsm_rotation *pose, struct vsm_parallax_shift *s)
{
    double direction[3] = {place->direction[0], place->direction[1], place->direction[2]}, u, v;

    direction[0] -= p->master == VSM_LEFT ? parallax : -parallax;
    vsm_rotation_in(pose, direction, direction);
    if (!(p->by_view ? vsm_view_map_direction_to_grid(&p->other, direction, &u, &v)
                     : vsm_projection_to_pixel(&p->eye, direction, &u, &v)))
        return false;
    *s = (struct vsm_parallax_shift){(float)(u - place->x), (float)(v - place->y)};
    return true;
}

/* All cells, by rows. */
struct filling {
    struct vsm_parallax *parallax;
    struct vsm_rotation level, pitched; /* by a degree */
};

/* Cells near the poles, where the smallest parallax shifts far, are not usable. */
static void fill_cell(const struct filling *f, int index)
{
    struct vsm_parallax *p = f->parallax;
    const double x = fmin((index % p->columns + 0.5) * p->side, p->width - 1.0);
    const double y = fmin((index / p->columns + 0.5) * p->side, p->height - 1.0), degree = M_PI / 180.0;
    struct vsm_parallax_cell *c = &p->cells[index];
    struct vsm_parallax_shift s, level = {0};
    struct place place;

    c->usable = look_at(p, x, y, &place) && project(p, &place, 0.0, &f->level, &level);
    for (int i = 0; i < VSM_PARALLAX_SAMPLES; i++) {
        c->usable =
            c->usable &&
            project(p, &place, p->largest * (2.0 * i / (VSM_PARALLAX_SAMPLES - 1) - 1.0), &f->level, &s) &&
            fabsf(s.u) < (float)p->width / VSM_MATCH_SHIFT && fabsf(s.v) < (float)p->width / VSM_MATCH_SHIFT;
        if (!c->usable)
            return;
        c->du[i] = s.u;
        c->dv[i] = s.v;
    }
    c->usable = project(p, &place, 0.0, &f->pitched, &s);
    c->pitch_u = (float)((s.u - level.u) / degree);
    c->pitch_v = (float)((s.v - level.v) / degree);
}

static void fill_row(void *context, int row, int worker)
{
    const struct filling *f = context;

    (void)worker;
    for (int x = 0; x < f->parallax->columns; x++)
        fill_cell(f, row * f->parallax->columns + x);
}

/* Where the middle sees nothing, which no real lens does, any pixel of the eye's is as good. */
static void measure_pixel(struct vsm_parallax *p)
{
    const struct vsm_rotation level = vsm_rotation_of(0.0, 0.0, 0.0);
    const double little = 0.01 * p->largest;
    struct vsm_parallax_shift near = {0}, far = {0};
    struct place middle;
    float across = 0.0f;

    if (look_at(p, 0.5 * p->width, 0.5 * p->height, &middle) && project(p, &middle, little, &level, &near) &&
        project(p, &middle, 0.0, &level, &far))
        across = hypotf(near.u - far.u, near.v - far.v);
    p->pixel = across > 0.0f ? (float)little / across : (float)(M_PI / p->width);
}

int vsm_parallax_init(const struct vsm_disparity_options *options, struct vsm_parallax *parallax)
{
    struct vsm_parallax *p = parallax;
    struct filling filling = {p, vsm_rotation_of(0.0, 0.0, 0.0), vsm_rotation_of(0.0, M_PI / 180.0, 0.0)};
    int longer;

    *p = (struct vsm_parallax){.eye = options->eye,
                               .by_view = options->view != NULL,
                               .master = options->master,
                               .width = (int)options->eye.width,
                               .height = (int)options->eye.height,
                               .largest = options->baseline / VSM_DISPARITY_NEAR};
    if (options->view) {
        p->view = *options->view;
        p->other = options->other ? *options->other : p->view;
        p->width = p->view.width;
        p->height = p->view.height;
    }
    longer = p->width > p->height ? p->width : p->height;
    p->side = (longer + VSM_DISPARITY_CELLS - 1) / VSM_DISPARITY_CELLS;
    p->columns = (p->width + p->side - 1) / p->side;
    p->rows = (p->height + p->side - 1) / p->side;
    p->cells = vsm_mem_alloc("stereo geometry", (size_t)(p->columns * p->rows), sizeof(*p->cells));
    if (!p->cells)
        return VSM_E_NOMEM;
    vsm_parallel_for(options->pool, p->rows, fill_row, &filling);
    measure_pixel(p);
    return VSM_OK;
}

void vsm_parallax_finish(struct vsm_parallax *parallax)
{
    vsm_mem_free(parallax->cells);
    parallax->cells = NULL;
}

struct vsm_parallax_shift vsm_parallax_shift(const struct vsm_parallax *parallax, int index, double value,
                                             double pitch)
{
    return vsm_pixel_parallax_shift(&parallax->cells[index], parallax->largest, value, pitch);
}

struct vsm_match_grid vsm_parallax_grid(const struct vsm_parallax *parallax)
{
    return (struct vsm_match_grid){.width = parallax->width,
                                   .height = parallax->height,
                                   .levels = vsm_pixel_match_levels(parallax->width),
                                   .side = parallax->side,
                                   .columns = parallax->columns,
                                   .rows = parallax->rows};
}
