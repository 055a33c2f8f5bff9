#include "stereo/disparity_match.h"

#include <immintrin.h>

void vsm_disparity_match_sum_avx2(const struct vsm_disparity_match_window *window, const float *from,
                                  ptrdiff_t stride, struct vsm_disparity_match_sums *sums)
{
    const float *weight = window->weight, *centred = window->product;
    __m256 value = _mm256_setzero_ps(), square = value, product = value;

    for (int r = 0; r < window->row_count; r++, from += window->step * stride) {
        for (int i = 0; i < window->row_length; i += 8, weight += 8, centred += 8) {
            const __m256 b = _mm256_loadu_ps(from + i), wb = _mm256_mul_ps(_mm256_loadu_ps(weight), b);

            value = _mm256_add_ps(value, wb);
            square = _mm256_add_ps(square, _mm256_mul_ps(wb, b));
            product = _mm256_add_ps(product, _mm256_mul_ps(_mm256_loadu_ps(centred), b));
        }
    }
    _mm256_storeu_ps(sums->value, value);
    _mm256_storeu_ps(sums->square, square);
    _mm256_storeu_ps(sums->product, product);
}
