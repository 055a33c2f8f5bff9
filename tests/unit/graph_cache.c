#include "nn/graph_cache.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "nn/graph_data.h"
#include "nn/graph_fuse.h"
#include "nn/graph_half.h"
#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SIDE 64

static const struct vsm_session_options cpu = {.threads = 1}, in_half = {.threads = 1, .half = true};
static const struct vsm_sha256 key = {{1, 2, 3}};
static char folder[64];

/* y = gelu(x w) of weights that are large enough to be stored beside the graph. */
static struct vsm_graph *make_graph(float scale)
{
    static float weights[SIDE * SIDE];
    const int64_t dims[] = {SIDE, SIDE};
    struct vsm_graph *g = vsm_graph_create("square", 20);
    vsm_value x = vsm_graph_input(g, "x", VSM_F32, 2, dims);

    for (int i = 0; i < SIDE * SIDE; i++)
        weights[i] = scale * (float)(i * 7919 % 1009 - 504) / 1009;
    x = vsm_graph_op(g, "MatMul", x, vsm_graph_weight_copy(g, VSM_F32, 2, dims, weights));
    vsm_graph_output(g, vsm_graph_op(g, "Gelu", x), "y", VSM_F32, 2, dims);
    return g;
}

static uint32_t run(struct vsm_session *session)
{
    struct vsm_binding in = {"x", vsm_tensor_create(VSM_F32, 2, (const int64_t[]){SIDE, SIDE})},
                       out = {"y", NULL};
    uint32_t crc = 0;

    for (int i = 0; in.tensor && i < SIDE * SIDE; i++)
        vsm_tensor_f32(in.tensor)[i] = (float)(i % 29) / 29;
    CHECK_INT(session ? vsm_session_run(session, &in, 1, &out, 1) : VSM_E_MODEL, VSM_OK);
    if (out.tensor)
        crc = vsm_hash_crc32(0, out.tensor->data, vsm_tensor_bytes(out.tensor));
    vsm_tensor_unref(&in.tensor);
    vsm_tensor_unref(&out.tensor);
    return crc;
}

/* CRC of what the network gives by way of the cache; 0 and *status if it cannot be had. */
static uint32_t through_as(const struct vsm_graph_cache *cache, float scale,
                           const struct vsm_session_options *options, int *status)
{
    struct vsm_graph *g = make_graph(scale);
    struct vsm_session *session = NULL;
    uint32_t crc;

    *status = vsm_graph_cache_session(cache, g, options, &session);
    vsm_graph_destroy(g);
    crc = *status ? 0 : run(session);
    vsm_session_destroy(session);
    return crc;
}

static uint32_t through(const struct vsm_graph_cache *cache, float scale, int *status)
{
    return through_as(cache, scale, &cpu, status);
}

static uint32_t plain(const struct vsm_session_options *options)
{
    struct vsm_graph *g = make_graph(1);
    struct vsm_session *session = NULL;
    uint32_t crc;

    CHECK_INT(vsm_session_create(g, options, &session), VSM_OK);
    vsm_graph_destroy(g);
    crc = run(session);
    vsm_session_destroy(session);
    return crc;
}

static void store(void)
{
    struct vsm_graph_cache *cache = vsm_graph_cache_open(folder, &key, 1000);
    int status = VSM_E_INTERNAL;

    CHECK(vsm_graph_cache_is_ready(cache) && !vsm_graph_cache_is_whole(cache));
    if (cache)
        CHECK(through(cache, 1, &status) == plain(&cpu));
    CHECK_INT(status, VSM_OK);
    CHECK(vsm_graph_cache_finish(cache));
    vsm_graph_cache_close(cache);
}

static void clear(void)
{
    uint64_t bytes;

    CHECK_INT(vsm_graph_cache_clear(folder, &bytes), VSM_OK);
    CHECK_INT(vsm_graph_cache_bytes(folder), 0);
}

/* The path of the first entry, and in it of the file whose name ends so; the caller's. */
static char *path_of(const char *ending)
{
    char *found = NULL;
    DIR *top = opendir(folder), *entry;
    const struct dirent *e, *f;

    while (top && !found && (e = readdir(top))) {
        char *path = vsm_mem_format("test", "%s/%s", folder, e->d_name);

        entry = e->d_name[0] == '.' ? NULL : opendir(path);
        while (entry && !found && (f = readdir(entry)))
            if (strlen(f->d_name) >= strlen(ending) &&
                strcmp(f->d_name + strlen(f->d_name) - strlen(ending), ending) == 0)
                found = vsm_mem_format("test", "%s/%s", path, f->d_name);
        if (entry)
            closedir(entry);
        vsm_mem_free(path);
    }
    if (top)
        closedir(top);
    return found;
}

static void test_stored_networks_give_the_same_bits(void)
{
    struct vsm_graph_cache *cache;
    int status;

    CHECK(!vsm_graph_cache_is_whole(NULL) && !vsm_graph_cache_is_ready(NULL) &&
          !vsm_graph_cache_finish(NULL));
    store();
    CHECK(vsm_graph_cache_bytes(folder) > SIDE * SIDE * sizeof(float));
    cache = vsm_graph_cache_open(folder, &key, 1000);
    CHECK(vsm_graph_cache_is_whole(cache));
    if (cache)
        CHECK(through(cache, 1, &status) == plain(&cpu));
    vsm_graph_cache_close(cache);
    clear();
}

/* Half precision is another network of the same graph: each finds its own, whatever the key says. */
static void test_half_precision(void)
{
    struct vsm_graph_cache *cache = vsm_graph_cache_open(folder, &key, 1000);
    int status = VSM_E_INTERNAL;

    CHECK(plain(&in_half) != plain(&cpu));
    if (cache)
        CHECK(through_as(cache, 1, &in_half, &status) == plain(&in_half));
    CHECK(vsm_graph_cache_finish(cache));
    if (cache)
        CHECK(through_as(cache, 1, &in_half, &status) == plain(&in_half));
    CHECK_INT(status, VSM_OK);
    if (cache)
        (void)through(cache, 1, &status);
    CHECK_INT(status, VSM_E_MODEL);
    vsm_graph_cache_close(cache);
    clear();
}

/* What CUDA runs: half precision with this program's operators, which the library must know when it reads
 * them again. */
static void test_own_operators(void)
{
    struct vsm_graph_cache *cache = vsm_graph_cache_open(folder, &key, 1000);
    struct vsm_graph *g = make_graph(1), *half = NULL, *fused = NULL;
    struct vsm_session *session = NULL;
    uint32_t crc[2] = {0};

    CHECK(cache && vsm_graph_half(g, &half) == VSM_OK && vsm_graph_fuse(half, &fused) == VSM_OK);
    CHECK(fused && fused->node_count > 0 && fused->node_count < half->node_count);
    for (int i = 0; cache && fused && i < 2; i++) {
        CHECK_INT(vsm_graph_cache_session(cache, fused, &cpu, &session), VSM_OK);
        crc[i] = run(session);
        vsm_session_destroy(session);
        session = NULL;
        CHECK(i == 1 || vsm_graph_cache_finish(cache));
    }
    CHECK(crc[0] && crc[0] == crc[1]);
    vsm_graph_destroy(fused);
    vsm_graph_destroy(half);
    vsm_graph_destroy(g);
    vsm_graph_cache_close(cache);
    clear();
}

static void test_other_graphs_and_keys(void)
{
    const struct vsm_sha256 other = {{1, 2, 4}};
    struct vsm_graph_cache *cache;
    int status;

    store();
    cache = vsm_graph_cache_open(folder, &other, 1000);
    CHECK(!vsm_graph_cache_is_whole(cache));
    vsm_graph_cache_close(cache);
    cache = vsm_graph_cache_open(folder, &key, 1000);
    CHECK(vsm_graph_cache_is_whole(cache));
    if (cache) {
        (void)through(cache, 2, &status); /* a program that builds another graph of the same checkpoint */
        CHECK_INT(status, VSM_E_MODEL);
        CHECK_HAS(vsm_error_message(), "another version of this program");
        vsm_graph_cache_reject(cache);
        CHECK(!vsm_graph_cache_is_whole(cache) && vsm_graph_cache_is_ready(cache));
    }
    vsm_graph_cache_close(cache);
    CHECK_INT(vsm_graph_cache_bytes(folder), 0);
}

/* One byte altered, a file cut short, a file missing, a list cut short: never used, and made again. */
static void test_damage(void)
{
    static const char *const files[] = {".weights", ".onnx", "list"};

    for (int i = 0; i < 9; i++) {
        struct vsm_graph_cache *cache;
        struct stat info;
        char *path, byte;
        int fd;

        store();
        path = path_of(files[i / 3]);
        fd = path ? open(path, O_RDWR) : -1;
        CHECK(fd >= 0 && fstat(fd, &info) == 0);
        if (i % 3 == 0) {
            CHECK(pread(fd, &byte, 1, info.st_size / 3) == 1);
            byte ^= 1;
            CHECK(pwrite(fd, &byte, 1, info.st_size / 3) == 1);
        } else if (i % 3 == 1) {
            CHECK(ftruncate(fd, info.st_size - 1) == 0);
        } else {
            CHECK(unlink(path) == 0);
        }
        close(fd);
        vsm_mem_free(path);
        cache = vsm_graph_cache_open(folder, &key, 1000);
        CHECK(!vsm_graph_cache_is_whole(cache) && vsm_graph_cache_is_ready(cache));
        vsm_graph_cache_close(cache);
        CHECK_INT(vsm_graph_cache_bytes(folder), 0);
    }
}

static void test_unfinished_entries_vanish(void)
{
    struct vsm_graph_cache *cache = vsm_graph_cache_open(folder, &key, 1000);
    int status;

    if (cache)
        (void)through(cache, 1, &status);
    CHECK(vsm_graph_cache_bytes(folder) > 0);
    vsm_graph_cache_close(cache);
    CHECK_INT(vsm_graph_cache_bytes(folder), 0);
}

/* Two processes at once: the second finds its place taken, and leaves the first one's entry as it is. */
static void test_the_first_wins(void)
{
    struct vsm_graph_cache *late = vsm_graph_cache_open(folder, &key, 1000);
    int status;

    if (late)
        (void)through(late, 1, &status);
    store();
    CHECK(!vsm_graph_cache_finish(late));
    vsm_graph_cache_close(late);
    late = vsm_graph_cache_open(folder, &key, 1000);
    CHECK(vsm_graph_cache_is_whole(late));
    vsm_graph_cache_close(late);
    clear();
}

/* An old entry of (sparse) 4 GiB and a newer one of 3 make 7: the old one goes. */
static void test_old_entries_make_room(void)
{
    static const char *const names[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"};
    uint64_t before;

    for (int i = 0; i < 2; i++) {
        const struct timespec times[2] = {{.tv_sec = 1000000 + i}, {.tv_sec = 1000000 + i}};
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        CHECK(mkdir(path, 0700) == 0);
        snprintf(path, sizeof(path), "%s/%s/list", folder, names[i]);
        CHECK(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
        CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
        snprintf(path, sizeof(path), "%s/%s/a.weights", folder, names[i]);
        CHECK(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0 && truncate(path, (off_t)(4 - i) << 30) == 0);
    }
    before = vsm_graph_cache_bytes(folder);
    store();
    CHECK(before == (uint64_t)7 << 30);
    CHECK(vsm_graph_cache_bytes(folder) < (uint64_t)4 << 30 && vsm_graph_cache_bytes(folder) > (uint64_t)3
                                                                                                   << 30);
    clear();
}

static rlim_t size_of(const char *ending)
{
    char *path = path_of(ending);
    struct stat info = {0};

    CHECK(path && stat(path, &info) == 0);
    vsm_mem_free(path);
    return (rlim_t)info.st_size;
}

/* A limit of file sizes stands for a disk that becomes full, anywhere from the first byte to the last.
 * Nothing is left then. */
static void test_disk_full(void)
{
    struct rlimit before, small;
    rlim_t whole;

    store();
    whole = size_of(".weights");
    clear();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    for (int i = 0; i < 10; i++) {
        const rlim_t limits[] = {
            0, 1, 1000, whole / 4, whole / 2, whole / 4 * 3, whole - 5000, whole - 100, whole - 1, whole};
        struct vsm_graph_cache *cache = vsm_graph_cache_open(folder, &key, 1000);
        int status = VSM_E_INTERNAL;
        bool finished = false;

        small.rlim_cur = limits[i];
        setrlimit(RLIMIT_FSIZE, &small);
        if (cache)
            (void)through(cache, 1, &status);
        if (!status)
            finished = vsm_graph_cache_finish(cache);
        setrlimit(RLIMIT_FSIZE, &before);
        CHECK(finished == (limits[i] == whole));
        vsm_graph_cache_close(cache);
        CHECK(finished || vsm_graph_cache_bytes(folder) == 0);
    }
    clear();
}

static void test_no_place(void)
{
    CHECK(!vsm_graph_cache_open("/proc/nowhere", &key, 1000));
    CHECK(!vsm_graph_cache_open(folder, &key, VSM_GRAPH_CACHE_BYTES + 1));
    CHECK_INT(vsm_graph_cache_bytes("/proc/nowhere"), 0);
}

int main(void)
{
    snprintf(folder, sizeof(folder), "/tmp/vsm-graphs-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    vsm_log_set_level(VSM_LOG_ERROR);
    RUN(test_stored_networks_give_the_same_bits);
    RUN(test_half_precision);
    RUN(test_own_operators);
    RUN(test_other_graphs_and_keys);
    RUN(test_damage);
    RUN(test_unfinished_entries_vanish);
    RUN(test_the_first_wins);
    RUN(test_old_entries_make_room);
    RUN(test_disk_full);
    RUN(test_no_place);
    rmdir(folder);
    return tap_done();
}
