#include "app/recovery.h"

#include "base/log.h"
#include "checkpoint/store.h"
#include "config/options.h"

#include "tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64], input[96], output[96], log_path[96];
static struct vsm_config config;
static struct vsm_plan plan;

/* Opens the job, with what it logs in `text`. */
static struct vsm_recovery *open_job(char text[static 2000])
{
    int file = open(log_path, O_RDWR | O_CREAT | O_TRUNC, 0600), kept = dup(STDERR_FILENO);
    struct vsm_recovery *recovery = NULL;
    ssize_t size;

    CHECK(file >= 0 && kept >= 0 && dup2(file, STDERR_FILENO) >= 0);
    CHECK_INT(vsm_recovery_open(&plan, VSM_CLI_RESUME_AUTO, (struct vsm_sha256){{7}}, &recovery), VSM_OK);
    CHECK(dup2(kept, STDERR_FILENO) >= 0);
    size = pread(file, text, 1999, 0);
    text[size > 0 ? size : 0] = 0;
    close(kept);
    close(file);
    return recovery;
}

static void commit(struct vsm_recovery *recovery, int64_t after_seq)
{
    struct vsm_state *state = vsm_state_create();

    CHECK_INT(vsm_state_add(state, "matte", "x", 1), VSM_OK);
    CHECK_INT(vsm_recovery_commit(recovery, after_seq, state), VSM_OK);
    vsm_state_destroy(&state);
}

/* Commits the newest checkpoint again with `versions` in it; NULL: without the record. */
static void forge(const char *versions)
{
    struct vsm_checkpoint checkpoint;
    struct vsm_state *state = vsm_state_create(), *old;
    struct vsm_store *store;

    CHECK_INT(vsm_store_open(output, &store), VSM_OK);
    CHECK_INT(vsm_store_load(store, &checkpoint), VSM_OK);
    CHECK(vsm_state_find(checkpoint.state, "versions") != NULL);
    CHECK(!versions || vsm_state_add(state, "versions", versions, strlen(versions)) == VSM_OK);
    old = checkpoint.state;
    checkpoint.state = state;
    CHECK_INT(vsm_store_commit(store, &checkpoint), VSM_OK);
    checkpoint.state = old;
    vsm_checkpoint_clear(&checkpoint);
    vsm_state_destroy(&state);
    vsm_store_close(store);
}

static void check_warning(const char *versions, const char *was)
{
    struct vsm_recovery *recovery;
    char text[2000];

    recovery = open_job(text);
    CHECK(!strstr(text, "warning"));
    commit(recovery, 9);
    CHECK_INT(vsm_recovery_close(recovery, false), VSM_OK);

    recovery = open_job(text);
    CHECK(!strstr(text, "warning"));
    CHECK_HAS(text, "resuming at frame 10");
    CHECK_INT(vsm_recovery_close(recovery, false), VSM_OK);

    forge(versions);
    recovery = open_job(text);
    CHECK_HAS(text, "warning");
    CHECK_HAS(text, was);
    CHECK_HAS(text, "byte for byte");
    CHECK_HAS(text, "--restart");
    CHECK_HAS(text, "resuming at frame 10");
    CHECK_INT(vsm_recovery_checkpoint(recovery)->next_seq, 10);
    CHECK_INT(vsm_recovery_close(recovery, true), VSM_OK);
}

static void test_other_versions_are_told(void)
{
    check_warning("vr180-streaming 0.0.1, FFmpeg 4.4", "was vr180-streaming 0.0.1, FFmpeg 4.4)");
}

static void test_unknown_versions_are_told(void)
{
    check_warning(NULL, "was unknown)");
}

int main(void)
{
    FILE *file;

    snprintf(folder, sizeof(folder), "/tmp/vsm-recovery-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(input, sizeof(input), "%s/in.mp4", folder);
    snprintf(output, sizeof(output), "%s/out.mp4", folder);
    snprintf(log_path, sizeof(log_path), "%s/log", folder);
    file = fopen(input, "we");
    CHECK(file && fputs("a video", file) >= 0 && fclose(file) == 0);
    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    config.input.path = input;
    plan.config = &config;
    plan.outputs[0].path = output;
    plan.output_count = 1;
    vsm_log_set_level(VSM_LOG_INFO);
    RUN(test_other_versions_are_told);
    RUN(test_unknown_versions_are_told);
    config.input.path = NULL;
    vsm_options_finish(&config);
    unlink(input);
    unlink(log_path);
    CHECK_INT(rmdir(folder), 0);
    return tap_done();
}
