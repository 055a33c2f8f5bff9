/* What a back end does for nn/session.c, which checks everything first.
 *
 * Tensors arrive in the order of the graph's ports, already matched against their declared types and shapes.
 */
#ifndef VSM_NN_BACKEND_H
#define VSM_NN_BACKEND_H

#include "nn/graph_data.h"
#include "nn/session.h"

struct vsm_backend {
    /* Builds the back end's own state from a finished graph, which the state may not use afterwards. */
    int (*create)(const struct vsm_graph *graph, const struct vsm_session_options *options, void **state);
    /* inputs: all of them. outputs: at wanted[i], a given tensor is written and NULL is replaced by a new
     * one. On failure the caller releases what is new. */
    int (*run)(void *state, struct vsm_tensor *const *inputs, struct vsm_tensor **outputs,
               const bool *wanted);
    /* Makes run() return soon, from any thread; session.c turns its failure into VSM_E_CANCELLED. */
    void (*interrupt)(void *state);
    void (*destroy)(void *state);
    /* Name and version of the library, and what it can run on; static texts. NULL where there
     * is no library. */
    const char *(*version)(void);
    const char *(*providers)(void);
};

extern const struct vsm_backend vsm_null_backend;
extern const struct vsm_backend vsm_ort_session_backend;
extern const struct vsm_backend vsm_cuda_net_backend; /* fused graphs only (nn/fused.h) */

/* The most inputs or outputs that a session takes: bounds the arrays of one run. Measured need: 13. */
#define VSM_BACKEND_MAX_PORTS 64

#endif
