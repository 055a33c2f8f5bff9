#include "models/rvm.h"
#include "models/rvm_graph.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

void vsm_rvm_state_reset(struct vsm_rvm_state *state)
{
    for (int i = 0; i < VSM_RVM_STATES; i++)
        vsm_tensor_unref(&state->r[i]);
}

void vsm_rvm_state_share(struct vsm_rvm_state *to, const struct vsm_rvm_state *from)
{
    for (int i = 0; i < VSM_RVM_STATES; i++) {
        struct vsm_tensor *shared = from->r[i] ? vsm_tensor_ref(from->r[i]) : NULL;

        vsm_tensor_unref(&to->r[i]);
        to->r[i] = shared;
    }
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

/* One channel, bilinear, half-pixel centres, clamped edges. */
static void resample_plane(const float *from, int64_t from_h, int64_t from_w, float *to, int64_t h, int64_t w)
{
    for (int64_t y = 0; y < h; y++) {
        const double sy = ((double)y + 0.5) * (double)from_h / (double)h - 0.5, fy = fmax(sy, 0);
        const int64_t y0 = (int64_t)fy, y1 = y0 + 1 < from_h ? y0 + 1 : from_h - 1;
        const float v = (float)(fy - (double)y0);

        for (int64_t x = 0; x < w; x++) {
            const double sx = ((double)x + 0.5) * (double)from_w / (double)w - 0.5, fx = fmax(sx, 0);
            const int64_t x0 = (int64_t)fx, x1 = x0 + 1 < from_w ? x0 + 1 : from_w - 1;
            const float u = (float)(fx - (double)x0);
            const float above = from[y0 * from_w + x0] * (1 - u) + from[y0 * from_w + x1] * u;
            const float below = from[y1 * from_w + x0] * (1 - u) + from[y1 * from_w + x1] * u;

            to[y * w + x] = above * (1 - v) + below * v;
        }
    }
}

static bool is_for(const struct vsm_rvm_state *state, int width, int height)
{
    bool is = true;

    for (int i = 0; state->r[0] && i < VSM_RVM_STATES; i++)
        is = is && state->r[i]->dims[1] == vsm_rvm_graph_level(height, i + 1) &&
             state->r[i]->dims[2] == vsm_rvm_graph_level(width, i + 1);
    return is;
}

int vsm_rvm_state_resample(struct vsm_rvm_state *state, int width, int height)
{
    struct vsm_rvm_state made = {0};

    if (is_for(state, width, height))
        return VSM_OK;
    for (int i = 0; state->r[0] && i < VSM_RVM_STATES; i++) {
        const struct vsm_tensor *from = state->r[i];
        const int64_t dims[3] = {from->dims[0], vsm_rvm_graph_level(height, i + 1),
                                 vsm_rvm_graph_level(width, i + 1)};

        made.r[i] = vsm_tensor_create(VSM_F32, 3, dims);
        if (!made.r[i]) {
            vsm_rvm_state_reset(&made);
            return VSM_E_NOMEM;
        }
        for (int64_t c = 0; c < dims[0]; c++)
            resample_plane(vsm_tensor_f32(from) + c * from->dims[1] * from->dims[2], from->dims[1],
                           from->dims[2], vsm_tensor_f32(made.r[i]) + c * dims[1] * dims[2], dims[1],
                           dims[2]);
    }
    vsm_rvm_state_reset(state);
    *state = made;
    return VSM_OK;
}
