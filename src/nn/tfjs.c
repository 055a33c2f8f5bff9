#include "nn/tfjs.h"

#include "base/file.h"
#include "base/mem.h"

#include <jansson.h>

#include <math.h>
#include <string.h>

enum storage { STORED_PLAIN, STORED_U8, STORED_U16, STORED_F16 };

struct entry {
    const char *name; /* in the JSON document */
    enum vsm_dtype dtype;
    enum storage storage;
    double scale, min;
    int rank;
    int64_t dims[VSM_TENSOR_MAX_RANK];
    size_t count;
    const uint8_t *data; /* in its group */
};

struct group {
    uint8_t *data;
    size_t size;
};

struct vsm_tfjs {
    char *label;
    json_t *root;
    struct group *groups;
    size_t group_count;
    struct entry *entries;
    size_t count;
};

struct source {
    vsm_tfjs_load *load;
    void *opaque;
};

static size_t stored_size(const struct entry *entry)
{
    switch (entry->storage) {
    case STORED_U8:
        return 1;
    case STORED_U16:
    case STORED_F16:
        return 2;
    case STORED_PLAIN:
        break;
    }
    return vsm_tensor_dtype_size(entry->dtype);
}

/* 60 characters of a name are enough to find it, and hostile ones stay short. */
static int fail_entry(const struct vsm_tfjs *model, const struct entry *entry, const char *what)
{
    size_t length = strlen(entry->name);

    return vsm_fail(VSM_E_MODEL, "%s: tensor \"%s%.60s\" %s; the file is damaged or not supported",
                    model->label, length > 60 ? "..." : "",
                    length > 60 ? entry->name + length - 60 : entry->name, what);
}

static int read_dtype(const struct vsm_tfjs *model, const json_t *json, struct entry *entry)
{
    const char *dtype = json_string_value(json_object_get(json, "dtype"));

    if (dtype && strcmp(dtype, "float32") == 0)
        entry->dtype = VSM_F32;
    else if (dtype && strcmp(dtype, "int32") == 0)
        entry->dtype = VSM_I32;
    else if (dtype && strcmp(dtype, "bool") == 0)
        entry->dtype = VSM_BOOL;
    else
        return fail_entry(model, entry, "has a type other than float32, int32 and bool");
    return VSM_OK;
}

static int read_quantization(const struct vsm_tfjs *model, const json_t *json, struct entry *entry)
{
    const json_t *quantization = json_object_get(json, "quantization");
    const char *dtype = json_string_value(json_object_get(quantization, "dtype"));
    const json_t *scale = json_object_get(quantization, "scale"), *min = json_object_get(quantization, "min");

    if (!quantization)
        return VSM_OK;
    if (entry->dtype != VSM_F32 || !dtype)
        return fail_entry(model, entry, "is quantised in an unknown way");
    if (strcmp(dtype, "float16") == 0) {
        entry->storage = STORED_F16;
        return VSM_OK;
    }
    if (strcmp(dtype, "uint8") == 0)
        entry->storage = STORED_U8;
    else if (strcmp(dtype, "uint16") == 0)
        entry->storage = STORED_U16;
    else
        return fail_entry(model, entry, "is quantised to a type other than uint8, uint16 and float16");
    entry->scale = json_number_value(scale);
    entry->min = json_number_value(min);
    if (!json_is_number(scale) || !json_is_number(min) || !isfinite(entry->scale) || !isfinite(entry->min))
        return fail_entry(model, entry, "is quantised without a scale and a minimum");
    return VSM_OK;
}

static int read_shape(const struct vsm_tfjs *model, const json_t *json, struct entry *entry)
{
    const json_t *shape = json_object_get(json, "shape");
    size_t count = 1;

    if (!json_is_array(shape) || json_array_size(shape) > VSM_TENSOR_MAX_RANK)
        return fail_entry(model, entry, "has no shape or too many dimensions");
    entry->rank = (int)json_array_size(shape);
    for (int i = 0; i < entry->rank; i++) {
        const json_t *dim = json_array_get(shape, (size_t)i);

        entry->dims[i] = json_integer_value(dim);
        if (!json_is_integer(dim) || entry->dims[i] < 0 ||
            __builtin_mul_overflow(count, (size_t)entry->dims[i], &count))
            return fail_entry(model, entry, "has an impossible shape");
    }
    entry->count = count;
    return VSM_OK;
}

static int read_entry(struct vsm_tfjs *model, const json_t *json, const struct group *group, size_t *at)
{
    struct entry *entry = &model->entries[model->count];
    size_t left = group->size - *at;
    int status;

    entry->name = json_string_value(json_object_get(json, "name"));
    if (!entry->name)
        return vsm_fail(VSM_E_MODEL, "%s: tensor %zu has no name; the file is damaged", model->label,
                        model->count);
    status = read_dtype(model, json, entry);
    if (!status)
        status = read_quantization(model, json, entry);
    if (!status)
        status = read_shape(model, json, entry);
    if (status)
        return status;
    if (entry->count > left / stored_size(entry))
        return fail_entry(model, entry, "reaches past the end of the weight files");
    entry->data = group->data + *at;
    *at += entry->count * stored_size(entry);
    model->count++;
    return VSM_OK;
}

static int append_shard(const struct vsm_tfjs *model, const char *name, const struct source *source,
                        struct group *group)
{
    void *data = NULL;
    size_t size = 0;
    int status = source->load(source->opaque, name, &data, &size);

    if (status)
        return status;
    if (!group->data) {
        *group = (struct group){data, size};
        return VSM_OK;
    }
    if (size > VSM_TFJS_MAX_SHARD || group->size > 16 * VSM_TFJS_MAX_SHARD) {
        status = vsm_fail(VSM_E_MODEL, "%s: more weights than are supported", model->label);
    } else {
        uint8_t *joined = vsm_mem_alloc_raw("weight files", group->size + size, 1);

        status = joined ? VSM_OK : VSM_E_NOMEM;
        if (joined) {
            memcpy(joined, group->data, group->size);
            memcpy(joined + group->size, data, size);
            vsm_mem_free(group->data);
            *group = (struct group){joined, group->size + size};
        }
    }
    vsm_mem_free(data);
    return status;
}

static int read_group(struct vsm_tfjs *model, const json_t *json, const struct source *source)
{
    const json_t *paths = json_object_get(json, "paths"), *weights = json_object_get(json, "weights");
    struct group *group = &model->groups[model->group_count++];
    size_t at = 0;
    int status = VSM_OK;

    if (!json_is_array(paths) || !json_is_array(weights))
        return vsm_fail(VSM_E_MODEL, "%s: a group of weights has no paths or no list; the file is damaged",
                        model->label);
    for (size_t i = 0; !status && i < json_array_size(paths); i++) {
        const char *name = json_string_value(json_array_get(paths, i));

        if (!name || !*name || strchr(name, '/') || strchr(name, '\\') || name[0] == '.')
            return vsm_fail(VSM_E_MODEL, "%s: the weight file \"%.60s\" is not a plain name beside it",
                            model->label, name ? name : "");
        status = append_shard(model, name, source, group);
    }
    for (size_t i = 0; !status && i < json_array_size(weights); i++)
        status = read_entry(model, json_array_get(weights, i), group, &at);
    if (!status && at != group->size)
        status = vsm_fail(VSM_E_MODEL,
                          "%s: %zu bytes are left over in its weight files; they do not belong together",
                          model->label, group->size - at);
    return status;
}

static int read_manifest(struct vsm_tfjs *model, const struct source *source)
{
    const json_t *manifest = json_object_get(model->root, "weightsManifest");
    size_t groups = json_array_size(manifest), tensors = 0;
    int status = VSM_OK;

    if (!json_is_array(manifest))
        return vsm_fail(VSM_E_MODEL, "%s: no weightsManifest; not a TensorFlow.js graph model", model->label);
    for (size_t i = 0; i < groups; i++)
        tensors += json_array_size(json_object_get(json_array_get(manifest, i), "weights"));
    if (tensors > VSM_TFJS_MAX_TENSORS || groups > VSM_TFJS_MAX_TENSORS)
        return vsm_fail(VSM_E_MODEL, "%s: %zu tensors, at most %d are supported", model->label, tensors,
                        VSM_TFJS_MAX_TENSORS);
    model->groups = vsm_mem_alloc("weight groups", groups, sizeof(*model->groups));
    model->entries = vsm_mem_alloc("weight list", tensors, sizeof(*model->entries));
    if (!model->groups || !model->entries)
        return VSM_E_NOMEM;
    for (size_t i = 0; !status && i < groups; i++)
        status = read_group(model, json_array_get(manifest, i), source);
    return status;
}

int vsm_tfjs_parse(const char *label, const void *json, size_t size, vsm_tfjs_load *load, void *opaque,
                   struct vsm_tfjs **model)
{
    const struct source source = {load, opaque};
    struct vsm_tfjs *made = vsm_mem_alloc("model", 1, sizeof(*made));
    json_error_t error;
    int status;

    if (!made)
        return VSM_E_NOMEM;
    made->label = vsm_mem_string("model", label);
    made->root = made->label ? json_loadb(json, size, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (!made->label)
        status = VSM_E_NOMEM;
    else if (!made->root)
        status =
            vsm_fail(VSM_E_MODEL, "%s: line %d: %.80s; the file is damaged", label, error.line, error.text);
    else
        status = read_manifest(made, &source);
    if (status) {
        vsm_tfjs_close(made);
        return status;
    }
    *model = made;
    return VSM_OK;
}

static int load_beside(void *opaque, const char *shard, void **data, size_t *size)
{
    const char *path = opaque, *slash = strrchr(path, '/');
    char *shard_path =
        vsm_mem_format("model path", "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, shard);
    int status =
        shard_path ? vsm_file_read(shard_path, VSM_TFJS_MAX_SHARD, VSM_E_MODEL, data, size) : VSM_E_NOMEM;

    vsm_mem_free(shard_path);
    return status;
}

int vsm_tfjs_open(const char *path, struct vsm_tfjs **model)
{
    void *json;
    size_t size;
    int status = vsm_file_read(path, VSM_TFJS_MAX_JSON, VSM_E_MODEL, &json, &size);

    if (status)
        return status;
    status = vsm_tfjs_parse(path, json, size, load_beside, (void *)(uintptr_t)path, model);
    vsm_mem_free(json);
    return status;
}

void vsm_tfjs_close(struct vsm_tfjs *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->group_count; i++)
        vsm_mem_free(model->groups[i].data);
    vsm_mem_free(model->groups);
    vsm_mem_free(model->entries);
    json_decref(model->root);
    vsm_mem_free(model->label);
    vsm_mem_free(model);
}

size_t vsm_tfjs_count(const struct vsm_tfjs *model)
{
    return model->count;
}

const char *vsm_tfjs_name(const struct vsm_tfjs *model, size_t index)
{
    return model->entries[index].name;
}

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

/* IEEE 754 binary16 to its exact value. */
static float half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    float sign = bits >> 15 ? -1.0f : 1.0f;

    if (exponent == 31)
        return mantissa ? NAN : sign * INFINITY;
    return sign * ldexpf((float)(exponent ? mantissa + 1024 : mantissa), (exponent ? exponent : 1) - 25);
}

static void fill_f32(const struct entry *entry, float *to)
{
    const uint8_t *from = entry->data;

    for (size_t i = 0; i < entry->count; i++) {
        switch (entry->storage) {
        case STORED_U8:
            to[i] = (float)(from[i] * entry->scale + entry->min);
            break;
        case STORED_U16:
            to[i] = (float)(le16(from + 2 * i) * entry->scale + entry->min);
            break;
        case STORED_F16:
            to[i] = half_value(le16(from + 2 * i));
            break;
        case STORED_PLAIN:
            memcpy(&to[i], from + 4 * i, 4);
            break;
        }
    }
}

struct vsm_tensor *vsm_tfjs_tensor(const struct vsm_tfjs *model, const char *name, int *status)
{
    const struct entry *entry = NULL;
    struct vsm_tensor *tensor;

    for (size_t i = 0; !entry && i < model->count; i++) {
        if (strcmp(model->entries[i].name, name) == 0)
            entry = &model->entries[i];
    }
    if (!entry) {
        *status = vsm_fail(VSM_E_MODEL, "%s: no tensor \"%s\"; it is another model", model->label, name);
        return NULL;
    }
    tensor = vsm_tensor_create(entry->dtype, entry->rank, entry->dims);
    *status = tensor ? VSM_OK : VSM_E_NOMEM;
    if (tensor && entry->dtype == VSM_F32)
        fill_f32(entry, tensor->data);
    else if (tensor && entry->count)
        memcpy(tensor->data, entry->data, entry->count * stored_size(entry));
    return tensor;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "plain values are copied as they lie in the file");
