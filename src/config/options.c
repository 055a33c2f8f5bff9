#include "config/options.h"

#include "base/mem.h"
#include "config/spelling.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_LIMIT 64
#define PATH_LIMIT 4095
#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

/* A value outside the struct: what parsing makes and printing reads. */
struct value {
    double real;
    int64_t integer; /* also bool, choice and colour */
    const char *text;
};

static void *field(struct vsm_config *config, const struct vsm_option *option)
{
    return (char *)config + option->offset;
}

static struct value load(const struct vsm_config *config, const struct vsm_option *option)
{
    const void *from = (const char *)config + option->offset;
    struct value v = {0};

    switch (option->type) {
    case VSM_OPTIONS_BOOL:
        v.integer = *(const bool *)from;
        break;
    case VSM_OPTIONS_INT:
    case VSM_OPTIONS_CHOICE:
        v.integer = *(const int *)from;
        break;
    case VSM_OPTIONS_SET:
        v.integer = *(const unsigned *)from;
        break;
    case VSM_OPTIONS_COUNT:
    case VSM_OPTIONS_RATE:
        v.integer = *(const int64_t *)from;
        break;
    case VSM_OPTIONS_REAL:
        v.real = *(const double *)from;
        break;
    case VSM_OPTIONS_NAME:
    case VSM_OPTIONS_PATH:
    case VSM_OPTIONS_TEXT:
        v.text = *(char *const *)from;
        break;
    case VSM_OPTIONS_COLOR:
        v.integer = *(const uint32_t *)from;
        break;
    }
    return v;
}

static int store(struct vsm_config *config, const struct vsm_option *option, const struct value *v)
{
    void *to = field(config, option);
    char *copy;

    switch (option->type) {
    case VSM_OPTIONS_BOOL:
        *(bool *)to = v->integer != 0;
        break;
    case VSM_OPTIONS_INT:
    case VSM_OPTIONS_CHOICE:
        *(int *)to = (int)v->integer;
        break;
    case VSM_OPTIONS_SET:
        *(unsigned *)to = (unsigned)v->integer;
        break;
    case VSM_OPTIONS_COUNT:
    case VSM_OPTIONS_RATE:
        *(int64_t *)to = v->integer;
        break;
    case VSM_OPTIONS_REAL:
        *(double *)to = v->real;
        break;
    case VSM_OPTIONS_NAME:
    case VSM_OPTIONS_PATH:
    case VSM_OPTIONS_TEXT:
        copy = vsm_mem_string(option->key, v->text);
        if (v->text && !copy)
            return VSM_E_NOMEM;
        vsm_mem_free(*(char **)to);
        *(char **)to = copy;
        break;
    case VSM_OPTIONS_COLOR:
        *(uint32_t *)to = (uint32_t)v->integer;
        break;
    }
    return VSM_OK;
}

/* The parsers return what is wrong with the text, or NULL. */

static const char *parse_bool(const char *text, struct value *v)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            v->integer = (int64_t)(i % 2);
            return NULL;
        }
    }
    return "is neither true nor false";
}

static bool in_range(const struct vsm_option *option, double x)
{
    return x <= option->max && (option->min_excluded ? x > option->min : x >= option->min);
}

static const char *parse_integer(const struct vsm_option *option, const char *text, struct value *v)
{
    const char *digits = text + (*text == '-');

    if (!*digits || digits[strspn(digits, "0123456789")])
        return "is not a whole number";
    v->integer = strtoll(text, NULL, 10); /* saturates, which is out of every range */
    return in_range(option, (double)v->integer) ? NULL : "is out of range";
}

static const char *parse_real(const struct vsm_option *option, const char *text, struct value *v)
{
    char *end;

    if (option->automatic && strcasecmp(text, "auto") == 0) {
        v->real = VSM_CONFIG_AUTO;
        return NULL;
    }
    v->real = strtod(text, &end);
    /* strtod() also knows hexadecimal, infinity and leading space. */
    if (!*text || *end || text[strspn(text, "0123456789.eE+-")])
        return "is not a number";
    if (v->real == 0)
        v->real = 0; /* never -0: one value, one text */
    return in_range(option, v->real) ? NULL : "is out of range";
}

static const char *parse_rate(const struct vsm_option *option, const char *text, struct value *v)
{
    double number, scale;
    char *end;

    number = strtod(text, &end);
    if (!*text || end == text || strspn(text, "0123456789.") != (size_t)(end - text))
        return "is not a number, with k, M or G where wanted";
    scale = *end == 'k' || *end == 'K' ? 1e3 : *end == 'M' ? 1e6 : *end == 'G' ? 1e9 : 1;
    if (end[scale > 1])
        return "is not a number, with k, M or G where wanted";
    if (!in_range(option, number * scale))
        return "is out of range";
    v->integer = llrint(number * scale);
    return NULL;
}

static const char *parse_choice(const struct vsm_option *option, const char *text, struct value *v)
{
    for (int i = 0; option->choices[i]; i++) {
        if (strcasecmp(text, option->choices[i]) == 0) {
            v->integer = i;
            return NULL;
        }
    }
    return "is not known";
}

static const char *parse_set(const struct vsm_option *option, const char *text, struct value *v)
{
    size_t length;

    v->integer = 0;
    for (const char *at = text;; at += length + 1) {
        int i = 0;

        length = strcspn(at, "+");
        while (option->choices[i] &&
               (strlen(option->choices[i]) != length || strncasecmp(at, option->choices[i], length) != 0))
            i++;
        if (!option->choices[i])
            return "has a name that is not known";
        v->integer |= (int64_t)1 << i;
        if (!at[length])
            return NULL;
    }
}

static void print_set(FILE *out, const struct vsm_option *option, int64_t set)
{
    const char *joint = "";

    for (int i = 0; option->choices[i]; i++) {
        if (set >> i & 1) {
            fprintf(out, "%s%s", joint, option->choices[i]);
            joint = "+";
        }
    }
}

static const char *parse_color(const char *text, struct value *v)
{
    const char *digits = text;

    if (*text == '#')
        digits = text + 1;
    else if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        digits = text + 2;
    if (strlen(digits) != 6 || digits[strspn(digits, "0123456789abcdefABCDEF")])
        return "is not a colour";
    v->integer = strtoll(digits, NULL, 16);
    return NULL;
}

static const char *parse_text(const struct vsm_option *option, const char *text, struct value *v)
{
    bool name = option->type == VSM_OPTIONS_NAME;

    if (!*text && !option->empty)
        return "is empty";
    if (strlen(text) > (name                               ? NAME_LIMIT
                        : option->type == VSM_OPTIONS_TEXT ? VSM_OPTIONS_TEXT_LIMIT
                                                           : PATH_LIMIT))
        return "is too long";
    if (name && text[strspn(text, NAME_BYTES)])
        return "is not a name";
    if (option->check && option->check(text) != VSM_OK)
        return vsm_error_message();
    v->text = *text ? text : NULL;
    return NULL;
}

static const char *parse(const struct vsm_option *option, const char *text, struct value *v)
{
    switch (option->type) {
    case VSM_OPTIONS_BOOL:
        return parse_bool(text, v);
    case VSM_OPTIONS_INT:
    case VSM_OPTIONS_COUNT:
        return parse_integer(option, text, v);
    case VSM_OPTIONS_RATE:
        return parse_rate(option, text, v);
    case VSM_OPTIONS_REAL:
        return parse_real(option, text, v);
    case VSM_OPTIONS_CHOICE:
        return parse_choice(option, text, v);
    case VSM_OPTIONS_SET:
        return parse_set(option, text, v);
    case VSM_OPTIONS_COLOR:
        return parse_color(text, v);
    case VSM_OPTIONS_NAME:
    case VSM_OPTIONS_PATH:
    case VSM_OPTIONS_TEXT:
        return parse_text(option, text, v);
    }
    return "has no type";
}

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
    struct value v = {0};
    const char *wrong = parse(option, text, &v);
    char where[512], value[80], allowed[256] = "", why[256];
    FILE *out;

    if (!wrong)
        return store(config, option, &v);
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
    for (int i = 0; i < vsm_options_count; i++) {
        const struct vsm_option *option = &vsm_options_table[i];

        if (option->type == VSM_OPTIONS_NAME || option->type == VSM_OPTIONS_PATH ||
            option->type == VSM_OPTIONS_TEXT)
            vsm_mem_free(*(char **)field(config, option));
    }
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

/* The shortest decimal that reads back as the same double. */
static void print_real(FILE *out, double x)
{
    char text[32];

    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    fputs(text, out);
}

void vsm_options_print(FILE *out, const struct vsm_config *config, const struct vsm_option *option)
{
    struct value v = load(config, option);

    switch (option->type) {
    case VSM_OPTIONS_BOOL:
        fputs(v.integer ? "true" : "false", out);
        break;
    case VSM_OPTIONS_INT:
    case VSM_OPTIONS_COUNT:
    case VSM_OPTIONS_RATE:
        fprintf(out, "%" PRId64, v.integer);
        break;
    case VSM_OPTIONS_REAL:
        if (option->automatic && v.real == VSM_CONFIG_AUTO)
            fputs("auto", out);
        else
            print_real(out, v.real);
        break;
    case VSM_OPTIONS_CHOICE:
        fputs(option->choices[v.integer], out);
        break;
    case VSM_OPTIONS_SET:
        print_set(out, option, v.integer);
        break;
    case VSM_OPTIONS_NAME:
    case VSM_OPTIONS_PATH:
    case VSM_OPTIONS_TEXT:
        if (v.text)
            fputs(v.text, out);
        break;
    case VSM_OPTIONS_COLOR:
        fprintf(out, "#%06" PRIX32, (uint32_t)v.integer);
        break;
    }
}

void vsm_options_print_allowed(FILE *out, const struct vsm_option *option)
{
    switch (option->type) {
    case VSM_OPTIONS_BOOL:
        fputs("true or false", out);
        break;
    case VSM_OPTIONS_INT:
    case VSM_OPTIONS_COUNT:
    case VSM_OPTIONS_REAL:
        fprintf(out, option->min_excluded ? "above %.15g, up to %.15g" : "%.15g to %.15g", option->min,
                option->max);
        if (option->automatic)
            fputs(", or auto", out);
        break;
    case VSM_OPTIONS_RATE:
        fprintf(out, "%.15g to %.15gG, with k, M or G where wanted", option->min, option->max / 1e9);
        break;
    case VSM_OPTIONS_CHOICE:
    case VSM_OPTIONS_SET:
        for (int i = 0; option->choices[i]; i++)
            fprintf(out, "%s%s", i == 0 ? "" : option->choices[i + 1] ? ", " : " or ", option->choices[i]);
        if (option->type == VSM_OPTIONS_SET)
            fputs(", or several joined by +", out);
        break;
    case VSM_OPTIONS_NAME:
        fprintf(out, "letters, digits, _ - and . (at most %d)", NAME_LIMIT);
        break;
    case VSM_OPTIONS_PATH:
        fprintf(out, "a path (at most %d bytes)", PATH_LIMIT);
        break;
    case VSM_OPTIONS_TEXT:
        fputs(option->syntax, out);
        break;
    case VSM_OPTIONS_COLOR:
        fputs("RRGGBB in hexadecimal digits, such as \"#00B140\"", out);
        break;
    }
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

bool vsm_options_equal(const struct vsm_option *option, const struct vsm_config *a,
                       const struct vsm_config *b)
{
    struct value x = load(a, option), y = load(b, option);

    if (!x.text || !y.text)
        return x.text == y.text && x.real == y.real && x.integer == y.integer;
    return strcmp(x.text, y.text) == 0;
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
