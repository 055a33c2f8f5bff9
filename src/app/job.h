/* Carries a plan out: builds the pipeline, runs it, and reports.
 *
 * Job life: matter and writers are created, stages start, the monitor watches; at the end the outputs get
 * their final names and PATH.report.json is written. On failure or cancellation nothing has a final name, and
 * if there is a checkpoint, what is needed to go on from it stays.
 */
#ifndef VSM_APP_JOB_H
#define VSM_APP_JOB_H

#include "app/plan.h"
#include "base/status.h"
#include "config/cli.h"

/* Blocks until the job has ended. VSM_OK: all outputs are complete. VSM_E_CANCELLED: stopped on request. */
int vsm_job_run(const struct vsm_plan *plan, enum vsm_cli_resume wish) VSM_NODISCARD;

#endif
