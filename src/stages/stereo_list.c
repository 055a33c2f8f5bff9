#include "stages/stereo_list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const struct vsm_stereo_list *list)
{
    return vsm_fail(VSM_E_OUTPUT, "%s: the list of frames cannot be written: %s", list->path,
                    strerror(errno));
}

static int open_list(struct vsm_stereo_list *list)
{
    const int fd = open(list->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    struct stat s;

    if (fd < 0)
        return fail(list);
    if (fstat(fd, &s) == 0 && (int64_t)s.st_size < list->size) {
        close(fd);
        return vsm_fail(VSM_E_OUTPUT, "%s: shorter than its checkpoint says; start again with --restart",
                        list->path);
    }
    if (ftruncate(fd, (off_t)list->size) != 0 || lseek(fd, 0, SEEK_END) < 0 ||
        !(list->file = fdopen(fd, "w"))) {
        const int status = fail(list);

        close(fd);
        return status;
    }
    return VSM_OK;
}

int vsm_stereo_list_add(struct vsm_stereo_list *list, int64_t frame, int pair,
                        const enum vsm_eye_health_fault faults[2], const struct vsm_stereo_pair_result *r)
{
    int status = list->path && !list->file ? open_list(list) : VSM_OK;

    if (!list->path || status != VSM_OK)
        return status;
    if (fprintf(
            list->file,
            "{\"frame\":%lld,\"pair\":%d,\"measured\":%s,\"people\":%s,\"consistency\":%.4f,\"after\":%.4f,"
            "\"area\":%.4f,\"residual\":%.3f,\"matched\":%.3f,\"taken\":[%.3f,%.3f],\"faults\":[\"%s\",\"%"
            "s\"]}"
            "\n",
            (long long)frame, pair, r->measured ? "true" : "false", r->before.people ? "true" : "false",
            (double)r->before.overlap, (double)r->after.overlap, (double)r->before.area,
            (double)r->before.residual, (double)r->before.matched, (double)r->taken[0], (double)r->taken[1],
            vsm_eye_health_name(faults[0]), vsm_eye_health_name(faults[1])) < 0 ||
        fflush(list->file) != 0)
        return fail(list);
    return VSM_OK;
}

int vsm_stereo_list_mark(struct vsm_stereo_list *list, int64_t *size)
{
    off_t end;

    *size = list->size;
    if (!list->file)
        return VSM_OK;
    end = fflush(list->file) == 0 && fsync(fileno(list->file)) == 0 ? lseek(fileno(list->file), 0, SEEK_END)
                                                                    : -1;
    if (end < 0)
        return fail(list);
    *size = end;
    return VSM_OK;
}

void vsm_stereo_list_close(struct vsm_stereo_list *list)
{
    if (list->file)
        fclose(list->file);
    list->file = NULL;
}
