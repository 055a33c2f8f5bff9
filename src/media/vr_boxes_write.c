#include "media/vr_boxes_write.h"

#include "base/fault.h"
#include "base/mem.h"
#include "media/mp4_boxes.h"
#include "media/output_file.h"
#include "media/vr_boxes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Fixed part of a visual sample entry (ISO/IEC 14496-12, 12.1.3). */
#define VISUAL_ENTRY_BYTES 78
/* Version, flags and entry count of stsd. */
#define STSD_BYTES 8

#define TYPE(text) VSM_MP4_TYPE((text)[0], (text)[1], (text)[2], (text)[3])

struct rebuild {
    struct vsm_mp4_source source;
    const uint8_t *data;
    enum vsm_vr_boxes_kind kind;
    enum vsm_layout layout;
    bool right_left;
    bool done; /* the boxes are in */
    struct vsm_bytes_out *out;
};

static size_t begin_box(struct vsm_bytes_out *out, uint32_t type)
{
    size_t at = out->size;

    vsm_bytes_put_be32(out, 0);
    vsm_bytes_put_be32(out, type);
    return at;
}

static void end_box(struct vsm_bytes_out *out, size_t at)
{
    size_t size = out->size - at;

    for (int i = 0; !out->failed && i < 4; i++)
        out->data[at + (size_t)i] = (uint8_t)(size >> (24 - 8 * i));
}

static void put_st3d(struct rebuild *r)
{
    int mode = r->layout == VSM_LAYOUT_MONO ? 0 : r->layout == VSM_LAYOUT_TB ? 1 : r->right_left ? 4 : 2;
    size_t box;

    if (r->layout == VSM_LAYOUT_TB && r->right_left)
        return;
    box = begin_box(r->out, TYPE("st3d"));
    vsm_bytes_put_be32(r->out, 0);
    vsm_bytes_put_u8(r->out, (uint8_t)mode);
    end_box(r->out, box);
}

static void put_sv3d(struct vsm_bytes_out *out)
{
    static const char tool[] = "vr180-streaming";
    size_t sv3d = begin_box(out, TYPE("sv3d")), svhd, proj, prhd, equi;

    svhd = begin_box(out, TYPE("svhd"));
    vsm_bytes_put_be32(out, 0);
    vsm_bytes_put(out, tool, sizeof(tool));
    end_box(out, svhd);
    proj = begin_box(out, TYPE("proj"));
    prhd = begin_box(out, TYPE("prhd"));
    vsm_bytes_put_be32(out, 0);
    for (int i = 0; i < 3; i++)
        vsm_bytes_put_be32(out, 0); /* yaw, pitch, roll */
    end_box(out, prhd);
    equi = begin_box(out, TYPE("equi"));
    vsm_bytes_put_be32(out, 0);
    vsm_bytes_put_be32(out, 0); /* top */
    vsm_bytes_put_be32(out, 0); /* bottom */
    vsm_bytes_put_be32(out, VSM_VR_BOXES_QUARTER);
    vsm_bytes_put_be32(out, VSM_VR_BOXES_QUARTER);
    end_box(out, equi);
    end_box(out, proj);
    end_box(out, sv3d);
}

/* A full box with a code of four characters, alone in a box. */
static void put_code(struct vsm_bytes_out *out, uint32_t outer, uint32_t inner, const char *code)
{
    size_t box = begin_box(out, outer), full = begin_box(out, inner);

    vsm_bytes_put_be32(out, 0);
    vsm_bytes_put(out, code, 4);
    end_box(out, full);
    end_box(out, box);
}

static void put_vexu(struct rebuild *r)
{
    enum { LEFT = 1, RIGHT = 2, REVERSED = 8 };
    bool mono = r->layout == VSM_LAYOUT_MONO;
    size_t vexu = begin_box(r->out, TYPE("vexu")), eyes, stri, hfov;

    eyes = begin_box(r->out, TYPE("eyes"));
    stri = begin_box(r->out, TYPE("stri"));
    vsm_bytes_put_be32(r->out, 0);
    vsm_bytes_put_u8(r->out, (uint8_t)(mono ? 0 : LEFT | RIGHT | (r->right_left ? REVERSED : 0)));
    end_box(r->out, stri);
    end_box(r->out, eyes);
    put_code(r->out, TYPE("proj"), TYPE("prji"), "hequ");
    if (!mono)
        put_code(r->out, TYPE("pack"), TYPE("pkin"), r->layout == VSM_LAYOUT_SBS ? "side" : "over");
    end_box(r->out, vexu);
    hfov = begin_box(r->out, TYPE("hfov"));
    vsm_bytes_put_be32(r->out, 180000); /* thousandths of a degree */
    end_box(r->out, hfov);
}

static void put_vr(struct rebuild *r)
{
    if (r->done)
        return;
    if (r->kind == VSM_VR_BOXES_APMP) {
        put_vexu(r);
    } else {
        put_st3d(r);
        put_sv3d(r->out);
    }
    r->done = true;
}

/* A size of 0, "to the end of what holds it", becomes a number, or the box would swallow what is put behind
 * it. */
static void copy_box(struct rebuild *r, const struct vsm_mp4_box *box)
{
    static const uint8_t to_the_end[4] = {0};
    size_t at = r->out->size;

    vsm_bytes_put(r->out, r->data + box->at, (size_t)box->size);
    if (memcmp(r->data + box->at, to_the_end, sizeof(to_the_end)) == 0)
        end_box(r->out, at);
}

/* The sample entry: its boxes without old VR boxes, ours before clap and pasp, as the RFC has it. */
static int put_entry(struct rebuild *r, const struct vsm_mp4_box *entry)
{
    struct vsm_mp4_list list = vsm_mp4_boxes_inside(&r->source, entry, VISUAL_ENTRY_BYTES);
    size_t at = begin_box(r->out, entry->type);
    struct vsm_mp4_box box;
    int status;

    if (entry->size < entry->header + VISUAL_ENTRY_BYTES)
        return vsm_fail(VSM_E_INPUT, "moov: its video sample entry has only %llu bytes",
                        (unsigned long long)entry->size);
    vsm_bytes_put(r->out, r->data + entry->at + entry->header, VISUAL_ENTRY_BYTES);
    while ((status = vsm_mp4_boxes_next(&list, &box)) == VSM_OK) {
        if (box.type == TYPE("st3d") || box.type == TYPE("sv3d") || box.type == TYPE("vexu") ||
            box.type == TYPE("hfov"))
            continue;
        if (box.type == TYPE("clap") || box.type == TYPE("pasp"))
            put_vr(r);
        copy_box(r, &box);
    }
    put_vr(r);
    end_box(r->out, at);
    return status == VSM_EOF ? VSM_OK : status;
}

/* The boxes that lead from a track to its sample entries. */
static const char *const track_path[] = {"mdia", "minf", "stbl", "stsd"};
#define TRACK_PATH_LENGTH 4

/* `box` with the sample entry below it changed; track_path[depth] is the next box to enter, the first of its
 * kind as readers have it. */
static int put_path(struct rebuild *r, const struct vsm_mp4_box *box, int depth)
{
    bool is_stsd = depth == TRACK_PATH_LENGTH, entered = false;
    uint64_t skip = is_stsd ? STSD_BYTES : 0;
    struct vsm_mp4_list list = vsm_mp4_boxes_inside(&r->source, box, skip);
    size_t at = begin_box(r->out, box->type);
    struct vsm_mp4_box inner;
    int status;

    if (box->size < box->header + skip)
        return vsm_fail(VSM_E_INPUT, "moov: its sample description has only %llu bytes",
                        (unsigned long long)box->size);
    vsm_bytes_put(r->out, r->data + box->at + box->header, (size_t)skip);
    while ((status = vsm_mp4_boxes_next(&list, &inner)) == VSM_OK) {
        if (is_stsd && !r->done) {
            status = put_entry(r, &inner);
        } else if (!is_stsd && !entered && inner.type == TYPE(track_path[depth])) {
            entered = true;
            status = put_path(r, &inner, depth + 1);
        } else {
            copy_box(r, &inner);
        }
        if (status != VSM_OK)
            return status;
    }
    end_box(r->out, at);
    return status == VSM_EOF ? VSM_OK : status;
}

static bool is_video(struct rebuild *r, const struct vsm_mp4_box *track)
{
    struct vsm_mp4_list list = vsm_mp4_boxes_inside(&r->source, track, 0);
    struct vsm_mp4_box mdia, hdlr;
    uint8_t handler[4];

    if (vsm_mp4_boxes_find(&list, TYPE("mdia"), &mdia) != VSM_OK)
        return false;
    list = vsm_mp4_boxes_inside(&r->source, &mdia, 0);
    return vsm_mp4_boxes_find(&list, TYPE("hdlr"), &hdlr) == VSM_OK &&
           vsm_mp4_boxes_content(&r->source, &hdlr, 8, handler, sizeof(handler)) == VSM_OK &&
           memcmp(handler, "vide", 4) == 0;
}

int vsm_vr_boxes_write_moov(const void *moov, size_t size, enum vsm_vr_boxes_kind kind,
                            enum vsm_layout layout, bool right_left, struct vsm_bytes_out *out)
{
    struct rebuild r = {vsm_mp4_boxes_bytes(moov, size), moov, kind, layout, right_left, false, out};
    struct vsm_mp4_list list = vsm_mp4_boxes_top(&r.source);
    struct vsm_mp4_box top, box;
    int status = vsm_mp4_boxes_find(&list, TYPE("moov"), &top);
    size_t at;

    if (status != VSM_OK || top.size != size)
        return vsm_fail(VSM_E_INPUT, "moov: these %zu bytes are not one moov box", size);
    at = begin_box(out, top.type);
    list = vsm_mp4_boxes_inside(&r.source, &top, 0);
    while ((status = vsm_mp4_boxes_next(&list, &box)) == VSM_OK) {
        if (box.type == TYPE("mvex"))
            return vsm_fail(VSM_E_INPUT, "moov: the file is fragmented, VR boxes cannot be added");
        if (box.type == TYPE("trak") && !r.done && is_video(&r, &box))
            status = put_path(&r, &box, 0);
        else
            copy_box(&r, &box);
        if (status != VSM_OK)
            return status;
    }
    end_box(out, at);
    if (status != VSM_EOF)
        return status;
    if (out->failed)
        return VSM_E_NOMEM;
    if (!r.done)
        return vsm_fail(VSM_E_INPUT, "moov: has no video track to mark as VR180");
    return out->size - at > UINT32_MAX ? vsm_fail(VSM_E_INPUT, "moov: too large") : VSM_OK;
}

/* Writes the new moov over the old one at the file's end. */
static int replace_last(struct vsm_output_file *file, const struct vsm_mp4_box *old,
                        const struct vsm_bytes_out *moov)
{
    int status;

    vsm_output_file_seek(file, (int64_t)old->at);
    status = vsm_output_file_write(file, moov->data, moov->size);
    return status == VSM_OK ? vsm_output_file_truncate(file, (int64_t)(old->at + moov->size)) : status;
}

/* Appends the new moov; the old one becomes a free box only when that is durable. */
static int append(struct vsm_output_file *file, uint64_t end, const struct vsm_mp4_box *old,
                  const struct vsm_bytes_out *moov)
{
    int status;

    vsm_output_file_seek(file, (int64_t)end);
    status = vsm_output_file_write(file, moov->data, moov->size);
    if (status == VSM_OK)
        status = vsm_output_file_sync(file);
    if (status != VSM_OK)
        return status;
    vsm_output_file_seek(file, (int64_t)old->at + 4);
    return vsm_output_file_write(file, "free", 4);
}

/* Finds moov and makes the new one. */
static int make_moov(const struct vsm_mp4_source *source, enum vsm_vr_boxes_kind kind, enum vsm_layout layout,
                     bool right_left, struct vsm_mp4_box *old, struct vsm_bytes_out *moov)
{
    struct vsm_mp4_list list = vsm_mp4_boxes_top(source);
    int status = vsm_mp4_boxes_find(&list, TYPE("moov"), old);
    uint8_t *bytes;

    if (status == VSM_EOF)
        return vsm_fail(VSM_E_INPUT, "%s: has no moov box", source->name);
    if (status != VSM_OK)
        return status;
    if (old->size > VSM_VR_BOXES_MAX_MOOV)
        return vsm_fail(VSM_E_INPUT, "%s: its moov box has %llu bytes, more than the %zu allowed here",
                        source->name, (unsigned long long)old->size, VSM_VR_BOXES_MAX_MOOV);
    bytes = vsm_mem_alloc_raw("moov box", (size_t)old->size, 1);
    if (!bytes)
        return VSM_E_NOMEM;
    status = vsm_mp4_boxes_content(source, old, 0, bytes + old->header, (size_t)old->size - old->header);
    if (status == VSM_OK) {
        for (unsigned i = 0; i < 4; i++)
            bytes[i] = old->header == 8 ? (uint8_t)(old->size >> (24 - 8 * i)) : (uint8_t)(i == 3);
        memcpy(bytes + 4, "moov", 4);
        for (unsigned i = 0; old->header == 16 && i < 8; i++)
            bytes[8 + i] = (uint8_t)(old->size >> (56 - 8 * i));
        status = vsm_vr_boxes_write_moov(bytes, (size_t)old->size, kind, layout, right_left, moov);
    }
    vsm_mem_free(bytes);
    return status;
}

int vsm_vr_boxes_write(const char *path, enum vsm_vr_boxes_kind kind, enum vsm_layout layout, bool right_left)
{
    int fd = VSM_FAULT_CALL("file.open", open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)), status;
    struct vsm_output_file file = {0};
    struct vsm_mp4_source source;
    struct vsm_mp4_box old;
    struct vsm_bytes_out moov = {0};

    if (fd < 0)
        return vsm_fail(VSM_E_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    status = vsm_mp4_boxes_file(fd, path, &source);
    if (status == VSM_OK)
        status = make_moov(&source, kind, layout, right_left, &old, &moov);
    close(fd);
    if (status == VSM_OK)
        status = vsm_output_file_open(path, true, &file);
    if (status == VSM_OK && old.at + old.size == source.size)
        status = replace_last(&file, &old, &moov);
    else if (status == VSM_OK)
        status = append(&file, source.size, &old, &moov);
    if (status == VSM_OK)
        status = vsm_output_file_sync(&file);
    vsm_output_file_close(&file);
    vsm_bytes_out_finish(&moov);
    return status;
}
