/* State of the whole pipeline at a barrier: a list of named records, one or more a stage.
 *
 * In memory only; checkpoint/checkpoint.h gives it a file format. Record names are unique: the stage's name,
 * or "stage.thing" where it has several. Not thread-safe: a state has one owner at a time, the barrier on its
 * way through the stages.
 */
#ifndef VSM_CHECKPOINT_STATE_H
#define VSM_CHECKPOINT_STATE_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a record's name with its NUL. */
#define VSM_STATE_NAME_SIZE 32

/* Most records in one state, 1..; a pipeline of 8 stages with 3 outputs needs about 30. */
#define VSM_STATE_MAX_RECORDS 256

struct vsm_state_record {
    char name[VSM_STATE_NAME_SIZE]; /* 1 to 31 of [a-z0-9._], NUL-padded to the end */
    void *data;                     /* owned */
    size_t size;
};

struct vsm_state {
    struct vsm_state_record *records; /* owned, in the order they were added */
    size_t count, capacity;
};

/* Empty; NULL on failure (message set). */
struct vsm_state *vsm_state_create(void) VSM_NODISCARD;

/* Frees all records and nulls the pointer. NULL and a pointer to NULL are allowed. */
void vsm_state_destroy(struct vsm_state **state);

/* Adds a copy of `size` bytes (data may be NULL if size is 0). VSM_E_INTERNAL for a bad or repeated name or
 * one record too many, VSM_E_NOMEM; the state is then as it was. */
int vsm_state_add(struct vsm_state *state, const char *name, const void *data, size_t size) VSM_NODISCARD;

/* Takes the writer's buffer as the record; the writer is reset in any case, its own failure is returned. */
int vsm_state_add_bytes(struct vsm_state *state, const char *name,
                        struct vsm_bytes_out *writer) VSM_NODISCARD;

/* The record of that name, borrowed; NULL if there is none. */
const struct vsm_state_record *vsm_state_find(const struct vsm_state *state, const char *name);

/* Whether `name` may name a record. */
bool vsm_state_name_is_valid(const char *name);

#endif
