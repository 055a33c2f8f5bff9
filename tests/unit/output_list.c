#include "config/output_list.h"

#include "tap.h"

static struct vsm_config config;
static struct vsm_output_list list;

static void set(const char *key, const char *value)
{
    CHECK_INT(vsm_options_set(&config, vsm_options_find(key), value, NULL), VSM_OK);
}

static void begin(void)
{
    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
}

static void end(void)
{
    vsm_output_list_finish(&list);
    vsm_options_finish(&config);
}

static void test_set_is_a_list(void)
{
    begin();
    set("output.format", "matte+png");
    set("output.crf", "20");
    CHECK_INT(vsm_output_list_parse(&config, &list), VSM_OK);
    CHECK_INT(list.count, 2);
    CHECK_INT(list.items[0].format, VSM_CONFIG_OUTPUT_MATTE);
    CHECK_INT(list.items[1].format, VSM_CONFIG_OUTPUT_PNG);
    CHECK_NEAR(list.items[1].settings.output.crf, 20, 0);
    CHECK(!vsm_output_list_gives(&list.items[1], "output.crf"));
    end();
}

static void test_items_beat_the_section(void)
{
    begin();
    set("output.path", "first.mp4");
    set("output.preset", "slow");
    set("output.list", "alpha_packed, fisheye_fov=190 ;green,crf=28, resize=0.5,path=a b.mp4; green");
    CHECK_INT(vsm_output_list_parse(&config, &list), VSM_OK);
    CHECK_INT(list.count, 3);
    CHECK_INT(list.items[0].settings.output.fisheye_fov, VSM_CONFIG_FISHEYE_190);
    CHECK_STR(list.items[0].settings.output.path, "first.mp4");
    CHECK_STR(list.items[1].settings.output.path, "a b.mp4");
    CHECK(!list.items[2].settings.output.path);
    CHECK_NEAR(list.items[1].settings.output.crf, 28, 0);
    CHECK_NEAR(list.items[1].settings.output.resize, 0.5, 0);
    CHECK(vsm_output_list_gives(&list.items[1], "output.crf"));
    CHECK_NEAR(list.items[2].settings.output.crf, VSM_CONFIG_AUTO, 0);
    CHECK_STR(list.items[2].settings.output.preset, "slow");
    end();
}

static void check_wrong(const char *text, const char *word)
{
    begin();
    CHECK_INT(vsm_options_set(&config, vsm_options_find("output.list"), text, NULL), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), word);
    end();
}

static void test_wrong_lists(void)
{
    check_wrong("green; blue", "output 2");
    check_wrong("green+matte", "more than one");
    check_wrong("green, crf", "KEY=VALUE");
    check_wrong("green, crf=99", "0 to 63");
    check_wrong("green, format=matte", "unknown key");
    check_wrong("green, threads=3", "unknown key");
    check_wrong("green, crf=1, crf=2", "twice");
    check_wrong("green, crf=1, bitrate=2M", "exclude");
    check_wrong("green;", "output 2");
    check_wrong("png;png;png;png;png;png;png;png;png", "9");
}

static void test_list_is_in_the_hash(void)
{
    struct vsm_sha256 plain, listed;

    begin();
    CHECK_INT(vsm_options_hash(&config, &plain), VSM_OK);
    set("output.list", "green, crf=3");
    CHECK_INT(vsm_options_hash(&config, &listed), VSM_OK);
    CHECK(memcmp(&plain, &listed, sizeof(plain)) != 0);
    end();
}

int main(void)
{
    RUN(test_set_is_a_list);
    RUN(test_items_beat_the_section);
    RUN(test_wrong_lists);
    RUN(test_list_is_in_the_hash);
    return tap_done();
}
