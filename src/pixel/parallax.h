/* The table of stereo/parallax.h and what is read from it. */
#ifndef VSM_PIXEL_PARALLAX_H
#define VSM_PIXEL_PARALLAX_H

#include "pixel/pixel.h"

#include <math.h>
#include <stdbool.h>

#define VSM_PARALLAX_SAMPLES 17 /* of the table, from -largest to +largest */

struct vsm_parallax_shift {
    float u, v; /* across, down */
};

/* Shifts of one cell's centre for VSM_PARALLAX_SAMPLES values of parallax, and for a radian of pitch. */
struct vsm_parallax_cell {
    float du[VSM_PARALLAX_SAMPLES], dv[VSM_PARALLAX_SAMPLES];
    float pitch_u, pitch_v;
    bool usable; /* false: what lies there cannot be matched */
};

/* The shift of a usable cell; values beyond `largest` count as that. */
VSM_PIXEL struct vsm_parallax_shift vsm_pixel_parallax_shift(const struct vsm_parallax_cell *cell,
                                                             double largest, double value, double pitch)
{
    double at = (value / largest + 1.0) * 0.5 * (VSM_PARALLAX_SAMPLES - 1);
    struct vsm_parallax_shift shift;
    int i;
    float f;

    at = at > 0.0 ? (at < VSM_PARALLAX_SAMPLES - 1.0 ? at : VSM_PARALLAX_SAMPLES - 1.0) : 0.0;
    i = (int)at < VSM_PARALLAX_SAMPLES - 2 ? (int)at : VSM_PARALLAX_SAMPLES - 2;
    f = (float)(at - i);
    shift.u = cell->du[i] + f * (cell->du[i + 1] - cell->du[i]) + (float)pitch * cell->pitch_u;
    shift.v = cell->dv[i] + f * (cell->dv[i + 1] - cell->dv[i]) + (float)pitch * cell->pitch_v;
    return shift;
}

/* The parallax, -largest to largest, that shifts a usable cell across by du, which is monotonous in it. */
VSM_PIXEL double vsm_pixel_parallax_of_shift(const struct vsm_parallax_cell *cell, double largest, double du,
                                             double pitch)
{
    double low = -largest, high = largest;
    const bool rising = vsm_pixel_parallax_shift(cell, largest, high, pitch).u >
                        vsm_pixel_parallax_shift(cell, largest, low, pitch).u;

    for (int i = 0; i < 24; i++) {
        const double middle = 0.5 * (low + high);

        if ((vsm_pixel_parallax_shift(cell, largest, middle, pitch).u < (float)du) == rising)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

#endif
