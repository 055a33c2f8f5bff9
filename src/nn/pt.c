#include "nn/pt.h"

#include "base/hash.h"
#include "nn/pickle.h"
#include "nn/zip_index.h"

#include <string.h>

#define PICKLE_NAME "/data.pkl"

struct archive {
    const char *path;
    struct vsm_zip_index index;
    const struct vsm_zip_member *pickle;
    size_t prefix_size; /* of the archive's folder, without the slash */
};

bool vsm_pt_recognise(const void *data, size_t size)
{
    return size >= 4 && memcmp(data, "PK\3\4", 4) == 0;
}

/* Member PREFIX/FOLDER NAME, NULL if absent or the name is absurdly long. */
static const struct vsm_zip_member *find(const struct archive *a, const char *folder, const char *name,
                                         size_t size)
{
    char text[512];
    size_t folder_size = strlen(folder);

    if (size > sizeof(text) - folder_size || a->prefix_size > sizeof(text) - folder_size - size)
        return NULL;
    memcpy(text, a->pickle->name, a->prefix_size);
    memcpy(text + a->prefix_size, folder, folder_size);
    memcpy(text + a->prefix_size + folder_size, name, size);
    return vsm_zip_index_find(&a->index, text, a->prefix_size + folder_size + size);
}

static int find_pickle(struct archive *a)
{
    const size_t length = strlen(PICKLE_NAME);
    const struct vsm_zip_member *order;

    for (size_t i = 0; i < a->index.count; i++) {
        const struct vsm_zip_member *m = &a->index.members[i];

        if (m->name_size < length || memcmp(m->name + m->name_size - length, PICKLE_NAME, length) != 0)
            continue;
        if (a->pickle)
            return vsm_fail(VSM_E_MODEL, "%s: the archive has two data.pkl members", a->path);
        a->pickle = m;
        a->prefix_size = m->name_size - length;
    }
    if (!a->pickle)
        return vsm_fail(VSM_E_MODEL, "%s: a ZIP archive, but not from torch.save(): no data.pkl", a->path);
    if (vsm_hash_crc32(0, a->pickle->data, a->pickle->size) != a->pickle->crc)
        return vsm_fail(VSM_E_MODEL, "%s: member data.pkl is damaged (CRC); download the checkpoint again",
                        a->path);
    order = find(a, "/", "byteorder", 9);
    if (order && (order->size != 6 || memcmp(order->data, "little", 6) != 0))
        return vsm_fail(VSM_E_MODEL, "%s: written on a big-endian machine, which is not supported", a->path);
    return VSM_OK;
}

static int add_tensor(const struct archive *a, const struct vsm_pickle_tensor *t, struct vsm_weights *weights)
{
    const struct vsm_zip_member *m = find(a, "/data/", t->storage, t->storage_size);
    size_t element = vsm_tensor_dtype_size(t->dtype);

    if (!m)
        return vsm_fail(VSM_E_MODEL, "%s: the storage of tensor %.*s is missing", a->path, (int)t->name_size,
                        t->name);
    if (m->size % element || (uint64_t)t->storage_elements != m->size / element)
        return vsm_fail(VSM_E_MODEL,
                        "%s: the storage of tensor %.*s has %zu bytes, not %lld elements of %zu bytes",
                        a->path, (int)t->name_size, t->name, m->size, (long long)t->storage_elements,
                        element);
    return vsm_weights_add(weights, t->name, t->name_size, t->dtype, t->rank, t->dims, t->strides, t->offset,
                           m->data, m->size);
}

int vsm_pt_parse(const char *path, const void *data, size_t size, struct vsm_weights *weights)
{
    struct archive a = {.path = path};
    struct vsm_pickle *pickle = NULL;
    const struct vsm_pickle_tensor *tensors;
    size_t count = 0;
    int status = vsm_zip_index_read(path, data, size, &a.index);

    if (!status)
        status = find_pickle(&a);
    if (!status)
        status = vsm_pickle_read(path, a.pickle->data, a.pickle->size, &pickle);
    if (!status) {
        tensors = vsm_pickle_tensors(pickle, &count);
        for (size_t i = 0; !status && i < count; i++)
            status = add_tensor(&a, &tensors[i], weights);
    }
    for (size_t i = 0; !status && i < a.index.count; i++) {
        const struct vsm_zip_member *m = &a.index.members[i];

        status = vsm_weights_add_block(weights, m->name, m->name_size, m->data, m->size, m->crc);
    }
    vsm_pickle_destroy(pickle);
    vsm_zip_index_finish(&a.index);
    return status;
}
