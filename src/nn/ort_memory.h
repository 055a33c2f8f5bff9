/* Where ONNX Runtime's CPU tensors live: one region of address space for the process, from which blocks are cut.
 *
 * A network asks for the same blocks in the same order in every run. The library's own arena rounds its growth up to
 * powers of two and splits a chunk only when half of it stays free; here every block takes its size and the smallest
 * hole that holds it, so that the region grows to little more than what lives at once.
 * Measured (RVM, one eye): doc/performance.md, "Memory".
 *
 * The region is the one global state of this folder, under its own lock; pages stay with the process until the last
 * block is freed.
 */
#ifndef VSM_NN_ORT_MEMORY_H
#define VSM_NN_ORT_MEMORY_H

#include "nn/ort_api.h"

/* Address space, of which only what is used costs memory. Halved until the system grants it. */
#define VSM_ORT_MEMORY_REGION ((size_t)1 << 36)

/* Around a run: one network at a time, for then all share the same bytes of the region. Each takes all threads anyway.
 * Never waits for longer than a run that RunOptionsSetTerminate can end. */
void vsm_ort_memory_begin(void);
void vsm_ort_memory_end(void);

/* Makes the sessions of the environment that set "session.use_env_allocators" use the region. Any number of times. */
int vsm_ort_memory_register(const OrtApi *api, OrtEnv *env) VSM_NODISCARD;

#endif
