#include "base/mem.h"

#include "base/fault.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *vsm_mem_alloc_raw(const char *what, size_t count, size_t size)
{
    size_t bytes;
    void *block;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX - VSM_MEM_ALIGN) {
        (void)vsm_fail_nomem(what, UINT64_MAX);
        return NULL;
    }
    bytes = (bytes + VSM_MEM_ALIGN) / VSM_MEM_ALIGN * VSM_MEM_ALIGN;
    block = vsm_fault_hit("mem.alloc") ? NULL : aligned_alloc(VSM_MEM_ALIGN, bytes);
    if (!block)
        (void)vsm_fail_nomem(what, bytes);
    return block;
}

void *vsm_mem_alloc(const char *what, size_t count, size_t size)
{
    void *block = vsm_mem_alloc_raw(what, count, size);

    return block ? memset(block, 0, count * size) : NULL;
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
    free(block);
}
