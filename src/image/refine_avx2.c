#include "image/refine_kernels.h"

#include <immintrin.h>

/* Float rows may be read and written up to the next multiple of 16, so that only samples have tails. */

/* A plane's rows, copied out of the structure so that the compiler need not fear that stores change them. */
struct plane {
    const float *top, *delta;
    __m256 fraction;
};

static struct plane get_plane(const struct vsm_refine_planes *planes, int plane)
{
    return (struct plane){planes->top[plane], planes->delta[plane], _mm256_set1_ps(planes->fraction)};
}

static __m256 plane_at(struct plane plane, int i)
{
    __m256 step = _mm256_mul_ps(plane.fraction, _mm256_load_ps(plane.delta + i));

    return _mm256_add_ps(_mm256_load_ps(plane.top + i), step);
}

static __m256 to_float(__m256i value, __m256 offset)
{
    return _mm256_sub_ps(_mm256_cvtepi32_ps(value), offset);
}

static void load(const uint8_t *from, struct vsm_refine_samples samples, float offset, int n, float *out)
{
    __m256 minus = _mm256_set1_ps(offset);
    __m128i shift = _mm_cvtsi32_si128(samples.shift);
    int i = 0;

    if (samples.bytes == 1) {
        for (; i + 8 <= n; i += 8) {
            __m256i v = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(from + i)));

            _mm256_storeu_ps(out + i, to_float(v, minus));
        }
    } else {
        for (; i + 8 <= n; i += 8) {
            __m128i v = _mm_srl_epi16(_mm_loadu_si128((const __m128i *)(from + 2 * (ptrdiff_t)i)), shift);

            _mm256_storeu_ps(out + i, to_float(_mm256_cvtepu16_epi32(v), minus));
        }
    }
    vsm_refine_kernels_c.load(from + (ptrdiff_t)i * samples.bytes, samples, offset, n - i, out + i);
}

static void load_pairs(const uint8_t *from, struct vsm_refine_samples samples, float offset, int n,
                       float *first, float *second)
{
    __m256 minus = _mm256_set1_ps(offset);
    __m128i shift = _mm_cvtsi32_si128(samples.shift), shift_high = _mm_cvtsi32_si128(samples.shift + 16);
    int i = 0;

    if (samples.bytes == 1) {
        for (; i + 8 <= n; i += 8) {
            __m256i v = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(from + 2 * (ptrdiff_t)i)));

            _mm256_storeu_ps(first + i, to_float(_mm256_and_si256(v, _mm256_set1_epi32(0xff)), minus));
            _mm256_storeu_ps(second + i, to_float(_mm256_srli_epi32(v, 8), minus));
        }
    } else {
        for (; i + 8 <= n; i += 8) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(from + 4 * (ptrdiff_t)i));
            __m256i low = _mm256_srl_epi32(_mm256_and_si256(v, _mm256_set1_epi32(0xffff)), shift);

            _mm256_storeu_ps(first + i, to_float(low, minus));
            _mm256_storeu_ps(second + i, to_float(_mm256_srl_epi32(v, shift_high), minus));
        }
    }
    vsm_refine_kernels_c.load_pairs(from + 2 * (ptrdiff_t)i * samples.bytes, samples, offset, n - i,
                                    first + i, second + i);
}

/* Sample codes in 32 bits, not yet limited. */
static __m256i to_code(const float *value, __m256 scale, __m256 offset)
{
    return _mm256_cvtps_epi32(_mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(value), scale), offset));
}

static void write_block(uint8_t *to, __m256i block, bool stream)
{
    if (stream && ((uintptr_t)to & 31) == 0)
        _mm256_stream_si256((__m256i *)to, block);
    else
        _mm256_storeu_si256((__m256i *)to, block);
}

static void fill(uint8_t *to, size_t bytes, uint32_t pattern, bool stream)
{
    const __m256i block = _mm256_set1_epi32((int)pattern);
    size_t i = 0;

    for (; i + 32 <= bytes; i += 32)
        write_block(to + i, block, stream);
    vsm_refine_kernels_c.fill(to + i, bytes - i, pattern, false);
}

static void finish(void)
{
    _mm_sfence();
}

static void store(const float *value, const struct vsm_refine_code *code, int n, uint8_t *to)
{
    __m256 scale = _mm256_set1_ps(code->scale), offset = _mm256_set1_ps(code->offset);
    __m256i maximum = _mm256_set1_epi16((short)code->maximum);
    __m128i shift = _mm_cvtsi32_si128(code->samples.shift);
    bool stream = code->stream;
    int i = 0;

    if (code->samples.bytes == 1) {
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);

        for (; i + 32 <= n; i += 32) {
            __m256i a =
                _mm256_packs_epi32(to_code(value + i, scale, offset), to_code(value + i + 8, scale, offset));
            __m256i b = _mm256_packs_epi32(to_code(value + i + 16, scale, offset),
                                           to_code(value + i + 24, scale, offset));

            write_block(to + i, _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), order), stream);
        }
    } else {
        for (; i + 16 <= n; i += 16) {
            __m256i v =
                _mm256_packus_epi32(to_code(value + i, scale, offset), to_code(value + i + 8, scale, offset));

            v = _mm256_sll_epi16(_mm256_min_epu16(v, maximum), shift);
            write_block(to + 2 * (ptrdiff_t)i, _mm256_permute4x64_epi64(v, 0xd8), stream);
        }
    }
    vsm_refine_kernels_c.store(value + i, code, n - i, to + (ptrdiff_t)i * code->samples.bytes);
}

static __m256i to_limited_code(const float *value, __m256 scale, __m256 offset, __m256i maximum)
{
    __m256i v = _mm256_max_epi32(to_code(value, scale, offset), _mm256_setzero_si256());

    return _mm256_min_epi32(v, maximum);
}

static void store_pairs(const float *first, const float *second, const struct vsm_refine_code *code, int n,
                        uint8_t *to)
{
    __m256 scale = _mm256_set1_ps(code->scale), offset = _mm256_set1_ps(code->offset);
    __m256i maximum = _mm256_set1_epi32(code->maximum);
    int bytes = code->samples.bytes, i = 0;
    __m128i low = _mm_cvtsi32_si128(code->samples.shift),
            high = _mm_cvtsi32_si128(code->samples.shift + 8 * bytes);

    for (; i + 8 <= n; i += 8) {
        __m256i a = _mm256_sll_epi32(to_limited_code(first + i, scale, offset, maximum), low);
        __m256i b = _mm256_sll_epi32(to_limited_code(second + i, scale, offset, maximum), high);
        __m256i pairs = _mm256_or_si256(a, b);

        if (bytes == 2) {
            _mm256_storeu_si256((__m256i *)(to + 4 * (ptrdiff_t)i), pairs);
        } else {
            __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(pairs, pairs), 0xd8);

            _mm_storeu_si128((__m128i *)(to + 2 * (ptrdiff_t)i), _mm256_castsi256_si128(packed));
        }
    }
    vsm_refine_kernels_c.store_pairs(first + i, second + i, code, n - i, to + 2 * (ptrdiff_t)i * bytes);
}

static __m256 mix_block(const float *at, ptrdiff_t stride, const struct vsm_coefficient_plane *plane)
{
    __m256 sum = _mm256_mul_ps(_mm256_set1_ps(plane->weight[0]), _mm256_loadu_ps(at));

    if (plane->count == 1)
        return sum;
    sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_set1_ps(plane->weight[1]), _mm256_loadu_ps(at + stride)));
    return _mm256_add_ps(sum,
                         _mm256_mul_ps(_mm256_set1_ps(plane->weight[2]), _mm256_loadu_ps(at + 2 * stride)));
}

/* The last block overlaps the one before it, so that nothing behind the maps is read. */
static void mix(const float *map, ptrdiff_t stride, const struct vsm_coefficient_plane *plane, int n,
                float *out)
{
    const struct vsm_coefficient_plane copy = *plane;
    const float *at = map + copy.first * stride;

    if (n < 8) {
        vsm_refine_kernels_c.mix(map, stride, plane, n, out);
        return;
    }
    for (int i = 0; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, mix_block(at + i, stride, &copy));
    _mm256_storeu_ps(out + n - 8, mix_block(at + n - 8, stride, &copy));
}

static __m256 between(__m256 a, __m256 b, const float *fraction)
{
    return _mm256_add_ps(a, _mm256_mul_ps(_mm256_loadu_ps(fraction), _mm256_sub_ps(b, a)));
}

static void upsample(const float *cells, const int32_t *index, const float *fraction, bool near, int n,
                     const float *top, float *out, float *delta)
{
    for (int i = 0; i < n; i += 8) {
        __m256i at = _mm256_loadu_si256((const __m256i *)(index + i));
        __m256 a, b;

        if (near) {
            const float *from = cells + index[i];

            at = _mm256_sub_epi32(at, _mm256_set1_epi32(index[i]));
            a = _mm256_permutevar8x32_ps(_mm256_loadu_ps(from), at);
            b = _mm256_permutevar8x32_ps(_mm256_loadu_ps(from + 1), at);
        } else {
            a = _mm256_i32gather_ps(cells, at, 4);
            b = _mm256_i32gather_ps(cells + 1, at, 4);
        }
        a = between(a, b, fraction + i);
        _mm256_store_ps(out + i, a);
        if (top)
            _mm256_store_ps(delta + i, _mm256_sub_ps(a, _mm256_load_ps(top + i)));
    }
}

static void store_twice(__m256 v, float *out)
{
    __m256 low = _mm256_unpacklo_ps(v, v), high = _mm256_unpackhi_ps(v, v);

    _mm256_store_ps(out, _mm256_permute2f128_ps(low, high, 0x20));
    _mm256_store_ps(out + 8, _mm256_permute2f128_ps(low, high, 0x31));
}

static void tint(const float *u, const float *v, const struct vsm_refine_planes *planes, float mean_u,
                 float mean_v, bool twice, int n, float *mean_out, float *tint_out)
{
    const struct plane tint_u = get_plane(planes, VSM_TINT_U), tint_v = get_plane(planes, VSM_TINT_V);
    const __m256 by_u = _mm256_set1_ps(mean_u), by_v = _mm256_set1_ps(mean_v);

    for (int i = 0; i < n; i += 8) {
        __m256 cu = _mm256_load_ps(u + i), cv = _mm256_load_ps(v + i);
        __m256 m = _mm256_add_ps(_mm256_mul_ps(by_u, cu), _mm256_mul_ps(by_v, cv));
        __m256 t =
            _mm256_add_ps(_mm256_mul_ps(plane_at(tint_u, i), cu), _mm256_mul_ps(plane_at(tint_v, i), cv));

        if (twice) {
            store_twice(m, mean_out + 2 * i);
            store_twice(t, tint_out + 2 * i);
        } else {
            _mm256_store_ps(mean_out + i, m);
            _mm256_store_ps(tint_out + i, t);
        }
    }
}

static void solve_luma(const float *y, const float *mean, const float *tint_row,
                       const struct vsm_refine_planes *planes, float range, int n, float *alpha,
                       float *foreground)
{
    const __m256 zero = _mm256_setzero_ps(), one = _mm256_set1_ps(1), white = _mm256_set1_ps(range);
    const __m256 snap = _mm256_set1_ps(VSM_REFINE_SNAP), snap_high = _mm256_set1_ps(1 - VSM_REFINE_SNAP);
    const struct plane luma_alpha_y = get_plane(planes, VSM_LUMA_ALPHA_Y);
    const struct plane luma_alpha_1 = get_plane(planes, VSM_LUMA_ALPHA_1);
    const struct plane luma_y = get_plane(planes, VSM_LUMA_Y), luma_1 = get_plane(planes, VSM_LUMA_1);

    for (int i = 0; i < n; i += 8) {
        __m256 l = _mm256_load_ps(y + i), a, f;

        a = _mm256_mul_ps(plane_at(luma_alpha_y, i), _mm256_add_ps(l, _mm256_load_ps(mean + i)));
        a = _mm256_add_ps(a, plane_at(luma_alpha_1, i));
        f = _mm256_add_ps(_mm256_mul_ps(plane_at(luma_y, i), l), plane_at(luma_1, i));
        f = _mm256_add_ps(l, _mm256_add_ps(f, _mm256_load_ps(tint_row + i)));
        a = _mm256_min_ps(_mm256_max_ps(a, zero), one);
        a = _mm256_andnot_ps(_mm256_cmp_ps(a, snap, _CMP_LT_OQ), a);
        a = _mm256_blendv_ps(a, one, _mm256_cmp_ps(a, snap_high, _CMP_GT_OQ));
        f = _mm256_min_ps(_mm256_max_ps(f, _mm256_min_ps(l, zero)), _mm256_max_ps(l, white));
        _mm256_store_ps(alpha + i, a);
        _mm256_store_ps(foreground + i, f);
    }
}

static __m256 limit(__m256 value, __m256 residue, __m256 low, __m256 high)
{
    __m256 f = _mm256_max_ps(_mm256_add_ps(value, residue), _mm256_min_ps(value, low));

    return _mm256_min_ps(f, _mm256_max_ps(value, high));
}

/* One component: its four planes begin with `first`, and `own` is the component itself (u or v). */
static void solve_component(const float *y, const float *u, const float *v,
                            const struct vsm_refine_planes *planes, int first, const float *own, float low,
                            float high, int n, float *foreground)
{
    const struct plane by_y = get_plane(planes, first), by_u = get_plane(planes, first + 1);
    const struct plane by_v = get_plane(planes, first + 2), constant = get_plane(planes, first + 3);
    const __m256 least = _mm256_set1_ps(low), most = _mm256_set1_ps(high);

    for (int i = 0; i < n; i += 8) {
        __m256 a = _mm256_add_ps(_mm256_mul_ps(plane_at(by_y, i), _mm256_load_ps(y + i)),
                                 _mm256_mul_ps(plane_at(by_u, i), _mm256_load_ps(u + i)));
        __m256 b =
            _mm256_add_ps(_mm256_mul_ps(plane_at(by_v, i), _mm256_load_ps(v + i)), plane_at(constant, i));

        _mm256_store_ps(foreground + i, limit(_mm256_load_ps(own + i), _mm256_add_ps(a, b), least, most));
    }
}

static void solve_chroma(const float *y, const float *u, const float *v,
                         const struct vsm_refine_planes *planes, float low, float high, int n,
                         float *foreground_u, float *foreground_v)
{
    solve_component(y, u, v, planes, VSM_CHROMA_U_Y, u, low, high, n, foreground_u);
    solve_component(y, u, v, planes, VSM_CHROMA_V_Y, v, low, high, n, foreground_v);
}

static void average(const float *a, const float *b, bool pairs, int n, float *out)
{
    if (!pairs) {
        for (int i = 0; i < n; i += 8)
            _mm256_store_ps(out + i,
                            _mm256_mul_ps(_mm256_add_ps(_mm256_load_ps(a + i), _mm256_load_ps(b + i)),
                                          _mm256_set1_ps(0.5f)));
        return;
    }
    for (int i = 0; i < n; i += 8) {
        __m256 low = _mm256_add_ps(_mm256_load_ps(a + 2 * i), _mm256_load_ps(b + 2 * i));
        __m256 high = _mm256_add_ps(_mm256_load_ps(a + 2 * i + 8), _mm256_load_ps(b + 2 * i + 8));
        __m256 sum = _mm256_add_ps(_mm256_shuffle_ps(low, high, 0x88), _mm256_shuffle_ps(low, high, 0xdd));

        sum = _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(sum), 0xd8));
        _mm256_store_ps(out + i, _mm256_mul_ps(sum, _mm256_set1_ps(0.25f)));
    }
}

static __m256 over(__m256 alpha, __m256 foreground, __m256 key)
{
    return _mm256_add_ps(key, _mm256_mul_ps(alpha, _mm256_sub_ps(foreground, key)));
}

static void blend_luma(const float *alpha, const float *foreground, float key, int n, float *out)
{
    const __m256 behind = _mm256_set1_ps(key);

    for (int i = 0; i < n; i += 8)
        _mm256_store_ps(out + i, over(_mm256_load_ps(alpha + i), _mm256_load_ps(foreground + i), behind));
}

static void blend_chroma(const float *alpha, const float *foreground_u, const float *foreground_v,
                         const struct vsm_refine_key *key, int n, float *out_u, float *out_v)
{
    const __m256 ku = _mm256_set1_ps(key->direction_u), kv = _mm256_set1_ps(key->direction_v);
    const __m256 despill = _mm256_set1_ps(key->despill), zero = _mm256_setzero_ps(), one = _mm256_set1_ps(1);
    const __m256 behind_u = _mm256_set1_ps(key->u), behind_v = _mm256_set1_ps(key->v);

    for (int i = 0; i < n; i += 8) {
        __m256 a = _mm256_load_ps(alpha + i), u = _mm256_load_ps(foreground_u + i);
        __m256 v = _mm256_load_ps(foreground_v + i);
        __m256 spill = _mm256_max_ps(_mm256_add_ps(_mm256_mul_ps(u, ku), _mm256_mul_ps(v, kv)), zero);

        spill = _mm256_mul_ps(spill, _mm256_mul_ps(_mm256_sub_ps(one, a), despill));
        u = _mm256_sub_ps(u, _mm256_mul_ps(spill, ku));
        v = _mm256_sub_ps(v, _mm256_mul_ps(spill, kv));
        _mm256_store_ps(out_u + i, over(a, u, behind_u));
        _mm256_store_ps(out_v + i, over(a, v, behind_v));
    }
}

const struct vsm_refine_kernels vsm_refine_kernels_avx2 = {
    load,     load_pairs, store,      store_pairs,  fill,    finish,     mix,
    upsample, tint,       solve_luma, solve_chroma, average, blend_luma, blend_chroma,
};
