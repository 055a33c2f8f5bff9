/* Idioms for building the graphs of the SAM 2 family out of a checkpoint: named parameters with their shapes
 * checked, and the few layer kinds that occur. Errors are sticky, as in nn/graph.h; vsm_sam2_build_status()
 * tells.
 *
 * Layout: features live as tokens, [B * H * W, C] for linear layers and [B, H * W, C] for attention
 * (row-major pixels), so that linear layers need no transposition; only true convolutions use NCHW. A
 * dimension of -1 in a reshape is computed. Keys are official names with printf arguments.
 */
#ifndef VSM_MODELS_SAM2_BUILD_H
#define VSM_MODELS_SAM2_BUILD_H

#include "models/sam2_config.h"
#include "nn/graph.h"
#include "nn/weights.h"

#define VSM_SAM2_OPSET 20 /* the first with Gelu */

struct vsm_sam2_build {
    struct vsm_graph *graph;
    const struct vsm_weights *weights;
    const struct vsm_sam2_config *config;
    bool trace;  /* also declare inner values as outputs, for tests */
    bool device; /* the forms for a GPU (sam2_graphs.h) */
    bool narrow; /* with `device`: values may be narrower than keys (vsm:Attention of nn/own_ops.h) */
    bool own;    /* with `device`: in half precision, so that all of nn/own_ops.h may be used */
    int status;  /* first failure of this file's functions */
    char *message;
};

/* Starts a graph; on failure the status is set. */
void vsm_sam2_build_start(struct vsm_sam2_build *b, const char *name, const struct vsm_weights *weights,
                          const struct vsm_sam2_config *config);

/* VSM_OK or the first failure, with its message. The graph stays in b->graph; destroy it with
 * vsm_sam2_build_destroy(). */
int vsm_sam2_build_status(struct vsm_sam2_build *b) VSM_NODISCARD;
void vsm_sam2_build_destroy(struct vsm_sam2_build *b);

/* A parameter as float32 in memory of its own, `count` elements; NULL and failure otherwise.
 * vsm_mem_free(). */
float *vsm_sam2_build_read(struct vsm_sam2_build *b, int64_t count, const char *key, ...) VSM_PRINTF(3, 4);

/* A parameter as a constant of the graph in the given shape; read in place if it is packed float32. */
vsm_value vsm_sam2_build_weight(struct vsm_sam2_build *b, int rank, const int64_t *dims, const char *key, ...)
    VSM_PRINTF(4, 5);

/* Rows [first, first + rows) of the parameter [all, columns]. */
vsm_value vsm_sam2_build_rows(struct vsm_sam2_build *b, int64_t all, int64_t columns, int64_t first,
                              int64_t rows, const char *key, ...) VSM_PRINTF(6, 7);

/* A constant from memory, copied. */
vsm_value vsm_sam2_build_constant(struct vsm_sam2_build *b, int rank, const int64_t *dims, const float *data);

/* x [T, in] -> [T, out] with KEY.weight [out, in] and KEY.bias; without KEY.bias if the key says so. */
vsm_value vsm_sam2_build_linear(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out,
                                const char *key, ...) VSM_PRINTF(5, 6);
vsm_value vsm_sam2_build_linear_no_bias(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out,
                                        const char *key, ...) VSM_PRINTF(5, 6);
/* x [T, in] with a weight [out, in] and a bias [out] (or VSM_VALUE_NONE) that are values already. */
vsm_value vsm_sam2_build_gemm(struct vsm_sam2_build *b, vsm_value x, vsm_value weight, vsm_value bias);

/* x [..., in] of any rank -> [..., out] with KEY.weight (transposed into memory of its own) and KEY.bias: for
 * inputs with two free dimensions, which no reshape can restore. */
vsm_value vsm_sam2_build_matmul(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out,
                                const char *key, ...) VSM_PRINTF(5, 6);

/* Normalises the last axis, `dim` long. */
vsm_value vsm_sam2_build_norm(struct vsm_sam2_build *b, vsm_value x, int64_t dim, float epsilon,
                              const char *key, ...) VSM_PRINTF(5, 6);

/* NCHW convolution with KEY.weight [out, in / groups, kernel, kernel] and KEY.bias. */
vsm_value vsm_sam2_build_conv(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out, int kernel,
                              int stride, int groups, const char *key, ...) VSM_PRINTF(8, 9);
vsm_value vsm_sam2_build_conv_values(struct vsm_sam2_build *b, vsm_value x, vsm_value weight, vsm_value bias,
                                     int kernel, int stride, int groups);

/* With b->own: the convolution KEY of x, tokens [B, height, width, in] (planes [B, in, height, width] if
 * `planar`) as a product of its patches, [B * patches, out]; and 3 x 3 with stride 2 from 1 to 4 or 4 to 16
 * channels, likewise. */
vsm_value vsm_sam2_build_patches(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out, int kernel,
                                 int stride, int pad, bool planar, const char *key, ...) VSM_PRINTF(9, 10);
vsm_value vsm_sam2_build_small(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t out,
                               const char *key, ...) VSM_PRINTF(5, 6);

/* softmax(q k^T / sqrt(d)) v, all [B, tokens, heads * d]; v may have another width when heads is 1. */
vsm_value vsm_sam2_build_attention(struct vsm_sam2_build *b, vsm_value q, vsm_value k, vsm_value v,
                                   int heads);

/* `layers` linear layers KEY.layers.i with ReLU between them: in -> hidden ... -> out. */
vsm_value vsm_sam2_build_mlp(struct vsm_sam2_build *b, vsm_value x, int64_t in, int64_t hidden, int64_t out,
                             int layers, const char *key, ...) VSM_PRINTF(7, 8);

vsm_value vsm_sam2_build_reshape(struct vsm_sam2_build *b, vsm_value x, int rank, const int64_t *dims);
vsm_value vsm_sam2_build_transpose(struct vsm_sam2_build *b, vsm_value x, int rank, const int64_t *order);
vsm_value vsm_sam2_build_concat(struct vsm_sam2_build *b, vsm_value first, vsm_value second, int axis);
vsm_value vsm_sam2_build_slice(struct vsm_sam2_build *b, vsm_value x, int64_t axis, int64_t from, int64_t to);
/* [B, H, W, C] with `rows` more rows and columns of zeros at the end. */
vsm_value vsm_sam2_build_pad(struct vsm_sam2_build *b, vsm_value x, int64_t rows);
/* The maximum of 2 x 2 pixels of tokens of a height x width grid. */
vsm_value vsm_sam2_build_max_pool(struct vsm_sam2_build *b, vsm_value x, int64_t height, int64_t width,
                                  int64_t channels);

/* Short forms of the two layouts: tokens [B * H * W, C] or [B, H * W, C] to NCHW and back to
 * [B * H * W, C]. */
vsm_value vsm_sam2_build_to_nchw(struct vsm_sam2_build *b, vsm_value tokens, int64_t height, int64_t width,
                                 int64_t channels);
vsm_value vsm_sam2_build_to_tokens(struct vsm_sam2_build *b, vsm_value nchw, int64_t channels);

/* [B * rows, C] -> [B, rows, C] and back. */
vsm_value vsm_sam2_build_batched(struct vsm_sam2_build *b, vsm_value x, int64_t rows, int64_t channels);
vsm_value vsm_sam2_build_flat(struct vsm_sam2_build *b, vsm_value x, int64_t channels);

vsm_value vsm_sam2_build_gelu(struct vsm_sam2_build *b, vsm_value x);
vsm_value vsm_sam2_build_relu(struct vsm_sam2_build *b, vsm_value x);
vsm_value vsm_sam2_build_add(struct vsm_sam2_build *b, vsm_value x, vsm_value y);

/* To another element type of ONNX (1 float, 10 float16, 16 bfloat16). */
vsm_value vsm_sam2_build_cast(struct vsm_sam2_build *b, vsm_value x, int type);

void vsm_sam2_build_input(struct vsm_sam2_build *b, vsm_value *value, const char *name, int rank,
                          const int64_t *dims);
void vsm_sam2_build_output(struct vsm_sam2_build *b, vsm_value value, const char *name, int rank,
                           const int64_t *dims);

#define VSM_DIMS(...) ((const int64_t[]){__VA_ARGS__})

#endif
