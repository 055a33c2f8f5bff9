/* Where large test data lies: VSM_SHARED, or the folder "shared" beside the source tree. Tests
 * skip without it. */
#ifndef SHARED_DATA_H
#define SHARED_DATA_H

#include "build_config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Writes the path of `name` into `path`; false if there is no such file. */
__attribute__((unused)) static bool shared_path(const char *name, char *path, size_t size)
{
    const char *root = getenv("VSM_SHARED");

    if (root)
        snprintf(path, size, "%s/%s", root, name);
    else
        snprintf(path, size, "%s/../shared/%s", VSM_SOURCE_ROOT, name);
    if (access(path, R_OK) == 0)
        return true;
    /* A work tree may lie one folder deeper than the main tree. */
    if (!root)
        snprintf(path, size, "%s/../../shared/%s", VSM_SOURCE_ROOT, name);
    return access(path, R_OK) == 0;
}

#endif
