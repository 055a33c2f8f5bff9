/* Checked heap memory.
 *
 * All program memory whose size depends on input comes from here: multiplications are checked, failure is a
 * status and never an abort, and the fault point "mem.alloc" lets tests fail the n-th call.
 */
#ifndef VSM_BASE_MEM_H
#define VSM_BASE_MEM_H

#include "base/status.h"

#include <stddef.h>

/* Alignment of every block, in bytes: one cache line, and enough for AVX-512 loads. */
#define VSM_MEM_ALIGN 64

/* count * size zeroed bytes, VSM_MEM_ALIGN-aligned; NULL with a message set ("what: out of
 * memory ...") on overflow or exhaustion. count or size 0 gives a valid block. Caller owns it;
 * release with vsm_mem_free(). */
void *vsm_mem_alloc(const char *what, size_t count, size_t size) VSM_NODISCARD;

/* As vsm_mem_alloc() but not zeroed. For large pixel and tensor buffers that are written whole. */
void *vsm_mem_alloc_raw(const char *what, size_t count, size_t size) VSM_NODISCARD;

/* A copy of `bytes` bytes at `from`. */
void *vsm_mem_copy(const char *what, const void *from, size_t bytes) VSM_NODISCARD;

/* A copy of the string; NULL in gives NULL out without a message. */
char *vsm_mem_string(const char *what, const char *text) VSM_NODISCARD;

/* A formatted string. */
char *vsm_mem_format(const char *what, const char *format, ...) VSM_PRINTF(2, 3) VSM_NODISCARD;

/* Frees a block of this module; NULL is allowed. */
void vsm_mem_free(void *block);

#endif
