#include "nn/pickled.h"

#include "base/mem.h"

#include <string.h>

void vsm_pickled_start(struct vsm_pickled *p, const char *path, const uint8_t *data, size_t size)
{
    *p = (struct vsm_pickled){.path = path, .in = vsm_bytes_in_of(data, size)};
    p->values.item_size = sizeof(struct vsm_pickled_value);
    p->cells.item_size = sizeof(struct vsm_pickled_cell);
    p->stack.item_size = p->marks.item_size = p->memo.item_size = sizeof(uint32_t);
}

void vsm_pickled_finish(struct vsm_pickled *p)
{
    vsm_mem_free(p->values.items);
    vsm_mem_free(p->cells.items);
    vsm_mem_free(p->stack.items);
    vsm_mem_free(p->marks.items);
    vsm_mem_free(p->memo.items);
}

int vsm_pickled_bad(const struct vsm_pickled *p, const char *what)
{
    return vsm_fail(VSM_E_MODEL, "%s: data.pkl is damaged or not from torch.save(): %s at byte %zu", p->path,
                    what, p->in.pos);
}

int vsm_pickled_add(struct vsm_pickled_table *table, const void *item)
{
    if (table->count == table->capacity) {
        size_t wanted = table->capacity ? table->capacity * 2 : 256;
        void *larger = vsm_mem_alloc("pickle", wanted, table->item_size);

        if (!larger)
            return VSM_E_NOMEM;
        if (table->count)
            memcpy(larger, table->items, table->count * table->item_size);
        vsm_mem_free(table->items);
        table->items = larger;
        table->capacity = wanted;
    }
    memcpy((char *)table->items + table->count++ * table->item_size, item, table->item_size);
    return VSM_OK;
}

bool vsm_pickled_text_is(struct vsm_pickled_text text, const char *s)
{
    return text.size == strlen(s) && memcmp(text.start, s, text.size) == 0;
}

int vsm_pickled_shown(struct vsm_pickled_text text)
{
    return text.size < 80 ? (int)text.size : 80;
}

static struct vsm_pickled_value *value_at(const struct vsm_pickled *p, uint32_t index)
{
    return (struct vsm_pickled_value *)p->values.items + index;
}

static struct vsm_pickled_cell *cell_at(const struct vsm_pickled *p, uint32_t number)
{
    return (struct vsm_pickled_cell *)p->cells.items + number - 1;
}

static uint32_t *stack_of(const struct vsm_pickled *p)
{
    return p->stack.items;
}

const struct vsm_pickled_value *vsm_pickled_at(const struct vsm_pickled *p, uint32_t index)
{
    return value_at(p, index);
}

const struct vsm_pickled_cell *vsm_pickled_cell(const struct vsm_pickled *p, uint32_t number)
{
    return cell_at(p, number);
}

uint32_t vsm_pickled_top(const struct vsm_pickled *p, size_t depth)
{
    return stack_of(p)[p->stack.count - 1 - depth];
}

int vsm_pickled_push_index(struct vsm_pickled *p, uint32_t index)
{
    return vsm_pickled_add(&p->stack, &index);
}

int vsm_pickled_push(struct vsm_pickled *p, struct vsm_pickled_value v)
{
    uint32_t index = (uint32_t)p->values.count;
    int status = vsm_pickled_add(&p->values, &v);

    return status ? status : vsm_pickled_push_index(p, index);
}

size_t vsm_pickled_poppable(const struct vsm_pickled *p)
{
    size_t floor = p->marks.count ? ((uint32_t *)p->marks.items)[p->marks.count - 1] : 0;

    return p->stack.count - floor;
}

void vsm_pickled_drop(struct vsm_pickled *p, size_t count)
{
    p->stack.count -= count;
}

int vsm_pickled_mark(struct vsm_pickled *p)
{
    const uint32_t height = (uint32_t)p->stack.count;

    return vsm_pickled_add(&p->marks, &height);
}

int vsm_pickled_pop_mark(struct vsm_pickled *p, size_t *height)
{
    if (p->marks.count == 0)
        return vsm_pickled_bad(p, "no mark for this operation");
    *height = ((uint32_t *)p->marks.items)[--p->marks.count];
    return VSM_OK;
}

static int append(struct vsm_pickled *p, uint32_t container, uint32_t key, uint32_t item)
{
    const struct vsm_pickled_cell c = {key, item, 0};
    struct vsm_pickled_value *v;
    int status = vsm_pickled_add(&p->cells, &c);

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

int vsm_pickled_make_tuple(struct vsm_pickled *p, size_t height)
{
    uint32_t tuple = (uint32_t)p->values.count;
    const struct vsm_pickled_value v = {.kind = VSM_PICKLED_TUPLE};
    int status = vsm_pickled_add(&p->values, &v);

    for (size_t i = height; !status && i < p->stack.count; i++)
        status = append(p, tuple, 0, stack_of(p)[i]);
    p->stack.count = height;
    return status ? status : vsm_pickled_push_index(p, tuple);
}

int vsm_pickled_set_items(struct vsm_pickled *p, size_t height)
{
    uint32_t dict;
    int status = VSM_OK;

    if (height == 0 || (p->stack.count - height) % 2)
        return vsm_pickled_bad(p, "unpaired items");
    dict = stack_of(p)[height - 1];
    if (value_at(p, dict)->kind != VSM_PICKLED_DICT)
        return vsm_pickled_bad(p, "items for what is not a dictionary");
    for (size_t i = height; !status && i < p->stack.count; i += 2)
        status = append(p, dict, stack_of(p)[i], stack_of(p)[i + 1]);
    p->stack.count = height;
    return status;
}

int vsm_pickled_append_items(struct vsm_pickled *p, size_t height)
{
    uint32_t list;
    int status = VSM_OK;

    if (height == 0)
        return vsm_pickled_bad(p, "items without a list");
    list = stack_of(p)[height - 1];
    if (value_at(p, list)->kind != VSM_PICKLED_LIST)
        return vsm_pickled_bad(p, "items for what is not a list");
    for (size_t i = height; !status && i < p->stack.count; i++)
        status = append(p, list, 0, stack_of(p)[i]);
    p->stack.count = height;
    return status;
}

int vsm_pickled_put(struct vsm_pickled *p, uint64_t number)
{
    const uint32_t none = UINT32_MAX;

    if (vsm_pickled_poppable(p) < 1)
        return vsm_pickled_bad(p, "a memo entry of nothing");
    if (number >= p->in.size)
        return vsm_pickled_bad(p, "a memo number beyond any use");
    while (p->memo.count <= number)
        if (vsm_pickled_add(&p->memo, &none))
            return VSM_E_NOMEM;
    ((uint32_t *)p->memo.items)[number] = vsm_pickled_top(p, 0);
    return VSM_OK;
}

int vsm_pickled_get(struct vsm_pickled *p, uint64_t number)
{
    if (number >= p->memo.count || ((uint32_t *)p->memo.items)[number] == UINT32_MAX)
        return vsm_pickled_bad(p, "an unknown memo number");
    return vsm_pickled_push_index(p, ((uint32_t *)p->memo.items)[number]);
}

int vsm_pickled_tuple(const struct vsm_pickled *p, uint32_t tuple, uint32_t *items, int limit)
{
    const struct vsm_pickled_value *v = value_at(p, tuple);
    int n = 0;

    if (v->kind != VSM_PICKLED_TUPLE || v->u.items.count > (uint32_t)limit)
        return -1;
    for (uint32_t c = v->u.items.first; c; c = cell_at(p, c)->next)
        items[n++] = cell_at(p, c)->value;
    return n;
}

int vsm_pickled_tuple_ints(const struct vsm_pickled *p, uint32_t tuple, int64_t *out, int limit)
{
    uint32_t items[VSM_TENSOR_MAX_RANK];
    int n = limit > VSM_TENSOR_MAX_RANK ? -1 : vsm_pickled_tuple(p, tuple, items, limit);

    for (int i = 0; i < n; i++) {
        if (value_at(p, items[i])->kind != VSM_PICKLED_INTEGER)
            return -1;
        out[i] = value_at(p, items[i])->u.integer;
    }
    return n;
}
