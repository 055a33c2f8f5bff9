#include "media/vr_boxes.h"

#include "base/bytes.h"
#include "base/fault.h"
#include "media/vr_mesh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Fixed part of a visual sample entry: 6 reserved, 2 data reference, 70 of picture fields (14496-12,
 * 12.1.3). */
#define VISUAL_ENTRY_BYTES 78

/* The first box of a type inside a box; VSM_EOF if there is none. */
static int child(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box, uint64_t skip,
                 uint32_t type, struct vsm_mp4_box *found)
{
    struct vsm_mp4_list list = vsm_mp4_boxes_inside(source, box, skip);

    return vsm_mp4_boxes_find(&list, type, found);
}

static void name_projection(struct vsm_vr_boxes *boxes, uint32_t type)
{
    boxes->has_projection = true;
    snprintf(boxes->projection_name, sizeof(boxes->projection_name), "%c%c%c%c", (int)(type >> 24) & 0x7F,
             (int)(type >> 16) & 0x7F, (int)(type >> 8) & 0x7F, (int)type & 0x7F);
}

static int read_st3d(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box,
                     struct vsm_vr_boxes *boxes)
{
    uint8_t mode;
    int r = vsm_mp4_boxes_content(source, box, 4, &mode, 1);

    if (r)
        return r;
    boxes->has_stereo = true;
    boxes->right_left = mode == 4;
    if (mode == 0)
        boxes->stereo = VSM_LAYOUT_MONO;
    else if (mode == 1)
        boxes->stereo = VSM_LAYOUT_TB;
    else if (mode == 2 || mode == 4)
        boxes->stereo = VSM_LAYOUT_SBS;
    else
        boxes->has_stereo = false; /* 3: the mesh says where the eyes are */
    return VSM_OK;
}

static int read_equi(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box,
                     struct vsm_vr_boxes *boxes)
{
    uint8_t bytes[16] = {0};
    struct vsm_bytes_in in = vsm_bytes_in_of(bytes, sizeof(bytes));
    int r = vsm_mp4_boxes_content(source, box, 4, bytes, sizeof(bytes));

    if (r)
        return r;
    boxes->equirect = true;
    boxes->bound_top = vsm_bytes_get_be32(&in);
    boxes->bound_bottom = vsm_bytes_get_be32(&in);
    boxes->bound_left = vsm_bytes_get_be32(&in);
    boxes->bound_right = vsm_bytes_get_be32(&in);
    return VSM_OK;
}

static int read_sv3d(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box,
                     struct vsm_vr_boxes_found *found)
{
    struct vsm_vr_boxes *boxes = &found->boxes;
    struct vsm_mp4_box proj, kind;
    struct vsm_mp4_list list;
    int r = child(source, box, 0, VSM_MP4_TYPE('p', 'r', 'o', 'j'), &proj);

    if (r)
        return r;
    list = vsm_mp4_boxes_inside(source, &proj, 0);
    while ((r = vsm_mp4_boxes_next(&list, &kind)) == VSM_OK) {
        bool equi = kind.type == VSM_MP4_TYPE('e', 'q', 'u', 'i');
        bool mesh = kind.type == VSM_MP4_TYPE('m', 's', 'h', 'p');

        if (equi && (r = read_equi(source, &kind, boxes)) != VSM_OK)
            return r;
        if (mesh)
            found->mesh = kind;
        if (equi || mesh || kind.type == VSM_MP4_TYPE('c', 'b', 'm', 'p'))
            name_projection(boxes, kind.type);
    }
    return r;
}

/* The four characters of a full box inside a box: vexu/proj/prji, vexu/pack/pkin. */
static int read_word(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box, uint32_t outer,
                     uint32_t inner, uint32_t *word)
{
    struct vsm_mp4_box a, b;
    uint8_t bytes[4] = {0};
    struct vsm_bytes_in in = vsm_bytes_in_of(bytes, sizeof(bytes));
    int r = child(source, box, 0, outer, &a);

    if (r == VSM_OK)
        r = child(source, &a, 0, inner, &b);
    if (r == VSM_OK)
        r = vsm_mp4_boxes_content(source, &b, 4, bytes, sizeof(bytes));
    if (r == VSM_OK)
        *word = vsm_bytes_get_be32(&in);
    return r;
}

/* Whether vexu/eyes/stri says that the right eye comes first. */
static int read_reversed(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box, bool *reversed)
{
    struct vsm_mp4_box eyes, stri;
    uint8_t bits = 0;
    int r = child(source, box, 0, VSM_MP4_TYPE('e', 'y', 'e', 's'), &eyes);

    if (r == VSM_OK)
        r = child(source, &eyes, 0, VSM_MP4_TYPE('s', 't', 'r', 'i'), &stri);
    if (r == VSM_OK)
        r = vsm_mp4_boxes_content(source, &stri, 4, &bits, 1);
    *reversed = r == VSM_OK && bits & 8;
    return r;
}

/* Apple's description gives way to Google's where both are present: only the latter has bounds. */
static int read_vexu(const struct vsm_mp4_source *source, const struct vsm_mp4_box *box,
                     struct vsm_vr_boxes *boxes)
{
    uint32_t word;
    int r = read_word(source, box, VSM_MP4_TYPE('p', 'r', 'o', 'j'), VSM_MP4_TYPE('p', 'r', 'j', 'i'), &word);

    if (r == VSM_OK && !boxes->has_projection) {
        name_projection(boxes, word);
        if (word == VSM_MP4_TYPE('h', 'e', 'q', 'u'))
            boxes->bound_left = boxes->bound_right = VSM_VR_BOXES_QUARTER;
        boxes->equirect =
            word == VSM_MP4_TYPE('h', 'e', 'q', 'u') || word == VSM_MP4_TYPE('e', 'q', 'u', 'i');
    }
    if (r != VSM_OK && r != VSM_EOF)
        return r;
    r = read_word(source, box, VSM_MP4_TYPE('p', 'a', 'c', 'k'), VSM_MP4_TYPE('p', 'k', 'i', 'n'), &word);
    if (r == VSM_OK && !boxes->has_stereo) {
        boxes->has_stereo =
            word == VSM_MP4_TYPE('s', 'i', 'd', 'e') || word == VSM_MP4_TYPE('o', 'v', 'e', 'r');
        boxes->stereo = word == VSM_MP4_TYPE('o', 'v', 'e', 'r') ? VSM_LAYOUT_TB : VSM_LAYOUT_SBS;
        r = read_reversed(source, box, &boxes->right_left);
    }
    return r;
}

static int read_entry(const struct vsm_mp4_source *source, const struct vsm_mp4_box *entry,
                      struct vsm_vr_boxes_found *found)
{
    struct vsm_mp4_list list = vsm_mp4_boxes_inside(source, entry, VISUAL_ENTRY_BYTES);
    struct vsm_mp4_box box, vexu = {0};
    int r;

    found->video = true;
    while ((r = vsm_mp4_boxes_next(&list, &box)) == VSM_OK) {
        if (box.type == VSM_MP4_TYPE('s', 't', '3', 'd'))
            r = read_st3d(source, &box, &found->boxes);
        else if (box.type == VSM_MP4_TYPE('s', 'v', '3', 'd'))
            r = read_sv3d(source, &box, found);
        else if (box.type == VSM_MP4_TYPE('v', 'e', 'x', 'u'))
            vexu = box;
        else if (box.type == VSM_MP4_TYPE('l', 'h', 'v', 'C'))
            found->mv_hevc = true;
        if (r != VSM_OK && r != VSM_EOF)
            return r;
    }
    if (r == VSM_EOF && vexu.size)
        r = read_vexu(source, &vexu, &found->boxes);
    return r;
}

/* Whether a track is video and, unless track_id is 0, has this number. */
static int is_wanted(const struct vsm_mp4_source *source, const struct vsm_mp4_box *trak,
                     const struct vsm_mp4_box *mdia, uint32_t track_id, bool *wanted)
{
    struct vsm_mp4_box box;
    uint8_t bytes[4] = {0}, version;
    struct vsm_bytes_in in = vsm_bytes_in_of(bytes, sizeof(bytes));
    int r = child(source, mdia, 0, VSM_MP4_TYPE('h', 'd', 'l', 'r'), &box);

    *wanted = false;
    if (r == VSM_OK)
        r = vsm_mp4_boxes_content(source, &box, 8, bytes, sizeof(bytes));
    if (r != VSM_OK || memcmp(bytes, "vide", 4) != 0)
        return r;
    *wanted = track_id == 0;
    if (*wanted)
        return VSM_OK;
    r = child(source, trak, 0, VSM_MP4_TYPE('t', 'k', 'h', 'd'), &box);
    if (r == VSM_OK)
        r = vsm_mp4_boxes_content(source, &box, 0, &version, 1);
    if (r == VSM_OK)
        r = vsm_mp4_boxes_content(source, &box, version == 1 ? 20 : 12, bytes, sizeof(bytes));
    *wanted = r == VSM_OK && vsm_bytes_get_be32(&in) == track_id;
    return r;
}

/* VSM_EOF: not the track that is looked for, or it lacks a sample entry. */
static int read_track(const struct vsm_mp4_source *source, const struct vsm_mp4_box *trak, uint32_t track_id,
                      struct vsm_vr_boxes_found *found)
{
    struct vsm_mp4_box mdia, box;
    struct vsm_mp4_list list;
    bool wanted = false;
    int r = child(source, trak, 0, VSM_MP4_TYPE('m', 'd', 'i', 'a'), &mdia);

    if (r == VSM_OK)
        r = is_wanted(source, trak, &mdia, track_id, &wanted);
    if (r != VSM_OK || !wanted)
        return r == VSM_OK ? VSM_EOF : r;
    r = child(source, &mdia, 0, VSM_MP4_TYPE('m', 'i', 'n', 'f'), &box);
    if (r == VSM_OK)
        r = child(source, &box, 0, VSM_MP4_TYPE('s', 't', 'b', 'l'), &box);
    if (r == VSM_OK)
        r = child(source, &box, 0, VSM_MP4_TYPE('s', 't', 's', 'd'), &box);
    if (r != VSM_OK)
        return r;
    list = vsm_mp4_boxes_inside(source, &box, 8);
    r = vsm_mp4_boxes_next(&list, &box);
    return r == VSM_OK ? read_entry(source, &box, found) : r;
}

int vsm_vr_boxes_read(const struct vsm_mp4_source *source, uint32_t track_id,
                      struct vsm_vr_boxes_found *found)
{
    struct vsm_mp4_list list = vsm_mp4_boxes_top(source);
    struct vsm_mp4_box moov, box;
    int r = vsm_mp4_boxes_find(&list, VSM_MP4_TYPE('m', 'o', 'o', 'v'), &moov);

    memset(found, 0, sizeof(*found));
    if (r != VSM_OK)
        return r == VSM_EOF ? VSM_OK : r;
    r = child(source, &moov, 0, VSM_MP4_TYPE('m', 'v', 'e', 'x'), &box);
    found->fragmented = r == VSM_OK;
    list = vsm_mp4_boxes_inside(source, &moov, 0);
    while (!found->video && (r == VSM_OK || r == VSM_EOF)) {
        r = vsm_mp4_boxes_find(&list, VSM_MP4_TYPE('t', 'r', 'a', 'k'), &box);
        if (r == VSM_EOF)
            break;
        if (r == VSM_OK)
            r = read_track(source, &box, track_id, found);
    }
    return r == VSM_EOF ? VSM_OK : r;
}

int vsm_vr_boxes_read_path(const char *path, uint32_t track_id, struct vsm_vr_boxes_found *found)
{
    struct vsm_mp4_source source;
    int fd = VSM_FAULT_CALL("file.open", open(path, O_RDONLY | O_CLOEXEC)), r;

    memset(found, 0, sizeof(*found));
    if (fd < 0)
        return vsm_fail(VSM_E_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    r = vsm_mp4_boxes_file(fd, path, &source);
    if (r == VSM_OK)
        r = vsm_vr_boxes_read(&source, track_id, found);
    if (r == VSM_OK && found->mesh.size)
        r = vsm_vr_mesh_read(&source, &found->mesh, &found->boxes.meshes);
    close(fd);
    return r;
}
