/* The operators of nn/own_ops.h inside ONNX Runtime, as its domain "vsm". */
#ifndef VSM_NN_ORT_OPS_H
#define VSM_NN_ORT_OPS_H

#include "nn/ort_api.h"

struct vsm_ort_ops;

struct vsm_device_pool;

/* For one session, which must be destroyed first. `pool`: whose stream the session runs on, borrowed;
 * NULL: on the CPU. VSM_E_DEVICE if there is one and the kernels cannot run here. */
int vsm_ort_ops_create(const OrtApi *api, struct vsm_device_pool *pool,
                       struct vsm_ort_ops **ops) VSM_NODISCARD;
void vsm_ort_ops_destroy(struct vsm_ort_ops *ops);

/* A session of a model that uses them. */
int vsm_ort_ops_session(struct vsm_ort_ops *ops, const OrtEnv *env, OrtModel *model,
                        OrtSessionOptions *options, OrtSession **session) VSM_NODISCARD;
/* Likewise, of one in a file. */
int vsm_ort_ops_read(struct vsm_ort_ops *ops, const OrtEnv *env, const char *path, OrtSessionOptions *options,
                     OrtSession **session) VSM_NODISCARD;

#endif
