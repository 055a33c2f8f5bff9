/* Equally sized blocks for work with a CUDA device that are used again and again: in device memory, or in
 * page-locked host memory, which the device copies to and from without the host waiting. What pools of
 * pictures (image/cuda_pool.h) and of tensors (image/cuda_tensors.h) have in common: each block comes with
 * the header that its users hold. Never waits for a block, thread-safe; blocks outlive the list. Memory as of
 * image/cuda_room.h.
 */
#ifndef VSM_IMAGE_CUDA_SLOTS_H
#define VSM_IMAGE_CUDA_SLOTS_H

#include "base/relief.h"
#include "base/status.h"
#include "frame/image.h"
#include "frame/tensor.h"

struct vsm_cuda_slots;

struct vsm_cuda_slot {
    union {
        struct vsm_image image;
        struct vsm_tensor tensor;
    };
    void *memory; /* as its last user left it; zeros in device memory that is new */
    struct vsm_cuda_slots *slots;
    struct vsm_cuda_slot *next;
};

/* `what` names a block in messages and is borrowed. VSM_PLACE_CUDA: device memory; VSM_PLACE_HOST:
 * page-locked. NULL on failure (message set). Nothing is allocated yet. */
struct vsm_cuda_slots *vsm_cuda_slots_create(const char *what, enum vsm_place place,
                                             size_t bytes) VSM_NODISCARD;
/* Whom to ask when there is no memory; borrowed until the last block was taken. Before the list is shared by
 * threads. */
void vsm_cuda_slots_set_relief(struct vsm_cuda_slots *slots, struct vsm_relief *relief);
/* VSM_E_NOMEM or VSM_E_DEVICE, with *slot unchanged. */
int vsm_cuda_slots_take(struct vsm_cuda_slots *slots, struct vsm_cuda_slot **slot) VSM_NODISCARD;
void vsm_cuda_slots_give(struct vsm_cuda_slot *slot);
/* Free blocks go at once, others when they are given back. NULL is allowed. */
void vsm_cuda_slots_destroy(struct vsm_cuda_slots *slots);

#endif
