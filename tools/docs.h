/* Documents made from the tables of options, flags and exit codes: man page, shell completions,
 * doc/options.md. Write errors: ferror(out).
 */
#ifndef VSM_TOOLS_DOCS_H
#define VSM_TOOLS_DOCS_H

#include <stdio.h>

/* vr180-streaming(1), for groff's man macros. */
void vsm_docs_man(FILE *out);

/* Completion for bash: options, keys after --set, values of choices. Needs no bash-completion functions. */
void vsm_docs_bash(FILE *out);

/* Completion for zsh, for a folder of $fpath. */
void vsm_docs_zsh(FILE *out);

/* doc/options.md: one table a section. */
void vsm_docs_markdown(FILE *out);

#endif
