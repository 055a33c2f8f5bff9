#include "media/stamp_queue.h"

#include "base/mem.h"

static int grow(struct vsm_stamp_queue *queue)
{
    size_t capacity = queue->capacity ? queue->capacity * 2 : 64;
    struct vsm_stamp *ring = vsm_mem_alloc("time stamps", capacity, sizeof(*ring));

    if (!ring)
        return VSM_E_NOMEM;
    for (uint64_t n = queue->first; n < queue->end; n++)
        ring[n % capacity] = queue->ring[n % queue->capacity];
    vsm_mem_free(queue->ring);
    queue->ring = ring;
    queue->capacity = capacity;
    return VSM_OK;
}

int vsm_stamp_queue_put(struct vsm_stamp_queue *queue, struct vsm_stamp stamp)
{
    if (queue->has_last && stamp.pts <= queue->last_pts)
        return vsm_fail(VSM_E_INTERNAL, "encoder: picture %llu has time %lld, not after %lld",
                        (unsigned long long)queue->end, (long long)stamp.pts, (long long)queue->last_pts);
    if (queue->end - queue->first >= queue->capacity) {
        int status = grow(queue);

        if (status != VSM_OK)
            return status;
    }
    queue->ring[queue->end % queue->capacity] = stamp;
    queue->end++;
    queue->last_pts = stamp.pts;
    queue->has_last = true;
    return VSM_OK;
}

bool vsm_stamp_queue_get(const struct vsm_stamp_queue *queue, uint64_t number, struct vsm_stamp *stamp)
{
    if (number < queue->first || number >= queue->end)
        return false;
    *stamp = queue->ring[number % queue->capacity];
    return true;
}

void vsm_stamp_queue_drop_before(struct vsm_stamp_queue *queue, uint64_t number)
{
    if (number > queue->first)
        queue->first = number < queue->end ? number : queue->end;
}

void vsm_stamp_queue_restart(struct vsm_stamp_queue *queue, uint64_t number)
{
    queue->first = queue->end = number;
    queue->has_last = false;
}

void vsm_stamp_queue_finish(struct vsm_stamp_queue *queue)
{
    vsm_mem_free(queue->ring);
    *queue = (struct vsm_stamp_queue){0};
}
