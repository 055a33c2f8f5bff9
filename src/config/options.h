/* The one table of settings. The YAML reader, the command line, --help, the generated configuration, the
 * man page, the shell completions, doc/options.md and the settings hash are all made from it; nothing else
 * lists the settings.
 *
 * A value enters the struct only through vsm_options_set(), so that a default, a line of a file and an
 * argument are parsed and checked alike. Each value has one canonical text, which vsm_options_set() reads
 * back to the same value.
 *
 * Settings that this build cannot honour yet exist in the table with the values that are true today
 * (`today`). vsm_options_check() refuses the others; it runs once, after files and arguments are merged, so
 * that an argument can mend what a file asks for.
 *
 * Numbers are read and written by the rules of the C locale: the program never calls setlocale().
 * All functions may be called from any thread, on different structs at once.
 */
#ifndef VSM_CONFIG_OPTIONS_H
#define VSM_CONFIG_OPTIONS_H

#include "base/hash.h"
#include "base/status.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum vsm_options_type {
    VSM_OPTIONS_BOOL,   /* bool: true|false, also yes|no and on|off */
    VSM_OPTIONS_INT,    /* int */
    VSM_OPTIONS_COUNT,  /* int64_t */
    VSM_OPTIONS_RATE,   /* int64_t; k, M and G stand for powers of 1,000 */
    VSM_OPTIONS_REAL,   /* double; "auto" is VSM_CONFIG_AUTO where `automatic` is set */
    VSM_OPTIONS_CHOICE, /* an enum: the index into `choices` */
    VSM_OPTIONS_SET,    /* unsigned: bit i stands for choices[i]; one or more names, joined by + */
    VSM_OPTIONS_NAME,   /* char *: letters, digits, `_`, `-`, `.`, at most 64 bytes; empty = NULL */
    VSM_OPTIONS_PATH,   /* char *: any bytes but NUL, at most 4,095; empty = NULL */
    VSM_OPTIONS_TEXT,   /* char *: a list of items separated by `;`, checked by `check`; empty = NULL */
    VSM_OPTIONS_COLOR,  /* uint32_t 0xRRGGBB: RRGGBB, #RRGGBB or 0xRRGGBB */
};

struct vsm_option {
    const char *key; /* "output.crf": section and name */
    enum vsm_options_type type;
    size_t offset;                  /* in struct vsm_config */
    const char *initial;            /* the default as text, as vsm_options_set() reads it */
    double min, max;                /* numbers: inclusive bounds, both below 2^53 */
    bool min_excluded;              /* numbers: min itself is not allowed */
    bool automatic;                 /* REAL: "auto" is allowed */
    const char *const *choices;     /* CHOICE, SET: names in the order of the enum, NULL-terminated */
    int (*check)(const char *text); /* TEXT: VSM_OK, or VSM_E_USAGE with what is wrong as the message */
    const char *syntax;             /* TEXT: what it takes, for messages and help */
    const char *unit;               /* "mm", "frames"; NULL = none */
    const char *help;               /* one sentence or two */
    const char *empty;   /* NAME, PATH, TEXT: what an empty value means; NULL = it may not be empty */
    bool in_hash;        /* changes the picture or the file that comes out */
    const char *today;   /* canonical values that this build can do, separated by |; NULL = all */
    const char *needs;   /* with `today`: what this build lacks */
    const char *flag;    /* command line: long name without the dashes; NULL = only through --set */
    char letter;         /* command line: short name; 0 = none */
    const char *metavar; /* command line: name of the value in help texts */
};

/* The table, grouped by section. */
extern const struct vsm_option vsm_options_table[];
extern const int vsm_options_count;

/* Bytes of a TEXT. */
#define VSM_OPTIONS_TEXT_LIMIT 60000

/* At least vsm_options_count, for arrays beside the table. */
#define VSM_OPTIONS_MAX 96

/* Where a value came from, for messages; all zero = the default. */
struct vsm_options_origin {
    const char *name; /* file or argument, borrowed */
    int line, column; /* 1-based; 0 = an argument */
};

/* Fills the struct with the defaults. On failure (VSM_E_NOMEM) nothing is left to free. */
int vsm_options_defaults(struct vsm_config *config) VSM_NODISCARD;

/* Frees the strings and zeroes the struct; a zeroed struct is allowed. */
void vsm_options_finish(struct vsm_config *config);

/* Row by key; NULL if there is none. */
const struct vsm_option *vsm_options_find(const char *key);

/* The most likely meant key for a misspelt one: same name in another section, or the nearest by
 * config/spelling.h. NULL if nothing is near. */
const char *vsm_options_suggest(const char *key);

/* Parses `text` into the option's field; the old value stays on failure. VSM_E_USAGE with the message
 * "ORIGIN: KEY: what is wrong; what is allowed", or VSM_E_NOMEM. origin may be NULL. */
int vsm_options_set(struct vsm_config *config, const struct vsm_option *option, const char *text,
                    const struct vsm_options_origin *origin) VSM_NODISCARD;

/* Checks what single values cannot show: settings that this build cannot do (all of them in one message), and
 * settings that contradict each other. `origins`: one per row of the table, or NULL. VSM_E_USAGE. */
int vsm_options_check(const struct vsm_config *config,
                      const struct vsm_options_origin *origins) VSM_NODISCARD;

/* Prints the value's canonical text; nothing for an empty string. */
void vsm_options_print(FILE *out, const struct vsm_config *config, const struct vsm_option *option);

/* Prints what the option takes, e.g. "0 to 63, or auto". */
void vsm_options_print_allowed(FILE *out, const struct vsm_option *option);

/* Prints the default, or for an empty one "empty (what that means)". */
void vsm_options_print_default(FILE *out, const struct vsm_option *option);

/* Prints what this build can do, e.g. "auto or cpu"; nothing if it can do all. */
void vsm_options_print_today(FILE *out, const struct vsm_option *option);

/* Whether two structs hold the same value of the option. */
bool vsm_options_equal(const struct vsm_option *option, const struct vsm_config *a,
                       const struct vsm_config *b);

/* One line KEY=VALUE per option with in_hash, in the order of the table. *text: vsm_mem_free(). Its SHA-256
 * is the settings hash of checkpoints and reports; the text says which setting differs. */
int vsm_options_canonical(const struct vsm_config *config, char **text) VSM_NODISCARD;
int vsm_options_hash(const struct vsm_config *config, struct vsm_sha256 *hash) VSM_NODISCARD;

#endif
