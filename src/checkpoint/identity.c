#include "checkpoint/identity.h"

#include "base/bytes.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_windows(int fd, const char *path, struct vsm_identity *identity)
{
    struct stat info;
    uint64_t size, window;
    int status;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return vsm_fail(VSM_E_INPUT, "%s: not a regular file, so that a job on it could not be resumed",
                        path);
    size = (uint64_t)info.st_size;
    window = size < VSM_IDENTITY_WINDOW ? size : VSM_IDENTITY_WINDOW;
    identity->input_size = size;
    status = vsm_hash_sha256_file(fd, path, 0, window, &identity->input_head);
    if (status == VSM_OK)
        status = vsm_hash_sha256_file(fd, path, (size - window) / 2, window, &identity->input_middle);
    if (status == VSM_OK)
        status = vsm_hash_sha256_file(fd, path, size - window, window, &identity->input_tail);
    return status;
}

int vsm_identity_read_input(const char *path, struct vsm_identity *identity)
{
    int fd = VSM_FAULT_CALL("file.open", open(path, O_RDONLY | O_CLOEXEC));
    int status;

    if (fd < 0)
        return vsm_fail(VSM_E_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    status = read_windows(fd, path, identity);
    close(fd);
    return status;
}

int vsm_identity_hash(const struct vsm_identity *identity, struct vsm_sha256 *hash)
{
    struct vsm_bytes_out out = {0};
    int status = VSM_E_NOMEM;

    vsm_bytes_put(&out, identity->settings.bytes, sizeof(identity->settings.bytes));
    vsm_bytes_put(&out, identity->models.bytes, sizeof(identity->models.bytes));
    vsm_bytes_put_le64(&out, identity->input_size);
    vsm_bytes_put(&out, identity->input_head.bytes, sizeof(identity->input_head.bytes));
    vsm_bytes_put(&out, identity->input_middle.bytes, sizeof(identity->input_middle.bytes));
    vsm_bytes_put(&out, identity->input_tail.bytes, sizeof(identity->input_tail.bytes));
    if (!out.failed)
        status = vsm_hash_sha256(out.data, out.size, hash);
    vsm_bytes_out_finish(&out);
    return status;
}

static bool differs(const struct vsm_sha256 *a, const struct vsm_sha256 *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) != 0;
}

/* "the input changed (...)", or "" if it did not. */
static void describe_input(const struct vsm_identity *saved, const struct vsm_identity *now, char *text,
                           size_t room)
{
    bool head = differs(&saved->input_head, &now->input_head);
    bool middle = differs(&saved->input_middle, &now->input_middle);

    text[0] = 0;
    if (saved->input_size != now->input_size)
        snprintf(text, room, "the input changed (%llu bytes, was %llu)", (unsigned long long)now->input_size,
                 (unsigned long long)saved->input_size);
    else if (head || middle || differs(&saved->input_tail, &now->input_tail))
        snprintf(text, room, "the input changed (same size, other content at its %s)",
                 head     ? "beginning"
                 : middle ? "middle"
                          : "end");
}

static void describe_hash(const char *what, const struct vsm_sha256 *saved, const struct vsm_sha256 *now,
                          char *text, size_t room)
{
    char was[VSM_SHA256_HEX], is[VSM_SHA256_HEX];

    text[0] = 0;
    if (!differs(saved, now))
        return;
    vsm_hash_hex(saved, was);
    vsm_hash_hex(now, is);
    snprintf(text, room, "%s changed (hash %.12s, was %.12s)", what, is, was);
}

int vsm_identity_compare(const char *subject, const struct vsm_identity *saved,
                         const struct vsm_identity *now)
{
    char input[128], models[128], settings[128];

    describe_input(saved, now, input, sizeof(input));
    describe_hash("the model files", &saved->models, &now->models, models, sizeof(models));
    describe_hash("the settings that affect the picture", &saved->settings, &now->settings, settings,
                  sizeof(settings));
    if (!input[0] && !models[0] && !settings[0])
        return VSM_OK;
    return vsm_fail(
        input[0]    ? VSM_E_INPUT
        : models[0] ? VSM_E_MODEL
                    : VSM_E_USAGE,
        "%s: cannot be resumed: %s%s%s%s%s since its checkpoint was made; put that back as it was, or "
        "start over with --restart",
        subject, input, input[0] && models[0] ? " and " : "", models,
        (input[0] || models[0]) && settings[0] ? " and " : "", settings);
}
