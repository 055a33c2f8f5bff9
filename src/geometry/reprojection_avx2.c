#include "geometry/reprojection_kernels.h"

#include <immintrin.h>
#include <stdbool.h>

#define BITS         VSM_REPROJECTION_WEIGHT_BITS
#define ONE          (1 << BITS)
#define ROWS         4 /* of a patch */
#define NARROW_EXTRA 7 /* bits that rows of bytes are kept with beyond their own */

/* So that each width gets a loop of its own with all constants in registers. */
#define INLINE static inline __attribute__((always_inline))

/* What does not change within a window. */
struct state {
    __m256i stride, last_u, last_v;
    __m256i first_x, first_y;              /* the last place for the first of two samples */
    __m256i patch_x, patch_y, patch_width; /* the last place for a patch, and of a pair in it */
    __m256i bias, half, half_rows;
    __m128i shift, shift_left, shift_rows;
    bool wide, patches;
};

INLINE struct state begin(const struct vsm_reprojection_window *w, bool wide)
{
    int extra = w->depth < 16 ? 15 - w->depth : 0, across = wide ? 8 : 16;

    return (struct state){
        .stride = _mm256_set1_epi32((int)w->stride),
        .last_u = _mm256_set1_epi32(w->right << BITS),
        .last_v = _mm256_set1_epi32(w->bottom << BITS),
        .first_x = _mm256_set1_epi32(w->right - 1),
        .first_y = _mm256_set1_epi32(w->bottom - 1),
        .patch_x = _mm256_set1_epi32(w->right + 1 - across),
        .patch_y = _mm256_set1_epi32(w->bottom + 1 - ROWS),
        .patch_width = _mm256_set1_epi32(across - 2),
        .bias = _mm256_set1_epi16(w->depth < 16 ? 0 : INT16_MIN),
        .half = _mm256_set1_epi32(1 << (BITS - extra) >> 1),
        .half_rows = _mm256_set1_epi32(1 << (BITS + extra - 1)),
        .shift = _mm_cvtsi32_si128(BITS - extra),
        .shift_left = _mm_cvtsi32_si128(16 - (BITS - extra)),
        .shift_rows = _mm_cvtsi32_si128(BITS + extra),
        .wide = wide,
        .patches = w->right >= across && w->bottom >= ROWS,
    };
}

/* (ONE - weight, weight) as pairs of words, weight within 0..ONE. */
INLINE __m256i weights(__m256i weight)
{
    return _mm256_or_si256(_mm256_sub_epi32(_mm256_set1_epi32(ONE), weight), _mm256_slli_epi32(weight, 16));
}

/* Where the samples of a block lie, for both eyes. */
struct places {
    __m256i x, y;         /* of the upper left sample */
    __m256i across, down; /* weights */
};

INLINE struct places find(const struct state *s, __m256 at_u, __m256 at_v)
{
    __m256i u = _mm256_max_epi32(_mm256_cvttps_epi32(at_u), _mm256_setzero_si256());
    __m256i v = _mm256_max_epi32(_mm256_cvttps_epi32(at_v), _mm256_setzero_si256());
    __m256i x, y;

    u = _mm256_min_epi32(u, s->last_u);
    v = _mm256_min_epi32(v, s->last_v);
    x = _mm256_min_epi32(_mm256_srai_epi32(u, BITS), s->first_x);
    y = _mm256_min_epi32(_mm256_srai_epi32(v, BITS), s->first_y);
    return (struct places){
        .x = x,
        .y = y,
        .across = weights(_mm256_sub_epi32(u, _mm256_slli_epi32(x, BITS))),
        .down = weights(_mm256_sub_epi32(v, _mm256_slli_epi32(y, BITS))),
    };
}

/* The pairs of samples that a block needs, as words. */
struct pairs {
    __m256i upper, lower;
};

/* A block whose halves, of four samples, look into ROWS rows of one vector each: a shuffle takes the pairs
 * out of a row at a quarter of what a gather costs. */
struct patch {
    int first, second; /* where the halves' vectors begin, in bytes */
    __m256i pick;      /* the bytes of the pairs */
    __m256i one, two;  /* samples at least one row below the first, two rows */
    bool flat;         /* no sample is two rows below */
};

/* False if a half looks too far around. Places mostly ascend or descend, so that a half's ends have the least
 * ones. */
INLINE bool find_patch(const struct state *s, const struct places *at, struct patch *patch)
{
    const __m256i narrow = _mm256_set1_epi32((int)0x80018000), words = _mm256_set1_epi32(0x03020100);
    const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, 0, 0, 0, 0, 4,
                                            4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    __m256i x = _mm256_min_epi32(_mm256_shuffle_epi32(at->x, 0x00), _mm256_shuffle_epi32(at->x, 0xff));
    __m256i y = _mm256_min_epi32(_mm256_shuffle_epi32(at->y, 0x00), _mm256_shuffle_epi32(at->y, 0xff));
    __m256i right, down, outside, offset;

    x = _mm256_min_epi32(x, s->patch_x);
    y = _mm256_min_epi32(y, s->patch_y);
    right = _mm256_sub_epi32(at->x, x);
    down = _mm256_sub_epi32(at->y, y);
    patch->one = _mm256_cmpgt_epi32(down, _mm256_setzero_si256());
    patch->two = _mm256_cmpgt_epi32(down, _mm256_set1_epi32(1));
    outside = _mm256_or_si256(_mm256_cmpgt_epi32(right, s->patch_width),
                              _mm256_cmpgt_epi32(down, _mm256_set1_epi32(ROWS - 2)));
    outside = _mm256_or_si256(outside, _mm256_or_si256(right, down)); /* the sign: negative */
    if (_mm256_movemask_ps(_mm256_castsi256_ps(outside)))
        return false;
    offset = _mm256_add_epi32(_mm256_mullo_epi32(y, s->stride), s->wide ? _mm256_slli_epi32(x, 1) : x);
    patch->first = _mm256_cvtsi256_si32(offset);
    patch->second = _mm_cvtsi128_si32(_mm256_extracti128_si256(offset, 1));
    right = _mm256_shuffle_epi8(s->wide ? _mm256_slli_epi32(right, 1) : right, spread);
    patch->pick = _mm256_add_epi8(right, s->wide ? words : narrow);
    patch->flat = _mm256_testz_si256(patch->two, patch->two);
    return true;
}

INLINE __m256i pick_row(const struct patch *patch, const uint8_t *row)
{
    __m128i first = _mm_loadu_si128((const __m128i *)(const void *)(row + patch->first));
    __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(row + patch->second));

    return _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1),
                               patch->pick);
}

INLINE struct pairs pick_pairs(const struct patch *patch, const uint8_t *data, ptrdiff_t stride)
{
    __m256i a = pick_row(patch, data), b = pick_row(patch, data + stride);
    __m256i c = pick_row(patch, data + 2 * stride), d;
    struct pairs pairs = {_mm256_blendv_epi8(a, b, patch->one), _mm256_blendv_epi8(b, c, patch->one)};

    if (patch->flat)
        return pairs;
    d = pick_row(patch, data + 3 * stride);
    return (struct pairs){_mm256_blendv_epi8(pairs.upper, c, patch->two),
                          _mm256_blendv_epi8(pairs.lower, d, patch->two)};
}

INLINE __m256i gather_row(const struct state *s, const uint8_t *row, __m256i offset)
{
    const __m256i bytes_to_words = _mm256_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1,
                                                    0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1);
    __m256i found = _mm256_i32gather_epi32((const int *)(const void *)row, offset, 1);

    return s->wide ? found : _mm256_shuffle_epi8(found, bytes_to_words);
}

INLINE struct pairs gather_pairs(const struct state *s, const struct places *at, const uint8_t *data,
                                 ptrdiff_t stride)
{
    __m256i x = s->wide ? _mm256_slli_epi32(at->x, 1) : at->x;
    __m256i offset = _mm256_add_epi32(_mm256_mullo_epi32(at->y, s->stride), x);

    return (struct pairs){gather_row(s, data, offset), gather_row(s, data + stride, offset)};
}

/* Not yet shifted down to 16 bits. */
INLINE __m256i mix_across(const struct state *s, __m256i pairs, __m256i weight)
{
    if (s->wide)
        pairs = _mm256_xor_si256(pairs, s->bias);
    return _mm256_add_epi32(_mm256_madd_epi16(pairs, weight), s->half);
}

INLINE void put_block(const struct state *s, const struct pairs *pairs, const struct places *at, uint8_t *to)
{
    __m256i upper = mix_across(s, pairs->upper, at->across);
    __m256i lower = mix_across(s, pairs->lower, at->across);
    __m256i value;
    __m128i packed;

    if (s->wide) {
        upper = _mm256_srl_epi32(upper, s->shift);
        lower = _mm256_sll_epi32(lower, s->shift_left);
    } else {
        upper = _mm256_srli_epi32(upper, BITS - NARROW_EXTRA);
        lower = _mm256_slli_epi32(lower, 16 - (BITS - NARROW_EXTRA));
    }
    value = _mm256_blend_epi16(upper, lower, 0xAA);
    value = _mm256_add_epi32(_mm256_madd_epi16(value, at->down), s->half_rows);
    if (!s->wide) {
        value = _mm256_srli_epi32(value, BITS + NARROW_EXTRA);
        packed = _mm_packs_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
        _mm_storel_epi64((__m128i *)(void *)to, _mm_packus_epi16(packed, packed));
        return;
    }
    value = _mm256_sra_epi32(value, s->shift_rows);
    packed = _mm_packs_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    _mm_store_si128((__m128i *)(void *)to, _mm_xor_si128(packed, _mm256_castsi256_si128(s->bias)));
}

INLINE void sample_block(const struct state *s, const struct vsm_reprojection_window *window, int sources,
                         __m256 at_u, __m256 at_v, ptrdiff_t skip, uint8_t *const *out)
{
    struct places at = find(s, at_u, at_v);
    struct pairs pairs[VSM_REPROJECTION_SOURCES];
    struct patch patch;

    if (s->patches && find_patch(s, &at, &patch)) {
        for (int k = 0; k < sources; k++)
            pairs[k] = pick_pairs(&patch, window->data[k], window->stride);
    } else {
        for (int k = 0; k < sources; k++)
            pairs[k] = gather_pairs(s, &at, window->data[k], window->stride);
    }
    for (int k = 0; k < sources; k++)
        put_block(s, &pairs[k], &at, out[k] + skip);
}

INLINE void sample_blocks(const struct vsm_reprojection_window *window, bool wide, int sources,
                          const struct vsm_reprojection_block *blocks, int count, uint8_t *const *out)
{
    const __m256 steps = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
    const struct state s = begin(window, wide);
    ptrdiff_t size = wide ? 2 * VSM_REPROJECTION_BLOCK : VSM_REPROJECTION_BLOCK;

    for (int i = 0; i < count; i++) {
        const struct vsm_reprojection_block *b = &blocks[i];
        __m256 u = _mm256_add_ps(_mm256_set1_ps(b->u), _mm256_mul_ps(_mm256_set1_ps(b->du), steps));
        __m256 v = _mm256_add_ps(_mm256_set1_ps(b->v), _mm256_mul_ps(_mm256_set1_ps(b->dv), steps));

        sample_block(&s, window, sources, u, v, i * size, out);
    }
}

static void sample(const struct vsm_reprojection_window *window, const struct vsm_reprojection_block *blocks,
                   int count, uint8_t *const *out)
{
    if (window->sources > 2 && window->depth > 8)
        sample_blocks(window, true, 4, blocks, count, out);
    else if (window->sources > 2)
        sample_blocks(window, false, 4, blocks, count, out);
    else if (window->depth > 8)
        sample_blocks(window, true, 2, blocks, count, out);
    else
        sample_blocks(window, false, 2, blocks, count, out);
}

static void sample_points(const struct vsm_reprojection_window *window,
                          const struct vsm_reprojection_points *points, int count, uint8_t *const *out)
{
    bool wide = window->depth > 8;
    const struct state s = begin(window, wide);
    ptrdiff_t size = wide ? 2 * VSM_REPROJECTION_BLOCK : VSM_REPROJECTION_BLOCK;

    for (int i = 0; i < count; i++) {
        __m256 u = _mm256_loadu_ps(points[i].u), v = _mm256_loadu_ps(points[i].v);

        sample_block(&s, window, window->sources, u, v, i * size, out);
    }
}

/* Eight means, in 32 bits. */
INLINE __m256i halve_block(const uint16_t *a, const uint16_t *b)
{
    const __m256i bias = _mm256_set1_epi16(INT16_MIN), one = _mm256_set1_epi16(1);
    __m256i x = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)a), bias);
    __m256i y = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)b), bias);
    __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(x, one), _mm256_madd_epi16(y, one));

    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32((4 << 15) + 2)), 2);
}

static void halve(const uint16_t *a, const uint16_t *b, int n, uint16_t *out)
{
    int i = 0;

    for (; i + 16 <= n; i += 16) {
        ptrdiff_t at = 2 * (ptrdiff_t)i;
        __m256i packed =
            _mm256_packus_epi32(halve_block(a + at, b + at), halve_block(a + at + 16, b + at + 16));

        _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm256_permute4x64_epi64(packed, 0xd8));
    }
    vsm_reprojection_kernels_c.halve(a + 2 * (ptrdiff_t)i, b + 2 * (ptrdiff_t)i, n - i, out + i);
}

const struct vsm_reprojection_kernels vsm_reprojection_kernels_avx2 = {sample, sample_points, halve};
