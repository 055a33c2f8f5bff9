#include "stages/state_repairs.h"

#include "base/mem.h"

#include <string.h>

void vsm_state_repairs_clear(struct vsm_state_repairs *repairs)
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_mem_free(repairs->of[i]);
    *repairs = (struct vsm_state_repairs){0};
}

bool vsm_state_repairs_any(const struct vsm_state_repairs *repairs)
{
    for (int i = 0; i < repairs->view_count; i++) {
        if (repairs->of[i])
            return true;
    }
    return false;
}

static void describe(const struct vsm_view *view, double values[VSM_STATE_REPAIRS_VALUES])
{
    const double all[VSM_STATE_REPAIRS_VALUES] = {view->kind,   view->projection,    view->width,
                                                  view->height, view->field_of_view, view->yaw,
                                                  view->pitch,  view->roll};

    memcpy(values, all, sizeof(all));
}

struct vsm_stereo_repair *vsm_state_repairs_add(struct vsm_state_repairs *repairs,
                                                const struct vsm_frame *frame, int view)
{
    repairs->view_count = frame->view_count;
    for (int i = 0; i < frame->view_count; i++)
        describe(&frame->mattes[i].view, repairs->views[i]);
    if (!repairs->of[view])
        repairs->of[view] = vsm_mem_alloc("repair of a state", 1, sizeof(*repairs->of[view]));
    return repairs->of[view];
}

bool vsm_state_repairs_fit(const struct vsm_state_repairs *repairs, const struct vsm_view *views,
                           int view_count)
{
    if (view_count != repairs->view_count)
        return false;
    for (int i = 0; i < view_count; i++) {
        double values[VSM_STATE_REPAIRS_VALUES];

        describe(&views[i], values);
        for (int k = 0; k < VSM_STATE_REPAIRS_VALUES; k++) {
            if (values[k] != repairs->views[i][k])
                return false;
        }
    }
    return true;
}

void vsm_state_repairs_apply(const struct vsm_state_repairs *repairs, struct vsm_rvm_state *states)
{
    for (int i = 0; i < repairs->view_count; i++) {
        const struct vsm_rvm_state *from = &states[i ^ 1], *to = &states[i];

        for (int level = 0; repairs->of[i] && level < VSM_RVM_STATES; level++) {
            if (from->r[level] && to->r[level])
                vsm_stereo_repair_apply(repairs->of[i], vsm_tensor_f32(from->r[level]),
                                        (int)to->r[level]->dims[2], (int)to->r[level]->dims[1],
                                        (int)to->r[level]->dims[0], vsm_tensor_f32(to->r[level]));
        }
    }
}

void vsm_state_repairs_save(const struct vsm_state_repairs *repairs, struct vsm_bytes_out *out)
{
    vsm_bytes_put_u8(out, (uint8_t)repairs->view_count);
    for (int i = 0; i < repairs->view_count; i++) {
        for (int k = 0; k < VSM_STATE_REPAIRS_VALUES; k++)
            vsm_bytes_put_f64(out, repairs->views[i][k]);
        vsm_bytes_put_u8(out, repairs->of[i] != NULL);
        if (repairs->of[i])
            vsm_stereo_repair_save(repairs->of[i], out);
    }
}

static int load_view(struct vsm_state_repairs *repairs, int view, struct vsm_bytes_in *in)
{
    for (int k = 0; k < VSM_STATE_REPAIRS_VALUES; k++)
        repairs->views[view][k] = vsm_bytes_get_f64(in);
    if (!vsm_bytes_get_u8(in))
        return VSM_OK;
    repairs->of[view] = vsm_mem_alloc("repair of a state", 1, sizeof(*repairs->of[view]));
    return repairs->of[view] ? vsm_stereo_repair_load(repairs->of[view], in) : VSM_E_NOMEM;
}

int vsm_state_repairs_load(struct vsm_state_repairs *repairs, struct vsm_bytes_in *in)
{
    const int count = vsm_bytes_get_u8(in);
    int status = VSM_OK;

    if (count > VSM_MAX_VIEWS || count % 2 != 0)
        return vsm_fail(VSM_E_INPUT, "checkpoint: repairs of %d views' states are damaged", count);
    repairs->view_count = count;
    for (int i = 0; i < count && status == VSM_OK; i++)
        status = load_view(repairs, i, in);
    if (status == VSM_OK && in->failed)
        status = vsm_fail(VSM_E_INPUT, "checkpoint: repairs of states are cut off");
    return status;
}
