/* Named tensors of a checkpoint file, read in place: torch `.pt` archives (nn/pt.h) and safetensors
 * (nn/safetensors.h). The file is mapped, never copied; a tensor's bytes are paged in when they are used.
 * Nothing in a file is executed. All sizes, offsets and products are checked while opening; afterwards every
 * element that a struct vsm_weight describes lies inside the mapping.
 *
 * A file that another process truncates while it is open raises SIGBUS, as with any mapping. A set of weights
 * is immutable once opened and may be read by any thread.
 */
#ifndef VSM_NN_WEIGHTS_H
#define VSM_NN_WEIGHTS_H

#include "base/status.h"
#include "frame/tensor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most tensors in one file; the largest official checkpoint has 982. */
#define VSM_WEIGHTS_MAX 100000

struct vsm_weight {
    const char *name; /* owned by the set */
    enum vsm_dtype dtype;
    int rank;
    int64_t dims[VSM_TENSOR_MAX_RANK];
    int64_t strides[VSM_TENSOR_MAX_RANK]; /* in elements, >= 0 */
    const void *data;                     /* first element; aligned only by accident */
};

struct vsm_weights;

/* Maps the file and reads its index; the kind is told by content, not by name. VSM_E_MODEL if it cannot be
 * opened or is not understood, with the place of the fault. Cost: under 10 ms for the official files,
 * whatever their size. */
int vsm_weights_open(const char *path, struct vsm_weights **weights) VSM_NODISCARD;

/* The same for bytes in memory, borrowed until vsm_weights_close(). `path` is for messages. */
int vsm_weights_parse(const char *path, const void *data, size_t size,
                      struct vsm_weights **weights) VSM_NODISCARD;

void vsm_weights_close(struct vsm_weights *weights);

const char *vsm_weights_path(const struct vsm_weights *weights);
size_t vsm_weights_count(const struct vsm_weights *weights);

/* By index, sorted by name (bytewise), index < count; and by name, NULL if absent (no message). */
const struct vsm_weight *vsm_weights_at(const struct vsm_weights *weights, size_t index);
const struct vsm_weight *vsm_weights_find(const struct vsm_weights *weights, const char *name);

int64_t vsm_weight_count(const struct vsm_weight *weight);

/* True if the elements are packed in C order. */
bool vsm_weight_packed(const struct vsm_weight *weight);

/* All elements in C order as float32; half and bfloat16 values are widened exactly, integers rounded.
 * `out` holds vsm_weight_count() floats. */
void vsm_weight_read_f32(const struct vsm_weight *weight, float *out);

/* Reads every byte once: the CRC-32 of every archive member, and that all floating-point values are finite.
 * VSM_E_MODEL with the name of the member or tensor. Cost: about 1 s a GiB. */
int vsm_weights_verify(const struct vsm_weights *weights) VSM_NODISCARD;

/* Lets the kernel take the mapping's pages back; those still needed return when touched. After building
 * sessions, which keep most weights in a form of their own. */
void vsm_weights_drop_pages(const struct vsm_weights *weights);

/* For readers of file formats: adds a tensor (name copied, `name_size` bytes without NUL) after checking
 * dims, strides and extent against the `size` bytes at `data`; a NULL strides means packed, which must then
 * fill `size` exactly. And a block whose CRC vsm_weights_verify() checks (name borrowed from the file). */
int vsm_weights_add(struct vsm_weights *weights, const char *name, size_t name_size, enum vsm_dtype dtype,
                    int rank, const int64_t *dims, const int64_t *strides, int64_t offset, const void *data,
                    size_t size) VSM_NODISCARD;
int vsm_weights_add_block(struct vsm_weights *weights, const char *name, size_t name_size, const void *data,
                          size_t size, uint32_t crc) VSM_NODISCARD;

#endif
