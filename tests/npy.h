/* Reads the arrays that other programs wrote: NumPy's .npy format 1.0, C order, float32 or uint8, compressed
 * with xz. For tests: trusted files, small arrays.
 */
#ifndef NPY_H
#define NPY_H

#include "frame/tensor.h"
#include "shared_data.h"

#include <lzma.h>
#include <stdint.h>
#include <string.h>

/* A new tensor with the array at `path`; NULL if there is none. */
__attribute__((unused)) static struct vsm_tensor *npy_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *packed = malloc(8 << 20), *data = malloc(64 << 20);
    size_t size = f && packed ? fread(packed, 1, 8 << 20, f) : 0, in = 0, out = 0;
    uint64_t limit = UINT64_MAX;
    struct vsm_tensor *tensor = NULL;
    const char *header, *shape;
    int64_t dims[VSM_TENSOR_MAX_RANK];
    int rank = 0;

    if (f)
        fclose(f);
    if (size && data &&
        lzma_stream_buffer_decode(&limit, 0, NULL, packed, &in, size, data, &out, 64 << 20) == LZMA_OK &&
        out > 10 && memcmp(data, "\x93NUMPY\x01", 7) == 0) {
        const size_t start = 10 + (size_t)(data[8] | data[9] << 8);

        data[start - 1] = '\0';
        header = (const char *)data + 10;
        shape = strstr(header, "'shape': (");
        for (shape = shape ? shape + 10 : ")"; *shape != ')' && rank < VSM_TENSOR_MAX_RANK; rank++) {
            dims[rank] = strtoll(shape, (char **)(uintptr_t)&shape, 10);
            shape += strspn(shape, ", ");
        }
        tensor = vsm_tensor_create(strstr(header, "|u1") ? VSM_U8 : VSM_F32, rank, dims);
        if (tensor && out - start == vsm_tensor_bytes(tensor))
            memcpy(tensor->data, data + start, out - start);
        else
            vsm_tensor_unref(&tensor);
    }
    free(data);
    free(packed);
    return tensor;
}

/* The same of shared test data; NULL if it is not there. */
__attribute__((unused)) static struct vsm_tensor *npy_shared(const char *name)
{
    char path[512];

    return shared_path(name, path, sizeof(path)) ? npy_read(path) : NULL;
}

#endif
