/* Meshes of an mshp box: reading them, what they follow, and what layout and lenses come of them. */
#include "media/vr_mesh.h"

#include "media/vr_layout.h"
#include "mesh_box.h"
#include "tap.h"

static const struct mesh_box_eye whole = {MESH_EQUIRECT, 24, 180, 0.5, 0.5, 0.5, 0.5, 0, 0};
static const struct mesh_box_eye circle = {MESH_FISHEYE, 40, 190, 0.52, 0.49, 0.47, 0.47, 0, 0};

static int read_box(const struct vsm_bytes_out *box, struct vsm_vr_meshes *meshes)
{
    const struct vsm_mp4_source source = vsm_mp4_boxes_bytes(box->data, box->size);
    struct vsm_mp4_list list = vsm_mp4_boxes_top(&source);
    struct vsm_mp4_box found;

    CHECK_INT(vsm_mp4_boxes_next(&list, &found), VSM_OK);
    return vsm_vr_mesh_read(&source, &found, meshes);
}

static void read_options(const struct mesh_box_options *options, struct vsm_vr_meshes *meshes)
{
    struct vsm_bytes_out box = {0};

    mesh_box_write(&box, options);
    CHECK_INT(read_box(&box, meshes), VSM_OK);
    vsm_bytes_out_finish(&box);
}

static void test_half_equirect(void)
{
    for (int form = 0; form < 6; form++) {
        const struct mesh_box_options options = {.count = 1 + form % 2,
                                                 .eyes = {whole, whole},
                                                 .deflate = form % 2,
                                                 .strips = form / 2 == 1,
                                                 .fans = form / 2 == 2};
        struct vsm_vr_meshes meshes;

        read_options(&options, &meshes);
        CHECK_STR(meshes.fault, "");
        CHECK_INT(meshes.count, options.count);
        for (int e = 0; e < 2; e++) {
            CHECK_INT(meshes.eyes[e].projection, VSM_HALF_EQUIRECT);
            CHECK_NEAR(meshes.eyes[e].scale_u, 1 / M_PI, 1e-6);
            CHECK_NEAR(meshes.eyes[e].scale_v, 1 / M_PI, 1e-6);
            CHECK_NEAR(meshes.eyes[e].centre_v, 0.5, 1e-6);
            CHECK_NEAR(meshes.eyes[e].error, 0, 1e-5);
        }
    }
}

static void test_fisheye(void)
{
    struct mesh_box_options options = {.count = 2, .eyes = {circle, circle}, .deflate = true, .strips = true};
    struct vsm_vr_meshes meshes;

    options.eyes[1].centre_u = 0.48;
    options.eyes[1].view = 200;
    read_options(&options, &meshes);
    CHECK_STR(meshes.fault, "");
    CHECK_INT(meshes.count, 2);
    CHECK_INT(meshes.eyes[0].projection, VSM_FISHEYE);
    CHECK_NEAR(meshes.eyes[0].centre_u, 0.52, 1e-6);
    CHECK_NEAR(meshes.eyes[0].centre_v, 0.49, 1e-6);
    CHECK_NEAR(meshes.eyes[0].scale_u, 0.47 / (95 * M_PI / 180), 1e-6);
    CHECK_NEAR(meshes.eyes[0].half_view, 95 * M_PI / 180, 1e-6);
    CHECK_NEAR(meshes.eyes[0].error, 0, 1e-5);
    CHECK_NEAR(meshes.eyes[1].centre_u, 0.48, 1e-6);
    CHECK_NEAR(meshes.eyes[1].half_view, 100 * M_PI / 180, 1e-6);
}

static struct vsm_video_info info_of(const struct mesh_box_options *options, int width, int height)
{
    struct vsm_video_info info = {
        .width = width,
        .height = height,
        .format = {.planes = VSM_PLANES_YUV, .depth = 8, .chroma_x = 1, .chroma_y = 1},
        .boxes = {.has_projection = true, .projection_name = "mshp"},
    };

    read_options(options, &info.boxes.meshes);
    return info;
}

static int detect(const struct vsm_video_info *info, bool swap, struct vsm_vr_layout *layout)
{
    return vsm_vr_layout_detect("a.mp4", info, VSM_LAYOUT_AUTO, VSM_PROJECTION_AUTO, swap, layout);
}

static void test_lenses(void)
{
    struct mesh_box_options options = {.count = 2, .eyes = {circle, circle}};
    struct vsm_video_info info;
    struct vsm_vr_layout layout;

    options.eyes[1].centre_u = 0.48;
    options.eyes[1].view = 200;
    info = info_of(&options, 2000, 1000);
    info.boxes.has_stereo = true;
    info.boxes.stereo = VSM_LAYOUT_SBS;
    CHECK_INT(detect(&info, false, &layout), VSM_OK);
    CHECK(layout.by_mesh);
    CHECK_INT(layout.projection, VSM_FISHEYE);
    CHECK_HAS(layout.projection_reason, "mesh");
    CHECK_NEAR(layout.lenses[VSM_LEFT].centre_x, 520, 1e-2);
    CHECK_NEAR(layout.lenses[VSM_RIGHT].centre_x, 480, 1e-2);
    CHECK_NEAR(layout.lenses[VSM_LEFT].centre_y, 490, 1e-2);
    CHECK_NEAR(layout.field_of_view, 190, 1e-3); /* as far as both see */
    CHECK_NEAR(layout.lenses[VSM_RIGHT].field_of_view, 190, 1e-3);
    CHECK_NEAR(layout.lenses[VSM_LEFT].radius, 470, 1e-2);
    CHECK_NEAR(layout.lenses[VSM_RIGHT].radius, 470 * 0.95, 1e-2);
    /* The mesh goes with its part of the picture. */
    CHECK_INT(detect(&info, true, &layout), VSM_OK);
    CHECK_INT(layout.eyes[VSM_LEFT].x, 1000);
    CHECK_NEAR(layout.lenses[VSM_LEFT].centre_x, 480, 1e-2);
    /* What the user says needs no mesh. */
    CHECK_INT(vsm_vr_layout_detect("a.mp4", &info, VSM_LAYOUT_AUTO, VSM_HALF_EQUIRECT, false, &layout),
              VSM_OK);
    CHECK(!layout.by_mesh && layout.projection == VSM_HALF_EQUIRECT);
}

/* st3d "custom": the meshes say where in the picture the eyes are. */
static void test_meshes_apart(void)
{
    struct mesh_box_options options = {.count = 2, .eyes = {whole, whole}};
    struct vsm_video_info info;
    struct vsm_vr_layout layout;

    options.eyes[0].half_v = options.eyes[1].half_v = 0.25;
    options.eyes[0].centre_v = 0.75;
    options.eyes[1].centre_v = 0.25;
    info = info_of(&options, 1000, 2000);
    CHECK_INT(detect(&info, false, &layout), VSM_OK);
    CHECK(layout.layout == VSM_LAYOUT_TB && layout.right_left && layout.projection == VSM_HALF_EQUIRECT);
    CHECK_INT(layout.eyes[VSM_LEFT].y, 1000);
    CHECK_HAS(layout.layout_reason, "mesh");

    options.eyes[0] = options.eyes[1] = circle;
    options.eyes[0].half_u = options.eyes[1].half_u = 0.23;
    options.eyes[0].half_v = options.eyes[1].half_v = 0.46;
    options.eyes[0].centre_u = 0.26;
    options.eyes[1].centre_u = 0.755;
    info = info_of(&options, 2000, 1000);
    CHECK_INT(detect(&info, false, &layout), VSM_OK);
    CHECK(layout.layout == VSM_LAYOUT_SBS && !layout.right_left && layout.projection == VSM_FISHEYE);
    CHECK_NEAR(layout.lenses[VSM_RIGHT].centre_x, 510, 1e-2);
    CHECK_NEAR(layout.lenses[VSM_RIGHT].radius, 460, 1e-2);
}

static void refused(struct mesh_box_options options, int width, const char *words)
{
    struct vsm_video_info info = info_of(&options, width, 1000);
    struct vsm_vr_layout layout;

    info.boxes.has_stereo = true;
    info.boxes.stereo = VSM_LAYOUT_SBS;
    CHECK_INT(detect(&info, false, &layout), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), words);
    CHECK_HAS(vsm_error_message(), "set input.projection to fisheye");
}

static void test_what_is_not_simple(void)
{
    struct mesh_box_options options = {.count = 1, .eyes = {circle}};

    options.eyes[0].bend = 0.002; /* 0.5 degrees at the rim */
    refused(options, 2000, "nearest to an equidistant fisheye of 190.0 degrees, but up to 0.");
    options.eyes[0].bend = 0;
    options.eyes[0].turn = 1;
    refused(options, 2000, "degrees off it (0.05 are allowed)");
    options.eyes[0].turn = 0;
    refused(options, 1900, "pixels are not square");
    options.eyes[0].centre_u = 1.2;
    refused(options, 2000, "not in its eye");
    options.eyes[0] = whole;
    options.eyes[0].view = 170;
    refused(options, 2000, "170.00 x 170.00 degrees");
    options.eyes[0].view = 180;
    options.eyes[0].cells = 6;
    refused(options, 2000, "too coarse to tell a projection: a triangle is ");
    options.eyes[0].cells = 24;
    options.eyes[0].half_u = -0.5;
    refused(options, 2000, "mirrored");
    options.eyes[0] = whole;
    options.eyes[0].kind = MESH_FLAT;
    options.eyes[0].view = 90;
    refused(options, 2000, "degrees off it");
    options = (struct mesh_box_options){.count = 2, .eyes = {whole, circle}};
    refused(options, 2000, "another projection for each eye");
    options.count = 3;
    refused(options, 2000, "more than two meshes");
    options.count = 0;
    refused(options, 2000, "no mesh");
    options = (struct mesh_box_options){.count = 1, .eyes = {whole}, .texture = 1};
    refused(options, 2000, "other pictures than the video");
}

/* 0.05 degrees is let pass, a little more is not. */
static void test_tolerance(void)
{
    struct mesh_box_options options = {.count = 1, .eyes = {circle}};
    struct vsm_vr_layout layout;

    for (int i = 0; i < 2; i++) {
        struct vsm_video_info info;

        options.eyes[0].bend = i == 0 ? 0.0001 : 0.0006;
        info = info_of(&options, 2000, 1000);
        info.boxes.has_stereo = true;
        info.boxes.stereo = VSM_LAYOUT_SBS;
        CHECK_INT(detect(&info, false, &layout), i == 0 ? VSM_OK : VSM_E_INPUT);
    }
}

static void test_damage(void)
{
    const struct mesh_box_options options = {.count = 1, .eyes = {whole}, .strips = true};
    struct vsm_bytes_out box = {0};
    struct vsm_vr_meshes meshes;

    mesh_box_write(&box, &options);
    box.data[12] ^= 1;
    CHECK_INT(read_box(&box, &meshes), VSM_OK);
    CHECK_HAS(meshes.fault, "wrong checksum");
    CHECK_INT(meshes.count, 0);
    /* Behind the checksum: huge counts, another encoding, cuts. */
    CHECK_INT(vsm_vr_mesh_parse(box.data + 16, box.size - 16, &meshes), VSM_OK);
    box.data[28] = 0xFF;
    CHECK_INT(vsm_vr_mesh_parse(box.data + 16, box.size - 16, &meshes), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "damaged in its coordinates");
    box.data[28] = 0;
    memcpy(box.data + 16, "gzip", 4);
    CHECK_INT(vsm_vr_mesh_parse(box.data + 16, box.size - 16, &meshes), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "unknown method");
    memcpy(box.data + 16, "dfl8", 4);
    CHECK_INT(vsm_vr_mesh_parse(box.data + 16, box.size - 16, &meshes), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "deflate");
    memcpy(box.data + 16, "raw ", 4);
    for (size_t cut = 0; cut < box.size - 16; cut += 97)
        CHECK_INT(vsm_vr_mesh_parse(box.data + 16, cut, &meshes), VSM_E_INPUT);
    vsm_bytes_out_finish(&box);
}

/* A few kilobytes that decode to more than is allowed. */
static void test_deflate_bomb(void)
{
    const size_t size = VSM_VR_MESH_MAX_BYTES + 1;
    uint8_t *zeros = calloc(size, 1), *packed = malloc(size);
    z_stream stream = {.next_in = zeros, .avail_in = (uInt)size};
    struct vsm_vr_meshes meshes;

    memcpy(packed, "dfl8", 4);
    stream.next_out = packed + 4;
    stream.avail_out = (uInt)size - 4;
    deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    deflate(&stream, Z_FINISH);
    CHECK_INT(vsm_vr_mesh_parse(packed, 4 + stream.total_out, &meshes), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "larger than 8388608 bytes");
    deflateEnd(&stream);
    free(zeros);
    free(packed);
}

int main(void)
{
    RUN(test_half_equirect);
    RUN(test_fisheye);
    RUN(test_lenses);
    RUN(test_meshes_apart);
    RUN(test_what_is_not_simple);
    RUN(test_tolerance);
    RUN(test_damage);
    RUN(test_deflate_bomb);
    return tap_done();
}
