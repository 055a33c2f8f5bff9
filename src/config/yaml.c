#include "config/yaml.h"

#include "base/file.h"
#include "base/mem.h"
#include "config/utf8.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* Longer than every key of the table; longer ones are unknown whatever they say. */
#define KEY_SIZE 128

struct level {
    size_t prefix;   /* bytes of the path that belong to the mapping itself */
    bool has_key;    /* a key was read, its value comes next */
    bool is_section; /* the key names a section, not an option */
};

struct reader {
    const char *name;
    struct vsm_config *config;
    struct vsm_options_origin *origins;
    bool seen[VSM_OPTIONS_MAX];         /* options given in this file */
    bool seen_section[VSM_OPTIONS_MAX]; /* sections begun, by the first option in them */
    char path[KEY_SIZE];                /* "section.key" of the value to come */
    int depth;                          /* open mappings */
    struct level levels[VSM_YAML_DEPTH_LIMIT];
    yaml_mark_t key_mark;
    const struct vsm_option *list; /* whose items come; NULL: none */
    yaml_mark_t list_mark;
    char *items; /* of the list so far, separated by "; " */
    size_t items_size;
    int documents;
};

static int fail_at(const struct reader *r, yaml_mark_t mark, const char *what)
{
    return vsm_fail(VSM_E_USAGE, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1, what);
}

/* 1-based line and column of a byte offset; columns count characters. */
static yaml_mark_t mark_of_offset(const uint8_t *data, size_t offset)
{
    yaml_mark_t mark = {.index = offset};

    for (size_t i = 0; i < offset; i++) {
        if (data[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if ((data[i] & 0xC0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

static int check_utf8(const struct reader *r, const uint8_t *data, size_t size)
{
    size_t length;

    for (size_t i = 0; i < size; i += length) {
        length = vsm_utf8_length(data + i, size - i);
        if (length == 0)
            return fail_at(r, mark_of_offset(data, i), "not UTF-8 text; save the file as UTF-8");
        if (data[i] == 0)
            return fail_at(r, mark_of_offset(data, i), "a zero byte; this is not a text file");
    }
    return VSM_OK;
}

/* Index of the first option in the section `path`, or -1 if there is no such section. */
static int find_section(const char *path)
{
    size_t length = strlen(path);

    for (int i = 0; i < vsm_options_count; i++) {
        if (strncmp(vsm_options_table[i].key, path, length) == 0 && vsm_options_table[i].key[length] == '.')
            return i;
    }
    return -1;
}

static int fail_unknown(const struct reader *r)
{
    const char *suggestion = vsm_options_suggest(r->path);

    if (suggestion)
        return vsm_fail(VSM_E_USAGE, "%s:%zu:%zu: unknown key %s; did you mean %s?", r->name,
                        r->key_mark.line + 1, r->key_mark.column + 1, r->path, suggestion);
    return vsm_fail(VSM_E_USAGE, "%s:%zu:%zu: unknown key %s; --help lists all keys", r->name,
                    r->key_mark.line + 1, r->key_mark.column + 1, r->path);
}

static int fail_twice(const struct reader *r)
{
    return vsm_fail(VSM_E_USAGE, "%s:%zu:%zu: %s is given twice; keep one", r->name, r->key_mark.line + 1,
                    r->key_mark.column + 1, r->path);
}

static int read_key(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    struct level *level = &r->levels[r->depth - 1];
    int section;

    r->key_mark = event->start_mark;
    for (size_t i = 0; i < event->data.scalar.length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return fail_at(r, event->start_mark, "a control character in a key");
    }
    snprintf(r->path + level->prefix, sizeof(r->path) - level->prefix, "%s%s", level->prefix ? "." : "",
             text);
    level->has_key = true;
    section = find_section(r->path);
    level->is_section = section >= 0;
    if (level->is_section) {
        if (r->seen_section[section])
            return fail_twice(r);
        r->seen_section[section] = true;
    } else if (!vsm_options_find(r->path)) {
        return fail_unknown(r);
    }
    return VSM_OK;
}

static bool is_null(const yaml_event_t *event)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    const char *text = (const char *)event->data.scalar.value;

    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

/* YAML's rule: only plain scalars can be numbers and truth values; quoted ones are text. */
static bool takes_text(const struct vsm_option *option)
{
    return option->type == VSM_OPTIONS_NAME || option->type == VSM_OPTIONS_PATH ||
           option->type == VSM_OPTIONS_CHOICE || option->type == VSM_OPTIONS_SET ||
           option->type == VSM_OPTIONS_COLOR || option->type == VSM_OPTIONS_TEXT || option->automatic;
}

static int fail_value(const struct reader *r, const yaml_event_t *event, const char *what)
{
    return vsm_fail(VSM_E_USAGE, "%s:%zu:%zu: %s: %s", r->name, event->start_mark.line + 1,
                    event->start_mark.column + 1, r->path, what);
}

static int read_value(struct reader *r, const yaml_event_t *event)
{
    struct level *level = &r->levels[r->depth - 1];
    const char *text = (const char *)event->data.scalar.value;
    const struct vsm_option *option;
    struct vsm_options_origin origin;

    level->has_key = false;
    if (level->is_section)
        return is_null(event) ? VSM_OK
                              : fail_value(r, event, "this is a section; put its keys under it, indented");
    option = vsm_options_find(r->path);
    if (!option)
        return fail_unknown(r);
    if (r->seen[option - vsm_options_table])
        return fail_twice(r);
    if (strlen(text) != event->data.scalar.length)
        return fail_value(r, event, "a zero byte in the value");
    if (is_null(event)) {
        if (option->type == VSM_OPTIONS_COLOR)
            return fail_value(r, event, "no value; a colour that begins with # must be in quotes");
        if (!option->empty)
            return fail_value(r, event, "no value; give one or remove the key");
        text = "";
    } else if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE &&
               (!takes_text(option) || (option->automatic && strcmp(text, "auto") != 0))) {
        return fail_value(r, event, "text in quotes; remove the quotes");
    }
    origin = (struct vsm_options_origin){r->name, (int)event->start_mark.line + 1,
                                         (int)event->start_mark.column + 1};
    r->seen[option - vsm_options_table] = true;
    r->origins[option - vsm_options_table] = origin;
    return vsm_options_set(r->config, option, text, &origin);
}

static int add_item(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value, *joint = r->items_size ? "; " : "";
    const size_t size = strlen(joint) + strlen(text);

    if (strchr(text, ';'))
        return fail_value(r, event, "an item with a semicolon, which separates items; make it two items");
    if (size > VSM_OPTIONS_TEXT_LIMIT - r->items_size)
        return fail_value(r, event, "the list is too long");
    snprintf(r->items + r->items_size, size + 1, "%s%s", joint, text);
    r->items_size += size;
    return VSM_OK;
}

static int read_scalar(struct reader *r, const yaml_event_t *event)
{
    if (event->data.scalar.anchor)
        return fail_at(r, event->start_mark, "anchors are not allowed");
    if (event->data.scalar.tag)
        return fail_at(r, event->start_mark, "tags are not allowed");
    if (r->list)
        return add_item(r, event);
    if (r->depth == 0)
        return fail_at(r, event->start_mark, "not a configuration; expected sections such as \"input:\"");
    return r->levels[r->depth - 1].has_key ? read_value(r, event) : read_key(r, event);
}

static int begin_list(struct reader *r, const yaml_event_t *event)
{
    struct level *level = r->depth > 0 ? &r->levels[r->depth - 1] : NULL;
    const struct vsm_option *option =
        level && level->has_key && !level->is_section ? vsm_options_find(r->path) : NULL;

    if (!option || option->type != VSM_OPTIONS_TEXT)
        return fail_at(r, event->start_mark, "a list where one value is expected");
    if (event->data.sequence_start.anchor || event->data.sequence_start.tag)
        return fail_at(r, event->start_mark, "anchors and tags are not allowed");
    if (r->seen[option - vsm_options_table])
        return fail_twice(r);
    r->items = vsm_mem_alloc("list of a configuration", VSM_OPTIONS_TEXT_LIMIT + 1, 1);
    if (!r->items)
        return VSM_E_NOMEM;
    r->items_size = 0;
    r->list = option;
    r->list_mark = event->start_mark;
    return VSM_OK;
}

static int end_list(struct reader *r)
{
    const struct vsm_option *option = r->list;
    const ptrdiff_t at = option - vsm_options_table;
    int status;

    r->origins[at] =
        (struct vsm_options_origin){r->name, (int)r->list_mark.line + 1, (int)r->list_mark.column + 1};
    r->seen[at] = true;
    r->levels[r->depth - 1].has_key = false;
    r->list = NULL;
    status = vsm_options_set(r->config, option, r->items, &r->origins[at]);
    vsm_mem_free(r->items);
    r->items = NULL;
    return status;
}

static int begin_mapping(struct reader *r, const yaml_event_t *event)
{
    struct level *parent = r->depth > 0 ? &r->levels[r->depth - 1] : NULL;

    if (r->list)
        return fail_at(r, event->start_mark, "an item must be one line of text, not a mapping");
    if (event->data.mapping_start.anchor)
        return fail_at(r, event->start_mark, "anchors are not allowed");
    if (event->data.mapping_start.tag)
        return fail_at(r, event->start_mark, "tags are not allowed");
    if (parent && !parent->has_key)
        return fail_at(r, event->start_mark, "a key must be a word, not a mapping");
    if (parent && !parent->is_section)
        return fail_value(r, event, "takes one value, not a mapping");
    if (r->depth == VSM_YAML_DEPTH_LIMIT)
        return fail_at(r, event->start_mark, "nested too deeply");
    r->levels[r->depth++] = (struct level){.prefix = parent ? strlen(r->path) : 0};
    return VSM_OK;
}

static void end_mapping(struct reader *r)
{
    r->depth--;
    if (r->depth > 0) {
        r->levels[r->depth - 1].has_key = false;
        r->path[r->levels[r->depth - 1].prefix] = '\0';
    }
}

static int read_event(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->documents++ > 0)
            return fail_at(r, event->start_mark, "a second document; keep one");
        return VSM_OK;
    case YAML_SCALAR_EVENT:
        return read_scalar(r, event);
    case YAML_MAPPING_START_EVENT:
        return begin_mapping(r, event);
    case YAML_MAPPING_END_EVENT:
        end_mapping(r);
        return VSM_OK;
    case YAML_SEQUENCE_START_EVENT:
        return r->list ? fail_at(r, event->start_mark, "a list in a list") : begin_list(r, event);
    case YAML_SEQUENCE_END_EVENT:
        return end_list(r);
    case YAML_ALIAS_EVENT:
        return fail_at(r, event->start_mark, "aliases are not allowed");
    default:
        return VSM_OK;
    }
}

static int fail_syntax(const struct reader *r, const yaml_parser_t *parser, const uint8_t *data, size_t size)
{
    yaml_mark_t mark = parser->problem_mark;

    if (parser->error == YAML_MEMORY_ERROR)
        return vsm_fail_nomem("YAML parser", size);
    if (parser->error == YAML_READER_ERROR)
        mark = mark_of_offset(data, parser->problem_offset < size ? parser->problem_offset : size);
    return vsm_fail(VSM_E_USAGE, "%s:%zu:%zu: not YAML: %s%s%s", r->name, mark.line + 1, mark.column + 1,
                    parser->problem ? parser->problem : "cannot be parsed", parser->context ? " " : "",
                    parser->context ? parser->context : "");
}

int vsm_yaml_parse(const char *name, const void *data, size_t size, struct vsm_config *config,
                   struct vsm_options_origin origins[VSM_OPTIONS_MAX])
{
    struct reader r = {.name = name, .config = config, .origins = origins};
    yaml_parser_t parser;
    yaml_event_t event;
    bool end = false;
    int status;

    if (size > VSM_YAML_SIZE_LIMIT)
        return vsm_fail(VSM_E_USAGE, "%s: %zu bytes, more than the %d allowed for a configuration", name,
                        size, VSM_YAML_SIZE_LIMIT);
    status = check_utf8(&r, data, size);
    if (status != VSM_OK)
        return status;
    if (!yaml_parser_initialize(&parser))
        return vsm_fail_nomem("YAML parser", size);
    yaml_parser_set_input_string(&parser, data, size);
    while (status == VSM_OK && !end) {
        if (!yaml_parser_parse(&parser, &event)) {
            status = fail_syntax(&r, &parser, data, size);
            break;
        }
        status = read_event(&r, &event);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    vsm_mem_free(r.items);
    return status;
}

int vsm_yaml_load(const char *path, struct vsm_config *config,
                  struct vsm_options_origin origins[VSM_OPTIONS_MAX])
{
    void *data;
    size_t size;
    int status = vsm_file_read(path, VSM_YAML_SIZE_LIMIT, VSM_E_USAGE, &data, &size);

    if (status != VSM_OK)
        return status;
    status = vsm_yaml_parse(path, data, size, config, origins);
    vsm_mem_free(data);
    return status;
}
