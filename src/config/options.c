#include "config/options.h"

#include "base/mem.h"
#include "config/options_value.h"
#include "config/spelling.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The beginning of a text that may be anything, fit for a terminal. */
static const char *shown(const char *text, char buffer[80])
{
    size_t length = 0;

    for (; text[length] && length < 76; length++)
        buffer[length] = (unsigned char)text[length] < 0x20 || text[length] == 0x7F ? '?' : text[length];
    strcpy(buffer + length, text[length] ? "..." : "");
    return buffer;
}

/* "FILE:LINE:COLUMN: ", "--scale: " or nothing. */
static const char *origin_text(const struct vsm_options_origin *origin, char *buffer, size_t size)
{
    if (!origin || !origin->name)
        return "";
    if (origin->line)
        snprintf(buffer, size, "%s:%d:%d: ", origin->name, origin->line, origin->column);
    else
        snprintf(buffer, size, "%s: ", origin->name);
    return buffer;
}

int vsm_options_set(struct vsm_config *config, const struct vsm_option *option, const char *text,
                    const struct vsm_options_origin *origin)
{
    struct vsm_options_value v = {0};
    const char *wrong = vsm_options_value_parse(option, text, &v);
    char where[512], value[80], allowed[256] = "", why[256];
    FILE *out;

    if (!wrong)
        return vsm_options_value_store(config, option, &v);
    snprintf(why, sizeof(why), "%s", wrong); /* it may be the last message */
    out = fmemopen(allowed, sizeof(allowed), "w");
    if (!out)
        return vsm_fail_nomem(option->key, sizeof(allowed));
    vsm_options_print_allowed(out, option);
    fclose(out);
    if (option->check)
        return vsm_fail(VSM_E_USAGE, "%s%s: %s; use %s", origin_text(origin, where, sizeof(where)),
                        option->key, why, allowed);
    return vsm_fail(VSM_E_USAGE, "%s%s: \"%s\" %s; use %s", origin_text(origin, where, sizeof(where)),
                    option->key, shown(text, value), why, allowed);
}

int vsm_options_defaults(struct vsm_config *config)
{
    int status = VSM_OK;

    *config = (struct vsm_config){0};
    for (int i = 0; i < vsm_options_count && status == VSM_OK; i++)
        status = vsm_options_set(config, &vsm_options_table[i], vsm_options_table[i].initial, NULL);
    if (status != VSM_OK)
        vsm_options_finish(config);
    return status;
}

void vsm_options_finish(struct vsm_config *config)
{
    for (int i = 0; i < vsm_options_count; i++)
        vsm_options_value_free(config, &vsm_options_table[i]);
    *config = (struct vsm_config){0};
}

const struct vsm_option *vsm_options_find(const char *key)
{
    for (int i = 0; i < vsm_options_count; i++) {
        if (strcmp(vsm_options_table[i].key, key) == 0)
            return &vsm_options_table[i];
    }
    return NULL;
}

static const char *name_of(const char *key)
{
    const char *dot = strrchr(key, '.');

    return dot ? dot + 1 : key;
}

const char *vsm_options_suggest(const char *key)
{
    int best = INT_MAX, best_name = INT_MAX;
    const char *nearest = NULL;

    for (int i = 0; i < vsm_options_count; i++) {
        const char *candidate = vsm_options_table[i].key;
        int distance = vsm_spelling_distance(key, candidate);
        int distance_name = vsm_spelling_distance(name_of(key), name_of(candidate));
        bool near = distance_name == 0 || (strlen(key) > 2 && strncmp(key, candidate, strlen(key)) == 0) ||
                    (distance_name <= vsm_spelling_tolerance(name_of(key)) &&
                     distance <= vsm_spelling_tolerance(key));

        if (near && (distance_name < best_name || (distance_name == best_name && distance < best))) {
            best = distance;
            best_name = distance_name;
            nearest = candidate;
        }
    }
    return nearest;
}

void vsm_options_print_default(FILE *out, const struct vsm_option *option)
{
    if (*option->initial)
        fputs(option->initial, out);
    else
        fprintf(out, "empty (%s)", option->empty);
}

void vsm_options_print_today(FILE *out, const struct vsm_option *option)
{
    for (const char *c = option->today; c && *c; c++) {
        if (*c == '|')
            fputs(" or ", out);
        else
            fputc(*c, out);
    }
}

/* Whether `value` is one of the |-separated words. */
static bool is_listed(const char *words, const char *value)
{
    size_t length = strlen(value);

    for (const char *word = words; word; word = strchr(word, '|')) {
        word += *word == '|';
        if (strncmp(word, value, length) == 0 && (word[length] == '|' || !word[length]))
            return true;
    }
    return false;
}

/* Adds a line to `out` if the option asks for what this build cannot do. */
static bool print_unavailable(FILE *out, const struct vsm_config *config, const struct vsm_option *option,
                              const struct vsm_options_origin *origin)
{
    char value[64] = "", where[512];
    FILE *text;

    if (!option->today)
        return false;
    text = fmemopen(value, sizeof(value), "w");
    if (!text)
        return true;
    vsm_options_print(text, config, option);
    fclose(text);
    if (is_listed(option->today, value))
        return false;
    fprintf(out, "\n  %s%s: %s is not possible, this build does not have %s; set it to ",
            origin_text(origin, where, sizeof(where)), option->key, value, option->needs);
    vsm_options_print_today(out, option);
    return true;
}

static int check_available(const struct vsm_config *config, const struct vsm_options_origin *origins)
{
    char *lines = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&lines, &size);
    int count = 0, status = VSM_OK;

    if (!out)
        return vsm_fail_nomem("list of settings", 0);
    for (int i = 0; i < vsm_options_count; i++)
        count += print_unavailable(out, config, &vsm_options_table[i], origins ? &origins[i] : NULL);
    if (fclose(out) != 0)
        status = vsm_fail_nomem("list of settings", size);
    else if (count == 1)
        status = vsm_fail(VSM_E_USAGE, "%s", lines + strspn(lines, "\n "));
    else if (count > 1)
        status = vsm_fail(VSM_E_USAGE, "%d settings ask for what this build cannot do:%s", count, lines);
    free(lines);
    return status;
}

int vsm_options_check(const struct vsm_config *config, const struct vsm_options_origin *origins)
{
    int status = check_available(config, origins);

    if (status != VSM_OK)
        return status;
    if (config->output.bitrate > 0 && config->output.crf != VSM_CONFIG_AUTO)
        return vsm_fail(VSM_E_USAGE,
                        "output.crf and output.bitrate exclude each other; set crf to auto or bitrate to 0");
    if (config->logging.progress_file && config->logging.progress != VSM_CONFIG_PROGRESS_JSON &&
        config->logging.progress != VSM_CONFIG_PROGRESS_NONE)
        return vsm_fail(VSM_E_USAGE,
                        "logging.progress_file is used with JSON only; set logging.progress to json");
    if (config->matting.model == VSM_CONFIG_MODEL_RVM && config->matting.continuous_correction)
        return vsm_fail(VSM_E_USAGE,
                        "matting.continuous_correction corrects the tracker, and matting.model rvm has "
                        "none; set it to sam2 or sam2+rvm");
    if (config->matting.model == VSM_CONFIG_MODEL_SAM2 && config->processing.adaptive_scaling)
        return vsm_fail(VSM_E_USAGE,
                        "processing.adaptive_scaling adapts the matter's grid, and matting.model sam2 has no "
                        "matter; set it to false");
    if (config->matting.model == VSM_CONFIG_MODEL_RVM && config->matting.prompts)
        return vsm_fail(VSM_E_USAGE,
                        "matting.prompts are for the tracker, and matting.model rvm has none; set it to "
                        "sam2 or sam2+rvm");
    return VSM_OK;
}

int vsm_options_canonical(const struct vsm_config *config, char **text)
{
    char *lines = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&lines, &size);

    if (!out)
        return vsm_fail_nomem("settings", 0);
    for (int i = 0; i < vsm_options_count; i++) {
        const struct vsm_option *option = &vsm_options_table[i];

        if (!option->in_hash)
            continue;
        fprintf(out, "%s=", option->key);
        vsm_options_print(out, config, option);
        fputc('\n', out);
    }
    if (fclose(out) != 0) {
        free(lines);
        return vsm_fail_nomem("settings", size);
    }
    *text = vsm_mem_string("settings", lines);
    free(lines);
    return *text ? VSM_OK : VSM_E_NOMEM;
}

int vsm_options_hash(const struct vsm_config *config, struct vsm_sha256 *hash)
{
    char *text;
    int status = vsm_options_canonical(config, &text);

    if (status != VSM_OK)
        return status;
    status = vsm_hash_sha256(text, strlen(text), hash);
    vsm_mem_free(text);
    return status;
}
