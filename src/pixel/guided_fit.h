/* The guided filter's sums and its line at a cell (image/guided_fit.h). */
#ifndef VSM_PIXEL_GUIDED_FIT_H
#define VSM_PIXEL_GUIDED_FIT_H

#include "pixel/pixel.h"

#define VSM_GUIDED_FIT_EPS 1e-5f

/* The guide of alpha, centred on grey: that changes nothing but the rounding of small differences of
 * squares. */
VSM_PIXEL float vsm_guided_fit_grey(float r, float g, float b)
{
    return (r + g + b) * (1.0f / 3.0f) - 0.5f;
}

/* Of three cells one below the other, zeros outside the picture: guide x, matte y. */
struct vsm_guided_fit_sums {
    float x, y, xy, xx;
};

VSM_PIXEL struct vsm_guided_fit_sums vsm_guided_fit_column(float x0, float x1, float x2, float y0, float y1,
                                                           float y2)
{
    const struct vsm_guided_fit_sums s = {x0 + x1 + x2, y0 + y1 + y2, x0 * y0 + x1 * y1 + x2 * y2,
                                          x0 * x0 + x1 * x1 + x2 * x2};

    return s;
}

/* The line at the cell between three columns; share: 1 / number of their cells inside the picture. */
VSM_PIXEL void vsm_guided_fit_line(struct vsm_guided_fit_sums left, struct vsm_guided_fit_sums middle,
                                   struct vsm_guided_fit_sums right, float share, float *slope, float *offset)
{
    const float x = (left.x + middle.x + right.x) * share;
    const float y = (left.y + middle.y + right.y) * share;
    const float xy = (left.xy + middle.xy + right.xy) * share;
    const float xx = (left.xx + middle.xx + right.xx) * share;
    const float a = (xy - x * y) / (xx - x * x + VSM_GUIDED_FIT_EPS);

    *slope = a;
    *offset = y - a * (x + 0.5f);
}

#endif
