/* Puts a mesh projection into an MP4 file whose moov box is its last one, as ffmpeg writes it.
 * usage: mesh_clip IN.mp4 OUT.mp4 equirect|fisheye|bent [STEREO_MODE] */
#include "base/bytes.h"
#include "media/mp4_boxes.h"
#include "mesh_box.h"

#include <stdio.h>

static void put_box(struct vsm_bytes_out *out, const char *type, const struct vsm_bytes_out *content)
{
    vsm_bytes_put_be32(out, (uint32_t)(8 + content->size));
    vsm_bytes_put(out, type, 4);
    vsm_bytes_put(out, content->data, content->size);
}

/* Eyes whose circles lie differently: round 0.51, 0.49 and 0.49, 0.5 of the eye. */
static struct mesh_box_options options_of(const char *kind)
{
    struct mesh_box_eye eye = {MESH_FISHEYE, 24, 180, 0.51, 0.49, 0.45, 0.45, 0, 0};
    struct mesh_box_options options = {.count = 2, .deflate = true, .strips = true};

    if (strcmp(kind, "equirect") == 0)
        eye = (struct mesh_box_eye){MESH_EQUIRECT, 16, 180, 0.5, 0.5, 0.5, 0.5, 0, 0};
    if (strcmp(kind, "bent") == 0)
        eye.bend = -0.03;
    options.eyes[0] = options.eyes[1] = eye;
    if (eye.kind == MESH_FISHEYE) {
        options.eyes[1].centre_u = 0.49;
        options.eyes[1].centre_v = 0.5;
    }
    return options;
}

static void put_boxes(struct vsm_bytes_out *out, const char *kind, uint8_t mode)
{
    const struct mesh_box_options options = options_of(kind);
    struct vsm_bytes_out part = {0}, proj = {0}, sv3d = {0};

    vsm_bytes_put(&part, (const uint8_t[]){0, 0, 0, 0, mode}, 5);
    put_box(out, "st3d", &part);
    part.size = 0;
    vsm_bytes_put(&part, (const uint8_t[16]){0}, 16);
    put_box(&proj, "prhd", &part);
    mesh_box_write(&proj, &options);
    part.size = 0;
    vsm_bytes_put(&part, "\0\0\0\0test", 9);
    put_box(&sv3d, "svhd", &part);
    put_box(&sv3d, "proj", &proj);
    put_box(out, "sv3d", &sv3d);
    vsm_bytes_out_finish(&part);
    vsm_bytes_out_finish(&proj);
    vsm_bytes_out_finish(&sv3d);
}

int main(int argc, char **argv)
{
    static const char path[7][5] = {"moov", "trak", "mdia", "minf", "stbl", "stsd", ""};
    static const uint64_t skip[7] = {0, 0, 0, 0, 0, 8, 0};
    FILE *in = argc >= 4 ? fopen(argv[1], "rb") : NULL, *out = argc >= 4 ? fopen(argv[2], "wb") : NULL;
    static uint8_t bytes[1 << 24];
    size_t size = in ? fread(bytes, 1, sizeof(bytes), in) : 0;
    struct vsm_mp4_source source = vsm_mp4_boxes_bytes(bytes, size);
    struct vsm_mp4_list list = vsm_mp4_boxes_top(&source);
    struct vsm_bytes_out boxes = {0};
    struct vsm_mp4_box box = {0};
    uint64_t grown[7];

    if (!in || !out)
        return 1;
    for (int i = 0; i < 7; i++) {
        const uint8_t *type = (const uint8_t *)path[i];

        if (type[0] ? vsm_mp4_boxes_find(&list, VSM_MP4_TYPE(type[0], type[1], type[2], type[3]), &box)
                    : vsm_mp4_boxes_next(&list, &box))
            return 1;
        grown[i] = box.at;
        list = vsm_mp4_boxes_inside(&source, &box, skip[i]);
    }
    put_boxes(&boxes, argv[3], argc > 4 ? (uint8_t)atoi(argv[4]) : 2);
    for (int i = 0; i < 7; i++) {
        struct vsm_bytes_in old = vsm_bytes_in_of(bytes + grown[i], 4);
        const uint32_t now = vsm_bytes_get_be32(&old) + (uint32_t)boxes.size;

        for (int k = 0; k < 4; k++)
            bytes[grown[i] + (uint64_t)k] = (uint8_t)(now >> (24 - 8 * k));
    }
    size = fwrite(bytes, 1, box.at + box.size, out) + fwrite(boxes.data, 1, boxes.size, out) +
           fwrite(bytes + box.at + box.size, 1, size - (box.at + box.size), out) - size;
    vsm_bytes_out_finish(&boxes);
    fclose(in);
    return fclose(out) == 0 && size > 0 ? 0 : 1;
}
