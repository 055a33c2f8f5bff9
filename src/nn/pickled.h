/* What a pickle makes while it is read: values, the stack they are on, marks in it, the memo, and containers.
 *
 * Every value is made once and lives to the end; the stack, the memo and containers refer to it by index.
 * Containers are chains of cells: an item, or a key and its value. Memory is bounded by the pickle's size,
 * for an operation of one byte makes a value, a reference and three cells at most.
 *
 * Functions that return int fail with VSM_E_MODEL, which says what is wrong at which byte, or VSM_E_NOMEM.
 * One thread.
 */
#ifndef VSM_NN_PICKLED_H
#define VSM_NN_PICKLED_H

#include "base/bytes.h"
#include "base/status.h"
#include "frame/tensor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vsm_pickled_kind {
    VSM_PICKLED_NOTHING, /* None, booleans and floats, which are of no use here */
    VSM_PICKLED_INTEGER,
    VSM_PICKLED_TEXT,
    VSM_PICKLED_TUPLE,
    VSM_PICKLED_LIST,
    VSM_PICKLED_DICT,
    VSM_PICKLED_GLOBAL, /* this and the next two: nn/pickle_torch.h */
    VSM_PICKLED_STORAGE,
    VSM_PICKLED_TENSOR,
};

/* In the pickle, no NUL. */
struct vsm_pickled_text {
    const char *start;
    size_t size;
};

struct vsm_pickled_value {
    enum vsm_pickled_kind kind;
    union {
        int64_t integer;
        struct vsm_pickled_text text;
        struct {
            uint32_t first, last, count; /* cells + 1, 0 = none */
        } items;
        uint32_t global; /* in the table of what is known */
        struct {
            enum vsm_dtype dtype;
            struct vsm_pickled_text key;
            int64_t elements;
        } storage;
        uint32_t tensor; /* index */
    } u;
};

struct vsm_pickled_cell {
    uint32_t key, value, next;
};

/* A growing array. */
struct vsm_pickled_table {
    void *items;
    size_t count, capacity, item_size;
};

struct vsm_pickled {
    const char *path;       /* for messages */
    struct vsm_bytes_in in; /* the pickle, at what is read next */
    struct vsm_pickled_table values, cells, stack, marks, memo;
};

void vsm_pickled_start(struct vsm_pickled *p, const char *path, const uint8_t *data, size_t size);
void vsm_pickled_finish(struct vsm_pickled *p);

int vsm_pickled_bad(const struct vsm_pickled *p, const char *what);
int vsm_pickled_add(struct vsm_pickled_table *table, const void *item) VSM_NODISCARD;
bool vsm_pickled_text_is(struct vsm_pickled_text text, const char *s);
/* As much of its size as a message should show. */
int vsm_pickled_shown(struct vsm_pickled_text text);

const struct vsm_pickled_value *vsm_pickled_at(const struct vsm_pickled *p, uint32_t index);

/* The stack. `top`: index of the value at that depth, 0 = the last. `poppable`: how many there are above the
 * last mark. */
int vsm_pickled_push(struct vsm_pickled *p, struct vsm_pickled_value v) VSM_NODISCARD;
int vsm_pickled_push_index(struct vsm_pickled *p, uint32_t index) VSM_NODISCARD;
uint32_t vsm_pickled_top(const struct vsm_pickled *p, size_t depth);
size_t vsm_pickled_poppable(const struct vsm_pickled *p);
void vsm_pickled_drop(struct vsm_pickled *p, size_t count);

/* Marks are heights of the stack. */
int vsm_pickled_mark(struct vsm_pickled *p) VSM_NODISCARD;
int vsm_pickled_pop_mark(struct vsm_pickled *p, size_t *height) VSM_NODISCARD;

/* What is on the stack from `height` on becomes a tuple, or goes into the dictionary or list below it. */
int vsm_pickled_make_tuple(struct vsm_pickled *p, size_t height) VSM_NODISCARD;
int vsm_pickled_set_items(struct vsm_pickled *p, size_t height) VSM_NODISCARD;
int vsm_pickled_append_items(struct vsm_pickled *p, size_t height) VSM_NODISCARD;

/* The memo: numbers the top of the stack; pushes what has that number. */
int vsm_pickled_put(struct vsm_pickled *p, uint64_t number) VSM_NODISCARD;
int vsm_pickled_get(struct vsm_pickled *p, uint64_t number) VSM_NODISCARD;

/* A cell of a container by its number, which is u.items.first or another's `next`, not 0. */
const struct vsm_pickled_cell *vsm_pickled_cell(const struct vsm_pickled *p, uint32_t number);
/* The items of a tuple, and how many there are; -1 if it is none, has more than `limit`, or (ints) other than
 * integers. */
int vsm_pickled_tuple(const struct vsm_pickled *p, uint32_t tuple, uint32_t *items, int limit);
int vsm_pickled_tuple_ints(const struct vsm_pickled *p, uint32_t tuple, int64_t *out, int limit);

#endif
