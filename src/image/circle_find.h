/* Finds the circle of a fisheye picture by the black round it.
 *
 * Dual fisheye cameras show each eye as a circle that is neither centred nor equally high in both eyes (Canon
 * RF 5.2 mm: it differs by the unit). From all sides the picture is entered along rows and columns until it
 * is no longer black; a circle through most of these points is sought (random triples, then least squares).
 * Dark things at the rim only make points inside the circle, of which the circle ignores up to two thirds.
 */
#ifndef VSM_IMAGE_CIRCLE_FIND_H
#define VSM_IMAGE_CIRCLE_FIND_H

#include "frame/image.h"
#include "frame/view.h"

#include <stdbool.h>

struct vsm_circle {
    double x, y, radius; /* luma samples from the eye's upper left corner */
};

/* Looks in one eye's rectangle of a host picture with a luma plane. False, *circle unchanged: no clear circle
 * with a radius of 0.3 to 0.75 of the rectangle's longer side is there. The same answer each time. Cost: 3 ms
 * at 4096x4096. */
bool vsm_circle_find(const struct vsm_image *image, const struct vsm_rect *eye, struct vsm_circle *circle);

#endif
