/* Text in lines of limited width. */
#ifndef VSM_CONFIG_WRAP_H
#define VSM_CONFIG_WRAP_H

#include <stdio.h>

/* Prints the words of `text` and a newline. The caller has printed `column` columns of the first line;
 * further lines begin with `indent`. A line ends before the word that would pass `width` columns.
 * Columns are bytes. */
void vsm_wrap_print(FILE *out, const char *text, const char *indent, int column, int width);

#endif
