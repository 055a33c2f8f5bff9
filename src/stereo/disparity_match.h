/* Weighted normalised cross-correlation of windows: the inner loop of stereo/cell_match.c.
 *
 * Source of the measure: zero-mean normalised cross-correlation, e.g. Lewis, "Fast Template Matching", 1995,
 * equation 1, with a weight for each pixel of the template.
 */
#ifndef VSM_STEREO_DISPARITY_MATCH_H
#define VSM_STEREO_DISPARITY_MATCH_H

#include "pixel/match.h"

#include <stdbool.h>
#include <stddef.h>

/* A plane with a margin on all sides. */
struct vsm_disparity_match_plane {
    float *origin; /* pixel (0, 0) */
    ptrdiff_t stride;
    int width, height, margin;
};

struct vsm_disparity_match_window {
    int reach, step; /* rows from -reach to reach, every step-th */
    int row_count, row_length;
    float weight_sum, energy; /* energy: weighted variance times weight_sum */
    float weight[VSM_MATCH_ROW * VSM_MATCH_ROW];
    float product[VSM_MATCH_ROW * VSM_MATCH_ROW]; /* weight * (value - mean) */
};

/* Cuts a window round `at`, with the weights that lie round `weights_at` of their plane. false: too little
 * weight or no texture (a standard deviation under 1/100) to be matched, or beyond the margin. */
bool vsm_disparity_match_cut(const struct vsm_disparity_match_plane *picture, struct vsm_match_place at,
                             const struct vsm_disparity_match_plane *weights,
                             struct vsm_match_place weights_at, int reach, int step,
                             struct vsm_disparity_match_window *window);

/* Sums over a window, of pixels eight apart: of weighted values, of their squares, and of products with the
 * window. Rows are taken one after the other, so that vectors of eight give the same bits as plain C. */
struct vsm_disparity_match_sums {
    float value[VSM_MATCH_LANES], square[VSM_MATCH_LANES], product[VSM_MATCH_LANES];
};

typedef void vsm_disparity_match_sum(const struct vsm_disparity_match_window *window, const float *from,
                                     ptrdiff_t stride, struct vsm_disparity_match_sums *sums);

/* `from`: where the window's first pixel lies in the picture. The second is there on x86-64 only, where
 * vsm_cpu_has_avx2(). */
vsm_disparity_match_sum vsm_disparity_match_sum_plain, vsm_disparity_match_sum_avx2;

/* Correlation with the picture round (x, y), -1..1; -1 where the window leaves the margin. */
float vsm_disparity_match_score(const struct vsm_disparity_match_window *window,
                                const struct vsm_disparity_match_plane *picture, int x, int y);

#endif
