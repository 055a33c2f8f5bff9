#include "frame/tensor.h"

#include "base/mem.h"

size_t vsm_tensor_dtype_size(enum vsm_dtype dtype)
{
    static const uint8_t sizes[] = {
        [VSM_F32] = 4, [VSM_F16] = 2, [VSM_BF16] = 2, [VSM_I32] = 4,
        [VSM_I64] = 8, [VSM_U8] = 1,  [VSM_BOOL] = 1,
    };

    return sizes[dtype];
}

int64_t vsm_tensor_count(const struct vsm_tensor *tensor)
{
    int64_t count = 1;

    for (int i = 0; i < tensor->rank; i++)
        count *= tensor->dims[i];
    return count;
}

size_t vsm_tensor_bytes(const struct vsm_tensor *tensor)
{
    return (size_t)vsm_tensor_count(tensor) * vsm_tensor_dtype_size(tensor->dtype);
}

static void release_own(struct vsm_tensor *tensor)
{
    vsm_mem_free(tensor->data);
    vsm_mem_free(tensor);
}

struct vsm_tensor *vsm_tensor_create(enum vsm_dtype dtype, int rank, const int64_t *dims)
{
    struct vsm_tensor *tensor;
    int64_t count = 1;

    for (int i = 0; i < rank; i++) {
        if (rank > VSM_TENSOR_MAX_RANK || dims[i] < 0 || __builtin_mul_overflow(count, dims[i], &count)) {
            (void)vsm_fail(VSM_E_INTERNAL, "tensor: impossible shape (rank %d, dimension %d is %lld)", rank,
                           i, (long long)dims[i]);
            return NULL;
        }
    }
    tensor = vsm_mem_alloc("tensor", 1, sizeof(*tensor));
    if (!tensor)
        return NULL;
    tensor->data = vsm_mem_alloc("tensor data", (size_t)count, vsm_tensor_dtype_size(dtype));
    if (!tensor->data) {
        vsm_mem_free(tensor);
        return NULL;
    }
    tensor->dtype = dtype;
    tensor->rank = rank;
    for (int i = 0; i < rank; i++)
        tensor->dims[i] = dims[i];
    tensor->release = release_own;
    atomic_init(&tensor->references, 1);
    return tensor;
}

struct vsm_tensor *vsm_tensor_ref(struct vsm_tensor *tensor)
{
    atomic_fetch_add_explicit(&tensor->references, 1, memory_order_relaxed);
    return tensor;
}

void vsm_tensor_unref(struct vsm_tensor **tensor)
{
    struct vsm_tensor *dropped = tensor ? *tensor : NULL;

    if (!dropped)
        return;
    *tensor = NULL;
    if (atomic_fetch_sub_explicit(&dropped->references, 1, memory_order_acq_rel) == 1)
        dropped->release(dropped);
}
