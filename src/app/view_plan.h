/* The part of the plan that decides through which views the matter looks. */
#ifndef VSM_APP_VIEW_PLAN_H
#define VSM_APP_VIEW_PLAN_H

#include "app/plan.h"
#include "base/status.h"
#include "stages/view_director.h"

/* Sets plan->turned, turned_sides and turned_why from matting.view, after plan->views and
 * plan->detector_path. VSM_E_USAGE if the settings contradict each other. */
int vsm_view_plan_choose(struct vsm_plan *plan) VSM_NODISCARD;

/* With plan->turned: who directs them, the caller's. Otherwise nothing. */
int vsm_view_plan_create_director(const struct vsm_plan *plan,
                                  struct vsm_view_director **director) VSM_NODISCARD;

#endif
