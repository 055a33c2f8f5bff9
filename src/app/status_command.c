#include "app/status_command.h"

#include "base/mem.h"
#include "checkpoint/status_file.h"
#include "checkpoint/store.h"
#include "config/cli.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void print_job(const char *output, const struct vsm_status_file *s)
{
    long holder = vsm_store_holder(output);
    double fps = (double)s->milli_fps / 1000;
    int64_t age = (int64_t)time(NULL) - s->updated; /* negative where another clock wrote the file */

    if (holder > 0)
        printf("%s: running (process %ld)\n", output, holder);
    else
        printf("%s: stopped; the same command again goes on from the last checkpoint\n", output);
    printf("frames made      %lld", (long long)s->done_frames);
    if (s->total_frames > 0)
        printf(" of %lld (%.1f %%)", (long long)s->total_frames,
               100.0 * (double)s->done_frames / (double)s->total_frames);
    printf("\nlast checkpoint  frame %lld\nspeed            %.2f frames/s\n", (long long)s->checkpoint_frames,
           fps);
    if (s->total_frames > 0 && fps > 0)
        printf("time left        about %.0f s\n", (double)(s->total_frames - s->done_frames) / fps);
    printf("last news        %lld s ago\n", (long long)(age > 0 ? age : 0));
}

int vsm_status_command_run(int argc, char **argv)
{
    struct vsm_status_file file;
    char *path;
    int status;

    if (argc != 2)
        return vsm_fail(VSM_E_USAGE, "status: usage: vr180-streaming " VSM_CLI_STATUS_USAGE);
    path = vsm_store_path(argv[1], "status");
    if (!path)
        return VSM_E_NOMEM;
    status = vsm_status_file_read(path, &file);
    vsm_mem_free(path);
    if (status == VSM_OK) {
        print_job(argv[1], &file);
        return VSM_OK;
    }
    if (status != VSM_EOF)
        return status;
    if (access(argv[1], F_OK) != 0)
        return vsm_fail(VSM_E_INPUT, "%s: neither an output nor an unfinished job is there", argv[1]);
    printf("%s: complete\n", argv[1]);
    return VSM_OK;
}
