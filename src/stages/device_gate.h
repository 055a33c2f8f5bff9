/* Keeps the chosen people in mattes whose maps are on a device: what stages/select_stage.h does on the CPU.
 *
 * The gate of every view (people/gate.h) is made on the host, from the alpha that the frame brings along
 * (frame/frame.h), while the device is at other work; the maps are multiplied by it there (cuda/review.h).
 * No state from frame to frame. Used by one thread at a time.
 */
#ifndef VSM_STAGES_DEVICE_GATE_H
#define VSM_STAGES_DEVICE_GATE_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/frame.h"

struct vsm_device_gate;

/* Takes grids of any size, also changing ones; the pool is borrowed, NULL is allowed. Memory: 4 bytes a cell
 * of all views. */
int vsm_device_gate_create(struct vsm_parallel *pool, struct vsm_device_gate **gate) VSM_NODISCARD;
void vsm_device_gate_destroy(struct vsm_device_gate *gate);

/* For a frame with alpha in which people are known, for its views or for those that fade. open: receives
 * [views, height, width], 0..1. */
int vsm_device_gate_make(struct vsm_device_gate *gate, const struct vsm_frame *frame, bool fading,
                         float *open) VSM_NODISCARD;

#endif
