/* The part of the plan that looks for people: the detector's weights, and how often it runs. */
#ifndef VSM_APP_PEOPLE_PLAN_H
#define VSM_APP_PEOPLE_PLAN_H

#include "app/plan.h"
#include "base/parallel.h"
#include "base/status.h"
#include "models/detector.h"
#include "stages/people_stage.h"

/* Fills plan->detector_path. Weights that are not in the folder are no failure: nobody is looked for then. */
int vsm_people_plan_choose(struct vsm_plan *plan, const char *models_folder) VSM_NODISCARD;

/* Fills plan->detector_interval, for the grids and the kind of views that are planned already. */
void vsm_people_plan_choose_interval(struct vsm_plan *plan);

/* Least free device memory for the detector's network: its own, and a margin for what comes after it. */
#define VSM_PEOPLE_PLAN_DEVICE_BYTES ((size_t)256 << 20)

/* A job's detector: with `gpu` on the device, if that can be had, else on the CPU, on as many of the job's
 * `threads` as it leaves to it; vsm_detector_device() tells. why_not: the reason for the CPU in spite of
 * `gpu`, else "". Errors of vsm_detector_create() on the CPU. Fault point "gpu.detector": no device memory
 * for it. */
#define VSM_PEOPLE_PLAN_WHY 256
int vsm_people_plan_create_detector(const char *path, bool gpu, int threads, struct vsm_detector **detector,
                                    char why_not[VSM_PEOPLE_PLAN_WHY]) VSM_NODISCARD;

/* The stage and, where there are weights, its detector; both are the caller's, the stage to be
 * destroyed first. With plan->gpu to be called when the stages of gpu_plan.h have their memory. Warns where
 * the detector is on the CPU nevertheless, and where weights are missing. VSM_E_MODEL for weights that are
 * not the known ones. */
int vsm_people_plan_create_stage(const struct vsm_plan *plan, struct vsm_parallel *pool,
                                 struct vsm_detector **detector,
                                 struct vsm_people_stage **stage) VSM_NODISCARD;

#endif
