/* image/view_fade.h on a CUDA device: maps that lie there are mixed there, through tables of the mapping from
 * view to view instead of its formulas (off by 0.1 cells at most). */
#ifndef VSM_IMAGE_VIEW_FADE_CUDA_H
#define VSM_IMAGE_VIEW_FADE_CUDA_H

#include "base/relief.h"
#include "base/status.h"
#include "cuda/device.h"
#include "frame/frame.h"

struct vsm_view_fade_cuda;

/* NULL on failure (message set). */
struct vsm_view_fade_cuda *vsm_view_fade_cuda_create(void) VSM_NODISCARD;
/* Whom to ask when there is no memory (image/cuda_room.h); borrowed. */
void vsm_view_fade_cuda_set_relief(struct vsm_view_fade_cuda *fade, struct vsm_relief *relief);
void vsm_view_fade_cuda_destroy(struct vsm_view_fade_cuda *fade);

/* As vsm_view_fade(), with maps on the device; always in the same stream. `number` of the matte among a
 * frame's: its tables are kept as long as the views stay, else they cost 2 ms. Without a change of views the
 * call does not wait. */
int vsm_view_fade_cuda_run(struct vsm_view_fade_cuda *fade, int number, const struct vsm_matte *matte,
                           float keep, const struct vsm_matte *other, int count,
                           struct vsm_cuda_stream *stream) VSM_NODISCARD;

#endif
