/* Prints one of the documents that are made from the option tables: generate_docs man|bash|zsh|markdown. */
#include "docs.h"

#include <string.h>

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(FILE *out);
    } documents[] = {
        {"man", vsm_docs_man},
        {"bash", vsm_docs_bash},
        {"zsh", vsm_docs_zsh},
        {"markdown", vsm_docs_markdown},
    };

    for (size_t i = 0; argc == 2 && i < sizeof(documents) / sizeof(documents[0]); i++) {
        if (strcmp(argv[1], documents[i].name) != 0)
            continue;
        documents[i].print(stdout);
        return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
    }
    fprintf(stderr, "usage: generate_docs man|bash|zsh|markdown\n");
    return 1;
}
