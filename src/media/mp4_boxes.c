#include "media/mp4_boxes.h"

#include "base/bytes.h"
#include "base/fault.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int vsm_mp4_boxes_file(int fd, const char *name, struct vsm_mp4_source *source)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return vsm_fail(VSM_E_INPUT, "%s: cannot be read: %s", name, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return vsm_fail(VSM_E_INPUT, "%s: is not a regular file", name);
    *source = (struct vsm_mp4_source){.name = name, .fd = fd, .size = (uint64_t)st.st_size};
    return VSM_OK;
}

struct vsm_mp4_source vsm_mp4_boxes_bytes(const void *data, size_t size)
{
    return (struct vsm_mp4_source){.name = "MP4 bytes", .fd = -1, .data = data, .size = size};
}

struct vsm_mp4_list vsm_mp4_boxes_top(const struct vsm_mp4_source *source)
{
    return (struct vsm_mp4_list){.source = source, .end = source->size};
}

struct vsm_mp4_list vsm_mp4_boxes_inside(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box,
                                         uint64_t skip)
{
    uint64_t end = box->at + box->size;

    return (struct vsm_mp4_list){
        .source = source,
        .pos = skip > box->size - box->header ? end : box->at + box->header + skip,
        .end = end,
    };
}

/* The caller has checked that pos + size is inside the source. */
static int read_at(const struct vsm_mp4_source *source, uint64_t pos, void *bytes, size_t size)
{
    size_t done = 0;

    if (source->fd < 0) {
        memcpy(bytes, source->data + pos, size);
        return VSM_OK;
    }
    while (done < size) {
        ssize_t n = VSM_FAULT_CALL("file.read",
                                   pread(source->fd, (char *)bytes + done, size - done, (off_t)(pos + done)));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return vsm_fail(VSM_E_INPUT, "%s: cannot be read at byte %llu: %s", source->name,
                            (unsigned long long)pos, n < 0 ? strerror(errno) : "file became shorter");
        done += (size_t)n;
    }
    return VSM_OK;
}

int vsm_mp4_boxes_next(struct vsm_mp4_list *list, struct vsm_mp4_box *box)
{
    uint64_t left = list->end - list->pos;
    uint8_t bytes[16] = {0};
    struct vsm_bytes_in in = vsm_bytes_in_of(bytes, sizeof(bytes));
    int r;

    if (left < 8)
        return VSM_EOF;
    if (list->count++ >= VSM_MP4_MAX_BOXES)
        return vsm_fail(VSM_E_INPUT, "%s: more than %u boxes in one list", list->source->name,
                        VSM_MP4_MAX_BOXES);
    r = read_at(list->source, list->pos, bytes, left < 16 ? 8 : 16);
    if (r)
        return r;
    box->at = list->pos;
    box->header = 8;
    box->size = vsm_bytes_get_be32(&in);
    box->type = vsm_bytes_get_be32(&in);
    if (box->size == 1) {
        box->header = 16;
        box->size = left < 16 ? 0 : vsm_bytes_get_be64(&in);
    } else if (box->size == 0) {
        box->size = left;
    }
    if (box->size < box->header || box->size > left)
        return vsm_fail(VSM_E_INPUT,
                        "%s: box at byte %llu claims %llu bytes where %llu are left; the file is damaged",
                        list->source->name, (unsigned long long)box->at, (unsigned long long)box->size,
                        (unsigned long long)left);
    list->pos += box->size;
    return VSM_OK;
}

int vsm_mp4_boxes_find(struct vsm_mp4_list *list, uint32_t type, struct vsm_mp4_box *box)
{
    int r;

    while ((r = vsm_mp4_boxes_next(list, box)) == VSM_OK)
        if (box->type == type)
            return VSM_OK;
    return r;
}

int vsm_mp4_boxes_content(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box, uint64_t offset,
                          void *bytes, size_t size)
{
    uint64_t content = box->size - box->header;

    if (offset > content || size > content - offset)
        return vsm_fail(VSM_E_INPUT, "%s: box at byte %llu is too short", source->name,
                        (unsigned long long)box->at);
    return read_at(source, box->at + box->header + offset, bytes, size);
}
