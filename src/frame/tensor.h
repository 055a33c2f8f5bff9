/* Reference-counted dense tensors in C order, last index fastest, packed without gaps.
 *
 * Same sharing rules as images: written by the maker, immutable once shared, counting is thread-safe.
 */
#ifndef VSM_FRAME_TENSOR_H
#define VSM_FRAME_TENSOR_H

#include "base/status.h"
#include "frame/image.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define VSM_TENSOR_MAX_RANK 6

enum vsm_dtype { VSM_F32, VSM_F16, VSM_BF16, VSM_I32, VSM_I64, VSM_U8, VSM_BOOL };

struct vsm_tensor {
    enum vsm_dtype dtype;
    int rank;
    int64_t dims[VSM_TENSOR_MAX_RANK];
    enum vsm_place place;
    void *data;
    atomic_int references;
    void (*release)(struct vsm_tensor *tensor);
    void *opaque;
};

/* A zeroed host tensor with one reference; NULL on failure (message set), also for negative
 * or overflowing dims. */
struct vsm_tensor *vsm_tensor_create(enum vsm_dtype dtype, int rank, const int64_t *dims) VSM_NODISCARD;
struct vsm_tensor *vsm_tensor_ref(struct vsm_tensor *tensor);
void vsm_tensor_unref(struct vsm_tensor **tensor);

/* Elements, bytes an element, and bytes in all. */
int64_t vsm_tensor_count(const struct vsm_tensor *tensor);
size_t vsm_tensor_dtype_size(enum vsm_dtype dtype);
size_t vsm_tensor_bytes(const struct vsm_tensor *tensor);

/* The data of a host VSM_F32 tensor. */
static inline float *vsm_tensor_f32(const struct vsm_tensor *tensor)
{
    return tensor->data;
}

#endif
