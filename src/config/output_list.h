/* The outputs of a job as a list: output.list, or the set output.format where that is empty.
 *
 * output.list is a text of items separated by `;` (in YAML also a list), each `FORMAT, KEY=VALUE, KEY=VALUE
 * ...`: FORMAT is one name of output.format, KEY the name of any other setting of the section `output` but
 * list, without "output.". What an item leaves out is as the section says, except the path: that is the first
 * item's.
 */
#ifndef VSM_CONFIG_OUTPUT_LIST_H
#define VSM_CONFIG_OUTPUT_LIST_H

#include "base/status.h"
#include "config/config.h"
#include "config/options.h"

#include <stdbool.h>

#define VSM_OUTPUT_LIST_MAX 8

struct vsm_output_list_item {
    enum vsm_config_output_format format;
    struct vsm_config settings; /* its section `output` counts; owned */
    bool own[VSM_OPTIONS_MAX];  /* by row of the table: given by the item itself */
};

struct vsm_output_list {
    struct vsm_output_list_item items[VSM_OUTPUT_LIST_MAX];
    int count;
};

/* VSM_E_USAGE with "output N: what is wrong", VSM_E_NOMEM; the list is empty then. */
int vsm_output_list_parse(const struct vsm_config *config, struct vsm_output_list *list) VSM_NODISCARD;
void vsm_output_list_finish(struct vsm_output_list *list);

/* Whether a text is a list. */
int vsm_output_list_check(const char *text) VSM_NODISCARD;

/* Whether the item itself gives the setting, such as "output.crf". */
bool vsm_output_list_gives(const struct vsm_output_list_item *item, const char *key);

#endif
