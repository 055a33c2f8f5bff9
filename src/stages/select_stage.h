/* Transform stage: keeps the chosen people in the mattes of both eyes and lets the others go.
 *
 * Per frame and view: the view's alpha from its coefficient maps, a soft gate round the chosen people
 * (people/gate.h), and the maps' two rows of alpha multiplied by it. Only in the pipeline when matting.people
 * is not "all". Frames in which people are not known pass unchanged. No state.
 */
#ifndef VSM_STAGES_SELECT_STAGE_H
#define VSM_STAGES_SELECT_STAGE_H

#include "base/parallel.h"
#include "base/status.h"
#include "pipeline/stage.h"

struct vsm_select_stage;

/* Takes grids of any size, also changing ones; the pool is borrowed. Memory: 20 bytes a cell of one view. */
int vsm_select_stage_create(struct vsm_parallel *pool, struct vsm_select_stage **stage) VSM_NODISCARD;
void vsm_select_stage_destroy(struct vsm_select_stage *stage);
struct vsm_stage vsm_select_stage_describe(struct vsm_select_stage *stage);

#endif
