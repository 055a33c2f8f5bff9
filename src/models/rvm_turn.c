#include "models/rvm_turn.h"

#include "base/mem.h"
#include "base/scratch.h"
#include "models/rvm_graph.h"

#include <math.h>
#include <string.h>

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

/* cells: [channels, height, width] of the level of `view`. */
static void fill_level(const struct vsm_rvm_state *const from[], const struct vsm_view_map *from_views,
                       int count, int level, const struct vsm_view_map *view, const int64_t dims[3],
                       float *cells)
{
    const int64_t h = dims[1], w = dims[2];

    memset(cells, 0, (size_t)(dims[0] * h * w) * sizeof(float));
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
                look_up(&best, cells + y * w + x, h * w);
        }
    }
}

/* A tensor of these dimensions for new values: the one at *place if nobody else has it. */
static int make_room(struct vsm_tensor **place, const int64_t dims[3])
{
    struct vsm_tensor *t = *place;

    if (t && atomic_load(&t->references) == 1 && memcmp(t->dims, dims, 3 * sizeof(*dims)) == 0)
        return VSM_OK;
    vsm_tensor_unref(place);
    *place = vsm_tensor_create(VSM_F32, 3, dims);
    return *place ? VSM_OK : VSM_E_NOMEM;
}

/* One level of all new states; they are put in their places only when all are known, for those
 * may be the old ones'. */
static int turn_level(const struct vsm_rvm_state *const from[], const struct vsm_view_map *from_views,
                      int count, int level, const struct vsm_view_map views[], int view_count,
                      struct vsm_rvm_state *const to[])
{
    const int64_t dims[3] = {vsm_rvm_graph_state_channels[level],
                             vsm_rvm_graph_level(views[0].height, level + 1),
                             vsm_rvm_graph_level(views[0].width, level + 1)};
    const size_t size = (size_t)(dims[0] * dims[1] * dims[2]);
    float *cells = vsm_scratch_alloc("turned state", (size_t)view_count * size, sizeof(*cells));
    int status = cells ? VSM_OK : VSM_E_NOMEM;

    for (int i = 0; i < view_count && status == VSM_OK; i++)
        fill_level(from, from_views, count, level, &views[i], dims, cells + (size_t)i * size);
    for (int i = 0; i < view_count && status == VSM_OK; i++) {
        status = make_room(&to[i]->r[level], dims);
        if (status == VSM_OK)
            memcpy(to[i]->r[level]->data, cells + (size_t)i * size, size * sizeof(*cells));
    }
    vsm_scratch_free(cells);
    return status;
}

int vsm_rvm_state_turn(const struct vsm_rvm_state *const from[], const struct vsm_view_map *from_views,
                       int count, const struct vsm_view_map views[], int view_count,
                       struct vsm_rvm_state *const to[])
{
    int status = VSM_OK;
    bool any = false;

    for (int k = 0; k < count; k++)
        any = any || from[k]->r[0];
    vsm_scratch_begin();
    for (int level = 0; level < VSM_RVM_STATES && any && status == VSM_OK; level++)
        status = turn_level(from, from_views, count, level, views, view_count, to);
    vsm_scratch_end();
    for (int i = 0; i < view_count && (!any || status != VSM_OK); i++)
        vsm_rvm_state_reset(to[i]);
    return status;
}
