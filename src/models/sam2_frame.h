/* The present frame as SAM 2's networks see it: the features of all its pictures, and the networks run
 * on them for one object or several at once. Knows nothing of prompts, choices or what is remembered
 * where (models/sam2_tracker.h).
 *
 * Every "seat" is one object in one picture; networks run for up to VSM_SAM2_MAX_BATCH of them together.
 * Tensors that come out are the caller's. With a net on a device, features, memories and masks stay there
 * (nn/device_pool.h), scores and pointers come to the host. Statuses: those of vsm_sam2_net_run(), and
 * VSM_E_NOMEM. Not thread-safe.
 */
#ifndef VSM_MODELS_SAM2_FRAME_H
#define VSM_MODELS_SAM2_FRAME_H

#include "base/status.h"
#include "frame/tensor.h"
#include "models/sam2_bank.h"
#include "models/sam2_net.h"
#include "models/sam2_prompt.h"

#include <stdbool.h>
#include <stdint.h>

/* Objects run through a network at once; more are run in several goes, so that memory does not
 * grow with them. */
#define VSM_SAM2_MAX_BATCH 4

struct vsm_sam2_frame {
    struct vsm_sam2_net *net;          /* borrowed; the only thing the owner sets */
    struct vsm_tensor *feat, *f0, *f1; /* [views, ...]; NULL before the first frame */
};

struct vsm_sam2_seat {
    int view;
    const struct vsm_sam2_bank *bank; /* for attend() only */
    bool absent;                      /* for memorise() only: nobody was seen */
};

/* What the decoder says of each seat, see models/sam2_graphs.h. */
struct vsm_sam2_decoded {
    struct vsm_tensor *masks, *iou, *score, *pointers;
};

/* Features of the next frame's pictures [views, 3, S, S], of vsm_sam2_net_image_type() or float32. */
int vsm_sam2_frame_begin(struct vsm_sam2_frame *frame, struct vsm_tensor *images) VSM_NODISCARD;
void vsm_sam2_frame_drop(struct vsm_sam2_frame *frame);

/* Features of each seat's picture conditioned on its bank at frame number `now`; all banks offer equally
 * many memories and pointers. */
int vsm_sam2_frame_attend(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                          int64_t now, struct vsm_tensor **conditioned) VSM_NODISCARD;

/* A view's features, plus the learned sign of having no memory if `marked`. NULL if out of memory. */
struct vsm_tensor *vsm_sam2_frame_memoryless(const struct vsm_sam2_frame *frame, int view,
                                             bool marked) VSM_NODISCARD;

/* The mask decoder on `image` (taken, whatever comes of it). points: NULL = none. dense: logits of an earlier
 * mask [side * side], or NULL. */
int vsm_sam2_frame_decode(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                          struct vsm_tensor *image, const struct vsm_sam2_points *points, const float *dense,
                          struct vsm_sam2_decoded *decoded) VSM_NODISCARD;
void vsm_sam2_frame_release(struct vsm_sam2_decoded *decoded);

/* Candidate `mask` of seat i, [side * side], where the networks left it. */
const float *vsm_sam2_frame_candidate(const struct vsm_sam2_decoded *decoded, int i, int mask);

/* Its copy to host memory, which is there after vsm_sam2_frame_wait(); or after
 * vsm_sam2_frame_wait_mark(), if vsm_sam2_frame_mark() came behind it: work given later goes on then. */
void vsm_sam2_frame_mask(const struct vsm_sam2_frame *frame, const struct vsm_sam2_decoded *decoded, int i,
                         int mask, float *to);
int vsm_sam2_frame_wait(const struct vsm_sam2_frame *frame) VSM_NODISCARD;
void vsm_sam2_frame_mark(const struct vsm_sam2_frame *frame);
int vsm_sam2_frame_wait_mark(const struct vsm_sam2_frame *frame) VSM_NODISCARD;

/* Memories [count, tokens, 64] as vsm_sam2_bank_store() wants them, of masks given as logits[i][side * side],
 * in host memory or where vsm_sam2_frame_candidate() found them. `binary`: of prompts. */
int vsm_sam2_frame_memorise(const struct vsm_sam2_frame *frame, const struct vsm_sam2_seat *seats, int count,
                            const float *const *logits, bool binary,
                            struct vsm_tensor **memory) VSM_NODISCARD;

#endif
