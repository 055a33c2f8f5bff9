#include "models/rvm_turn.h"

#include "models/rvm_graph.h"

#include <math.h>

/* One level of one old state, and the place that a new cell has in it. */
struct source {
    const struct vsm_tensor *tensor;
    double x, y;   /* cells of the level, from the middle of the first */
    double inside; /* distance to the nearest edge as a part of the grid; negative: outside */
};

static void look_up(const struct source *s, float *out, int64_t out_stride)
{
    const int64_t channels = s->tensor->dims[0], h = s->tensor->dims[1], w = s->tensor->dims[2];
    const double px = fmin(fmax(s->x, 0.0), (double)(w - 1)), py = fmin(fmax(s->y, 0.0), (double)(h - 1));
    const int64_t x = (int64_t)px, y = (int64_t)py, right = x + 1 < w ? 1 : 0, below = y + 1 < h ? w : 0;
    const float fx = (float)(px - (double)x), fy = (float)(py - (double)y);
    const float *from = vsm_tensor_f32(s->tensor) + y * w + x;

    for (int64_t c = 0; c < channels; c++, from += h * w) {
        const float top = from[0] + fx * (from[right] - from[0]);
        const float bottom = from[below] + fx * (from[below + right] - from[below]);

        out[c * out_stride] = top + fy * (bottom - top);
    }
}

/* Where old state's level sees what the new grid's point (x, y) sees. */
static struct source find(const struct vsm_tensor *level, const struct vsm_view_map *old,
                          const struct vsm_view_map *view, double x, double y)
{
    struct source s = {.tensor = level, .inside = -1.0};
    double at_x, at_y;

    if (!vsm_view_map_grid_to_grid(view, old, x, y, &at_x, &at_y))
        return s;
    at_x /= old->width;
    at_y /= old->height;
    s.inside = fmin(fmin(at_x, 1.0 - at_x), fmin(at_y, 1.0 - at_y));
    s.x = at_x * (double)level->dims[2] - 0.5;
    s.y = at_y * (double)level->dims[1] - 0.5;
    return s;
}

static void fill_level(const struct vsm_rvm_state *const from[], const struct vsm_view_map *from_views,
                       int count, int level, const struct vsm_view_map *view, struct vsm_tensor *to)
{
    const int64_t h = to->dims[1], w = to->dims[2];

    for (int64_t y = 0; y < h; y++) {
        for (int64_t x = 0; x < w; x++) {
            struct source best = {.inside = -1.0};

            for (int k = 0; k < count; k++) {
                struct source s;

                if (!from[k]->r[level])
                    continue;
                s = find(from[k]->r[level], &from_views[k], view, ((double)x + 0.5) / (double)w * view->width,
                         ((double)y + 0.5) / (double)h * view->height);
                if (s.inside > best.inside)
                    best = s;
            }
            if (best.inside >= 0.0)
                look_up(&best, vsm_tensor_f32(to) + y * w + x, h * w);
        }
    }
}

int vsm_rvm_state_turn(const struct vsm_rvm_state *const from[], const struct vsm_view_map *from_views,
                       int count, const struct vsm_view_map *view, struct vsm_rvm_state *to)
{
    struct vsm_rvm_state turned = {0};
    bool any = false;

    for (int k = 0; k < count; k++)
        any = any || from[k]->r[0];
    for (int level = 0; level < VSM_RVM_STATES && any; level++) {
        const int64_t dims[3] = {vsm_rvm_graph_state_channels[level],
                                 vsm_rvm_graph_level(view->height, level + 1),
                                 vsm_rvm_graph_level(view->width, level + 1)};

        turned.r[level] = vsm_tensor_create(VSM_F32, 3, dims);
        if (!turned.r[level]) {
            vsm_rvm_state_reset(&turned);
            return VSM_E_NOMEM;
        }
        fill_level(from, from_views, count, level, view, turned.r[level]);
    }
    vsm_rvm_state_reset(to);
    *to = turned;
    return VSM_OK;
}
