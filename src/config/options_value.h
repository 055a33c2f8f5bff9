/* One option's value: between the text of a file or command line, a value by itself, and the field of struct
 * vsm_config.
 *
 * Used by config/options.c only, which has the messages. Also vsm_options_print(),
 * vsm_options_print_allowed() and vsm_options_equal() of options.h are here. Pure but for store() and free();
 * any thread.
 */
#ifndef VSM_CONFIG_OPTIONS_VALUE_H
#define VSM_CONFIG_OPTIONS_VALUE_H

#include "base/status.h"
#include "config/options.h"

#include <stdint.h>

struct vsm_options_value {
    double real;
    int64_t integer;  /* also bool, choice, set and colour */
    const char *text; /* borrowed; NULL = empty */
};

/* What is wrong with the text, without a full stop and without saying whose it is, or NULL; then *value
 * borrows it. */
const char *vsm_options_value_parse(const struct vsm_option *option, const char *text,
                                    struct vsm_options_value *value);

/* Copies a text; frees the one that was there. VSM_E_NOMEM: nothing changed. */
int vsm_options_value_store(struct vsm_config *config, const struct vsm_option *option,
                            const struct vsm_options_value *value) VSM_NODISCARD;

/* Frees the field's text, if it has one; the field is invalid then. */
void vsm_options_value_free(struct vsm_config *config, const struct vsm_option *option);

#endif
