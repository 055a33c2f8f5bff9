/* Inner loops of refine: the C reference and its AVX2 counterpart, which give identical bits.
 *
 * All work is float32 in one fixed order of operations, without fused multiply-add; minimum and maximum mean
 * what MINPS and MAXPS mean (a < b ? a : b). Float rows are 64-byte aligned and have room for n rounded up to
 * a multiple of 16; kernels may compute and write that many. Rows of samples are read and written for n
 * samples only. Luma samples are centred (code value - black), chroma samples too (code value - neutral), at
 * the source's depth.
 */
#ifndef VSM_IMAGE_REFINE_KERNELS_H
#define VSM_IMAGE_REFINE_KERNELS_H

#include "image/coefficients.h"

#include <stdbool.h>
#include <stdint.h>

/* Alpha below this becomes 0 and above 1 - this becomes 1: half a step of an 8-bit matte, so that nothing
 * visible is lost and what the network calls background is exactly flat. */
#define VSM_REFINE_SNAP (0.5f / 255.0f)

/* How a row of samples lies in memory. */
struct vsm_refine_samples {
    int bytes; /* 1 or 2 */
    int shift; /* left shift in a 2-byte word */
};

/* Sample = round to even(value * scale + offset), within 0..maximum. */
struct vsm_refine_code {
    float scale, offset;
    int maximum;
    struct vsm_refine_samples samples;
    bool stream; /* write past the caches */
};

/* One plane at a row: value = top + fraction * delta. */
struct vsm_refine_planes {
    const float *top[VSM_COEFFICIENT_MAPS], *delta[VSM_COEFFICIENT_MAPS];
    float fraction;
};

struct vsm_refine_key {
    float u, v;                     /* key chroma, centred */
    float direction_u, direction_v; /* its unit vector; 0, 0 for a grey key */
    float despill;
};

struct vsm_refine_kernels {
    /* out[i] = sample - offset. The pairs variant takes 2n interleaved samples apart. */
    void (*load)(const uint8_t *from, struct vsm_refine_samples samples, float offset, int n, float *out);
    void (*load_pairs)(const uint8_t *from, struct vsm_refine_samples samples, float offset, int n,
                       float *first, float *second);
    void (*store)(const float *value, const struct vsm_refine_code *code, int n, uint8_t *to);
    void (*store_pairs)(const float *first, const float *second, const struct vsm_refine_code *code, int n,
                        uint8_t *to);
    /* `bytes` bytes of a repeated little-endian 4-byte pattern. */
    void (*fill)(uint8_t *to, size_t bytes, uint32_t pattern, bool stream);
    /* Makes what store and fill wrote visible to other threads. */
    void (*finish)(void);

    /* Sum of weighted maps; map i is at map + i * stride, unaligned. */
    void (*mix)(const float *map, ptrdiff_t stride, const struct vsm_coefficient_plane *plane, int n,
                float *out);
    /* out = c + fraction * (next - c), c = cells[index], next = cells[index + 1]; delta = out - top, if top
     * is given. `near`: within each aligned block of 8 the indices ascend and differ by at most 6. */
    void (*upsample)(const float *cells, const int32_t *index, const float *fraction, bool near, int n,
                     const float *top, float *out, float *delta);

    /* n chroma samples: mean = mean_u u + mean_v v, tint = TINT_U u + TINT_V v; each result twice
     * if `twice`. */
    void (*tint)(const float *u, const float *v, const struct vsm_refine_planes *planes, float mean_u,
                 float mean_v, bool twice, int n, float *mean, float *tint);
    /* Alpha, clamped and snapped, and foreground luma, clamped to 0..range or as far as y itself goes. */
    void (*solve_luma)(const float *y, const float *mean, const float *tint,
                       const struct vsm_refine_planes *planes, float range, int n, float *alpha,
                       float *foreground);
    /* Foreground chroma, clamped to low..high or as far as u, v themselves go. */
    void (*solve_chroma)(const float *y, const float *u, const float *v,
                         const struct vsm_refine_planes *planes, float low, float high, int n,
                         float *foreground_u, float *foreground_v);
    /* Mean of two rows, and of neighbours too if `pairs` (then from 2n values). */
    void (*average)(const float *a, const float *b, bool pairs, int n, float *out);

    /* key + alpha * (foreground - key) */
    void (*blend_luma)(const float *alpha, const float *foreground, float key, int n, float *out);
    /* Despill, then blend: the foreground loses despill * (1 - alpha) of its component along the key's
     * direction, if that is positive. */
    void (*blend_chroma)(const float *alpha, const float *foreground_u, const float *foreground_v,
                         const struct vsm_refine_key *key, int n, float *out_u, float *out_v);
};

extern const struct vsm_refine_kernels vsm_refine_kernels_c;
extern const struct vsm_refine_kernels vsm_refine_kernels_avx2; /* defined on x86-64 only */

#endif
