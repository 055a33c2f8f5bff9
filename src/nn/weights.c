#include "nn/weights.h"

#include "base/fault.h"
#include "base/hash.h"
#include "base/mem.h"
#include "nn/half.h"
#include "nn/pt.h"
#include "nn/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct block {
    const char *name;
    size_t name_size;
    const void *data;
    size_t size;
    uint32_t crc;
};

struct vsm_weights {
    char *path;
    void *map; /* NULL if the bytes are the caller's */
    size_t map_size;
    struct vsm_weight *items;
    size_t count, capacity;
    struct block *blocks;
    size_t block_count, block_capacity;
};

/* Grows *items to hold one more; returns false (message set) on failure. */
static bool grow(const char *what, void **items, size_t count, size_t *capacity, size_t item_size)
{
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *larger;

    if (count < *capacity)
        return true;
    larger = vsm_mem_alloc(what, wanted, item_size);
    if (!larger)
        return false;
    if (count)
        memcpy(larger, *items, count * item_size);
    vsm_mem_free(*items);
    *items = larger;
    *capacity = wanted;
    return true;
}

/* Elements from the first to one past the last; -1 if that overflows or a dim or stride is negative.
 * 0 if empty. */
static int64_t extent_of(int rank, const int64_t *dims, const int64_t *strides)
{
    int64_t last = 0, step;

    for (int i = 0; i < rank; i++)
        if (dims[i] < 0 || strides[i] < 0)
            return -1;
    for (int i = 0; i < rank; i++)
        if (dims[i] == 0)
            return 0;
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(dims[i] - 1, strides[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return -1;
    return last == INT64_MAX ? -1 : last + 1;
}

static bool packed_strides(int rank, const int64_t *dims, int64_t *strides)
{
    int64_t n = 1;

    for (int i = rank; i-- > 0;) {
        strides[i] = n;
        if (dims[i] < 0 || __builtin_mul_overflow(n, dims[i] ? dims[i] : 1, &n))
            return false;
    }
    return true;
}

int vsm_weights_add(struct vsm_weights *weights, const char *name, size_t name_size, enum vsm_dtype dtype,
                    int rank, const int64_t *dims, const int64_t *strides, int64_t offset, const void *data,
                    size_t size)
{
    size_t element = vsm_tensor_dtype_size(dtype);
    int64_t packed[VSM_TENSOR_MAX_RANK] = {0}, total = 1, extent;
    struct vsm_weight *w;
    int shown = name_size < 200 ? (int)name_size : 200;

    if (rank < 0 || rank > VSM_TENSOR_MAX_RANK)
        return vsm_fail(VSM_E_MODEL, "%s: tensor %.*s has %d dimensions; at most %d are possible",
                        weights->path, shown, name, rank, VSM_TENSOR_MAX_RANK);
    if (!packed_strides(rank, dims, packed))
        return vsm_fail(VSM_E_MODEL, "%s: the shape of tensor %.*s overflows", weights->path, shown, name);
    extent = extent_of(rank, dims, strides ? strides : packed);
    for (int i = 0; i < rank; i++)
        total = __builtin_mul_overflow(total, dims[i], &total) ? -1 : total;
    if (extent < 0 || total < 0)
        return vsm_fail(VSM_E_MODEL, "%s: the shape or the strides of tensor %.*s are negative or overflow",
                        weights->path, shown, name);
    if (offset < 0 || (uint64_t)offset > size / element ||
        (uint64_t)extent > size / element - (uint64_t)offset)
        return vsm_fail(VSM_E_MODEL,
                        "%s: tensor %.*s needs elements %lld to %lld of a storage that holds %zu",
                        weights->path, shown, name, (long long)offset, (long long)offset + (long long)extent,
                        size / element);
    if (!strides && (uint64_t)extent * element != size)
        return vsm_fail(VSM_E_MODEL, "%s: tensor %.*s has %zu bytes where its shape needs %zu", weights->path,
                        shown, name, size, (size_t)extent * element);
    if (name_size == 0 || memchr(name, 0, name_size))
        return vsm_fail(VSM_E_MODEL, "%s: a tensor's name is empty or holds a NUL byte", weights->path);
    if (weights->count >= VSM_WEIGHTS_MAX)
        return vsm_fail(VSM_E_MODEL, "%s: more than %d tensors", weights->path, VSM_WEIGHTS_MAX);
    if (!grow("weights", (void **)&weights->items, weights->count, &weights->capacity, sizeof(*w)))
        return VSM_E_NOMEM;

    w = &weights->items[weights->count];
    w->name = vsm_mem_format("weight name", "%.*s", (int)name_size, name);
    if (!w->name)
        return VSM_E_NOMEM;
    w->dtype = dtype;
    w->rank = rank;
    w->data = (const uint8_t *)data + (size_t)offset * element;
    for (int i = 0; i < rank; i++) {
        w->dims[i] = dims[i];
        w->strides[i] = strides ? strides[i] : packed[i];
    }
    weights->count++;
    return VSM_OK;
}

int vsm_weights_add_block(struct vsm_weights *weights, const char *name, size_t name_size, const void *data,
                          size_t size, uint32_t crc)
{
    if (!grow("weight blocks", (void **)&weights->blocks, weights->block_count, &weights->block_capacity,
              sizeof(struct block)))
        return VSM_E_NOMEM;
    weights->blocks[weights->block_count++] = (struct block){name, name_size, data, size, crc};
    return VSM_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct vsm_weight *)a)->name, ((const struct vsm_weight *)b)->name);
}

int vsm_weights_parse(const char *path, const void *data, size_t size, struct vsm_weights **weights)
{
    struct vsm_weights *w = vsm_mem_alloc("weights", 1, sizeof(*w));
    int status = VSM_E_NOMEM;

    *weights = NULL;
    if (!w)
        return VSM_E_NOMEM;
    w->path = vsm_mem_string("weights path", path);
    if (w->path) {
        if (vsm_pt_recognise(data, size))
            status = vsm_pt_parse(path, data, size, w);
        else if (vsm_safetensors_recognise(data, size))
            status = vsm_safetensors_parse(path, data, size, w);
        else
            status = vsm_fail(
                VSM_E_MODEL,
                "%s: neither a torch .pt archive nor a safetensors file; download the checkpoint again",
                path);
    }
    if (!status && w->count)
        qsort(w->items, w->count, sizeof(*w->items), by_name);
    for (size_t i = 1; !status && i < w->count; i++)
        if (strcmp(w->items[i - 1].name, w->items[i].name) == 0)
            status = vsm_fail(VSM_E_MODEL, "%s: tensor %s is there twice", path, w->items[i].name);
    if (status) {
        vsm_weights_close(w);
        return status;
    }
    *weights = w;
    return VSM_OK;
}

int vsm_weights_open(const char *path, struct vsm_weights **weights)
{
    int fd = VSM_FAULT_CALL("file.open", open(path, O_RDONLY | O_CLOEXEC)), status;
    struct stat info;
    void *map;

    *weights = NULL;
    if (fd < 0)
        return vsm_fail(VSM_E_MODEL, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size < 16) {
        close(fd);
        return vsm_fail(VSM_E_MODEL, "%s: not a checkpoint: not a regular file of at least 16 bytes", path);
    }
    map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return vsm_fail(VSM_E_MODEL, "%s: cannot be mapped: %s", path, strerror(errno));
    status = vsm_weights_parse(path, map, (size_t)info.st_size, weights);
    if (status) {
        munmap(map, (size_t)info.st_size);
        return status;
    }
    (*weights)->map = map;
    (*weights)->map_size = (size_t)info.st_size;
    return VSM_OK;
}

void vsm_weights_close(struct vsm_weights *weights)
{
    if (!weights)
        return;
    for (size_t i = 0; i < weights->count; i++)
        vsm_mem_free((char *)weights->items[i].name);
    if (weights->map)
        munmap(weights->map, weights->map_size);
    vsm_mem_free(weights->items);
    vsm_mem_free(weights->blocks);
    vsm_mem_free(weights->path);
    vsm_mem_free(weights);
}

const char *vsm_weights_path(const struct vsm_weights *weights)
{
    return weights->path;
}

size_t vsm_weights_count(const struct vsm_weights *weights)
{
    return weights->count;
}

const struct vsm_weight *vsm_weights_at(const struct vsm_weights *weights, size_t index)
{
    return &weights->items[index];
}

const struct vsm_weight *vsm_weights_find(const struct vsm_weights *weights, const char *name)
{
    struct vsm_weight key = {.name = name};

    if (weights->count == 0)
        return NULL;
    return bsearch(&key, weights->items, weights->count, sizeof(key), by_name);
}

int64_t vsm_weight_count(const struct vsm_weight *weight)
{
    int64_t n = 1;

    for (int i = 0; i < weight->rank; i++)
        n *= weight->dims[i];
    return n;
}

bool vsm_weight_packed(const struct vsm_weight *weight)
{
    int64_t n = 1;

    if (vsm_weight_count(weight) == 0)
        return true;
    for (int i = weight->rank; i-- > 0;) {
        if (weight->dims[i] != 1 && weight->strides[i] != n)
            return false;
        n *= weight->dims[i];
    }
    return true;
}

/* Element `index` (from the first element) widened to float. */
static float element_f32(const struct vsm_weight *w, int64_t index)
{
    const uint8_t *p = (const uint8_t *)w->data + (size_t)index * vsm_tensor_dtype_size(w->dtype);
    uint16_t u16;
    uint32_t u32;
    int32_t i32;
    int64_t i64;
    float f;

    switch (w->dtype) {
    case VSM_F32:
        memcpy(&f, p, sizeof(f));
        return f;
    case VSM_F16:
        memcpy(&u16, p, sizeof(u16));
        return vsm_half_to_float(u16);
    case VSM_BF16:
        memcpy(&u16, p, sizeof(u16));
        u32 = (uint32_t)u16 << 16;
        memcpy(&f, &u32, sizeof(f));
        return f;
    case VSM_I32:
        memcpy(&i32, p, sizeof(i32));
        return (float)i32;
    case VSM_I64:
        memcpy(&i64, p, sizeof(i64));
        return (float)i64;
    case VSM_U8:
    case VSM_BOOL:
        return (float)*p;
    }
    return 0;
}

/* Calls with every element's index in C order would be slow for large tensors: walks the last dimension
 * in a row. */
void vsm_weight_read_f32(const struct vsm_weight *weight, float *out)
{
    int64_t at[VSM_TENSOR_MAX_RANK] = {0}, count = vsm_weight_count(weight);
    int64_t row = weight->rank ? weight->dims[weight->rank - 1] : 1;
    int64_t step = weight->rank ? weight->strides[weight->rank - 1] : 0;

    if (weight->dtype == VSM_F32 && vsm_weight_packed(weight)) {
        memcpy(out, weight->data, (size_t)count * sizeof(float));
        return;
    }
    for (int64_t done = 0; done < count; done += row) {
        int64_t base = 0;

        for (int i = 0; i < weight->rank - 1; i++)
            base += at[i] * weight->strides[i];
        for (int64_t j = 0; j < row; j++)
            *out++ = element_f32(weight, base + j * step);
        for (int i = weight->rank - 2; i >= 0; i--) {
            if (++at[i] < weight->dims[i])
                break;
            at[i] = 0;
        }
    }
}

static bool finite_all(const struct vsm_weight *w)
{
    int64_t n = vsm_weight_count(w) ? extent_of(w->rank, w->dims, w->strides) : 0;

    if (w->dtype != VSM_F32 && w->dtype != VSM_F16 && w->dtype != VSM_BF16)
        return true;
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(element_f32(w, i)))
            return false;
    return true;
}

int vsm_weights_verify(const struct vsm_weights *weights)
{
    for (size_t i = 0; i < weights->block_count; i++) {
        const struct block *b = &weights->blocks[i];

        if (vsm_hash_crc32(0, b->data, b->size) != b->crc)
            return vsm_fail(VSM_E_MODEL, "%s: member %.*s is damaged (CRC); download the checkpoint again",
                            weights->path, (int)b->name_size, b->name);
    }
    for (size_t i = 0; i < weights->count; i++)
        if (!finite_all(&weights->items[i]))
            return vsm_fail(VSM_E_MODEL, "%s: tensor %s holds infinite or undefined values (NaN)",
                            weights->path, weights->items[i].name);
    return VSM_OK;
}

void vsm_weights_drop_pages(const struct vsm_weights *weights)
{
    if (weights->map)
        (void)madvise(weights->map, weights->map_size, MADV_DONTNEED);
}
