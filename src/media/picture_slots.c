#include "media/picture_slots.h"

#include "base/mem.h"

#include <string.h>

static int make_room(struct vsm_picture_slots *slots)
{
    size_t capacity = slots->count < 32 ? 64 : 2 * slots->count;
    struct vsm_picture_slot *items;

    if (slots->head + slots->count < slots->capacity)
        return VSM_OK;
    items = vsm_mem_alloc_raw("picture slots", capacity, sizeof(*items));
    if (!items)
        return VSM_E_NOMEM;
    if (slots->count)
        memcpy(items, slots->items + slots->head, slots->count * sizeof(*items));
    vsm_mem_free(slots->items);
    slots->items = items;
    slots->capacity = capacity;
    slots->head = 0;
    return VSM_OK;
}

int vsm_picture_slots_add(struct vsm_picture_slots *slots, struct vsm_picture_slot slot)
{
    struct vsm_picture_slot *items;
    size_t at;
    int r = make_room(slots);

    if (r)
        return r;
    items = slots->items + slots->head;
    for (at = slots->count; at > 0 && !slots->untimed && items[at - 1].pts > slot.pts; at--)
        items[at] = items[at - 1];
    items[at] = slot;
    slots->count++;
    return VSM_OK;
}

int64_t vsm_picture_slots_arrive(struct vsm_picture_slots *slots, int64_t packet)
{
    struct vsm_picture_slot *items = slots->items + slots->head;
    size_t at = 0, lost = 0;

    while (at < slots->count && items[at].packet != packet)
        at++;
    if (at == slots->count)
        return -1;
    if (!slots->untimed)
        return (int64_t)at;
    while (lost < at && items[lost].packet < packet - VSM_PICTURE_SLOTS_REORDER)
        lost++;
    for (; at > lost; at--)
        items[at].packet = items[at - 1].packet;
    items[lost].packet = packet;
    return (int64_t)lost;
}

struct vsm_picture_slot vsm_picture_slots_pop(struct vsm_picture_slots *slots)
{
    slots->count--;
    return slots->items[slots->head++];
}

void vsm_picture_slots_clear(struct vsm_picture_slots *slots)
{
    slots->head = slots->count = 0;
}

void vsm_picture_slots_finish(struct vsm_picture_slots *slots)
{
    vsm_mem_free(slots->items);
    memset(slots, 0, sizeof(*slots));
}
