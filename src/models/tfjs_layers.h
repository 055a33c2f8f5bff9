/* Layers of networks that TensorFlow.js stored, as ONNX nodes: weights found by name and brought into ONNX's
 * order, convolutions, activations. For the graphs of RVM and of the detector.
 *
 * As in nn/graph.h errors are sticky: what fails makes the graph fail with a message that names the tensor,
 * and yields NULL or VSM_VALUE_NONE. Not thread-safe.
 */
#ifndef VSM_MODELS_TFJS_LAYERS_H
#define VSM_MODELS_TFJS_LAYERS_H

#include "nn/fused.h"
#include "nn/graph.h"
#include "nn/tfjs.h"

struct vsm_tfjs_layers {
    struct vsm_graph *graph;
    const struct vsm_tfjs *weights;
};

/* The float32 tensor `name` of that rank. dims: what it must be, -1 or dims NULL = whatever it is.
 * VSM_E_MODEL if it is not that. Owned by the caller. */
struct vsm_tensor *vsm_tfjs_layers_load(const struct vsm_tfjs_layers *layers, const char *name, int rank,
                                        const int64_t *dims);

/* Adds a tensor to the graph and gives it up; NULL fails with VSM_E_NOMEM unless the graph has failed
 * before. */
vsm_value vsm_tfjs_layers_add(const struct vsm_tfjs_layers *layers, struct vsm_tensor *tensor);

/* Some channels of a stored kernel [height, width, in, out]. */
struct vsm_tfjs_layers_part {
    int64_t in_from, in_count, out_from, out_count;
};

/* Part of the kernel `name`, whose values are `stored`, as [out, in, height, width]. VSM_E_MODEL if it has
 * fewer channels. */
vsm_value vsm_tfjs_layers_kernel(const struct vsm_tfjs_layers *layers, const char *name,
                                 const struct vsm_tensor *stored, const struct vsm_tfjs_layers_part *part);

/* A stored depthwise kernel [height, width, C, 1] as [C, 1, height, width], times `factor` [C] if that is not
 * NULL. */
vsm_value vsm_tfjs_layers_depthwise(const struct vsm_tfjs_layers *layers, const struct vsm_tensor *stored,
                                    const struct vsm_tensor *factor);

struct vsm_tfjs_layers_conv {
    int size; /* of the kernel, odd */
    int stride, dilation;
    int64_t groups;
    bool even; /* strided, TensorFlow's SAME for even sizes: pads below and to the right only */
};

/* Convolution with "same" padding. bias VSM_VALUE_NONE = none. */
vsm_value vsm_tfjs_layers_conv(const struct vsm_tfjs_layers *layers, vsm_value x, vsm_value kernel,
                               vsm_value bias, const struct vsm_tfjs_layers_conv *conv);

/* In ONNX's operators; VSM_FUSED_NONE: x itself. */
vsm_value vsm_tfjs_layers_activate(const struct vsm_tfjs_layers *layers, vsm_value x,
                                   enum vsm_fused_activation activation);

/* Twice the size, bilinear, half-pixel. */
vsm_value vsm_tfjs_layers_double(const struct vsm_tfjs_layers *layers, vsm_value x);

#endif
