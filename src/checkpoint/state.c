#include "checkpoint/state.h"

#include "base/mem.h"

#include <string.h>

struct vsm_state *vsm_state_create(void)
{
    return vsm_mem_alloc("pipeline state", 1, sizeof(struct vsm_state));
}

void vsm_state_destroy(struct vsm_state **state)
{
    struct vsm_state *s = state ? *state : NULL;

    if (!s)
        return;
    *state = NULL;
    for (size_t i = 0; i < s->count; i++)
        vsm_mem_free(s->records[i].data);
    vsm_mem_free(s->records);
    vsm_mem_free(s);
}

bool vsm_state_name_is_valid(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length < VSM_STATE_NAME_SIZE &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._") == length;
}

const struct vsm_state_record *vsm_state_find(const struct vsm_state *state, const char *name)
{
    for (size_t i = 0; i < state->count; i++)
        if (strcmp(state->records[i].name, name) == 0)
            return &state->records[i];
    return NULL;
}

/* Room for one more record of that name. */
static int prepare(struct vsm_state *state, const char *name)
{
    size_t capacity = state->capacity ? state->capacity * 2 : 16;
    struct vsm_state_record *grown;

    if (!vsm_state_name_is_valid(name))
        return vsm_fail(VSM_E_INTERNAL,
                        "state record \"%s\": not a name of 1 to %d of a-z, 0-9, dot, underscore", name,
                        VSM_STATE_NAME_SIZE - 1);
    if (vsm_state_find(state, name))
        return vsm_fail(VSM_E_INTERNAL, "state record \"%s\": added twice", name);
    if (state->count >= VSM_STATE_MAX_RECORDS)
        return vsm_fail(VSM_E_INTERNAL, "state record \"%s\": more than %d records", name,
                        VSM_STATE_MAX_RECORDS);
    if (state->count < state->capacity)
        return VSM_OK;
    grown = vsm_mem_alloc("pipeline state", capacity, sizeof(*grown));
    if (!grown)
        return VSM_E_NOMEM;
    if (state->count)
        memcpy(grown, state->records, state->count * sizeof(*grown));
    vsm_mem_free(state->records);
    state->records = grown;
    state->capacity = capacity;
    return VSM_OK;
}

static void append(struct vsm_state *state, const char *name, void *data, size_t size)
{
    struct vsm_state_record *record = &state->records[state->count++];

    *record = (struct vsm_state_record){.data = data, .size = size};
    memcpy(record->name, name, strlen(name));
}

int vsm_state_add(struct vsm_state *state, const char *name, const void *data, size_t size)
{
    int status = prepare(state, name);
    void *copy;

    if (status != VSM_OK)
        return status;
    copy = size ? vsm_mem_copy(name, data, size) : NULL;
    if (size && !copy)
        return VSM_E_NOMEM;
    append(state, name, copy, size);
    return VSM_OK;
}

int vsm_state_add_bytes(struct vsm_state *state, const char *name, struct vsm_bytes_out *writer)
{
    int status = writer->failed ? VSM_E_NOMEM : prepare(state, name);

    if (status == VSM_OK) {
        append(state, name, writer->data, writer->size);
        writer->data = NULL;
    }
    vsm_bytes_out_finish(writer);
    return status;
}
