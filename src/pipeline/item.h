/* One unit in a queue: a frame or a barrier. Whoever holds the item owns what is in it. */
#ifndef VSM_PIPELINE_ITEM_H
#define VSM_PIPELINE_ITEM_H

#include "frame/frame.h"
#include "pipeline/barrier.h"

/* Exactly one of the two is set; none after the item was given away or destroyed. */
struct vsm_item {
    struct vsm_frame *frame;
    struct vsm_barrier *barrier;
};

/* Destroys what is in it and zeroes it; an empty item is allowed. */
void vsm_item_destroy(struct vsm_item *item);

#endif
