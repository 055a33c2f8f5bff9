#include "models/rvm.h"
#include "models/rvm_graph.h"

#include <string.h>

void vsm_rvm_state_reset(struct vsm_rvm_state *state)
{
    for (int i = 0; i < VSM_RVM_STATES; i++)
        vsm_tensor_unref(&state->r[i]);
}

/* Whole blocks of this many values keep the loop simple enough to be vectorised. */
#define FINITE_BLOCK 1024

static bool is_finite(const float *values, size_t count)
{
    const uint32_t exponent = 0x7f800000;
    uint32_t bits[FINITE_BLOCK], found = 0;

    while (count && !found) {
        size_t n = count < FINITE_BLOCK ? count : FINITE_BLOCK;

        memset(bits, 0, sizeof(bits));
        memcpy(bits, values, n * sizeof(*values));
        for (size_t i = 0; i < FINITE_BLOCK; i++)
            found |= (bits[i] & exponent) == exponent;
        values += n;
        count -= n;
    }
    return !found;
}

bool vsm_rvm_state_is_finite(const struct vsm_rvm_state *state)
{
    for (int i = 0; i < VSM_RVM_STATES; i++) {
        if (state->r[i] && !is_finite(vsm_tensor_f32(state->r[i]), (size_t)vsm_tensor_count(state->r[i])))
            return false;
    }
    return true;
}

void vsm_rvm_state_save(const struct vsm_rvm_state *state, struct vsm_bytes_out *out)
{
    vsm_bytes_put_u8(out, state->r[0] != NULL);
    for (int i = 0; state->r[0] && i < VSM_RVM_STATES; i++) {
        for (int d = 0; d < 3; d++)
            vsm_bytes_put_le32(out, (uint32_t)state->r[i]->dims[d]);
        vsm_bytes_put(out, state->r[i]->data, vsm_tensor_bytes(state->r[i]));
    }
}

static int load_level(struct vsm_tensor **tensor, int width, int height, int level, struct vsm_bytes_in *in)
{
    const int64_t dims[3] = {vsm_rvm_graph_state_channels[level - 1], vsm_rvm_graph_level(height, level),
                             vsm_rvm_graph_level(width, level)};
    const void *data;

    for (int d = 0; d < 3; d++) {
        uint32_t saved = vsm_bytes_get_le32(in);

        if (!in->failed && saved != dims[d])
            return vsm_fail(
                VSM_E_INPUT,
                "checkpoint: RVM state %d has dimension %u where the grid %dx%d needs %lld; it belongs to "
                "other settings",
                level, saved, width, height, (long long)dims[d]);
    }
    data = vsm_bytes_get(in, (size_t)(dims[0] * dims[1] * dims[2]) * sizeof(float));
    if (!data)
        return vsm_fail(VSM_E_INPUT, "checkpoint: RVM state %d is cut off", level);
    *tensor = vsm_tensor_create(VSM_F32, 3, dims);
    if (!*tensor)
        return VSM_E_NOMEM;
    memcpy((*tensor)->data, data, vsm_tensor_bytes(*tensor));
    return VSM_OK;
}

int vsm_rvm_state_load(struct vsm_rvm_state *state, int width, int height, struct vsm_bytes_in *in)
{
    struct vsm_rvm_state loaded = {0};
    const uint8_t present = vsm_bytes_get_u8(in);
    int status = VSM_OK;

    if (in->failed || present > 1)
        return vsm_fail(VSM_E_INPUT, "checkpoint: no RVM state");
    for (int level = 1; present && !status && level <= VSM_RVM_STATES; level++)
        status = load_level(&loaded.r[level - 1], width, height, level, in);
    if (status) {
        vsm_rvm_state_reset(&loaded);
        return status;
    }
    vsm_rvm_state_reset(state);
    *state = loaded;
    return VSM_OK;
}
