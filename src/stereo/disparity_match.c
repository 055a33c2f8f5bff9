#include "stereo/disparity_match.h"

#include "base/cpu.h"

#include <string.h>

static const float *row_at(const struct vsm_disparity_match_plane *plane, struct vsm_match_place at, int down)
{
    return plane->origin + (at.y + down) * plane->stride + at.x;
}

static bool lies_within(const struct vsm_disparity_match_plane *plane, struct vsm_match_place at, int reach,
                        int length)
{
    return vsm_pixel_match_lies_within(plane->width, plane->height, plane->margin, at, reach, length);
}

bool vsm_disparity_match_cut(const struct vsm_disparity_match_plane *picture, struct vsm_match_place at,
                             const struct vsm_disparity_match_plane *weights,
                             struct vsm_match_place weights_at, int reach, int step,
                             struct vsm_disparity_match_window *window)
{
    const int across = 2 * reach + 1;
    float mean = 0.0f, sum = 0.0f;

    if (!lies_within(picture, at, reach, across) || !lies_within(weights, weights_at, reach, across))
        return false;
    window->reach = reach;
    window->step = step;
    window->row_count = (across + step - 1) / step;
    window->row_length = (across + VSM_MATCH_LANES - 1) / VSM_MATCH_LANES * VSM_MATCH_LANES;
    memset(window->weight, 0, (size_t)(window->row_count * window->row_length) * sizeof(float));
    memset(window->product, 0, (size_t)(window->row_count * window->row_length) * sizeof(float));
    for (int r = 0; r < window->row_count; r++) {
        const float *from = row_at(picture, at, r * step - reach) - reach;
        const float *weight = row_at(weights, weights_at, r * step - reach) - reach;

        for (int i = 0; i < across; i++) {
            window->weight[r * window->row_length + i] = weight[i];
            sum += weight[i];
            mean += weight[i] * from[i];
        }
    }
    if (sum < VSM_MATCH_WEIGHT * (float)(across * window->row_count))
        return false;
    mean /= sum;
    window->weight_sum = sum;
    window->energy = 0.0f;
    for (int r = 0; r < window->row_count; r++) {
        const float *from = row_at(picture, at, r * step - reach) - reach;

        for (int i = 0; i < across; i++) {
            const float d = from[i] - mean, w = window->weight[r * window->row_length + i];

            window->product[r * window->row_length + i] = w * d;
            window->energy += w * d * d;
        }
    }
    return window->energy > VSM_MATCH_MIN_VARIANCE * sum;
}

void vsm_disparity_match_sum_plain(const struct vsm_disparity_match_window *window, const float *from,
                                   ptrdiff_t stride, struct vsm_disparity_match_sums *sums)
{
    struct vsm_disparity_match_sums s = {0};

    for (int r = 0; r < window->row_count; r++, from += window->step * stride) {
        const float *weight = window->weight + r * window->row_length;
        const float *centred = window->product + r * window->row_length;

        for (int i = 0; i < window->row_length; i += VSM_MATCH_LANES) {
            for (int k = 0; k < VSM_MATCH_LANES; k++) {
                const float b = from[i + k], wb = weight[i + k] * b;

                s.value[k] += wb;
                s.square[k] += wb * b;
                s.product[k] += centred[i + k] * b;
            }
        }
    }
    *sums = s;
}

static vsm_disparity_match_sum *sum_function(void)
{
#if defined(__x86_64__)
    if (vsm_cpu_has_avx2())
        return vsm_disparity_match_sum_avx2;
#endif
    return vsm_disparity_match_sum_plain;
}

float vsm_disparity_match_score(const struct vsm_disparity_match_window *window,
                                const struct vsm_disparity_match_plane *picture, int x, int y)
{
    struct vsm_disparity_match_sums sums;
    float s = 0.0f, ss = 0.0f, p = 0.0f;

    if (!lies_within(picture, (struct vsm_match_place){x, y}, window->reach, window->row_length))
        return -1.0f;
    sum_function()(window, picture->origin + (y - window->reach) * picture->stride + x - window->reach,
                   picture->stride, &sums);
    for (int k = 0; k < VSM_MATCH_LANES; k++) {
        s += sums.value[k];
        ss += sums.square[k];
        p += sums.product[k];
    }
    return vsm_pixel_match_score(s, ss, p, window->weight_sum, window->energy);
}
