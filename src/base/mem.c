#include "base/mem.h"

#include "base/fault.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Blocks of at least so many bytes are mapped on their own, so that they leave no holes in the heaps: 40 MB
 * of a whole job. A sanitizer sees more of what comes from the heap. */
#ifdef __SANITIZE_ADDRESS__
#define MAPPED SIZE_MAX
#else
#define MAPPED ((size_t)1 << 20)
#endif

/* Stands before every block. */
struct head {
    size_t mapped; /* bytes of the mapping, 0 = from the heap */
    char fill[VSM_MEM_ALIGN - sizeof(size_t)];
};

_Static_assert(sizeof(struct head) == VSM_MEM_ALIGN, "the head must keep blocks aligned");

static struct head *map(size_t bytes)
{
    struct head *head = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (head == MAP_FAILED)
        return NULL;
    head->mapped = bytes;
    return head;
}

static struct head *take(const char *what, size_t count, size_t size)
{
    struct head *head = NULL;
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX - 2 * VSM_MEM_ALIGN) {
        (void)vsm_fail_nomem(what, UINT64_MAX);
        return NULL;
    }
    bytes = (bytes + 2 * VSM_MEM_ALIGN) / VSM_MEM_ALIGN * VSM_MEM_ALIGN;
    if (!vsm_fault_hit("mem.alloc")) {
        head = bytes >= MAPPED ? map(bytes) : aligned_alloc(VSM_MEM_ALIGN, bytes);
        if (head && bytes < MAPPED)
            head->mapped = 0;
    }
    if (!head)
        (void)vsm_fail_nomem(what, bytes);
    return head;
}

void *vsm_mem_alloc_raw(const char *what, size_t count, size_t size)
{
    struct head *head = take(what, count, size);

    return head ? head + 1 : NULL;
}

void *vsm_mem_alloc(const char *what, size_t count, size_t size)
{
    struct head *head = take(what, count, size);

    if (!head)
        return NULL;
    return head->mapped ? head + 1 : memset(head + 1, 0, count * size);
}

void *vsm_mem_copy(const char *what, const void *from, size_t bytes)
{
    void *block = vsm_mem_alloc_raw(what, bytes, 1);

    return block ? memcpy(block, from, bytes) : NULL;
}

char *vsm_mem_string(const char *what, const char *text)
{
    return text ? vsm_mem_copy(what, text, strlen(text) + 1) : NULL;
}

char *vsm_mem_format(const char *what, const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        (void)vsm_fail(VSM_E_INTERNAL, "%s: text cannot be formatted", what);
        return NULL;
    }
    text = vsm_mem_alloc_raw(what, (size_t)length + 1, 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void vsm_mem_free(void *block)
{
    struct head *head = block;

    if (!head)
        return;
    head--;
    if (head->mapped)
        munmap(head, head->mapped);
    else
        free(head);
}
