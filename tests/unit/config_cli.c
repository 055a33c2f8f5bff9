#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "build_config.h"
#include "config/cli.h"
#include "config/options.h"
#include "tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/vsm-cli-XXXXXX";
static char path_buffers[4][64];

/* A path in the test's folder; four are valid at a time. */
static char *in_folder(const char *name)
{
    static int next;
    char *path = path_buffers[next++ % 4];

    snprintf(path, sizeof(path_buffers[0]), "%s/%s", folder, name);
    return path;
}

static char *file(const char *name, const char *text)
{
    char *path = in_folder(name);

    CHECK_INT(vsm_file_write_atomic(path, text, strlen(text)), VSM_OK);
    return path;
}

/* Parses up to ten arguments, NULL-terminated. */
#define PARSE(cli, ...) parse(cli, (char *[12]){(char *)"vr180-streaming", __VA_ARGS__})

static int parse(struct vsm_cli *cli, char **argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return vsm_cli_parse(argc, argv, cli);
}

#define S(text) ((char *)(text))

static void test_input_and_output(void)
{
    struct vsm_cli cli;

    CHECK_INT(PARSE(&cli, S("in.mp4"), S("-o"), S("out.mp4")), VSM_OK);
    CHECK_INT(cli.command, VSM_CLI_RUN);
    CHECK_STR(cli.config.input.path, "in.mp4");
    CHECK_STR(cli.config.output.path, "out.mp4");
    CHECK(!cli.config_path);
    CHECK(!cli.dry_run);
    CHECK_INT(cli.resume, VSM_CLI_RESUME_AUTO);
    vsm_cli_finish(&cli);
    CHECK_INT(PARSE(&cli, S("--output=a=b.mp4"), S("--"), S("-in.mp4")), VSM_OK);
    CHECK_STR(cli.config.input.path, "-in.mp4");
    CHECK_STR(cli.config.output.path, "a=b.mp4");
    vsm_cli_finish(&cli);
    CHECK_INT(PARSE(&cli, S("-vob.mp4"), S("in.mp4")), VSM_OK);
    CHECK_STR(cli.config.output.path, "b.mp4");
    CHECK_INT(cli.config.logging.level, 3);
    vsm_cli_finish(&cli);
    vsm_cli_finish(&cli);
}

static void test_every_option(void)
{
    struct vsm_cli cli;

    CHECK_INT(PARSE(&cli, S("a.mp4"), S("--start-frame"), S("1000"), S("--max-frames=5000"), S("--scale"),
                    S("0.25"), S("--dry-run"), S("--progress"), S("json"), S("--restart")),
              VSM_OK);
    CHECK_INT(cli.config.input.start_frame, 1000);
    CHECK_INT(cli.config.input.max_frames, 5000);
    CHECK_NEAR(cli.config.processing.scale_factor, 0.25, 0);
    CHECK(cli.dry_run);
    CHECK_INT(cli.config.logging.progress, VSM_CONFIG_PROGRESS_JSON);
    CHECK_INT(cli.resume, VSM_CLI_RESTART);
    vsm_cli_finish(&cli);
    CHECK_INT(PARSE(&cli, S("--resume"), S("-q"), S("--models-dir"), S("m"), S("--set"), S("output.crf=21"),
                    S("--set=input.path=x=y.mp4"), S("--set"), S("output.crf=22")),
              VSM_OK);
    CHECK_INT(cli.resume, VSM_CLI_RESUME);
    CHECK_INT(cli.config.logging.level, 1);
    CHECK_INT(cli.config.logging.progress, VSM_CONFIG_PROGRESS_NONE);
    CHECK_STR(cli.config.models.dir, "m");
    CHECK_STR(cli.config.input.path, "x=y.mp4");
    CHECK_NEAR(cli.config.output.crf, 22, 0);
    vsm_cli_finish(&cli);
}

static void test_help_and_version_win(void)
{
    struct vsm_cli cli;

    CHECK_INT(PARSE(&cli, S("missing.yaml"), S("--set"), S("nonsense"), S("--help")), VSM_OK);
    CHECK_INT(cli.command, VSM_CLI_HELP);
    vsm_cli_finish(&cli);
    CHECK_INT(PARSE(&cli, S("--version")), VSM_OK);
    CHECK_INT(cli.command, VSM_CLI_VERSION);
    vsm_cli_finish(&cli);
    CHECK_INT(PARSE(&cli, S("-h")), VSM_OK);
    CHECK_INT(cli.command, VSM_CLI_HELP);
    vsm_cli_finish(&cli);
    CHECK_INT(PARSE(&cli, S("a.mp4"), S("--"), S("--help")), VSM_E_USAGE); /* a second input */
}

static void test_precedence(void)
{
    struct vsm_cli cli;
    char *config = file("a.yaml", "input: {path: file.mp4}\noutput: {crf: 20, preset: slow}\n"
                                  "streaming: {mode: false}\n");

    CHECK_INT(PARSE(&cli, config), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "a.yaml:3:19: streaming.mode: false is not possible");
    CHECK_INT(PARSE(&cli, S("--set"), S("output.crf=25"), S("--set"), S("streaming.mode=true"), config),
              VSM_OK);
    CHECK_STR(cli.config_path, config);
    CHECK_STR(cli.config.input.path, "file.mp4");
    CHECK_NEAR(cli.config.output.crf, 25, 0);
    CHECK_STR(cli.config.output.preset, "slow");
    vsm_cli_finish(&cli);
    CHECK_INT(PARSE(&cli, S("other.mp4"), config, S("--set"), S("streaming.mode=yes")), VSM_OK);
    CHECK_STR(cli.config.input.path, "other.mp4");
    vsm_cli_finish(&cli);
}

static const struct {
    char *argv[8];
    const char *message;
} bad[] = {
    {{S("x")}, "no input"},
    {{S("x"), S("--dry-run")}, "no input"},
    {{S("x"), S("missing.yaml")}, "missing.yaml: cannot be opened"},
    {{S("x"), S("MISSING.YML")}, "MISSING.YML: cannot be opened"},
    {{S("x"), S("a.mp4"), S("b.mp4")}, "b.mp4: a second input"},
    {{S("x"), S("a.yaml"), S("b.yaml")}, "b.yaml: a second configuration"},
    {{S("x"), S("")}, "no input"},
    {{S("x"), S("a.mp4"), S("--scael"), S("1")}, "did you mean --scale?"},
    {{S("x"), S("a.mp4"), S("--dryrun")}, "did you mean --dry-run?"},
    {{S("x"), S("a.mp4"), S("--crf=3")}, "--crf: unknown option; --help lists"},
    {{S("x"), S("a.mp4"), S("--wholly-unheard-of-and-longer-than-sixty-three-bytes-which-is-long")},
     "unknown option"},
    {{S("x"), S("a.mp4"), S("--=3")}, "unknown option"},
    {{S("x"), S("a.mp4"), S("-x")}, "-x: unknown option"},
    {{S("x"), S("a.mp4"), S("-qx")}, "-x: unknown option"},
    {{S("x"), S("a.mp4"), S("--dry-run=yes")}, "--dry-run: takes no value"},
    {{S("x"), S("a.mp4"), S("-o")}, "-o: needs a value: -o PATH"},
    {{S("x"), S("a.mp4"), S("--scale")}, "--scale: needs a value: --scale F"},
    {{S("x"), S("a.mp4"), S("--scale"), S("2")}, "--scale: processing.scale_factor: \"2\" is out of range"},
    {{S("x"), S("a.mp4"), S("--start-frame=-1")}, "--start-frame: input.start_frame: \"-1\" is out of range"},
    {{S("x"), S("a.mp4"), S("--progress"), S("dots")}, "use auto, plain, json or none"},
    {{S("x"), S("a.mp4"), S("--set"), S("output.crf")}, "write --set KEY=VALUE"},
    {{S("x"), S("a.mp4"), S("--set"), S("output.cfr=3")}, "unknown key output.cfr; did you mean output.crf?"},
    {{S("x"), S("a.mp4"), S("--set"), S("zzzzzzzzz=3")}, "unknown key zzzzzzzzz; --help"},
    {{S("x"), S("a.mp4"), S("--set"), S("streaming.mode=false")},
     "--set: streaming.mode: false is not possible"},
    {{S("x"), S("a.mp4"), S("--resume"), S("--restart")}, "exclude each other"},
    {{S("x"), S("a.mp4"), S("--force")}, "--generate-config only"},
    {{S("x"), S("--generate-config")}, "--generate-config: needs a value"},
    {{S("x"), S("--generate-config=")}, "the path is empty"},
};

static void test_usage_errors(void)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct vsm_cli cli;

        CHECK_INT(parse(&cli, (char **)bad[i].argv), VSM_E_USAGE);
        CHECK_HAS(vsm_error_message(), bad[i].message);
        CHECK(!cli.config.output.codec && !cli.config_path);
    }
}

static void test_config_without_input(void)
{
    struct vsm_cli cli;

    CHECK_INT(PARSE(&cli, file("b.yaml", "output: {crf: 3}\n")), VSM_E_USAGE);
    CHECK_HAS(vsm_error_message(), "b.yaml: input.path is not set");
}

static void test_generate_config(void)
{
    char *path = in_folder("new.yaml");
    struct vsm_cli cli, again;
    struct stat info;
    void *text;
    size_t size;

    CHECK_INT(PARSE(&cli, S("--generate-config"), path, S("in.mp4"), S("--scale=0.5")), VSM_OK);
    CHECK_INT(cli.command, VSM_CLI_GENERATE_CONFIG);
    CHECK_INT(vsm_cli_generate_config(&cli), VSM_OK);
    CHECK_INT(PARSE(&again, path), VSM_OK);
    for (int i = 0; i < vsm_options_count; i++)
        CHECK(vsm_options_equal(&vsm_options_table[i], &cli.config, &again.config));
    vsm_cli_finish(&again);

    /* An older file stays as it is, unless forced. */
    CHECK_INT(vsm_file_write_atomic(path, "mine", 4), VSM_OK);
    CHECK_INT(vsm_cli_generate_config(&cli), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "--force");
    CHECK_INT(vsm_file_read(path, 100, VSM_E_INPUT, &text, &size), VSM_OK);
    CHECK_STR((char *)text, "mine");
    vsm_mem_free(text);
    cli.force = true;
    CHECK_INT(vsm_cli_generate_config(&cli), VSM_OK);
    CHECK_INT(stat(path, &info), 0);
    CHECK(info.st_size > 1000);
    vsm_cli_finish(&cli);

    CHECK_INT(PARSE(&cli, S("--generate-config"), in_folder("no/such/folder.yaml")), VSM_OK);
    CHECK_INT(vsm_cli_generate_config(&cli), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "cannot be created");
    vsm_cli_finish(&cli);
}

/* The first description's files: every key is known, and what is not there yet is said plainly,
 * all at once. */
static void test_seed_files(void)
{
    struct vsm_cli cli;

    CHECK_INT(PARSE(&cli, S(VSM_SOURCE_ROOT "/tests/data/config/seed.yaml")), VSM_OK);
    CHECK_NEAR(cli.config.processing.scale_factor, 0.5, 0);
    CHECK_INT(cli.config.recovery.checkpoint_interval, 1000);
    CHECK(cli.config.matting.memory_offload);
    vsm_cli_finish(&cli);
    CHECK_INT(PARSE(&cli, S(VSM_SOURCE_ROOT "/tests/data/config/seed_wishes.yaml"), S("a.mp4")), VSM_OK);
    CHECK_INT(cli.config.stereo.mode, VSM_CONFIG_STEREO_MASTER_SLAVE);
    vsm_cli_finish(&cli);
    CHECK_INT(PARSE(&cli, S(VSM_SOURCE_ROOT "/tests/data/config/seed_wishes.yaml"), S("a.mp4"), S("--set"),
                    S("stereo.mode=independent"), S("--set"), S("streaming.mode=true")),
              VSM_OK);
    CHECK(cli.config.processing.adaptive_scaling);
    vsm_cli_finish(&cli);
}

static void test_help_is_complete(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    vsm_cli_print_help(out);
    fclose(out);
    for (int i = 0; i < vsm_options_count; i++) {
        char wanted[80];

        snprintf(wanted, sizeof(wanted), "  %s=%s\n", vsm_options_table[i].key, vsm_options_table[i].initial);
        CHECK_HAS(text, wanted);
        snprintf(wanted, sizeof(wanted), "      %.60s", vsm_options_table[i].help);
        CHECK_HAS(text, wanted);
    }
    for (int i = 0; i < vsm_cli_flags_count; i++)
        CHECK_HAS(text, vsm_cli_flags[i].name);
    for (int i = 0; i < vsm_cli_subcommands_count; i++)
        CHECK_HAS(text, vsm_cli_subcommands[i].usage);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        CHECK(strcspn(line, "\n") <= 130);
    free(text);
}

#ifdef VSM_FAULT_POINTS

static void test_every_allocation_may_fail(void)
{
    char *config = file("a.yaml", "input: {path: file.mp4}\noutput: {preset: slow, pix_fmt: yuv420p}\n");
    struct vsm_cli cli;
    int status = VSM_E_NOMEM, n = 0;

    while (status == VSM_E_NOMEM && n < 100) {
        vsm_fault_arm("mem.alloc", (unsigned long)++n, 12, 0);
        status = PARSE(&cli, config, S("-o"), S("o.mp4"), S("--set"), S("models.dir=m"));
        vsm_fault_arm(NULL, 0, 0, 0);
        CHECK(status == VSM_OK || !cli.config_path);
    }
    CHECK_INT(status, VSM_OK);
    CHECK(n > 5);
    CHECK_STR(cli.config.models.dir, "m");
    vsm_cli_finish(&cli);
}

static void test_every_file_operation_may_fail(void)
{
    static const char *const points[] = {"file.open", "file.write", "file.fsync", "file.rename"};
    char *path = file("new.yaml", "mine");
    struct vsm_cli cli;

    CHECK_INT(PARSE(&cli, S("--generate-config"), path, S("--force")), VSM_OK);
    for (size_t i = 0; i < 4; i++) {
        void *text;
        size_t size;

        vsm_fault_arm(points[i], 1, 28, 0);
        CHECK_INT(vsm_cli_generate_config(&cli), VSM_E_OUTPUT);
        vsm_fault_arm(NULL, 0, 0, 0);
        CHECK_INT(vsm_file_read(path, 100, VSM_E_INPUT, &text, &size), VSM_OK);
        CHECK_STR((char *)text, "mine");
        vsm_mem_free(text);
    }
    unlink(path);
    cli.force = false;
    vsm_fault_arm("file.write", 1, 28, 0);
    CHECK_INT(vsm_cli_generate_config(&cli), VSM_E_OUTPUT);
    vsm_fault_arm(NULL, 0, 0, 0);
    CHECK(access(path, F_OK) != 0);
    CHECK_INT(vsm_cli_generate_config(&cli), VSM_OK);
    vsm_cli_finish(&cli);
    vsm_fault_arm("file.read", 1, 5, 0);
    CHECK_INT(PARSE(&cli, path), VSM_E_USAGE);
    vsm_fault_arm(NULL, 0, 0, 0);
    vsm_cli_finish(&cli);
}

#else

static void test_every_allocation_may_fail(void)
{
    tap_skip("built without -Dfault_points=true");
}

static void test_every_file_operation_may_fail(void)
{
    tap_skip("built without -Dfault_points=true");
}

#endif

int main(void)
{
    CHECK(mkdtemp(folder) != NULL);
    RUN(test_input_and_output);
    RUN(test_every_option);
    RUN(test_help_and_version_win);
    RUN(test_precedence);
    RUN(test_usage_errors);
    RUN(test_config_without_input);
    RUN(test_generate_config);
    RUN(test_seed_files);
    RUN(test_help_is_complete);
    RUN(test_every_allocation_may_fail);
    RUN(test_every_file_operation_may_fail);
    unlink(in_folder("a.yaml"));
    unlink(in_folder("b.yaml"));
    unlink(in_folder("new.yaml"));
    CHECK_INT(rmdir(folder), 0);
    return tap_done();
}
