#include "media/vr_boxes.h"

#include "base/bytes.h"
#include "media/vr_boxes_write.h"
#include "tap.h"

/* Builds boxes: begin() writes a header whose size end() fills in. */
static struct vsm_bytes_out file;

static size_t begin(const char *type)
{
    size_t at = file.size;

    vsm_bytes_put_be32(&file, 0);
    vsm_bytes_put(&file, type, 4);
    return at;
}

static void zeros(size_t count)
{
    while (count--)
        vsm_bytes_put_u8(&file, 0);
}

static void end(size_t at)
{
    uint32_t size = (uint32_t)(file.size - at);

    for (int i = 0; i < 4; i++)
        file.data[at + (size_t)i] = (uint8_t)(size >> (24 - 8 * i));
}

static void leaf(const char *type, const void *content, size_t size)
{
    size_t at = begin(type);

    vsm_bytes_put(&file, content, size);
    end(at);
}

/* moov/trak with a track number and handler; leaves the sample entry open at depth[5..0]. */
static void begin_track(size_t depth[7], uint32_t track_id, const char *handler)
{
    size_t at;

    depth[0] = begin("trak");
    at = begin("tkhd");
    zeros(12);
    vsm_bytes_put_be32(&file, track_id);
    zeros(68);
    end(at);
    depth[1] = begin("mdia");
    at = begin("hdlr");
    zeros(8);
    vsm_bytes_put(&file, handler, 4);
    zeros(13);
    end(at);
    depth[2] = begin("minf");
    depth[3] = begin("stbl");
    depth[4] = begin("stsd");
    zeros(4);
    vsm_bytes_put_be32(&file, 1);
    depth[5] = begin("hvc1");
    zeros(78);
}

static void end_track(const size_t depth[7])
{
    for (int i = 5; i >= 0; i--)
        end(depth[i]);
}

static void st3d(uint8_t mode)
{
    leaf("st3d", (const uint8_t[]){0, 0, 0, 0, mode}, 5);
}

static void sv3d(const char *kind, uint32_t side)
{
    size_t a = begin("sv3d"), b, c;

    leaf("svhd", "\0\0\0\0tool", 9);
    b = begin("proj");
    c = begin("prhd");
    zeros(16);
    end(c);
    c = begin(kind);
    zeros(4);
    vsm_bytes_put_be32(&file, 1);
    vsm_bytes_put_be32(&file, 2);
    vsm_bytes_put_be32(&file, side);
    vsm_bytes_put_be32(&file, side);
    end(c);
    end(b);
    end(a);
}

static int read_file(uint32_t track_id, struct vsm_vr_boxes_found *found)
{
    struct vsm_mp4_source source = vsm_mp4_boxes_bytes(file.data, file.size);

    return vsm_vr_boxes_read(&source, track_id, found);
}

static void test_equirect_of_the_wanted_track(void)
{
    struct vsm_vr_boxes_found found;
    size_t moov, depth[7];

    leaf("ftyp", "isom\0\0\0\0", 8);
    leaf("mdat", "not a box", 9);
    moov = begin("moov");
    begin_track(depth, 7, "soun");
    end_track(depth);
    begin_track(depth, 1, "vide");
    st3d(1);
    end_track(depth);
    begin_track(depth, 2, "vide");
    st3d(4);
    sv3d("equi", VSM_VR_BOXES_QUARTER);
    end_track(depth);
    end(moov);
    CHECK_INT(read_file(2, &found), VSM_OK);
    CHECK(found.video && !found.fragmented && !found.mv_hevc);
    CHECK(found.boxes.has_stereo && found.boxes.right_left && found.boxes.stereo == VSM_LAYOUT_SBS);
    CHECK(found.boxes.has_projection && found.boxes.equirect);
    CHECK_STR(found.boxes.projection_name, "equi");
    CHECK_INT(found.boxes.bound_top, 1);
    CHECK_INT(found.boxes.bound_bottom, 2);
    CHECK_INT(found.boxes.bound_left, 0x3FFFFFFF);
    CHECK_INT(found.boxes.bound_right, 0x3FFFFFFF);
    CHECK_INT(read_file(0, &found), VSM_OK);
    CHECK(found.boxes.stereo == VSM_LAYOUT_TB && !found.boxes.has_projection);
    CHECK_INT(read_file(7, &found), VSM_OK);
    CHECK(!found.video);
    vsm_bytes_out_finish(&file);
}

static void test_mesh_and_fragments_are_named(void)
{
    struct vsm_vr_boxes_found found;
    size_t moov = begin("moov"), depth[7];

    begin_track(depth, 1, "vide");
    st3d(3);
    sv3d("mshp", 0);
    leaf("lhvC", "", 0);
    end_track(depth);
    leaf("mvex", "", 0);
    end(moov);
    CHECK_INT(read_file(0, &found), VSM_OK);
    CHECK(found.fragmented && found.mv_hevc);
    CHECK(!found.boxes.has_stereo && found.boxes.has_projection && !found.boxes.equirect);
    CHECK_STR(found.boxes.projection_name, "mshp");
    vsm_bytes_out_finish(&file);
}

static void test_apple_boxes(void)
{
    struct vsm_vr_boxes_found found;
    size_t moov = begin("moov"), depth[7], vexu, inner;

    begin_track(depth, 1, "vide");
    vexu = begin("vexu");
    inner = begin("proj");
    leaf("prji", "\0\0\0\0hequ", 8);
    end(inner);
    inner = begin("pack");
    leaf("pkin", "\0\0\0\0side", 8);
    end(inner);
    end(vexu);
    end_track(depth);
    end(moov);
    CHECK_INT(read_file(0, &found), VSM_OK);
    CHECK(found.boxes.has_stereo && found.boxes.stereo == VSM_LAYOUT_SBS && found.boxes.equirect);
    CHECK_INT(found.boxes.bound_left, VSM_VR_BOXES_QUARTER);
    vsm_bytes_out_finish(&file);
}

static void test_lies_about_sizes_are_refused(void)
{
    struct vsm_vr_boxes_found found;
    size_t moov = begin("moov"), depth[7];

    begin_track(depth, 1, "vide");
    leaf("st3d", "\0\0\0\0", 4); /* the mode is missing */
    end_track(depth);
    end(moov);
    CHECK_INT(read_file(0, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "too short");
    file.data[depth[3] + 3]++; /* stbl one byte larger than its parent leaves room for */
    CHECK_INT(read_file(0, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "the file is damaged");
    file.data[depth[3] + 3] = 7; /* smaller than a header */
    file.data[depth[3] + 2] = 0;
    CHECK_INT(read_file(0, &found), VSM_E_INPUT);
    vsm_bytes_out_finish(&file);
}

static void test_walks_long_and_open_boxes(void)
{
    struct vsm_mp4_source source;
    struct vsm_mp4_list list;
    struct vsm_mp4_box box;

    vsm_bytes_put_be32(&file, 1);
    vsm_bytes_put(&file, "wide", 4);
    vsm_bytes_put_be64(&file, 20);
    zeros(4);
    vsm_bytes_put_be32(&file, 0);
    vsm_bytes_put(&file, "mdat", 4);
    zeros(5);
    source = vsm_mp4_boxes_bytes(file.data, file.size);
    list = vsm_mp4_boxes_top(&source);
    CHECK_INT(vsm_mp4_boxes_next(&list, &box), VSM_OK);
    CHECK_INT(box.header, 16);
    CHECK_INT(box.size, 20);
    CHECK_INT(vsm_mp4_boxes_next(&list, &box), VSM_OK);
    CHECK_INT(box.at, 20);
    CHECK_INT(box.size, 13);
    CHECK_INT(vsm_mp4_boxes_next(&list, &box), VSM_EOF);
    list = vsm_mp4_boxes_inside(&source, &box, 6);
    CHECK_INT(vsm_mp4_boxes_next(&list, &box), VSM_EOF);
    vsm_bytes_out_finish(&file);
}

/* A last box of size 0 reaches to the end of the sample entry; it must not swallow the boxes put behind
 * it. */
static void test_writes_behind_an_open_box(void)
{
    struct vsm_bytes_out once = {0}, twice = {0};
    struct vsm_vr_boxes_found found;
    size_t moov = begin("moov"), depth[7];

    begin_track(depth, 1, "vide");
    vsm_bytes_put_be32(&file, 0);
    vsm_bytes_put(&file, "free", 4);
    zeros(3);
    end_track(depth);
    end(moov);
    CHECK_INT(vsm_vr_boxes_write_moov(file.data, file.size, VSM_VR_BOXES_SV3D, VSM_LAYOUT_SBS, true, &once),
              VSM_OK);
    vsm_bytes_out_finish(&file);
    vsm_bytes_put(&file, once.data, once.size);
    CHECK_INT(read_file(1, &found), VSM_OK);
    CHECK(found.boxes.has_stereo && found.boxes.right_left && found.boxes.equirect);
    CHECK_INT(vsm_vr_boxes_write_moov(once.data, once.size, VSM_VR_BOXES_SV3D, VSM_LAYOUT_SBS, true, &twice),
              VSM_OK);
    CHECK(once.size == twice.size && memcmp(once.data, twice.data, once.size) == 0);
    vsm_bytes_out_finish(&once);
    vsm_bytes_out_finish(&twice);
    vsm_bytes_out_finish(&file);
}

/* Apple's boxes take the place of Google's, byte by byte as their format says, and are read back. */
static void test_writes_apple_boxes_instead(void)
{
    static const uint8_t wanted[] = {
        0,   0,   0,   77,  'v', 'e', 'x', 'u', 0,   0,   0,   21,  'e', 'y', 'e', 's',  0,    0,
        0,   13,  's', 't', 'r', 'i', 0,   0,   0,   0,   11,  0,   0,   0,   24,  'p',  'r',  'o',
        'j', 0,   0,   0,   16,  'p', 'r', 'j', 'i', 0,   0,   0,   0,   'h', 'e', 'q',  'u',  0,
        0,   0,   24,  'p', 'a', 'c', 'k', 0,   0,   0,   16,  'p', 'k', 'i', 'n', 0,    0,    0,
        0,   'o', 'v', 'e', 'r', 0,   0,   0,   12,  'h', 'f', 'o', 'v', 0,   2,   0xbf, 0x20,
    };
    struct vsm_bytes_out once = {0}, twice = {0};
    struct vsm_vr_boxes_found found;
    size_t moov = begin("moov"), depth[7], at = 0;

    begin_track(depth, 1, "vide");
    end_track(depth);
    end(moov);
    CHECK_INT(vsm_vr_boxes_write_moov(file.data, file.size, VSM_VR_BOXES_SV3D, VSM_LAYOUT_TB, false, &once),
              VSM_OK);
    CHECK_INT(vsm_vr_boxes_write_moov(once.data, once.size, VSM_VR_BOXES_APMP, VSM_LAYOUT_TB, true, &twice),
              VSM_OK);
    while (at + sizeof(wanted) < twice.size && memcmp(twice.data + at, wanted, sizeof(wanted)) != 0)
        at++;
    CHECK(at + sizeof(wanted) <= twice.size && memcmp(twice.data + at, wanted, sizeof(wanted)) == 0);
    CHECK_INT(twice.size, file.size + sizeof(wanted));
    vsm_bytes_out_finish(&file);
    vsm_bytes_put(&file, twice.data, twice.size);
    CHECK_INT(read_file(1, &found), VSM_OK);
    CHECK(found.boxes.has_stereo && found.boxes.equirect && found.boxes.right_left);
    CHECK_INT(found.boxes.stereo, VSM_LAYOUT_TB);
    CHECK_INT(found.boxes.bound_left, VSM_VR_BOXES_QUARTER);
    vsm_bytes_out_finish(&once);
    vsm_bytes_out_finish(&twice);
    vsm_bytes_out_finish(&file);
}

static void test_missing_file(void)
{
    struct vsm_vr_boxes_found found;

    CHECK_INT(vsm_vr_boxes_read_path("/nonexistent/a.mp4", 0, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "/nonexistent/a.mp4: cannot be opened");
}

int main(void)
{
    RUN(test_equirect_of_the_wanted_track);
    RUN(test_mesh_and_fragments_are_named);
    RUN(test_apple_boxes);
    RUN(test_lies_about_sizes_are_refused);
    RUN(test_walks_long_and_open_boxes);
    RUN(test_writes_behind_an_open_box);
    RUN(test_writes_apple_boxes_instead);
    RUN(test_missing_file);
    return tap_done();
}
