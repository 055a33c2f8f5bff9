#include "config/options_value.h"

#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_LIMIT 64
#define PATH_LIMIT 4095
#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

static void *field(struct vsm_config *config, const struct vsm_option *option)
{
    return (char *)config + option->offset;
}

static struct vsm_options_value load(const struct vsm_config *config, const struct vsm_option *option)
{
    const void *from = (const char *)config + option->offset;
    struct vsm_options_value v = {0};

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

int vsm_options_value_store(struct vsm_config *config, const struct vsm_option *option,
                            const struct vsm_options_value *v)
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

static const char *parse_bool(const char *text, struct vsm_options_value *v)
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

static const char *parse_integer(const struct vsm_option *option, const char *text,
                                 struct vsm_options_value *v)
{
    const char *digits = text + (*text == '-');

    if (!*digits || digits[strspn(digits, "0123456789")])
        return "is not a whole number";
    v->integer = strtoll(text, NULL, 10); /* saturates, which is out of every range */
    return in_range(option, (double)v->integer) ? NULL : "is out of range";
}

static const char *parse_real(const struct vsm_option *option, const char *text, struct vsm_options_value *v)
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

static const char *parse_rate(const struct vsm_option *option, const char *text, struct vsm_options_value *v)
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

static const char *parse_choice(const struct vsm_option *option, const char *text,
                                struct vsm_options_value *v)
{
    for (int i = 0; option->choices[i]; i++) {
        if (strcasecmp(text, option->choices[i]) == 0) {
            v->integer = i;
            return NULL;
        }
    }
    return "is not known";
}

static const char *parse_set(const struct vsm_option *option, const char *text, struct vsm_options_value *v)
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

static const char *parse_color(const char *text, struct vsm_options_value *v)
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

static const char *parse_text(const struct vsm_option *option, const char *text, struct vsm_options_value *v)
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

const char *vsm_options_value_parse(const struct vsm_option *option, const char *text,
                                    struct vsm_options_value *v)
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

void vsm_options_value_free(struct vsm_config *config, const struct vsm_option *option)
{
    if (option->type == VSM_OPTIONS_NAME || option->type == VSM_OPTIONS_PATH ||
        option->type == VSM_OPTIONS_TEXT)
        vsm_mem_free(*(char **)field(config, option));
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
    struct vsm_options_value v = load(config, option);

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

bool vsm_options_equal(const struct vsm_option *option, const struct vsm_config *a,
                       const struct vsm_config *b)
{
    struct vsm_options_value x = load(a, option), y = load(b, option);

    if (!x.text || !y.text)
        return x.text == y.text && x.real == y.real && x.integer == y.integer;
    return strcmp(x.text, y.text) == 0;
}
