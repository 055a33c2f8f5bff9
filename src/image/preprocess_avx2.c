#include "image/preprocess_kernels.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

/* Column sums are kept in 16 bits where they fit (8-bit video at the usual scales), else in 32. Both are
 * exact, so both agree with the C reference. */

static const uint8_t *row_at(const struct vsm_preprocess_plane *p, int row, int tap)
{
    return p->data + (p->y->first[row] + tap) * p->stride;
}

static const uint16_t *weights_at(const struct vsm_preprocess_plane *p, int row)
{
    return p->y->weight + (size_t)row * (size_t)p->y->taps;
}

static uint32_t sum_column(const struct vsm_preprocess_plane *p, int row, int at)
{
    uint32_t sum = 0;

    for (int t = 0; t < p->y->count[row]; t++) {
        const uint8_t *from = row_at(p, row, t);
        uint16_t word;

        if (p->bytes == 1) {
            word = from[at];
        } else {
            memcpy(&word, from + 2 * (ptrdiff_t)at, 2);
            word = (uint16_t)(word >> p->shift);
        }
        sum += (uint32_t)weights_at(p, row)[t] * word;
    }
    return sum;
}

/* Bytes, two rows at a time: their weights and sums fit the signed 8 and 16 bits of the instruction. */
static void columns_narrow_bytes(const struct vsm_preprocess_plane *p, int row, int n, int16_t *sums)
{
    const uint16_t *w = weights_at(p, row);
    int taps = p->y->count[row], i = 0;

    for (; i + 32 <= n; i += 32) {
        __m256i low = _mm256_setzero_si256(), high = low;

        for (int t = 0; t < taps; t += 2) {
            bool last = t + 1 == taps;
            __m256i a = _mm256_loadu_si256((const __m256i *)(row_at(p, row, t) + i));
            __m256i b = last ? a : _mm256_loadu_si256((const __m256i *)(row_at(p, row, t + 1) + i));
            __m256i pair = _mm256_set1_epi16((short)(w[t] | (last ? 0 : w[t + 1]) << 8));

            low = _mm256_add_epi16(low, _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), pair));
            high = _mm256_add_epi16(high, _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), pair));
        }
        _mm256_storeu_si256((__m256i *)(sums + i), _mm256_permute2x128_si256(low, high, 0x20));
        _mm256_storeu_si256((__m256i *)(sums + i + 16), _mm256_permute2x128_si256(low, high, 0x31));
    }
    for (; i < n; i++)
        sums[i] = (int16_t)sum_column(p, row, i);
}

static void columns_narrow_words(const struct vsm_preprocess_plane *p, int row, int n, int16_t *sums)
{
    const uint16_t *w = weights_at(p, row);
    __m128i shift = _mm_cvtsi32_si128(p->shift);
    int i = 0;

    for (; i + 16 <= n; i += 16) {
        __m256i sum = _mm256_setzero_si256();

        for (int t = 0; t < p->y->count[row]; t++) {
            __m256i a = _mm256_loadu_si256((const __m256i *)(row_at(p, row, t) + 2 * (ptrdiff_t)i));

            a = _mm256_mullo_epi16(_mm256_srl_epi16(a, shift), _mm256_set1_epi16((short)w[t]));
            sum = _mm256_add_epi16(sum, a);
        }
        _mm256_storeu_si256((__m256i *)(sums + i), sum);
    }
    for (; i < n; i++)
        sums[i] = (int16_t)sum_column(p, row, i);
}

static void columns_wide(const struct vsm_preprocess_plane *p, int row, int n, uint32_t *sums)
{
    const uint16_t *w = weights_at(p, row);
    __m128i shift = _mm_cvtsi32_si128(p->shift);
    int i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256i sum = _mm256_setzero_si256();

        for (int t = 0; t < p->y->count[row]; t++) {
            const uint8_t *from = row_at(p, row, t) + (ptrdiff_t)i * p->bytes;
            __m256i a;

            if (p->bytes == 1)
                a = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from));
            else
                a = _mm256_cvtepu16_epi32(_mm_srl_epi16(_mm_loadu_si128((const __m128i *)from), shift));
            sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(a, _mm256_set1_epi32(w[t])));
        }
        _mm256_storeu_si256((__m256i *)(sums + i), sum);
    }
    for (; i < n; i++)
        sums[i] = sum_column(p, row, i);
}

/* Eight taps of one cell to four partial sums. */
static __m128i taps_narrow(const int16_t *sums, const uint16_t *weight, int taps)
{
    __m128i total = _mm_setzero_si128();

    for (int t = 0; t < taps; t += VSM_AREA_BLOCK)
        total = _mm_add_epi32(total, _mm_madd_epi16(_mm_loadu_si128((const __m128i *)(sums + t)),
                                                    _mm_loadu_si128((const __m128i *)(weight + t))));
    return total;
}

/* Eight cells of two or four samples each. */
static __m256i sum_whole(const int16_t *sums, bool four)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i a = _mm256_madd_epi16(_mm256_loadu_si256((const __m256i *)sums), ones), b;

    if (!four)
        return a;
    b = _mm256_madd_epi16(_mm256_loadu_si256((const __m256i *)(sums + 16)), ones);
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xd8);
}

/* The first cells of a whole ratio; how many. */
static int cells_whole(const struct vsm_area *x, const int16_t *sums, __m256d factor, float *out)
{
    const bool four = x->whole == 4;
    int j = 0;

    if (!four && x->whole != 2)
        return 0;
    for (; j + 8 <= x->cells; j += 8) {
        __m256i sum = sum_whole(sums + x->whole * (ptrdiff_t)j, four);
        __m256d low = _mm256_cvtepi32_pd(_mm256_castsi256_si128(sum));
        __m256d high = _mm256_cvtepi32_pd(_mm256_extracti128_si256(sum, 1));

        _mm_storeu_ps(out + j, _mm256_cvtpd_ps(_mm256_mul_pd(low, factor)));
        _mm_storeu_ps(out + j + 4, _mm256_cvtpd_ps(_mm256_mul_pd(high, factor)));
    }
    return j;
}

static void cells_narrow(const struct vsm_area *x, const int16_t *sums, double scale, float *out)
{
    const __m256d factor = _mm256_set1_pd(scale);
    size_t taps = (size_t)x->taps;
    int j = cells_whole(x, sums, factor, out);

    for (; j + 4 <= x->cells; j += 4) {
        const uint16_t *w = x->weight + (size_t)j * taps;
        __m128i a = taps_narrow(sums + x->first[j], w, x->taps);
        __m128i b = taps_narrow(sums + x->first[j + 1], w + taps, x->taps);
        __m128i c = taps_narrow(sums + x->first[j + 2], w + 2 * taps, x->taps);
        __m128i d = taps_narrow(sums + x->first[j + 3], w + 3 * taps, x->taps);
        __m128i sum = _mm_hadd_epi32(_mm_hadd_epi32(a, b), _mm_hadd_epi32(c, d));

        _mm_storeu_ps(out + j, _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_cvtepi32_pd(sum), factor)));
    }
    for (; j < x->cells; j++) {
        int32_t sum = 0;

        for (int t = 0; t < x->count[j]; t++)
            sum += (int32_t)x->weight[(size_t)j * taps + (size_t)t] * sums[x->first[j] + t];
        out[j] = (float)((double)sum * scale);
    }
}

static void cells_wide(const struct vsm_area *x, const uint32_t *sums, double scale, float *out)
{
    for (int j = 0; j < x->cells; j++) {
        const uint16_t *w = x->weight + (size_t)j * (size_t)x->taps;
        __m256i total = _mm256_setzero_si256();
        uint64_t part[4];

        for (int t = 0; t < x->taps; t += 4) {
            __m256i a = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(sums + x->first[j] + t)));
            __m256i b = _mm256_cvtepu16_epi64(_mm_loadl_epi64((const __m128i *)(w + t)));

            total = _mm256_add_epi64(total, _mm256_mul_epu32(a, b));
        }
        _mm256_storeu_si256((__m256i *)part, total);
        out[j] = (float)((double)(int64_t)(part[0] + part[1] + part[2] + part[3]) * scale);
    }
}

static void separate_narrow(const int16_t *pairs, int n, int16_t *first, int16_t *second)
{
    int i = 0;

    for (; i + 16 <= n; i += 16) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(pairs + 2 * i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(pairs + 2 * i + 16));
        __m256i mask = _mm256_set1_epi32(0xffff);
        __m256i even = _mm256_packus_epi32(_mm256_and_si256(a, mask), _mm256_and_si256(b, mask));
        __m256i odd = _mm256_packus_epi32(_mm256_srli_epi32(a, 16), _mm256_srli_epi32(b, 16));

        _mm256_storeu_si256((__m256i *)(first + i), _mm256_permute4x64_epi64(even, 0xd8));
        _mm256_storeu_si256((__m256i *)(second + i), _mm256_permute4x64_epi64(odd, 0xd8));
    }
    for (; i < n; i++) {
        first[i] = pairs[2 * i];
        second[i] = pairs[2 * i + 1];
    }
}

static void separate_wide(const uint32_t *pairs, int n, uint32_t *first, uint32_t *second)
{
    for (int i = 0; i < n; i++) {
        first[i] = pairs[2 * i];
        second[i] = pairs[2 * i + 1];
    }
}

static bool fits_narrow(const struct vsm_preprocess_plane *p)
{
    int64_t column = (int64_t)p->y->total * p->maximum;

    return column <= INT16_MAX && (p->bytes == 2 || p->y->largest <= INT8_MAX) &&
           p->x->largest <= INT16_MAX && column * p->x->total <= INT32_MAX;
}

static void average(const struct vsm_preprocess_plane *p, int row, void *scratch, float *out[2])
{
    int n = p->x->samples, pad = p->x->taps + 64;
    bool narrow = fits_narrow(p);

    if (narrow) {
        int16_t *sums = scratch, *separate[2] = {sums, NULL};

        if (p->bytes == 1)
            columns_narrow_bytes(p, row, n * p->channels, sums);
        else
            columns_narrow_words(p, row, n * p->channels, sums);
        if (p->channels == 2) {
            separate[0] = sums + 2 * (n + pad);
            separate[1] = separate[0] + n + pad;
            separate_narrow(sums, n, separate[0], separate[1]);
        }
        for (int c = 0; c < p->channels; c++)
            cells_narrow(p->x, separate[c], p->scale, out[c]);
    } else {
        uint32_t *sums = scratch, *separate[2] = {sums, NULL};

        columns_wide(p, row, n * p->channels, sums);
        if (p->channels == 2) {
            separate[0] = sums + 2 * (n + pad);
            separate[1] = separate[0] + n + pad;
            separate_wide(sums, n, separate[0], separate[1]);
        }
        for (int c = 0; c < p->channels; c++)
            cells_wide(p->x, separate[c], p->scale, out[c]);
    }
}

static __m256 unit(__m256 value)
{
    return _mm256_min_ps(_mm256_max_ps(value, _mm256_setzero_ps()), _mm256_set1_ps(1));
}

static __m256 scaled(const float *value, float scale, float bias)
{
    return _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(value), _mm256_set1_ps(scale)), _mm256_set1_ps(bias));
}

static void to_rgb(const struct vsm_preprocess_matrix *m, const float *y, const float *u, const float *v,
                   int n, float *r, float *g, float *b)
{
    const __m256 red_v = _mm256_set1_ps(m->red_v), green_u = _mm256_set1_ps(m->green_u);
    const __m256 green_v = _mm256_set1_ps(m->green_v), blue_u = _mm256_set1_ps(m->blue_u);
    int i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256 luma = scaled(y + i, m->luma_scale, m->luma_bias);
        __m256 cb = scaled(u + i, m->chroma_scale, m->chroma_bias);
        __m256 cr = scaled(v + i, m->chroma_scale, m->chroma_bias);
        __m256 green = _mm256_add_ps(luma, _mm256_mul_ps(green_u, cb));

        _mm256_storeu_ps(r + i, unit(_mm256_add_ps(luma, _mm256_mul_ps(red_v, cr))));
        _mm256_storeu_ps(g + i, unit(_mm256_add_ps(green, _mm256_mul_ps(green_v, cr))));
        _mm256_storeu_ps(b + i, unit(_mm256_add_ps(luma, _mm256_mul_ps(blue_u, cb))));
    }
    vsm_preprocess_kernels_c.to_rgb(m, y + i, u + i, v + i, n - i, r + i, g + i, b + i);
}

const struct vsm_preprocess_kernels vsm_preprocess_kernels_avx2 = {average, to_rgb};
