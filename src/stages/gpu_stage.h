/* Transform stages: matte and composite in one, on a CUDA device, and the way back to the host.
 *
 * "gpu", for frames whose source is on the device (stages/gpu_upload_stage.h): averages it onto the grids, begins the
 * recurrent states anew where a scene begins, runs the network, refines into every output's picture and begins its copy
 * into page-locked host pictures; then it waits for the network alone, whose states must be finite, and passes the frame
 * on. "download" waits for the copies and gives the source back. So that refining and copying one frame overlap the
 * next one's network, in two streams; two frames are on their way at most, and no wait is for the whole device.
 *
 * Barrier record "matte": the same bytes as stages/matte_stage.h, so that a job can go on on the CPU, and the other way
 * round; with adaptive scaling, "matte.scaling" likewise. Fault point "gpu.run": the device is lost.
 */
#ifndef VSM_STAGES_GPU_STAGE_H
#define VSM_STAGES_GPU_STAGE_H

#include "base/status.h"
#include "models/rvm.h"
#include "stages/composite_stage.h"
#include "stages/matte_stage.h"
#include "stages/scaling.h"

struct vsm_gpu_stage;

struct vsm_gpu_stage_options {
    const struct vsm_rvm_options *rvm; /* as vsm_rvm_create(), batch = view_count */
    const struct vsm_view *views;
    int view_count;
    const struct vsm_image *source; /* a picture like those to come (format, colour, size; no pixels) */
    const struct vsm_composite_target *targets;
    int target_count;
    const struct vsm_refine_options *refine;
    const struct vsm_scaling_options *scaling; /* NULL: the grid stays */
};

/* VSM_E_DEVICE without a usable device, VSM_E_USAGE for pictures that only the CPU path takes, VSM_E_NOMEM. */
int vsm_gpu_stage_create(const struct vsm_gpu_stage_options *options,
                         struct vsm_gpu_stage **stage) VSM_NODISCARD;
void vsm_gpu_stage_destroy(struct vsm_gpu_stage *stage);
int vsm_gpu_stage_restore(struct vsm_gpu_stage *stage, const struct vsm_state *state) VSM_NODISCARD;
struct vsm_sha256 vsm_gpu_stage_hash(const struct vsm_gpu_stage *stage);
/* Only when the pipeline does not run. scaling: NULL if the grid stays. */
struct vsm_matte_counters vsm_gpu_stage_counters(const struct vsm_gpu_stage *stage);
const struct vsm_scaling *vsm_gpu_stage_scaling(const struct vsm_gpu_stage *stage);
/* The second must follow the first. */
struct vsm_stage vsm_gpu_stage_describe(struct vsm_gpu_stage *stage);
struct vsm_stage vsm_gpu_stage_describe_download(struct vsm_gpu_stage *stage);

#endif
