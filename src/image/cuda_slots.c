#include "image/cuda_slots.h"

#include "base/mem.h"
#include "image/cuda_room.h"

#include <pthread.h>

struct vsm_cuda_slots {
    pthread_mutex_t mutex;
    const char *what;
    enum vsm_place place;
    size_t bytes;
    struct vsm_relief *relief; /* borrowed */
    struct vsm_cuda_slot *free;
    int references; /* the owner's and one for each block in use */
};

struct vsm_cuda_slots *vsm_cuda_slots_create(const char *what, enum vsm_place place, size_t bytes)
{
    struct vsm_cuda_slots *slots = vsm_mem_alloc(what, 1, sizeof(*slots));

    if (!slots)
        return NULL;
    if (pthread_mutex_init(&slots->mutex, NULL) != 0) {
        (void)vsm_fail(VSM_E_INTERNAL, "%s: no mutex", what);
        vsm_mem_free(slots);
        return NULL;
    }
    slots->what = what;
    slots->place = place;
    slots->bytes = bytes;
    slots->references = 1;
    return slots;
}

void vsm_cuda_slots_set_relief(struct vsm_cuda_slots *slots, struct vsm_relief *relief)
{
    slots->relief = relief;
}

static void free_slot(const struct vsm_cuda_slots *slots, struct vsm_cuda_slot *slot)
{
    vsm_cuda_room_free(slots->place, slot->memory);
    vsm_mem_free(slot);
}

/* Called with the mutex locked; unlocks it. */
static void drop_reference(struct vsm_cuda_slots *slots)
{
    const int left = --slots->references;

    pthread_mutex_unlock(&slots->mutex);
    if (left)
        return;
    for (struct vsm_cuda_slot *slot = slots->free, *next; slot; slot = next) {
        next = slot->next;
        free_slot(slots, slot);
    }
    pthread_mutex_destroy(&slots->mutex);
    vsm_mem_free(slots);
}

static int make_slot(struct vsm_cuda_slots *slots, struct vsm_cuda_slot **made)
{
    struct vsm_cuda_slot *slot = vsm_mem_alloc(slots->what, 1, sizeof(*slot));
    int status;

    if (!slot)
        return VSM_E_NOMEM;
    slot->slots = slots;
    status = vsm_cuda_room_make(slots->what, slots->place, slots->bytes, slots->relief, &slot->memory);
    if (status) {
        vsm_mem_free(slot);
        return status;
    }
    *made = slot;
    return VSM_OK;
}

int vsm_cuda_slots_take(struct vsm_cuda_slots *slots, struct vsm_cuda_slot **slot)
{
    struct vsm_cuda_slot *taken;
    int status = VSM_OK;

    pthread_mutex_lock(&slots->mutex);
    taken = slots->free;
    if (taken)
        slots->free = taken->next;
    pthread_mutex_unlock(&slots->mutex);
    if (!taken)
        status = make_slot(slots, &taken);
    if (status)
        return status;
    pthread_mutex_lock(&slots->mutex);
    slots->references++;
    pthread_mutex_unlock(&slots->mutex);
    *slot = taken;
    return VSM_OK;
}

void vsm_cuda_slots_give(struct vsm_cuda_slot *slot)
{
    struct vsm_cuda_slots *slots = slot->slots;

    pthread_mutex_lock(&slots->mutex);
    slot->next = slots->free;
    slots->free = slot;
    drop_reference(slots);
}

void vsm_cuda_slots_destroy(struct vsm_cuda_slots *slots)
{
    if (!slots)
        return;
    pthread_mutex_lock(&slots->mutex);
    drop_reference(slots);
}
