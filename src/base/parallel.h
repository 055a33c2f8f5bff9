/* A parallel for-loop on a fixed set of worker threads, for kernels that split a picture into bands.
 *
 * The threads are made once and sleep between loops. Results must not depend on the number of threads:
 * the body gets an index and must write only what belongs to that index (and scratch memory that belongs
 * to its worker).
 */
#ifndef VSM_BASE_PARALLEL_H
#define VSM_BASE_PARALLEL_H

#include "base/status.h"

#define VSM_PARALLEL_MAX_THREADS 256

struct vsm_parallel;

/* `threads` 1..VSM_PARALLEL_MAX_THREADS count the calling thread, so 1 starts none. NULL on
 * failure (message set). */
struct vsm_parallel *vsm_parallel_create(int threads) VSM_NODISCARD;

/* Ends the threads. NULL is allowed. No loop may be running. */
void vsm_parallel_destroy(struct vsm_parallel *pool);

/* The number of workers; 1 for NULL. */
int vsm_parallel_threads(const struct vsm_parallel *pool);

/* Calls body(context, index, worker) for every index in 0..count-1, in any order, each once, and returns
 * when all have returned. worker is in 0..threads-1 and no two running bodies share it. The caller works
 * too, as worker 0. NULL pool: a plain loop. Loops of several callers on one pool run one after the other; a
 * body must not start another loop on the same pool. Cannot fail: bodies note their failures in the context.
 * Cost: two wake-ups; a thread that wakes when all is done is not waited for. */
void vsm_parallel_for(struct vsm_parallel *pool, int count,
                      void (*body)(void *context, int index, int worker), void *context);

#endif
