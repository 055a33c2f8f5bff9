#include "config/wrap.h"

#include <stdbool.h>
#include <string.h>

void vsm_wrap_print(FILE *out, const char *text, const char *indent, int column, int width)
{
    bool first = true; /* word of its line */

    for (const char *word = text; *word;) {
        int length = (int)strcspn(word, " ");

        if (!first && column + 1 + length > width) {
            fprintf(out, "\n%s", indent);
            column = (int)strlen(indent);
            first = true;
        }
        fprintf(out, "%s%.*s", first ? "" : " ", length, word);
        column += length + !first;
        first = false;
        word += length;
        word += strspn(word, " ");
    }
    fputc('\n', out);
}
