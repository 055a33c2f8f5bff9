/* Transform stage: the matter on a CUDA device.
 *
 * For frames whose source is on the device (stages/gpu_upload_stage.h): averages it onto the grids, begins
 * the recurrent states anew where a scene begins, runs the network, and gives the frame its maps there,
 * page-locked host pictures for every output, and the digest, if one is wanted. It waits for the network
 * alone, whose states must be finite. What follows, stages/gpu_refine_stage.h, works while the network is at
 * the next frame.
 *
 * With a director, views are chosen frame by frame as in stages/matte_stage.h (stages/gpu_sets.h): states go
 * over to new views on the host, old views are run beside the new ones while they fade out, and
 * stages/gpu_refine_stage.h mixes them.
 *
 * With adaptive scaling, the grid of all views moves between frames, and where there is no memory, before the
 * frame's work: the same frame is done on a smaller one. Other stages that find no memory have this one step
 * down by vsm_gpu_stage_relief(), between its frames. Networks that are kept for views to come go first, also
 * without scaling.
 *
 * Barrier record "matte": stages/matte_record.h; with adaptive scaling, "matte.scaling". Fault point
 * "gpu.run": the device is lost.
 */
#ifndef VSM_STAGES_GPU_STAGE_H
#define VSM_STAGES_GPU_STAGE_H

#include "base/relief.h"
#include "base/status.h"
#include "models/rvm.h"
#include "stages/composite_stage.h"
#include "stages/device_review.h"
#include "stages/matte_record.h"
#include "stages/repair_delay.h"
#include "stages/scaling.h"
#include "stages/view_director.h"

struct vsm_gpu_stage;

struct vsm_gpu_stage_options {
    const struct vsm_rvm_options *rvm; /* as vsm_rvm_create(), batch = view_count */
    const struct vsm_view *views;
    int view_count;
    const struct vsm_image *source; /* a picture like those to come (format, colour, size; no pixels) */
    const struct vsm_composite_target *targets; /* whose pictures frames are given room for */
    int target_count;
    bool digest;                               /* frames are to have one */
    const struct vsm_scaling_options *scaling; /* NULL: the grid stays */
};

/* VSM_E_DEVICE without a usable device, VSM_E_USAGE for pictures that only the CPU path takes,
 * VSM_E_NOMEM. */
int vsm_gpu_stage_create(const struct vsm_gpu_stage_options *options,
                         struct vsm_gpu_stage **stage) VSM_NODISCARD;
/* Views that are chosen frame by frame; wants a digest. Before the pipeline runs and before restore;
 * borrowed. */
int vsm_gpu_stage_set_director(struct vsm_gpu_stage *stage, struct vsm_view_director *director) VSM_NODISCARD;
/* States are repaired as the comparison of the eyes wants it; NULL: never. Before the pipeline
 * runs; borrowed. */
void vsm_gpu_stage_set_repairs(struct vsm_gpu_stage *stage, struct vsm_repair_delay *repairs);
/* Adaptive scaling reckons with what it takes of a frame; NULL: nothing. Before the pipeline
 * runs; borrowed. */
void vsm_gpu_stage_set_review(struct vsm_gpu_stage *stage, const struct vsm_device_review *review);
void vsm_gpu_stage_destroy(struct vsm_gpu_stage *stage);
/* next_seq: of the first frame to come. */
int vsm_gpu_stage_restore(struct vsm_gpu_stage *stage, const struct vsm_state *state,
                          int64_t next_seq) VSM_NODISCARD;
/* For other stages' memory; the stage's. */
struct vsm_relief *vsm_gpu_stage_relief(struct vsm_gpu_stage *stage);
struct vsm_sha256 vsm_gpu_stage_hash(const struct vsm_gpu_stage *stage);
/* Only when the pipeline does not run. scaling: NULL if the grid stays. */
struct vsm_matte_counters vsm_gpu_stage_counters(const struct vsm_gpu_stage *stage);
const struct vsm_scaling *vsm_gpu_stage_scaling(const struct vsm_gpu_stage *stage);
struct vsm_stage vsm_gpu_stage_describe(struct vsm_gpu_stage *stage);

#endif
