#include "docs.h"

#include "build_config.h"
#include "config/cli.h"
#include "config/options.h"

#include <string.h>

#define PROGRAM "vr180-streaming"

/* Options and flags alike, as the command line shows them. */
struct argument {
    const char *name, *metavar, *help;
    char letter;
    const struct vsm_option *option; /* NULL for a flag */
};

static int argument_count(void)
{
    return vsm_options_count + vsm_cli_flags_count;
}

/* The i-th argument; false if the option has none of its own. */
static bool argument_at(int i, struct argument *a)
{
    if (i < vsm_options_count) {
        const struct vsm_option *option = &vsm_options_table[i];

        *a = (struct argument){option->flag, option->metavar, option->help, option->letter, option};
        return option->flag != NULL;
    }
    i -= vsm_options_count;
    *a = (struct argument){vsm_cli_flags[i].name, vsm_cli_flags[i].metavar, vsm_cli_flags[i].help,
                           vsm_cli_flags[i].letter, NULL};
    return true;
}

/* Whether the i-th option begins a section, whose name has *length bytes. */
static bool begins_section(int i, int *length)
{
    const char *key = vsm_options_table[i].key;

    *length = (int)strcspn(key, ".");
    return i == 0 || strncmp(vsm_options_table[i - 1].key, key, (size_t)*length + 1) != 0;
}

/* Text with every byte of `special` preceded by `escape`. */
static void print_escaped(FILE *out, const char *text, const char *special, const char *escape)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            fputs(escape, out);
        fputc(*text, out);
    }
}

/* Text for groff: hyphens are minus signs to copy, and no line is a request. */
static void print_roff(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
    }
}

static void man_subcommands(FILE *out)
{
    fputs(".SH SUBCOMMANDS\n"
          "The first argument may be one of these words; an input of such a name is written ./NAME.\n",
          out);
    for (int i = 0; i < vsm_cli_subcommands_count; i++) {
        fputs(".TP\n.B ", out);
        print_roff(out, vsm_cli_subcommands[i].name);
        fputc('\n', out);
        print_roff(out, vsm_cli_subcommands[i].help);
        fputc('\n', out);
    }
}

static void man_arguments(FILE *out)
{
    struct argument a;

    fputs(".SH OPTIONS\n", out);
    for (int i = 0; i < argument_count(); i++) {
        if (!argument_at(i, &a))
            continue;
        fputs(".TP\n", out);
        if (a.letter)
            fprintf(out, "\\fB\\-%c\\fR, ", a.letter);
        fputs("\\fB\\-\\-", out);
        print_roff(out, a.name);
        fputs("\\fR", out);
        if (a.metavar)
            fprintf(out, " \\fI%s\\fR", a.metavar);
        fputc('\n', out);
        print_roff(out, a.help);
        if (a.option)
            fprintf(out, "\nThe same as \\fB%s\\fR.", a.option->key);
        fputc('\n', out);
    }
}

static void man_key(FILE *out, const struct vsm_option *option)
{
    fprintf(out, ".TP\n\\fB%s\\fR\n", option->key);
    print_roff(out, option->help);
    fputs("\nTakes ", out);
    vsm_options_print_allowed(out, option);
    fprintf(out, "%s%s.\nDefault: ", option->unit ? "; unit: " : "", option->unit ? option->unit : "");
    vsm_options_print_default(out, option);
    fputs(".\n", out);
    if (option->today) {
        fputs("This build can only do ", out);
        vsm_options_print_today(out, option);
        fputs("; it does not have ", out);
        print_roff(out, option->needs);
        fputs(".\n", out);
    }
}

static void man_configuration(FILE *out)
{
    int length;

    fputs(".SH CONFIGURATION\n"
          "A configuration file is YAML: a mapping of sections, each a mapping of keys to single values.\n"
          "Every key may be left out; unknown keys are errors.\n"
          "Relative paths start from the folder in which the program is run.\n",
          out);
    for (int i = 0; i < vsm_options_count; i++) {
        if (begins_section(i, &length))
            fprintf(out, ".SS %.*s\n", length, vsm_options_table[i].key);
        man_key(out, &vsm_options_table[i]);
    }
}

void vsm_docs_man(FILE *out)
{
    fprintf(out, ".TH VR180\\-STREAMING 1 \"\" \"vr180\\-streaming %s\" \"User Commands\"\n", VSM_VERSION);
    fputs(".SH NAME\n"
          "vr180\\-streaming \\- matte the people in both eyes of a VR180 video\n"
          ".SH SYNOPSIS\n"
          ".B vr180\\-streaming\n"
          "[\\fICONFIG.yaml\\fR] [\\fIINPUT\\fR] [\\fIOPTION\\fR]...\n"
          ".br\n"
          ".B vr180\\-streaming\n"
          "\\fB\\-\\-generate\\-config\\fR \\fIPATH\\fR\n",
          out);
    for (int i = 0; i < vsm_cli_subcommands_count; i++) {
        fputs(".br\n.B vr180\\-streaming\n", out);
        print_roff(out, vsm_cli_subcommands[i].usage);
        fputc('\n', out);
    }
    fputs(".SH DESCRIPTION\n"
          "Reads a stereo VR180 video, finds the people in it, and writes them over a key colour, as a\n"
          "matte, with an alpha plane or packed for VR players, also several of these in one run, frame by\n"
          "frame in constant memory.\n"
          "A job that was stopped goes on where it was when the same command is given again.\n"
          ".PP\n"
          "The settings come from the defaults, then from \\fICONFIG.yaml\\fR, then from the arguments; the\n"
          "later one wins.\n"
          "An argument that ends in .yaml or .yml is the configuration file, any other is the input.\n",
          out);
    man_subcommands(out);
    man_arguments(out);
    man_configuration(out);
    fputs(".SH EXIT STATUS\n", out);
    for (int i = 0; i < vsm_cli_exits_count; i++) {
        fprintf(out, ".TP\n.B %d\n", vsm_cli_exits[i].code);
        print_roff(out, vsm_cli_exits[i].meaning);
        fputc('\n', out);
    }
    fputs(".SH EXAMPLES\n"
          "Green screen beside the input, under the name that VR players expect:\n"
          ".PP\n.RS\n.nf\nvr180\\-streaming clip_LR_180.mp4\n.fi\n.RE\n.PP\n"
          "Green screen and matte in one run, at better quality:\n"
          ".PP\n.RS\n.nf\n"
          "vr180\\-streaming clip.mp4 \\-o out.mp4 \\-\\-set output.format=green+matte \\-\\-set "
          "output.crf=16\n"
          ".fi\n.RE\n.PP\n"
          "What would be done, and with what:\n"
          ".PP\n.RS\n.nf\nvr180\\-streaming job.yaml \\-\\-dry\\-run\n.fi\n.RE\n",
          out);
}

static void bash_values(FILE *out, const struct vsm_option *option)
{
    if (option->type == VSM_OPTIONS_BOOL)
        fputs("true false", out);
    for (int i = 0; option->choices && option->choices[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", option->choices[i]);
}

/* Branches of the `case` on the word before: values of an option, and of KEY= after --set. */
static void bash_value_cases(FILE *out)
{
    for (int i = 0; i < vsm_options_count; i++) {
        const struct vsm_option *option = &vsm_options_table[i];

        if (!option->choices && option->type != VSM_OPTIONS_BOOL && !option->flag &&
            option->type != VSM_OPTIONS_PATH)
            continue;
        fputs("    ", out);
        if (option->letter)
            fprintf(out, "-%c | ", option->letter);
        if (option->flag)
            fprintf(out, "--%s | ", option->flag);
        fprintf(out, "%s)\n", option->key);
        if (option->choices || option->type == VSM_OPTIONS_BOOL) {
            fputs("        mapfile -t COMPREPLY < <(compgen -W '", out);
            bash_values(out, option);
            fputs("' -- \"$cur\")\n", out);
        } else if (option->type == VSM_OPTIONS_PATH) {
            fputs("        _vr180_streaming_files \"$cur\"\n", out);
        }
        fputs("        return ;;\n", out);
    }
}

/* Completion of a word that is no value: an option, a file, or a subcommand and its verbs. */
static void bash_words(FILE *out)
{
    struct argument a;

    fputs("    if [[ $cur == -* ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W '",
          out);
    for (int i = 0, n = 0; i < argument_count(); i++) {
        if (!argument_at(i, &a))
            continue;
        fprintf(out, "%s--%s", n++ ? " " : "", a.name);
        if (a.letter)
            fprintf(out, " -%c", a.letter);
    }
    fputs("' -- \"$cur\")\n"
          "    elif [[ $COMP_CWORD == 2 && $prev == models ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W 'list pull import verify remove' -- \"$cur\")\n"
          "    else\n"
          "        _vr180_streaming_files \"$cur\"\n"
          "        if [[ $COMP_CWORD == 1 ]]; then\n"
          "            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W '",
          out);
    for (int i = 0; i < vsm_cli_subcommands_count; i++)
        fprintf(out, "%s%s", i ? " " : "", vsm_cli_subcommands[i].name);
    fputs("' -- \"$cur\")\n"
          "        fi\n"
          "    fi\n",
          out);
}

void vsm_docs_bash(FILE *out)
{
    fputs("# bash completion for " PROGRAM "\n"
          "_vr180_streaming_files() {\n"
          "    compopt -o filenames 2>/dev/null\n"
          "    mapfile -t COMPREPLY < <(compgen -f -- \"$1\")\n"
          "}\n"
          "_vr180_streaming() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    COMPREPLY=()\n"
          "    # Bash cuts --name=value and --set KEY=VALUE at the equals sign.\n"
          "    if [[ $cur == = ]]; then\n"
          "        cur=\n"
          "    elif [[ $prev == = ]]; then\n"
          "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    fi\n"
          "    case $prev in\n",
          out);
    bash_value_cases(out);
    fputs("    --set)\n"
          "        compopt -o nospace 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -S = -W '",
          out);
    for (int i = 0; i < vsm_options_count; i++)
        fprintf(out, "%s%s", i ? " " : "", vsm_options_table[i].key);
    fputs("' -- \"$cur\")\n"
          "        return ;;\n"
          "    --generate-config)\n"
          "        _vr180_streaming_files \"$cur\"\n"
          "        return ;;\n"
          "    esac\n",
          out);
    bash_words(out);
    fputs("}\n"
          "complete -F _vr180_streaming " PROGRAM "\n",
          out);
}

static void zsh_quoted(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void zsh_argument(FILE *out, const struct argument *a)
{
    if (a->letter)
        fprintf(out, "        '(-%c --%s)'{-%c%s,--%s%s}'[", a->letter, a->name, a->letter,
                a->metavar ? "+" : "", a->name, a->metavar ? "=" : "");
    else
        fprintf(out, "        '%s--%s%s[", strcmp(a->name, "set") == 0 ? "*" : "", a->name,
                a->metavar ? "=" : "");
    zsh_quoted(out, a->help);
    fputc(']', out);
    if (a->metavar) {
        fprintf(out, ":%s:", a->metavar);
        if (a->option && a->option->choices) {
            fputc('(', out);
            bash_values(out, a->option);
            fputc(')', out);
        } else if (a->option ? a->option->type == VSM_OPTIONS_PATH
                             : strcmp(a->name, "generate-config") == 0) {
            fputs("_files", out);
        } else if (strcmp(a->name, "set") == 0) {
            fputs("_vr180_streaming_key", out);
        }
    }
    fputs("' \\\n", out);
}

static void zsh_first(FILE *out)
{
    fputs("_vr180_streaming_first() {\n"
          "    _alternative 'commands:subcommand:(",
          out);
    for (int i = 0; i < vsm_cli_subcommands_count; i++)
        fprintf(out, "%s%s", i ? " " : "", vsm_cli_subcommands[i].name);
    fputs(")' 'files:file:_files'\n}\n", out);
}

void vsm_docs_zsh(FILE *out)
{
    struct argument a;

    fputs("#compdef " PROGRAM "\n"
          "_vr180_streaming_key() {\n"
          "    local -a keys\n"
          "    if compset -P '*='; then\n"
          "        case ${IPREFIX##*set=} in\n",
          out);
    for (int i = 0; i < vsm_options_count; i++) {
        const struct vsm_option *option = &vsm_options_table[i];

        if (option->choices || option->type == VSM_OPTIONS_BOOL) {
            fprintf(out, "        %s=) compadd ", option->key);
            bash_values(out, option);
            fputs(" ;;\n", out);
        }
    }
    fputs("        *) _files ;;\n"
          "        esac\n"
          "        return\n"
          "    fi\n"
          "    keys=(\n",
          out);
    for (int i = 0; i < vsm_options_count; i++) {
        fprintf(out, "        '%s:", vsm_options_table[i].key);
        zsh_quoted(out, vsm_options_table[i].help);
        fputs("'\n", out);
    }
    fputs("    )\n"
          "    _describe -t keys key keys -qS =\n"
          "}\n",
          out);
    zsh_first(out);
    fputs("_vr180_streaming() {\n"
          "    _arguments -s -S \\\n",
          out);
    for (int i = 0; i < argument_count(); i++) {
        if (argument_at(i, &a))
            zsh_argument(out, &a);
    }
    fputs("        '1:subcommand or file:_vr180_streaming_first' \\\n"
          "        '*:file:_files'\n"
          "}\n"
          "_vr180_streaming \"$@\"\n",
          out);
}

static void markdown_row(FILE *out, const struct vsm_option *option)
{
    fprintf(out, "| `%s` | ", option->key);
    vsm_options_print_allowed(out, option);
    fprintf(out, " | %s | ", option->unit ? option->unit : "");
    if (*option->initial)
        fprintf(out, "`%s`", option->initial);
    else
        fprintf(out, "empty: %s", option->empty);
    fputs(" | ", out);
    print_escaped(out, option->help, "|*", "\\");
    if (option->flag)
        fprintf(out, " Also `--%s`%s%.1s%s.", option->flag, option->letter ? ", `-" : "",
                option->letter ? &option->letter : "", option->letter ? "`" : "");
    if (option->today) {
        fputs(" *This build: only ", out);
        vsm_options_print_today(out, option);
        fprintf(out, "; it does not have %s.*", option->needs);
    }
    fputs(" |\n", out);
}

void vsm_docs_markdown(FILE *out)
{
    int length;

    fputs("# Settings\n\n"
          "<!-- Made from src/config/options_table.c by build/tools/generate_docs markdown; a test compares. "
          "-->\n\n"
          "Each key can stand in a YAML file (`vr180-streaming --generate-config job.yaml` writes one with "
          "everything explained) and can be set with `--set KEY=VALUE`. Defaults are overridden by the file, "
          "the file by the arguments. Relative paths start from the folder in which the program is run. "
          "Unknown keys, wrong types and values out of range are errors with file, line and column.\n\n"
          "A setting that this build cannot honour is refused and never ignored. To load a file that asks "
          "for one, override it, for example with `--set processing.adaptive_scaling=false`.\n",
          out);
    for (int i = 0; i < vsm_options_count; i++) {
        if (begins_section(i, &length))
            fprintf(out,
                    "\n## %.*s\n\n| key | takes | unit | default | what it does |\n|---|---|---|---|---|\n",
                    length, vsm_options_table[i].key);
        markdown_row(out, &vsm_options_table[i]);
    }
}
