/* A network ready to run on a device. The back end behind it is ONNX Runtime (nn/ort_*.c), the only place
 * that knows it; tests may use the null back end, which returns zeros of the declared shapes (1 where free).
 *
 * One session is used by one thread at a time; vsm_session_interrupt() may come from any thread.
 */
#ifndef VSM_NN_SESSION_H
#define VSM_NN_SESSION_H

#include "base/status.h"
#include "frame/tensor.h"
#include "nn/graph.h"

#include <stdbool.h>
#include <stddef.h>

enum vsm_device { VSM_DEVICE_CPU, VSM_DEVICE_CUDA };

/* VSM_BACKEND_FUSED runs fused graphs (nn/fused.h) on VSM_DEVICE_CUDA by kernels of this program. */
enum vsm_backend_kind { VSM_BACKEND_ORT, VSM_BACKEND_NULL, VSM_BACKEND_FUSED };

struct vsm_device_pool;

struct vsm_session_options {
    enum vsm_backend_kind backend;
    enum vsm_device device;
    int threads; /* CPU threads for one run, >= 1 */
    /* Of nn/graph_cache.h, ONNX Runtime only: path of the optimised network to run instead of the graph,
     * which then tells the ports alone; or where to write it, its weights beside it with ".weights" in place
     * of ".onnx". It runs on the device that it was optimised for, in the same precision. */
    const char *read_from, *write_to;
    /* VSM_BACKEND_ORT on CUDA: attention not by cuDNN, which is the faster one for thousands of queries,
     * but slower for a few, and makes a plan, tens of milliseconds, for every new shape. */
    bool few_queries;
    bool half; /* VSM_BACKEND_ORT: products in float16 (nn/graph_half.h); on the CPU slow, for tests */
    struct vsm_device_pool
        *pool; /* borrowed: where tensors of several networks live; NULL: a session's own */
};

struct vsm_session;

/* Builds a session from a finished graph; the graph may be freed afterwards, its borrowed weights only
 * after the session. VSM_E_MODEL if the back end refuses the graph, VSM_E_DEVICE if the device is not
 * there. Cost: 0.2 s for RVM (too little to keep optimised graphs on disk), seconds for large graphs. */
int vsm_session_create(const struct vsm_graph *graph, const struct vsm_session_options *options,
                       struct vsm_session **session) VSM_NODISCARD;
void vsm_session_destroy(struct vsm_session *session);

/* One named tensor going in or coming out. */
struct vsm_binding {
    const char *name;
    struct vsm_tensor *tensor;
};

/* Runs once. Inputs are borrowed. Outputs: a tensor given by the caller receives the result in place (shape
 * and type must fit); a NULL tensor is replaced by a new one that the caller owns. On failure nothing new is
 * left. Tensors are in host memory; with a pool they may also be its own, and if all results are, the call
 * returns before they are there (vsm_device_pool_wait()). VSM_E_DEVICE on a run-time failure,
 * VSM_E_CANCELLED after an interrupt. */
int vsm_session_run(struct vsm_session *session, const struct vsm_binding *inputs, size_t input_count,
                    struct vsm_binding *outputs, size_t output_count) VSM_NODISCARD;

/* Makes a running vsm_session_run() (and all later ones) return VSM_E_CANCELLED soon. Any thread. */
void vsm_session_interrupt(struct vsm_session *session);

/* "ONNX Runtime 1.29.0", and a comma-separated list of the execution providers that this build
 * and machine have. */
const char *vsm_session_backend_version(void);
const char *vsm_session_providers(void);

#endif
