#include "models/registry.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "models/download.h"
#include "tap.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A web server for one file, one connection after another. */
#define FILE_SIZE 300000

enum behaviour { NORMAL, CUT, WRONG, NO_RANGES, TOO_MUCH, MISSING, REDIRECT };

static uint8_t content[FILE_SIZE];
static char hash[VSM_SHA256_HEX], folder[64], path[128], part[128];
static int listener, port, requests;
static enum behaviour behaviour;
static long last_range;

static void send_all(int fd, const void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = send(fd, (const char *)data + at, size - at, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

static void answer(int fd)
{
    char request[4096] = "", head[256];
    const char *range;
    size_t at = 0, from = 0, size;
    enum behaviour how;
    ssize_t n;

    while (at < sizeof(request) - 1 && !strstr(request, "\r\n\r\n") &&
           (n = recv(fd, request + at, sizeof(request) - 1 - at, 0)) > 0)
        at += (size_t)n;
    requests++;
    how = behaviour; /* once: whoever asked may be at the next test before this ends */
    range = strstr(request, "Range: bytes=");
    last_range = range ? strtol(range + 13, NULL, 10) : -1;
    if (how == MISSING) {
        send_all(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 45);
        return;
    }
    if (how == REDIRECT && !strstr(request, "/moved")) {
        snprintf(head, sizeof(head), "HTTP/1.1 302 Found\r\nLocation: /moved\r\nContent-Length: 0\r\n\r\n");
        send_all(fd, head, strlen(head));
        return;
    }
    if (range && how != NO_RANGES)
        from = (size_t)last_range;
    size = FILE_SIZE - from;
    if (from)
        snprintf(
            head, sizeof(head),
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %zu-%d/%d\r\nContent-Length: %zu\r\n\r\n",
            from, FILE_SIZE - 1, FILE_SIZE, size);
    else
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                 size + (how == TOO_MUCH ? 1 : 0));
    send_all(fd, head, strlen(head));
    send_all(fd, content + from, how == CUT && !range ? 100000 : how == WRONG ? size - 1 : size);
    if (how == TOO_MUCH || how == WRONG)
        send_all(fd, "x", 1);
}

static void *serve(void *unused)
{
    int fd;

    (void)unused;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        answer(fd);
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
    return NULL;
}

static bool start_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    pthread_t thread;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 4) ||
        getsockname(listener, (struct sockaddr *)&address, &length))
        return false;
    port = ntohs(address.sin_port);
    return pthread_create(&thread, NULL, serve, NULL) == 0 && pthread_detach(thread) == 0;
}

static int fetch(enum behaviour how)
{
    char url[64];
    struct vsm_download d = {.url = url, .path = path, .bytes = FILE_SIZE, .sha256 = hash};

    behaviour = how;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/file", port);
    return vsm_download_run(&d);
}

static long size_of(const char *name)
{
    struct stat info;

    return stat(name, &info) == 0 ? (long)info.st_size : -1;
}

static void reset(void)
{
    unlink(path);
    unlink(part);
}

static void test_download(void)
{
    void *data;
    size_t size;

    reset();
    CHECK_INT(fetch(NORMAL), VSM_OK);
    CHECK_INT(size_of(part), -1);
    CHECK_INT(vsm_file_read(path, FILE_SIZE, VSM_E_INPUT, &data, &size), VSM_OK);
    CHECK(size == FILE_SIZE && memcmp(data, content, size) == 0);
    vsm_mem_free(data);
    reset();
    CHECK_INT(fetch(REDIRECT), VSM_OK);
    CHECK_INT(size_of(path), FILE_SIZE);
}

static void test_cut_and_resumed(void)
{
    reset();
    CHECK_INT(fetch(CUT), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "100000 of 300000");
    CHECK_HAS(vsm_error_message(), "repeat");
    CHECK_INT(size_of(path), -1);
    CHECK_INT(size_of(part), 100000);
    CHECK_INT(fetch(NORMAL), VSM_OK);
    CHECK_INT(last_range, 100000);
    CHECK_INT(size_of(path), FILE_SIZE);
}

static void test_server_without_ranges(void)
{
    reset();
    CHECK_INT(fetch(CUT), VSM_E_INPUT);
    CHECK_INT(fetch(NO_RANGES), VSM_OK);
    CHECK_INT(size_of(path), FILE_SIZE);
}

static void test_whole_part_needs_no_request(void)
{
    int before;

    reset();
    CHECK_INT(vsm_file_write_atomic(part, content, FILE_SIZE), VSM_OK);
    before = requests;
    CHECK_INT(fetch(MISSING), VSM_OK);
    CHECK_INT(requests, before);
}

static void test_wrong_content(void)
{
    reset();
    CHECK_INT(fetch(WRONG), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "SHA-256");
    CHECK_INT(size_of(path), -1);
    CHECK_INT(size_of(part), -1);
    CHECK_INT(fetch(TOO_MUCH), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "more than");
    CHECK_INT(size_of(path), -1);
}

static void test_not_there(void)
{
    reset();
    CHECK_INT(fetch(MISSING), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "404");
}

/* A file-size limit stands for a full disk. */
static void test_no_space(void)
{
    struct rlimit before, small;

    reset();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 50000;
    setrlimit(RLIMIT_FSIZE, &small);
    CHECK_INT(fetch(NORMAL), VSM_E_OUTPUT);
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK_HAS(vsm_error_message(), "make room");
    CHECK_INT(size_of(path), -1);
    CHECK_INT(fetch(NORMAL), VSM_OK);
    CHECK_INT(last_range, 50000);
}

static void test_folder(void)
{
    char *chosen, deep[128];

    setenv("XDG_DATA_HOME", "/data", 1);
    CHECK_INT(vsm_registry_folder(NULL, 0, &chosen), VSM_OK);
    CHECK_STR(chosen, "/data/vr180-streaming/models");
    vsm_mem_free(chosen);
    snprintf(deep, sizeof(deep), "%s/a/b", folder);
    CHECK_INT(vsm_registry_folder(deep, 1, &chosen), VSM_OK);
    CHECK_INT(rmdir(deep), 0);
    vsm_mem_free(chosen);
    snprintf(deep, sizeof(deep), "%s/a", folder);
    CHECK_INT(rmdir(deep), 0);
}

static void test_entries(void)
{
    for (int i = 0; i < vsm_registry_count(); i++) {
        const struct vsm_registry_entry *e = vsm_registry_at(i);

        CHECK_INT(strlen(e->sha256), 64);
        CHECK(strncmp(e->url, "https://", 8) == 0 && strstr(e->url, e->file));
        CHECK(vsm_registry_find(e->file) == e);
    }
    CHECK(!vsm_registry_find("sam3"));
    CHECK_HAS(vsm_error_message(), "edgetam");
}

static void test_verify_and_remove(void)
{
    const struct vsm_registry_entry e = {"m", "m.pt", "http://none/m.pt", FILE_SIZE, hash, "none", "none"};

    reset();
    CHECK_INT(vsm_registry_look(folder, &e), VSM_REGISTRY_ABSENT);
    CHECK_INT(vsm_registry_verify(folder, &e), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "pull");
    CHECK_INT(vsm_registry_remove(folder, &e), VSM_E_USAGE);
    CHECK_INT(vsm_file_write_atomic(path, content, FILE_SIZE), VSM_OK);
    CHECK_INT(vsm_registry_look(folder, &e), VSM_REGISTRY_PRESENT);
    CHECK_INT(vsm_registry_verify(folder, &e), VSM_OK);
    content[5] ^= 1;
    CHECK_INT(vsm_file_write_atomic(path, content, FILE_SIZE), VSM_OK);
    content[5] ^= 1;
    CHECK_INT(vsm_registry_verify(folder, &e), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "altered");
    CHECK_INT(vsm_file_write_atomic(path, content, 10), VSM_OK);
    CHECK_INT(vsm_registry_look(folder, &e), VSM_REGISTRY_WRONG_SIZE);
    CHECK_INT(vsm_registry_remove(folder, &e), VSM_OK);
    CHECK_INT(size_of(path), -1);
}

static void test_import_refused(void)
{
    const struct vsm_registry_entry *entry;
    char *copy, other[128];

    reset();
    snprintf(other, sizeof(other), "%s/other.bin", folder);
    CHECK_INT(vsm_file_write_atomic(other, content, 1000), VSM_OK);
    CHECK_INT(vsm_registry_import(folder, other, &entry, &copy), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "neither");
    unlink(other);
    CHECK_INT(vsm_registry_import(folder, other, &entry, &copy), VSM_E_INPUT);
}

int main(void)
{
    struct vsm_sha256 sha;

    snprintf(folder, sizeof(folder), "/tmp/vsm-registry-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/m.pt", folder);
    snprintf(part, sizeof(part), "%s/m.pt.part", folder);
    for (int i = 0; i < FILE_SIZE; i++)
        content[i] = (uint8_t)(i * 7 + i / 256);
    if (vsm_hash_sha256(content, FILE_SIZE, &sha))
        return 1;
    vsm_hash_hex(&sha, hash);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    if (!start_server())
        return 1;
    RUN(test_download);
    RUN(test_cut_and_resumed);
    RUN(test_server_without_ranges);
    RUN(test_whole_part_needs_no_request);
    RUN(test_wrong_content);
    RUN(test_not_there);
    RUN(test_no_space);
    RUN(test_folder);
    RUN(test_entries);
    RUN(test_verify_and_remove);
    RUN(test_import_refused);
    reset();
    rmdir(folder);
    return tap_done();
}
