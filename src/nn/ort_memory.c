#include "nn/ort_memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

/* Of blocks and of what stands before each: a cache line, which is also what the library's vector code wants. */
#define ALIGN 64

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
    OrtAllocator allocator; /* first: the library hands this address back */
    OrtMemoryInfo *place;
    pthread_mutex_t lock;
    char *start; /* NULL: not reserved yet */
    size_t reserved, usable;
    size_t top; /* bytes that blocks cover */
    struct block *last;
    size_t used; /* blocks in use */
};

static bool reserve(struct region *r)
{
    for (r->reserved = VSM_ORT_MEMORY_REGION; r->reserved >= VSM_ORT_MEMORY_REGION >> 8; r->reserved /= 2) {
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

static void *allocate(OrtAllocator *allocator, size_t size)
{
    struct region *r = (struct region *)allocator;
    struct block *b = NULL;

    if (size == 0 || size > VSM_ORT_MEMORY_REGION)
        return NULL;
    pthread_mutex_lock(&r->lock);
    if (r->start || reserve(r))
        b = take(r, (size + 2 * ALIGN - 1) / ALIGN * ALIGN);
    pthread_mutex_unlock(&r->lock);
    return b ? b + 1 : NULL;
}

static void release(OrtAllocator *allocator, void *data)
{
    struct region *r = (struct region *)allocator;
    struct block *b = data;

    if (!b)
        return;
    b--;
    pthread_mutex_lock(&r->lock);
    b->used = false;
    join(r, b);
    if (b->before && !b->before->used)
        join(r, b->before);
    if (--r->used == 0) {
        madvise(r->start, r->usable, MADV_DONTNEED);
        r->top = 0;
        r->last = NULL;
    }
    pthread_mutex_unlock(&r->lock);
}

static const OrtMemoryInfo *place_of(const OrtAllocator *allocator)
{
    return ((const struct region *)allocator)->place;
}

static struct region region = {
    .allocator = {.version = ORT_API_VERSION,
                  .Alloc = allocate,
                  .Free = release,
                  .Info = place_of,
                  .Reserve = allocate},
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

void vsm_ort_memory_begin(void)
{
    pthread_mutex_lock(&turn);
}

void vsm_ort_memory_end(void)
{
    pthread_mutex_unlock(&turn);
}

int vsm_ort_memory_register(const OrtApi *api, OrtEnv *env)
{
    int status = VSM_OK;

    pthread_mutex_lock(&region.lock);
    if (!region.place)
        status =
            vsm_ort_api_check(api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &region.place),
                              VSM_E_DEVICE, "ONNX Runtime");
    pthread_mutex_unlock(&region.lock);
    /* The library refuses it a second time, which is as good. */
    if (!status)
        api->ReleaseStatus(api->RegisterAllocator(env, &region.allocator));
    return status;
}
