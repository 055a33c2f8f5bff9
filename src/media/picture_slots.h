/* The places in presentation order of pictures that are on their way through a decoder.
 *
 * Each packet that makes a picture gets a slot when it is given to the decoder. When the decoder puts out the
 * picture of some packet, the slots before that picture's are of pictures that will not come: they were
 * damaged. Thus the numbering of pictures is that of packets, whatever the decoder drops.
 *
 * Timed streams: slots are ordered by presentation time. Untimed streams (AVI and elementary streams with
 * reordering have no presentation times): the n-th picture that comes out gets the n-th packet's time, and a
 * picture counts as lost once one comes that is more than VSM_PICTURE_SLOTS_REORDER packets younger.
 */
#ifndef VSM_MEDIA_PICTURE_SLOTS_H
#define VSM_MEDIA_PICTURE_SLOTS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pictures: the deepest reordering of H.264 and HEVC (DPB of 16). */
#define VSM_PICTURE_SLOTS_REORDER 16

struct vsm_picture_slot {
    int64_t packet; /* number in decoding order */
    int64_t pts;
    int64_t duration;
};

struct vsm_picture_slots {
    struct vsm_picture_slot *items; /* owned */
    size_t head, count, capacity;   /* in use: items[head .. head + count - 1] */
    bool untimed;
};

/* A new slot. VSM_E_NOMEM. */
int vsm_picture_slots_add(struct vsm_picture_slots *slots, struct vsm_picture_slot slot) VSM_NODISCARD;

/* The picture of `packet` came out: returns how many slots before its own are lost, or -1 if it
 * has no slot. */
int64_t vsm_picture_slots_arrive(struct vsm_picture_slots *slots, int64_t packet);

/* Removes and returns the first slot; count must not be 0. */
struct vsm_picture_slot vsm_picture_slots_pop(struct vsm_picture_slots *slots);

void vsm_picture_slots_clear(struct vsm_picture_slots *slots);
void vsm_picture_slots_finish(struct vsm_picture_slots *slots);

#endif
