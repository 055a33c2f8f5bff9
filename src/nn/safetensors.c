#include "nn/safetensors.h"

#include "base/bytes.h"

#include <jansson.h>
#include <string.h>

static const struct {
    const char *name;
    enum vsm_dtype dtype;
} dtypes[] = {{"F32", VSM_F32}, {"F16", VSM_F16}, {"BF16", VSM_BF16}, {"I32", VSM_I32},
              {"I64", VSM_I64}, {"U8", VSM_U8},   {"BOOL", VSM_BOOL}};

bool vsm_safetensors_recognise(const void *data, size_t size)
{
    return size > 8 && ((const char *)data)[8] == '{';
}

static bool read_ints(const json_t *list, int64_t *out, size_t limit, size_t *count)
{
    const json_t *item;
    size_t i;

    *count = json_array_size(list);
    if (!json_is_array(list) || *count > limit)
        return false;
    json_array_foreach(list, i, item)
    {
        if (!json_is_integer(item) || json_integer_value(item) < 0)
            return false;
        out[i] = json_integer_value(item);
    }
    return true;
}

/* One header entry; `data` and `size` are what follows the header. */
static int add_tensor(const char *path, const char *name, const json_t *entry, const uint8_t *data,
                      size_t size, struct vsm_weights *weights)
{
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    int64_t dims[VSM_TENSOR_MAX_RANK] = {0}, span[2] = {0};
    size_t rank = 0, ends = 0;

    if (!type || !read_ints(json_object_get(entry, "shape"), dims, VSM_TENSOR_MAX_RANK, &rank) ||
        !read_ints(json_object_get(entry, "data_offsets"), span, 2, &ends) || ends != 2)
        return vsm_fail(VSM_E_MODEL, "%s: the entry of tensor %s has no proper dtype, shape and data_offsets",
                        path, name);
    if (span[0] > span[1] || (uint64_t)span[1] > size)
        return vsm_fail(VSM_E_MODEL,
                        "%s: tensor %s lies at bytes %lld to %lld of %zu; the file is cut or damaged", path,
                        name, (long long)span[0], (long long)span[1], size);
    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
        if (strcmp(type, dtypes[i].name) == 0)
            return vsm_weights_add(weights, name, strlen(name), dtypes[i].dtype, (int)rank, dims, NULL, 0,
                                   data + span[0], (size_t)(span[1] - span[0]));
    return vsm_fail(VSM_E_MODEL, "%s: tensor %s has type %s, which is not supported", path, name, type);
}

int vsm_safetensors_parse(const char *path, const void *data, size_t size, struct vsm_weights *weights)
{
    struct vsm_bytes_in in = vsm_bytes_in_of(data, size);
    uint64_t length = vsm_bytes_get_le64(&in);
    json_error_t error;
    const char *name;
    json_t *header, *entry;
    int status = VSM_OK;

    if (in.failed || length > vsm_bytes_left(&in) || length > VSM_SAFETENSORS_MAX_HEADER)
        return vsm_fail(VSM_E_MODEL, "%s: a safetensors header of %llu bytes does not fit a file of %zu",
                        path, (unsigned long long)length, size);
    header = json_loadb((const char *)data + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(header)) {
        status = vsm_fail(VSM_E_MODEL, "%s: the safetensors header is not a JSON object: %s", path,
                          header ? "another value" : error.text);
        json_decref(header);
        return status;
    }
    json_object_foreach(header, name, entry)
    {
        if (strcmp(name, "__metadata__") != 0)
            status = add_tensor(path, name, entry, (const uint8_t *)data + 8 + length,
                                size - 8 - (size_t)length, weights);
        if (status)
            break;
    }
    json_decref(header);
    return status;
}
