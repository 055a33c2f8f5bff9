/* Bounded single-producer single-consumer queue of pipeline items: frames and barriers.
 *
 * The only place in the pipeline that blocks. Bounded in frames and in bytes; a frame larger than the byte
 * bound is admitted when no other frame is queued, so progress is always possible. No time-outs and no
 * polling: every wait ends by an item, a close or an abort. The three endings are never mixed:
 *   close_send  the producer is done; the consumer drains what is queued, then gets VSM_EOF
 *   close_recv  the consumer wants no more; queued items are destroyed, the producer's next put gets VSM_EOF
 *               and keeps its item
 *   abort       both sides get VSM_E_CANCELLED at once, queued items are destroyed; a failing stage aborts
 *               its output and never closes it, so that nobody drains half-made work
 */
#ifndef VSM_PIPELINE_QUEUE_H
#define VSM_PIPELINE_QUEUE_H

#include "base/status.h"
#include "pipeline/item.h"

#include <stddef.h>
#include <stdint.h>

struct vsm_queue;

/* max_frames >= 1 and max_bytes >= 1 bound the queued frames. Barriers are not counted among them,
 * but no more than max_frames + 1 wait at once (a barrier behind every frame fits). NULL on
 * failure (message set). */
struct vsm_queue *vsm_queue_create(int max_frames, size_t max_bytes) VSM_NODISCARD;
/* Both sides must have stopped using it. Destroys queued items. NULL is allowed. */
void vsm_queue_destroy(struct vsm_queue *queue);

/* Blocks while full. VSM_OK: the item is taken and *item zeroed. VSM_EOF: the consumer left; VSM_E_CANCELLED:
 * aborted; VSM_E_INTERNAL: put after close_send. On failure nothing is taken. Adds the time blocked to
 * *waited_ns. Producer's thread only. */
int vsm_queue_put(struct vsm_queue *queue, struct vsm_item *item, uint64_t *waited_ns) VSM_NODISCARD;

/* Blocks while empty. VSM_OK: the caller owns *item. VSM_EOF after close_send when drained, or after
 * close_recv; VSM_E_CANCELLED after an abort. Without VSM_OK *item is zeroed. Adds the time blocked to
 * *waited_ns. Consumer's thread only. */
int vsm_queue_get(struct vsm_queue *queue, struct vsm_item *item, uint64_t *waited_ns) VSM_NODISCARD;

/* Endings; each may be called from any thread, repeatedly; an abort is stronger than a close. */
void vsm_queue_close_send(struct vsm_queue *queue);
void vsm_queue_close_recv(struct vsm_queue *queue);
void vsm_queue_abort(struct vsm_queue *queue);

/* Highest number of frames and bytes that were queued at once. Any thread. */
void vsm_queue_high_water(struct vsm_queue *queue, int *frames, size_t *bytes);

#endif
