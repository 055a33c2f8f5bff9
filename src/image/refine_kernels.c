#include "image/refine_kernels.h"

#include <math.h>
#include <string.h>

static float least(float a, float b)
{
    return a < b ? a : b;
}

static float most(float a, float b)
{
    return a > b ? a : b;
}

static float read_sample(const uint8_t *from, struct vsm_refine_samples samples, int at)
{
    uint16_t word;

    if (samples.bytes == 1)
        return from[at];
    memcpy(&word, from + 2 * (ptrdiff_t)at, 2);
    return (float)(word >> samples.shift);
}

static void write_sample(float value, const struct vsm_refine_code *code, uint8_t *to, int at)
{
    long rounded = lrintf(value * code->scale + code->offset);
    uint16_t word;

    rounded = rounded < 0 ? 0 : rounded > code->maximum ? code->maximum : rounded;
    if (code->samples.bytes == 1) {
        to[at] = (uint8_t)rounded;
        return;
    }
    word = (uint16_t)(rounded << code->samples.shift);
    memcpy(to + 2 * (ptrdiff_t)at, &word, 2);
}

static void load(const uint8_t *from, struct vsm_refine_samples samples, float offset, int n, float *out)
{
    for (int i = 0; i < n; i++)
        out[i] = read_sample(from, samples, i) - offset;
}

static void load_pairs(const uint8_t *from, struct vsm_refine_samples samples, float offset, int n,
                       float *first, float *second)
{
    for (int i = 0; i < n; i++) {
        first[i] = read_sample(from, samples, 2 * i) - offset;
        second[i] = read_sample(from, samples, 2 * i + 1) - offset;
    }
}

static void store(const float *value, const struct vsm_refine_code *code, int n, uint8_t *to)
{
    for (int i = 0; i < n; i++)
        write_sample(value[i], code, to, i);
}

static void store_pairs(const float *first, const float *second, const struct vsm_refine_code *code, int n,
                        uint8_t *to)
{
    for (int i = 0; i < n; i++) {
        write_sample(first[i], code, to, 2 * i);
        write_sample(second[i], code, to, 2 * i + 1);
    }
}

static void fill(uint8_t *to, size_t bytes, uint32_t pattern, bool stream)
{
    (void)stream;
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(pattern >> (8 * (i % 4)));
}

static void finish(void)
{
}

static void mix(const float *map, ptrdiff_t stride, const struct vsm_coefficient_plane *plane, int n,
                float *out)
{
    const float *at = map + plane->first * stride, *w = plane->weight;

    if (plane->count == 1) {
        for (int i = 0; i < n; i++)
            out[i] = w[0] * at[i];
        return;
    }
    for (int i = 0; i < n; i++)
        out[i] = (w[0] * at[i] + w[1] * at[i + stride]) + w[2] * at[i + 2 * stride];
}

static void upsample(const float *cells, const int32_t *index, const float *fraction, bool near, int n,
                     const float *top, float *out, float *delta)
{
    (void)near;
    for (int i = 0; i < n; i++) {
        float c = cells[index[i]], next = cells[index[i] + 1];

        out[i] = c + fraction[i] * (next - c);
        if (top)
            delta[i] = out[i] - top[i];
    }
}

static float plane_at(const struct vsm_refine_planes *planes, int plane, int i)
{
    return planes->top[plane][i] + planes->fraction * planes->delta[plane][i];
}

static void tint(const float *u, const float *v, const struct vsm_refine_planes *planes, float mean_u,
                 float mean_v, bool twice, int n, float *mean_out, float *tint_out)
{
    for (int i = 0; i < n; i++) {
        float m = mean_u * u[i] + mean_v * v[i];
        float t = plane_at(planes, VSM_TINT_U, i) * u[i] + plane_at(planes, VSM_TINT_V, i) * v[i];

        if (twice) {
            mean_out[2 * i] = mean_out[2 * i + 1] = m;
            tint_out[2 * i] = tint_out[2 * i + 1] = t;
        } else {
            mean_out[i] = m;
            tint_out[i] = t;
        }
    }
}

static void solve_luma(const float *y, const float *mean, const float *tint_row,
                       const struct vsm_refine_planes *planes, float range, int n, float *alpha,
                       float *foreground)
{
    for (int i = 0; i < n; i++) {
        float a =
            plane_at(planes, VSM_LUMA_ALPHA_Y, i) * (y[i] + mean[i]) + plane_at(planes, VSM_LUMA_ALPHA_1, i);
        float residual = plane_at(planes, VSM_LUMA_Y, i) * y[i] + plane_at(planes, VSM_LUMA_1, i);
        float f = y[i] + (residual + tint_row[i]);

        a = least(most(a, 0), 1);
        a = a < VSM_REFINE_SNAP ? 0 : a;
        alpha[i] = a > 1 - VSM_REFINE_SNAP ? 1 : a;
        foreground[i] = least(most(f, least(y[i], 0)), most(y[i], range));
    }
}

static void solve_chroma(const float *y, const float *u, const float *v,
                         const struct vsm_refine_planes *planes, float low, float high, int n,
                         float *foreground_u, float *foreground_v)
{
    for (int i = 0; i < n; i++) {
        float ru = (plane_at(planes, VSM_CHROMA_U_Y, i) * y[i] + plane_at(planes, VSM_CHROMA_U_U, i) * u[i]) +
                   (plane_at(planes, VSM_CHROMA_U_V, i) * v[i] + plane_at(planes, VSM_CHROMA_U_1, i));
        float rv = (plane_at(planes, VSM_CHROMA_V_Y, i) * y[i] + plane_at(planes, VSM_CHROMA_V_U, i) * u[i]) +
                   (plane_at(planes, VSM_CHROMA_V_V, i) * v[i] + plane_at(planes, VSM_CHROMA_V_1, i));

        foreground_u[i] = least(most(u[i] + ru, least(u[i], low)), most(u[i], high));
        foreground_v[i] = least(most(v[i] + rv, least(v[i], low)), most(v[i], high));
    }
}

static void average(const float *a, const float *b, bool pairs, int n, float *out)
{
    for (int i = 0; i < n; i++)
        out[i] =
            pairs ? ((a[2 * i] + b[2 * i]) + (a[2 * i + 1] + b[2 * i + 1])) * 0.25f : (a[i] + b[i]) * 0.5f;
}

static void blend_luma(const float *alpha, const float *foreground, float key, int n, float *out)
{
    for (int i = 0; i < n; i++)
        out[i] = key + alpha[i] * (foreground[i] - key);
}

static void blend_chroma(const float *alpha, const float *foreground_u, const float *foreground_v,
                         const struct vsm_refine_key *key, int n, float *out_u, float *out_v)
{
    for (int i = 0; i < n; i++) {
        float along = foreground_u[i] * key->direction_u + foreground_v[i] * key->direction_v;
        float spill = most(along, 0) * ((1 - alpha[i]) * key->despill);
        float u = foreground_u[i] - spill * key->direction_u, v = foreground_v[i] - spill * key->direction_v;

        out_u[i] = key->u + alpha[i] * (u - key->u);
        out_v[i] = key->v + alpha[i] * (v - key->v);
    }
}

const struct vsm_refine_kernels vsm_refine_kernels_c = {
    load,     load_pairs, store,      store_pairs,  fill,    finish,     mix,
    upsample, tint,       solve_luma, solve_chroma, average, blend_luma, blend_chroma,
};
