#include "stages/matte_record.h"

#define RECORD "matte"

void vsm_matte_record_begin(const struct vsm_matte_counters *counters, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le64(out, (uint64_t)counters->state_resets);
}

void vsm_matte_record_put_states(const struct vsm_rvm_state *states, int count, struct vsm_bytes_out *out)
{
    for (int i = 0; i < count; i++)
        vsm_rvm_state_save(&states[i], out);
}

int vsm_matte_record_end(struct vsm_bytes_out *out, struct vsm_state *state)
{
    return vsm_state_add_bytes(state, RECORD, out);
}

struct vsm_bytes_in vsm_matte_record_open(const struct vsm_state *state, struct vsm_matte_counters *counters)
{
    const struct vsm_state_record *record = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);

    counters->state_resets = (int64_t)vsm_bytes_get_le64(&in);
    return in;
}

int vsm_matte_record_get_states(struct vsm_rvm_state *states, const struct vsm_view *views, int count,
                                struct vsm_bytes_in *in)
{
    int status = VSM_OK;

    for (int i = 0; i < count && status == VSM_OK; i++)
        status = vsm_rvm_state_load(&states[i], views[i].width, views[i].height, in);
    return status;
}

int vsm_matte_record_close(const struct vsm_bytes_in *in)
{
    if (!in->failed && vsm_bytes_left(in) == 0)
        return VSM_OK;
    return vsm_fail(VSM_E_INPUT, "checkpoint: record \"" RECORD "\" is damaged; start again with --restart");
}
