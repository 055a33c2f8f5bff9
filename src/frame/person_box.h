/* Where somebody is in a picture: an upright rectangle. */
#ifndef VSM_FRAME_PERSON_BOX_H
#define VSM_FRAME_PERSON_BOX_H

#include <stdbool.h>

/* Parts of the eye's own picture, 0..1, x to the right and y down. */
struct vsm_person_box {
    float left, top, right, bottom;
};

/* Whether a point, in the same parts, is in the box or on its edge. */
bool vsm_person_box_holds(const struct vsm_person_box *box, double x, double y);

/* Area of the intersection by area of the union, 0..1; 0 of two empty boxes. Any unit will do. */
float vsm_person_box_overlap(const struct vsm_person_box *a, const struct vsm_person_box *b);

#endif
