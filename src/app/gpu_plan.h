/* Whether a job runs on the GPU, and the stage that does it. */
#ifndef VSM_APP_GPU_PLAN_H
#define VSM_APP_GPU_PLAN_H

#include "app/plan.h"
#include "stages/gpu_refine_stage.h"
#include "stages/gpu_stage.h"
#include "stages/gpu_upload_stage.h"
#include "stages/people_stage.h"

/* Whether a job may come to run on the GPU: it is wanted and there. Asked before anything is known of the
 * input. */
bool vsm_gpu_plan_possible(const struct vsm_config *config);

/* Decides by processing.device and by what is there, and fills plan->gpu and plan->provider ("CUDA, NVIDIA
 * ...", or "CPU, ..." with the reason why not CUDA). A reader that was opened for the device in vain is
 * opened anew. VSM_E_DEVICE if cuda is demanded and cannot be had. */
int vsm_gpu_plan_choose(struct vsm_plan *plan) VSM_NODISCARD;

/* Device memory that the networks and comparing the eyes take, by cell of an eye's grid; of turned views,
 * while others fade out. */
double vsm_gpu_plan_bytes_per_cell(const struct vsm_plan *plan);

/* Most frames between reading and writing. Each that is on the device has its picture there, and behind the
 * network its maps: VSM_GPU_PLAN_FLIGHT_BYTES in all, but as many frames as there are stages to work at
 * once. */
#define VSM_GPU_PLAN_FLIGHT_FRAMES 6
#define VSM_GPU_PLAN_FLIGHT_BYTES  ((size_t)700 << 20)
int vsm_gpu_plan_most_frames(size_t picture_bytes, size_t cells);

/* The threads that work on people beside the device: few, for their loops are short. NULL on failure (message
 * set). */
#define VSM_GPU_PLAN_THREADS 4
struct vsm_parallel *vsm_gpu_plan_create_pool(int threads) VSM_NODISCARD;

/* Most decoded frames that may wait to be uploaded, as of struct vsm_stage: the decoder on the device has a
 * fixed set of pictures, which upload gives back. */
int vsm_gpu_plan_decoded_waiting(const struct vsm_plan *plan);

/* The stages of a job with plan->gpu, between reading and writing; all NULL otherwise. */
struct vsm_gpu_stages {
    struct vsm_gpu_upload_stage *upload;
    struct vsm_gpu_stage *network;
    struct vsm_device_gate *gate; /* NULL: everybody is wanted */
    struct vsm_gpu_refine_stage *refine;
};

int vsm_gpu_plan_create_stages(const struct vsm_plan *plan, struct vsm_gpu_stages *stages) VSM_NODISCARD;
void vsm_gpu_plan_destroy_stages(struct vsm_gpu_stages *stages);

/* Leaves out who is not wanted, if anybody; the pool is borrowed. */
int vsm_gpu_plan_add_gate(const struct vsm_plan *plan, struct vsm_parallel *pool,
                          struct vsm_gpu_stages *stages) VSM_NODISCARD;

/* In the pipeline's order, with `people` where it belongs (NULL: without). Returns their number, at most
 * 5. */
int vsm_gpu_plan_describe_stages(const struct vsm_gpu_stages *stages, struct vsm_people_stage *people,
                                 struct vsm_stage *described);

#endif
