#include "models/sam2_bank.h"

#include "base/mem.h"
#include "models/sam2_constants.h"

#include <math.h>
#include <string.h>

#define DIM            VSM_SAM2_MEMORY_DIM
#define POINTER_TOKENS (VSM_SAM2_DIM / VSM_SAM2_MEMORY_DIM)
#define EMPTY          INT64_MIN
/* One more than are used, for the newest frame. */
#define MEMORY_SLOTS  (VSM_SAM2_RECENT + 1)
#define POINTER_SLOTS VSM_SAM2_POINTERS

struct memory {
    int64_t frame; /* EMPTY = none */
    uint16_t *tokens;
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

static int slot_of(int64_t frame, int slots)
{
    return (int)(((frame % slots) + slots) % slots);
}

struct vsm_sam2_bank *vsm_sam2_bank_create(int tokens, int capacity)
{
    struct vsm_sam2_bank *bank = vsm_mem_alloc("memory bank", 1, sizeof(*bank));
    uint16_t *at;

    if (!bank)
        return NULL;
    bank->tokens = tokens;
    bank->capacity = capacity;
    bank->all_tokens =
        vsm_mem_alloc("memory bank", (size_t)(capacity + MEMORY_SLOTS), memory_size(bank) * sizeof(*at));
    if (!bank->all_tokens) {
        vsm_mem_free(bank);
        return NULL;
    }
    at = bank->all_tokens;
    for (int i = 0; i < capacity; i++, at += memory_size(bank))
        bank->conditioning[i].tokens = at;
    for (int i = 0; i < MEMORY_SLOTS; i++, at += memory_size(bank))
        bank->recent[i].tokens = at;
    vsm_sam2_bank_clear(bank);
    return bank;
}

void vsm_sam2_bank_destroy(struct vsm_sam2_bank *bank)
{
    if (bank)
        vsm_mem_free(bank->all_tokens);
    vsm_mem_free(bank);
}

void vsm_sam2_bank_clear(struct vsm_sam2_bank *bank)
{
    bank->conditioning_count = 0;
    for (int i = 0; i < MEMORY_SLOTS; i++)
        bank->recent[i].frame = EMPTY;
    for (int i = 0; i < POINTER_SLOTS; i++)
        bank->pointers[i].frame = EMPTY;
}

static void put_recent(struct vsm_sam2_bank *bank, int64_t frame, const uint16_t *tokens,
                       const float *pointer)
{
    struct memory *m = &bank->recent[slot_of(frame, MEMORY_SLOTS)];
    struct pointer *p = &bank->pointers[slot_of(frame, POINTER_SLOTS)];

    if (frame >= m->frame) {
        m->frame = frame;
        memcpy(m->tokens, tokens, memory_size(bank) * sizeof(*tokens));
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

void vsm_sam2_bank_store(struct vsm_sam2_bank *bank, int64_t frame, bool conditioning, const float *memory,
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
    for (size_t i = 0; i < memory_size(bank); i++)
        m->tokens[i] = to_bfloat16(memory[i]);
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
    float *memory, *temporal, *pointers, *position;
};

static void take_memory(const struct vsm_sam2_bank *bank, const struct memory *m, const float *temporal,
                        struct gathered *g)
{
    for (size_t i = 0; i < memory_size(bank); i++)
        *g->memory++ = from_bfloat16(m->tokens[i]);
    memcpy(g->temporal, temporal, DIM * sizeof(*temporal));
    g->temporal += DIM;
}

static void take_pointer(const struct pointer *p, const struct vsm_sam2_learned *learned,
                         enum vsm_sam2_family family, int64_t distance, struct gathered *g)
{
    float position[DIM];

    memcpy(g->pointers, p->values, sizeof(p->values));
    g->pointers += VSM_SAM2_DIM;
    vsm_sam2_bank_pointer_position(learned, family, distance, position);
    for (int i = 0; i < POINTER_TOKENS; i++, g->position += DIM)
        memcpy(g->position, position, sizeof(position));
}

void vsm_sam2_bank_gather(const struct vsm_sam2_bank *bank, const struct vsm_sam2_learned *learned,
                          enum vsm_sam2_family family, int64_t frame, float *memory, float *temporal,
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

static void put_memory(const struct vsm_sam2_bank *bank, const struct memory *m, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le64(out, (uint64_t)m->frame);
    for (size_t i = 0; m->frame != EMPTY && i < memory_size(bank); i++)
        vsm_bytes_put_le16(out, m->tokens[i]);
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

void vsm_sam2_bank_save(const struct vsm_sam2_bank *bank, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le32(out, (uint32_t)bank->tokens);
    vsm_bytes_put_le32(out, (uint32_t)bank->conditioning_count);
    for (int i = 0; i < bank->conditioning_count; i++) {
        put_memory(bank, &bank->conditioning[i], out);
        put_pointer(&bank->conditioning_pointers[i], out);
    }
    for (int i = 0; i < MEMORY_SLOTS; i++)
        put_memory(bank, &bank->recent[i], out);
    for (int i = 0; i < POINTER_SLOTS; i++)
        put_pointer(&bank->pointers[i], out);
}

static void get_memory(const struct vsm_sam2_bank *bank, struct memory *m, struct vsm_bytes_in *in)
{
    m->frame = (int64_t)vsm_bytes_get_le64(in);
    for (size_t i = 0; m->frame != EMPTY && i < memory_size(bank) && !in->failed; i++)
        m->tokens[i] = vsm_bytes_get_le16(in);
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

    vsm_sam2_bank_clear(bank);
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
        vsm_sam2_bank_clear(bank);
        return vsm_fail(VSM_E_INPUT, "memory bank: the saved bytes end early");
    }
    bank->conditioning_count = (int)count;
    return VSM_OK;
}
