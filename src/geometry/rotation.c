#include "geometry/rotation.h"

#include <math.h>

struct vsm_rotation vsm_rotation_of(double yaw, double pitch, double roll)
{
    double cy = cos(yaw), sy = sin(yaw), cp = cos(pitch), sp = sin(pitch), cr = cos(roll), sr = sin(roll);

    /* yaw * pitch * roll with yaw (X, Z) -> (X cy + Z sy, Z cy - X sy), pitch (Y, Z) -> (Y cp + Z sp, Z cp -
     * Y sp), roll (X, Y) -> (X cr + Y sr, Y cr - X sr). */
    return (struct vsm_rotation){{
        {cy * cr + sy * sp * sr, cy * sr - sy * sp * cr, sy * cp},
        {-cp * sr, cp * cr, sp},
        {-sy * cr + cy * sp * sr, -sy * sr - cy * sp * cr, cy * cp},
    }};
}

void vsm_rotation_out(const struct vsm_rotation *rotation, const double in[3], double out[3])
{
    double x = in[0], y = in[1], z = in[2];

    for (int i = 0; i < 3; i++)
        out[i] = rotation->m[i][0] * x + rotation->m[i][1] * y + rotation->m[i][2] * z;
}

void vsm_rotation_in(const struct vsm_rotation *rotation, const double in[3], double out[3])
{
    double x = in[0], y = in[1], z = in[2];

    for (int i = 0; i < 3; i++)
        out[i] = rotation->m[0][i] * x + rotation->m[1][i] * y + rotation->m[2][i] * z;
}
