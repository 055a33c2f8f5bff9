/* Where views have to look so that everybody is seen: from people's boxes to directions.
 *
 * One view round all chosen people of both eyes, VSM_VIEW_PLACE_ROOM times as wide as they are: the network
 * needs surroundings, but people must not be small on its grid. Never narrower than VSM_VIEW_PLACE_NARROWEST
 * nor, for that, wider than VSM_VIEW_PLACE_USUAL; two views when people are farther apart than
 * VSM_VIEW_PLACE_WIDEST, or one is wider. A given width is kept while people fit into one view or, all of
 * each of them, into one of two; else views are wider, for nobody is to be cut. People of a score below
 * VSM_VIEW_PLACE_SURE count only if nobody has a higher one. Measured: doc/quality.md. Both eyes get the same
 * directions. Pure functions, any thread, microseconds.
 */
#ifndef VSM_GEOMETRY_VIEW_PLACE_H
#define VSM_GEOMETRY_VIEW_PLACE_H

#include "frame/people.h"
#include "geometry/projection.h"

#include <stdint.h>

#define VSM_VIEW_PLACE_NARROWEST 50.0 /* degrees across */
#define VSM_VIEW_PLACE_USUAL     100.0
#define VSM_VIEW_PLACE_WIDEST    110.0
#define VSM_VIEW_PLACE_ROOM      2.0
#define VSM_VIEW_PLACE_SURE      0.2f /* of 0..1; pictures without people give boxes up to 0.18 */
#define VSM_VIEW_PLACE_MAX       2    /* views of an eye */

struct vsm_view_aim {
    double yaw, pitch;    /* radians, geometry/rotation.h */
    double field_of_view; /* degrees */
};

/* count 0: nobody to look at; then the direct view is right. */
struct vsm_view_placement {
    int count;
    struct vsm_view_aim aims[VSM_VIEW_PLACE_MAX];
};

/* eyes: the eyes' own pictures, eye_count 1 or 2 of them, in units of which boxes are fractions.
 * field_of_view: what views get where people fit in, degrees, from 180 of fisheyes; 0 lets this choose. Aims
 * keep views inside the eyes' pictures as far as their width allows; two are ordered from left to right. */
struct vsm_view_placement vsm_view_place(const struct vsm_people *people,
                                         const struct vsm_projection_eye *eyes, int eye_count,
                                         double field_of_view);

/* Cells along the sides of the square grids of `count` views that have at most `cells` cells together: so
 * that whatever is placed costs the network no more than the direct view of so many. A multiple of `step`,
 * and at least that. */
int vsm_view_place_side(int64_t cells, int count, int step);

/* The number of chosen people of whom, in either eye, more than a tenth of the box lies in no view. 0 without
 * views. */
int vsm_view_place_missed(const struct vsm_people *people, const struct vsm_projection_eye *eyes,
                          int eye_count, const struct vsm_view_placement *placement);

#endif
