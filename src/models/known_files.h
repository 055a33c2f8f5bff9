/* The two files of a TensorFlow.js model that this program knows by content: graph and weight shard. */
#ifndef VSM_MODELS_KNOWN_FILES_H
#define VSM_MODELS_KNOWN_FILES_H

#include "base/hash.h"
#include "base/status.h"
#include "nn/tfjs.h"

struct vsm_known_files {
    const char *what;         /* for messages: "the RVM weights" */
    const char *graph_sha256; /* hexadecimal */
    const char *shard;        /* name of the shard, beside the graph file */
    const char *shard_sha256;
};

/* Checks both files against their SHA-256 and gives the hash of the two hashes. VSM_E_MODEL, naming the file,
 * if one is missing or another than the known one; VSM_E_NOMEM. Cost: reads both files whole. */
int vsm_known_files_check(const struct vsm_known_files *known, const char *graph_path,
                          struct vsm_sha256 *hash) VSM_NODISCARD;

/* The same, and opens the model from the bytes that were checked. */
int vsm_known_files_open(const struct vsm_known_files *known, const char *graph_path, struct vsm_sha256 *hash,
                         struct vsm_tfjs **model) VSM_NODISCARD;

#endif
