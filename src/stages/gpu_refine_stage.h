/* Transform stages behind stages/gpu_stage.h: from coefficient maps on a CUDA device to every output's
 * picture there, and the way back to the host.
 *
 * "refine", for frames whose source and maps are on the device: has the gate, if there is one, keep the
 * chosen people in the maps (stages/device_gate.h), made on the host while the network is at the next frame;
 * refines into every output's picture and begins its copy into the frame's page-locked host pictures.
 * "download" waits for the copies and gives source and maps back. Outputs for an encoder on the device stay
 * there. While views replace others, the maps of the old ones, which have a gate of their own, are mixed in
 * (image/view_fade_cuda.h); on the CPU the gate is made of what mixing gives. Refining and copying have a
 * stream each; no wait is for the whole device.
 */
#ifndef VSM_STAGES_GPU_REFINE_STAGE_H
#define VSM_STAGES_GPU_REFINE_STAGE_H

#include "base/relief.h"
#include "base/status.h"
#include "stages/composite_stage.h"
#include "stages/device_gate.h"

struct vsm_gpu_refine_stage;

struct vsm_gpu_refine_stage_options {
    const struct vsm_image *source; /* a picture like those to come (format, colour, size; no pixels) */
    const struct vsm_view *views;   /* direct; frames may have others */
    int view_count;
    const struct vsm_composite_target *targets;
    int target_count;
    const struct vsm_refine_options *refine;
};

/* VSM_E_DEVICE without a usable device, VSM_E_USAGE for pictures that only the CPU path takes,
 * VSM_E_NOMEM. */
int vsm_gpu_refine_stage_create(const struct vsm_gpu_refine_stage_options *options,
                                struct vsm_gpu_refine_stage **stage) VSM_NODISCARD;
void vsm_gpu_refine_stage_destroy(struct vsm_gpu_refine_stage *stage);

/* Whom to ask when there is no memory for pictures and tables (image/cuda_room.h); borrowed. Before the
 * pipeline runs. */
void vsm_gpu_refine_stage_set_relief(struct vsm_gpu_refine_stage *stage, struct vsm_relief *relief);

/* Frames with alpha, in which people are known, go through it; borrowed. Before the pipeline runs. */
void vsm_gpu_refine_stage_set_gate(struct vsm_gpu_refine_stage *stage, struct vsm_device_gate *gate);

/* The second must follow the first. */
struct vsm_stage vsm_gpu_refine_stage_describe(struct vsm_gpu_refine_stage *stage);
struct vsm_stage vsm_gpu_refine_stage_describe_download(struct vsm_gpu_refine_stage *stage);

#endif
