#include "models/registry.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "models/sam2_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAM2_0 "https://dl.fbaipublicfiles.com/segment_anything_2/072824/"
#define SAM2_1 "https://dl.fbaipublicfiles.com/segment_anything_2/092824/"
#define APACHE "Apache-2.0"
#define BLOCK  ((size_t)1 << 20)

static const struct vsm_registry_entry entries[] = {
    {"sam2.1_hiera_tiny", "sam2.1_hiera_tiny.pt", SAM2_1 "sam2.1_hiera_tiny.pt", 156008466,
     "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69", APACHE, "slow"},
    {"sam2.1_hiera_small", "sam2.1_hiera_small.pt", SAM2_1 "sam2.1_hiera_small.pt", 184416285,
     "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38", APACHE, "slow"},
    {"sam2.1_hiera_base_plus", "sam2.1_hiera_base_plus.pt", SAM2_1 "sam2.1_hiera_base_plus.pt", 323606802,
     "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5", APACHE, "slower"},
    {"sam2.1_hiera_large", "sam2.1_hiera_large.pt", SAM2_1 "sam2.1_hiera_large.pt", 898083611,
     "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318", APACHE, "slowest"},
    {"sam2_hiera_tiny", "sam2_hiera_tiny.pt", SAM2_0 "sam2_hiera_tiny.pt", 155906050,
     "65b50056e05bcb13694174f51bb6da89c894b57b75ccdf0ba6352c597c5d1125", APACHE, "slow"},
    {"sam2_hiera_small", "sam2_hiera_small.pt", SAM2_0 "sam2_hiera_small.pt", 184309650,
     "95949964d4e548409021d47b22712d5f1abf2564cc0c3c765ba599a24ac7dce3", APACHE, "slow"},
    {"sam2_hiera_base_plus", "sam2_hiera_base_plus.pt", SAM2_0 "sam2_hiera_base_plus.pt", 323493298,
     "d0bb7f236400a49669ffdd1be617959a8b1d1065081789d7bbff88eded3a8071", APACHE, "slower"},
    {"sam2_hiera_large", "sam2_hiera_large.pt", SAM2_0 "sam2_hiera_large.pt", 897952466,
     "7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b", APACHE, "slowest"},
    {"edgetam", "edgetam.pt", "https://github.com/facebookresearch/EdgeTAM/raw/main/checkpoints/edgetam.pt",
     56116523, "ed2d4850b8792c239689b043c47046ec239b6e808a3d9b6ae676c803fd8780df", APACHE, "fast"},
};

int vsm_registry_count(void)
{
    return (int)(sizeof(entries) / sizeof(entries[0]));
}

const struct vsm_registry_entry *vsm_registry_at(int index)
{
    return &entries[index];
}

const struct vsm_registry_entry *vsm_registry_find(const char *name)
{
    char known[512] = "";
    int at = 0;

    for (int i = 0; i < vsm_registry_count(); i++) {
        if (strcmp(name, entries[i].name) == 0 || strcmp(name, entries[i].file) == 0)
            return &entries[i];
        at += snprintf(known + at, sizeof(known) - (size_t)at, "%s%s", i ? ", " : "", entries[i].name);
    }
    (void)vsm_fail(VSM_E_USAGE, "%s: unknown model; known are %s", name, known);
    return NULL;
}

int vsm_registry_folder(const char *chosen, int make, char **folder)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int status = VSM_OK;

    if (chosen)
        *folder = vsm_mem_string("models folder", chosen);
    else if (data && data[0] == '/')
        *folder = vsm_mem_format("models folder", "%s/vr180-streaming/models", data);
    else if (home)
        *folder = vsm_mem_format("models folder", "%s/.local/share/vr180-streaming/models", home);
    else
        return vsm_fail(VSM_E_USAGE, "models folder: HOME is not set; give --models-dir");
    if (!*folder)
        return VSM_E_NOMEM;
    if (make)
        status = vsm_file_make_folders(*folder, 0777);
    if (status) {
        vsm_mem_free(*folder);
        *folder = NULL;
    }
    return status;
}

char *vsm_registry_path(const char *folder, const struct vsm_registry_entry *entry)
{
    return vsm_mem_format("model path", "%s/%s", folder, entry->file);
}

enum vsm_registry_state vsm_registry_look(const char *folder, const struct vsm_registry_entry *entry)
{
    char path[4096];
    struct stat info;

    snprintf(path, sizeof(path), "%s/%s", folder, entry->file);
    if (stat(path, &info) == 0)
        return (uint64_t)info.st_size == entry->bytes ? VSM_REGISTRY_PRESENT : VSM_REGISTRY_WRONG_SIZE;
    snprintf(path, sizeof(path), "%s/%s.part", folder, entry->file);
    return stat(path, &info) == 0 ? VSM_REGISTRY_PARTIAL : VSM_REGISTRY_ABSENT;
}

int vsm_registry_verify(const char *folder, const struct vsm_registry_entry *entry)
{
    char *path = vsm_registry_path(folder, entry), hex[VSM_SHA256_HEX];
    struct vsm_sha256 hash;
    struct stat info;
    int status = VSM_OK;

    if (!path)
        return VSM_E_NOMEM;
    if (stat(path, &info) < 0)
        status =
            vsm_fail(VSM_E_MODEL, "%s: %s; `models pull %s` fetches it", path, strerror(errno), entry->name);
    else if ((uint64_t)info.st_size != entry->bytes)
        status = vsm_fail(VSM_E_MODEL, "%s: %lld bytes where %s has %llu; remove it and pull it again", path,
                          (long long)info.st_size, entry->name, (unsigned long long)entry->bytes);
    if (!status)
        status = vsm_hash_sha256_path(path, &hash);
    if (!status) {
        vsm_hash_hex(&hash, hex);
        if (strcmp(hex, entry->sha256) != 0)
            status = vsm_fail(VSM_E_MODEL, "%s: altered: SHA-256 %s, expected %s", path, hex, entry->sha256);
    }
    vsm_mem_free(path);
    return status;
}

static int copy_bytes(int in, int out, const char *from, const char *to)
{
    uint8_t *block = vsm_mem_alloc_raw("copy buffer", BLOCK, 1);
    int status = block ? VSM_OK : VSM_E_NOMEM;

    while (!status) {
        ssize_t n = VSM_FAULT_CALL("file.read", read(in, block, BLOCK));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = vsm_fail(VSM_E_INPUT, "%s: cannot be read: %s", from, strerror(errno));
        if (n <= 0)
            break;
        status = vsm_file_write_all(out, to, block, (size_t)n);
    }
    vsm_mem_free(block);
    return status;
}

/* A durable copy that is whole or absent. */
static int copy_file(const char *from, const char *to)
{
    char *part = vsm_mem_format("model copy", "%s.import", to);
    int in = VSM_FAULT_CALL("file.open", open(from, O_RDONLY | O_CLOEXEC)), out = -1,
        status = part ? VSM_OK : VSM_E_NOMEM;

    if (!status && in < 0)
        status = vsm_fail(VSM_E_INPUT, "%s: cannot be opened: %s", from, strerror(errno));
    if (!status) {
        out = VSM_FAULT_CALL("file.open", open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
        if (out < 0)
            status = vsm_fail(VSM_E_OUTPUT, "%s: cannot be written: %s", part, strerror(errno));
    }
    if (!status)
        status = copy_bytes(in, out, from, part);
    if (!status)
        status = vsm_file_sync(out, part);
    if (!status)
        status = vsm_file_rename(part, to);
    if (!status)
        status = vsm_file_sync_folder_of(to);
    if (status && out >= 0)
        unlink(part);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    vsm_mem_free(part);
    return status;
}

static int check_family(const char *file)
{
    struct vsm_sam2_config config;
    struct vsm_weights *weights;
    int status = vsm_weights_open(file, &weights);

    if (status)
        return status;
    status = vsm_sam2_config_detect(weights, 1024, &config);
    if (!status)
        status = vsm_weights_verify(weights);
    vsm_weights_close(weights);
    return status;
}

int vsm_registry_import(const char *folder, const char *file, const struct vsm_registry_entry **entry,
                        char **path)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    char hex[VSM_SHA256_HEX];
    struct vsm_sha256 hash;
    int status = vsm_hash_sha256_path(file, &hash);

    *entry = NULL;
    *path = NULL;
    if (status)
        return status;
    vsm_hash_hex(&hash, hex);
    for (int i = 0; i < vsm_registry_count(); i++)
        if (strcmp(hex, entries[i].sha256) == 0)
            *entry = &entries[i];
    if (!*entry)
        status = check_family(file);
    if (status)
        return status;
    *path = vsm_mem_format("model path", "%s/%s", folder, *entry ? (*entry)->file : name);
    if (!*path)
        return VSM_E_NOMEM;
    if (!*entry && access(*path, F_OK) == 0)
        status = vsm_fail(VSM_E_USAGE, "%s: is there already; remove it first, or rename %s", *path, file);
    if (!status)
        status = copy_file(file, *path);
    if (status) {
        vsm_mem_free(*path);
        *path = NULL;
    }
    return status;
}

int vsm_registry_remove(const char *folder, const struct vsm_registry_entry *entry)
{
    char *path = vsm_registry_path(folder, entry);
    char *part = vsm_mem_format("model path", "%s/%s.part", folder, entry->file);
    int status = path && part ? VSM_OK : VSM_E_NOMEM;
    bool removed = false;

    if (!status && unlink(path) == 0)
        removed = true;
    else if (!status && errno != ENOENT)
        status = vsm_fail(VSM_E_OUTPUT, "%s: cannot be removed: %s", path, strerror(errno));
    if (!status && unlink(part) == 0)
        removed = true;
    if (!status && !removed)
        status = vsm_fail(VSM_E_USAGE, "%s: is not installed", path);
    vsm_mem_free(path);
    vsm_mem_free(part);
    return status;
}
