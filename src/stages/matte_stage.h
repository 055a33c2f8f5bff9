/* Transform stage: from the source picture to coefficient maps of every view, through the recurrent matter.
 *
 * Per frame: reset the recurrent states where the frame begins a new scene, let the director choose the views
 * and turn the states into new ones, average each view onto its grid, run the network. While views replace
 * others, both are run, the old ones go on from their own states, and the mattes are mixed
 * (image/view_fade.h) after the review, which sees the new ones. Barrier record "matte": the counter, the
 * director's state and all recurrent states bit by bit.
 *
 * With adaptive scaling (stages/scaling.h) it times itself and changes the grid between frames: a new matter
 * is built and the states are resampled; so are those of turned views, whose grids have as many cells. When
 * memory runs out in a frame, that frame is repeated on a smaller grid. Barrier record "matte.scaling",
 * before the states, which are those of its grid.
 */
#ifndef VSM_STAGES_MATTE_STAGE_H
#define VSM_STAGES_MATTE_STAGE_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/view.h"
#include "models/rvm.h"
#include "pipeline/stage.h"
#include "stages/matte_record.h"
#include "stages/scaling.h"
#include "stages/view_director.h"

#include <stdint.h>

struct vsm_matte_stage;

/* Looks at what the matter found in all views, and may change the maps and the recurrent states
 * before the frame goes on: what is found wrong now must not be where the matter goes on from, so it
 * cannot wait for a later stage. */
struct vsm_matte_review {
    void *self;
    /* rgb[view]: R, G, B planes of its grid. All borrowed for the call; the mattes' tensors
     * have no other owner yet. */
    int (*run)(void *self, struct vsm_frame *frame, const float *const rgb[], struct vsm_rvm_state *states);
    int (*barrier)(void *self, struct vsm_state *state); /* appends its own record */
};

/* The views' grids must be the matter's; view_count a multiple of its batch. Matter and pool are borrowed. */
int vsm_matte_stage_create(struct vsm_rvm *rvm, int batch, const struct vsm_view *views, int view_count,
                           struct vsm_parallel *pool, struct vsm_matte_stage **stage) VSM_NODISCARD;
/* Takes *rvm over, whose `options` are those; from here on the stage has matters for the grids of its
 * views as they come, and only for those: two while views of another grid fade out. A new one takes 0.4
 * s. Needed for what follows. */
void vsm_matte_stage_own(struct vsm_matte_stage *stage, struct vsm_rvm **rvm,
                         const struct vsm_rvm_options *options);
/* Switches adaptive scaling on, before the first frame and before restore. The views' grid
 * must be the ladder's first. */
void vsm_matte_stage_adapt(struct vsm_matte_stage *stage, const struct vsm_scaling_options *scaling);
/* Before the pipeline runs; copied. */
void vsm_matte_stage_set_review(struct vsm_matte_stage *stage, const struct vsm_matte_review *review);
/* Views that are chosen frame by frame. All are run one view at a time, and no choice has more cells than the
 * stage's own views. Before the pipeline runs; borrowed. */
void vsm_matte_stage_set_director(struct vsm_matte_stage *stage, struct vsm_view_director *director);
void vsm_matte_stage_destroy(struct vsm_matte_stage *stage);
int vsm_matte_stage_restore(struct vsm_matte_stage *stage, const struct vsm_state *state) VSM_NODISCARD;
/* Only when the pipeline does not run. */
struct vsm_matte_counters vsm_matte_stage_counters(const struct vsm_matte_stage *stage);
/* NULL without adaptive scaling; only when the pipeline does not run. */
const struct vsm_scaling *vsm_matte_stage_scaling(const struct vsm_matte_stage *stage);
struct vsm_stage vsm_matte_stage_describe(struct vsm_matte_stage *stage);

#endif
