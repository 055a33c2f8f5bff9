#include "geometry/alpha_pack_kernels.h"

#include <immintrin.h>
#include <stdbool.h>

#define BITS VSM_ALPHA_PACK_WEIGHT_BITS
#define ONE  (1 << BITS)

/* So that each width gets a loop of its own with all constants in registers. */
#define INLINE static inline __attribute__((always_inline))

/* What does not change within a window. */
struct state {
    __m256i stride, last_u, last_v, first_x,
        first_y; /* first_*: the last place for the first of two samples */
    __m256i bias, half, half_rows;
    __m128i shift, shift_rows;
    bool wide;
};

INLINE struct state begin(const struct vsm_alpha_pack_window *w, bool wide)
{
    int extra = w->depth < 16 ? 15 - w->depth : 0;

    return (struct state){
        .stride = _mm256_set1_epi32((int)w->stride),
        .last_u = _mm256_set1_epi32(w->right << BITS),
        .last_v = _mm256_set1_epi32(w->bottom << BITS),
        .first_x = _mm256_set1_epi32(w->right - 1),
        .first_y = _mm256_set1_epi32(w->bottom - 1),
        .bias = _mm256_set1_epi16(w->depth < 16 ? 0 : INT16_MIN),
        .half = _mm256_set1_epi32(1 << (BITS - extra) >> 1),
        .half_rows = _mm256_set1_epi32(1 << (BITS + extra - 1)),
        .shift = _mm_cvtsi32_si128(BITS - extra),
        .shift_rows = _mm_cvtsi32_si128(BITS + extra),
        .wide = wide,
    };
}

/* (ONE - weight, weight) as pairs of words, weight within 0..ONE. */
INLINE __m256i weights(__m256i weight)
{
    return _mm256_or_si256(_mm256_sub_epi32(_mm256_set1_epi32(ONE), weight), _mm256_slli_epi32(weight, 16));
}

/* A row's pairs of samples, at byte offsets, mixed. */
INLINE __m256i mix_pairs(const struct state *s, const uint8_t *from, __m256i offset, __m256i weight)
{
    const __m256i bytes_to_words = _mm256_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1,
                                                    0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1);
    __m256i pairs = _mm256_i32gather_epi32((const int *)(const void *)from, offset, 1);

    pairs = s->wide ? _mm256_xor_si256(pairs, s->bias) : _mm256_shuffle_epi8(pairs, bytes_to_words);
    return _mm256_sra_epi32(_mm256_add_epi32(_mm256_madd_epi16(pairs, weight), s->half), s->shift);
}

/* Where the samples of a block lie, for both eyes. */
struct places {
    __m256i offset, across, down; /* of the upper left sample in bytes; weights */
};

INLINE struct places find(const struct state *s, const struct vsm_alpha_pack_block *b)
{
    const __m256 steps = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
    __m256 at_u = _mm256_add_ps(_mm256_set1_ps(b->u), _mm256_mul_ps(_mm256_set1_ps(b->du), steps));
    __m256 at_v = _mm256_add_ps(_mm256_set1_ps(b->v), _mm256_mul_ps(_mm256_set1_ps(b->dv), steps));
    __m256i u = _mm256_max_epi32(_mm256_cvttps_epi32(at_u), _mm256_setzero_si256());
    __m256i v = _mm256_max_epi32(_mm256_cvttps_epi32(at_v), _mm256_setzero_si256());
    __m256i x, y;

    u = _mm256_min_epi32(u, s->last_u);
    v = _mm256_min_epi32(v, s->last_v);
    x = _mm256_min_epi32(_mm256_srai_epi32(u, BITS), s->first_x);
    y = _mm256_min_epi32(_mm256_srai_epi32(v, BITS), s->first_y);
    return (struct places){
        .offset = _mm256_add_epi32(_mm256_mullo_epi32(y, s->stride), s->wide ? _mm256_slli_epi32(x, 1) : x),
        .across = weights(_mm256_sub_epi32(u, _mm256_slli_epi32(x, BITS))),
        .down = weights(_mm256_sub_epi32(v, _mm256_slli_epi32(y, BITS))),
    };
}

INLINE void sample_block(const struct state *s, const uint8_t *data, ptrdiff_t stride,
                         const struct places *at, uint8_t *to)
{
    __m256i upper = mix_pairs(s, data, at->offset, at->across);
    __m256i lower = mix_pairs(s, data + stride, at->offset, at->across);
    __m256i value = _mm256_blend_epi16(upper, _mm256_slli_epi32(lower, 16), 0xAA);
    __m128i packed;

    value = _mm256_add_epi32(_mm256_madd_epi16(value, at->down), s->half_rows);
    value = _mm256_sra_epi32(value, s->shift_rows);
    packed = _mm_packs_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    packed = _mm_xor_si128(packed, _mm256_castsi256_si128(s->bias));
    if (s->wide)
        _mm_store_si128((__m128i *)(void *)to, packed);
    else
        _mm_storel_epi64((__m128i *)(void *)to, _mm_packus_epi16(packed, packed));
}

INLINE void sample_blocks(const struct vsm_alpha_pack_window *window, bool wide,
                          const struct vsm_alpha_pack_block *blocks, int count, uint8_t *left, uint8_t *right)
{
    const struct state s = begin(window, wide);
    ptrdiff_t size = wide ? 2 * VSM_ALPHA_PACK_BLOCK : VSM_ALPHA_PACK_BLOCK;

    for (int i = 0; i < count; i++) {
        struct places at = find(&s, &blocks[i]);

        sample_block(&s, window->data[0], window->stride, &at, left + i * size);
        sample_block(&s, window->data[1], window->stride, &at, right + i * size);
    }
}

static void sample(const struct vsm_alpha_pack_window *window, const struct vsm_alpha_pack_block *blocks,
                   int count, uint8_t *left, uint8_t *right)
{
    if (window->depth > 8)
        sample_blocks(window, true, blocks, count, left, right);
    else
        sample_blocks(window, false, blocks, count, left, right);
}

static void halve(const uint16_t *a, const uint16_t *b, int n, int32_t *sums)
{
    const __m256i bias = _mm256_set1_epi16(INT16_MIN), one = _mm256_set1_epi16(1);
    const __m256i back = _mm256_set1_epi32(4 << 15);

    for (int i = 0; i < n; i += 8) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(a + 2 * (ptrdiff_t)i));
        __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(b + 2 * (ptrdiff_t)i));
        __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(_mm256_xor_si256(x, bias), one),
                                       _mm256_madd_epi16(_mm256_xor_si256(y, bias), one));

        _mm256_storeu_si256((__m256i *)(void *)(sums + i), _mm256_add_epi32(sum, back));
    }
}

const struct vsm_alpha_pack_kernels vsm_alpha_pack_kernels_avx2 = {sample, halve};
