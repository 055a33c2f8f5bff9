/* Memory that is needed for a moment only: the tensors inside a network, the planes of one comparison.
 *
 * One region of address space for the process, from which blocks are cut: each takes its size, in the
 * smallest hole that holds it, so that the region grows to little more than what lives at once. Who needs
 * much memory for a moment takes a turn first; then the bytes that one user leaves are the next one's, and
 * the process needs the largest of them instead of their sum. Blocks may also outlive turns, but then they
 * keep others from their bytes.
 *
 * Each user of a turn works with all threads anyway, so that turns cost no time. They are given in the order
 * of asking, and none lasts longer than one run of a network or one pass over a picture. This is the one
 * global state of this folder besides the log, under its own locks. Any thread.
 */
#ifndef VSM_BASE_SCRATCH_H
#define VSM_BASE_SCRATCH_H

#include <stddef.h>

/* Address space, of which only what is used costs memory. Halved until the system grants it. */
#define VSM_SCRATCH_REGION ((size_t)1 << 36)

/* Waits for the turn. The thread that has it may begin again; as many ends as begins. */
void vsm_scratch_begin(void);
void vsm_scratch_end(void);

/* From here on nobody waits for a turn. For a process whose users of this memory work beside each other
 * because something else sets the pace (a GPU): it costs the sum of what they need. While nobody has a
 * turn. */
void vsm_scratch_share(void);

/* count * size bytes, aligned as of base/mem.h, not zeroed. NULL with a message on overflow or exhaustion;
 * count or size 0 gives a valid block. Release with vsm_scratch_free(). */
void *vsm_scratch_alloc(const char *what, size_t count, size_t size);

/* The same without message and fault points, for libraries that report a failure themselves. */
void *vsm_scratch_take(size_t bytes);

/* NULL is allowed. The bytes stay with the process for the next user, until the last block is freed. */
void vsm_scratch_free(void *block);

#endif
