#include "config/yaml_template.h"

#include "build_config.h"
#include "config/utf8.h"
#include "config/wrap.h"

#include <string.h>

#define COMMENT_WIDTH 100

static void print_comment(FILE *out, const struct vsm_option *option)
{
    fputs("  # ", out);
    vsm_wrap_print(out, option->help, "  # ", 4, COMMENT_WIDTH);
    fputs("  # ", out);
    vsm_options_print_allowed(out, option);
    fprintf(out, "%s%s; default: ", option->unit ? "; unit: " : "", option->unit ? option->unit : "");
    vsm_options_print_default(out, option);
    fputc('\n', out);
    if (option->today) {
        fputs("  # This build: only ", out);
        vsm_options_print_today(out, option);
        fprintf(out, " (it does not have %s)\n", option->needs);
    }
}

/* A double-quoted scalar. Only what YAML counts as printable goes out unescaped. */
static int print_quoted(FILE *out, const char *key, const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t left = text ? strlen(text) : 0, length;

    fputc('"', out);
    for (; left > 0; s += length, left -= length) {
        length = vsm_utf8_length(s, left);
        if (length == 0)
            return vsm_fail(VSM_E_USAGE,
                            "%s: the path is not UTF-8, so it cannot be in a configuration file; rename it",
                            key);
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7F)
            fprintf(out, "\\x%02X", *s);
        else if (length == 2 && s[0] == 0xC2 && s[1] < 0xA0)
            fprintf(out, "\\x%02X", s[1]);
        else if (length == 3 && s[0] == 0xEF && (s[1] == 0xBB || s[1] == 0xBF) && s[2] >= 0xBE)
            fprintf(out, "\\u%04X", (s[0] & 0xFu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu));
        else
            fwrite(s, 1, length, out);
    }
    fputc('"', out);
    return VSM_OK;
}

static int print_value(FILE *out, const struct vsm_config *config, const struct vsm_option *option)
{
    bool quoted = option->type == VSM_OPTIONS_COLOR;

    if (option->type == VSM_OPTIONS_PATH || option->type == VSM_OPTIONS_NAME ||
        option->type == VSM_OPTIONS_TEXT)
        return print_quoted(out, option->key, *(char *const *)((const char *)config + option->offset));
    fputs(quoted ? "\"" : "", out);
    vsm_options_print(out, config, option);
    fputs(quoted ? "\"" : "", out);
    return VSM_OK;
}

int vsm_yaml_template_print(FILE *out, const struct vsm_config *config)
{
    const char *section = "";
    size_t length = 0;

    fprintf(out, "# Settings of vr180-streaming %s. Every key may be left out.\n", VSM_VERSION);
    fprintf(out, "# Relative paths start from the folder in which the program is run.\n");
    for (int i = 0; i < vsm_options_count; i++) {
        const struct vsm_option *option = &vsm_options_table[i];
        const char *name = strchr(option->key, '.') + 1;
        int status;

        if (strncmp(section, option->key, length) != 0 || length == 0) {
            section = option->key;
            length = (size_t)(name - option->key);
            fprintf(out, "\n%.*s:\n", (int)length - 1, section);
        }
        print_comment(out, option);
        fprintf(out, "  %s: ", name);
        status = print_value(out, config, option);
        fputc('\n', out);
        if (status != VSM_OK)
            return status;
    }
    return VSM_OK;
}
