/* One object that SAM 2 follows in one view: its memory, its mask, and what is known of it on
 * the present frame.
 *
 * A part of models/sam2_tracker.h, which says in which order these calls come; tells nobody else anything.
 */
#ifndef VSM_MODELS_SAM2_OBJECT_H
#define VSM_MODELS_SAM2_OBJECT_H

#include "base/bytes.h"
#include "base/status.h"
#include "models/sam2_bank.h"
#include "models/sam2_frame.h"
#include "models/sam2_prompt.h"
#include "models/sam2_tracker.h"

#include <stdbool.h>

struct vsm_sam2_object {
    struct vsm_sam2_result result; /* result.logits is `logits` */
    struct vsm_sam2_points points; /* of the present frame */
    struct vsm_sam2_bank *bank;
    struct vsm_tensor *mask; /* [side * side], holes filled; where a device can write it quickly */
    float *logits;           /* its numbers */
    bool pending;            /* the result is of a prompt and not remembered yet */
    bool as_conditioning;    /* where it will be remembered */
    bool tracked;            /* by memory, on the present frame */
};

/* options: max_conditioning_frames and offload count, as in vsm_sam2_tracker_options but not
 * 0. NULL if out of memory. */
struct vsm_sam2_object *vsm_sam2_object_create(const struct vsm_sam2_net *net,
                                               const struct vsm_sam2_tracker_options *options, int view,
                                               int id) VSM_NODISCARD;
void vsm_sam2_object_destroy(struct vsm_sam2_object *object);

/* A new frame: nothing is known of the object there. */
void vsm_sam2_object_begin(struct vsm_sam2_object *object);

/* Chooses mask and pointer of seat i. An ambiguous prompt (tracking, one click) takes the best of masks 1 to
 * 3 with its pointer. A clear one takes mask 0 if that is stable, else the best of the others, but always
 * pointer 0. Sets all of *result but whose it is, the frame and where the object was last seen. The mask of
 * whoever is not absent is on its way to `logits` [side * side] then: vsm_sam2_frame_wait() is to follow. */
int vsm_sam2_object_pick(const struct vsm_sam2_frame *frame, const struct vsm_sam2_decoded *decoded, int i,
                         bool ambiguous, struct vsm_sam2_result *result, float *logits) VSM_NODISCARD;

/* Notes where the object is, after its mask and frame are known. */
void vsm_sam2_object_note_place(struct vsm_sam2_object *object);

/* For a checkpoint, between frames; load: VSM_E_INPUT if the memory cannot be one. View and id
 * are the caller's. */
int vsm_sam2_object_save(const struct vsm_sam2_object *object, struct vsm_bytes_out *out) VSM_NODISCARD;
int vsm_sam2_object_load(struct vsm_sam2_object *object, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
