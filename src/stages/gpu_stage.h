/* Transform stage: the matter on a CUDA device.
 *
 * For frames whose source is on the device (stages/gpu_upload_stage.h): averages it onto the grids, begins
 * the recurrent states anew where a scene begins, runs the network, and gives the frame its maps there and
 * page-locked host pictures for every output. Behind the network, whose states must be finite, the eyes are
 * compared and mended on the device (stages/stereo_manager.h), as stages/matte_stage.h has it; states are
 * repaired at once, so that the next frame goes on from them. Then, if somebody wants it, the mattes' alpha
 * is copied to the host (frame/frame.h). What follows, stages/gpu_refine_stage.h, works while the network is
 * at the next frame.
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
 * Barrier record "matte": stages/matte_record.h; with adaptive scaling, "matte.scaling"; the comparison's.
 * Fault point "gpu.run": the device is lost.
 */
#ifndef VSM_STAGES_GPU_STAGE_H
#define VSM_STAGES_GPU_STAGE_H

#include "base/relief.h"
#include "base/status.h"
#include "models/rvm.h"
#include "stages/composite_stage.h"
#include "stages/matte_record.h"
#include "stages/scaling.h"
#include "stages/stereo_manager.h"
#include "stages/view_director.h"

struct vsm_gpu_stage;

struct vsm_gpu_stage_options {
    const struct vsm_rvm_options *rvm; /* as vsm_rvm_create(), batch = view_count */
    const struct vsm_view *views;
    int view_count;
    const struct vsm_image *source; /* a picture like those to come (format, colour, size; no pixels) */
    const struct vsm_composite_target *targets; /* whose pictures frames are given room for */
    int target_count;
    bool alpha;                                /* frames are to bring it along */
    const struct vsm_scaling_options *scaling; /* NULL: the grid stays */
};

/* VSM_E_DEVICE without a usable device, VSM_E_USAGE for pictures that only the CPU path takes,
 * VSM_E_NOMEM. */
int vsm_gpu_stage_create(const struct vsm_gpu_stage_options *options,
                         struct vsm_gpu_stage **stage) VSM_NODISCARD;
/* Views that are chosen frame by frame; wants alpha. Before the pipeline runs and before restore;
 * borrowed. */
int vsm_gpu_stage_set_director(struct vsm_gpu_stage *stage, struct vsm_view_director *director) VSM_NODISCARD;
/* Compares the eyes from the first frame on; made for vsm_gpu_stage_stream(). Before the pipeline runs;
 * borrowed. It is made and restored by whoever owns it, who asks vsm_gpu_stage_relief() for memory. */
void vsm_gpu_stage_set_stereo(struct vsm_gpu_stage *stage, struct vsm_stereo_manager *stereo);
void vsm_gpu_stage_destroy(struct vsm_gpu_stage *stage);
/* next_seq: of the first frame to come. */
int vsm_gpu_stage_restore(struct vsm_gpu_stage *stage, const struct vsm_state *state,
                          int64_t next_seq) VSM_NODISCARD;
/* In whose order the stage works on the device; the stage's. */
struct vsm_cuda_stream *vsm_gpu_stage_stream(struct vsm_gpu_stage *stage);
/* For other stages' memory; the stage's. */
struct vsm_relief *vsm_gpu_stage_relief(struct vsm_gpu_stage *stage);
struct vsm_sha256 vsm_gpu_stage_hash(const struct vsm_gpu_stage *stage);
/* Only when the pipeline does not run. scaling: NULL if the grid stays. */
struct vsm_matte_counters vsm_gpu_stage_counters(const struct vsm_gpu_stage *stage);
const struct vsm_scaling *vsm_gpu_stage_scaling(const struct vsm_gpu_stage *stage);
struct vsm_stage vsm_gpu_stage_describe(struct vsm_gpu_stage *stage);

#endif
