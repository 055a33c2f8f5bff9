/* Transform stage: brings the source picture to the CUDA device, and small grids of it back.
 *
 * Per frame: a host picture is copied to the device (without the host waiting if its memory is page-locked),
 * one of the decoder's own on the device is copied there, so that the decoder, whose pictures are few, has it
 * back at once. Both eyes are averaged onto the grids of stages/people_stage.h, which come back as the
 * frame's thumbnails. Works in its own stream, while stages/gpu_stage.h is busy with the frame before. No
 * state.
 */
#ifndef VSM_STAGES_GPU_UPLOAD_STAGE_H
#define VSM_STAGES_GPU_UPLOAD_STAGE_H

#include "base/relief.h"
#include "base/status.h"
#include "frame/view.h"
#include "pipeline/stage.h"

struct vsm_gpu_upload_stage;

/* `source`: a picture like those to come (format, colour, size; no pixels). `eyes`: in the picture. */
int vsm_gpu_upload_stage_create(const struct vsm_image *source, const struct vsm_rect *eyes, int eye_count,
                                struct vsm_gpu_upload_stage **stage) VSM_NODISCARD;
/* Whom to ask when there is no memory for a picture (image/cuda_room.h); borrowed. Before the pipeline
 * runs. */
void vsm_gpu_upload_stage_set_relief(struct vsm_gpu_upload_stage *stage, struct vsm_relief *relief);
void vsm_gpu_upload_stage_destroy(struct vsm_gpu_upload_stage *stage);
struct vsm_stage vsm_gpu_upload_stage_describe(struct vsm_gpu_upload_stage *stage);

#endif
