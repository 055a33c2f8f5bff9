#include "nn/graph_cache.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "nn/graph_data.h"
#include "nn/graph_fuse.h"
#include "nn/graph_half.h"
#include "nn/graph_hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define LIST       "list"
#define MAX_LIST   65536
#define MAX_NAME   128
#define KEY_LENGTH (VSM_SHA256_HEX - 1)
#define ABANDONED  3600 /* seconds after which an unfinished entry of another process counts as left behind */
/* Left free on the disk beside an entry. */
#define RESERVE ((uint64_t)1 << 30)

struct vsm_graph_cache {
    char *folder;
    char *entry;    /* folder of the whole entry */
    char *building; /* folder of the unfinished one; NULL if there is none */
    uint64_t bytes; /* estimate of the caller */
    bool whole;
};

char *vsm_graph_cache_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (cache && cache[0] == '/')
        return vsm_mem_format("graph cache", "%s/vr180-streaming/graphs", cache);
    return home ? vsm_mem_format("graph cache", "%s/.cache/vr180-streaming/graphs", home) : NULL;
}

/* Name and instruction sets of the first processor. */
static void put_cpu(struct vsm_bytes_out *out)
{
    static const char *const wanted[] = {"model name", "flags", "Features", "CPU part"};
    FILE *f = fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t size = 0;

    while (f && getline(&line, &size, f) > 1)
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                vsm_bytes_put(out, line, strlen(line));
    free(line);
    if (f)
        fclose(f);
}

static int full_key(const struct vsm_sha256 *key, char hex[VSM_SHA256_HEX])
{
    struct vsm_bytes_out out = {0};
    struct vsm_sha256 hash;
    int status;

    vsm_bytes_put(&out, key, sizeof(*key));
    vsm_bytes_put(&out, vsm_session_backend_version(), strlen(vsm_session_backend_version()) + 1);
    vsm_bytes_put(&out, vsm_session_providers(), strlen(vsm_session_providers()) + 1);
    put_cpu(&out);
    status = out.failed ? VSM_E_NOMEM : vsm_hash_sha256(out.data, out.size, &hash);
    if (!status)
        vsm_hash_hex(&hash, hex);
    vsm_bytes_out_finish(&out);
    return status;
}

/* Deletes a folder of plain files, and says how much they took. */
static int delete_entry(const char *path, uint64_t *bytes)
{
    DIR *folder = opendir(path);
    const struct dirent *e;

    while (folder && (e = readdir(folder))) {
        struct stat info;

        if (fstatat(dirfd(folder), e->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(info.st_mode) &&
            unlinkat(dirfd(folder), e->d_name, 0) == 0 && bytes)
            *bytes += (uint64_t)info.st_size;
    }
    if (folder)
        closedir(folder);
    if (rmdir(path) == 0 || errno == ENOENT)
        return VSM_OK;
    return vsm_fail(VSM_E_OUTPUT, "%s: cannot be deleted: %s", path, strerror(errno));
}

static uint64_t entry_bytes(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *e;
    uint64_t sum = 0;

    while (folder && (e = readdir(folder))) {
        struct stat info;

        if (fstatat(dirfd(folder), e->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
            sum += (uint64_t)info.st_size;
    }
    if (folder)
        closedir(folder);
    return sum;
}

/* One line of the list, checked against its file. */
static bool fits(const char *entry, const char *line)
{
    char hex[VSM_SHA256_HEX], wanted[VSM_SHA256_HEX], name[MAX_NAME];
    struct vsm_sha256 hash;
    struct stat info;
    uint64_t size;
    char *path;
    bool good;

    if (sscanf(line, "%64[0-9a-f] %" SCNu64 " %127[A-Za-z0-9_.-]", wanted, &size, name) != 3)
        return false;
    path = vsm_mem_format("graph cache", "%s/%s", entry, name);
    good = path && stat(path, &info) == 0 && (uint64_t)info.st_size == size &&
           vsm_hash_sha256_path(path, &hash) == VSM_OK;
    if (good) {
        vsm_hash_hex(&hash, hex);
        good = strcmp(hex, wanted) == 0;
    }
    vsm_mem_free(path);
    return good;
}

/* Whether there is an entry that is as its list says. One that is not is deleted. */
static bool find_entry(const struct vsm_graph_cache *cache)
{
    char *path = vsm_mem_format("graph cache", "%s/" LIST, cache->entry), *list = NULL;
    size_t size;
    bool good = path && access(cache->entry, F_OK) == 0;

    if (!good) {
        vsm_mem_free(path);
        return false;
    }
    good = vsm_file_read(path, MAX_LIST, VSM_E_MODEL, (void **)&list, &size) == VSM_OK && size > 0 &&
           list[size - 1] == '\n';
    for (char *line = list; good && *line; line = strchr(line, '\n') + 1)
        good = fits(cache->entry, line);
    if (good)
        (void)!utimensat(AT_FDCWD, path, NULL, 0); /* used now */
    vsm_mem_free(list);
    vsm_mem_free(path);
    if (!good) {
        vsm_log(VSM_LOG_WARN, cache->entry, "this stored network is damaged; it is made again");
        (void)!delete_entry(cache->entry, NULL);
    }
    return good;
}

static bool begin_entry(struct vsm_graph_cache *cache)
{
    struct statvfs disk;

    vsm_mem_free(cache->building);
    cache->building = NULL;
    if (cache->bytes > VSM_GRAPH_CACHE_BYTES)
        return false;
    if (vsm_file_make_folders(cache->folder, 0700) != VSM_OK) {
        vsm_log(VSM_LOG_WARN, "network", "optimised networks are not stored: %s", vsm_error_message());
        return false;
    }
    if (statvfs(cache->folder, &disk) < 0 ||
        (uint64_t)disk.f_bavail * disk.f_frsize < cache->bytes + RESERVE) {
        vsm_log(VSM_LOG_INFO, cache->folder,
                "optimised networks are not stored: %" PRIu64 " MB would be too much for this disk",
                cache->bytes / 1000000);
        return false;
    }
    cache->building = vsm_mem_format("graph cache", "%s.XXXXXX", cache->entry);
    if (cache->building && mkdtemp(cache->building))
        return true;
    vsm_log(VSM_LOG_WARN, cache->folder, "optimised networks are not stored: %s", strerror(errno));
    vsm_mem_free(cache->building);
    cache->building = NULL;
    return false;
}

struct vsm_graph_cache *vsm_graph_cache_open(const char *folder, const struct vsm_sha256 *key, uint64_t bytes)
{
    struct vsm_graph_cache *cache = vsm_mem_alloc("graph cache", 1, sizeof(*cache));
    char hex[VSM_SHA256_HEX];

    if (!cache || full_key(key, hex) != VSM_OK) {
        vsm_mem_free(cache);
        return NULL;
    }
    cache->bytes = bytes;
    cache->folder = vsm_mem_string("graph cache", folder);
    cache->entry = vsm_mem_format("graph cache", "%s/%s", folder, hex);
    if (cache->folder && cache->entry) {
        cache->whole = find_entry(cache);
        if (cache->whole || begin_entry(cache))
            return cache;
    }
    vsm_graph_cache_close(cache);
    return NULL;
}

void vsm_graph_cache_close(struct vsm_graph_cache *cache)
{
    if (!cache)
        return;
    if (cache->building)
        (void)!delete_entry(cache->building, NULL);
    vsm_mem_free(cache->building);
    vsm_mem_free(cache->entry);
    vsm_mem_free(cache->folder);
    vsm_mem_free(cache);
}

bool vsm_graph_cache_is_whole(const struct vsm_graph_cache *cache)
{
    return cache && cache->whole;
}

bool vsm_graph_cache_is_ready(const struct vsm_graph_cache *cache)
{
    return cache && cache->building;
}

/* Of the graph as the library gets it (nn/ort_session.c). */
static int hash_graph(const struct vsm_graph *graph, const struct vsm_session_options *options,
                      struct vsm_sha256 *hash)
{
    struct vsm_graph *half = NULL, *fused = NULL;
    int status = options->half ? vsm_graph_half(graph, &half) : VSM_OK;

    if (!status && half && options->device == VSM_DEVICE_CUDA)
        status = vsm_graph_fuse(half, &fused);
    if (!status)
        status = vsm_graph_hash(fused ? fused : half ? half : graph, hash);
    vsm_graph_destroy(fused);
    vsm_graph_destroy(half);
    return status;
}

int vsm_graph_cache_session(const struct vsm_graph_cache *cache, const struct vsm_graph *graph,
                            const struct vsm_session_options *options, struct vsm_session **session)
{
    struct vsm_session_options by_file = *options;
    char hex[VSM_SHA256_HEX], *path;
    struct vsm_sha256 hash;
    int status = hash_graph(graph, options, &hash);

    if (status)
        return status;
    vsm_hash_hex(&hash, hex);
    path = vsm_mem_format("graph cache", "%s/%.60s-%.16s.onnx", cache->whole ? cache->entry : cache->building,
                          graph->name, hex);
    if (!path)
        return VSM_E_NOMEM;
    if (cache->whole)
        by_file.read_from = path;
    else
        by_file.write_to = path;
    if (cache->whole && access(path, R_OK) < 0)
        status = vsm_fail(VSM_E_MODEL, "%s: made by another version of this program", cache->entry);
    else
        status = vsm_session_create(graph, &by_file, session);
    vsm_mem_free(path);
    return status;
}

static bool list_file(const char *folder, const char *name, struct vsm_bytes_out *list)
{
    char hex[VSM_SHA256_HEX], line[VSM_SHA256_HEX + MAX_NAME + 32];
    char *path = vsm_mem_format("graph cache", "%s/%s", folder, name);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct vsm_sha256 hash;
    struct stat info;
    bool good = fd >= 0 && fstat(fd, &info) == 0 && vsm_file_sync(fd, path) == VSM_OK &&
                vsm_hash_sha256_file(fd, path, 0, UINT64_MAX, &hash) == VSM_OK && strlen(name) < MAX_NAME;

    if (good) {
        vsm_hash_hex(&hash, hex);
        snprintf(line, sizeof(line), "%s %" PRIu64 " %s\n", hex, (uint64_t)info.st_size, name);
        vsm_bytes_put(list, line, strlen(line));
    }
    if (fd >= 0)
        close(fd);
    vsm_mem_free(path);
    return good && !list->failed;
}

static bool write_list(const struct vsm_graph_cache *cache)
{
    char *path = vsm_mem_format("graph cache", "%s/" LIST, cache->building);
    DIR *folder = opendir(cache->building);
    struct vsm_bytes_out list = {0};
    const struct dirent *e;
    bool good = path && folder;

    while (good && (e = readdir(folder)))
        if (e->d_name[0] != '.')
            good = list_file(cache->building, e->d_name, &list);
    good = good && list.size > 0 && list.size <= MAX_LIST &&
           vsm_file_write_atomic(path, list.data, list.size) == VSM_OK;
    if (folder)
        closedir(folder);
    vsm_bytes_out_finish(&list);
    vsm_mem_free(path);
    return good;
}

/* The entry of a folder that was unused for longest, but for `keep`; "" if there is no other. Unfinished ones
 * count only once they are left behind. Sums up the bytes of all. */
static uint64_t find_oldest(const char *path, const char *keep, char oldest[NAME_MAX + 1])
{
    DIR *folder = opendir(path);
    const struct dirent *e;
    time_t first = 0;
    uint64_t sum = 0;

    oldest[0] = '\0';
    while (folder && (e = readdir(folder))) {
        const bool whole = strlen(e->d_name) == KEY_LENGTH;
        char *each = vsm_mem_format("graph cache", "%s/%s%s", path, e->d_name, whole ? "/" LIST : "");
        struct stat info = {0};

        if (each && e->d_name[0] != '.' && stat(each, &info) == 0 && strcmp(e->d_name, keep) != 0 &&
            (whole || info.st_mtime + ABANDONED < time(NULL)) && (!oldest[0] || info.st_mtime < first)) {
            first = info.st_mtime;
            snprintf(oldest, NAME_MAX + 1, "%s", e->d_name);
        }
        vsm_mem_free(each);
        each = vsm_mem_format("graph cache", "%s/%s", path, e->d_name);
        if (each && e->d_name[0] != '.')
            sum += entry_bytes(each);
        vsm_mem_free(each);
    }
    if (folder)
        closedir(folder);
    return sum;
}

static void make_room(const struct vsm_graph_cache *cache)
{
    const char *own = strrchr(cache->entry, '/') + 1;
    char oldest[NAME_MAX + 1];

    while (find_oldest(cache->folder, own, oldest) > VSM_GRAPH_CACHE_BYTES && oldest[0]) {
        char *path = vsm_mem_format("graph cache", "%s/%s", cache->folder, oldest);
        const bool deleted = path && delete_entry(path, NULL) == VSM_OK;

        vsm_mem_free(path);
        if (!deleted)
            return;
    }
}

bool vsm_graph_cache_finish(struct vsm_graph_cache *cache)
{
    if (!cache || !cache->building)
        return false;
    if (!write_list(cache) || vsm_file_rename(cache->building, cache->entry) != VSM_OK ||
        vsm_file_sync_folder_of(cache->entry) != VSM_OK) {
        /* Another process may have been first: then the next start finds its entry. */
        vsm_log(VSM_LOG_INFO, "network", "the optimised networks are not stored: %s", vsm_error_message());
        return false;
    }
    vsm_mem_free(cache->building);
    cache->building = NULL;
    cache->whole = true;
    vsm_log(VSM_LOG_INFO, "network", "optimised networks of %.1f MB are stored for the next start: %s",
            (double)entry_bytes(cache->entry) / 1e6, cache->entry);
    make_room(cache);
    return true;
}

void vsm_graph_cache_reject(struct vsm_graph_cache *cache)
{
    vsm_log(VSM_LOG_WARN, cache->entry, "this stored network cannot be used and is made again: %s",
            vsm_error_message());
    (void)!delete_entry(cache->entry, NULL);
    cache->whole = false;
    (void)!begin_entry(cache);
}

uint64_t vsm_graph_cache_bytes(const char *folder)
{
    char oldest[NAME_MAX + 1];

    return find_oldest(folder, "", oldest);
}

int vsm_graph_cache_clear(const char *folder, uint64_t *bytes)
{
    DIR *entries = opendir(folder);
    const struct dirent *e;
    int status = VSM_OK;

    *bytes = 0;
    while (entries && status == VSM_OK && (e = readdir(entries))) {
        char *path = vsm_mem_format("graph cache", "%s/%s", folder, e->d_name);

        if (!path)
            status = VSM_E_NOMEM;
        else if (strncmp(e->d_name, ".", 1) != 0 && strlen(e->d_name) >= KEY_LENGTH)
            status = delete_entry(path, bytes);
        vsm_mem_free(path);
    }
    if (entries)
        closedir(entries);
    return status;
}
