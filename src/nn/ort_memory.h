/* Where ONNX Runtime's CPU tensors live: in the process's scratch memory (base/scratch.h).
 *
 * A network asks for the same blocks in the same order in every run. The library's own arena rounds its
 * growth up to powers of two and splits a chunk only when half of it stays free, so that it needs more.
 * Measured (RVM, one eye): doc/performance.md, "Memory". Runs take a turn.
 */
#ifndef VSM_NN_ORT_MEMORY_H
#define VSM_NN_ORT_MEMORY_H

#include "nn/ort_api.h"

/* Makes the sessions of the environment that set "session.use_env_allocators" use scratch memory. Any number
 * of times. */
int vsm_ort_memory_register(const OrtApi *api, OrtEnv *env) VSM_NODISCARD;

#endif
