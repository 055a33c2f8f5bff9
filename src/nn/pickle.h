/* The subset of Python's pickle that torch.save() writes for dictionaries of tensors, read as plain data.
 *
 * This is a reader of a data structure, not a virtual machine: the only globals it knows are names of tensor
 * storages, of two rebuild functions and of OrderedDict, and all of them become data. Any other global,
 * opcode or use is refused. Source: the opcode descriptions in Python's pickletools, protocols 2 to 4 as far
 * as torch uses them.
 */
#ifndef VSM_NN_PICKLE_H
#define VSM_NN_PICKLE_H

#include "base/status.h"
#include "frame/tensor.h"

#include <stddef.h>
#include <stdint.h>

/* Largest pickle accepted, bytes; the official checkpoints have under 200 kB. */
#define VSM_PICKLE_MAX_SIZE ((size_t)4 << 20)

struct vsm_pickle_tensor {
    const char *name; /* key in its dictionary, in the pickle, no NUL */
    size_t name_size;
    enum vsm_dtype dtype;
    const char *storage; /* member name below data/ */
    size_t storage_size;
    int64_t storage_elements; /* as claimed */
    int64_t offset;           /* elements */
    int rank;
    int64_t dims[VSM_TENSOR_MAX_RANK];
    int64_t strides[VSM_TENSOR_MAX_RANK];
};

struct vsm_pickle;

/* Reads the pickle; `data` is borrowed until vsm_pickle_destroy(). VSM_E_MODEL with the byte position of the
 * fault. Memory: at most 64 bytes a byte of the pickle. */
int vsm_pickle_read(const char *path, const uint8_t *data, size_t size,
                    struct vsm_pickle **pickle) VSM_NODISCARD;
void vsm_pickle_destroy(struct vsm_pickle *pickle);

/* The tensors of the dictionary root["model"], or of the root. Valid until destroy. */
const struct vsm_pickle_tensor *vsm_pickle_tensors(const struct vsm_pickle *pickle, size_t *count);

#endif
