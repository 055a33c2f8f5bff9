/* Renders people as upright billboards before a background for two eyes, with exact alpha and exact
 * disparity.
 *
 * Metres, X right, Y up, Z forward, the origin between the eyes. A billboard turns its face to the origin.
 * Disparity is u in the left eye minus u in the right eye of the same point, in pixels of one eye, v
 * likewise: a nearer point has more of it.
 */
#ifndef TOOLS_BILLBOARDS_H
#define TOOLS_BILLBOARDS_H

#include "base/status.h"
#include "geometry/rotation.h"
#include "tools/canvas.h"
#include "tools/cutout.h"

#define VSM_BILLBOARDS_MAX 3
#define VSM_BILLBOARDS_BAND                                                                                  \
    32 /* rows of one eye at 1024 that are summed up together; scaled with the eye   \
                                */

struct vsm_billboards_rig {
    double baseline;             /* metres */
    struct vsm_rotation pose[2]; /* of each eye's camera */
};

/* A person in one picture. */
struct vsm_billboards_person {
    const struct vsm_cutout *cutout;
    double azimuth, distance; /* radians, metres */
    double bottom;            /* Y of the lowest point */
    bool passer_by;           /* in the colours, but not in the alpha */
};

/* What the left eye sees of a person in a band of rows. */
struct vsm_billboards_band {
    long pixels;         /* where at least half of the pixel is this person */
    double u_sum, v_sum; /* of disparities */
};

struct vsm_billboards_seen {
    double area[2]; /* pixels in each eye, soft */
    /* Round the pixels of each eye that are this person by half: left, top, right and bottom, the last two
     * exclusive; right 0 if there are none. */
    int box[2][4];
    struct vsm_billboards_band bands[1024 / VSM_BILLBOARDS_BAND];
};

/* Whom an eye sees in a pixel: the person of whom at least half of it is, and that point's disparity. */
struct vsm_billboards_point {
    float u, v;
    int person;  /* -1: nobody */
    bool hidden; /* from the other eye, by somebody nearer or by the picture's edge; nobody is hidden */
};

/* Paints `plate`, a side-by-side half-equirect picture at infinity, into the canvas, alpha 0, by
 * the rig's poses. */
void vsm_billboards_background(const struct vsm_canvas *canvas, const struct vsm_billboards_rig *rig,
                               const struct vsm_texture plate[2]);

/* Paints `count` people over what is in the canvas, farthest first, and raises its alpha; seen[n] is what is
 * to be seen of people[n], and points, NULL or eye * eye of them row by row, the left eye's first, what each
 * pixel shows. The eye's size must be a multiple of 1024 / VSM_BILLBOARDS_BAND. */
int vsm_billboards_paint(const struct vsm_canvas *canvas, const struct vsm_billboards_rig *rig,
                         const struct vsm_billboards_person *people, int count,
                         struct vsm_billboards_seen *seen, struct vsm_billboards_point *points) VSM_NODISCARD;

/* Where eye 0 or 1 sees a point: pixels of that eye. false if it does not. */
bool vsm_billboards_project(const struct vsm_canvas *canvas, const struct vsm_billboards_rig *rig, int eye,
                            const double point[3], double *u, double *v);

#endif
