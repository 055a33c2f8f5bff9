#include "app/recovery.h"

#include "app/report.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "build_config.h"
#include "checkpoint/status_file.h"
#include "checkpoint/store.h"
#include "config/options.h"
#include "media/media_version.h"
#include "nn/session.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VERSIONS_RECORD "versions"

struct vsm_recovery {
    const char *output; /* borrowed: path of the first output, which names the job */
    struct vsm_store *store;
    struct vsm_checkpoint checkpoint; /* found at the start; next_seq 0 = none */
    struct vsm_identity identity;
    char *status_path;
    struct vsm_sha256 job_hash;
    bool finished;
    uint64_t start_ns;
    pthread_mutex_t lock; /* over what follows: the monitor and the writer both tell news */
    struct vsm_status_file news;
};

/* What the bytes of an output depend on beside the job's identity. */
static void write_versions(char text[static 256])
{
    snprintf(text, 256, "vr180-streaming %s, %s, %s", VSM_VERSION, vsm_media_version(),
             vsm_session_backend_version());
}

static void compare_versions(const struct vsm_recovery *r)
{
    const struct vsm_state_record *record = vsm_state_find(r->checkpoint.state, VERSIONS_RECORD);
    int size = record ? (int)(record->size < 256 ? record->size : 256) : 7;
    char now[256];

    write_versions(now);
    if (record && record->size == strlen(now) && memcmp(record->data, now, record->size) == 0)
        return;
    vsm_log(
        VSM_LOG_WARN, r->output,
        "goes on with other versions than it was begun with (%s; was %.*s): no frame is lost or doubled, but "
        "the file need not be byte for byte what one version makes; --restart makes it with this one",
        now, size, record ? (const char *)record->data : "unknown");
}

/* Decides between going on and beginning anew. */
static int choose(struct vsm_recovery *r, const struct vsm_plan *plan, enum vsm_cli_resume wish)
{
    const struct vsm_config *config = plan->config;
    int status = vsm_store_load(r->store, &r->checkpoint);
    bool found = status == VSM_OK;

    if (status != VSM_OK && status != VSM_EOF && wish != VSM_CLI_RESTART)
        return status;
    if (wish == VSM_CLI_RESTART || (wish == VSM_CLI_RESUME_AUTO && !config->recovery.auto_resume)) {
        if (found)
            vsm_log(VSM_LOG_INFO, r->output, "beginning anew; the checkpoint at frame %lld is discarded",
                    (long long)r->checkpoint.next_seq);
        vsm_checkpoint_clear(&r->checkpoint);
        return vsm_store_discard(r->store);
    }
    r->finished = !found && vsm_report_says_complete(plan, &r->job_hash);
    if (r->finished) {
        vsm_log(VSM_LOG_INFO, r->output,
                "is complete already, with this input and these settings; --restart makes it anew");
        return VSM_OK;
    }
    if (!found && wish == VSM_CLI_RESUME)
        return vsm_fail(VSM_E_USAGE, "%s: there is no checkpoint to resume from; start without --resume",
                        r->output);
    if (!found)
        return VSM_OK;
    status = vsm_identity_compare(r->output, &r->checkpoint.identity, &r->identity);
    if (status != VSM_OK)
        return status;
    r->news.checkpoint_frames = r->checkpoint.next_seq;
    r->news.done_frames = r->checkpoint.next_seq;
    compare_versions(r);
    vsm_log(VSM_LOG_INFO, r->output, "resuming at frame %lld", (long long)r->checkpoint.next_seq);
    return VSM_OK;
}

/* The caller holds the lock. Losing the news is no reason to end a job. */
static void write_news(struct vsm_recovery *r)
{
    r->news.updated = (int64_t)time(NULL);
    if (vsm_status_file_write(r->status_path, &r->news) != VSM_OK)
        vsm_log(VSM_LOG_DEBUG, "status", "%s", vsm_error_message());
}

int vsm_recovery_open(const struct vsm_plan *plan, enum vsm_cli_resume wish, struct vsm_sha256 models,
                      struct vsm_recovery **recovery)
{
    struct vsm_recovery *r;
    int status;

    *recovery = NULL;
    if (!plan->config->recovery.enable_checkpoints)
        return wish == VSM_CLI_RESUME
                   ? vsm_fail(VSM_E_USAGE, "--resume needs recovery.enable_checkpoints; it is off")
                   : VSM_OK;
    r = vsm_mem_alloc("recovery", 1, sizeof(*r));
    if (!r)
        return VSM_E_NOMEM;
    r->output = plan->outputs[0].path;
    r->identity.models = models;
    r->start_ns = vsm_clock_ns();
    r->news.started = (int64_t)time(NULL);
    r->news.pid = getpid();
    r->news.total_frames = plan->frames > 0 ? plan->frames : 0;
    pthread_mutex_init(&r->lock, NULL);
    r->status_path = vsm_store_path(r->output, "status");
    status = r->status_path ? vsm_options_hash(plan->config, &r->identity.settings) : VSM_E_NOMEM;
    if (status == VSM_OK)
        status = vsm_identity_read_input(plan->config->input.path, &r->identity);
    if (status == VSM_OK)
        status = vsm_identity_hash(&r->identity, &r->job_hash);
    if (status == VSM_OK)
        status = vsm_store_open(r->output, &r->store);
    if (status == VSM_OK)
        status = choose(r, plan, wish);
    if (status != VSM_OK) {
        int close_status = vsm_recovery_close(r, false);

        (void)close_status;
        return status;
    }
    if (!r->finished)
        write_news(r);
    *recovery = r;
    return VSM_OK;
}

const struct vsm_checkpoint *vsm_recovery_checkpoint(const struct vsm_recovery *recovery)
{
    return recovery && recovery->checkpoint.next_seq > 0 ? &recovery->checkpoint : NULL;
}

bool vsm_recovery_finished(const struct vsm_recovery *recovery)
{
    return recovery && recovery->finished;
}

struct vsm_sha256 vsm_recovery_job_hash(const struct vsm_recovery *recovery)
{
    return recovery ? recovery->job_hash : (struct vsm_sha256){{0}};
}

int64_t vsm_recovery_saved_frames(const struct vsm_recovery *recovery)
{
    return recovery ? recovery->news.checkpoint_frames : 0;
}

int vsm_recovery_commit(void *recovery, int64_t after_seq, struct vsm_state *state)
{
    struct vsm_recovery *r = recovery;
    struct vsm_checkpoint next = {
        .next_seq = after_seq + 1,
        .elapsed_ns = r->checkpoint.elapsed_ns + vsm_clock_ns() - r->start_ns,
        .resumes = r->checkpoint.resumes + (r->checkpoint.next_seq > 0),
        .identity = r->identity,
        .state = state,
    };
    char versions[256];
    int status;

    write_versions(versions);
    status = vsm_state_add(state, VERSIONS_RECORD, versions, strlen(versions));
    if (status == VSM_OK)
        status = vsm_store_commit(r->store, &next);
    if (status == VSM_OK) {
        pthread_mutex_lock(&r->lock);
        r->news.checkpoint_frames = next.next_seq;
        if (r->news.done_frames < next.next_seq)
            r->news.done_frames = next.next_seq;
        write_news(r);
        pthread_mutex_unlock(&r->lock);
    }
    return status;
}

void vsm_recovery_observe(void *recovery, const struct vsm_progress *progress)
{
    struct vsm_recovery *r = recovery;

    pthread_mutex_lock(&r->lock);
    r->news.done_frames = progress->done;
    r->news.milli_fps = (int64_t)(progress->fps * 1000);
    write_news(r);
    pthread_mutex_unlock(&r->lock);
}

int vsm_recovery_close(struct vsm_recovery *recovery, bool complete)
{
    int status = VSM_OK;

    if (!recovery)
        return VSM_OK;
    if (complete)
        status = vsm_store_remove(recovery->store);
    else
        vsm_store_close(recovery->store);
    vsm_checkpoint_clear(&recovery->checkpoint);
    pthread_mutex_destroy(&recovery->lock);
    vsm_mem_free(recovery->status_path);
    vsm_mem_free(recovery);
    return status;
}
