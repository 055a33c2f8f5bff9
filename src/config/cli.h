/* The command line: defaults, then the configuration file, then the arguments, the later one winning.
 *
 *   vr180-streaming [CONFIG.yaml] [INPUT] [OPTION]...
 *   vr180-streaming --generate-config PATH [OPTION]...
 *   vr180-streaming SUBCOMMAND ...
 *
 * A positional argument that ends in .yaml or .yml is the configuration file, any other is the input
 * (input.path). Arguments beat the file wherever they stand; of the same setting twice on the command
 * line the last counts. "--name value" and "--name=value" are the same, "--" ends the options. Names
 * are not abbreviated.
 */
#ifndef VSM_CONFIG_CLI_H
#define VSM_CONFIG_CLI_H

#include "base/status.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdio.h>

enum vsm_cli_command { VSM_CLI_RUN, VSM_CLI_HELP, VSM_CLI_VERSION, VSM_CLI_GENERATE_CONFIG };

/* What to do with a checkpoint beside the output. */
enum vsm_cli_resume {
    VSM_CLI_RESUME_AUTO, /* as recovery.auto_resume says */
    VSM_CLI_RESUME,      /* --resume: go on; an error if there is none */
    VSM_CLI_RESTART,     /* --restart: discard it */
};

struct vsm_cli {
    enum vsm_cli_command command;
    struct vsm_config config;
    char *config_path;   /* owned; NULL: no configuration file */
    char *generate_path; /* owned; with VSM_CLI_GENERATE_CONFIG */
    bool force;          /* --force: --generate-config may overwrite */
    bool dry_run;
    enum vsm_cli_resume resume;
};

/* An option of the command line that is no setting. */
struct vsm_cli_flag {
    const char *name;    /* without the dashes */
    char letter;         /* 0 = none */
    const char *metavar; /* NULL = takes no value */
    const char *help;
};

extern const struct vsm_cli_flag vsm_cli_flags[];
extern const int vsm_cli_flags_count;

/* A first argument that is no input: the program does something else then, with the arguments behind it. This
 * module only describes subcommands; app/main.c looks for them before anything is parsed. */
struct vsm_cli_subcommand {
    const char *name;
    const char *usage; /* with the name */
    const char *help;
};

#define VSM_CLI_STATUS_USAGE "status OUTPUT"
#define VSM_CLI_DOCTOR_USAGE "doctor [--models-dir DIR]"
#define VSM_CLI_MODELS_USAGE                                                                                 \
    "models list | pull NAME | import FILE | verify [NAME] | remove NAME | clear-cache [--models-dir DIR]"

extern const struct vsm_cli_subcommand vsm_cli_subcommands[];
extern const int vsm_cli_subcommands_count;

/* The exit codes of base/status.h in words, for --help and the man page. */
struct vsm_cli_exit {
    int code;
    const char *meaning;
};

extern const struct vsm_cli_exit vsm_cli_exits[];
extern const int vsm_cli_exits_count;

/* Parses the arguments and reads the configuration file. VSM_E_USAGE with a message that says what to do,
 * or VSM_E_NOMEM; then there is nothing to free. For VSM_CLI_RUN the settings are complete: input.path is
 * set and vsm_options_check() passed. --help and --version win over everything else. argv is borrowed
 * during the call. */
int vsm_cli_parse(int argc, char *const *argv, struct vsm_cli *cli) VSM_NODISCARD;

/* Frees what the struct owns and zeroes it; a zeroed struct is allowed. */
void vsm_cli_finish(struct vsm_cli *cli);

/* The text of --help. Write errors: ferror(out). */
void vsm_cli_print_help(FILE *out);

/* Carries out VSM_CLI_GENERATE_CONFIG: writes the settings, as the arguments changed them, to
 * generate_path. VSM_E_OUTPUT if the file is there already (and no --force) or cannot be written; then no
 * part of it remains. */
int vsm_cli_generate_config(const struct vsm_cli *cli) VSM_NODISCARD;

#endif
