/* The sets of views that stages/gpu_stage.h looks through, with their networks (stages/gpu_views.h); the
 * counterpart of stages/matte_views.h on a CUDA device.
 *
 * They are direct ones, or with a director those that it chooses frame by frame; states go over to new views
 * on the host, and the views that are replaced stay as `old` while they fade out. All can be put to rest:
 * then there are no networks, states wait on the host, and grids may change. Used by one thread at a time.
 */
#ifndef VSM_STAGES_GPU_SETS_H
#define VSM_STAGES_GPU_SETS_H

#include "stages/gpu_views.h"
#include "stages/matte_record.h"
#include "stages/scaling.h"
#include "stages/state_repairs.h"
#include "stages/view_director.h"

/* The stage fills networks' options, source and stream, direct views and their count, and the director. */
struct vsm_gpu_sets {
    struct vsm_gpu_views networks;
    struct vsm_view direct[VSM_MAX_VIEWS];
    int direct_count;
    struct vsm_gpu_set now, old;        /* old ones are run while a director fades them out; count 0: none */
    struct vsm_view_director *director; /* borrowed; NULL: all views are direct, always the same ones */
    const struct vsm_view_choice *choice; /* of this frame; NULL without a director */
    bool resting;
    struct vsm_rvm_state now_states[VSM_MAX_VIEWS], old_states[VSM_MAX_VIEWS]; /* while resting; owned */
};

/* For the direct views, resting. */
void vsm_gpu_sets_begin(struct vsm_gpu_sets *sets);
/* Destroys networks and states. */
void vsm_gpu_sets_finish(struct vsm_gpu_sets *sets);

/* Waits for the networks' work, takes the states and destroys all networks. Nothing if it was done. */
int vsm_gpu_sets_rest(struct vsm_gpu_sets *sets) VSM_NODISCARD;
/* While resting: brings all views to this grid, turned ones to as many cells an eye; or leaves them on
 * theirs. */
int vsm_gpu_sets_resize(struct vsm_gpu_sets *sets, struct vsm_scaling_grid grid) VSM_NODISCARD;
/* Makes networks for the views as they are and gives them their states, resampled if the grid changed. On
 * failure all rests on; after VSM_E_NOMEM a smaller grid may be tried. Cost: 0.3 s a network. */
int vsm_gpu_sets_wake(struct vsm_gpu_sets *sets) VSM_NODISCARD;
/* Destroys networks that are kept for views to come; false: there were none. */
bool vsm_gpu_sets_trim(struct vsm_gpu_sets *sets);

/* The director's views for this frame. VSM_E_NOMEM while `resting` afterwards: there was no memory beside
 * what was kept; the views are chosen, and wake may be tried. */
int vsm_gpu_sets_choose(struct vsm_gpu_sets *sets, const struct vsm_frame *frame) VSM_NODISCARD;

/* The next frame begins a scene. */
int vsm_gpu_sets_forget(struct vsm_gpu_sets *sets) VSM_NODISCARD;

/* Repairs the states of the present views, if anything is wanted; on the host, as that is seldom.
 * Cost: the states' way there and back, 50 MB at a grid of 1024, and a pass over those of the repaired
 * views. */
int vsm_gpu_sets_repair(struct vsm_gpu_sets *sets, const struct vsm_state_repairs *repairs) VSM_NODISCARD;

/* What barrier record "matte" holds behind its counters. load: while resting, on the grid that the record is
 * of. */
int vsm_gpu_sets_save(const struct vsm_gpu_sets *sets, struct vsm_bytes_out *out) VSM_NODISCARD;
int vsm_gpu_sets_load(struct vsm_gpu_sets *sets, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
