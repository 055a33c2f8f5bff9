#include "models/sam2_bank.h"

#include "base/mem.h"
#include "models/sam2_constants.h"
#include "nn/device_pool.h"

#include <math.h>
#include <string.h>

#define DIM            VSM_SAM2_MEMORY_DIM
#define POINTER_TOKENS (VSM_SAM2_DIM / VSM_SAM2_MEMORY_DIM)
#define EMPTY          INT64_MIN
/* One more than are used, for the newest frame. */
#define MEMORY_SLOTS  (VSM_SAM2_RECENT + 1)
#define POINTER_SLOTS VSM_SAM2_POINTERS

struct memory {
    int64_t frame;    /* EMPTY = none */
    uint16_t *tokens; /* on the host or on the device */
};

struct pointer {
    int64_t frame;
    float values[VSM_SAM2_DIM];
};

struct vsm_sam2_bank {
    int tokens, capacity;
    int conditioning_count;
    struct memory conditioning[VSM_SAM2_BANK_MAX_CONDITIONING]; /* by frame; pointers[] go with them */
    struct pointer conditioning_pointers[VSM_SAM2_BANK_MAX_CONDITIONING];
    struct memory recent[MEMORY_SLOTS]; /* slot = frame mod slots */
    struct pointer pointers[POINTER_SLOTS];
    uint16_t *all_tokens;
    struct vsm_sam2_bank_place place;
    struct vsm_tensor *device; /* holds all_tokens there; NULL: host memory of the bank's own */
    uint16_t *passing;         /* with `device`: one memory on its way to or from a checkpoint */
};

static uint16_t to_bfloat16(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof(u));
    if (isnan(f))
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static float from_bfloat16(uint16_t b)
{
    uint32_t u = (uint32_t)b << 16;
    float f;

    memcpy(&f, &u, sizeof(f));
    return f;
}

static size_t memory_size(const struct vsm_sam2_bank *bank)
{
    return (size_t)bank->tokens * DIM;
}

/* One memory from one place to another; without a pool both are in host memory. */
static void copy_tokens(const struct vsm_sam2_bank *bank, void *to, const void *from)
{
    const size_t bytes = memory_size(bank) * sizeof(uint16_t);

    if (bank->place.pool)
        vsm_device_pool_copy(bank->place.pool, to, from, bytes);
    else
        memcpy(to, from, bytes);
}

static int slot_of(int64_t frame, int slots)
{
    return (int)(((frame % slots) + slots) % slots);
}

static uint16_t *make_room(struct vsm_sam2_bank *bank)
{
    const int64_t dims[] = {bank->capacity + MEMORY_SLOTS, bank->tokens, DIM};
    const size_t bytes = memory_size(bank) * sizeof(uint16_t);

    if (!bank->place.on_device)
        return vsm_mem_alloc("memory bank", (size_t)dims[0], bytes);
    bank->passing = vsm_mem_alloc("memory bank", 1, bytes);
    if (bank->passing)
        bank->device = vsm_device_pool_tensor(bank->place.pool, VSM_BF16, 3, dims);
    return bank->device ? bank->device->data : NULL;
}

static void clear(struct vsm_sam2_bank *bank)
{
    bank->conditioning_count = 0;
    for (int i = 0; i < MEMORY_SLOTS; i++)
        bank->recent[i].frame = EMPTY;
    for (int i = 0; i < POINTER_SLOTS; i++)
        bank->pointers[i].frame = EMPTY;
}

struct vsm_sam2_bank *vsm_sam2_bank_create(int tokens, int capacity, const struct vsm_sam2_bank_place *place)
{
    struct vsm_sam2_bank *bank = vsm_mem_alloc("memory bank", 1, sizeof(*bank));
    uint16_t *at;

    if (!bank)
        return NULL;
    bank->tokens = tokens;
    bank->capacity = capacity;
    if (place && place->pool)
        bank->place = *place;
    bank->all_tokens = make_room(bank);
    if (!bank->all_tokens) {
        vsm_sam2_bank_destroy(bank);
        return NULL;
    }
    at = bank->all_tokens;
    for (int i = 0; i < capacity; i++, at += memory_size(bank))
        bank->conditioning[i].tokens = at;
    for (int i = 0; i < MEMORY_SLOTS; i++, at += memory_size(bank))
        bank->recent[i].tokens = at;
    clear(bank);
    return bank;
}

void vsm_sam2_bank_destroy(struct vsm_sam2_bank *bank)
{
    if (!bank)
        return;
    if (bank->device)
        vsm_tensor_unref(&bank->device);
    else
        vsm_mem_free(bank->all_tokens);
    vsm_mem_free(bank->passing);
    vsm_mem_free(bank);
}

static void put_recent(struct vsm_sam2_bank *bank, int64_t frame, const uint16_t *tokens,
                       const float *pointer)
{
    struct memory *m = &bank->recent[slot_of(frame, MEMORY_SLOTS)];
    struct pointer *p = &bank->pointers[slot_of(frame, POINTER_SLOTS)];

    if (frame >= m->frame) {
        m->frame = frame;
        copy_tokens(bank, m->tokens, tokens);
    }
    if (frame >= p->frame) {
        p->frame = frame;
        memcpy(p->values, pointer, sizeof(p->values));
    }
}

static void remove_recent(struct vsm_sam2_bank *bank, int64_t frame)
{
    struct memory *m = &bank->recent[slot_of(frame, MEMORY_SLOTS)];
    struct pointer *p = &bank->pointers[slot_of(frame, POINTER_SLOTS)];

    if (m->frame == frame)
        m->frame = EMPTY;
    if (p->frame == frame)
        p->frame = EMPTY;
}

/* Takes the second oldest conditioning memory out; as long as it is recent it stays in use as such. */
static void drop_second(struct vsm_sam2_bank *bank)
{
    const struct memory dropped = bank->conditioning[1];

    put_recent(bank, dropped.frame, dropped.tokens, bank->conditioning_pointers[1].values);
    for (int i = 1; i + 1 < bank->conditioning_count; i++) {
        bank->conditioning[i] = bank->conditioning[i + 1];
        bank->conditioning_pointers[i] = bank->conditioning_pointers[i + 1];
    }
    bank->conditioning_count--;
    bank->conditioning[bank->conditioning_count].tokens = dropped.tokens;
}

static int find_conditioning(const struct vsm_sam2_bank *bank, int64_t frame)
{
    for (int i = 0; i < bank->conditioning_count; i++)
        if (bank->conditioning[i].frame == frame)
            return i;
    return -1;
}

bool vsm_sam2_bank_has_conditioning(const struct vsm_sam2_bank *bank, int64_t frame)
{
    return find_conditioning(bank, frame) >= 0;
}

void vsm_sam2_bank_store(struct vsm_sam2_bank *bank, int64_t frame, bool conditioning, const void *memory,
                         const float pointer[VSM_SAM2_DIM])
{
    int at = find_conditioning(bank, frame);
    struct memory *m;

    if (conditioning || at >= 0) { /* a conditioning frame stays one */
        if (at < 0 && bank->conditioning_count == bank->capacity)
            drop_second(bank);
        if (at < 0)
            at = bank->conditioning_count++;
        remove_recent(bank, frame);
        m = &bank->conditioning[at];
        memcpy(bank->conditioning_pointers[at].values, pointer, VSM_SAM2_DIM * sizeof(*pointer));
        bank->conditioning_pointers[at].frame = frame;
    } else {
        struct pointer *p = &bank->pointers[slot_of(frame, POINTER_SLOTS)];

        m = &bank->recent[slot_of(frame, MEMORY_SLOTS)];
        p->frame = frame;
        memcpy(p->values, pointer, sizeof(p->values));
    }
    m->frame = frame;
    if (bank->place.pool)
        copy_tokens(bank, m->tokens, memory);
    for (size_t i = 0; !bank->place.pool && i < memory_size(bank); i++)
        m->tokens[i] = to_bfloat16(((const float *)memory)[i]);
}

/* The recent memory, or pointer, of a frame; NULL if there is none. */
static const struct memory *recent_of(const struct vsm_sam2_bank *bank, int64_t frame)
{
    const struct memory *m = &bank->recent[slot_of(frame, MEMORY_SLOTS)];

    return m->frame == frame ? m : NULL;
}

static const struct pointer *pointer_of(const struct vsm_sam2_bank *bank, int64_t frame)
{
    const struct pointer *p = &bank->pointers[slot_of(frame, POINTER_SLOTS)];

    return p->frame == frame ? p : NULL;
}

struct vsm_sam2_bank_size vsm_sam2_bank_size(const struct vsm_sam2_bank *bank, int64_t frame)
{
    struct vsm_sam2_bank_size size = {bank->conditioning_count, bank->conditioning_count};

    for (int back = 1; back <= VSM_SAM2_RECENT; back++)
        size.memories += recent_of(bank, frame - back) != NULL;
    for (int back = 1; back < VSM_SAM2_POINTERS; back++)
        size.pointers += pointer_of(bank, frame - back) != NULL;
    return size;
}

bool vsm_sam2_bank_usable(const struct vsm_sam2_bank *bank, int64_t frame)
{
    return vsm_sam2_bank_size(bank, frame).memories > 0;
}

void vsm_sam2_bank_pointer_position(const struct vsm_sam2_learned *learned, enum vsm_sam2_family family,
                                    int64_t distance, float out[VSM_SAM2_MEMORY_DIM])
{
    float encoding[VSM_SAM2_DIM];

    memset(out, 0, DIM * sizeof(*out));
    if (family != VSM_SAM2_1)
        return;
    vsm_sam2_constants_temporal(distance, encoding);
    for (int i = 0; i < DIM; i++) {
        double sum = (double)learned->pointer_time_bias[i];

        for (int j = 0; j < VSM_SAM2_DIM; j++)
            sum += (double)learned->pointer_time[i][j] * (double)encoding[j];
        out[i] = (float)sum;
    }
}

struct gathered {
    char *memory;
    float *temporal, *pointers, *position;
};

static void take_memory(const struct vsm_sam2_bank *bank, const struct memory *m, const float *temporal,
                        struct gathered *g)
{
    float *to = (float *)(void *)g->memory;

    if (bank->place.pool)
        copy_tokens(bank, g->memory, m->tokens);
    for (size_t i = 0; !bank->place.pool && i < memory_size(bank); i++)
        to[i] = from_bfloat16(m->tokens[i]);
    g->memory += memory_size(bank) * (bank->place.pool ? sizeof(uint16_t) : sizeof(float));
    memcpy(g->temporal, temporal, DIM * sizeof(*temporal));
    g->temporal += DIM;
}

static void take_pointer(const struct pointer *p, const struct vsm_sam2_learned *learned,
                         enum vsm_sam2_family family, int64_t distance, struct gathered *g)
{
    float position[DIM];

    memcpy(g->pointers, p->values, sizeof(p->values));
    g->pointers += VSM_SAM2_DIM;
    if (distance >= 0 && distance < VSM_SAM2_POINTERS)
        memcpy(position, learned->pointer_position[distance], sizeof(position));
    else
        vsm_sam2_bank_pointer_position(learned, family, distance, position);
    for (int i = 0; i < POINTER_TOKENS; i++, g->position += DIM)
        memcpy(g->position, position, sizeof(position));
}

void vsm_sam2_bank_gather(const struct vsm_sam2_bank *bank, const struct vsm_sam2_learned *learned,
                          enum vsm_sam2_family family, int64_t frame, void *memory, float *temporal,
                          float *pointers, float *position)
{
    struct gathered g = {memory, temporal, pointers, position};

    for (int i = 0; i < bank->conditioning_count; i++) {
        const struct pointer *p = &bank->conditioning_pointers[i];

        take_memory(bank, &bank->conditioning[i], learned->temporal[VSM_SAM2_TEMPORAL - 1], &g);
        take_pointer(p, learned, family, frame - p->frame, &g);
    }
    for (int back = VSM_SAM2_RECENT; back >= 1; back--)
        if (recent_of(bank, frame - back))
            take_memory(bank, recent_of(bank, frame - back), learned->temporal[back - 1], &g);
    for (int back = 1; back < VSM_SAM2_POINTERS; back++)
        if (pointer_of(bank, frame - back))
            take_pointer(pointer_of(bank, frame - back), learned, family, back, &g);
}

static int put_memory(const struct vsm_sam2_bank *bank, const struct memory *m, struct vsm_bytes_out *out)
{
    const uint16_t *tokens = bank->device ? bank->passing : m->tokens;
    int status = VSM_OK;

    vsm_bytes_put_le64(out, (uint64_t)m->frame);
    if (m->frame == EMPTY)
        return status;
    if (bank->device)
        copy_tokens(bank, bank->passing, m->tokens);
    if (bank->place.pool)
        status = vsm_device_pool_wait(bank->place.pool);
    for (size_t i = 0; !status && i < memory_size(bank); i++)
        vsm_bytes_put_le16(out, tokens[i]);
    return status;
}

static void put_pointer(const struct pointer *p, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le64(out, (uint64_t)p->frame);
    for (int i = 0; p->frame != EMPTY && i < VSM_SAM2_DIM; i++) {
        uint32_t u;

        memcpy(&u, &p->values[i], sizeof(u));
        vsm_bytes_put_le32(out, u);
    }
}

int vsm_sam2_bank_save(const struct vsm_sam2_bank *bank, struct vsm_bytes_out *out)
{
    int status = VSM_OK;

    vsm_bytes_put_le32(out, (uint32_t)bank->tokens);
    vsm_bytes_put_le32(out, (uint32_t)bank->conditioning_count);
    for (int i = 0; !status && i < bank->conditioning_count; i++) {
        status = put_memory(bank, &bank->conditioning[i], out);
        put_pointer(&bank->conditioning_pointers[i], out);
    }
    for (int i = 0; !status && i < MEMORY_SLOTS; i++)
        status = put_memory(bank, &bank->recent[i], out);
    for (int i = 0; i < POINTER_SLOTS; i++)
        put_pointer(&bank->pointers[i], out);
    return status;
}

static void get_memory(const struct vsm_sam2_bank *bank, struct memory *m, struct vsm_bytes_in *in)
{
    uint16_t *tokens = bank->device ? bank->passing : m->tokens;

    m->frame = (int64_t)vsm_bytes_get_le64(in);
    if (m->frame == EMPTY)
        return;
    for (size_t i = 0; i < memory_size(bank) && !in->failed; i++)
        tokens[i] = vsm_bytes_get_le16(in);
    if (bank->device)
        copy_tokens(bank, m->tokens, tokens); /* from pageable memory, which may be used again at once */
}

static void get_pointer(struct pointer *p, struct vsm_bytes_in *in)
{
    p->frame = (int64_t)vsm_bytes_get_le64(in);
    for (int i = 0; p->frame != EMPTY && i < VSM_SAM2_DIM; i++) {
        uint32_t u = vsm_bytes_get_le32(in);

        memcpy(&p->values[i], &u, sizeof(u));
    }
}

int vsm_sam2_bank_load(struct vsm_sam2_bank *bank, struct vsm_bytes_in *in)
{
    uint32_t tokens = vsm_bytes_get_le32(in), count = vsm_bytes_get_le32(in);

    clear(bank);
    if (in->failed || tokens != (uint32_t)bank->tokens || count > (uint32_t)bank->capacity)
        return vsm_fail(
            VSM_E_INPUT,
            "memory bank: saved with %u tokens and %u conditioning frames, here %d and at most %d", tokens,
            count, bank->tokens, bank->capacity);
    for (uint32_t i = 0; i < count; i++) {
        get_memory(bank, &bank->conditioning[i], in);
        get_pointer(&bank->conditioning_pointers[i], in);
    }
    for (int i = 0; i < MEMORY_SLOTS; i++)
        get_memory(bank, &bank->recent[i], in);
    for (int i = 0; i < POINTER_SLOTS; i++)
        get_pointer(&bank->pointers[i], in);
    if (in->failed) {
        clear(bank);
        return vsm_fail(VSM_E_INPUT, "memory bank: the saved bytes end early");
    }
    bank->conditioning_count = (int)count;
    return VSM_OK;
}
