/* Time stamps of numbered pictures between putting a picture into an encoder and giving its packet out.
 *
 * Pictures are numbered 0, 1, 2 ...; the queue holds a contiguous range of numbers and stays as long as the
 * encoder's delay (tens of entries).
 */
#ifndef VSM_MEDIA_STAMP_QUEUE_H
#define VSM_MEDIA_STAMP_QUEUE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Largest reorder depth: H.265 7.4.3.2, sps_max_num_reorder_pics < 16. */
#define VSM_STAMP_QUEUE_MAX_DELAY 16

struct vsm_stamp {
    int64_t pts, duration;
};

struct vsm_stamp_queue { /* zero-initialised is empty */
    struct vsm_stamp *ring;
    size_t capacity;
    uint64_t first, end; /* numbers held: first .. end - 1 */
    int64_t last_pts;
    bool has_last;
};

/* Adds the stamp of picture `end`. VSM_E_INTERNAL if pts does not increase. */
int vsm_stamp_queue_put(struct vsm_stamp_queue *queue, struct vsm_stamp stamp) VSM_NODISCARD;
/* False if the number is not held. */
bool vsm_stamp_queue_get(const struct vsm_stamp_queue *queue, uint64_t number, struct vsm_stamp *stamp);
void vsm_stamp_queue_drop_before(struct vsm_stamp_queue *queue, uint64_t number);
/* Empties the queue; the next picture put is `number`. */
void vsm_stamp_queue_restart(struct vsm_stamp_queue *queue, uint64_t number);
void vsm_stamp_queue_finish(struct vsm_stamp_queue *queue);

#endif
