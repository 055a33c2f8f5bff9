/* The part of the plan that says which files a job makes and how. */
#ifndef VSM_APP_PLAN_OUTPUTS_H
#define VSM_APP_PLAN_OUTPUTS_H

#include "app/plan.h"
#include "stages/composite_stage.h"

/* Fills in outputs and output_count from plan->list, in its order, for the input that the
 * rest of the plan describes. VSM_E_USAGE for what cannot be made of this input or written under this
 * name, VSM_E_OUTPUT without an encoder. What was filled in before a failure is released with the plan. */
int vsm_plan_outputs(struct vsm_plan *plan) VSM_NODISCARD;

/* The pictures to be made of every frame, one for each output; they borrow from the plan. */
void vsm_plan_outputs_targets(const struct vsm_plan *plan,
                              struct vsm_composite_target targets[VSM_MAX_OUTPUTS]);

#endif
