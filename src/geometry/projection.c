#include "geometry/projection.h"

#include <math.h>

int vsm_projection_eye(enum vsm_projection kind, int width, int height, double field_of_view,
                       struct vsm_projection_eye *eye)
{
    double limit = kind == VSM_RECTILINEAR ? 179.0 : 360.0;

    if (width <= 0 || height <= 0)
        return vsm_fail(VSM_E_USAGE, "projection: an eye of %dx%d pixels has no picture", width, height);
    if (kind == VSM_HALF_EQUIRECT)
        field_of_view = 180.0;
    if (!(field_of_view > 0.0 && field_of_view <= limit))
        return vsm_fail(VSM_E_USAGE, "projection: field of view %g degrees; set it between 0 and %g",
                        field_of_view, limit);
    *eye = (struct vsm_projection_eye){.kind = kind,
                                       .width = width,
                                       .height = height,
                                       .half_view = field_of_view / 360.0 * M_PI,
                                       .centre_u = 0.5 * width,
                                       .centre_v = 0.5 * height};
    if (kind == VSM_FISHEYE)
        eye->focal = 0.5 * width / eye->half_view;
    else if (kind == VSM_RECTILINEAR)
        eye->focal = 0.5 * width / tan(eye->half_view);
    return VSM_OK;
}

int vsm_projection_lens(const struct vsm_lens *lens, int width, int height, struct vsm_projection_eye *eye)
{
    double x = lens->centre_x, y = lens->centre_y, r = lens->radius;
    int status = vsm_projection_eye(lens->projection, width, height, lens->field_of_view, eye);

    if (status != VSM_OK || lens->projection != VSM_FISHEYE || r == 0.0)
        return status;
    if (!(r > 0.0 && x > -r && x < width + r && y > -r && y < height + r))
        return vsm_fail(VSM_E_USAGE,
                        "projection: a fisheye circle of radius %g round %g, %g is not in a picture of %dx%d "
                        "pixels; set its centre and radius in pixels of one eye",
                        r, x, y, width, height);
    eye->centre_u = x;
    eye->centre_v = y;
    eye->focal = r / eye->half_view;
    return VSM_OK;
}

static bool half_equirect_pixel(const struct vsm_projection_eye *eye, const double d[3], double *u, double *v)
{
    if (d[2] < 0.0 || (d[0] == 0.0 && d[1] == 0.0 && d[2] == 0.0))
        return false;
    *u = (atan2(d[0], d[2]) / M_PI + 0.5) * eye->width;
    *v = (0.5 - atan2(d[1], hypot(d[0], d[2])) / M_PI) * eye->height;
    return true;
}

static bool fisheye_pixel(const struct vsm_projection_eye *eye, const double d[3], double *u, double *v)
{
    double across = hypot(d[0], d[1]);
    double theta = atan2(across, d[2]);
    double scale;

    if ((across == 0.0 && d[2] == 0.0) || theta > eye->half_view)
        return false;
    if (across == 0.0 && d[2] < 0.0)
        return false; /* straight behind is the circle's whole rim */
    scale = across > 0.0 ? eye->focal * theta / across : 0.0;
    *u = eye->centre_u + scale * d[0];
    *v = eye->centre_v - scale * d[1];
    return true;
}

bool vsm_projection_to_pixel(const struct vsm_projection_eye *eye, const double direction[3], double *u,
                             double *v)
{
    switch (eye->kind) {
    case VSM_HALF_EQUIRECT:
        return half_equirect_pixel(eye, direction, u, v);
    case VSM_FISHEYE:
        return fisheye_pixel(eye, direction, u, v);
    case VSM_RECTILINEAR:
        if (!(direction[2] > 0.0))
            return false;
        *u = 0.5 * eye->width + eye->focal * direction[0] / direction[2];
        *v = 0.5 * eye->height - eye->focal * direction[1] / direction[2];
        return true;
    }
    return false;
}

static void half_equirect_direction(const struct vsm_projection_eye *eye, double u, double v, double d[3])
{
    double lon = (u / eye->width - 0.5) * M_PI, lat = (0.5 - v / eye->height) * M_PI;

    d[0] = sin(lon) * cos(lat);
    d[1] = sin(lat);
    d[2] = cos(lon) * cos(lat);
}

static bool fisheye_direction(const struct vsm_projection_eye *eye, double u, double v, double d[3])
{
    double x = u - eye->centre_u, y = eye->centre_v - v;
    double radius = hypot(x, y), theta = radius / eye->focal;
    double scale = radius > 0.0 ? sin(theta) / radius : 0.0;

    if (theta > eye->half_view)
        return false;
    d[0] = x * scale;
    d[1] = y * scale;
    d[2] = cos(theta);
    return true;
}

bool vsm_projection_to_direction(const struct vsm_projection_eye *eye, double u, double v,
                                 double direction[3])
{
    double x, y, length;

    switch (eye->kind) {
    case VSM_HALF_EQUIRECT:
        half_equirect_direction(eye, u, v, direction);
        return true;
    case VSM_FISHEYE:
        return fisheye_direction(eye, u, v, direction);
    case VSM_RECTILINEAR:
        x = (u - 0.5 * eye->width) / eye->focal;
        y = (0.5 * eye->height - v) / eye->focal;
        length = sqrt(x * x + y * y + 1.0);
        direction[0] = x / length;
        direction[1] = y / length;
        direction[2] = 1.0 / length;
        return true;
    }
    return false;
}
