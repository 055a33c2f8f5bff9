/* Which plain projection a mesh of directions and picture points follows.
 *
 * Both kinds are straight lines in the right angles: half-equirect pictures in longitude and latitude,
 * equidistant fisheyes in theta cos(phi) and theta sin(phi) (geometry/projection.h names the angles). So each
 * is fitted by least squares, and how far the worst point lies off tells whether the mesh is that. Lenses of
 * other curves, lenses that are turned against the picture, and meshes that bend a picture otherwise leave a
 * large error. Pure function, any thread.
 */
#ifndef VSM_GEOMETRY_MESH_FIT_H
#define VSM_GEOMETRY_MESH_FIT_H

#include "frame/view.h"

#include <stdbool.h>
#include <stddef.h>

struct vsm_mesh_point {
    float direction[3]; /* X right, Y up, Z forward; any length but 0 */
    float u, v;         /* parts of the picture's width and height, from its upper left corner */
};

struct vsm_mesh_fit {
    enum vsm_projection projection; /* half-equirect or fisheye: what fits better */
    double centre_u, centre_v;      /* what looks along Z, in parts of width and height */
    double scale_u, scale_v;        /* parts of width and height for a radian to the right, and down */
    double half_view;               /* radians from Z to the farthest point */
    double error;                   /* radians between the worst point's direction and what this says of it */
};

/* False: fewer than 9 points, all in a line, or a picture that is mirrored or upside down. Two passes over
 * the points. */
bool vsm_mesh_fit(const struct vsm_mesh_point *points, size_t count, struct vsm_mesh_fit *fit);

#endif
