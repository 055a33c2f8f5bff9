/* Reads a configuration file: a mapping of sections, each a mapping of keys to single values.
 *
 * The file is hostile until proven otherwise: at most 1 MiB and 8 levels, UTF-8 only, one document, no
 * aliases, anchors, tags or lists, every key known and given once. A section may be empty; "a.b: x" means the
 * same as b under a. Values are typed by the option table, with YAML's own rule that a quoted value is text:
 * `crf: "18"` is refused. An empty value, ~ or null is the empty text for options that may be empty, and an
 * error for the others. Relative paths in the file are relative to the current folder of the process, as on
 * the command line.
 */
#ifndef VSM_CONFIG_YAML_H
#define VSM_CONFIG_YAML_H

#include "base/status.h"
#include "config/options.h"

#define VSM_YAML_SIZE_LIMIT  (1 << 20)
#define VSM_YAML_DEPTH_LIMIT 8

/* Reads the file at `path` over what is in `config`. origins[i], for row i of the table, is set for each key
 * found and borrows `path`. VSM_E_USAGE with "PATH:LINE:COLUMN: ..." (1-based, columns in characters) or
 * VSM_E_NOMEM; `config` may then hold some of the file's values. */
int vsm_yaml_load(const char *path, struct vsm_config *config,
                  struct vsm_options_origin origins[VSM_OPTIONS_MAX]) VSM_NODISCARD;

/* The same from memory; `name` stands for the path in messages and origins. */
int vsm_yaml_parse(const char *name, const void *data, size_t size, struct vsm_config *config,
                   struct vsm_options_origin origins[VSM_OPTIONS_MAX]) VSM_NODISCARD;

#endif
