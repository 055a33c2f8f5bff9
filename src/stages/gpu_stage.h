/* Transform stage: matte and composite in one, with the pictures on a CUDA device.
 *
 * Per frame: the source picture is copied to the device (from a host picture; one that is there already is used in
 * place), averaged onto the grids, looked at for a scene cut (on the host, from a copy of the grids), run through the
 * network, refined into every output's picture, and copied into page-locked host pictures for the encoders. The
 * device works on one frame at a time, while the stages before and behind decode and encode others. Barrier record
 * "matte": the same bytes as stages/matte_stage.h, and "scene" as stages/people_stage.h, so that a job can go on on the
 * CPU, and the other way round.
 */
#ifndef VSM_STAGES_GPU_STAGE_H
#define VSM_STAGES_GPU_STAGE_H

#include "base/status.h"
#include "models/rvm.h"
#include "stages/composite_stage.h"
#include "stages/matte_stage.h"

struct vsm_gpu_stage;

/* `source`: a picture like those to come (format, colour, size; no pixels). rvm: as vsm_rvm_create(), batch =
 * view_count. VSM_E_DEVICE without a usable device, VSM_E_USAGE for pictures that only the CPU path takes. */
int vsm_gpu_stage_create(const struct vsm_rvm_options *rvm, const struct vsm_view *views, int view_count,
                         const struct vsm_image *source, const struct vsm_composite_target *targets,
                         int count, const struct vsm_refine_options *options,
                         struct vsm_gpu_stage **stage) VSM_NODISCARD;
void vsm_gpu_stage_destroy(struct vsm_gpu_stage *stage);
int vsm_gpu_stage_restore(struct vsm_gpu_stage *stage, const struct vsm_state *state) VSM_NODISCARD;
struct vsm_sha256 vsm_gpu_stage_hash(const struct vsm_gpu_stage *stage);
/* Only when the pipeline does not run. */
struct vsm_matte_counters vsm_gpu_stage_counters(const struct vsm_gpu_stage *stage);
int64_t vsm_gpu_stage_scene_cuts(const struct vsm_gpu_stage *stage);
struct vsm_stage vsm_gpu_stage_describe(struct vsm_gpu_stage *stage);

#endif
