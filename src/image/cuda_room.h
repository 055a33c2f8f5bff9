/* Memory for work with a CUDA device: on it, or page-locked on the host, which the device copies to and from
 * without the host waiting. Where there is none left, whoever holds some that can be spared is asked first
 * (base/relief.h). Fault point "gpu.memory": there is none left.
 */
#ifndef VSM_IMAGE_CUDA_ROOM_H
#define VSM_IMAGE_CUDA_ROOM_H

#include "base/relief.h"
#include "base/status.h"
#include "frame/image.h"

#include <stddef.h>

/* Zeroed on the device. `what` is for the message; relief NULL: nobody is asked. VSM_E_NOMEM, VSM_E_DEVICE,
 * or what the holder failed of. Any thread that does not hold the relief's lock. */
int vsm_cuda_room_make(const char *what, enum vsm_place place, size_t bytes, struct vsm_relief *relief,
                       void **memory) VSM_NODISCARD;
/* NULL is allowed. */
void vsm_cuda_room_free(enum vsm_place place, void *memory);

#endif
