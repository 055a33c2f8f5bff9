/* State of the whole pipeline at a barrier: a list of named records, one or more a stage.
 *
 * In memory only; src/checkpoint gives it a file format. Record names are "stage.thing" and unique.
 */
#ifndef VSM_PIPELINE_STATE_H
#define VSM_PIPELINE_STATE_H

#include "base/bytes.h"
#include "base/status.h"

#include <stddef.h>

struct vsm_record {
    char name[32]; /* NUL-terminated, [a-z0-9._] */
    void *data;    /* owned */
    size_t size;
};

struct vsm_state {
    struct vsm_record *records; /* owned, in the order they were added */
    size_t count, capacity;
};

struct vsm_state *vsm_state_create(void) VSM_NODISCARD;
void vsm_state_destroy(struct vsm_state **state);

/* Adds a copy of `size` bytes. VSM_E_INTERNAL for a bad or repeated name. */
int vsm_state_add(struct vsm_state *state, const char *name, const void *data, size_t size) VSM_NODISCARD;

/* Takes the writer's buffer as the record; the writer is reset in any case, its own failure is returned. */
int vsm_state_add_bytes(struct vsm_state *state, const char *name,
                        struct vsm_bytes_out *writer) VSM_NODISCARD;

/* The record of that name, borrowed; NULL if there is none. */
const struct vsm_record *vsm_state_find(const struct vsm_state *state, const char *name);

#endif
