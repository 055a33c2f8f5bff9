#include "models/known_files.h"

#include "base/file.h"
#include "base/mem.h"

#include <string.h>

static int missing(const char *what, const char *path)
{
    return vsm_fail(VSM_E_MODEL, "%s: %s cannot be read; run make setup, or set models.dir", path, what);
}

static int compare(const char *path, const struct vsm_sha256 *hash, const char *known)
{
    char hex[VSM_SHA256_HEX];

    vsm_hash_hex(hash, hex);
    if (strcmp(hex, known) == 0)
        return VSM_OK;
    return vsm_fail(VSM_E_MODEL,
                    "%s: not the known file (SHA-256 %.16s..., expected %.16s...); run make setup again",
                    path, hex, known);
}

static int check_file(const char *what, const char *path, const char *known, struct vsm_sha256 *hash)
{
    int status = vsm_hash_sha256_path(path, hash);

    if (status == VSM_E_INPUT)
        return missing(what, path);
    return status ? status : compare(path, hash, known);
}

static char *shard_path(const struct vsm_known_files *known, const char *graph_path)
{
    const char *slash = strrchr(graph_path, '/');

    return vsm_mem_format("model path", "%.*s%s", slash ? (int)(slash - graph_path) + 1 : 0, graph_path,
                          known->shard);
}

int vsm_known_files_check(const struct vsm_known_files *known, const char *graph_path,
                          struct vsm_sha256 *hash)
{
    char *shard = shard_path(known, graph_path);
    struct vsm_sha256 both[2];
    int status = shard ? check_file(known->what, graph_path, known->graph_sha256, &both[0]) : VSM_E_NOMEM;

    if (!status)
        status = check_file(known->what, shard, known->shard_sha256, &both[1]);
    if (!status)
        status = vsm_hash_sha256(both, sizeof(both), hash);
    vsm_mem_free(shard);
    return status;
}

/* Reads a file whole and checks what was read. */
static int read_file(const char *what, const char *path, size_t limit, const char *known, void **data,
                     size_t *size, struct vsm_sha256 *hash)
{
    int status = vsm_file_read(path, limit, VSM_E_MODEL, data, size);

    if (status == VSM_E_MODEL)
        return missing(what, path);
    if (status)
        return status;
    status = vsm_hash_sha256(*data, *size, hash);
    if (!status)
        status = compare(path, hash, known);
    if (status)
        vsm_mem_free(*data);
    return status;
}

struct shard {
    const struct vsm_known_files *known;
    const char *graph_path;
    struct vsm_sha256 hash;
};

/* The known graph names one shard, the known one. */
static int load_shard(void *opaque, const char *name, void **data, size_t *size)
{
    struct shard *shard = opaque;
    char *path = shard_path(shard->known, shard->graph_path);
    int status;

    (void)name;
    if (!path)
        return VSM_E_NOMEM;
    status = read_file(shard->known->what, path, VSM_TFJS_MAX_SHARD, shard->known->shard_sha256, data, size,
                       &shard->hash);
    vsm_mem_free(path);
    return status;
}

int vsm_known_files_open(const struct vsm_known_files *known, const char *graph_path, struct vsm_sha256 *hash,
                         struct vsm_tfjs **model)
{
    struct shard shard = {.known = known, .graph_path = graph_path};
    struct vsm_sha256 both[2];
    void *json;
    size_t size;
    int status =
        read_file(known->what, graph_path, VSM_TFJS_MAX_JSON, known->graph_sha256, &json, &size, &both[0]);

    if (status)
        return status;
    status = vsm_tfjs_parse(graph_path, json, size, load_shard, &shard, model);
    vsm_mem_free(json);
    if (status)
        return status;
    both[1] = shard.hash;
    status = vsm_hash_sha256(both, sizeof(both), hash);
    if (status)
        vsm_tfjs_close(*model);
    return status;
}
