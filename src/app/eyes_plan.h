/* How the eyes stand to each other, found out from the first frames before anything is decided: exchanged
 * eyes, vertical offset, exposure and colour, unrelated pictures.
 *
 * Whole pictures are compared, not only people, since nobody knows yet where they are. The same input gives
 * the same answer, so that a resumed job has the same eyes.
 */
#ifndef VSM_APP_EYES_PLAN_H
#define VSM_APP_EYES_PLAN_H

#include "app/plan.h"
#include "base/status.h"

/* Fills plan->eyes, and exchanges the layout's eyes if they are the wrong way round and input.swap_eyes is
 * auto. Nothing to do for one eye or without stereo.disparity_correction. A video that cannot be decoded is
 * no failure here. Cost: the decoding of four frames, and 0.1 s. */
int vsm_eyes_plan_look(struct vsm_plan *plan) VSM_NODISCARD;

/* Metres between the lenses, as far as stereo.baseline and stereo.focal_length say. */
double vsm_eyes_plan_baseline(const struct vsm_plan *plan);

#endif
