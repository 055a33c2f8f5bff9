/* This program's own operators: what each is called, takes and gives, and which kernel runs it.
 * nn/graph_fuse.h puts them into networks, nn/ort_ops.h brings them to ONNX Runtime as its domain "vsm". A
 * new one is a row of the table in own_ops.c and a line here.
 *
 *   LinearHalf(x, w, bias?) -> act(x w + bias), all float16. Attributes act (enum vsm_cuda_linear_act),
 *     by_columns (w is [in, out], else [out, in]). x [..., in].
 *   LinearFull(x, w, bias?, residual?) -> residual + x w + bias; bias, residual and result float32. residual
 *     has the result's shape.
 *   NormFull(x float32, scale, bias), NormHalf(x float16, scale, bias) -> the norm of the last axis, float16.
 *     Attributes epsilon, gelu.
 *
 *   FinishPlanes(x, bias, residual?) -> gelu(x + bias) + residual, all float16, x [batch, channels, height,
 *     width]. Attribute gelu.
 *   PlaneMeans(x) -> [batch, channels, 1, 1]
 *   PoolTokens(x) -> maxima of 2 x 2 of x [batch, height, width, channels]
 *   Rotate(x, cosine, sine, still?) -> [batch, rows + still rows, channels]: x [batch, ..., channels] as
 *     rows, with rotary positions, and behind them `still` as it is. Neighbouring channels are a pair.
 *   Attention(q, k, v) -> softmax(q k^T / sqrt(256)) v of float16 [batch, rows, 256 or, v, 64]
 *   LatentAttention(q, k, v) -> softmax(q k^T / sqrt(64)) v, q [groups, 1, 64], k and v [groups, rows, 64]
 *
 *   Unfold(x) -> [patches, columns], x [batch, height, width, channels], or [batch, channels, height, width]
 *     if `planar`. Attributes kernel, stride, pad, planar, depth (of a row: columns of cuda/patches.h).
 *   SmallConv(x, w, bias) -> [patches, outputs]: 3 x 3, stride 2, of tokens with 1 or 4 channels, w [outputs,
 *     9 channels]
 *   DepthwiseTokens(x, w, bias) -> like x: 7 x 7 of tokens, w [49, channels]
 *
 * On CUDA they are the kernels of src/cuda; on the CPU plain loops (nn/ops_reference.h), slow, for tests.
 */
#ifndef VSM_NN_OWN_OPS_H
#define VSM_NN_OWN_OPS_H

#include "base/status.h"
#include "frame/tensor.h"

#include <stdbool.h>

struct vsm_cuda_attention;
struct vsm_cuda_linear;
struct vsm_own_ops_operator;

#define VSM_OWN_OPS_MAX_INPUTS 4

/* Integer attributes. */
enum vsm_own_ops_attribute {
    VSM_OWN_OPS_ACT,
    VSM_OWN_OPS_BY_COLUMNS,
    VSM_OWN_OPS_GELU,
    VSM_OWN_OPS_KERNEL,
    VSM_OWN_OPS_STRIDE,
    VSM_OWN_OPS_PAD,
    VSM_OWN_OPS_PLANAR,
    VSM_OWN_OPS_DEPTH,
    VSM_OWN_OPS_ATTRIBUTES
};

/* Borrowed memory of a tensor and its shape. */
struct vsm_own_ops_operand {
    const void *data; /* NULL: missing */
    size_t rank;
    int64_t dims[VSM_TENSOR_MAX_RANK];
};

/* Where operators run. */
struct vsm_own_ops_device {
    bool cuda;
    struct vsm_cuda_linear *linear;       /* NULL on the CPU */
    struct vsm_cuda_attention *attention; /* likewise, and where it is not available */
};

/* An operator in a network. */
struct vsm_own_ops_node {
    const struct vsm_own_ops_operator *op;
    const struct vsm_own_ops_device *device;
    int64_t attributes[VSM_OWN_OPS_ATTRIBUTES]; /* those of the operator are set */
    float epsilon;
};

/* `in` has VSM_OWN_OPS_MAX_INPUTS entries in both functions. */
struct vsm_own_ops_operator {
    const char *name;
    const char *inputs;  /* a letter each: H float16, F float32 */
    size_t needed;       /* inputs from here on may be missing */
    char output;         /* a letter likewise; there is one */
    unsigned attributes; /* bit 1 << enum vsm_own_ops_attribute */
    bool epsilon;        /* has it as an attribute, too */
    /* Whether the inputs fit; the result's shape goes to `out`. */
    bool (*infer)(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in,
                  struct vsm_own_ops_operand *out);
    /* Only for inputs that fit and a result that is not empty. `stream` counts on CUDA only. */
    int (*run)(const struct vsm_own_ops_node *node, const struct vsm_own_ops_operand *in, void *out,
               void *stream);
};

/* All there are; the last is followed by one without a name. */
extern const struct vsm_own_ops_operator vsm_own_ops[];

/* Name of an attribute. */
const char *vsm_own_ops_attribute_name(enum vsm_own_ops_attribute attribute);
/* The product of the dimensions. */
int64_t vsm_own_ops_count(const struct vsm_own_ops_operand *operand);

#endif
