/* Which views would be right for a frame: those that vsm_view_place() finds for its people and for whom
 * the present views cut, in widths that go in steps and stay while they are nearly right, so that
 * breathing people do not zoom. Whether and when the present views give way to them is for
 * stages/view_director.h. Pure functions.
 */
#ifndef VSM_STAGES_VIEW_WISH_H
#define VSM_STAGES_VIEW_WISH_H

#include "frame/people.h"
#include "geometry/view_place.h"
#include "stages/view_border.h"

#include <stdbool.h>

struct vsm_view_wish_rules {
    struct vsm_projection_eye eyes[2];
    int eye_count;
    double field_of_view; /* degrees, where people fit in; 0 = as they need it */
    bool always;          /* turned views even where nobody is seen: straight ahead */
};

/* `now`: the present views, whose widths it may stay with. *cut: they cut somebody of whom `border` knows,
 * and the wished ones do not. */
struct vsm_view_placement vsm_view_wish_make(const struct vsm_view_wish_rules *rules,
                                             const struct vsm_people *people,
                                             const struct vsm_view_border *border,
                                             const struct vsm_view_placement *now, bool *cut);

/* How many of those who are known are outside these views. */
int vsm_view_wish_misses(const struct vsm_view_wish_rules *rules, const struct vsm_people *people,
                         const struct vsm_view_placement *views);

#endif
