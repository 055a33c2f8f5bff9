#include "base/scratch.h"

#include "base/fault.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

/* Of blocks and of what stands before each. */
#define ALIGN ((size_t)VSM_MEM_ALIGN)

/* Address space is made usable in such steps. */
#define STEP ((size_t)1 << 20)

/* Stands before every block, in order of addresses, without gaps. */
struct block {
    struct block *before, *after;
    size_t size; /* with this head */
    bool used;
    char fill[ALIGN - 2 * sizeof(struct block *) - sizeof(size_t) - sizeof(bool)];
};

_Static_assert(sizeof(struct block) == ALIGN, "the head must keep blocks aligned");

struct region {
    pthread_mutex_t lock;
    char *start; /* NULL: not reserved yet */
    size_t reserved, usable;
    size_t top; /* bytes that blocks cover */
    struct block *last;
    size_t used; /* blocks in use */
};

static bool reserve(struct region *r)
{
    for (r->reserved = VSM_SCRATCH_REGION; r->reserved >= VSM_SCRATCH_REGION >> 8; r->reserved /= 2) {
        void *start = mmap(NULL, r->reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (start != MAP_FAILED) {
            r->start = start;
            return true;
        }
    }
    return false;
}

/* A new block above all others, NULL if the address space or the memory is used up. */
static struct block *extend(struct region *r, size_t size)
{
    const size_t wanted = r->top + size, rounded = (wanted + STEP - 1) / STEP * STEP;
    struct block *b;

    if (size > r->reserved - r->top || rounded > r->reserved)
        return NULL;
    if (rounded > r->usable) {
        if (mprotect(r->start + r->usable, rounded - r->usable, PROT_READ | PROT_WRITE) != 0)
            return NULL;
        r->usable = rounded;
    }
    b = (struct block *)(void *)(r->start + r->top);
    *b = (struct block){.before = r->last, .size = size};
    if (r->last)
        r->last->after = b;
    r->last = b;
    r->top = wanted;
    return b;
}

/* The smallest hole that holds `size`, the lowest of equals. */
static struct block *find_hole(const struct region *r, size_t size)
{
    struct block *best = NULL;

    for (struct block *b = r->last; b; b = b->before) {
        if (!b->used && b->size >= size && (!best || b->size <= best->size))
            best = b;
    }
    return best;
}

static void split(struct region *r, struct block *b, size_t size)
{
    struct block *rest;

    if (b->size - size < 2 * ALIGN)
        return;
    rest = (struct block *)(void *)((char *)b + size);
    *rest = (struct block){.before = b, .after = b->after, .size = b->size - size};
    if (b->after)
        b->after->before = rest;
    else
        r->last = rest;
    b->after = rest;
    b->size = size;
}

/* Joins a hole with the one after it. */
static void join(struct region *r, struct block *b)
{
    struct block *after = b->after;

    if (!after || after->used)
        return;
    b->size += after->size;
    b->after = after->after;
    if (b->after)
        b->after->before = b;
    else
        r->last = b;
}

static struct block *take(struct region *r, size_t size)
{
    struct block *b = find_hole(r, size);

    if (b)
        split(r, b, size);
    else if (r->last && !r->last->used && extend(r, size - r->last->size))
        join(r, b = r->last->before);
    else
        b = extend(r, size);
    if (b) {
        b->used = true;
        r->used++;
    }
    return b;
}

static struct region region = {.lock = PTHREAD_MUTEX_INITIALIZER};

void *vsm_scratch_take(size_t bytes)
{
    struct block *b = NULL;

    if (bytes > VSM_SCRATCH_REGION)
        return NULL;
    pthread_mutex_lock(&region.lock);
    if (region.start || reserve(&region))
        b = take(&region, (bytes + 2 * ALIGN - 1) / ALIGN * ALIGN);
    pthread_mutex_unlock(&region.lock);
    return b ? b + 1 : NULL;
}

void *vsm_scratch_alloc(const char *what, size_t count, size_t size)
{
    void *block = NULL;
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    else if (!vsm_fault_hit("mem.alloc"))
        block = vsm_scratch_take(bytes);
    if (!block)
        (void)vsm_fail_nomem(what, bytes);
    return block;
}

void vsm_scratch_free(void *block)
{
    struct block *b = block;

    if (!b)
        return;
    b--;
    pthread_mutex_lock(&region.lock);
    b->used = false;
    join(&region, b);
    if (b->before && !b->before->used)
        join(&region, b->before);
    if (--region.used == 0) {
        madvise(region.start, region.usable, MADV_DONTNEED);
        region.top = 0;
        region.last = NULL;
    }
    pthread_mutex_unlock(&region.lock);
}

/* Tickets in the order of asking; a mutex alone would let one thread have every turn. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t next, served;
    pthread_t holder; /* valid while depth > 0 */
    int depth;
    bool shared; /* no turns */
} turn = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

void vsm_scratch_share(void)
{
    pthread_mutex_lock(&turn.lock);
    turn.shared = true;
    pthread_mutex_unlock(&turn.lock);
}

void vsm_scratch_begin(void)
{
    pthread_mutex_lock(&turn.lock);
    if (!turn.shared && (turn.depth == 0 || !pthread_equal(turn.holder, pthread_self()))) {
        const uint64_t ticket = turn.next++;

        while (turn.served != ticket)
            pthread_cond_wait(&turn.changed, &turn.lock);
        turn.holder = pthread_self();
    }
    turn.depth++;
    pthread_mutex_unlock(&turn.lock);
}

void vsm_scratch_end(void)
{
    pthread_mutex_lock(&turn.lock);
    if (--turn.depth == 0 && !turn.shared) {
        turn.served++;
        pthread_cond_broadcast(&turn.changed);
    }
    pthread_mutex_unlock(&turn.lock);
}
