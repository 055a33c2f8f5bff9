/* Walks the boxes of an MP4 or QuickTime file (ISO/IEC 14496-12, 4.2) without trusting them.
 *
 * A list is a run of sibling boxes: the file's top level or the inside of one box. Only headers are read;
 * media data is never touched. Nothing recurses, so that depth is what the caller's code says; every box is
 * checked to lie inside its list, so that positions cannot leave the file; a list ends after
 * VSM_MP4_MAX_BOXES boxes. Plain data, no ownership except the caller's descriptor or bytes, no allocation.
 * One thread a list.
 */
#ifndef VSM_MEDIA_MP4_BOXES_H
#define VSM_MEDIA_MP4_BOXES_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Boxes walked in one list. A fragmented file has about 4 a second at the top level: enough for 70 hours. */
#define VSM_MP4_MAX_BOXES (1u << 20)

#define VSM_MP4_TYPE(a, b, c, d)                                                                             \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

struct vsm_mp4_source {
    const char *name;    /* for messages */
    int fd;              /* read with pread(2); -1: `data` instead */
    const uint8_t *data; /* borrowed */
    uint64_t size;
};

struct vsm_mp4_box {
    uint32_t type;
    uint32_t header; /* bytes of its header: 8 or 16 */
    uint64_t at;     /* of the header, from the beginning of the file */
    uint64_t size;   /* including the header; at + size is inside the list */
};

struct vsm_mp4_list {
    const struct vsm_mp4_source *source;
    uint64_t pos, end; /* next header; end of the list */
    uint32_t count;    /* boxes walked */
};

/* An open file (borrowed). VSM_E_INPUT if it is not a regular file. */
int vsm_mp4_boxes_file(int fd, const char *name, struct vsm_mp4_source *source) VSM_NODISCARD;
struct vsm_mp4_source vsm_mp4_boxes_bytes(const void *data, size_t size);

/* The top level, and the boxes inside `box` after the first `skip` bytes of its content (4 for the version
 * and flags of a full box, 78 for a visual sample entry). A box with less content has an empty list. */
struct vsm_mp4_list vsm_mp4_boxes_top(const struct vsm_mp4_source *source);
struct vsm_mp4_list vsm_mp4_boxes_inside(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box,
                                         uint64_t skip);

/* The next box. VSM_EOF at the end, also when fewer than 8 bytes are left (QuickTime ends some lists with a
 * zero word); VSM_E_INPUT for a box that is smaller than its header or leaves the list, or too many boxes. */
int vsm_mp4_boxes_next(struct vsm_mp4_list *list, struct vsm_mp4_box *box) VSM_NODISCARD;

/* The next box of this type from the list's position. VSM_EOF if there is none. */
int vsm_mp4_boxes_find(struct vsm_mp4_list *list, uint32_t type, struct vsm_mp4_box *box) VSM_NODISCARD;

/* `size` bytes of the box's content from `offset`. VSM_E_INPUT if the box has fewer or the file
 * cannot be read. */
int vsm_mp4_boxes_content(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box, uint64_t offset,
                          void *bytes, size_t size) VSM_NODISCARD;

#endif
