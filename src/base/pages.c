#include "base/pages.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* One mapping of /proc/self/smaps: a line with its addresses, then lines "Name:  N kB". */
struct mapping {
    uintptr_t start, end;
    bool from_file;
    unsigned long changed; /* KiB that are not as in the file */
};

static bool read_head(const char *line, struct mapping *m)
{
    char rights[5] = "", path[2] = "";
    int fields;

    *m = (struct mapping){0};
    fields = sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %1s", &m->start, &m->end, rights, path);
    if (fields < 3)
        return false;
    m->from_file = fields == 4 && path[0] == '/' && rights[0] == 'r' && rights[1] == '-' && rights[3] == 'p';
    return true;
}

static void release(const struct mapping *m)
{
    if (m->from_file && m->changed == 0)
        madvise((void *)m->start, m->end - m->start, MADV_DONTNEED); /* a refusal leaves all as it is */
}

void vsm_pages_release(void)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    struct mapping m = {0};
    unsigned long size;
    char line[4500]; /* the longest path and what stands before it */

#ifdef __GLIBC__
    malloc_trim(0);
#endif
    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        struct mapping next;

        if (read_head(line, &next)) {
            release(&m);
            m = next;
        } else if (sscanf(line, "Anonymous: %lu", &size) == 1 || sscanf(line, "Swap: %lu", &size) == 1 ||
                   sscanf(line, "Private_Dirty: %lu", &size) == 1) {
            m.changed += size;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " lo")) {
            m.from_file = false;
        }
    }
    release(&m);
    fclose(file);
}
