#include "media/vr_layout.h"

#include "tap.h"

#include <stdio.h>

static const char *const layouts[] = {"mono", "sbs", "tb"};
static const char *const projections[] = {"hequ", "fish", "rect"};

static const struct {
    const char *path;
    int width, height;
    const char *wanted; /* layout, projection, r if the right eye comes first */
    double field_of_view;
} named[] = {
    {"clip.mp4", 3840, 1920, "sbs hequ", 180},
    {"clip.mp4", 1920, 3840, "tb hequ", 180},
    {"clip.mp4", 2048, 2048, "mono hequ", 180},
    {"clip.mp4", 1920, 1080, "mono rect", 65},
    {"clip.mp4", 3840, 1080, "sbs rect", 65},
    {"/a_TB_360/clip_LR_180.mp4", 3840, 1920, "sbs hequ", 180},
    {"clip_lr_180_sbs.mp4", 4096, 2048, "sbs hequ", 180},
    {"clip_RL_180.mp4", 4096, 2048, "sbs hequ r", 180},
    {"clip_180x180_3dh.mkv", 4096, 2048, "sbs hequ", 180},
    {"clip-VR180-3DV.mkv", 2048, 4096, "tb hequ", 180},
    {"clip_BT_180.mp4", 2048, 4096, "tb hequ r", 180},
    {"clip_OU.mp4", 1920, 2160, "tb rect", 65},
    {"clip_180.mp4", 3840, 2160, "sbs hequ", 180},
    {"clip_180.mp4", 2160, 3840, "tb hequ", 180},
    {"clip_180.mp4", 2000, 2200, "mono hequ", 180},
    {"clip_HSBS_180.mp4", 3840, 2160, "sbs hequ", 180},
    {"clip_HSBS.mp4", 2048, 2048, "sbs hequ", 180},
    {"clip_LR_180_FISHEYE_F180_x.mp4", 4096, 2048, "sbs fish", 180},
    {"clip_8K_FISHEYE190_alpha.mp4", 8192, 4096, "sbs fish", 190},
    {"clip_180_RF52.mp4", 8192, 4096, "sbs fish", 190},
    {"clip_FISHEYE_MKX200_alpha.mp4", 8192, 4096, "sbs fish", 200},
    {"clip_mkx22.mp4", 8192, 4096, "sbs fish", 220},
    {"clip_VRCA220.mp4", 8192, 4096, "sbs fish", 220},
    {"clip_180F.mp4", 8192, 4096, "sbs fish", 180},
    {"clip_fisheye170.mp4", 8192, 4096, "sbs fish", 170},
    {"clip_fisheye9.mp4", 8192, 4096, "sbs hequ", 180},
    {"chat ou chien.mp4", 1920, 1080, "mono rect", 65},
    {"holiday (TB).mp4", 1920, 2160, "tb rect", 65},
    {"SBSX.mp4", 1920, 1080, "mono rect", 65},
    {".LR", 1920, 1080, "sbs rect", 65},
    {"a_LR", 1920, 1080, "sbs rect", 65},
};

static struct vsm_video_info info_of(int width, int height)
{
    return (struct vsm_video_info){
        .width = width,
        .height = height,
        .format = {.planes = VSM_PLANES_YUV, .depth = 8, .chroma_x = 1, .chroma_y = 1},
    };
}

static void test_names_and_shapes(void)
{
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        struct vsm_video_info info = info_of(named[i].width, named[i].height);
        struct vsm_vr_layout found;
        char text[64];

        CHECK_INT(vsm_vr_layout_detect(named[i].path, &info, VSM_LAYOUT_AUTO, VSM_PROJECTION_AUTO, false,
                                       &found),
                  VSM_OK);
        snprintf(text, sizeof(text), "%s %s%s", layouts[found.layout], projections[found.projection],
                 found.right_left ? " r" : "");
        if (strcmp(text, named[i].wanted) != 0 || found.field_of_view != named[i].field_of_view)
            printf("# %s, %dx%d\n", named[i].path, named[i].width, named[i].height);
        CHECK_STR(text, named[i].wanted);
        CHECK_NEAR(found.field_of_view, named[i].field_of_view, 0);
        CHECK(found.layout_reason[0] && found.projection_reason[0]);
    }
}

static int detect(const char *path, const struct vsm_video_info *info, struct vsm_vr_layout *found)
{
    return vsm_vr_layout_detect(path, info, VSM_LAYOUT_AUTO, VSM_PROJECTION_AUTO, false, found);
}

static void test_order_of_evidence(void)
{
    struct vsm_video_info info = info_of(4096, 2048);
    struct vsm_vr_layout found;

    CHECK_INT(detect("clip.mp4", &info, &found), VSM_OK);
    CHECK_STR(found.layout_reason, "aspect ratio 2:1");
    CHECK_INT(detect("clip_TB_180.mp4", &info, &found), VSM_OK);
    CHECK_STR(found.layout_reason, "file name has TB");
    CHECK_STR(found.projection_reason, "file name has 180");
    info.boxes = (struct vsm_vr_boxes){.has_stereo = true, .stereo = VSM_LAYOUT_SBS, .right_left = true};
    CHECK_INT(detect("clip_TB_180.mp4", &info, &found), VSM_OK);
    CHECK_STR(found.layout_reason, "stereo box says right-left");
    CHECK_INT(found.eyes[VSM_LEFT].x, 2048);
    CHECK_INT(found.eyes[VSM_RIGHT].x, 0);
    CHECK_INT(vsm_vr_layout_detect("clip_TB.mp4", &info, VSM_LAYOUT_SBS, VSM_FISHEYE, true, &found), VSM_OK);
    CHECK_STR(found.layout_reason, "set by the user");
    CHECK_STR(found.projection_reason, "set by the user");
    CHECK(!found.right_left);
    CHECK_INT(found.eyes[VSM_LEFT].x, 0);
    CHECK_INT(found.eyes[VSM_RIGHT].width, 2048);
    CHECK_INT(vsm_vr_layout_detect("clip_TB.mp4", &info, VSM_LAYOUT_MONO, VSM_PROJECTION_AUTO, true, &found),
              VSM_OK);
    CHECK_INT(found.eye_count, 1);
    CHECK_INT(found.eyes[VSM_LEFT].width, 4096);
}

static void test_boxes_of_projections(void)
{
    struct vsm_video_info info = info_of(4096, 2048);
    struct vsm_vr_layout found;

    info.boxes = (struct vsm_vr_boxes){.has_projection = true,
                                       .equirect = true,
                                       .bound_left = 0x3FFFFFFF,
                                       .bound_right = 0x3FFFFFFF,
                                       .projection_name = "equi"};
    CHECK_INT(detect("clip_FISHEYE190.mp4", &info, &found), VSM_OK);
    CHECK_INT(found.projection, VSM_HALF_EQUIRECT);
    info.boxes.bound_left = 0;
    CHECK_INT(detect("clip.mp4", &info, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "270 x 180 degrees");
    info.boxes.bound_right = 0;
    CHECK_INT(detect("clip_180.mp4", &info, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "set input.projection");
    CHECK_INT(vsm_vr_layout_detect("clip.mp4", &info, VSM_LAYOUT_AUTO, VSM_HALF_EQUIRECT, false, &found),
              VSM_OK);
    info.boxes.equirect = false;
    strcpy(info.boxes.projection_name, "mshp");
    CHECK_INT(detect("clip_180.mp4", &info, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "mesh");
    strcpy(info.boxes.projection_name, "cbmp");
    CHECK_INT(detect("clip_180.mp4", &info, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "'cbmp'");
    strcpy(info.boxes.projection_name, "fish");
    CHECK_INT(detect("clip_FISHEYE190.mp4", &info, &found), VSM_OK);
    CHECK_NEAR(found.field_of_view, 190, 0);
}

static void test_impossible_claims(void)
{
    struct vsm_video_info info = info_of(4096, 2048);
    struct vsm_vr_layout found;

    CHECK_INT(detect("clip_360_TB.mp4", &info, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "clip_360_TB.mp4: its name has 360");
    CHECK_INT(detect("clip_EAC360.mp4", &info, &found), VSM_E_INPUT);
    CHECK_INT(detect("clip_HSBS_FISHEYE190.mp4", &info, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "squeezed");
    info.rotation = 90;
    CHECK_INT(detect("clip.mp4", &info, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "90 degrees");
    info = info_of(1922, 961);
    CHECK_INT(detect("clip.mp4", &info, &found), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "width must divide by 4");
    info.format.chroma_x = 0;
    CHECK_INT(detect("clip.mp4", &info, &found), VSM_OK);
    CHECK_INT(found.eyes[VSM_RIGHT].x, 961);
    CHECK_INT(vsm_vr_layout_detect("a", &info, VSM_LAYOUT_TB, VSM_PROJECTION_AUTO, false, &found),
              VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "height must divide by 4");
    info = info_of(1000, 2000);
    CHECK_INT(detect("a_BT.mp4", &info, &found), VSM_OK);
    CHECK_INT(found.eyes[VSM_LEFT].y, 1000);
    CHECK_INT(found.eyes[VSM_LEFT].height, 1000);
}

int main(void)
{
    RUN(test_names_and_shapes);
    RUN(test_order_of_evidence);
    RUN(test_boxes_of_projections);
    RUN(test_impossible_claims);
    return tap_done();
}
