#include "stereo/parallax.h"

#include "base/mem.h"
#include "geometry/rotation.h"

#include <math.h>

/* Where the slave sees what the master sees at (x, y). */
static bool project(const struct vsm_parallax *p, double x, double y, double parallax, double pitch,
                    struct vsm_parallax_shift *s)
{
    const struct vsm_rotation pose = vsm_rotation_of(0.0, pitch, 0.0);
    double direction[3], u, v;

    if (!(p->by_view ? vsm_view_map_grid_to_direction(&p->view, x, y, direction)
                     : vsm_projection_to_direction(&p->eye, x, y, direction)))
        return false;
    direction[0] -= p->master == VSM_LEFT ? parallax : -parallax;
    vsm_rotation_in(&pose, direction, direction);
    if (!(p->by_view ? vsm_view_map_direction_to_grid(&p->other, direction, &u, &v)
                     : vsm_projection_to_pixel(&p->eye, direction, &u, &v)))
        return false;
    *s = (struct vsm_parallax_shift){(float)(u - x), (float)(v - y)};
    return true;
}

/* Cells near the poles, where the smallest parallax shifts far, are not usable. */
static void fill_cell(struct vsm_parallax *p, int index)
{
    const double x = fmin((index % p->columns + 0.5) * p->side, p->width - 1.0);
    const double y = fmin((index / p->columns + 0.5) * p->side, p->height - 1.0), degree = M_PI / 180.0;
    struct vsm_parallax_cell *c = &p->cells[index];
    struct vsm_parallax_shift s, level = {0};

    c->usable = project(p, x, y, 0.0, 0.0, &level);
    for (int i = 0; i < VSM_PARALLAX_SAMPLES; i++) {
        c->usable = c->usable &&
                    project(p, x, y, p->largest * (2.0 * i / (VSM_PARALLAX_SAMPLES - 1) - 1.0), 0.0, &s) &&
                    fabsf(s.u) < (float)p->width / VSM_MATCH_SHIFT &&
                    fabsf(s.v) < (float)p->width / VSM_MATCH_SHIFT;
        if (!c->usable)
            return;
        c->du[i] = s.u;
        c->dv[i] = s.v;
    }
    c->usable = project(p, x, y, 0.0, degree, &s);
    c->pitch_u = (float)((s.u - level.u) / degree);
    c->pitch_v = (float)((s.v - level.v) / degree);
}

/* Where the middle sees nothing, which no real lens does, any pixel of the eye's is as good. */
static void measure_pixel(struct vsm_parallax *p)
{
    const double little = 0.01 * p->largest;
    struct vsm_parallax_shift near = {0}, far = {0};
    float across = 0.0f;

    if (project(p, 0.5 * p->width, 0.5 * p->height, little, 0.0, &near) &&
        project(p, 0.5 * p->width, 0.5 * p->height, 0.0, 0.0, &far))
        across = hypotf(near.u - far.u, near.v - far.v);
    p->pixel = across > 0.0f ? (float)little / across : (float)(M_PI / p->width);
}

int vsm_parallax_init(const struct vsm_disparity_options *options, struct vsm_parallax *parallax)
{
    struct vsm_parallax *p = parallax;
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
    for (int i = 0; i < p->columns * p->rows; i++)
        fill_cell(p, i);
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
