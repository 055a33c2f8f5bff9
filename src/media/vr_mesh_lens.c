#include "media/vr_mesh_lens.h"

#include <math.h>

/* Centres of two meshes farther apart than this, in parts of the picture, are in eyes of their own. Meshes of
 * one eye's picture each have both centres near the middle. */
#define APART 0.3

/* Beyond this a fisheye's circle is nearly the one point behind the camera. */
#define WIDEST 340.0

static double degrees(double radians)
{
    return radians * 180.0 / M_PI;
}

static bool lie_apart(const struct vsm_vr_meshes *meshes)
{
    const struct vsm_mesh_fit *l = &meshes->eyes[VSM_LEFT], *r = &meshes->eyes[VSM_RIGHT];

    return meshes->count == 2 &&
           fmax(fabs(l->centre_u - r->centre_u), fabs(l->centre_v - r->centre_v)) > APART;
}

bool vsm_vr_mesh_lens_layout(const struct vsm_vr_meshes *meshes, enum vsm_layout *layout, bool *right_left)
{
    const struct vsm_mesh_fit *l = &meshes->eyes[VSM_LEFT], *r = &meshes->eyes[VSM_RIGHT];
    const double across = r->centre_u - l->centre_u, down = r->centre_v - l->centre_v;

    if (!lie_apart(meshes))
        return false;
    *layout = fabs(across) > fabs(down) ? VSM_LAYOUT_SBS : VSM_LAYOUT_TB;
    *right_left = (*layout == VSM_LAYOUT_SBS ? across : down) < 0.0;
    return true;
}

/* A fit in pixels of one eye's picture. */
struct placed {
    double centre_x, centre_y, scale_x, scale_y; /* scales: pixels a radian */
};

static struct placed place(const struct vsm_mesh_fit *fit, bool whole, int width, int height,
                           const struct vsm_rect *eye)
{
    const double w = whole ? width : eye->width, h = whole ? height : eye->height;

    return (struct placed){.centre_x = fit->centre_u * w - (whole ? eye->x : 0),
                           .centre_y = fit->centre_v * h - (whole ? eye->y : 0),
                           .scale_x = fit->scale_u * w,
                           .scale_y = fit->scale_v * h};
}

/* Radians by which the picture's sides are not at 90 degrees. */
static double half_equirect_error(const struct placed *p, const struct vsm_rect *eye)
{
    const double left = p->centre_x / p->scale_x, right = (eye->width - p->centre_x) / p->scale_x;
    const double up = p->centre_y / p->scale_y, down = (eye->height - p->centre_y) / p->scale_y;

    return fmax(fmax(fabs(left - M_PI_2), fabs(right - M_PI_2)),
                fmax(fabs(up - M_PI_2), fabs(down - M_PI_2)));
}

static int half_equirect(const struct placed *p, const struct vsm_rect *eye, struct vsm_lens *lens)
{
    if (degrees(half_equirect_error(p, eye)) > VSM_VR_MESH_LENS_TOLERANCE)
        return vsm_fail(VSM_E_INPUT,
                        "is equirectangular, but its picture is %.2f x %.2f degrees with straight ahead at "
                        "%.1f, %.1f of %dx%d pixels, and only 180 x 180 with that in the middle is supported",
                        degrees(eye->width / p->scale_x), degrees(eye->height / p->scale_y), p->centre_x,
                        p->centre_y, eye->width, eye->height);
    *lens = (struct vsm_lens){.projection = VSM_HALF_EQUIRECT, .field_of_view = 180.0};
    return VSM_OK;
}

static int fisheye(const struct placed *p, const struct vsm_rect *eye, double half_view,
                   struct vsm_lens *lens)
{
    const double scale = 0.5 * (p->scale_x + p->scale_y), view = 2.0 * degrees(half_view);

    if (degrees(fabs(p->scale_x / p->scale_y - 1.0) * half_view) > VSM_VR_MESH_LENS_TOLERANCE)
        return vsm_fail(VSM_E_INPUT,
                        "is a fisheye, but its pixels are not square: %.2f to a degree across, %.2f down",
                        p->scale_x * M_PI / 180.0, p->scale_y * M_PI / 180.0);
    if (!(view <= WIDEST && p->centre_x > 0.0 && p->centre_x < eye->width && p->centre_y > 0.0 &&
          p->centre_y < eye->height))
        return vsm_fail(
            VSM_E_INPUT,
            "is a fisheye of %.1f degrees round %.1f, %.1f, which is not in its eye's %dx%d pixels", view,
            p->centre_x, p->centre_y, eye->width, eye->height);
    *lens = (struct vsm_lens){.projection = VSM_FISHEYE,
                              .field_of_view = view,
                              .centre_x = p->centre_x,
                              .centre_y = p->centre_y,
                              .radius = scale * half_view};
    return VSM_OK;
}

int vsm_vr_mesh_lens_of(const struct vsm_vr_meshes *meshes, int width, int height,
                        const struct vsm_rect eyes[2], int count, struct vsm_lens lenses[2])
{
    const double half_view = fmin(meshes->eyes[VSM_LEFT].half_view, meshes->eyes[VSM_RIGHT].half_view);
    int status = VSM_OK;

    if (meshes->count == 0)
        return vsm_fail(VSM_E_INPUT, "%s", meshes->fault);
    if (count == 2 && meshes->eyes[VSM_LEFT].projection != meshes->eyes[VSM_RIGHT].projection)
        return vsm_fail(VSM_E_INPUT, "has another projection for each eye");
    for (int e = 0; e < count && status == VSM_OK; e++) {
        const struct vsm_mesh_fit *fit = &meshes->eyes[e];
        const struct placed p = place(fit, lie_apart(meshes), width, height, &eyes[e]);
        const bool round = fit->projection == VSM_FISHEYE;

        if (degrees(fit->error) > VSM_VR_MESH_LENS_TOLERANCE)
            status = vsm_fail(VSM_E_INPUT,
                              "is nearest to %s of %.1f degrees, but up to %.2f degrees off it (%.2f are "
                              "allowed)",
                              round ? "an equidistant fisheye" : "an equirectangular picture",
                              2.0 * degrees(fit->half_view), degrees(fit->error), VSM_VR_MESH_LENS_TOLERANCE);
        else if (round)
            status = fisheye(&p, &eyes[e], half_view, &lenses[e]);
        else
            status = half_equirect(&p, &eyes[e], &lenses[e]);
    }
    return status;
}
