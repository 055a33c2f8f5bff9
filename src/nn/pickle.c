#include "nn/pickle.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

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

enum kind { NOTHING, INTEGER, TEXT, TUPLE, LIST, DICT, GLOBAL, STORAGE, TENSOR };

enum global { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, STORAGE_CLASS };

struct text {
    const char *start;
    size_t size;
};

/* Every value that the pickle makes, once; the stack, the memo and containers refer to values by index.
 * Containers are chains of cells: item, or key and value. */
struct value {
    enum kind kind;
    union {
        int64_t integer;
        struct text text;
        struct {
            uint32_t first, last, count; /* cells + 1, 0 = none */
        } items;
        struct {
            enum global what;
            int dtype; /* of a storage class, -1 = not supported here */
            struct text name;
        } global;
        struct {
            enum vsm_dtype dtype;
            struct text key;
            int64_t elements;
        } storage;
        uint32_t tensor; /* index */
    } u;
};

struct cell {
    uint32_t key, value, next;
};

struct table {
    void *items;
    size_t count, capacity, item_size;
};

struct vsm_pickle {
    const char *path;
    struct vsm_bytes_in in;
    struct table values, cells, stack, marks, memo, tensors, result;
};

struct known_global {
    const char *module, *name;
    enum global what;
    int dtype;
};

static const struct known_global known_globals[] = {
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

static int bad(const struct vsm_pickle *p, const char *what)
{
    return vsm_fail(VSM_E_MODEL, "%s: data.pkl is damaged or not from torch.save(): %s at byte %zu", p->path,
                    what, p->in.pos);
}

static int table_add(struct table *t, const void *item)
{
    if (t->count == t->capacity) {
        size_t wanted = t->capacity ? t->capacity * 2 : 256;
        void *larger = vsm_mem_alloc("pickle", wanted, t->item_size);

        if (!larger)
            return VSM_E_NOMEM;
        if (t->count)
            memcpy(larger, t->items, t->count * t->item_size);
        vsm_mem_free(t->items);
        t->items = larger;
        t->capacity = wanted;
    }
    memcpy((char *)t->items + t->count++ * t->item_size, item, t->item_size);
    return VSM_OK;
}

static struct value *value_at(const struct vsm_pickle *p, uint32_t index)
{
    return (struct value *)p->values.items + index;
}

static struct cell *cell_at(const struct vsm_pickle *p, uint32_t index)
{
    return (struct cell *)p->cells.items + index - 1;
}

static uint32_t stack_at(const struct vsm_pickle *p, size_t depth)
{
    return ((uint32_t *)p->stack.items)[p->stack.count - 1 - depth];
}

static int push_index(struct vsm_pickle *p, uint32_t index)
{
    return table_add(&p->stack, &index);
}

static int push(struct vsm_pickle *p, struct value v)
{
    uint32_t index = (uint32_t)p->values.count;
    int status = table_add(&p->values, &v);

    return status ? status : push_index(p, index);
}

/* Number of values above the last mark, which is removed; marks are stack heights. */
static int pop_mark(struct vsm_pickle *p, size_t *height)
{
    if (p->marks.count == 0)
        return bad(p, "no mark for this operation");
    *height = ((uint32_t *)p->marks.items)[--p->marks.count];
    return VSM_OK;
}

/* Values that may be popped without reaching below the last mark. */
static size_t poppable(const struct vsm_pickle *p)
{
    size_t floor = p->marks.count ? ((uint32_t *)p->marks.items)[p->marks.count - 1] : 0;

    return p->stack.count - floor;
}

static int append(struct vsm_pickle *p, uint32_t container, uint32_t key, uint32_t item)
{
    const struct cell c = {key, item, 0};
    struct value *v;
    int status = table_add(&p->cells, &c);

    if (status)
        return status;
    v = value_at(p, container);
    if (v->u.items.last)
        cell_at(p, v->u.items.last)->next = (uint32_t)p->cells.count;
    else
        v->u.items.first = (uint32_t)p->cells.count;
    v->u.items.last = (uint32_t)p->cells.count;
    v->u.items.count++;
    return VSM_OK;
}

/* Replaces the top of the stack from `height` on by a tuple of it. */
static int make_tuple(struct vsm_pickle *p, size_t height)
{
    uint32_t tuple = (uint32_t)p->values.count;
    const struct value v = {.kind = TUPLE};
    int status = table_add(&p->values, &v);

    for (size_t i = height; !status && i < p->stack.count; i++)
        status = append(p, tuple, 0, ((uint32_t *)p->stack.items)[i]);
    p->stack.count = height;
    return status ? status : push_index(p, tuple);
}

static int set_items(struct vsm_pickle *p, size_t height)
{
    uint32_t dict;
    int status = VSM_OK;

    if (height == 0 || (p->stack.count - height) % 2)
        return bad(p, "unpaired items");
    dict = ((uint32_t *)p->stack.items)[height - 1];
    if (value_at(p, dict)->kind != DICT)
        return bad(p, "items for what is not a dictionary");
    for (size_t i = height; !status && i < p->stack.count; i += 2)
        status = append(p, dict, ((uint32_t *)p->stack.items)[i], ((uint32_t *)p->stack.items)[i + 1]);
    p->stack.count = height;
    return status;
}

static int append_items(struct vsm_pickle *p, size_t height)
{
    uint32_t list;
    int status = VSM_OK;

    if (height == 0)
        return bad(p, "items without a list");
    list = ((uint32_t *)p->stack.items)[height - 1];
    if (value_at(p, list)->kind != LIST)
        return bad(p, "items for what is not a list");
    for (size_t i = height; !status && i < p->stack.count; i++)
        status = append(p, list, 0, ((uint32_t *)p->stack.items)[i]);
    p->stack.count = height;
    return status;
}

static int read_line(struct vsm_pickle *p, struct text *line)
{
    const char *start = (const char *)p->in.data + p->in.pos;
    const char *end = vsm_bytes_left(&p->in) ? memchr(start, '\n', vsm_bytes_left(&p->in)) : NULL;

    if (!end)
        return bad(p, "a name without an end");
    *line = (struct text){start, (size_t)(end - start)};
    p->in.pos += line->size + 1;
    return VSM_OK;
}

static bool text_is(struct text t, const char *s)
{
    return t.size == strlen(s) && memcmp(t.start, s, t.size) == 0;
}

static int shown(struct text t)
{
    return t.size < 80 ? (int)t.size : 80;
}

static int read_global(struct vsm_pickle *p)
{
    struct text module, name;
    int status = read_line(p, &module);

    if (!status)
        status = read_line(p, &name);
    if (status)
        return status;
    for (size_t i = 0; i < sizeof(known_globals) / sizeof(known_globals[0]); i++) {
        const struct known_global *k = &known_globals[i];

        if (text_is(module, k->module) && text_is(name, k->name))
            return push(p, (struct value){.kind = GLOBAL, .u.global = {k->what, k->dtype, name}});
    }
    return vsm_fail(
        VSM_E_MODEL,
        "%s: data.pkl names %.*s.%.*s, which has no place in a checkpoint; nothing was executed, do not "
        "use this file",
        p->path, shown(module), module.start, shown(name), name.start);
}

/* The items of a tuple as an array of at most `limit` indices; -1 if not a tuple or longer. */
static int tuple_items(const struct vsm_pickle *p, uint32_t tuple, uint32_t *items, int limit)
{
    const struct value *v = value_at(p, tuple);
    int n = 0;

    if (v->kind != TUPLE || v->u.items.count > (uint32_t)limit)
        return -1;
    for (uint32_t c = v->u.items.first; c; c = cell_at(p, c)->next)
        items[n++] = cell_at(p, c)->value;
    return n;
}

static int tuple_ints(const struct vsm_pickle *p, uint32_t tuple, int64_t *out, int limit)
{
    uint32_t items[VSM_TENSOR_MAX_RANK];
    int n = tuple_items(p, tuple, items, limit);

    for (int i = 0; i < n; i++) {
        if (value_at(p, items[i])->kind != INTEGER)
            return -1;
        out[i] = value_at(p, items[i])->u.integer;
    }
    return n;
}

/* ('storage', class, key, location, elements) */
static int read_storage(struct vsm_pickle *p)
{
    uint32_t items[5];
    const struct value *class, *key, *elements;

    if (poppable(p) < 1 || tuple_items(p, stack_at(p, 0), items, 5) != 5)
        return bad(p, "a persistent identifier that is no storage");
    class = value_at(p, items[1]);
    key = value_at(p, items[2]);
    elements = value_at(p, items[4]);
    if (value_at(p, items[0])->kind != TEXT || !text_is(value_at(p, items[0])->u.text, "storage") ||
        class->kind != GLOBAL || class->u.global.what != STORAGE_CLASS || key->kind != TEXT ||
        elements->kind != INTEGER || elements->u.integer < 0)
        return bad(p, "a storage with odd fields");
    if (class->u.global.dtype < 0)
        return vsm_fail(VSM_E_MODEL, "%s: storages of type %.*s are not supported; checkpoints hold float32",
                        p->path, (int)class->u.global.name.size, class->u.global.name.start);
    p->stack.count--;
    return push(p, (struct value){.kind = STORAGE,
                                  .u.storage = {(enum vsm_dtype) class->u.global.dtype, key->u.text,
                                                elements->u.integer}});
}

/* (storage, offset, size, stride, requires_grad, hooks[, metadata]) */
static int rebuild_tensor(struct vsm_pickle *p, uint32_t arguments)
{
    struct vsm_pickle_tensor t = {0};
    const struct value *storage;
    uint32_t items[7];
    int n = tuple_items(p, arguments, items, 7), status;

    if (n < 6)
        return bad(p, "a tensor with too few or too many fields");
    storage = value_at(p, items[0]);
    if (storage->kind != STORAGE || value_at(p, items[1])->kind != INTEGER)
        return bad(p, "a tensor without a storage");
    t.rank = tuple_ints(p, items[2], t.dims, VSM_TENSOR_MAX_RANK);
    if (t.rank < 0 || tuple_ints(p, items[3], t.strides, VSM_TENSOR_MAX_RANK) != t.rank)
        return bad(p, "a tensor with an odd shape");
    t.dtype = storage->u.storage.dtype;
    t.storage = storage->u.storage.key.start;
    t.storage_size = storage->u.storage.key.size;
    t.storage_elements = storage->u.storage.elements;
    t.offset = value_at(p, items[1])->u.integer;
    p->stack.count -= 2;
    status = table_add(&p->tensors, &t);
    return status ? status
                  : push(p, (struct value){.kind = TENSOR, .u.tensor = (uint32_t)p->tensors.count - 1});
}

static int reduce(struct vsm_pickle *p)
{
    const struct value *function;
    uint32_t arguments, items[3];

    if (poppable(p) < 2 || value_at(p, stack_at(p, 1))->kind != GLOBAL)
        return bad(p, "a call of what is no known function");
    function = value_at(p, stack_at(p, 1));
    arguments = stack_at(p, 0);
    switch (function->u.global.what) {
    case ORDERED_DICT:
        if (tuple_items(p, arguments, items, 0) != 0)
            return bad(p, "an OrderedDict with arguments");
        p->stack.count -= 2;
        return push(p, (struct value){.kind = DICT});
    case REBUILD_TENSOR:
        return rebuild_tensor(p, arguments);
    case REBUILD_PARAMETER:
        if (tuple_items(p, arguments, items, 3) < 1 || value_at(p, items[0])->kind != TENSOR)
            return bad(p, "a parameter without a tensor");
        p->stack.count -= 2;
        return push_index(p, items[0]);
    case STORAGE_CLASS:
        break;
    }
    return bad(p, "a call of a storage class");
}

static int memo_put(struct vsm_pickle *p, uint64_t key)
{
    const uint32_t none = UINT32_MAX;

    if (poppable(p) < 1)
        return bad(p, "a memo entry of nothing");
    if (key >= p->in.size)
        return bad(p, "a memo number beyond any use");
    while (p->memo.count <= key)
        if (table_add(&p->memo, &none))
            return VSM_E_NOMEM;
    ((uint32_t *)p->memo.items)[key] = stack_at(p, 0);
    return VSM_OK;
}

static int memo_get(struct vsm_pickle *p, uint64_t key)
{
    if (key >= p->memo.count || ((uint32_t *)p->memo.items)[key] == UINT32_MAX)
        return bad(p, "an unknown memo number");
    return push_index(p, ((uint32_t *)p->memo.items)[key]);
}

static int push_int(struct vsm_pickle *p, int64_t v)
{
    return push(p, (struct value){.kind = INTEGER, .u.integer = v});
}

static int push_text(struct vsm_pickle *p, size_t size)
{
    const char *start = vsm_bytes_get(&p->in, size);

    return start ? push(p, (struct value){.kind = TEXT, .u.text = {start, size}}) : bad(p, "a cut text");
}

static int push_long(struct vsm_pickle *p)
{
    size_t size = vsm_bytes_get_u8(&p->in);
    const uint8_t *bytes = vsm_bytes_get(&p->in, size);
    uint64_t v = 0;

    if (!bytes || size > 8)
        return bad(p, "a number of more than 64 bits");
    for (size_t i = 0; i < 8; i++)
        v |= (uint64_t)(i < size ? bytes[i] : size && bytes[size - 1] & 0x80 ? 0xff : 0) << 8 * i;
    return push_int(p, (int64_t)v);
}

static int small_tuple(struct vsm_pickle *p, size_t count)
{
    return poppable(p) < count ? bad(p, "a tuple of too little") : make_tuple(p, p->stack.count - count);
}

/* Operations on what the last mark or the last few values enclose. */
static int step_container(struct vsm_pickle *p, unsigned op)
{
    const uint32_t height = (uint32_t)p->stack.count;
    size_t mark = 0;
    int status;

    switch (op) {
    case OP_MARK:
        return table_add(&p->marks, &height);
    case OP_TUPLE:
    case OP_SETITEMS:
    case OP_APPENDS:
        status = pop_mark(p, &mark);
        if (status)
            return status;
        return op == OP_TUPLE      ? make_tuple(p, mark)
               : op == OP_SETITEMS ? set_items(p, mark)
                                   : append_items(p, mark);
    case OP_SETITEM:
        return poppable(p) < 3 ? bad(p, "an item without a dictionary") : set_items(p, p->stack.count - 2);
    case OP_APPEND:
        return poppable(p) < 2 ? bad(p, "an item without a list") : append_items(p, p->stack.count - 1);
    case OP_EMPTY_TUPLE:
        return make_tuple(p, p->stack.count);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return small_tuple(p, op - OP_TUPLE1 + 1);
    case OP_EMPTY_LIST:
        return push(p, (struct value){.kind = LIST});
    case OP_EMPTY_DICT:
        return push(p, (struct value){.kind = DICT});
    case OP_BUILD: /* attributes of a dictionary, such as _metadata: of no use here */
        if (poppable(p) < 2 || value_at(p, stack_at(p, 1))->kind != DICT)
            return bad(p, "attributes for what is not a dictionary");
        p->stack.count--;
        return VSM_OK;
    }
    return vsm_fail(VSM_E_MODEL, "%s: data.pkl has the unknown operation 0x%02x at byte %zu", p->path, op,
                    p->in.pos - 1);
}

static int step(struct vsm_pickle *p, unsigned op)
{
    switch (op) {
    case OP_PROTO:
        return vsm_bytes_get_u8(&p->in) <= 4 ? VSM_OK : bad(p, "an unknown pickle protocol");
    case OP_FRAME:
        vsm_bytes_get_le64(&p->in);
        return VSM_OK;
    case OP_BINPUT:
        return memo_put(p, vsm_bytes_get_u8(&p->in));
    case OP_LONG_BINPUT:
        return memo_put(p, vsm_bytes_get_le32(&p->in));
    case OP_MEMOIZE:
        return memo_put(p, p->memo.count);
    case OP_BINGET:
        return memo_get(p, vsm_bytes_get_u8(&p->in));
    case OP_LONG_BINGET:
        return memo_get(p, vsm_bytes_get_le32(&p->in));
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
        return push(p, (struct value){.kind = NOTHING});
    case OP_NONE:
    case OP_NEWTRUE:
    case OP_NEWFALSE:
        return push(p, (struct value){.kind = NOTHING});
    case OP_GLOBAL:
        return read_global(p);
    case OP_BINPERSID:
        return read_storage(p);
    case OP_REDUCE:
        return reduce(p);
    }
    return step_container(p, op);
}

/* Finds root["model"], then copies its tensors with their names. */
static int collect(struct vsm_pickle *p)
{
    uint32_t dict;

    if (p->stack.count != 1 || value_at(p, stack_at(p, 0))->kind != DICT)
        return bad(p, "no dictionary");
    dict = stack_at(p, 0);
    for (uint32_t c = value_at(p, dict)->u.items.first; c; c = cell_at(p, c)->next) {
        const struct value *key = value_at(p, cell_at(p, c)->key);

        if (key->kind == TEXT && text_is(key->u.text, "model") &&
            value_at(p, cell_at(p, c)->value)->kind == DICT) {
            dict = cell_at(p, c)->value;
            break;
        }
    }
    for (uint32_t c = value_at(p, dict)->u.items.first; c; c = cell_at(p, c)->next) {
        const struct value *key = value_at(p, cell_at(p, c)->key), *item = value_at(p, cell_at(p, c)->value);
        struct vsm_pickle_tensor t;

        if (key->kind != TEXT || item->kind != TENSOR)
            return vsm_fail(VSM_E_MODEL, "%s: data.pkl has an entry that is not a named tensor: %.*s",
                            p->path, key->kind == TEXT ? shown(key->u.text) : 3,
                            key->kind == TEXT ? key->u.text.start : "(?)");
        t = ((struct vsm_pickle_tensor *)p->tensors.items)[item->u.tensor];
        t.name = key->u.text.start;
        t.name_size = key->u.text.size;
        if (table_add(&p->result, &t))
            return VSM_E_NOMEM;
    }
    return VSM_OK;
}

int vsm_pickle_read(const char *path, const uint8_t *data, size_t size, struct vsm_pickle **pickle)
{
    struct vsm_pickle *p = vsm_mem_alloc("pickle", 1, sizeof(*p));
    int status = VSM_OK;

    *pickle = NULL;
    if (!p)
        return VSM_E_NOMEM;
    p->path = path;
    p->in = vsm_bytes_in_of(data, size);
    p->values.item_size = sizeof(struct value);
    p->cells.item_size = sizeof(struct cell);
    p->stack.item_size = p->marks.item_size = p->memo.item_size = sizeof(uint32_t);
    p->tensors.item_size = p->result.item_size = sizeof(struct vsm_pickle_tensor);
    if (size > VSM_PICKLE_MAX_SIZE)
        status = vsm_fail(VSM_E_MODEL, "%s: data.pkl has %zu bytes; at most %zu are accepted", path, size,
                          VSM_PICKLE_MAX_SIZE);
    while (!status) {
        unsigned op = vsm_bytes_get_u8(&p->in);

        if (op == OP_STOP && !p->in.failed)
            break;
        status = p->in.failed ? bad(p, "no end") : step(p, op);
        if (!status && p->in.failed)
            status = bad(p, "no end");
    }
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
    vsm_mem_free(pickle->values.items);
    vsm_mem_free(pickle->cells.items);
    vsm_mem_free(pickle->stack.items);
    vsm_mem_free(pickle->marks.items);
    vsm_mem_free(pickle->memo.items);
    vsm_mem_free(pickle->tensors.items);
    vsm_mem_free(pickle->result.items);
    vsm_mem_free(pickle);
}

const struct vsm_pickle_tensor *vsm_pickle_tensors(const struct vsm_pickle *pickle, size_t *count)
{
    *count = pickle->result.count;
    return pickle->result.items;
}
