/* A half-precision network with fewer, larger operators: linear layers with what is behind them, norms that
 * give float16, and so on, for nn/ort_ops.h to run.
 *
 * From what vsm_graph_half() makes:
 *   Gemm or MatMul with a weight, an Add of a bias, then Relu or Gelu           -> vsm:LinearHalf
 *   the same, then a Cast to float32, and the sum with a residual if one follows -> vsm:LinearFull
 *   LayerNormalization to float16, then Gelu if one follows                     -> vsm:NormFull, vsm:NormHalf
 *   Conv with a bias, then Gelu or the sum with a residual                      -> Conv, vsm:FinishPlanes
 *   GlobalAveragePool                                                           -> vsm:PlaneMeans
 *   MaxPool of 2 x 2 between Transposes from tokens to planes and back          -> vsm:PoolTokens
 *   RotaryEmbedding, then Reshape and Concat with more rows if those follow     -> vsm:Rotate
 * Only values that nobody else uses are swallowed. All other nodes stay as they are.
 */
#ifndef VSM_NN_GRAPH_FUSE_H
#define VSM_NN_GRAPH_FUSE_H

#include "base/status.h"
#include "nn/graph.h"

/* `graph` may be destroyed afterwards; its borrowed weights are still borrowed. */
int vsm_graph_fuse(const struct vsm_graph *graph, struct vsm_graph **fused) VSM_NODISCARD;

#endif
