#include "pipeline/item.h"

void vsm_item_destroy(struct vsm_item *item)
{
    vsm_frame_destroy(&item->frame);
    vsm_barrier_destroy(&item->barrier);
}
