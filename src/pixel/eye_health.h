/* Where a picture is looked at to tell its health (stereo/eye_health.h): its small picture, points, and the
 * differences along lines. */
#ifndef VSM_PIXEL_EYE_HEALTH_H
#define VSM_PIXEL_EYE_HEALTH_H

#include "pixel/cell.h"

#define VSM_EYE_HEALTH_SIDE   32 /* of the small pictures */
#define VSM_EYE_HEALTH_POINTS 64 /* single pixels across and down, in which noise is to be seen */

/* First row of those that make a row of the small picture. */
VSM_PIXEL int vsm_eye_health_first(int row, int height)
{
    return row * height / VSM_EYE_HEALTH_SIDE;
}

/* What becomes a pixel of the small picture: means, so that noise does not count as movement alone. */
VSM_PIXEL struct vsm_cell vsm_eye_health_rectangle(int index, int width, int height)
{
    const int x = index % VSM_EYE_HEALTH_SIDE, y = index / VSM_EYE_HEALTH_SIDE;
    const struct vsm_cell cell = {x * width / VSM_EYE_HEALTH_SIDE, vsm_eye_health_first(y, height),
                                  (x + 1) * width / VSM_EYE_HEALTH_SIDE, vsm_eye_health_first(y + 1, height)};

    return cell;
}

VSM_PIXEL size_t vsm_eye_health_point(int index, int width, int height)
{
    const int x = index % VSM_EYE_HEALTH_POINTS, y = index / VSM_EYE_HEALTH_POINTS;

    return (size_t)((2 * y + 1) * height / (2 * VSM_EYE_HEALTH_POINTS)) * (size_t)width +
           (size_t)((2 * x + 1) * width / (2 * VSM_EYE_HEALTH_POINTS));
}

/* `line` and the differences of neighbours in `count` pixels of a row. */
VSM_PIXEL float vsm_eye_health_line(float line, const float *row, int count)
{
    VSM_PIXEL_UNROLL
    for (int x = 1; x < count; x++)
        line += fabsf(row[x] - row[x - 1]);
    return line;
}

#endif
