/* The part of the plan that looks for people: the detector's weights, and how often it runs. */
#ifndef VSM_APP_PEOPLE_PLAN_H
#define VSM_APP_PEOPLE_PLAN_H

#include "app/plan.h"
#include "base/parallel.h"
#include "base/status.h"
#include "models/detector.h"
#include "stages/people_stage.h"

/* Fills plan->detector_path and plan->detector_interval, for the grids that are planned already. Weights that
 * are not in the folder are no failure: nobody is looked for then. */
int vsm_people_plan_choose(struct vsm_plan *plan, const char *models_folder) VSM_NODISCARD;

/* The stage and, where there are weights, its detector; both are the caller's, the stage to be destroyed
 * first. Warns where weights are missing. VSM_E_MODEL for weights that are not the known ones. */
int vsm_people_plan_create_stage(const struct vsm_plan *plan, struct vsm_parallel *pool,
                                 struct vsm_detector **detector,
                                 struct vsm_people_stage **stage) VSM_NODISCARD;

#endif
