#include "image/preprocess_turned.h"

#include "base/mem.h"
#include "base/scratch.h"
#include "geometry/view_map.h"
#include "image/area.h"
#include "image/preprocess.h"

#include <math.h>

#define STEP   VSM_PREPROCESS_TURNED_STEP
#define MARGIN 4 /* luma samples round what the nodes see */

struct turning {
    const struct vsm_view *view;
    struct vsm_preprocess_turned_plan plan;
    float *direct, *rgb;
};

/* The eye's pixel that looks towards `d`, or the nearest one that there is in that direction
 * from the middle. */
static void nearest_pixel(const struct vsm_projection_eye *eye, double d[3], double *u, double *v)
{
    double across = hypot(d[0], d[1]), theta;

    if (eye->kind == VSM_HALF_EQUIRECT && d[2] < 0.0)
        d[2] = 0.0;
    if (eye->kind == VSM_RECTILINEAR)
        d[2] = fmax(d[2], 1e-3);
    if (eye->kind == VSM_FISHEYE) {
        theta = fmin(atan2(across, d[2]), eye->half_view * (1 - 1e-9));
        d[0] = across > 0.0 ? d[0] / across * sin(theta) : sin(theta);
        d[1] = across > 0.0 ? d[1] / across * sin(theta) : 0.0;
        d[2] = cos(theta);
    }
    *u = 0.5 * eye->width;
    *v = 0.5 * eye->height;
    (void)vsm_projection_to_pixel(eye, d, u, v);
    *u = fmin(fmax(*u, 0.0), eye->width);
    *v = fmin(fmax(*v, 0.0), eye->height);
}

/* Where in the eye the nodes lie. */
static int fill_nodes(const struct vsm_view *view, const struct vsm_view_map *map,
                      struct vsm_preprocess_turned_plan *t)
{
    t->columns = (view->width + STEP - 1) / STEP + 1;
    t->rows = (view->height + STEP - 1) / STEP + 1;
    t->nodes = vsm_mem_alloc_raw("view nodes", (size_t)t->columns * (size_t)t->rows, 2 * sizeof(float));
    if (!t->nodes)
        return VSM_E_NOMEM;
    for (int r = 0; r < t->rows; r++) {
        for (int c = 0; c < t->columns; c++) {
            float *node = t->nodes + 2 * ((ptrdiff_t)r * t->columns + c);
            double d[3] = {0.0, 0.0, 1.0}, u, v;

            (void)vsm_view_map_grid_to_direction(map, (double)c * STEP, (double)r * STEP, d);
            nearest_pixel(&map->eye, d, &u, &v);
            node[0] = (float)u;
            node[1] = (float)v;
        }
    }
    return VSM_OK;
}

/* Cells of the direct picture that `extent` samples become, at `density` samples a radian in the eye. */
static int cells_of(int extent, double density, double wanted)
{
    double cells = ceil(extent * fmin(1.0, wanted / density));

    return (int)fmin(fmax(cells, 2.0), VSM_AREA_MAX_CELLS);
}

/* What the nodes see, as a rectangle of even corners inside the eye, and its resolution; then
 * where in it they lie. */
static void choose_part(const struct vsm_view *view, const struct vsm_view_map *map,
                        struct vsm_preprocess_turned_plan *t)
{
    const struct vsm_rect *eye = &view->source;
    const struct vsm_projection_eye *e = &map->eye;
    double wanted = VSM_PREPROCESS_TURNED_DENSITY * map->view.focal;
    float low[2] = {INFINITY, INFINITY}, high[2] = {0, 0};
    int begin[2], end[2], size[2] = {eye->width, eye->height};

    for (int i = 0; i < t->columns * t->rows; i++) {
        for (int k = 0; k < 2; k++) {
            low[k] = fminf(low[k], t->nodes[2 * i + k]);
            high[k] = fmaxf(high[k], t->nodes[2 * i + k]);
        }
    }
    for (int k = 0; k < 2; k++) {
        begin[k] = low[k] > MARGIN ? ((int)low[k] - MARGIN) & ~1 : 0;
        end[k] = high[k] < (float)(size[k] - MARGIN) ? (int)high[k] + MARGIN : size[k];
    }
    t->part = (struct vsm_view){.eye = view->eye,
                                .source = {eye->x + begin[0], eye->y + begin[1], end[0] - begin[0],
                                           end[1] - begin[1]}};
    t->part.width = cells_of(t->part.source.width, e->focal > 0.0 ? e->focal : e->width / M_PI, wanted);
    t->part.height = cells_of(t->part.source.height, e->focal > 0.0 ? e->focal : e->height / M_PI, wanted);
    for (int i = 0; i < t->columns * t->rows; i++) {
        float *node = t->nodes + 2 * (ptrdiff_t)i;

        node[0] = (node[0] - (float)begin[0]) * ((float)t->part.width / (float)t->part.source.width) - 0.5f;
        node[1] = (node[1] - (float)begin[1]) * ((float)t->part.height / (float)t->part.source.height) - 0.5f;
    }
}

int vsm_preprocess_turned_plan(const struct vsm_view *view, struct vsm_preprocess_turned_plan *plan)
{
    struct vsm_view_map map;
    int status = vsm_view_map_init(&map, view);

    *plan = (struct vsm_preprocess_turned_plan){0};
    if (status == VSM_OK)
        status = fill_nodes(view, &map, plan);
    if (status == VSM_OK)
        choose_part(view, &map, plan);
    return status;
}

void vsm_preprocess_turned_plan_free(struct vsm_preprocess_turned_plan *plan)
{
    vsm_mem_free(plan->nodes);
    plan->nodes = NULL;
}

/* The cell before a position, and how far it is to the next one. */
static int locate(float at, int cells, float *fraction)
{
    int cell;

    at = at < (float)(cells - 1) ? at : (float)(cells - 1);
    at = at > 0 ? at : 0;
    cell = (int)at < cells - 2 ? (int)at : cells - 2;
    *fraction = at - (float)cell;
    return cell;
}

static void turn_cell(const struct turning *t, float x, float y, float *rgb)
{
    ptrdiff_t width = t->plan.part.width, plane = width * t->plan.part.height,
              grid = (ptrdiff_t)t->view->width * t->view->height;
    float fx, fy;
    int cx = locate(x, t->plan.part.width, &fx), cy = locate(y, t->plan.part.height, &fy);
    const float *from = t->direct + cy * width + cx;

    for (int c = 0; c < 3; c++, from += plane) {
        float top = from[0] + fx * (from[1] - from[0]);
        float bottom = from[width] + fx * (from[width + 1] - from[width]);

        rgb[c * grid] = top + fy * (bottom - top);
    }
}

static void turn_rows(void *context, int band, int worker)
{
    const struct turning *t = context;
    const float *a = t->plan.nodes + 2 * (ptrdiff_t)band * t->plan.columns,
                *b = a + 2 * (ptrdiff_t)t->plan.columns;

    (void)worker;
    for (int r = 0; r < STEP && band * STEP + r < t->view->height; r++) {
        float fy = ((float)r + 0.5f) / STEP, *row = t->rgb + (ptrdiff_t)(band * STEP + r) * t->view->width;

        for (int i = 0; i < t->view->width; i++) {
            ptrdiff_t c = 2 * (i / STEP);
            float fx = ((float)(i % STEP) + 0.5f) / STEP, at[2];

            for (int k = 0; k < 2; k++) {
                float top = a[c + k] + fx * (a[c + 2 + k] - a[c + k]);
                float bottom = b[c + k] + fx * (b[c + 2 + k] - b[c + k]);

                at[k] = top + fy * (bottom - top);
            }
            turn_cell(t, at[0], at[1], row + i);
        }
    }
}

int vsm_preprocess_turned(const struct vsm_image *image, const struct vsm_view *view, float *rgb,
                          struct vsm_parallel *pool)
{
    struct turning t = {.view = view, .rgb = rgb};
    const struct vsm_view *part = &t.plan.part;
    int status = vsm_preprocess_turned_plan(view, &t.plan);

    vsm_scratch_begin();
    if (status == VSM_OK) {
        t.direct =
            vsm_scratch_alloc("turned view", 3 * (size_t)part->width * (size_t)part->height, sizeof(float));
        status = t.direct ? vsm_preprocess(image, part, t.direct, pool) : VSM_E_NOMEM;
    }
    if (status == VSM_OK)
        vsm_parallel_for(pool, t.plan.rows - 1, turn_rows, &t);
    vsm_scratch_free(t.direct);
    vsm_scratch_end();
    vsm_preprocess_turned_plan_free(&t.plan);
    return status;
}
