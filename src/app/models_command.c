#include "app/models_command.h"

#include "base/log.h"
#include "base/mem.h"
#include "config/cli.h"
#include "models/download.h"
#include "models/registry.h"
#include "nn/graph_cache.h"

#include <stdio.h>
#include <string.h>

static int list(const char *folder)
{
    static const char *const states[] = {"-", "partial", "installed", "wrong size"};

    printf("%-24s %-11s %9s  %-10s %s\n", "NAME", "STATE", "MB", "LICENCE", "SPEED");
    for (int i = 0; i < vsm_registry_count(); i++) {
        const struct vsm_registry_entry *e = vsm_registry_at(i);

        printf("%-24s %-11s %9.1f  %-10s %s\n", e->name, states[vsm_registry_look(folder, e)],
               (double)e->bytes / 1e6, e->licence, e->speed);
    }
    printf("in %s\n", folder);
    return VSM_OK;
}

static void show_progress(void *opaque, uint64_t done, uint64_t total)
{
    char line[128];

    snprintf(line, sizeof(line), "%s: %.1f of %.1f MB", (const char *)opaque, (double)done / 1e6,
             (double)total / 1e6);
    vsm_log_progress(line);
}

static int pull(const char *folder, const char *name)
{
    const struct vsm_registry_entry *e = vsm_registry_find(name);
    struct vsm_download download;
    char *path;
    int status;

    if (!e)
        return VSM_E_USAGE;
    if (vsm_registry_look(folder, e) == VSM_REGISTRY_PRESENT && vsm_registry_verify(folder, e) == VSM_OK) {
        printf("%s: installed and intact\n", e->name);
        return VSM_OK;
    }
    path = vsm_registry_path(folder, e);
    if (!path)
        return VSM_E_NOMEM;
    download = (struct vsm_download){.url = e->url,
                                     .path = path,
                                     .bytes = e->bytes,
                                     .sha256 = e->sha256,
                                     .progress = show_progress,
                                     .opaque = (void *)(uintptr_t)e->name};
    status = vsm_download_run(&download);
    vsm_log_progress(NULL);
    if (!status)
        printf("%s: %s (licence %s)\n", e->name, path, e->licence);
    vsm_mem_free(path);
    return status;
}

static int import(const char *folder, const char *file)
{
    const struct vsm_registry_entry *e;
    char *path;
    int status = vsm_registry_import(folder, file, &e, &path);

    if (!status)
        printf("%s: %s\n", e ? e->name : "not an official file, but of a known family", path);
    vsm_mem_free(path);
    return status;
}

/* One model, or all that are installed. */
static int verify(const char *folder, const char *name)
{
    const struct vsm_registry_entry *e = name ? vsm_registry_find(name) : NULL;
    int first = VSM_OK;

    if (name && !e)
        return VSM_E_USAGE;
    for (int i = 0; i < vsm_registry_count(); i++) {
        const struct vsm_registry_entry *each = vsm_registry_at(i);
        int status;

        if (e ? e != each : vsm_registry_look(folder, each) == VSM_REGISTRY_ABSENT)
            continue;
        status = vsm_registry_verify(folder, each);
        printf("%s: %s\n", each->name, status ? vsm_error_message() : "intact");
        first = first ? first : status;
    }
    return first;
}

static int remove_model(const char *folder, const char *name)
{
    const struct vsm_registry_entry *e = vsm_registry_find(name);

    return e ? vsm_registry_remove(folder, e) : VSM_E_USAGE;
}

static int clear_cache(void)
{
    char *folder = vsm_graph_cache_folder();
    uint64_t bytes = 0;
    int status;

    if (!folder)
        return vsm_fail(VSM_E_USAGE, "models: neither XDG_CACHE_HOME nor HOME is set: there is no cache");
    status = vsm_graph_cache_clear(folder, &bytes);
    if (!status)
        printf("%s: %.1f MB of optimised networks deleted\n", folder, (double)bytes / 1e6);
    vsm_mem_free(folder);
    return status;
}

static int dispatch(const char *folder, const char *verb, const char *operand)
{
    if (strcmp(verb, "list") == 0 && !operand)
        return list(folder);
    if (strcmp(verb, "clear-cache") == 0 && !operand)
        return clear_cache();
    if (strcmp(verb, "verify") == 0)
        return verify(folder, operand);
    if (strcmp(verb, "pull") == 0 && operand)
        return pull(folder, operand);
    if (strcmp(verb, "import") == 0 && operand)
        return import(folder, operand);
    if (strcmp(verb, "remove") == 0 && operand)
        return remove_model(folder, operand);
    return vsm_fail(VSM_E_USAGE, "models: usage: vr180-streaming " VSM_CLI_MODELS_USAGE);
}

int vsm_models_command_run(int argc, char **argv)
{
    const char *words[2] = {NULL, NULL}, *chosen = NULL;
    int count = 0, status;
    char *folder;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--models-dir=", 13) == 0)
            chosen = argv[i] + 13;
        else if (strcmp(argv[i], "--models-dir") == 0 && i + 1 < argc)
            chosen = argv[++i];
        else if (count < 2 && argv[i][0] != '-')
            words[count++] = argv[i];
        else
            return vsm_fail(VSM_E_USAGE,
                            "models: %s is not understood; usage: vr180-streaming " VSM_CLI_MODELS_USAGE,
                            argv[i]);
    }
    if (count == 0)
        return vsm_fail(VSM_E_USAGE, "models: usage: vr180-streaming " VSM_CLI_MODELS_USAGE);
    status = vsm_registry_folder(chosen, strcmp(words[0], "pull") == 0 || strcmp(words[0], "import") == 0,
                                 &folder);
    if (status)
        return status;
    status = dispatch(folder, words[0], words[1]);
    vsm_mem_free(folder);
    return status;
}
