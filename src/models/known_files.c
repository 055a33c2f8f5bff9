#include "models/known_files.h"

#include "base/mem.h"

#include <string.h>

static int check_file(const char *what, const char *path, const char *known, struct vsm_sha256 *hash)
{
    char hex[VSM_SHA256_HEX];
    int status = vsm_hash_sha256_path(path, hash);

    if (status == VSM_E_INPUT)
        return vsm_fail(VSM_E_MODEL, "%s: %s cannot be read; run make setup, or set models.dir", path, what);
    if (status)
        return status;
    vsm_hash_hex(hash, hex);
    if (strcmp(hex, known) == 0)
        return VSM_OK;
    return vsm_fail(VSM_E_MODEL,
                    "%s: not the known file (SHA-256 %.16s..., expected %.16s...); run make setup again",
                    path, hex, known);
}

int vsm_known_files_check(const struct vsm_known_files *known, const char *graph_path,
                          struct vsm_sha256 *hash)
{
    const char *slash = strrchr(graph_path, '/');
    char *shard = vsm_mem_format("model path", "%.*s%s", slash ? (int)(slash - graph_path) + 1 : 0,
                                 graph_path, known->shard);
    struct vsm_sha256 both[2];
    int status = shard ? check_file(known->what, graph_path, known->graph_sha256, &both[0]) : VSM_E_NOMEM;

    if (!status)
        status = check_file(known->what, shard, known->shard_sha256, &both[1]);
    if (!status)
        status = vsm_hash_sha256(both, sizeof(both), hash);
    vsm_mem_free(shard);
    return status;
}
