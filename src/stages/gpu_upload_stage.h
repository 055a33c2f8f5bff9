/* Transform stage: brings the source picture to the CUDA device and tells where scenes begin.
 *
 * Per frame: a host picture is copied to the device (without the host waiting if its memory is page-locked; the host
 * picture is given back as soon as the copy is done), a device picture from the decoder is used in place; both eyes
 * are averaged onto small grids there, which come back for the look for a scene cut. Works in its own stream, while
 * stages/gpu_stage.h is busy with the frame before. Barrier record "scene", as of stages/people_stage.h: same grids,
 * same bytes.
 */
#ifndef VSM_STAGES_GPU_UPLOAD_STAGE_H
#define VSM_STAGES_GPU_UPLOAD_STAGE_H

#include "base/status.h"
#include "frame/view.h"
#include "pipeline/stage.h"

struct vsm_gpu_upload_stage;

/* `source`: a picture like those to come (format, colour, size; no pixels). `eyes`: in the picture. */
int vsm_gpu_upload_stage_create(const struct vsm_image *source, const struct vsm_rect *eyes, int eye_count,
                                struct vsm_gpu_upload_stage **stage) VSM_NODISCARD;
void vsm_gpu_upload_stage_destroy(struct vsm_gpu_upload_stage *stage);
int vsm_gpu_upload_stage_restore(struct vsm_gpu_upload_stage *stage,
                                 const struct vsm_state *state) VSM_NODISCARD;
/* Over the whole job; only when the pipeline does not run. */
int64_t vsm_gpu_upload_stage_scene_cuts(const struct vsm_gpu_upload_stage *stage);
struct vsm_stage vsm_gpu_upload_stage_describe(struct vsm_gpu_upload_stage *stage);

#endif
