/* The convolutional part of MoveNet multipose: MobileNetV2 of width 1.5 (arXiv 1801.04381, table 2), a
 * feature pyramid with separable convolutions, and CenterNet's heads (arXiv 1904.07850, section 4). For
 * models/detector.c and its tests. The layers are found by the names that the TensorFlow.js converter gave
 * them.
 */
#ifndef VSM_MODELS_DETECTOR_GRAPH_H
#define VSM_MODELS_DETECTOR_GRAPH_H

#include "nn/graph.h"
#include "nn/tfjs.h"

/* Grid cells of the input for one cell of the heads. */
#define VSM_DETECTOR_GRAPH_STRIDE 4

/* Input "src" [1, 3, side, side], RGB from -1 to 1; side is a multiple of 32. Outputs, all [1, C, side/4,
 * side/4]: "centre" (C = 1) and "keypoints" (17) in 0..1; "size" (h, w), "offset" (y, x) and "regress" (17 x
 * (dy, dx)) in cells. VSM_E_MODEL if a tensor is missing or of another shape. The graph owns its weights. */
int vsm_detector_graph_build(const struct vsm_tfjs *weights, int side,
                             struct vsm_graph **graph) VSM_NODISCARD;

/* The same of operators of nn/fused.h. */
int vsm_detector_graph_build_fused(const struct vsm_tfjs *weights, int side,
                                   struct vsm_graph **graph) VSM_NODISCARD;

#endif
