/* This program's own operators inside ONNX Runtime: the domain "vsm", made by nn/graph_fuse.h.
 *
 *   LinearHalf(x, w, bias?) -> act(x w + bias), all float16. Attributes act (enum vsm_cuda_linear_act), by_columns (w is
 *     [in, out], else [out, in]). x [..., in].
 *   LinearFull(x, w, bias?, residual?) -> residual + x w + bias; bias, residual and result float32. residual has the
 *     result's shape.
 *   NormFull(x float32, scale, bias), NormHalf(x float16, scale, bias) -> the norm of the last axis, float16. Attributes
 *     epsilon, gelu.
 *
 *   FinishPlanes(x, bias, residual?) -> gelu(x + bias) + residual, all float16, x [batch, channels, height, width]. Attribute
 *     gelu.
 *   PlaneMeans(x) -> [batch, channels, 1, 1]
 *   PoolTokens(x) -> maxima of 2 x 2 of x [batch, height, width, channels]
 *   Rotate(x, cosine, sine, still?) -> [batch, rows + still rows, channels]: x [batch, ..., channels] as rows, with rotary
 *     positions, and behind them `still` as it is. Neighbouring channels are a pair.
 *   Attention(q, k, v) -> softmax(q k^T / sqrt(256)) v of float16 [batch, rows, 256 or, v, 64]
 *
 *   Unfold(x) -> [patches, columns], x [batch, height, width, channels], or [batch, channels, height, width] if `planar`.
 *     Attributes kernel, stride, pad, planar, depth (of a row: columns of cuda/patches.h).
 *   SmallConv(x, w, bias) -> [patches, outputs]: 3 x 3, stride 2, of tokens with 1 or 4 channels, w [outputs, 9 channels]
 *   DepthwiseTokens(x, w, bias) -> like x: 7 x 7 of tokens, w [49, channels]
 *
 * On CUDA they are the kernels of src/cuda; on the CPU plain loops, slow, for tests.
 */
#ifndef VSM_NN_ORT_OPS_H
#define VSM_NN_ORT_OPS_H

#include "nn/ort_api.h"

#include <stdbool.h>

struct vsm_ort_ops;

/* For one session, which must be destroyed first. VSM_E_DEVICE if `cuda` and the kernels cannot run here. */
int vsm_ort_ops_create(const OrtApi *api, bool cuda, struct vsm_ort_ops **ops) VSM_NODISCARD;
void vsm_ort_ops_destroy(struct vsm_ort_ops *ops);

/* A session of a model that uses them. */
int vsm_ort_ops_session(struct vsm_ort_ops *ops, const OrtEnv *env, OrtModel *model,
                        OrtSessionOptions *options, OrtSession **session) VSM_NODISCARD;
/* Likewise, of one in a file. */
int vsm_ort_ops_read(struct vsm_ort_ops *ops, const OrtEnv *env, const char *path, OrtSessionOptions *options,
                     OrtSession **session) VSM_NODISCARD;

#endif
