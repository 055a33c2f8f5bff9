#include "stages/state_repairs.h"

#include "base/mem.h"

void vsm_state_repairs_clear(struct vsm_state_repairs *repairs)
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_mem_free(repairs->of[i]);
    *repairs = (struct vsm_state_repairs){0};
}

bool vsm_state_repairs_any(const struct vsm_state_repairs *repairs)
{
    bool any = false;

    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        any = any || repairs->of[i];
    return any;
}

struct vsm_stereo_repair *vsm_state_repairs_add(struct vsm_state_repairs *repairs, int view)
{
    if (!repairs->of[view])
        repairs->of[view] = vsm_mem_alloc("repair of a state", 1, sizeof(*repairs->of[view]));
    return repairs->of[view];
}

void vsm_state_repairs_apply(const struct vsm_state_repairs *repairs, struct vsm_rvm_state *states)
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++) {
        const struct vsm_rvm_state *from = &states[i ^ 1], *to = &states[i];

        for (int level = 0; repairs->of[i] && level < VSM_RVM_STATES; level++) {
            if (from->r[level] && to->r[level])
                vsm_stereo_repair_apply(repairs->of[i], vsm_tensor_f32(from->r[level]),
                                        (int)to->r[level]->dims[2], (int)to->r[level]->dims[1],
                                        (int)to->r[level]->dims[0], vsm_tensor_f32(to->r[level]));
        }
    }
}
