/* The layers of RVM, each for two back ends: as ONNX operators in the layout that ONNX Runtime's CPU kernels
 * like, or as the operators of nn/fused.h. For models/rvm_graph.c, which is the network made of them.
 *
 * Layers are found by the names that the TensorFlow.js converter gave them: it numbered layers of a kind in
 * the order of the network, so that they must be asked for in that order. Errors are sticky as in nn/graph.h.
 * Not thread-safe.
 */
#ifndef VSM_MODELS_RVM_LAYERS_H
#define VSM_MODELS_RVM_LAYERS_H

#include "models/tfjs_layers.h"
#include "nn/fused.h"

#include <stdbool.h>

#define VSM_RVM_LAYERS_NETWORK "StatefulPartitionedCall/matting_network_wrapper/StatefulPartitionedCall/"

#define VSM_RVM_LAYERS_NAME 320 /* bytes of the longest name, with its end */

/* ONNX Runtime's blocked layout has 8 or 16 channels a block; other counts are padded. */
#define VSM_RVM_LAYERS_BLOCK 16

struct vsm_rvm_layers {
    struct vsm_tfjs_layers base;
    bool fused;                            /* operators of nn/fused.h instead of ONNX's */
    int conv, depthwise, conv_bn, squeeze; /* numbers of the next layers of their kinds; all 0 at first */
};

/* Which part of a convolution's weights one node uses. */
struct vsm_rvm_part {
    vsm_value input;
    int64_t from, count; /* input channels */
    /* Size to which an input of half the size is enlarged just before its convolution, which needs less
     * memory at a time; width 0: it has its size. */
    int low_width, low_height, width, height;
};

#define VSM_RVM_LAYERS_PARTS 4 /* most of one convolution */

struct vsm_rvm_conv {
    char kernel[VSM_RVM_LAYERS_NAME], bias[VSM_RVM_LAYERS_NAME]; /* names; bias "" = none */
    int64_t out_from, out_count;                                 /* output channels; count 0 = all */
    int stride, dilation;
    enum vsm_fused_activation activation;
    /* Fused graphs only: */
    vsm_value residual, gate, squeeze; /* VSM_VALUE_NONE = none */
    int64_t first;                     /* channel of a single part at which its channels begin */
};

/* Text by a format; the graph fails if it is longer than `size` - 1. Returns text. */
const char *vsm_rvm_layers_name(struct vsm_rvm_layers *layers, char *text, size_t size, const char *format,
                                ...) VSM_PRINTF(4, 5);

/* "name" for 0, "name_N" for others: how the converter numbers layers. */
const char *vsm_rvm_layers_numbered(struct vsm_rvm_layers *layers, char text[48], const char *name,
                                    int number);

/* The next convolution in the scope `path`, which ends with "/" or is empty. `folded` tells how the converter
 * named it: with batch normalisation folded in, or as the variables of a plain layer. */
struct vsm_rvm_conv vsm_rvm_layers_next(struct vsm_rvm_layers *layers, const char *path, bool folded,
                                        enum vsm_fused_activation activation);

/* A convolution over 1 to VSM_RVM_LAYERS_PARTS inputs that the network concatenates, with bias and
 * activation. */
vsm_value vsm_rvm_layers_conv(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *conv,
                              const struct vsm_rvm_part *parts, size_t count);

/* The same as its two halves of output channels. */
void vsm_rvm_layers_conv_halves(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *conv,
                                const struct vsm_rvm_part *parts, size_t count, vsm_value halves[2]);

/* Depthwise convolution of `channels` with batch normalisation. */
struct vsm_rvm_depthwise {
    const char *scope; /* under the network, ends with "/" */
    int kernel, channels, stride, dilation;
    enum vsm_fused_activation activation;
};

vsm_value vsm_rvm_layers_depthwise(struct vsm_rvm_layers *layers, const struct vsm_rvm_depthwise *layer,
                                   vsm_value x);

/* Weights of a whole convolution as nodes of their own: [out, in, h, w], and [out]. */
vsm_value vsm_rvm_layers_weight(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *conv);
vsm_value vsm_rvm_layers_bias(struct vsm_rvm_layers *layers, const struct vsm_rvm_conv *conv);

/* Three numbers, one for each channel of a picture, as [1, 3, 1, 1]. */
vsm_value vsm_rvm_layers_channels(struct vsm_rvm_layers *layers, const char *name);

/* Twice the size of low_width x low_height, then without the last row or column if that is one too many.
 * Fused graphs enlarge in their convolutions: x itself. */
vsm_value vsm_rvm_layers_enlarge(struct vsm_rvm_layers *layers, vsm_value x, int low_width, int low_height,
                                 int width, int height);

/* Brings channels that are not whole blocks into the blocked layout, where enlarging is cheap: a convolution
 * that copies. */
vsm_value vsm_rvm_layers_blocked_copy(struct vsm_rvm_layers *layers, vsm_value x, int64_t channels);

#endif
