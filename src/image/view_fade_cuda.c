#include "image/view_fade_cuda.h"

#include "base/mem.h"
#include "cuda/refine.h"
#include "geometry/view_map.h"
#include "image/cuda_room.h"

#include <math.h>
#include <string.h>

#define STEP 8 /* cells between two nodes of a table */

/* Where the cells of one view lie on the grid of another. */
struct table {
    struct vsm_view from, to;
    float *nodes; /* NULL: there are none for these views yet */
    struct vsm_cuda_block device;
};

struct vsm_view_fade_cuda {
    struct table tables[VSM_MAX_VIEWS][VSM_CUDA_REFINE_WARPS];
    struct vsm_relief *relief; /* borrowed */
};

struct vsm_view_fade_cuda *vsm_view_fade_cuda_create(void)
{
    return vsm_mem_alloc("fading views", 1, sizeof(struct vsm_view_fade_cuda));
}

void vsm_view_fade_cuda_destroy(struct vsm_view_fade_cuda *fade)
{
    if (!fade)
        return;
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        for (int k = 0; k < VSM_CUDA_REFINE_WARPS; k++) {
            vsm_mem_free(fade->tables[i][k].nodes);
            vsm_cuda_room_free(VSM_PLACE_CUDA, fade->tables[i][k].device.memory);
        }
    vsm_mem_free(fade);
}

void vsm_view_fade_cuda_set_relief(struct vsm_view_fade_cuda *fade, struct vsm_relief *relief)
{
    fade->relief = relief;
}

static int nodes_along(int cells)
{
    return (cells + STEP - 1) / STEP + 1;
}

static int fill_table(struct table *t)
{
    const int columns = nodes_along(t->from.width), rows = nodes_along(t->from.height);
    struct vsm_view_map from, to;
    int status = vsm_view_map_init(&from, &t->from);

    if (!status)
        status = vsm_view_map_init(&to, &t->to);
    for (int r = 0; r < rows && !status; r++)
        for (int c = 0; c < columns; c++) {
            double x = NAN, y = NAN;

            (void)vsm_view_map_grid_to_grid(&from, &to, c * STEP, r * STEP, &x, &y);
            t->nodes[2 * (r * columns + c)] = (float)x;
            t->nodes[2 * (r * columns + c) + 1] = (float)y;
        }
    return status;
}

static int follow(const struct vsm_view_fade_cuda *fade, struct table *t, const struct vsm_view *from,
                  const struct vsm_view *to, struct vsm_cuda_stream *stream)
{
    const size_t bytes =
        2 * sizeof(float) * (size_t)nodes_along(from->width) * (size_t)nodes_along(from->height);
    int status;

    if (t->nodes && memcmp(&t->from, from, sizeof(*from)) == 0 && memcmp(&t->to, to, sizeof(*to)) == 0)
        return VSM_OK;
    vsm_mem_free(t->nodes);
    memcpy(&t->from, from, sizeof(*from));
    memcpy(&t->to, to, sizeof(*to));
    t->nodes = vsm_mem_alloc_raw("fading views", bytes, 1);
    status = t->nodes ? fill_table(t) : VSM_E_NOMEM;
    if (!status)
        status = vsm_cuda_block_fill(&t->device, "fading views", t->nodes, bytes, fade->relief, stream);
    if (status) {
        vsm_mem_free(t->nodes);
        t->nodes = NULL;
    }
    return status;
}

int vsm_view_fade_cuda_run(struct vsm_view_fade_cuda *fade, int number, const struct vsm_matte *matte,
                           float keep, const struct vsm_matte *other, int count,
                           struct vsm_cuda_stream *stream)
{
    const struct vsm_view *view = &matte->view;
    struct vsm_cuda_refine_view others = {.width = view->width, .height = view->height};
    int status = VSM_OK;

    for (int k = 0; k < count && !status; k++) {
        struct table *table = &fade->tables[number][others.map_count];

        if (other[k].view.eye != view->eye)
            continue;
        if (others.map_count == VSM_CUDA_REFINE_WARPS)
            return vsm_fail(VSM_E_INTERNAL, "fading views: more than %d views of an eye",
                            VSM_CUDA_REFINE_WARPS);
        status = follow(fade, table, view, &other[k].view, stream);
        others.maps[others.map_count++] =
            (struct vsm_cuda_refine_maps){.fit = vsm_tensor_f32(other[k].coefficients),
                                          .grid_width = other[k].view.width,
                                          .grid_height = other[k].view.height,
                                          .nodes = table->device.memory,
                                          .step = STEP,
                                          .columns = nodes_along(view->width),
                                          .rows = nodes_along(view->height)};
    }
    return status ? status : vsm_cuda_refine_fade(&others, keep, vsm_tensor_f32(matte->coefficients), stream);
}
