#include "checkpoint/store.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "checkpoint/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME      "lock"
#define TEMPORARY_NAME "ckpt.tmp"
#define NAME_SIZE      32 /* "ckpt-" and 20 digits */

struct vsm_store {
    char *path;
    int folder;
    struct vsm_lock lock;
    uint64_t newest; /* generation of the newest valid checkpoint, 0 = none known */
    uint64_t before; /* of the one before */
    bool settled;    /* loaded or discarded: no file of an older job can come back behind a new checkpoint */
};

char *vsm_store_path(const char *output, const char *name)
{
    return vsm_mem_format("job folder", "%s.vsmjob%s%s", output, name[0] ? "/" : "", name);
}

long vsm_store_holder(const char *output)
{
    char *path = vsm_store_path(output, "");
    int folder = path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    long pid = folder >= 0 ? vsm_lock_holder(folder, LOCK_NAME) : 0;

    if (folder >= 0)
        close(folder);
    vsm_mem_free(path);
    return pid;
}

static void checkpoint_name(uint64_t generation, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "ckpt-%" PRIu64, generation);
}

/* The generation that a file name means; 0 if it is no checkpoint's name as we write them. */
static uint64_t parse_name(const char *name)
{
    char again[NAME_SIZE];
    uint64_t generation;

    if (strncmp(name, "ckpt-", 5) != 0)
        return 0;
    generation = strtoull(name + 5, NULL, 10);
    checkpoint_name(generation, again);
    return strcmp(name, again) == 0 ? generation : 0;
}

/* Calls `visit` for each entry of the folder until it returns a failure. */
static int visit_entries(struct vsm_store *store, int (*visit)(struct vsm_store *, const char *, void *),
                         void *opaque)
{
    int fd = openat(store->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    int status = VSM_OK;

    if (!entries) {
        status = vsm_fail(VSM_E_OUTPUT, "%s: cannot be listed: %s", store->path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return status;
    }
    for (struct dirent *e; status == VSM_OK && (e = readdir(entries));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            status = visit(store, e->d_name, opaque);
    closedir(entries);
    return status;
}

static int sync_folder(const struct vsm_store *store)
{
    int error = vsm_fault_hit("ckpt.fsync_folder");

    if (error)
        return vsm_fail(VSM_E_OUTPUT, "%s: cannot be made durable: %s", store->path, strerror(error));
    return vsm_file_sync(store->folder, store->path);
}

/* Makes and opens the folder; durably, or power loss would take the checkpoints with it. */
static int open_folder(struct vsm_store *store)
{
    struct stat info;
    bool made = VSM_FAULT_CALL("ckpt.mkdir", mkdir(store->path, 0700)) == 0;

    if (!made && errno != EEXIST)
        return vsm_fail(VSM_E_OUTPUT, "%s: job folder cannot be made: %s", store->path, strerror(errno));
    store->folder =
        VSM_FAULT_CALL("ckpt.open", open(store->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (store->folder < 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: not a job folder: %s; choose another output", store->path,
                        strerror(errno));
    if (fstat(store->folder, &info) != 0 || (info.st_uid != geteuid() && info.st_uid != 0))
        return vsm_fail(VSM_E_OUTPUT,
                        "%s: job folder belongs to somebody else; choose another output or remove it",
                        store->path);
    return made ? vsm_file_sync_folder_of(store->path) : VSM_OK;
}

int vsm_store_open(const char *output, struct vsm_store **store)
{
    struct vsm_store *s = vsm_mem_alloc("job folder", 1, sizeof(*s));
    int status;

    *store = NULL;
    if (!s)
        return VSM_E_NOMEM;
    s->folder = -1;
    s->path = vsm_store_path(output, "");
    status = s->path ? open_folder(s) : VSM_E_NOMEM;
    if (status == VSM_OK)
        status = vsm_lock_take(s->folder, LOCK_NAME, output, &s->lock);
    if (status != VSM_OK) {
        if (s->folder >= 0)
            close(s->folder);
        vsm_mem_free(s->path);
        vsm_mem_free(s);
        return status;
    }
    (void)unlinkat(s->folder, TEMPORARY_NAME, 0);
    *store = s;
    return VSM_OK;
}

static void free_store(struct vsm_store *store)
{
    vsm_lock_release(&store->lock);
    close(store->folder);
    vsm_mem_free(store->path);
    vsm_mem_free(store);
}

static int count_worth_keeping(struct vsm_store *store, const char *name, void *opaque)
{
    static const char *const scratch[] = {LOCK_NAME, TEMPORARY_NAME, "status", "status.tmp"};

    (void)store;
    for (size_t i = 0; i < sizeof(scratch) / sizeof(scratch[0]); i++)
        if (strcmp(name, scratch[i]) == 0)
            return VSM_OK;
    ++*(int *)opaque;
    return VSM_OK;
}

static int unlink_entry(struct vsm_store *store, const char *name, void *opaque)
{
    (void)opaque;
    if (strcmp(name, LOCK_NAME) == 0)
        return VSM_OK;
    if (VSM_FAULT_CALL("ckpt.remove", unlinkat(store->folder, name, 0)) != 0 && errno != ENOENT)
        return vsm_fail(VSM_E_OUTPUT, "%s/%s: cannot be removed: %s", store->path, name, strerror(errno));
    return VSM_OK;
}

/* Everything in the folder is the job's. The lock goes last: until then nobody else comes in. */
static int remove_folder(struct vsm_store *store)
{
    int status = visit_entries(store, unlink_entry, NULL);

    if (status != VSM_OK)
        return status;
    /* Not empty: the next process is already in. */
    if (VSM_FAULT_CALL("ckpt.remove", unlinkat(store->folder, LOCK_NAME, 0)) != 0 ||
        (VSM_FAULT_CALL("ckpt.remove", rmdir(store->path)) != 0 && errno != ENOTEMPTY))
        return vsm_fail(VSM_E_OUTPUT, "%s: job folder cannot be removed: %s; remove it by hand", store->path,
                        strerror(errno));
    return VSM_OK;
}

void vsm_store_close(struct vsm_store *store)
{
    int kept = 0;

    if (!store)
        return;
    if (visit_entries(store, count_worth_keeping, &kept) == VSM_OK && kept == 0 &&
        remove_folder(store) != VSM_OK)
        vsm_log(VSM_LOG_WARN, store->path, "%s", vsm_error_message());
    free_store(store);
}

int vsm_store_remove(struct vsm_store *store)
{
    int status;

    if (!store)
        return VSM_OK;
    status = remove_folder(store);
    free_store(store);
    return status;
}

/* Reads one generation. The number inside must be that of the name, else somebody moved files about. */
static int read_generation(const struct vsm_store *store, uint64_t generation,
                           struct vsm_checkpoint *checkpoint)
{
    char name[NAME_SIZE];
    char subject[4200];
    void *data;
    size_t size;
    int fd, status;

    *checkpoint = (struct vsm_checkpoint){0};
    checkpoint_name(generation, name);
    snprintf(subject, sizeof(subject), "%s/%s", store->path, name);
    fd = VSM_FAULT_CALL("file.open", openat(store->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (fd < 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: cannot be opened: %s", subject, strerror(errno));
    status = vsm_file_read_fd(fd, subject, VSM_CHECKPOINT_MAX_BYTES, VSM_E_OUTPUT, &data, &size);
    close(fd);
    if (status != VSM_OK)
        return status;
    status = vsm_checkpoint_decode(subject, data, size, checkpoint);
    vsm_mem_free(data);
    if (status == VSM_OK && checkpoint->generation != generation) {
        status = vsm_fail(VSM_E_OUTPUT, "%s: damaged checkpoint: it says that it is number %" PRIu64, subject,
                          checkpoint->generation);
        vsm_checkpoint_clear(checkpoint);
    }
    return status;
}

/* The highest generation below *limit that has a file. */
struct search {
    uint64_t limit, found;
};

static int find_below(struct vsm_store *store, const char *name, void *opaque)
{
    struct search *search = opaque;
    uint64_t generation = parse_name(name);

    (void)store;
    if (generation < search->limit && generation > search->found)
        search->found = generation;
    return VSM_OK;
}

int vsm_store_load(struct vsm_store *store, struct vsm_checkpoint *checkpoint)
{
    struct search search = {.limit = UINT64_MAX};
    bool damaged = false;
    int status;

    *checkpoint = (struct vsm_checkpoint){0};
    store->newest = store->before = 0;
    store->settled = false;
    for (;;) {
        search.found = 0;
        status = visit_entries(store, find_below, &search);
        if (status != VSM_OK)
            return status;
        if (search.found == 0)
            break;
        status = read_generation(store, search.found, checkpoint);
        if (status == VSM_E_NOMEM)
            return status;
        if (status == VSM_OK) {
            store->newest = search.found;
            store->settled = true;
            return VSM_OK;
        }
        vsm_log(VSM_LOG_WARN, "checkpoint", "%s", vsm_error_message());
        damaged = true;
        search.limit = search.found;
    }
    if (damaged)
        return vsm_fail(VSM_E_OUTPUT, "%s: no checkpoint in it is readable; start over with --restart",
                        store->path);
    store->settled = true;
    return VSM_EOF;
}

struct writer {
    int fd;
    const char *path;
};

static int write_part(void *opaque, const void *data, size_t size)
{
    const struct writer *writer = opaque;
    int error = vsm_fault_hit("ckpt.write");

    if (error)
        return vsm_fail(VSM_E_OUTPUT, "%s: checkpoint cannot be written: %s; free space", writer->path,
                        strerror(error));
    return vsm_file_write_all(writer->fd, writer->path, data, size);
}

static int write_temporary(const struct vsm_store *store, const struct vsm_checkpoint *checkpoint)
{
    struct writer writer = {.path = store->path};
    int status;

    writer.fd =
        VSM_FAULT_CALL("ckpt.create", openat(store->folder, TEMPORARY_NAME,
                                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (writer.fd < 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: checkpoint cannot be created: %s", store->path, strerror(errno));
    status = vsm_checkpoint_encode(checkpoint, write_part, &writer);
    if (status == VSM_OK && VSM_FAULT_CALL("ckpt.fsync", fsync(writer.fd)) != 0)
        status =
            vsm_fail(VSM_E_OUTPUT, "%s: checkpoint cannot be made durable: %s", store->path, strerror(errno));
    close(writer.fd);
    return status;
}

/* Drops all generations but the newest and the one before, including damaged ones with higher numbers. */
static int prune(struct vsm_store *store, const char *name, void *opaque)
{
    uint64_t generation = parse_name(name);

    (void)opaque;
    if (generation == 0 || generation == store->newest || generation == store->before)
        return VSM_OK;
    if (VSM_FAULT_CALL("ckpt.prune", unlinkat(store->folder, name, 0)) != 0 && errno != ENOENT)
        return vsm_fail(VSM_E_OUTPUT, "%s/%s: cannot be removed: %s", store->path, name, strerror(errno));
    return VSM_OK;
}

int vsm_store_commit(struct vsm_store *store, struct vsm_checkpoint *checkpoint)
{
    char name[NAME_SIZE];
    int status;

    if (!store->settled)
        return vsm_fail(VSM_E_INTERNAL, "%s: commit before the checkpoints in it were loaded or discarded",
                        store->path);
    checkpoint->generation = store->newest + 1;
    checkpoint_name(checkpoint->generation, name);
    status = write_temporary(store, checkpoint);
    if (status == VSM_OK &&
        VSM_FAULT_CALL("ckpt.rename", renameat(store->folder, TEMPORARY_NAME, store->folder, name)) != 0)
        status =
            vsm_fail(VSM_E_OUTPUT, "%s: checkpoint cannot get its name: %s", store->path, strerror(errno));
    if (status != VSM_OK) {
        (void)unlinkat(store->folder, TEMPORARY_NAME, 0);
        return status;
    }
    status = sync_folder(store);
    if (status != VSM_OK)
        return status;
    store->before = store->newest;
    store->newest = checkpoint->generation;
    if (visit_entries(store, prune, NULL) != VSM_OK)
        vsm_log(VSM_LOG_WARN, "checkpoint", "%s", vsm_error_message());
    (void)vsm_fault_hit("ckpt.done");
    return VSM_OK;
}

static int unlink_checkpoint(struct vsm_store *store, const char *name, void *opaque)
{
    return parse_name(name) > 0 ? unlink_entry(store, name, opaque) : VSM_OK;
}

int vsm_store_discard(struct vsm_store *store)
{
    int status = visit_entries(store, unlink_checkpoint, NULL);

    store->newest = store->before = 0;
    if (status == VSM_OK)
        status = sync_folder(store);
    store->settled = status == VSM_OK;
    return status;
}
