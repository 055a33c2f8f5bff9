#include "stages/device_gate.h"

#include "base/mem.h"
#include "people/gate.h"

/* One view's gate, on the grid that it had last. */
struct view_gate {
    struct vsm_gate *gate;
    int width, height;
};

struct vsm_device_gate {
    struct vsm_parallel *pool;
    struct view_gate views[2][VSM_MAX_VIEWS]; /* of the views, and of those that fade */
};

int vsm_device_gate_create(struct vsm_parallel *pool, struct vsm_device_gate **gate)
{
    struct vsm_device_gate *g = vsm_mem_alloc("device gate", 1, sizeof(*g));

    if (!g)
        return VSM_E_NOMEM;
    g->pool = pool;
    *gate = g;
    return VSM_OK;
}

void vsm_device_gate_destroy(struct vsm_device_gate *gate)
{
    if (!gate)
        return;
    for (int i = 0; i < 2 * VSM_MAX_VIEWS; i++)
        vsm_gate_destroy(gate->views[i / VSM_MAX_VIEWS][i % VSM_MAX_VIEWS].gate);
    vsm_mem_free(gate);
}

static int fit(struct view_gate *g, const struct vsm_view *view)
{
    int status;

    if (g->width == view->width && g->height == view->height)
        return VSM_OK;
    vsm_gate_destroy(g->gate);
    *g = (struct view_gate){.gate = NULL};
    status = vsm_gate_create(view->width, view->height, &g->gate);
    if (status != VSM_OK)
        return status;
    g->width = view->width;
    g->height = view->height;
    return VSM_OK;
}

/* Of all views of one kind. */
struct making {
    struct view_gate *gates;
    const struct vsm_people *people;
    const struct vsm_matte *mattes;
    const struct vsm_tensor *alpha;
    float *open;
    int status[VSM_MAX_VIEWS];
};

static void make_view(void *context, int i, int worker)
{
    struct making *m = context;
    struct view_gate *g = &m->gates[i];
    const struct vsm_view *view = &m->mattes[i].view;
    struct vsm_gate_box boxes[VSM_GATE_BOXES];
    struct vsm_view_map map;
    int count, status = fit(g, view);

    (void)worker;
    if (status == VSM_OK)
        status = vsm_view_map_init(&map, view);
    m->status[i] = status;
    if (status != VSM_OK)
        return;
    count = vsm_gate_boxes_of(&map, view->source.width, view->source.height, m->people, view->eye, boxes);
    vsm_gate_make(g->gate, vsm_frame_alpha_plane(m->alpha, i), boxes, count,
                  m->open + (ptrdiff_t)i * view->width * view->height);
}

int vsm_device_gate_make(struct vsm_device_gate *gate, const struct vsm_frame *frame, bool fading,
                         float *open)
{
    struct making making = {.gates = gate->views[fading],
                            .people = &frame->people,
                            .mattes = fading ? frame->fading : frame->mattes,
                            .alpha = fading ? frame->fading_alpha : frame->alpha,
                            .open = open};
    const int count = fading ? frame->fading_count : frame->view_count;
    int status = VSM_OK;

    vsm_parallel_for(gate->pool, count, make_view, &making);
    for (int i = 0; i < count && status == VSM_OK; i++)
        status = making.status[i];
    return status;
}
