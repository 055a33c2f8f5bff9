#include "config/cli.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/options.h"
#include "config/spelling.h"
#include "config/wrap.h"
#include "config/yaml.h"
#include "config/yaml_template.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HELP_WIDTH 100

enum flag { SET, DRY_RUN, GENERATE_CONFIG, FORCE, RESUME, RESTART, QUIET, VERBOSE, VERSION, HELP };

const struct vsm_cli_flag vsm_cli_flags[] = {
    [SET] = {"set", 0, "KEY=VALUE", "Set any key of the configuration; may be given several times."},
    [DRY_RUN] = {"dry-run", 0, NULL, "Check everything, print the plan and write nothing."},
    [GENERATE_CONFIG] = {"generate-config", 0, "PATH",
                         "Write a configuration file with every key explained, and stop."},
    [FORCE] = {"force", 0, NULL, "Let --generate-config overwrite a file."},
    [RESUME] = {"resume", 0, NULL, "Go on from the checkpoint beside the output; an error if there is none."},
    [RESTART] = {"restart", 0, NULL, "Discard a checkpoint beside the output and begin anew."},
    [QUIET] = {"quiet", 'q', NULL, "Print only warnings and errors, and no progress."},
    [VERBOSE] = {"verbose", 'v', NULL, "Print what helps to find a fault."},
    [VERSION] = {"version", 0, NULL, "Print the versions of the program and its libraries, and stop."},
    [HELP] = {"help", 'h', NULL, "Print this help, and stop."},
};

const int vsm_cli_flags_count = sizeof(vsm_cli_flags) / sizeof(vsm_cli_flags[0]);

const struct vsm_cli_subcommand vsm_cli_subcommands[] = {
    {"status", VSM_CLI_STATUS_USAGE,
     "Show how far the job that makes OUTPUT is, and whether it is running. Changes nothing."},
    {"models", VSM_CLI_MODELS_USAGE,
     "List the checkpoints of tracking networks, download one, take one from a file, check them against "
     "their SHA-256, or remove one; clear-cache deletes the optimised networks made of them."},
    {"doctor", VSM_CLI_DOCTOR_USAGE,
     "Say what this build and machine have, what is missing and what to install for it, and try the network "
     "on a small picture. Exit code 0 if a job can run, else 4."},
};

const int vsm_cli_subcommands_count = sizeof(vsm_cli_subcommands) / sizeof(vsm_cli_subcommands[0]);

const struct vsm_cli_exit vsm_cli_exits[] = {
    {VSM_EXIT_OK, "Done."},
    {VSM_EXIT_USAGE, "The command line or the configuration is wrong."},
    {VSM_EXIT_INPUT, "The input is missing, damaged or not supported."},
    {VSM_EXIT_OUTPUT, "The output cannot be written."},
    {VSM_EXIT_MODEL, "A model file or the device failed."},
    {VSM_EXIT_CANCELLED,
     "Stopped on request; the same command goes on. The first Ctrl-C or SIGTERM stops at the next "
     "checkpoint, at most recovery.checkpoint_interval frames later, and loses nothing; the "
     "second stops at once and loses the frames since the last one."},
    {VSM_EXIT_INTERNAL, "An internal error, or no memory left."},
};

const int vsm_cli_exits_count = sizeof(vsm_cli_exits) / sizeof(vsm_cli_exits[0]);

/* One argument with its value. */
struct item {
    int flag;                        /* enum flag, or -1 */
    const struct vsm_option *option; /* a setting with its own option, or NULL */
    const char *value;               /* of an option, or the positional argument itself */
    const char *shown;               /* the argument as the user wrote it, without its value */
    char buffer[64];                 /* for `shown` */
};

struct scanner {
    int argc;
    char *const *argv;
    int next;            /* argument to look at */
    const char *letters; /* rest of a group of short options, or NULL */
    bool options_ended;  /* "--" was seen */
};

static const char *metavar_of(const struct item *item)
{
    return item->option ? item->option->metavar : vsm_cli_flags[item->flag].metavar;
}

static bool find_long(const char *name, size_t length, struct item *item)
{
    for (int i = 0; i < vsm_cli_flags_count; i++) {
        if (strncmp(vsm_cli_flags[i].name, name, length) == 0 && !vsm_cli_flags[i].name[length]) {
            item->flag = i;
            return true;
        }
    }
    for (int i = 0; i < vsm_options_count; i++) {
        const char *flag = vsm_options_table[i].flag;

        if (flag && strncmp(flag, name, length) == 0 && !flag[length]) {
            item->option = &vsm_options_table[i];
            return true;
        }
    }
    return false;
}

static bool find_letter(char letter, struct item *item)
{
    for (int i = 0; i < vsm_cli_flags_count; i++) {
        if (vsm_cli_flags[i].letter == letter) {
            item->flag = i;
            return true;
        }
    }
    for (int i = 0; i < vsm_options_count; i++) {
        if (vsm_options_table[i].letter == letter) {
            item->option = &vsm_options_table[i];
            return true;
        }
    }
    return false;
}

static void consider(const char *word, const char *candidate, int *best, const char **nearest)
{
    int distance = candidate ? vsm_spelling_distance(word, candidate) : INT_MAX;

    if (distance <= vsm_spelling_tolerance(word) && distance < *best) {
        *best = distance;
        *nearest = candidate;
    }
}

static int fail_unknown(const char *argument, size_t length)
{
    const char *nearest = NULL;
    char word[64];
    int best = INT_MAX;

    snprintf(word, sizeof(word), "%.*s", (int)(length < sizeof(word) ? length : sizeof(word)) - 2,
             argument + 2);
    for (int i = 0; i < vsm_cli_flags_count; i++)
        consider(word, vsm_cli_flags[i].name, &best, &nearest);
    for (int i = 0; i < vsm_options_count; i++)
        consider(word, vsm_options_table[i].flag, &best, &nearest);
    if (nearest)
        return vsm_fail(VSM_E_USAGE, "--%s: unknown option; did you mean --%s?", word, nearest);
    return vsm_fail(VSM_E_USAGE,
                    "--%s: unknown option; --help lists the options, --set KEY=VALUE sets any key", word);
}

/* Gives the item its value: `attached` if there is one, otherwise the next argument. */
static int take_value(struct scanner *s, struct item *item, const char *attached)
{
    const char *metavar = metavar_of(item);

    item->value = attached;
    if (!metavar)
        return attached ? vsm_fail(VSM_E_USAGE, "%s: takes no value", item->shown) : VSM_OK;
    if (!attached && s->next < s->argc)
        item->value = s->argv[s->next++];
    if (!item->value)
        return vsm_fail(VSM_E_USAGE, "%s: needs a value: %s %s", item->shown, item->shown, metavar);
    return VSM_OK;
}

static int scan_letter(struct scanner *s, struct item *item)
{
    char letter = *s->letters++;
    const char *rest = *s->letters ? s->letters : NULL;

    snprintf(item->buffer, sizeof(item->buffer), "-%c", letter);
    item->shown = item->buffer;
    if (!find_letter(letter, item))
        return vsm_fail(VSM_E_USAGE, "-%c: unknown option; --help lists the options",
                        letter < 0x20 ? '?' : letter);
    if (!rest || metavar_of(item))
        s->letters = NULL;
    return take_value(s, item, metavar_of(item) ? rest : NULL);
}

/* The next item; VSM_EOF after the last. */
static int scan(struct scanner *s, struct item *item)
{
    const char *argument, *equals;
    size_t length;

    *item = (struct item){.flag = -1};
    if (s->letters)
        return scan_letter(s, item);
    if (s->next < s->argc && !s->options_ended && strcmp(s->argv[s->next], "--") == 0) {
        s->options_ended = true;
        s->next++;
    }
    if (s->next >= s->argc)
        return VSM_EOF;
    argument = s->argv[s->next++];
    if (s->options_ended || argument[0] != '-' || !argument[1]) {
        item->value = argument;
        return VSM_OK;
    }
    if (argument[1] != '-') {
        s->letters = argument + 1;
        return scan_letter(s, item);
    }
    equals = strchr(argument, '=');
    length = equals ? (size_t)(equals - argument) : strlen(argument);
    if (!find_long(argument + 2, length - 2, item))
        return fail_unknown(argument, length);
    snprintf(item->buffer, sizeof(item->buffer), "%.*s", (int)length, argument);
    item->shown = item->buffer;
    return take_value(s, item, equals ? equals + 1 : NULL);
}

static bool is_positional(const struct item *item)
{
    return item->flag < 0 && !item->option;
}

static bool is_config(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && (strcasecmp(dot, ".yaml") == 0 || strcasecmp(dot, ".yml") == 0);
}

static int replace(char **text, const char *value)
{
    vsm_mem_free(*text);
    *text = vsm_mem_string("argument", value);
    return *text ? VSM_OK : VSM_E_NOMEM;
}

/* First pass: syntax, --help and --version, and the configuration file. */
static int survey(int argc, char *const *argv, struct vsm_cli *cli)
{
    struct scanner s = {.argc = argc, .argv = argv, .next = 1};
    int inputs = 0, status;
    struct item item;

    while ((status = scan(&s, &item)) == VSM_OK) {
        if (item.flag == HELP || item.flag == VERSION) {
            cli->command = item.flag == HELP ? VSM_CLI_HELP : VSM_CLI_VERSION;
            return VSM_OK;
        }
        if (!is_positional(&item))
            continue;
        if (!is_config(item.value) && inputs++ > 0)
            return vsm_fail(VSM_E_USAGE, "%s: a second input; give one, and the output with -o PATH",
                            item.value);
        if (!is_config(item.value))
            continue;
        if (cli->config_path)
            return vsm_fail(VSM_E_USAGE, "%s: a second configuration file; give one", item.value);
        if (replace(&cli->config_path, item.value) != VSM_OK)
            return VSM_E_NOMEM;
    }
    return status == VSM_EOF ? VSM_OK : status;
}

static int set(struct vsm_cli *cli, struct vsm_options_origin *origins, const struct vsm_option *option,
               const char *value, const char *shown, const char *origin_name)
{
    struct vsm_options_origin now = {.name = shown};
    int status = vsm_options_set(&cli->config, option, value, &now);

    if (status == VSM_OK)
        origins[option - vsm_options_table] = (struct vsm_options_origin){.name = origin_name};
    return status;
}

static int set_key_value(struct vsm_cli *cli, struct vsm_options_origin *origins, const char *argument)
{
    const char *equals = strchr(argument, '='), *suggestion;
    const struct vsm_option *option;
    char key[64];

    if (!equals)
        return vsm_fail(VSM_E_USAGE, "--set %.80s: no value; write --set KEY=VALUE", argument);
    snprintf(key, sizeof(key), "%.*s", (int)(equals - argument < 63 ? equals - argument : 63), argument);
    option = vsm_options_find(key);
    if (option)
        return set(cli, origins, option, equals + 1, "--set", "--set");
    suggestion = vsm_options_suggest(key);
    if (suggestion)
        return vsm_fail(VSM_E_USAGE, "--set: unknown key %s; did you mean %s?", key, suggestion);
    return vsm_fail(VSM_E_USAGE, "--set: unknown key %s; --help lists all keys", key);
}

static int choose_resume(struct vsm_cli *cli, enum vsm_cli_resume resume)
{
    if (cli->resume != VSM_CLI_RESUME_AUTO && cli->resume != resume)
        return vsm_fail(VSM_E_USAGE, "--resume and --restart exclude each other; give one");
    cli->resume = resume;
    return VSM_OK;
}

static int apply_flag(struct vsm_cli *cli, struct vsm_options_origin *origins, const struct item *item)
{
    int status = VSM_OK;

    switch ((enum flag)item->flag) {
    case SET:
        return set_key_value(cli, origins, item->value);
    case DRY_RUN:
        cli->dry_run = true;
        break;
    case GENERATE_CONFIG:
        cli->command = VSM_CLI_GENERATE_CONFIG;
        if (!*item->value)
            return vsm_fail(VSM_E_USAGE, "--generate-config: the path is empty");
        return replace(&cli->generate_path, item->value);
    case FORCE:
        cli->force = true;
        break;
    case RESUME:
        return choose_resume(cli, VSM_CLI_RESUME);
    case RESTART:
        return choose_resume(cli, VSM_CLI_RESTART);
    case QUIET:
        status = set(cli, origins, vsm_options_find("logging.progress"), "none", "--quiet", "--quiet");
        return status ? status
                      : set(cli, origins, vsm_options_find("logging.level"), "warn", "--quiet", "--quiet");
    case VERBOSE:
        return set(cli, origins, vsm_options_find("logging.level"), "debug", "--verbose", "--verbose");
    case VERSION:
    case HELP:
        break;
    }
    return status;
}

/* Second pass: the settings, in order. */
static int apply(int argc, char *const *argv, struct vsm_cli *cli, struct vsm_options_origin *origins)
{
    const struct vsm_option *input = vsm_options_find("input.path");
    struct scanner s = {.argc = argc, .argv = argv, .next = 1};
    int status = VSM_OK;
    struct item item;

    while (status == VSM_OK && (status = scan(&s, &item)) == VSM_OK) {
        if (item.flag >= 0)
            status = apply_flag(cli, origins, &item);
        else if (item.option)
            status = set(cli, origins, item.option, item.value, item.shown, "command line");
        else if (!is_config(item.value))
            status = set(cli, origins, input, item.value, "command line", "command line");
    }
    return status == VSM_EOF ? VSM_OK : status;
}

static int check(const struct vsm_cli *cli, const struct vsm_options_origin *origins)
{
    if (cli->force && cli->command != VSM_CLI_GENERATE_CONFIG)
        return vsm_fail(VSM_E_USAGE, "--force: goes with --generate-config only");
    if (cli->command == VSM_CLI_RUN && !cli->config.input.path) {
        if (cli->config_path)
            return vsm_fail(VSM_E_USAGE,
                            "%s: input.path is not set; set it, or give the input after the configuration",
                            cli->config_path);
        return vsm_fail(VSM_E_USAGE, "no input; give a video or a configuration file, see --help");
    }
    return vsm_options_check(&cli->config, origins);
}

int vsm_cli_parse(int argc, char *const *argv, struct vsm_cli *cli)
{
    struct vsm_options_origin origins[VSM_OPTIONS_MAX] = {0};
    int status;

    *cli = (struct vsm_cli){0};
    status = vsm_options_defaults(&cli->config);
    if (status == VSM_OK)
        status = survey(argc, argv, cli);
    if (status == VSM_OK && (cli->command == VSM_CLI_HELP || cli->command == VSM_CLI_VERSION))
        return VSM_OK;
    if (status == VSM_OK && cli->config_path)
        status = vsm_yaml_load(cli->config_path, &cli->config, origins);
    if (status == VSM_OK)
        status = apply(argc, argv, cli, origins);
    if (status == VSM_OK)
        status = check(cli, origins);
    if (status != VSM_OK)
        vsm_cli_finish(cli);
    return status;
}

void vsm_cli_finish(struct vsm_cli *cli)
{
    vsm_options_finish(&cli->config);
    vsm_mem_free(cli->config_path);
    vsm_mem_free(cli->generate_path);
    *cli = (struct vsm_cli){0};
}

static void print_option(FILE *out, char letter, const char *name, const char *metavar, const char *help)
{
    char left[48];

    snprintf(left, sizeof(left), "%c%c%s --%s%s%s", letter ? '-' : ' ', letter ? letter : ' ',
             letter ? "," : " ", name, metavar ? " " : "", metavar ? metavar : "");
    fprintf(out, "  %-27s ", left);
    vsm_wrap_print(out, help, "                              ", 30, HELP_WIDTH);
}

static void print_key(FILE *out, const struct vsm_option *option)
{
    fprintf(out, "  %s=%s\n      ", option->key, option->initial);
    vsm_wrap_print(out, option->help, "      ", 6, HELP_WIDTH);
    fputs("      ", out);
    vsm_options_print_allowed(out, option);
    if (option->unit)
        fprintf(out, "; unit: %s", option->unit);
    if (option->empty)
        fprintf(out, "; empty: %s", option->empty);
    if (option->today) {
        fputs("; this build: only ", out);
        vsm_options_print_today(out, option);
    }
    fputc('\n', out);
}

void vsm_cli_print_help(FILE *out)
{
    fputs("Usage: vr180-streaming [CONFIG.yaml] [INPUT] [OPTION]...\n"
          "       vr180-streaming --generate-config PATH\n"
          "       vr180-streaming SUBCOMMAND ...\n\n"
          "Mattes the people in both eyes of a VR180 video, one frame at a time.\n\n"
          "Subcommands (an input of such a name is written ./NAME):\n",
          out);
    for (int i = 0; i < vsm_cli_subcommands_count; i++) {
        fprintf(out, "  %s\n      ", vsm_cli_subcommands[i].usage);
        vsm_wrap_print(out, vsm_cli_subcommands[i].help, "      ", 6, HELP_WIDTH);
    }
    fputs("\nOptions:\n", out);
    for (int i = 0; i < vsm_options_count; i++) {
        const struct vsm_option *option = &vsm_options_table[i];

        if (option->flag)
            print_option(out, option->letter, option->flag, option->metavar, option->help);
    }
    for (int i = 0; i < vsm_cli_flags_count; i++)
        print_option(out, vsm_cli_flags[i].letter, vsm_cli_flags[i].name, vsm_cli_flags[i].metavar,
                     vsm_cli_flags[i].help);
    fputs("\nKeys of the configuration file and of --set, with their defaults:\n", out);
    for (int i = 0; i < vsm_options_count; i++)
        print_key(out, &vsm_options_table[i]);
    fputs("\nArguments beat the configuration file.\n"
          "Relative paths, also those in the file, start from the current folder.\n\nExit codes:\n",
          out);
    for (int i = 0; i < vsm_cli_exits_count; i++) {
        fprintf(out, "  %2d  ", vsm_cli_exits[i].code);
        vsm_wrap_print(out, vsm_cli_exits[i].meaning, "      ", 6, HELP_WIDTH);
    }
}

/* Writes a new file that must not exist yet. */
static int write_new(const char *path, const char *data, size_t size)
{
    int fd = VSM_FAULT_CALL("file.open", open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)), status;

    if (fd < 0 && errno == EEXIST)
        return vsm_fail(VSM_E_OUTPUT, "%s: exists already; choose another name or add --force", path);
    if (fd < 0)
        return vsm_fail(VSM_E_OUTPUT, "%s: cannot be created: %s", path, strerror(errno));
    status = vsm_file_write_all(fd, path, data, size);
    if (close(fd) != 0 && status == VSM_OK)
        status = vsm_fail(VSM_E_OUTPUT, "%s: cannot be written: %s", path, strerror(errno));
    if (status != VSM_OK)
        unlink(path);
    return status;
}

int vsm_cli_generate_config(const struct vsm_cli *cli)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int status;

    if (!out)
        return vsm_fail_nomem(cli->generate_path, 0);
    status = vsm_yaml_template_print(out, &cli->config);
    if (fclose(out) != 0 && status == VSM_OK)
        status = vsm_fail_nomem(cli->generate_path, size);
    if (status == VSM_OK && cli->force)
        status = vsm_file_write_atomic(cli->generate_path, text, size);
    else if (status == VSM_OK)
        status = write_new(cli->generate_path, text, size);
    free(text);
    return status;
}
