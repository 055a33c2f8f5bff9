#include "image/refine_warp.h"

#include <immintrin.h>

/* The left or upper cells of eight positions, and how far it is to the next ones. */
static __m256i locate(__m256 position, int cells, __m256 *fraction)
{
    __m256 at = _mm256_sub_ps(position, _mm256_set1_ps(0.5f));
    __m256i cell;

    at = _mm256_min_ps(at, _mm256_set1_ps((float)(cells - 1)));
    at = _mm256_max_ps(at, _mm256_setzero_ps());
    cell = _mm256_min_epi32(_mm256_cvttps_epi32(at), _mm256_set1_epi32(cells - 2));
    *fraction = _mm256_sub_ps(at, _mm256_cvtepi32_ps(cell));
    return cell;
}

static __m256 between(__m256 a, __m256 b, float fraction)
{
    return _mm256_add_ps(a, _mm256_mul_ps(_mm256_set1_ps(fraction), _mm256_sub_ps(b, a)));
}

/* All maps of one pixel. */
static __m256 look_up(const float *cell, ptrdiff_t below, float fx, float fy, float weight)
{
    __m256 top = between(_mm256_load_ps(cell), _mm256_load_ps(cell + 8), fx);
    __m256 bottom = between(_mm256_load_ps(cell + below), _mm256_load_ps(cell + below + 8), fx);

    return _mm256_mul_ps(_mm256_set1_ps(weight), between(top, bottom, fy));
}

/* Pixels of maps to maps of pixels. */
static void transpose(__m256 v[8])
{
    __m256 a[8], b[8];

    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]);
    }
    for (int h = 0; h < 8; h += 4) {
        b[h] = _mm256_shuffle_ps(a[h], a[h + 2], 0x44);
        b[h + 1] = _mm256_shuffle_ps(a[h], a[h + 2], 0xee);
        b[h + 2] = _mm256_shuffle_ps(a[h + 1], a[h + 3], 0x44);
        b[h + 3] = _mm256_shuffle_ps(a[h + 1], a[h + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

static void write_block(__m256 v[8], bool add, float *out, ptrdiff_t stride)
{
    for (int m = 0; m < 8; m++)
        _mm256_store_ps(out + m * stride, add ? _mm256_add_ps(_mm256_load_ps(out + m * stride), v[m]) : v[m]);
}

void vsm_refine_warp_sample_avx2(const struct vsm_refine_warp *warp, const float *x, const float *y,
                                 const float *weight, bool add, int n, float *out, ptrdiff_t stride)
{
    ptrdiff_t below = (ptrdiff_t)warp->width * 8;
    __m256i row = _mm256_set1_epi32(warp->width);

    for (int i = 0; i < n; i += 8) {
        __m256 any = _mm256_cmp_ps(_mm256_load_ps(weight + i), _mm256_setzero_ps(), _CMP_GT_OQ);
        int mask = _mm256_movemask_ps(any);
        _Alignas(32) float fx[8], fy[8];
        _Alignas(32) int32_t cell[8];
        __m256 v[8], part;
        __m256i cx, cy;

        for (int k = 0; k < 8; k++)
            v[k] = _mm256_setzero_ps();
        if (mask) {
            cx = locate(_mm256_load_ps(x + i), warp->width, &part);
            _mm256_store_ps(fx, part);
            cy = locate(_mm256_load_ps(y + i), warp->height, &part);
            _mm256_store_ps(fy, part);
            _mm256_store_si256((__m256i *)cell, _mm256_add_epi32(_mm256_mullo_epi32(cy, row), cx));
            for (int k = 0; k < 8; k++)
                if (mask & 1 << k)
                    v[k] = look_up(warp->cells + (ptrdiff_t)cell[k] * 8, below, fx[k], fy[k], weight[i + k]);
            transpose(v);
        }
        if (mask || !add)
            write_block(v, add, out + i, stride);
    }
}
