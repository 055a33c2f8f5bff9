#include "docs.h"
#include "base/file.h"
#include "base/mem.h"
#include "build_config.h"
#include "config/cli.h"
#include "config/options.h"
#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/vsm-docs-XXXXXX";

static char *text_of(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    print(out);
    fclose(out);
    return text;
}

/* What a command prints, on stdout and stderr; "%s" in it is a file with the document. */
static const char *output_of(const char *command, void (*print)(FILE *out))
{
    static char output[8192];
    char path[64], line[2048], *text = text_of(print);
    size_t size = 0;
    FILE *pipe;

    snprintf(path, sizeof(path), "%s/document", folder);
    CHECK_INT(vsm_file_write_atomic(path, text, strlen(text)), VSM_OK);
    free(text);
    snprintf(line, sizeof(line), "F=%s; exec 2>&1; %s", path, command);
    pipe = popen(line, "r");
    CHECK(pipe != NULL);
    if (pipe) {
        size = fread(output, 1, sizeof(output) - 1, pipe);
        CHECK_INT(pclose(pipe), 0);
    }
    output[size] = '\0';
    unlink(path);
    return output;
}

static bool is_there(const char *program)
{
    char command[128];

    snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

static void test_options_md_is_up_to_date(void)
{
    char *text = text_of(vsm_docs_markdown);
    void *file;
    size_t size;

    CHECK_INT(vsm_file_read(VSM_SOURCE_ROOT "/doc/options.md", 1 << 20, VSM_E_INPUT, &file, &size), VSM_OK);
    if (strcmp(text, file) != 0)
        tap_fail_check(__FILE__, __LINE__, "doc/options.md is out of date: %s",
                       "build/tools/generate_docs markdown >doc/options.md");
    vsm_mem_free(file);
    free(text);
}

static void test_all_options_in_all_documents(void)
{
    void (*const prints[])(FILE *) = {vsm_docs_man, vsm_docs_bash, vsm_docs_zsh, vsm_docs_markdown};

    for (size_t d = 0; d < 4; d++) {
        char *text = text_of(prints[d]);

        for (int i = 0; i < vsm_options_count; i++)
            CHECK_HAS(text, vsm_options_table[i].key);
        for (int i = 0; d < 3 && i < vsm_cli_flags_count; i++) {
            char name[64], *hyphen;

            snprintf(name, sizeof(name), "%s", vsm_cli_flags[i].name);
            hyphen = strchr(name, '-');
            if (hyphen && d == 0)
                *hyphen = '\0'; /* written \- in the man page */
            CHECK_HAS(text, name);
        }
        free(text);
    }
}

static void test_man_page(void)
{
    const char *page;

    if (!is_there("groff")) {
        tap_skip("no groff");
        return;
    }
    CHECK_STR(output_of("groff -man -Tutf8 -ww -z \"$F\"", vsm_docs_man), "");
    page = output_of("groff -man -Tascii -P-cbou \"$F\" | head -c 4000", vsm_docs_man);
    CHECK_HAS(page, "vr180-streaming - matte the people");
    CHECK_HAS(page, "-o, --output PATH");
    CHECK_HAS(page, "--dry-run");
    CHECK_HAS(page, "status OUTPUT");
    CHECK_HAS(page, "models list | pull NAME");
    CHECK_HAS(page, "doctor [--models-dir DIR]");
}

/* Sources the completion and completes the last of the words, as readline would cut them. */
#define COMPLETE(words)                                                                                      \
    output_of("bash -c '. \"$0\"; COMP_WORDS=(" words "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "           \
              "_vr180_streaming; echo \"${COMPREPLY[*]}\"' \"$F\"",                                          \
              vsm_docs_bash)

static void test_bash_completion(void)
{
    if (!is_there("bash")) {
        tap_skip("no bash");
        return;
    }
    CHECK_STR(output_of("bash -n \"$F\"", vsm_docs_bash), "");
    CHECK_STR(COMPLETE("vr180-streaming --dr"), "--dry-run\n");
    CHECK_STR(COMPLETE("vr180-streaming a.mp4 --progress j"), "json\n");
    CHECK_STR(COMPLETE("vr180-streaming --progress = p"), "plain\n");
    CHECK_STR(COMPLETE("vr180-streaming --set output.cr"), "output.crf=\n");
    CHECK_STR(COMPLETE("vr180-streaming --set output.format ="),
              "green matte alpha_packed prores4444 ffv1_alpha vp9_alpha png exr\n");
    CHECK_STR(COMPLETE("vr180-streaming --set recovery.auto_resume = f"), "false\n");
    CHECK_STR(COMPLETE("vr180-streaming --scale 0"), "\n");
    CHECK_STR(COMPLETE("vr180-streaming -o /et"), "/etc\n");
    CHECK_STR(COMPLETE("vr180-streaming /et"), "/etc\n");
    CHECK_STR(COMPLETE("vr180-streaming stat"), "status\n");
    CHECK_STR(COMPLETE("vr180-streaming models p"), "pull\n");
    CHECK_STR(COMPLETE("vr180-streaming a.mp4 stat"), "\n");
}

static void test_zsh_completion(void)
{
    if (!is_there("zsh")) {
        tap_skip("no zsh");
        return;
    }
    CHECK_STR(output_of("zsh -n \"$F\"", vsm_docs_zsh), "");
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL);
    RUN(test_options_md_is_up_to_date);
    RUN(test_all_options_in_all_documents);
    RUN(test_man_page);
    RUN(test_bash_completion);
    RUN(test_zsh_completion);
    CHECK_INT(rmdir(folder), 0);
    return tap_done();
}
