/* The part of the plan that says through which lens each eye saw: field of view, and the circle of fisheye
 * pictures. */
#ifndef VSM_APP_LENS_PLAN_H
#define VSM_APP_LENS_PLAN_H

#include "app/plan.h"
#include "base/status.h"

/* Sets plan->lenses and lens_reason after the layout, and the layout's field of view where the user says it.
 * Circles are those of the options, else those of a mesh, else found in the first picture of the job, which
 * is decoded for that; the reader is put back to the beginning. A circle that is found in one eye only is
 * mirrored into the other, with a warning. */
int vsm_lens_plan_choose(struct vsm_plan *plan) VSM_NODISCARD;

/* Degrees across an eye's whole width at the lens's pixels a degree in the middle, for those who take circles
 * as centred and as wide as the eye; at most 360. */
double vsm_lens_plan_view(const struct vsm_plan *plan);

/* The same part of both eyes' pictures, of even size, and what both show there: the eyes as they are if they
 * are half-equirectangular, else as much round both fisheye circles as they have in common. Circles that do
 * not lie alike are off by half a pixel at most. VSM_E_USAGE for flat eyes, eyes of odd or different sizes,
 * less than two, and circles of different sizes; the message begins with `wanted`. */
int vsm_lens_plan_common(const struct vsm_plan *plan, const char *wanted, struct vsm_rect eyes[2],
                         struct vsm_lens *lens) VSM_NODISCARD;

#endif
