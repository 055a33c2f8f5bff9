#include "config/output_list.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define SECTION "output."
#define SPACE   " \t\r\n"

static bool is_of_section(const struct vsm_option *option)
{
    return strncmp(option->key, SECTION, strlen(SECTION)) == 0 && option->type != VSM_OPTIONS_TEXT;
}

/* Sets one option to what it is in another struct, through its canonical text. */
static int copy_option(const struct vsm_config *from, const struct vsm_option *option, struct vsm_config *to)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int status;

    if (!out)
        return vsm_fail_nomem(option->key, 0);
    vsm_options_print(out, from, option);
    status = fclose(out) == 0 ? vsm_options_set(to, option, text, NULL) : vsm_fail_nomem(option->key, size);
    free(text);
    return status;
}

static int add_item(const struct vsm_config *config, struct vsm_output_list *list)
{
    struct vsm_output_list_item *item = &list->items[list->count];
    int status;

    if (list->count == VSM_OUTPUT_LIST_MAX)
        return vsm_fail(VSM_E_USAGE, "output %d: one more than the %d that a job can make", list->count + 1,
                        VSM_OUTPUT_LIST_MAX);
    *item = (struct vsm_output_list_item){0};
    status = vsm_options_defaults(&item->settings);
    if (status != VSM_OK)
        return status;
    list->count++;
    for (int i = 0; i < vsm_options_count && status == VSM_OK; i++) {
        const struct vsm_option *option = &vsm_options_table[i];

        if (is_of_section(option) && (list->count == 1 || strcmp(option->key, SECTION "path") != 0))
            status = copy_option(config, option, &item->settings);
    }
    return status;
}

static int set_format(struct vsm_output_list *list, const char *name)
{
    struct vsm_output_list_item *item = &list->items[list->count - 1];
    int status = vsm_options_set(&item->settings, vsm_options_find(SECTION "format"), name, NULL);
    unsigned format = item->settings.output.format;

    if (status == VSM_OK && format & (format - 1))
        status = vsm_fail(VSM_E_USAGE, "%s is more than one format; write an item for each", name);
    item->format = (enum vsm_config_output_format)format;
    return status;
}

static int set_key(struct vsm_output_list *list, char *text)
{
    struct vsm_output_list_item *item = &list->items[list->count - 1];
    char *equals = strchr(text, '=');
    const struct vsm_option *option;
    char key[64];

    if (!equals)
        return vsm_fail(VSM_E_USAGE, "\"%.60s\" is no KEY=VALUE", text);
    *equals = '\0';
    snprintf(key, sizeof(key), SECTION "%.40s", text);
    option = vsm_options_find(key);
    if (!option || !is_of_section(option) || strcmp(key, SECTION "format") == 0)
        return vsm_fail(VSM_E_USAGE,
                        "unknown key %.40s; the keys of the section output are meant, such as crf", text);
    if (item->own[option - vsm_options_table])
        return vsm_fail(VSM_E_USAGE, "%.40s is given twice; keep one", text);
    item->own[option - vsm_options_table] = true;
    return vsm_options_set(&item->settings, option, equals + 1, NULL);
}

/* The next part of *text up to `separator`, without space round it; NULL after the last. */
static char *next_part(char **text, char separator)
{
    char *part = *text, *end;

    if (!part)
        return NULL;
    end = strchr(part, separator);
    *text = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    part += strspn(part, SPACE);
    end = part + strlen(part);
    while (end > part && strchr(SPACE, end[-1]))
        *--end = '\0';
    return part;
}

static int parse_item(const struct vsm_config *config, char *text, struct vsm_output_list *list)
{
    int status = add_item(config, list), number = list->count;
    char *part = next_part(&text, ',');

    if (status != VSM_OK)
        return status;
    status = set_format(list, part);
    while (status == VSM_OK && (part = next_part(&text, ',')))
        status = set_key(list, part);
    if (status == VSM_OK && list->items[number - 1].settings.output.bitrate > 0 &&
        list->items[number - 1].settings.output.crf != VSM_CONFIG_AUTO)
        status = vsm_fail(VSM_E_USAGE, "crf and bitrate exclude each other; set crf to auto or bitrate to 0");
    if (status == VSM_E_USAGE) {
        char message[400];

        snprintf(message, sizeof(message), "%s", vsm_error_message());
        return vsm_fail(VSM_E_USAGE, "output %d: %s", number, message);
    }
    return status;
}

static int parse_text(const struct vsm_config *config, const char *text, struct vsm_output_list *list)
{
    char *copy = vsm_mem_string("list of outputs", text), *rest = copy, *part;
    int status = copy ? VSM_OK : VSM_E_NOMEM;

    while (status == VSM_OK && (part = next_part(&rest, ';')))
        status = parse_item(config, part, list);
    vsm_mem_free(copy);
    return status;
}

static int take_set(const struct vsm_config *config, struct vsm_output_list *list)
{
    int status = VSM_OK;

    for (unsigned bit = 1; bit <= config->output.format && status == VSM_OK; bit <<= 1) {
        if (!(config->output.format & bit))
            continue;
        status = add_item(config, list);
        if (status != VSM_OK)
            break;
        list->items[list->count - 1].format = (enum vsm_config_output_format)bit;
        list->items[list->count - 1].settings.output.format = bit;
    }
    return status;
}

int vsm_output_list_parse(const struct vsm_config *config, struct vsm_output_list *list)
{
    int status;

    list->count = 0;
    status = config->output.list ? parse_text(config, config->output.list, list) : take_set(config, list);
    if (status != VSM_OK)
        vsm_output_list_finish(list);
    return status;
}

void vsm_output_list_finish(struct vsm_output_list *list)
{
    for (int i = 0; i < list->count; i++)
        vsm_options_finish(&list->items[i].settings);
    list->count = 0;
}

int vsm_output_list_check(const char *text)
{
    struct vsm_output_list *list;
    struct vsm_config config;
    int status;

    if (!*text) /* the default, which the defaults below have too */
        return VSM_OK;
    list = vsm_mem_alloc("list of outputs", 1, sizeof(*list));
    status = list ? vsm_options_defaults(&config) : VSM_E_NOMEM;
    if (status == VSM_OK) {
        status = parse_text(&config, text, list);
        vsm_output_list_finish(list);
        vsm_options_finish(&config);
    }
    vsm_mem_free(list);
    return status;
}

bool vsm_output_list_gives(const struct vsm_output_list_item *item, const char *key)
{
    const struct vsm_option *option = vsm_options_find(key);

    return option && item->own[option - vsm_options_table];
}
