/* Memory for work with a CUDA device: on it, or page-locked on the host, which the device copies to
 * and from without the host waiting. Where the device has none left, whoever holds some that can be
 * spared is asked first (base/relief.h). Fault points: "gpu.memory", the device has none left;
 * "gpu.locked", the host has none.
 */
#ifndef VSM_IMAGE_CUDA_ROOM_H
#define VSM_IMAGE_CUDA_ROOM_H

#include "base/relief.h"
#include "base/status.h"
#include "cuda/device.h"
#include "frame/image.h"

#include <stddef.h>

/* Zeroed on the device. `what` is for the message; relief NULL: nobody is asked, nor is anybody for memory of
 * the host, of which a smaller grid on the device would give nothing back. VSM_E_NOMEM, VSM_E_DEVICE, or what
 * the holder failed of. Any thread that does not hold the relief's lock. */
int vsm_cuda_room_make(const char *what, enum vsm_place place, size_t bytes, struct vsm_relief *relief,
                       void **memory) VSM_NODISCARD;
/* NULL is allowed. */
void vsm_cuda_room_free(enum vsm_place place, void *memory);

/* Memory on the device that follows what is on the host. Starts as zeros; its owner frees `memory` by
 * vsm_cuda_room_free(). */
struct vsm_cuda_block {
    void *memory;
    size_t bytes;
};

/* Copies `bytes` to the block in the stream's order, in larger memory where it is too small. After a failure
 * the block holds nothing of use. Other arguments as of vsm_cuda_room_make(). */
int vsm_cuda_block_fill(struct vsm_cuda_block *block, const char *what, const void *from, size_t bytes,
                        struct vsm_relief *relief, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#endif
