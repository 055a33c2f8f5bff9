#include "models/download.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECT_SECONDS 30L
#define STALL_SECONDS   60L /* slower than STALL_BYTES a second for so long counts as cut */
#define STALL_BYTES     1000L
#define MAX_REDIRECTS   10L

struct transfer {
    const struct vsm_download *d;
    char *part;
    int fd;
    uint64_t done;
    int error;     /* errno of a failed write */
    bool too_much; /* more than the file has */
};

static size_t on_data(char *data, size_t size, size_t count, void *opaque)
{
    struct transfer *t = opaque;
    size_t bytes = size * count, at = 0;

    if (bytes > t->d->bytes - t->done) {
        t->too_much = true;
        return 0;
    }
    t->error = vsm_fault_hit("download.write");
    while (at < bytes && !t->error) {
        ssize_t n = write(t->fd, data + at, bytes - at);

        if (n > 0)
            at += (size_t)n;
        else if (errno != EINTR)
            t->error = errno;
    }
    t->done += at;
    return t->error ? 0 : bytes;
}

static int on_progress(void *opaque, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    const struct transfer *t = opaque;

    (void)total, (void)now, (void)up_total, (void)up_now;
    if (t->d->progress)
        t->d->progress(t->d->opaque, t->done, t->d->bytes);
    return 0;
}

static void configure(CURL *curl, struct transfer *t)
{
    bool secure = strncmp(t->d->url, "https:", 6) == 0;

    curl_easy_setopt(curl, CURLOPT_URL, t->d->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "vr180-streaming");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->done);
}

/* Opens PATH.part, alone, and finds out how much of the file is there. */
static int open_part(struct transfer *t)
{
    struct stat info;

    t->part = vsm_mem_format("download", "%s.part", t->d->path);
    if (!t->part)
        return VSM_E_NOMEM;
    t->fd = open(t->part, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (t->fd < 0 || fstat(t->fd, &info) < 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: cannot be written: %s", t->part, strerror(errno));
    if (flock(t->fd, LOCK_EX | LOCK_NB) < 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: another process is downloading this file", t->part);
    t->done = (uint64_t)info.st_size;
    return VSM_OK;
}

static int start_over(struct transfer *t)
{
    t->done = 0;
    if (ftruncate(t->fd, 0) < 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: cannot be emptied: %s", t->part, strerror(errno));
    return VSM_OK;
}

static int transfer_result(struct transfer *t, CURLcode code, const char *detail)
{
    if (t->too_much) {
        unlink(t->part);
        return vsm_fail(VSM_E_INPUT, "%s: the server sends more than the %llu bytes that the file has",
                        t->d->url, (unsigned long long)t->d->bytes);
    }
    if (t->error)
        return vsm_fail(VSM_E_OUTPUT,
                        "%s: cannot be written after %llu of %llu bytes: %s; make room and repeat", t->part,
                        (unsigned long long)t->done, (unsigned long long)t->d->bytes, strerror(t->error));
    if (code != CURLE_OK)
        return vsm_fail(VSM_E_INPUT,
                        "%s: download failed after %llu of %llu bytes: %s; repeat to go on from there",
                        t->d->url, (unsigned long long)t->done, (unsigned long long)t->d->bytes,
                        *detail ? detail : curl_easy_strerror(code));
    return VSM_OK;
}

static int transfer(struct transfer *t)
{
    char detail[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    CURLcode code;
    int status = VSM_OK;

    if (!curl)
        return vsm_fail(VSM_E_NOMEM, "%s: the download cannot be started", t->d->url);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    configure(curl, t);
    code = curl_easy_perform(curl);
    if (code == CURLE_RANGE_ERROR) { /* a server that cannot resume */
        status = start_over(t);
        configure(curl, t);
        if (!status)
            code = curl_easy_perform(curl);
    }
    curl_easy_cleanup(curl);
    return status ? status : transfer_result(t, code, detail);
}

static int check_and_rename(struct transfer *t)
{
    char hex[VSM_SHA256_HEX];
    struct vsm_sha256 hash;
    int status;

    if (t->done < t->d->bytes)
        return vsm_fail(VSM_E_INPUT, "%s: ended after %llu of %llu bytes; repeat to go on from there",
                        t->d->url, (unsigned long long)t->done, (unsigned long long)t->d->bytes);
    status = vsm_hash_sha256_file(t->fd, t->part, 0, UINT64_MAX, &hash);
    if (status)
        return status;
    vsm_hash_hex(&hash, hex);
    if (strcmp(hex, t->d->sha256) != 0) {
        unlink(t->part);
        return vsm_fail(VSM_E_INPUT, "%s: the content has SHA-256 %s, expected %s; deleted", t->d->url, hex,
                        t->d->sha256);
    }
    status = vsm_file_sync(t->fd, t->part);
    if (!status)
        status = vsm_file_rename(t->part, t->d->path);
    return status ? status : vsm_file_sync_folder_of(t->d->path);
}

int vsm_download_run(const struct vsm_download *download)
{
    struct transfer t = {.d = download, .fd = -1};
    int status = open_part(&t);

    if (!status && t.done > download->bytes)
        status = start_over(&t);
    if (!status && t.done < download->bytes)
        status = transfer(&t);
    if (!status)
        status = check_and_rename(&t);
    if (t.fd >= 0)
        close(t.fd);
    vsm_mem_free(t.part);
    return status;
}
