/* Alpha of a cell from its coefficient maps (image/coefficients.h). */
#ifndef VSM_PIXEL_COEFFICIENTS_H
#define VSM_PIXEL_COEFFICIENTS_H

#include "pixel/pixel.h"

#define VSM_COEFFICIENT_MAPS    8 /* A_R, A_G, A_B, A_alpha, b_R, b_G, b_B, b_alpha */
#define VSM_COEFFICIENT_ALPHA_A 3
#define VSM_COEFFICIENT_ALPHA_B 7

/* sum: R + G + B. */
VSM_PIXEL float vsm_coefficients_alpha(float a, float b, float sum)
{
    return vsm_pixel_between(a * sum * (1.0f / 3.0f) + b, 0.0f, 1.0f);
}

#endif
