#include "base/mem.h"
#include "config/circles.h"
#include "config/options.h"
#include "config/spelling.h"
#include "tap.h"

#include <stdlib.h>

static const struct vsm_options_origin here = {"job.yaml", 3, 7};

static void test_table_is_sound(void)
{
    for (int i = 0; i < vsm_options_count; i++) {
        const struct vsm_option *option = &vsm_options_table[i];

        CHECK(vsm_options_find(option->key) == option); /* also: no key twice */
        CHECK(strchr(option->key, '.') != NULL);
        CHECK(option->help[strlen(option->help) - 1] == '.');
        CHECK(!option->today == !option->needs);
        CHECK(!option->flag == !option->metavar);
        for (int j = 0; j < i; j++)
            CHECK(vsm_options_table[j].offset != option->offset);
        /* Sections are not torn apart: a section that ended does not come again. */
        for (int j = 0; j + 1 < i; j++) {
            size_t length = strcspn(option->key, ".") + 1;
            bool same_j = strncmp(vsm_options_table[j].key, option->key, length) == 0;
            bool same_next = strncmp(vsm_options_table[j + 1].key, option->key, length) == 0;

            CHECK(!same_j || same_next);
        }
    }
    CHECK(!vsm_options_find("output"));
    CHECK(!vsm_options_find(""));
}

static void test_defaults(void)
{
    struct vsm_config config;

    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    CHECK(config.streaming.mode);
    CHECK_INT(config.streaming.buffer_frames, 10);
    CHECK(!config.input.path);
    CHECK_INT(config.input.layout, VSM_CONFIG_LAYOUT_AUTO);
    CHECK_INT(config.output.format, VSM_CONFIG_OUTPUT_GREEN);
    CHECK_STR(config.output.codec, "auto");
    CHECK(config.output.crf == VSM_CONFIG_AUTO);
    CHECK(!config.output.preset);
    CHECK_INT(config.output.key_color, 0x00B140);
    CHECK(config.processing.scale_factor == VSM_CONFIG_AUTO);
    CHECK_NEAR(config.processing.target_gpu_usage, 0.7, 0);
    CHECK_INT(config.stereo.mode, VSM_CONFIG_STEREO_MASTER_SLAVE);
    CHECK_NEAR(config.stereo.baseline, 63.5, 0);
    CHECK_INT(config.recovery.checkpoint_interval, 300);
    CHECK_INT(vsm_options_check(&config, NULL), VSM_OK);
    vsm_options_finish(&config);
    vsm_options_finish(&config);
}

static const struct {
    const char *key, *text, *canonical;
} good[] = {
    {"streaming.mode", "Yes", "true"},
    {"input.swap_eyes", "AUTO", "auto"},
    {"stereo.disparity_correction", "off", "false"},
    {"streaming.buffer_frames", "1", "1"},
    {"streaming.buffer_frames", "256", "256"},
    {"input.start_frame", "1000000000000", "1000000000000"},
    {"input.layout", "TB", "tb"},
    {"output.format", "green+matte", "green+matte"},
    {"output.format", "alpha_packed", "alpha_packed"},
    {"output.format", "Alpha_packed+matte+matte+green", "green+matte+alpha_packed"},
    {"output.crf", "0", "0"},
    {"output.crf", "-0", "0"},
    {"output.crf", "63", "63"},
    {"output.crf", "18.5", "18.5"},
    {"output.crf", "Auto", "auto"},
    {"output.bitrate", "40M", "40000000"},
    {"output.bitrate", "2.5k", "2500"},
    {"output.bitrate", "10G", "10000000000"},
    {"output.bitrate", "123456", "123456"},
    {"output.key_color", "#00b140", "#00B140"},
    {"output.key_color", "78FF99", "#78FF99"},
    {"output.key_color", "0xFFFFFF", "#FFFFFF"},
    {"output.preset", "veryslow", "veryslow"},
    {"output.preset", "", ""},
    {"processing.scale_factor", "1", "1"},
    {"processing.scale_factor", "1e-3", "0.001"},
    {"processing.scale_factor", "0.1", "0.1"},
    {"processing.scale_factor", "0.30000000000000004", "0.30000000000000004"},
    {"matting.people", "largest", "largest"},
    {"matting.people", "right:0,0,.5,1;800,600px", "right:0,0,.5,1;800,600px"},
    {"input.path", "a b\n#\xFF.mp4", "a b\n#\xFF.mp4"},
};

static char *text_of(const struct vsm_config *config, const struct vsm_option *option)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    vsm_options_print(out, config, option);
    fclose(out);
    return text;
}

static void test_good_values(void)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const struct vsm_option *option = vsm_options_find(good[i].key);
        struct vsm_config config, again;
        char *text;

        CHECK_INT(vsm_options_defaults(&config), VSM_OK);
        CHECK_INT(vsm_options_defaults(&again), VSM_OK);
        CHECK_INT(vsm_options_set(&config, option, good[i].text, &here), VSM_OK);
        text = text_of(&config, option);
        CHECK_STR(text, good[i].canonical);
        CHECK_INT(vsm_options_set(&again, option, text, &here), VSM_OK);
        CHECK(vsm_options_equal(option, &config, &again));
        free(text);
        vsm_options_finish(&config);
        vsm_options_finish(&again);
    }
}

static const struct {
    const char *key, *text, *message;
} bad[] = {
    {"streaming.mode", "maybe", "job.yaml:3:7: streaming.mode: \"maybe\" is neither true nor false"},
    {"streaming.mode", "1", "neither true nor false"},
    {"output.format", "green+mat", "\"green+mat\" has a name that is not known; use green, matte"},
    {"output.format", "", "not known"},
    {"output.format", "green+", "not known"},
    {"streaming.buffer_frames", "0", "out of range; use 1 to 256"},
    {"matting.people", "somebody", "job.yaml:3:7: matting.people: \"somebody\" is neither all"},
    {"matting.people", "", "is empty"},
    {"streaming.buffer_frames", "257", "out of range"},
    {"streaming.buffer_frames", "99999999999999999999", "out of range"},
    {"streaming.buffer_frames", "-99999999999999999999", "out of range"},
    {"streaming.buffer_frames", "10.0", "not a whole number"},
    {"streaming.buffer_frames", "", "not a whole number"},
    {"streaming.buffer_frames", "-", "not a whole number"},
    {"streaming.buffer_frames", " 5", "not a whole number"},
    {"streaming.buffer_frames", "0x10", "not a whole number"},
    {"input.start_frame", "-1", "out of range"},
    {"input.max_frames", "1000000000001", "out of range"},
    {"input.layout", "lr", "use auto, sbs, tb or mono"},
    {"matting.model", "sam3", "use rvm, sam2 or sam2+rvm"},
    {"matting.prompts", "0 left 1 circle", "prompt 1: \"circle\" is no prompt"},
    {"output.crf", "63.01", "use 0 to 63, or auto"},
    {"output.crf", "-1", "out of range"},
    {"output.crf", "nan", "not a number"},
    {"output.crf", "inf", "not a number"},
    {"output.crf", "0x10", "not a number"},
    {"output.crf", "1e999", "out of range"},
    {"output.crf", "18 ", "not a number"},
    {"output.crf", "1-2", "not a number"},
    {"output.bitrate", "40MB", "not a number"},
    {"output.bitrate", "M", "not a number"},
    {"output.bitrate", "-1", "not a number"},
    {"output.bitrate", "11G", "out of range"},
    {"output.bitrate", "1.2.3", "not a number"},
    {"output.codec", "", "is empty"},
    {"output.codec", "libx264 -y", "not a name"},
    {"output.codec", "../x", "not a name"},
    {"output.key_color", "green", "not a colour"},
    {"output.key_color", "#00B14", "not a colour"},
    {"output.key_color", "#00B1400", "not a colour"},
    {"output.key_color", "0x-1FFFF", "not a colour"},
    {"processing.scale_factor", "0", "above 0, up to 1, or auto"},
    {"processing.scale_factor", "-0.5", "out of range"},
    {"processing.scale_factor", "1.0000001", "out of range"},
    {"matting.despill", "auto", "not a number"},
    {"output.preset", "a\x1b[31m\x7f", "\"a?[31m?\""},
};

static void test_bad_values_change_nothing(void)
{
    struct vsm_config config, untouched;

    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    CHECK_INT(vsm_options_defaults(&untouched), VSM_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct vsm_option *option = vsm_options_find(bad[i].key);

        CHECK_INT(vsm_options_set(&config, option, bad[i].text, &here), VSM_E_USAGE);
        CHECK_HAS(vsm_error_message(), bad[i].message);
        CHECK(vsm_options_equal(option, &config, &untouched));
    }
    vsm_options_finish(&config);
    vsm_options_finish(&untouched);
}

static void test_long_texts(void)
{
    char text[5000];
    struct vsm_config config;

    memset(text, 'a', sizeof(text));
    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    text[4096] = 0;
    CHECK_INT(vsm_options_set(&config, vsm_options_find("input.path"), text, NULL), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "too long");
    text[4095] = 0;
    CHECK_INT(vsm_options_set(&config, vsm_options_find("input.path"), text, NULL), VSM_OK);
    text[65] = 0;
    CHECK_INT(vsm_options_set(&config, vsm_options_find("output.preset"), text, NULL), VSM_E_USAGE);
    text[64] = 0;
    CHECK_INT(vsm_options_set(&config, vsm_options_find("output.preset"), text, NULL), VSM_OK);
    vsm_options_finish(&config);
}

static void set(struct vsm_config *config, const char *key, const char *text)
{
    CHECK_INT(vsm_options_set(config, vsm_options_find(key), text, NULL), VSM_OK);
}

static void test_unavailable_settings(void)
{
    static const char *const wishes[][2] = {
        {"streaming.mode", "false"},
    };
    struct vsm_options_origin origins[VSM_OPTIONS_MAX] = {0};
    struct vsm_config config;

    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
        CHECK_INT(vsm_options_defaults(&config), VSM_OK);
        set(&config, wishes[i][0], wishes[i][1]);
        CHECK_INT(vsm_options_check(&config, NULL), VSM_E_USAGE);
        CHECK_HAS(vsm_error_message(), wishes[i][0]);
        CHECK_HAS(vsm_error_message(), "this build does not have");
        vsm_options_finish(&config);
    }
    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    set(&config, "input.projection", "rectilinear");
    set(&config, "processing.device", "cuda"); /* whether a device is there is the plan's to say */
    set(&config, "matting.memory_offload", "true");
    CHECK_INT(vsm_options_check(&config, NULL), VSM_OK);

    /* All of them at once, each with its place. */
    set(&config, "streaming.mode", "false");
    origins[vsm_options_find("streaming.mode") - vsm_options_table] = here;
    CHECK_INT(vsm_options_check(&config, origins), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "job.yaml:3:7: streaming.mode: false is not possible");
    CHECK_HAS(vsm_error_message(), "set it to true");
    vsm_options_finish(&config);
}

static void test_circles(void)
{
    static const char *const wrong[] = {"1,2",   "1,2,3,4",   "1,2,3;", "1,2,0",
                                        "a,2,3", "1,2,3;4,5", "1,-2,3", "1,2,99999"};
    struct vsm_config config;
    double circles[2][3];

    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK_INT(vsm_options_set(&config, vsm_options_find("input.circles"), wrong[i], NULL), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "X,Y,RADIUS");
    CHECK(!config.input.circles);
    set(&config, "input.circles", "10,20,30.5;11,21,31");
    CHECK_INT(vsm_circles_parse(config.input.circles, circles), VSM_OK);
    CHECK_NEAR(circles[0][2], 30.5, 0);
    CHECK_NEAR(circles[1][0], 11, 0);
    set(&config, "input.circles", "10,20,30");
    CHECK_INT(vsm_circles_parse(config.input.circles, circles), VSM_OK);
    CHECK_NEAR(circles[1][1], 20, 0);
    vsm_options_finish(&config);
}

static void test_contradictions(void)
{
    struct vsm_config config;

    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    set(&config, "output.bitrate", "40M");
    CHECK_INT(vsm_options_check(&config, NULL), VSM_OK);
    set(&config, "output.crf", "20");
    CHECK_INT(vsm_options_check(&config, NULL), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "output.crf and output.bitrate");
    set(&config, "output.bitrate", "0");
    set(&config, "logging.progress_file", "p.json");
    CHECK_INT(vsm_options_check(&config, NULL), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "logging.progress");
    set(&config, "logging.progress", "json");
    CHECK_INT(vsm_options_check(&config, NULL), VSM_OK);
    vsm_options_finish(&config);
}

static bool hash_differs(const char *key, const char *text)
{
    struct vsm_sha256 a, b;
    struct vsm_config config;

    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    CHECK_INT(vsm_options_hash(&config, &a), VSM_OK);
    set(&config, key, text);
    CHECK_INT(vsm_options_hash(&config, &b), VSM_OK);
    vsm_options_finish(&config);
    return memcmp(&a, &b, sizeof(a)) != 0;
}

static void test_settings_hash(void)
{
    struct vsm_config config;
    char *text;

    CHECK(hash_differs("output.crf", "20"));
    CHECK(hash_differs("output.key_color", "00B141"));
    CHECK(hash_differs("input.start_frame", "1"));
    CHECK(hash_differs("processing.scale_factor", "0.5"));
    CHECK(!hash_differs("output.key_color", "0x00b140"));
    CHECK(!hash_differs("output.path", "elsewhere.mp4"));
    CHECK(!hash_differs("processing.threads", "3"));
    CHECK(!hash_differs("logging.level", "debug"));
    CHECK(!hash_differs("models.dir", "/m"));
    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    CHECK_INT(vsm_options_canonical(&config, &text), VSM_OK);
    CHECK_HAS(text, "\noutput.crf=auto\n");
    CHECK(!strstr(text, "logging"));
    vsm_mem_free(text);
    vsm_options_finish(&config);
}

static void test_spelling(void)
{
    CHECK_INT(vsm_spelling_distance("", "abc"), 3);
    CHECK_INT(vsm_spelling_distance("kitten", "sitting"), 3);
    CHECK_INT(vsm_spelling_distance("crf", "cfr"), 1);
    CHECK_INT(vsm_spelling_distance("same", "same"), 0);
    CHECK_STR(vsm_options_suggest("output.crff"), "output.crf");
    CHECK_STR(vsm_options_suggest("ouput.crf"), "output.crf");
    CHECK_STR(vsm_options_suggest("processing.crf"), "output.crf");
    CHECK_STR(vsm_options_suggest("crf"), "output.crf");
    CHECK_STR(vsm_options_suggest("processing.scale"), "processing.scale_factor");
    CHECK_STR(vsm_options_suggest("input.pth"), "input.path");
    CHECK_STR(vsm_options_suggest("recovery.checkpoint_intervall"), "recovery.checkpoint_interval");
    CHECK(!vsm_options_suggest("wholly.different"));
}

int main(void)
{
    RUN(test_table_is_sound);
    RUN(test_defaults);
    RUN(test_good_values);
    RUN(test_bad_values_change_nothing);
    RUN(test_long_texts);
    RUN(test_unavailable_settings);
    RUN(test_circles);
    RUN(test_contradictions);
    RUN(test_settings_hash);
    RUN(test_spelling);
    return tap_done();
}
