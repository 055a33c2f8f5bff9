/* The configuration file that --generate-config writes: every key with its help, unit, range and
 * default as comments.
 */
#ifndef VSM_CONFIG_YAML_TEMPLATE_H
#define VSM_CONFIG_YAML_TEMPLATE_H

#include "config/options.h"

#include <stdio.h>

/* Prints every key at the value that it has in `config`; loading the text gives the same settings (tested).
 * VSM_E_USAGE if a path is not UTF-8 and so cannot be in a YAML file. Write errors: ferror(out). */
int vsm_yaml_template_print(FILE *out, const struct vsm_config *config) VSM_NODISCARD;

#endif
