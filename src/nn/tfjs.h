/* Reader of TensorFlow.js graph models: MODEL.json and its weight shards.
 *
 * Reads the weights only (the models in src/models build their graphs themselves). The JSON names each
 * tensor, its shape, type and, if it was quantised, how: uint8 and uint16 with value = q * scale + min, or
 * float16. A group's tensors lie one after the other, little-endian, in the concatenation of the group's
 * shards. Source of the format: TensorFlow.js, "weights manifest" of the graph-model artifacts.
 *
 * Files may be hostile: sizes, shapes and types are checked against the shards before anything is allocated
 * for them. Shards are plain names beside the JSON file. Supported: float32, int32, bool.
 */
#ifndef VSM_NN_TFJS_H
#define VSM_NN_TFJS_H

#include "base/status.h"
#include "frame/tensor.h"

#include <stddef.h>

/* Largest JSON file, largest shard, most tensors. The largest graph model known here has 0.6 MB, 9
 * MB and 1,200. */
#define VSM_TFJS_MAX_JSON    ((size_t)16 << 20)
#define VSM_TFJS_MAX_SHARD   ((size_t)256 << 20)
#define VSM_TFJS_MAX_TENSORS 65536

struct vsm_tfjs;

/* Opens PATH and the shards beside it. VSM_E_MODEL, naming the file and the tensor, if anything is wrong. */
int vsm_tfjs_open(const char *path, struct vsm_tfjs **model) VSM_NODISCARD;
void vsm_tfjs_close(struct vsm_tfjs *model);

/* Yields one shard: *data (of vsm_mem) and *size become the reader's. */
typedef int vsm_tfjs_load(void *opaque, const char *shard, void **data, size_t *size);

/* The same from memory; `label` stands for the file in messages. */
int vsm_tfjs_parse(const char *label, const void *json, size_t size, vsm_tfjs_load *load, void *opaque,
                   struct vsm_tfjs **model) VSM_NODISCARD;

size_t vsm_tfjs_count(const struct vsm_tfjs *model);
const char *vsm_tfjs_name(const struct vsm_tfjs *model, size_t index);

/* A new tensor with the values of `name`: VSM_F32, VSM_I32 or VSM_BOOL. Quantised values are computed in
 * double and rounded once. NULL (message set) if there is no such tensor (VSM_E_MODEL) or no memory
 * (VSM_E_NOMEM); the status goes to *status. */
struct vsm_tensor *vsm_tfjs_tensor(const struct vsm_tfjs *model, const char *name, int *status) VSM_NODISCARD;

#endif
