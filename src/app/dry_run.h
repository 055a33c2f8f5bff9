/* --dry-run: prints the plan for people and times one frame. Writes no file. */
#ifndef VSM_APP_DRY_RUN_H
#define VSM_APP_DRY_RUN_H

#include "app/plan.h"
#include "base/status.h"

#include <stdio.h>

/* Prints everything that the plan decided to `out`, then makes one frame without encoding it and prints the
 * speed to expect. Fails as the job itself would fail. */
int vsm_dry_run(const struct vsm_plan *plan, FILE *out) VSM_NODISCARD;

#endif
