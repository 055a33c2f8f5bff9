/* How a cell's coefficient maps give way to those of another alpha (stereo/stereo_maps.h). */
#ifndef VSM_PIXEL_STEREO_MAPS_H
#define VSM_PIXEL_STEREO_MAPS_H

#include "pixel/coefficients.h"

/* Alpha that is gained by mending, from which on the matter's foreground colour is not believed at all. */
#define VSM_STEREO_MAPS_NEW_PERSON 0.25f

/* What b lacks where a fit does not go through what it was fitted to; beyond 0 and 1 alpha is
 * clamped anyway. */
VSM_PIXEL float vsm_stereo_maps_rest(float fitted, float wanted)
{
    return (wanted <= 0.0f && fitted < wanted) || (wanted >= 1.0f && fitted > wanted) ? 0.0f
                                                                                      : wanted - fitted;
}

/* Returns the cell's alpha. maps: its A of R, with `step` floats from one map to the next; sum: its R + G +
 * B; slope and offset: of the line fitted to `target`; weight: above 0. */
VSM_PIXEL float vsm_stereo_maps_replace_cell(float *maps, size_t step, float sum, float target, float weight,
                                             float slope, float offset)
{
    const float grey = sum * (1.0f / 3.0f);
    float a = maps[VSM_COEFFICIENT_ALPHA_A * step], b = maps[VSM_COEFFICIENT_ALPHA_B * step];
    const float own = vsm_coefficients_alpha(a, b, sum);
    const float keep =
        1.0f - vsm_pixel_between(weight * (target - own) * (1.0f / VSM_STEREO_MAPS_NEW_PERSON), 0.0f, 1.0f);

    a += weight * (slope - a);
    b += weight * (offset - b);
    b += vsm_stereo_maps_rest(a * grey + b, own + weight * (target - own));
    for (size_t c = 0; c < 3; c++) {
        maps[c * step] *= keep;
        maps[(VSM_COEFFICIENT_ALPHA_A + 1 + c) * step] *= keep;
    }
    maps[VSM_COEFFICIENT_ALPHA_A * step] = a;
    maps[VSM_COEFFICIENT_ALPHA_B * step] = b;
    return vsm_coefficients_alpha(a, b, sum);
}

#endif
