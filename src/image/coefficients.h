/* The refiner's algebra in luma and chroma instead of RGB, done once on the small grid.
 *
 * The network gives, per grid cell, A_c and b_c for c = R, G, B, and A_a, b_a (frame/frame.h). RGB is a
 * linear function of y, u, v (image/colour.h: x_c = y + B_c u + G_c v), so with d_c the row of the
 * RGB-to-YCbCr matrix for an output component (kr, kg, kb for luma), the foreground's residual in that
 * component is sum_c d_c (A_c x_c + b_c) = y sum d_c A_c + u sum d_c A_c B_c + v sum d_c A_c G_c + sum d_c
 * b_c, and alpha = A_a (y + mean_u u + mean_v v) + b_a. Each sum is one plane on the grid. The planes carry
 * the factors between components, so that samples enter as centred code values (Y - black, C - neutral) of
 * the source's depth.
 */
#ifndef VSM_IMAGE_COEFFICIENTS_H
#define VSM_IMAGE_COEFFICIENTS_H

#include "base/parallel.h"
#include "image/colour.h"
#include "pixel/coefficients.h"

#include <stddef.h>

/* A plane = sum over i < count of weight[i] * map[first + i]. */
struct vsm_coefficient_plane {
    int first, count;
    float weight[3];
};

enum { VSM_LUMA_ALPHA_Y, VSM_LUMA_ALPHA_1, VSM_LUMA_Y, VSM_LUMA_1, VSM_LUMA_PLANES };
enum { VSM_TINT_U, VSM_TINT_V, VSM_TINT_PLANES };
enum {
    VSM_CHROMA_U_Y,
    VSM_CHROMA_U_U,
    VSM_CHROMA_U_V,
    VSM_CHROMA_U_1,
    VSM_CHROMA_V_Y,
    VSM_CHROMA_V_U,
    VSM_CHROMA_V_V,
    VSM_CHROMA_V_1,
    VSM_CHROMA_PLANES
};

/* alpha = ALPHA_Y (y + mean_u u + mean_v v) + ALPHA_1;
 * foreground luma = y + Y y + 1 + (TINT_U u + TINT_V v), the last two in struct vsm_coefficients.tint;
 * foreground chroma u = u + U_Y y + U_U u + U_V v + U_1, and v likewise. */
struct vsm_coefficients {
    float mean_u, mean_v;
    struct vsm_coefficient_plane luma[VSM_LUMA_PLANES], tint[VSM_TINT_PLANES], chroma[VSM_CHROMA_PLANES];
};

/* alpha = clamp(A_alpha mean(rgb) + b_alpha) on the grid itself. maps: VSM_COEFFICIENT_MAPS planes of `cells`
 * values; rgb: R, G, B planes in 0..1. */
void vsm_coefficients_fill_alpha(const float *maps, const float *rgb, size_t cells, float *alpha,
                                 struct vsm_parallel *pool);

/* The part that depends on the colour model alone, not on the maps. */
void vsm_coefficients_init(struct vsm_coefficients *coefficients, const struct vsm_colour_model *model);

#endif
