/* Where a direction in space lands in an eye's picture, and back.
 *
 * Space of one eye: X to the right, Y up, Z forward, in any unit of length; the eyes of a stereo picture look
 * in parallel along Z from X = -baseline/2 (left) and X = +baseline/2 (right). Directions need not have unit
 * length. Picture: u to the right and v down, continuous; pixel (i, j) covers [i, i+1) x [j, j+1), its centre
 * is (i + 0.5, j + 0.5). With lon = atan2(X, Z), lat = atan2(Y, hypot(X, Z)) and theta = the angle from Z:
 *   half-equirect  u = (lon / pi + 1/2) W, v = (1/2 - lat / pi) H: half the sphere, whatever W and H are
 *   fisheye        equidistant, r = f theta with f = 2 radius / field of view round the centre (radius W / 2
 *                  and the middle unless the lens says otherwise), square pixels
 *   rectilinear    r = f tan(theta) with f = W / (2 tan(field of view / 2)), square pixels
 * Sources: Google Spherical Video V2 RFC (equi with 180 degree bounds); facts of lenses: r = f theta.
 * Pure functions, any thread, about 50 ns a call.
 */
#ifndef VSM_GEOMETRY_PROJECTION_H
#define VSM_GEOMETRY_PROJECTION_H

#include "base/status.h"
#include "frame/view.h"

#include <stdbool.h>

/* One eye's picture; made by vsm_projection_eye(). */
struct vsm_projection_eye {
    enum vsm_projection kind;
    double width, height;      /* pixels */
    double half_view;          /* radians from Z that the picture reaches at its left and right ends */
    double focal;              /* pixels a radian (fisheye), pixels a unit of tangent (rectilinear); else 0 */
    double centre_u, centre_v; /* pixel that looks along Z; the picture's middle but for fisheyes */
};

/* Describes an eye of width x height pixels (both > 0) whose picture is `field_of_view` degrees wide: fisheye
 * up to 360, rectilinear below 180; ignored for half-equirect. VSM_E_USAGE if out of range. */
int vsm_projection_eye(enum vsm_projection kind, int width, int height, double field_of_view,
                       struct vsm_projection_eye *eye) VSM_NODISCARD;

/* Likewise for an eye that sees through `lens`. VSM_E_USAGE also for a circle that lies outside the
 * picture. */
int vsm_projection_lens(const struct vsm_lens *lens, int width, int height,
                        struct vsm_projection_eye *eye) VSM_NODISCARD;

/* The point of the picture that sees `direction`. false: none does (behind a half-equirect or rectilinear
 * picture, outside a fisheye's circle, or the zero direction); then *u, *v are unchanged. The point may lie
 * outside the picture's rectangle where the projection goes on there (above a rectilinear picture, say). */
bool vsm_projection_to_pixel(const struct vsm_projection_eye *eye, const double direction[3], double *u,
                             double *v);

/* The unit direction seen at (u, v). false: that point sees nothing (outside a fisheye's circle);
 * then `direction` is unchanged. Half-equirect points outside the rectangle wrap round the sphere, as
 * the formula says. */
bool vsm_projection_to_direction(const struct vsm_projection_eye *eye, double u, double v,
                                 double direction[3]);

#endif
