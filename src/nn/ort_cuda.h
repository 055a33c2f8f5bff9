/* Runs of an ONNX Runtime session on its CUDA provider: tensors on the device are bound where they
 * are, host tensors are copied to and from fixed places, and a run that is asked for again and again
 * with the same addresses and shapes is recorded as a CUDA graph and played from then on, until
 * another one is asked for (nn/replay.h).
 *
 * Only nn/ort_session.c includes this. The provider is a library of its own that ONNX Runtime loads at run
 * time; the message of a failure says what it lacks.
 */
#ifndef VSM_NN_ORT_CUDA_H
#define VSM_NN_ORT_CUDA_H

#include "nn/backend.h"
#include "nn/device_pool.h"
#include "nn/ort_api.h"

struct vsm_ort_cuda;

/* `pool` NULL: one of its own. */
int vsm_ort_cuda_create(const OrtApi *api, struct vsm_device_pool *pool,
                        struct vsm_ort_cuda **cuda) VSM_NODISCARD;

/* Whose stream it runs on; NULL for NULL. */
struct vsm_device_pool *vsm_ort_cuda_pool(const struct vsm_ort_cuda *cuda);

/* Adds the provider to a session's options; VSM_E_DEVICE with one line why it cannot be used. few_queries:
 * as in nn/session.h. */
int vsm_ort_cuda_append(struct vsm_ort_cuda *cuda, bool few_queries,
                        OrtSessionOptions *options) VSM_NODISCARD;

/* After the session is gone. */
void vsm_ort_cuda_destroy(struct vsm_ort_cuda *cuda);

/* A session's side of a run. */
struct vsm_ort_cuda_run {
    OrtSession *session;
    const char *subject; /* for messages */
    char *const *names;  /* of inputs, then outputs */
    size_t input_count, output_count;
    const struct vsm_graph_port *outputs;
};

/* As vsm_backend.run(). With results in host memory it waits for the stream, else it may return before the
 * end. A NULL output becomes a host tensor. */
int vsm_ort_cuda_execute(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                         struct vsm_tensor *const *inputs, struct vsm_tensor **outputs,
                         const bool *wanted) VSM_NODISCARD;

#endif
