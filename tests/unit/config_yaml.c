#include "config/yaml.h"
#include "config/yaml_template.h"
#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

static int parse(const char *text, size_t size, struct vsm_config *config)
{
    struct vsm_options_origin origins[VSM_OPTIONS_MAX] = {0};
    int status;

    if (vsm_options_defaults(config) != VSM_OK)
        return VSM_E_NOMEM;
    status = vsm_yaml_parse("f", text, size, config, origins);
    if (status != VSM_OK)
        vsm_options_finish(config);
    return status;
}

static char *template_of(const struct vsm_config *config)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    CHECK_INT(vsm_yaml_template_print(out, config), VSM_OK);
    fclose(out);
    return text;
}

/* Any settings -> file -> the same settings. */
static void check_round_trip(const struct vsm_config *config)
{
    char *text = template_of(config);
    struct vsm_config again;
    int status = parse(text, strlen(text), &again);

    CHECK_INT(status, VSM_OK);
    if (status == VSM_OK) {
        for (int i = 0; i < vsm_options_count; i++) {
            if (!vsm_options_equal(&vsm_options_table[i], config, &again))
                tap_fail_check(__FILE__, __LINE__, "%s does not survive", vsm_options_table[i].key);
        }
        vsm_options_finish(&again);
    } else {
        printf("# %s\n", vsm_error_message());
    }
    free(text);
}

static void test_defaults_round_trip(void)
{
    struct vsm_config config;
    char *text;

    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    check_round_trip(&config);
    text = template_of(&config);
    for (int i = 0; i < vsm_options_count; i++)
        CHECK_HAS(text, strchr(vsm_options_table[i].key, '.') + 1);
    CHECK_HAS(text, "unit: mm");
    CHECK_HAS(text, "default: #00B140");
    free(text);
    vsm_options_finish(&config);
}

/* Every option away from its default. */
static void test_other_values_round_trip(void)
{
    static const char *const numbers[] = {"0.8125", "2", "7", "0.3", "64", "true", "false", NULL};
    static const char *const paths[] = {"~",
                                        "null",
                                        " a ",
                                        "x: y # z",
                                        "\"q\" \\ 'r'",
                                        "a\tb\nc\x7f",
                                        "\xC2\x85\xEF\xBB\xBF\xEF\xBF\xBE\xF0\x9F\x8E\xA5",
                                        "- [",
                                        "*a",
                                        "true"};
    struct vsm_config config, defaults;

    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    CHECK_INT(vsm_options_defaults(&defaults), VSM_OK);
    for (int i = 0; i < vsm_options_count; i++) {
        const struct vsm_option *option = &vsm_options_table[i];
        const char *const *texts = option->choices ? option->choices : numbers;

        if (option->type == VSM_OPTIONS_TEXT) {
            const char *text =
                strcmp(option->key, "matting.people") == 0  ? "0.5,0.5; right:1,2,3,4px"
                : strcmp(option->key, "output.list") == 0   ? "png; green, path=\"a\\b\".mp4, crf=3"
                : strcmp(option->key, "input.circles") == 0 ? "1000.5,1010,960;1020,990,961"
                                                            : "3 both 1 remove; 4 left 2 mask \"a\\b\".png";

            CHECK_INT(vsm_options_set(&config, option, text, NULL), VSM_OK);
            continue;
        }
        if (option->type == VSM_OPTIONS_COLOR) {
            CHECK_INT(vsm_options_set(&config, option, "123456", NULL), VSM_OK);
            continue;
        }
        for (int j = 0; texts[j] && vsm_options_equal(option, &config, &defaults); j++) {
            if (vsm_options_set(&config, option, texts[j], NULL) != VSM_OK)
                continue;
        }
        CHECK(!vsm_options_equal(option, &config, &defaults));
    }
    check_round_trip(&config);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        CHECK_INT(vsm_options_set(&config, vsm_options_find("input.path"), paths[i], NULL), VSM_OK);
        check_round_trip(&config);
    }
    vsm_options_finish(&config);
    vsm_options_finish(&defaults);
}

static void test_list(void)
{
    static const char text[] = "matting:\n  prompts:\n    - 0 left 1 box 1 2 3 4\n    - 7 both 1 remove\n"
                               "  model: sam2\n";
    struct vsm_options_origin origins[VSM_OPTIONS_MAX] = {0};
    struct vsm_config config;

    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    CHECK_INT(vsm_yaml_parse("f", text, sizeof(text) - 1, &config, origins), VSM_OK);
    CHECK_STR(config.matting.prompts, "0 left 1 box 1 2 3 4; 7 both 1 remove");
    CHECK_INT(config.matting.model, VSM_CONFIG_MODEL_SAM2);
    check_round_trip(&config);
    vsm_options_finish(&config);
}

static void test_path_that_yaml_cannot_hold(void)
{
    struct vsm_config config;
    FILE *out = fopen("/dev/null", "w");

    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    CHECK_INT(vsm_options_set(&config, vsm_options_find("output.path"), "caf\xE9.mp4", NULL), VSM_OK);
    CHECK_INT(vsm_yaml_template_print(out, &config), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "output.path: the path is not UTF-8");
    vsm_options_finish(&config);
    fclose(out);
}

static void test_accepted(void)
{
    struct vsm_config config;
    const char text[] = "\xEF\xBB\xBF---\n"
                        "output: {crf: 20, key_color: '#112233', preset: ~, path: \"a\\u00e9\"}\n"
                        "processing:\n"
                        "  scale_factor: \"auto\"\n"
                        "matting:\n"
                        "stereo.baseline: 64\n"
                        "input:\n"
                        "  path: 123\n"
                        "...\n";

    CHECK_INT(parse(text, sizeof(text) - 1, &config), VSM_OK);
    CHECK_NEAR(config.output.crf, 20, 0);
    CHECK_INT(config.output.key_color, 0x112233);
    CHECK(!config.output.preset);
    CHECK_STR(config.output.path, "a\xC3\xA9");
    CHECK_NEAR(config.stereo.baseline, 64, 0);
    CHECK_STR(config.input.path, "123");
    vsm_options_finish(&config);
    CHECK_INT(parse("", 0, &config), VSM_OK);
    vsm_options_finish(&config);
    CHECK_INT(parse("# nothing\n", 10, &config), VSM_OK);
    vsm_options_finish(&config);
}

#define BAD(text, message)                                                                                   \
    {                                                                                                        \
        text, sizeof(text) - 1, message                                                                      \
    }

static const struct {
    const char *text;
    size_t size;
    const char *message;
} bad[] = {
    BAD("output:\n  crff: 3\n", "f:2:3: unknown key output.crff; did you mean output.crf?"),
    BAD("outptu:\n  crf: 3\n", "f:1:1: unknown key outptu"),
    BAD("processing:\n  crf: 3\n", "f:2:3: unknown key processing.crf; did you mean output.crf?"),
    BAD("crf: 3\n", "f:1:1: unknown key crf; did you mean output.crf?"),
    BAD("output:\n  zzzzzz: 3\n", "--help"),
    BAD("output:\n  crf: 3\n  crf: 4\n", "f:3:3: output.crf is given twice"),
    BAD("output: {crf: 3}\ninput: {path: a}\noutput: {preset: a}\n", "f:3:1: output is given twice"),
    BAD("output.crf: 3\noutput:\n  crf: 3\n", "f:3:3: output.crf is given twice"),
    BAD("output:\n  crf: 64\n", "f:2:8: output.crf: \"64\" is out of range; use 0 to 63, or auto"),
    BAD("output:\n  crf: \"18\"\n", "f:2:8: output.crf: text in quotes"),
    BAD("streaming:\n  mode: \"true\"\n", "f:2:9: streaming.mode: text in quotes"),
    BAD("output:\n  crf:\n", "output.crf: no value"),
    BAD("output:\n  key_color: #00B140\n",
        "output.key_color: no value; a colour that begins with # must be in quotes"),
    BAD("output:\n  crf: [18]\n", "f:2:8: a list"),
    BAD("matting:\n  prompts: [[1]]\n", "f:2:13: a list in a list"),
    BAD("matting:\n  prompts: [{a: 1}]\n", "f:2:13: an item must be"),
    BAD("matting:\n  prompts: [a;b]\n", "semicolon"),
    BAD("matting:\n  prompts: [0 up 1 remove]\n", "f:2:12: matting.prompts: prompt 1: \"up\" is no eye"),
    BAD("output:\n  crf: {a: 1}\n", "f:2:8: output.crf: takes one value"),
    BAD("output: 3\n", "f:1:9: output: this is a section"),
    BAD("- a\n- b\n", "f:1:1: a list"),
    BAD("hello\n", "f:1:1: not a configuration"),
    BAD("? {a: b}\n: c\n", "a key must be a word"),
    BAD("? [a]\n: c\n", "a list"),
    BAD("output: &x\n  crf: 3\n", "f:1:9: anchors"),
    BAD("output:\n  preset: &x slow\n", "f:2:11: anchors"),
    BAD("a: *x\n", "f:1:"),
    BAD("output:\n  preset: *x\n", "f:2:11: aliases"),
    BAD("output:\n  crf: !!str 3\n", "f:2:8: tags"),
    BAD("output: !!map\n  crf: 3\n", "tags"),
    BAD("output:\n  crf: 3\n---\ninput:\n  path: a\n", "f:3:1: a second document"),
    BAD("output:\n\tcrf: 3\n", "f:2:1: not YAML"),
    BAD("output: {crf: 3\n", "not YAML"),
    BAD("output:\n  preset: \"a\n", "not YAML"),
    BAD("output:\n  path: caf\xE9\n", "f:2:12: not UTF-8"),
    BAD("# \xC3\xA9\xC3\xA9 \xED\xA0\x80\n", "f:1:6: not UTF-8"),
    BAD("# \xC0\x80\n", "f:1:3: not UTF-8"),
    BAD("# \xF4\x90\x80\x80\n", "f:1:3: not UTF-8"),
    BAD("# cut \xE2\x82", "f:1:7: not UTF-8"),
    BAD("\xFF\xFEo\0u\0", "f:1:1: not UTF-8"),
    BAD("output:\n  crf: 3\0\n", "f:2:9: a zero byte"),
    BAD("output:\n  path: \"a\\0b\"\n", "f:2:9: output.path: a zero byte"),
    BAD("output:\n  \"crf\\0\": 3\n", "f:2:3: a control character in a key"),
    BAD("output:\n  path: a\x01\n", "f:2:10: not YAML"),
};

static void test_refused_with_place(void)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct vsm_config config;

        CHECK_INT(parse(bad[i].text, bad[i].size, &config), VSM_E_USAGE);
        CHECK_HAS(vsm_error_message(), bad[i].message);
    }
}

static void test_every_cut_and_flip(void)
{
    const char text[] =
        "output: {crf: 20, key_color: '#112233'}\ninput:\n  path: \"a\\u00e9\"\n  layout: tb # x\n";
    struct vsm_config config;
    int accepted = 0;

    for (size_t size = 0; size < sizeof(text); size++) {
        if (parse(text, size, &config) == VSM_OK) {
            accepted++;
            vsm_options_finish(&config);
        }
    }
    for (size_t i = 0; i < (sizeof(text) - 1) * 8; i++) {
        char copy[sizeof(text)];

        memcpy(copy, text, sizeof(text));
        copy[i / 8] = (char)(copy[i / 8] ^ (1 << i % 8));
        if (parse(copy, sizeof(text) - 1, &config) == VSM_OK) {
            accepted++;
            vsm_options_finish(&config);
        }
    }
    CHECK(accepted > 5);
    CHECK(accepted < (int)sizeof(text) * 4);
}

static void test_size_limit(void)
{
    char *text = malloc(VSM_YAML_SIZE_LIMIT + 1);
    struct vsm_config config;

    memset(text, '\n', VSM_YAML_SIZE_LIMIT + 1);
    CHECK_INT(parse(text, VSM_YAML_SIZE_LIMIT, &config), VSM_OK);
    vsm_options_finish(&config);
    CHECK_INT(parse(text, VSM_YAML_SIZE_LIMIT + 1, &config), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "more than");
    memset(text, '[', VSM_YAML_SIZE_LIMIT);
    CHECK_INT(parse(text, VSM_YAML_SIZE_LIMIT, &config), VSM_E_USAGE);
    memset(text, '{', VSM_YAML_SIZE_LIMIT);
    CHECK_INT(parse(text, VSM_YAML_SIZE_LIMIT, &config), VSM_E_USAGE);
    free(text);
}

static void test_load(void)
{
    struct vsm_options_origin origins[VSM_OPTIONS_MAX] = {0};
    const struct vsm_option *crf = vsm_options_find("output.crf");
    char path[] = "/tmp/vsm-config-XXXXXX";
    struct vsm_config config;
    int fd = mkstemp(path);

    CHECK_INT(write(fd, "output:\n  crf: 3\n", 17), 17);
    close(fd);
    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    CHECK_INT(vsm_yaml_load(path, &config, origins), VSM_OK);
    CHECK_NEAR(config.output.crf, 3, 0);
    CHECK_STR(origins[crf - vsm_options_table].name, path);
    CHECK_INT(origins[crf - vsm_options_table].line, 2);
    CHECK_INT(origins[crf - vsm_options_table].column, 8);
    unlink(path);
    CHECK_INT(vsm_yaml_load(path, &config, origins), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), path);
    CHECK_INT(vsm_yaml_load("/tmp", &config, origins), VSM_E_USAGE);
    vsm_options_finish(&config);
}

int main(void)
{
    RUN(test_defaults_round_trip);
    RUN(test_other_values_round_trip);
    RUN(test_list);
    RUN(test_path_that_yaml_cannot_hold);
    RUN(test_accepted);
    RUN(test_refused_with_place);
    RUN(test_every_cut_and_flip);
    RUN(test_size_limit);
    RUN(test_load);
    return tap_done();
}
