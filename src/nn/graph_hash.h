/* A hash that tells two graphs apart: everything in nn/graph_data.h but the contents of borrowed weights,
 * which come from a file that has a hash of its own. */
#ifndef VSM_NN_GRAPH_HASH_H
#define VSM_NN_GRAPH_HASH_H

#include "base/hash.h"
#include "nn/graph.h"

/* VSM_E_NOMEM only. Cost: reads all weights that the graph owns. */
int vsm_graph_hash(const struct vsm_graph *graph, struct vsm_sha256 *hash) VSM_NODISCARD;

#endif
