/* Turning directions: the pose of a camera or of a view inside an eye.
 *
 * Axes as in projection.h: X right, Y up, Z forward. A pose turns from its own frame into the
 * frame around it.
 */
#ifndef VSM_GEOMETRY_ROTATION_H
#define VSM_GEOMETRY_ROTATION_H

struct vsm_rotation {
    double m[3][3]; /* orthonormal; columns: where the own X, Y, Z point */
};

/* A pose that looks `yaw` radians to the right, then `pitch` up, then leans `roll` clockwise as seen
 * by the viewer. */
struct vsm_rotation vsm_rotation_of(double yaw, double pitch, double roll);

/* out = the direction `in` of the own frame, seen in the frame around; and back. `in` may be `out`. */
void vsm_rotation_out(const struct vsm_rotation *rotation, const double in[3], double out[3]);
void vsm_rotation_in(const struct vsm_rotation *rotation, const double in[3], double out[3]);

#endif
