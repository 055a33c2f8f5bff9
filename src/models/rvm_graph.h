/* The graph of RVM (MobileNetV3-Large backbone) in the layout that ONNX Runtime's CPU kernels like. For
 * models/rvm.c and its tests.
 *
 * Source of the architecture: arXiv 2108.11515, section 3; of the backbone: arXiv 1905.02244, table 1,
 * with the last stage dilated instead of strided. The trained network is the TensorFlow.js one; layers are
 * found by the names that its converter gave them. Its box filter, which image/guided_fit.h replaces,
 * dropped the border cells and stretched the rest; inside, both are the same, which the golden test shows.
 */
#ifndef VSM_MODELS_RVM_GRAPH_H
#define VSM_MODELS_RVM_GRAPH_H

#include "nn/graph.h"
#include "nn/tfjs.h"

#define VSM_RVM_LEVELS 4

/* Channels of the recurrent states at 1/2, 1/4, 1/8 and 1/16 of the grid. */
extern const int vsm_rvm_graph_state_channels[VSM_RVM_LEVELS];

/* Size of level 0 (the grid) to 4 along one side: halved and rounded up. */
int vsm_rvm_graph_level(int size, int level);

/* Inputs, all float32: "src" [batch, 3, height, width], RGB 0..1; "r1i" to "r4i" [batch, C, h, w].
 * Outputs: "r1o" to "r4o"; "matte" [batch, 4, height, width]: foreground residual R, G, B and raw alpha,
 * to which image/guided_fit.h fits the filter. Sizes that are not multiples of 16 cost crops. The graph
 * owns its weights. */
int vsm_rvm_graph_build(const struct vsm_tfjs *weights, int width, int height, int batch,
                        struct vsm_graph **graph) VSM_NODISCARD;

/* The same network in the operators of nn/fused.h, for the CUDA back end, with "coefficients" [batch, 8,
 * height, width], the fit, as another output. Width and height must be multiples of 16. */
int vsm_rvm_graph_build_fused(const struct vsm_tfjs *weights, int width, int height, int batch,
                              struct vsm_graph **graph) VSM_NODISCARD;

#endif
