#include "base/mem.h"
#include "config/naming.h"
#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

static const struct {
    const char *input;
    struct vsm_naming what;
    const char *output;
} outputs[] = {
    {"clip.mp4", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"}, "clip_LR_180_SBS.mp4"},
    {"/a.b/c d/clip.MOV",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "libx265"},
     "/a.b/c d/clip_LR_180_SBS.mp4"},
    {"clip.mkv",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .format = VSM_CONFIG_OUTPUT_MATTE, .codec = "auto"},
     "clip_matte_LR_180_SBS.mp4"},
    {"clip.mkv",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .format = VSM_CONFIG_OUTPUT_GREEN, .codec = "auto"},
     "clip_LR_180_SBS.mp4"},
    {"clip_TB_180.mkv",
     {VSM_LAYOUT_TB, VSM_HALF_EQUIRECT, true, VSM_CONFIG_OUTPUT_ALPHA_PACKED, "auto", 180},
     "clip_LR_180_FISHEYE_F180_alpha.mp4"},
    {"clip_LR_180_FISHEYE_F180_alpha.mp4",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, false, VSM_CONFIG_OUTPUT_ALPHA_PACKED, "auto", 200},
     "clip_LR_180_MKX200_alpha.mp4"},
    {"clip.mp4",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .format = VSM_CONFIG_OUTPUT_PRORES4444, .codec = "prores_ks"},
     "clip_rgba_LR_180_SBS.mov"},
    {"clip.mp4",
     {VSM_LAYOUT_MONO, VSM_RECTILINEAR, .format = VSM_CONFIG_OUTPUT_FFV1_ALPHA, .codec = "ffv1"},
     "clip_rgba.mkv"},
    {"clip.mp4",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .format = VSM_CONFIG_OUTPUT_VP9_ALPHA, .codec = "libvpx-vp9"},
     "clip_rgba_LR_180_SBS.webm"},
    {"clip.mp4",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .format = VSM_CONFIG_OUTPUT_PNG, .codec = "png"},
     "clip_rgba_LR_180_SBS_png"},
    {"clip_TB_180.mp4",
     {VSM_LAYOUT_TB, VSM_HALF_EQUIRECT, true, VSM_CONFIG_OUTPUT_GREEN, "auto", 190},
     "clip_LR_180_FISHEYE190_SBS.mp4"},
    {"clip.mp4", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, true, .codec = "auto"}, "clip_RL_180_SBS.mp4"},
    {"clip.mp4", {VSM_LAYOUT_TB, VSM_HALF_EQUIRECT, .codec = "auto"}, "clip_TB_180.mp4"},
    {"clip.mp4", {VSM_LAYOUT_MONO, VSM_HALF_EQUIRECT, .codec = "auto"}, "clip_180.mp4"},
    {"clip.mp4", {VSM_LAYOUT_SBS, VSM_RECTILINEAR, .codec = "auto"}, "clip_LR_SBS.mp4"},
    {"clip.mov", {VSM_LAYOUT_MONO, VSM_RECTILINEAR, .codec = "auto"}, "clip_green.mp4"},
    {"clip.mp4", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "prores_ks"}, "clip_LR_180_SBS.mov"},
    {"clip.mp4", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "ffv1"}, "clip_LR_180_SBS.mkv"},
    {"clip.mp4", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "libvpx-vp9"}, "clip_LR_180_SBS.webm"},
    /* Markers of the input, wherever they are and however they are written. */
    {"clip_180_lr.mp4", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"}, "clip_LR_180_SBS.mp4"},
    {"clip-180x180-3DH_8K.mp4",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"},
     "clip_8K_LR_180_SBS.mp4"},
    {"LR_180_clip.mp4", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"}, "clip_LR_180_SBS.mp4"},
    {"my clip.part 2 TB.mp4",
     {VSM_LAYOUT_TB, VSM_HALF_EQUIRECT, .codec = "auto"},
     "my clip.part 2_TB_180.mp4"},
    {"x/clip_MKX200_alpha.mp4",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"},
     "x/clip_LR_180_SBS.mp4"},
    {"clip_TBC_1180_SBSX.mp4",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"},
     "clip_TBC_1180_SBSX_LR_180_SBS.mp4"},
    {"a__b_.mp4", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"}, "a__b__LR_180_SBS.mp4"},
    {"VR180.mp4", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"}, "video_LR_180_SBS.mp4"},
    {"clip", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"}, "clip_LR_180_SBS.mp4"},
    {".clip", {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"}, ".clip_LR_180_SBS.mp4"},
    /* Never the input itself. */
    {"clip_LR_180_SBS.mp4",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"},
     "clip_green_LR_180_SBS.mp4"},
    {"clip_green_LR_180_SBS.mp4",
     {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"},
     "clip_green_green_LR_180_SBS.mp4"},
    {"clip_green.mp4", {VSM_LAYOUT_MONO, VSM_RECTILINEAR, .codec = "auto"}, "clip_green_green.mp4"},
};

static void test_output_names(void)
{
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        char *path;

        CHECK_INT(vsm_naming_output(outputs[i].input, &outputs[i].what, &path), VSM_OK);
        CHECK_STR(path, outputs[i].output);
        CHECK(strcmp(path, outputs[i].input) != 0);
        vsm_mem_free(path);
    }
}

static void test_matte_names(void)
{
    static const char *const names[][2] = {
        {"clip_LR_180_SBS.mp4", "clip_matte_LR_180_SBS.mp4"},
        {"a/b_c_TB_180.mov", "a/b_c_matte_TB_180.mov"},
        {"out.mp4", "out_matte.mp4"},
        {"180_days.mp4", "180_days_matte.mp4"},
        {"a.b/out", "a.b/out_matte"},
        {"LR_180.mp4", "matte_LR_180.mp4"},
        {"SBS.mp4", "matte_SBS.mp4"},
        {"clip-180-lr.mp4", "clip_matte-180-lr.mp4"},
        {"clip_.mp4", "clip__matte.mp4"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path;

        CHECK_INT(vsm_naming_matte(names[i][0], &path), VSM_OK);
        CHECK_STR(path, names[i][1]);
        vsm_mem_free(path);
    }
}

static void test_long_names(void)
{
    struct vsm_naming what = {VSM_LAYOUT_SBS, VSM_HALF_EQUIRECT, .codec = "auto"};
    char input[300], *path;

    memset(input, 'a', sizeof(input));
    strcpy(input + 240, ".mp4");
    CHECK_INT(vsm_naming_output(input, &what, &path), VSM_OK);
    CHECK_INT(strlen(path), 255);
    CHECK_INT(vsm_naming_matte(path, &path), VSM_E_USAGE);
    vsm_mem_free(path);
    strcpy(input + 241, ".mp4");
    input[240] = 'a';
    CHECK_INT(vsm_naming_output(input, &what, &path), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "--output");
}

static void test_output_is_not_the_input(void)
{
    char folder[] = "/tmp/vsm-naming-XXXXXX", input[64], other[64], link_path[64], dotted[64];
    FILE *f;

    CHECK(mkdtemp(folder) != NULL);
    snprintf(input, sizeof(input), "%s/in.mp4", folder);
    snprintf(other, sizeof(other), "%s/out.mp4", folder);
    snprintf(link_path, sizeof(link_path), "%s/link.mp4", folder);
    snprintf(dotted, sizeof(dotted), "%s/./in.mp4", folder);
    f = fopen(input, "w");
    CHECK(f && fclose(f) == 0);
    CHECK_INT(symlink("in.mp4", link_path), 0);
    CHECK_INT(vsm_naming_check(input, other), VSM_OK);
    CHECK_INT(vsm_naming_check(input, input), VSM_E_USAGE);
    CHECK_INT(vsm_naming_check(input, dotted), VSM_E_USAGE);
    CHECK_INT(vsm_naming_check(input, link_path), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "is the input itself");
    CHECK_INT(vsm_naming_check("missing.mp4", "missing.mp4"), VSM_E_USAGE);
    f = fopen(other, "w");
    CHECK(f && fclose(f) == 0);
    CHECK_INT(vsm_naming_check(input, other), VSM_OK);
    unlink(input);
    unlink(other);
    unlink(link_path);
    CHECK_INT(rmdir(folder), 0);
}

int main(void)
{
    RUN(test_output_names);
    RUN(test_matte_names);
    RUN(test_long_names);
    RUN(test_output_is_not_the_input);
    return tap_done();
}
