#include "pipeline/queue.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdbool.h>

struct slot {
    struct vsm_item item;
    size_t bytes; /* of the frame when it was put: what must be subtracted again */
};

struct vsm_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed_for_producer, changed_for_consumer;
    int max_frames;
    size_t max_bytes;
    /* Invariants under the lock: `used` slots from `first` on are filled; frames <= max_frames of them are
     * frames and hold `bytes` bytes; bytes <= max_bytes unless frames == 1; nothing is queued once
     * recv_closed or aborted. */
    size_t capacity, first, used;
    int frames, high_frames;
    size_t bytes, high_bytes;
    bool send_closed, recv_closed, aborted;
    struct slot slots[];
};

struct vsm_queue *vsm_queue_create(int max_frames, size_t max_bytes)
{
    size_t capacity;
    struct vsm_queue *queue;

    if (max_frames < 1 || max_bytes < 1) {
        (void)vsm_fail(VSM_E_INTERNAL, "queue: bounds of %d frames and %zu bytes, must be at least 1",
                       max_frames, max_bytes);
        return NULL;
    }
    capacity = 2 * (size_t)max_frames + 1;
    queue = vsm_mem_alloc("queue", 1, sizeof(*queue) + capacity * sizeof(queue->slots[0]));
    if (!queue)
        return NULL;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed_for_producer, NULL);
    pthread_cond_init(&queue->changed_for_consumer, NULL);
    queue->max_frames = max_frames;
    queue->max_bytes = max_bytes;
    queue->capacity = capacity;
    return queue;
}

/* The oldest item; the caller holds the lock and has made sure that there is one. */
static struct vsm_item pop(struct vsm_queue *queue)
{
    struct slot *slot = &queue->slots[queue->first];
    struct vsm_item item = slot->item;

    queue->first = (queue->first + 1) % queue->capacity;
    queue->used--;
    if (item.frame) {
        queue->frames--;
        queue->bytes -= slot->bytes;
    }
    *slot = (struct slot){0};
    return item;
}

/* Releasing a frame may call into a decoder or a device: never under the lock. */
static void destroy_queued(struct vsm_queue *queue)
{
    struct vsm_item item;
    bool more;

    do {
        pthread_mutex_lock(&queue->lock);
        more = queue->used > 0;
        item = more ? pop(queue) : (struct vsm_item){0};
        pthread_mutex_unlock(&queue->lock);
        vsm_item_destroy(&item);
    } while (more);
}

void vsm_queue_destroy(struct vsm_queue *queue)
{
    if (!queue)
        return;
    destroy_queued(queue);
    pthread_cond_destroy(&queue->changed_for_consumer);
    pthread_cond_destroy(&queue->changed_for_producer);
    pthread_mutex_destroy(&queue->lock);
    vsm_mem_free(queue);
}

static bool has_room(const struct vsm_queue *queue, bool is_frame, size_t bytes)
{
    if (queue->used >= queue->capacity)
        return false;
    if (!is_frame)
        return queue->used - (size_t)queue->frames <= (size_t)queue->max_frames;
    if (queue->frames == 0)
        return true;
    return queue->frames < queue->max_frames && queue->bytes <= queue->max_bytes &&
           bytes <= queue->max_bytes - queue->bytes;
}

static void push(struct vsm_queue *queue, struct vsm_item item, size_t bytes)
{
    queue->slots[(queue->first + queue->used) % queue->capacity] =
        (struct slot){.item = item, .bytes = bytes};
    queue->used++;
    if (!item.frame)
        return;
    queue->frames++;
    queue->bytes += bytes;
    if (queue->frames > queue->high_frames)
        queue->high_frames = queue->frames;
    if (queue->bytes > queue->high_bytes)
        queue->high_bytes = queue->bytes;
}

/* Waits once and counts the time; the clock is read only when there is something to wait for. */
static void wait_changed(struct vsm_queue *queue, pthread_cond_t *changed, uint64_t *waited_ns)
{
    uint64_t start = vsm_clock_ns();

    pthread_cond_wait(changed, &queue->lock);
    *waited_ns += vsm_clock_ns() - start;
}

int vsm_queue_put(struct vsm_queue *queue, struct vsm_item *item, uint64_t *waited_ns)
{
    size_t bytes = item->frame ? vsm_frame_bytes(item->frame) : 0;
    int status = VSM_OK;

    pthread_mutex_lock(&queue->lock);
    while (!queue->aborted && !queue->recv_closed && !queue->send_closed &&
           !has_room(queue, item->frame != NULL, bytes))
        wait_changed(queue, &queue->changed_for_producer, waited_ns);
    if (queue->aborted) {
        status = VSM_E_CANCELLED;
    } else if (queue->recv_closed) {
        status = VSM_EOF;
    } else if (queue->send_closed) {
        status = vsm_fail(VSM_E_INTERNAL, "queue: an item was put after the end of the stream");
    } else {
        push(queue, *item, bytes);
        *item = (struct vsm_item){0};
        pthread_cond_signal(&queue->changed_for_consumer);
    }
    pthread_mutex_unlock(&queue->lock);
    return status;
}

int vsm_queue_get(struct vsm_queue *queue, struct vsm_item *item, uint64_t *waited_ns)
{
    int status = VSM_OK;

    *item = (struct vsm_item){0};
    pthread_mutex_lock(&queue->lock);
    while (!queue->aborted && !queue->recv_closed && !queue->send_closed && queue->used == 0)
        wait_changed(queue, &queue->changed_for_consumer, waited_ns);
    if (queue->aborted) {
        status = VSM_E_CANCELLED;
    } else if (queue->recv_closed || queue->used == 0) {
        status = VSM_EOF;
    } else {
        *item = pop(queue);
        pthread_cond_signal(&queue->changed_for_producer);
    }
    pthread_mutex_unlock(&queue->lock);
    return status;
}

static void end(struct vsm_queue *queue, bool *flag)
{
    pthread_mutex_lock(&queue->lock);
    *flag = true;
    pthread_cond_broadcast(&queue->changed_for_producer);
    pthread_cond_broadcast(&queue->changed_for_consumer);
    pthread_mutex_unlock(&queue->lock);
}

void vsm_queue_close_send(struct vsm_queue *queue)
{
    end(queue, &queue->send_closed);
}

void vsm_queue_close_recv(struct vsm_queue *queue)
{
    end(queue, &queue->recv_closed);
    destroy_queued(queue);
}

void vsm_queue_abort(struct vsm_queue *queue)
{
    end(queue, &queue->aborted);
    destroy_queued(queue);
}

void vsm_queue_high_water(struct vsm_queue *queue, int *frames, size_t *bytes)
{
    pthread_mutex_lock(&queue->lock);
    *frames = queue->high_frames;
    *bytes = queue->high_bytes;
    pthread_mutex_unlock(&queue->lock);
}
