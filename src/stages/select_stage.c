#include "stages/select_stage.h"

#include "base/mem.h"
#include "image/coefficients.h"
#include "image/preprocess.h"
#include "people/gate.h"

#include <string.h>

struct vsm_select_stage {
    int width, height;
    struct vsm_parallel *pool;
    struct vsm_gate *gate;
    float *rgb, *open;
};

int vsm_select_stage_create(struct vsm_parallel *pool, struct vsm_select_stage **stage)
{
    struct vsm_select_stage *s = vsm_mem_alloc("select stage", 1, sizeof(*s));

    if (!s)
        return VSM_E_NOMEM;
    s->pool = pool;
    *stage = s;
    return VSM_OK;
}

static void release(struct vsm_select_stage *stage)
{
    vsm_gate_destroy(stage->gate);
    stage->gate = NULL;
    vsm_mem_free(stage->rgb);
    vsm_mem_free(stage->open);
    stage->rgb = stage->open = NULL;
    stage->width = stage->height = 0;
}

void vsm_select_stage_destroy(struct vsm_select_stage *stage)
{
    if (!stage)
        return;
    release(stage);
    vsm_mem_free(stage);
}

static int fit(struct vsm_select_stage *stage, int width, int height)
{
    const size_t cells = (size_t)width * (size_t)height;
    int status;

    if (width == stage->width && height == stage->height)
        return VSM_OK;
    release(stage);
    stage->rgb = vsm_mem_alloc("select stage", 3 * cells, sizeof(float));
    stage->open = vsm_mem_alloc("select stage", cells, sizeof(float));
    status = stage->rgb && stage->open ? vsm_gate_create(width, height, &stage->gate) : VSM_E_NOMEM;
    if (status != VSM_OK)
        return status;
    stage->width = width;
    stage->height = height;
    return VSM_OK;
}

/* Maps that somebody else holds as well are replaced by a copy. */
static int own(struct vsm_tensor **tensor)
{
    struct vsm_tensor *copy;

    if (atomic_load(&(*tensor)->references) == 1)
        return VSM_OK;
    copy = vsm_tensor_create((*tensor)->dtype, (*tensor)->rank, (*tensor)->dims);
    if (!copy)
        return VSM_E_NOMEM;
    memcpy(copy->data, (*tensor)->data, vsm_tensor_bytes(copy));
    vsm_tensor_unref(tensor);
    *tensor = copy;
    return VSM_OK;
}

static int gate_view(struct vsm_select_stage *stage, const struct vsm_frame *frame, struct vsm_matte *matte)
{
    const size_t n = (size_t)matte->view.width * (size_t)matte->view.height;
    struct vsm_gate_box boxes[VSM_GATE_BOXES];
    struct vsm_view_map map;
    float *a, *b;
    int count, status = own(&matte->coefficients);

    if (status == VSM_OK)
        status = fit(stage, matte->view.width, matte->view.height);
    if (status == VSM_OK)
        status = vsm_view_map_init(&map, &matte->view);
    if (status == VSM_OK)
        status = vsm_preprocess(frame->source, &matte->view, stage->rgb, stage->pool);
    if (status != VSM_OK)
        return status;
    count = vsm_gate_boxes_of(&map, matte->view.source.width, matte->view.source.height, &frame->people,
                              matte->view.eye, boxes);
    a = vsm_tensor_f32(matte->coefficients) + VSM_COEFFICIENT_ALPHA_A * n;
    b = vsm_tensor_f32(matte->coefficients) + VSM_COEFFICIENT_ALPHA_B * n;
    vsm_coefficients_fill_alpha(vsm_tensor_f32(matte->coefficients), stage->rgb, n, stage->open, NULL);
    vsm_gate_make(stage->gate, stage->open, boxes, count, stage->open);
    for (size_t i = 0; i < n; i++) {
        a[i] *= stage->open[i];
        b[i] *= stage->open[i];
    }
    return VSM_OK;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_select_stage *stage = self;
    int status = VSM_OK;

    if (!frame->people.known || frame->source->place != VSM_PLACE_HOST)
        return VSM_OK;
    for (int i = 0; i < frame->view_count && status == VSM_OK; i++)
        status = gate_view(stage, frame, &frame->mattes[i]);
    return status;
}

struct vsm_stage vsm_select_stage_describe(struct vsm_select_stage *stage)
{
    return (struct vsm_stage){.name = "select", .self = stage, .run = run};
}
