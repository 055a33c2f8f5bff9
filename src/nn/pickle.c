#include "nn/pickle.h"

#include "base/mem.h"
#include "nn/pickle_torch.h"
#include "nn/pickled.h"

enum op {
    OP_MARK = '(',
    OP_STOP = '.',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_BINUNICODE = 'X',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_APPENDS = 'e',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_EMPTY_TUPLE = ')',
    OP_SETITEMS = 'u',
    OP_EMPTY_DICT = '}',
    OP_BINFLOAT = 'G',
    OP_PROTO = 0x80,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95,
};

struct vsm_pickle {
    struct vsm_pickled values;
    struct vsm_pickled_table tensors, result;
};

static int push_int(struct vsm_pickled *p, int64_t v)
{
    return vsm_pickled_push(p, (struct vsm_pickled_value){.kind = VSM_PICKLED_INTEGER, .u.integer = v});
}

static int push_text(struct vsm_pickled *p, size_t size)
{
    const char *start = vsm_bytes_get(&p->in, size);

    return start ? vsm_pickled_push(p, (struct vsm_pickled_value){.kind = VSM_PICKLED_TEXT,
                                                                  .u.text = {start, size}})
                 : vsm_pickled_bad(p, "a cut text");
}

static int push_long(struct vsm_pickled *p)
{
    size_t size = vsm_bytes_get_u8(&p->in);
    const uint8_t *bytes = vsm_bytes_get(&p->in, size);
    uint64_t v = 0;

    if (!bytes || size > 8)
        return vsm_pickled_bad(p, "a number of more than 64 bits");
    for (size_t i = 0; i < 8; i++)
        v |= (uint64_t)(i < size ? bytes[i] : size && bytes[size - 1] & 0x80 ? 0xff : 0) << 8 * i;
    return push_int(p, (int64_t)v);
}

static int small_tuple(struct vsm_pickled *p, size_t count)
{
    return vsm_pickled_poppable(p) < count ? vsm_pickled_bad(p, "a tuple of too little")
                                           : vsm_pickled_make_tuple(p, p->stack.count - count);
}

/* Operations on what the last mark or the last few values enclose. */
static int step_container(struct vsm_pickled *p, unsigned op)
{
    size_t mark = 0;
    int status;

    switch (op) {
    case OP_MARK:
        return vsm_pickled_mark(p);
    case OP_TUPLE:
    case OP_SETITEMS:
    case OP_APPENDS:
        status = vsm_pickled_pop_mark(p, &mark);
        if (status)
            return status;
        return op == OP_TUPLE      ? vsm_pickled_make_tuple(p, mark)
               : op == OP_SETITEMS ? vsm_pickled_set_items(p, mark)
                                   : vsm_pickled_append_items(p, mark);
    case OP_SETITEM:
        return vsm_pickled_poppable(p) < 3 ? vsm_pickled_bad(p, "an item without a dictionary")
                                           : vsm_pickled_set_items(p, p->stack.count - 2);
    case OP_APPEND:
        return vsm_pickled_poppable(p) < 2 ? vsm_pickled_bad(p, "an item without a list")
                                           : vsm_pickled_append_items(p, p->stack.count - 1);
    case OP_EMPTY_TUPLE:
        return vsm_pickled_make_tuple(p, p->stack.count);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return small_tuple(p, op - OP_TUPLE1 + 1);
    case OP_EMPTY_LIST:
        return vsm_pickled_push(p, (struct vsm_pickled_value){.kind = VSM_PICKLED_LIST});
    case OP_EMPTY_DICT:
        return vsm_pickled_push(p, (struct vsm_pickled_value){.kind = VSM_PICKLED_DICT});
    case OP_BUILD: /* attributes of a dictionary, such as _metadata: of no use here */
        if (vsm_pickled_poppable(p) < 2 || vsm_pickled_at(p, vsm_pickled_top(p, 1))->kind != VSM_PICKLED_DICT)
            return vsm_pickled_bad(p, "attributes for what is not a dictionary");
        vsm_pickled_drop(p, 1);
        return VSM_OK;
    }
    return vsm_fail(VSM_E_MODEL, "%s: data.pkl has the unknown operation 0x%02x at byte %zu", p->path, op,
                    p->in.pos - 1);
}

static int step(struct vsm_pickle *pickle, unsigned op)
{
    struct vsm_pickled *p = &pickle->values;

    switch (op) {
    case OP_PROTO:
        return vsm_bytes_get_u8(&p->in) <= 4 ? VSM_OK : vsm_pickled_bad(p, "an unknown pickle protocol");
    case OP_FRAME:
        vsm_bytes_get_le64(&p->in);
        return VSM_OK;
    case OP_BINPUT:
        return vsm_pickled_put(p, vsm_bytes_get_u8(&p->in));
    case OP_LONG_BINPUT:
        return vsm_pickled_put(p, vsm_bytes_get_le32(&p->in));
    case OP_MEMOIZE:
        return vsm_pickled_put(p, p->memo.count);
    case OP_BINGET:
        return vsm_pickled_get(p, vsm_bytes_get_u8(&p->in));
    case OP_LONG_BINGET:
        return vsm_pickled_get(p, vsm_bytes_get_le32(&p->in));
    case OP_BINUNICODE:
        return push_text(p, vsm_bytes_get_le32(&p->in));
    case OP_SHORT_BINUNICODE:
        return push_text(p, vsm_bytes_get_u8(&p->in));
    case OP_BININT:
        return push_int(p, (int32_t)vsm_bytes_get_le32(&p->in));
    case OP_BININT1:
        return push_int(p, vsm_bytes_get_u8(&p->in));
    case OP_BININT2:
        return push_int(p, vsm_bytes_get_le16(&p->in));
    case OP_LONG1:
        return push_long(p);
    case OP_BINFLOAT:
        vsm_bytes_get_be64(&p->in);
        return vsm_pickled_push(p, (struct vsm_pickled_value){.kind = VSM_PICKLED_NOTHING});
    case OP_NONE:
    case OP_NEWTRUE:
    case OP_NEWFALSE:
        return vsm_pickled_push(p, (struct vsm_pickled_value){.kind = VSM_PICKLED_NOTHING});
    case OP_GLOBAL:
        return vsm_pickle_torch_global(p);
    case OP_BINPERSID:
        return vsm_pickle_torch_storage(p);
    case OP_REDUCE:
        return vsm_pickle_torch_call(p, &pickle->tensors);
    }
    return step_container(p, op);
}

/* The dictionary root["model"], else the root itself; -1 if that is none. */
static int64_t find_dictionary(const struct vsm_pickled *p)
{
    const struct vsm_pickled_cell *cell;
    uint32_t root;

    if (p->stack.count != 1)
        return -1;
    root = vsm_pickled_top(p, 0);
    if (vsm_pickled_at(p, root)->kind != VSM_PICKLED_DICT)
        return -1;
    for (uint32_t c = vsm_pickled_at(p, root)->u.items.first; c; c = cell->next) {
        const struct vsm_pickled_value *key;

        cell = vsm_pickled_cell(p, c);
        key = vsm_pickled_at(p, cell->key);
        if (key->kind == VSM_PICKLED_TEXT && vsm_pickled_text_is(key->u.text, "model") &&
            vsm_pickled_at(p, cell->value)->kind == VSM_PICKLED_DICT)
            return cell->value;
    }
    return root;
}

/* Copies the dictionary's tensors with their names. */
static int collect(struct vsm_pickle *pickle)
{
    const struct vsm_pickled *p = &pickle->values;
    const int64_t dict = find_dictionary(p);
    const struct vsm_pickled_cell *cell;

    if (dict < 0)
        return vsm_pickled_bad(p, "no dictionary");
    for (uint32_t c = vsm_pickled_at(p, (uint32_t)dict)->u.items.first; c; c = cell->next) {
        const struct vsm_pickled_value *key, *item;
        struct vsm_pickled_text name = {"(?)", 3};
        struct vsm_pickle_tensor t;

        cell = vsm_pickled_cell(p, c);
        key = vsm_pickled_at(p, cell->key);
        item = vsm_pickled_at(p, cell->value);
        if (key->kind == VSM_PICKLED_TEXT)
            name = key->u.text;
        if (key->kind != VSM_PICKLED_TEXT || item->kind != VSM_PICKLED_TENSOR)
            return vsm_fail(VSM_E_MODEL, "%s: data.pkl has an entry that is not a named tensor: %.*s",
                            p->path, vsm_pickled_shown(name), name.start);
        t = ((struct vsm_pickle_tensor *)pickle->tensors.items)[item->u.tensor];
        t.name = name.start;
        t.name_size = name.size;
        if (vsm_pickled_add(&pickle->result, &t))
            return VSM_E_NOMEM;
    }
    return VSM_OK;
}

/* Operation by operation to the end. */
static int read_all(struct vsm_pickle *pickle)
{
    struct vsm_bytes_in *in = &pickle->values.in;
    int status = VSM_OK;

    while (!status) {
        unsigned op = vsm_bytes_get_u8(in);

        if (op == OP_STOP && !in->failed)
            break;
        status = in->failed ? vsm_pickled_bad(&pickle->values, "no end") : step(pickle, op);
        if (!status && in->failed)
            status = vsm_pickled_bad(&pickle->values, "no end");
    }
    return status;
}

int vsm_pickle_read(const char *path, const uint8_t *data, size_t size, struct vsm_pickle **pickle)
{
    struct vsm_pickle *p;
    int status;

    *pickle = NULL;
    if (size > VSM_PICKLE_MAX_SIZE)
        return vsm_fail(VSM_E_MODEL, "%s: data.pkl has %zu bytes; at most %zu are accepted", path, size,
                        VSM_PICKLE_MAX_SIZE);
    p = vsm_mem_alloc("pickle", 1, sizeof(*p));
    if (!p)
        return VSM_E_NOMEM;
    vsm_pickled_start(&p->values, path, data, size);
    p->tensors.item_size = p->result.item_size = sizeof(struct vsm_pickle_tensor);
    status = read_all(p);
    if (!status)
        status = collect(p);
    if (status) {
        vsm_pickle_destroy(p);
        return status;
    }
    *pickle = p;
    return VSM_OK;
}

void vsm_pickle_destroy(struct vsm_pickle *pickle)
{
    if (!pickle)
        return;
    vsm_pickled_finish(&pickle->values);
    vsm_mem_free(pickle->tensors.items);
    vsm_mem_free(pickle->result.items);
    vsm_mem_free(pickle);
}

const struct vsm_pickle_tensor *vsm_pickle_tensors(const struct vsm_pickle *pickle, size_t *count)
{
    *count = pickle->result.count;
    return pickle->result.items;
}
