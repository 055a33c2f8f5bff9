#include "nn/pickle_torch.h"

#include "nn/pickle.h"

#include <string.h>

enum role { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, STORAGE_CLASS };

static const struct known {
    const char *module, *name;
    enum role role;
    int dtype; /* of a storage, -1 = not supported here */
} known[] = {
    {"collections", "OrderedDict", ORDERED_DICT, -1},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, -1},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, -1},
    {"torch", "FloatStorage", STORAGE_CLASS, VSM_F32},
    {"torch", "HalfStorage", STORAGE_CLASS, VSM_F16},
    {"torch", "BFloat16Storage", STORAGE_CLASS, VSM_BF16},
    {"torch", "LongStorage", STORAGE_CLASS, VSM_I64},
    {"torch", "IntStorage", STORAGE_CLASS, VSM_I32},
    {"torch", "ByteStorage", STORAGE_CLASS, VSM_U8},
    {"torch", "BoolStorage", STORAGE_CLASS, VSM_BOOL},
    {"torch", "DoubleStorage", STORAGE_CLASS, -1},
    {"torch", "ShortStorage", STORAGE_CLASS, -1},
    {"torch", "CharStorage", STORAGE_CLASS, -1},
};

static int read_line(struct vsm_pickled *p, struct vsm_pickled_text *line)
{
    const char *start = (const char *)p->in.data + p->in.pos;
    const char *end = vsm_bytes_left(&p->in) ? memchr(start, '\n', vsm_bytes_left(&p->in)) : NULL;

    if (!end)
        return vsm_pickled_bad(p, "a name without an end");
    *line = (struct vsm_pickled_text){start, (size_t)(end - start)};
    p->in.pos += line->size + 1;
    return VSM_OK;
}

int vsm_pickle_torch_global(struct vsm_pickled *p)
{
    struct vsm_pickled_text module, name;
    int status = read_line(p, &module);

    if (!status)
        status = read_line(p, &name);
    if (status)
        return status;
    for (uint32_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (vsm_pickled_text_is(module, known[i].module) && vsm_pickled_text_is(name, known[i].name))
            return vsm_pickled_push(p, (struct vsm_pickled_value){.kind = VSM_PICKLED_GLOBAL, .u.global = i});
    return vsm_fail(
        VSM_E_MODEL,
        "%s: data.pkl names %.*s.%.*s, which has no place in a checkpoint; nothing was executed, do not "
        "use this file",
        p->path, vsm_pickled_shown(module), module.start, vsm_pickled_shown(name), name.start);
}

int vsm_pickle_torch_storage(struct vsm_pickled *p)
{
    uint32_t items[5];
    const struct vsm_pickled_value *kind, *class, *key, *elements;
    const struct known *k;

    if (vsm_pickled_poppable(p) < 1 || vsm_pickled_tuple(p, vsm_pickled_top(p, 0), items, 5) != 5)
        return vsm_pickled_bad(p, "a persistent identifier that is no storage");
    kind = vsm_pickled_at(p, items[0]);
    class = vsm_pickled_at(p, items[1]);
    key = vsm_pickled_at(p, items[2]);
    elements = vsm_pickled_at(p, items[4]);
    if (kind->kind != VSM_PICKLED_TEXT || !vsm_pickled_text_is(kind->u.text, "storage") ||
        class->kind != VSM_PICKLED_GLOBAL || known[class->u.global].role != STORAGE_CLASS ||
        key->kind != VSM_PICKLED_TEXT || elements->kind != VSM_PICKLED_INTEGER || elements->u.integer < 0)
        return vsm_pickled_bad(p, "a storage with odd fields");
    k = &known[class->u.global];
    if (k->dtype < 0)
        return vsm_fail(VSM_E_MODEL, "%s: storages of type %s are not supported; checkpoints hold float32",
                        p->path, k->name);
    vsm_pickled_drop(p, 1);
    return vsm_pickled_push(p, (struct vsm_pickled_value){.kind = VSM_PICKLED_STORAGE,
                                                          .u.storage = {(enum vsm_dtype)k->dtype, key->u.text,
                                                                        elements->u.integer}});
}

/* (storage, offset, size, stride, requires_grad, hooks[, metadata]) */
static int rebuild_tensor(struct vsm_pickled *p, uint32_t arguments, struct vsm_pickled_table *tensors)
{
    struct vsm_pickle_tensor t = {0};
    const struct vsm_pickled_value *storage, *offset;
    uint32_t items[7];
    int n = vsm_pickled_tuple(p, arguments, items, 7), status;

    if (n < 6)
        return vsm_pickled_bad(p, "a tensor with too few or too many fields");
    storage = vsm_pickled_at(p, items[0]);
    offset = vsm_pickled_at(p, items[1]);
    if (storage->kind != VSM_PICKLED_STORAGE || offset->kind != VSM_PICKLED_INTEGER)
        return vsm_pickled_bad(p, "a tensor without a storage");
    t.rank = vsm_pickled_tuple_ints(p, items[2], t.dims, VSM_TENSOR_MAX_RANK);
    if (t.rank < 0 || vsm_pickled_tuple_ints(p, items[3], t.strides, VSM_TENSOR_MAX_RANK) != t.rank)
        return vsm_pickled_bad(p, "a tensor with an odd shape");
    t.dtype = storage->u.storage.dtype;
    t.storage = storage->u.storage.key.start;
    t.storage_size = storage->u.storage.key.size;
    t.storage_elements = storage->u.storage.elements;
    t.offset = offset->u.integer;
    vsm_pickled_drop(p, 2);
    status = vsm_pickled_add(tensors, &t);
    return status ? status
                  : vsm_pickled_push(p, (struct vsm_pickled_value){.kind = VSM_PICKLED_TENSOR,
                                                                   .u.tensor = (uint32_t)tensors->count - 1});
}

int vsm_pickle_torch_call(struct vsm_pickled *p, struct vsm_pickled_table *tensors)
{
    const struct vsm_pickled_value *function;
    uint32_t arguments, items[3];

    if (vsm_pickled_poppable(p) < 2 || vsm_pickled_at(p, vsm_pickled_top(p, 1))->kind != VSM_PICKLED_GLOBAL)
        return vsm_pickled_bad(p, "a call of what is no known function");
    function = vsm_pickled_at(p, vsm_pickled_top(p, 1));
    arguments = vsm_pickled_top(p, 0);
    switch (known[function->u.global].role) {
    case ORDERED_DICT:
        if (vsm_pickled_tuple(p, arguments, items, 0) != 0)
            return vsm_pickled_bad(p, "an OrderedDict with arguments");
        vsm_pickled_drop(p, 2);
        return vsm_pickled_push(p, (struct vsm_pickled_value){.kind = VSM_PICKLED_DICT});
    case REBUILD_TENSOR:
        return rebuild_tensor(p, arguments, tensors);
    case REBUILD_PARAMETER:
        if (vsm_pickled_tuple(p, arguments, items, 3) < 1 ||
            vsm_pickled_at(p, items[0])->kind != VSM_PICKLED_TENSOR)
            return vsm_pickled_bad(p, "a parameter without a tensor");
        vsm_pickled_drop(p, 2);
        return vsm_pickled_push_index(p, items[0]);
    case STORAGE_CLASS:
        break;
    }
    return vsm_pickled_bad(p, "a call of a storage class");
}
