#include "app/job.h"

#include "app/eyes_plan.h"
#include "app/gpu_plan.h"
#include "app/monitor.h"
#include "app/people_plan.h"
#include "app/plan_outputs.h"
#include "app/recovery.h"
#include "app/report.h"
#include "app/track_plan.h"
#include "app/view_plan.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pages.h"
#include "base/parallel.h"
#include "base/relief.h"
#include "base/scratch.h"
#include "pipeline/runner.h"
#include "pipeline/stage_pair.h"
#include "stages/composite_stage.h"
#include "stages/matte_stage.h"
#include "stages/read_stage.h"
#include "stages/select_stage.h"
#include "stages/stereo_manager.h"
#include "stages/track_stage.h"
#include "stages/write_stage.h"

/* Threads from which outputs are encoded side by side; fewer are kept busy by the network. */
#define SIDE_BY_SIDE 4

struct job {
    const struct vsm_plan *plan;
    struct vsm_parallel *pool;        /* shared by the pixel stages */
    struct vsm_parallel *writer_pool; /* NULL: outputs are encoded one after the other */
    struct vsm_rvm *rvm;              /* NULL: on the GPU, or taken over by the matte stage */
    struct vsm_sha256 model;
    struct vsm_view_director *director; /* NULL: all views are direct */
    struct vsm_detector *detector;      /* NULL: nobody is looked for */
    struct vsm_read_stage read;
    struct vsm_people_stage *people;
    struct vsm_matte_stage *matte; /* NULL: matting.model is sam2 alone */
    struct vsm_sam2_net *net;      /* NULL: nobody is followed */
    struct vsm_track_stage *track;
    struct vsm_select_stage *select;   /* NULL: everybody is wanted, or the tracker selects */
    struct vsm_stereo_manager *stereo; /* NULL: not two eyes that can be compared */
    struct vsm_gpu_stages gpu;         /* instead of rvm, matte, select and composite */
    struct vsm_composite_stage *composite;
    struct vsm_write_stage write;
    struct vsm_stage_pair in_turns; /* the two above, where the plan wants that */
    struct vsm_video_writer *writers[VSM_MAX_OUTPUTS];
    struct vsm_runner *runner;
    struct vsm_recovery *recovery; /* NULL: without checkpoints */
    int64_t resumed;               /* frames that earlier runs made */
};

/* A comparison of the eyes through these views, if they can be compared; mending what a matter makes. */
static int make_stereo(void *opaque)
{
    struct job *job = opaque;
    const struct vsm_plan *plan = job->plan;
    const struct vsm_stereo_manager_options options = {
        .views = plan->views,
        .view_count = plan->view_count,
        .master = plan->config->stereo.master_eye == VSM_CONFIG_EYE_RIGHT ? VSM_RIGHT : VSM_LEFT,
        .baseline = vsm_eyes_plan_baseline(plan),
        .threshold = plan->config->stereo.consistency_threshold,
        .mend = plan->config->stereo.mode == VSM_CONFIG_STEREO_MASTER_SLAVE &&
                plan->config->matting.model != VSM_CONFIG_MODEL_SAM2 && !plan->eyes.alignment.unrelated,
        .list = plan->config->logging.stereo_list,
        .pool = job->pool,
        .stream = plan->gpu ? vsm_gpu_stage_stream(job->gpu.network) : NULL,
    };

    return vsm_stereo_manager_create(&options, &job->stereo);
}

static int restore_stereo(void *opaque)
{
    const struct job *job = opaque;

    return vsm_stereo_manager_restore(job->stereo, vsm_recovery_checkpoint(job->recovery)->state);
}

/* Where a device has no memory left for that, the network gives some up. */
static int try_stereo(struct job *job, int (*attempt)(void *opaque))
{
    return vsm_relief_try(job->plan->gpu ? vsm_gpu_stage_relief(job->gpu.network) : NULL, attempt, job);
}

static int create_stereo(struct job *job)
{
    const struct vsm_plan *plan = job->plan;

    return plan->config->stereo.disparity_correction && vsm_stereo_manager_fits(plan->views, plan->view_count)
               ? try_stereo(job, make_stereo)
               : VSM_OK;
}

static int create_composite(struct job *job)
{
    const struct vsm_plan *plan = job->plan;
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    const struct vsm_refine_options options = {.despill = (float)plan->config->matting.despill};
    struct vsm_composite_target targets[VSM_MAX_OUTPUTS];

    vsm_plan_outputs_targets(plan, targets);
    return vsm_composite_stage_create(targets, plan->output_count, info->width, info->height, &options,
                                      job->pool, &job->composite);
}

static int open_writer(struct job *job, int i, const struct vsm_checkpoint *checkpoint)
{
    const struct vsm_video_writer_options *options = &job->plan->outputs[i].writer;
    const struct vsm_state_record *record;
    struct vsm_bytes_in in;
    char name[VSM_STATE_NAME_SIZE];

    if (!checkpoint)
        return vsm_video_writer_open(options, &job->writers[i]);
    vsm_write_stage_record_name(i, name);
    record = vsm_state_find(checkpoint->state, name);
    in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);
    return vsm_video_writer_resume(options, &in, &job->writers[i]);
}

static int open_writers(struct job *job, const struct vsm_checkpoint *checkpoint)
{
    for (int i = 0; i < job->plan->output_count; i++) {
        int status = open_writer(job, i, checkpoint);

        if (status != VSM_OK)
            return status;
        job->write.writers[i] = job->writers[i];
        if (vsm_video_writer_remarks(job->writers[i])[0])
            vsm_log(VSM_LOG_WARN, job->plan->outputs[i].path, "%s",
                    vsm_video_writer_remarks(job->writers[i]));
    }
    job->write.count = job->plan->output_count;
    if (job->plan->output_count > 1 && job->plan->threads >= SIDE_BY_SIDE) {
        job->writer_pool = vsm_parallel_create(job->plan->output_count);
        if (!job->writer_pool)
            return VSM_E_NOMEM;
    }
    job->write.pool = job->writer_pool;
    if (job->recovery) {
        job->write.commit = vsm_recovery_commit;
        job->write.opaque = job->recovery;
    }
    return VSM_OK;
}

/* Puts every stage where the checkpoint left it, or at the start. */
static int position(struct job *job, const struct vsm_checkpoint *checkpoint)
{
    const struct vsm_plan *plan = job->plan;
    int status =
        vsm_read_stage_init(&job->read, plan->reader, checkpoint ? 0 : plan->first_frame, plan->end_frame);

    if (status == VSM_OK && checkpoint)
        status = vsm_read_stage_restore(&job->read, checkpoint->state);
    if (status == VSM_OK && checkpoint)
        status = plan->gpu ? vsm_gpu_stage_restore(job->gpu.network, checkpoint->state, checkpoint->next_seq)
                 : job->matte ? vsm_matte_stage_restore(job->matte, checkpoint->state)
                              : VSM_OK;
    if (status == VSM_OK && checkpoint && job->track)
        status = vsm_track_stage_restore(job->track, checkpoint->state);
    if (status == VSM_OK && checkpoint && job->people)
        status = vsm_people_stage_restore(job->people, checkpoint->state);
    if (status == VSM_OK && checkpoint && job->stereo)
        status = try_stereo(job, restore_stereo);
    if (status == VSM_OK)
        status = open_writers(job, checkpoint);
    job->resumed = checkpoint ? checkpoint->next_seq : 0;
    job->write.next_seq = job->resumed;
    return status;
}

static int create_runner(struct job *job)
{
    const struct vsm_config *config = job->plan->config;
    const struct vsm_runner_options options = {
        .buffer_frames = config->streaming.buffer_frames,
        .buffer_bytes = job->plan->queue_bytes,
        .most_frames = job->plan->most_frames,
        .first_seq = job->resumed,
        .barrier_interval = job->recovery ? config->recovery.checkpoint_interval : 0,
    };
    struct vsm_stage stages[VSM_MAX_STAGES];
    int count = 0;

    stages[count] = vsm_read_stage_describe(&job->read);
    stages[count++].most_waiting = vsm_gpu_plan_decoded_waiting(job->plan);
    if (job->plan->gpu) {
        count += vsm_gpu_plan_describe_stages(&job->gpu, job->people, stages + count);
    } else {
        stages[count++] = vsm_people_stage_describe(job->people);
        if (job->matte)
            stages[count++] = vsm_matte_stage_describe(job->matte);
        if (job->select)
            stages[count++] = vsm_select_stage_describe(job->select);
        if (job->track)
            stages[count++] = vsm_track_stage_describe(job->track);
        stages[count++] = vsm_composite_stage_describe(job->composite);
    }
    if (job->plan->in_turns) {
        job->in_turns = (struct vsm_stage_pair){.first = stages[--count],
                                                .second = vsm_write_stage_describe(&job->write)};
        stages[count++] = vsm_stage_pair_describe(&job->in_turns);
    } else {
        stages[count++] = vsm_write_stage_describe(&job->write);
    }
    job->runner = vsm_runner_create(stages, count, &options);
    return job->runner ? VSM_OK : VSM_E_NOMEM;
}

static int create_matte(struct job *job)
{
    const struct vsm_plan *plan = job->plan;
    const struct vsm_rvm_options options = vsm_plan_matter(plan);
    int status =
        vsm_matte_stage_create(job->rvm, plan->batch, plan->views, plan->view_count, job->pool, &job->matte);

    if (status == VSM_OK)
        vsm_matte_stage_own(job->matte, &job->rvm, &options);
    if (status == VSM_OK && plan->adaptive)
        vsm_matte_stage_adapt(job->matte, &plan->scaling);
    if (status == VSM_OK)
        status = vsm_view_plan_create_director(plan, &job->director);
    if (status == VSM_OK && job->director)
        vsm_matte_stage_set_director(job->matte, job->director);
    if (status == VSM_OK)
        status = create_stereo(job);
    if (status == VSM_OK && job->stereo) {
        const struct vsm_matte_review review = vsm_stereo_manager_review(job->stereo);

        vsm_matte_stage_set_review(job->matte, &review);
    }
    return status;
}

/* What works on the host beside the device. */
static int create_beside_gpu(struct job *job)
{
    int status = vsm_people_plan_create_stage(job->plan, job->pool, &job->detector, &job->people);

    if (status == VSM_OK)
        status = vsm_view_plan_create_director(job->plan, &job->director);
    if (status == VSM_OK && job->director)
        status = vsm_gpu_stage_set_director(job->gpu.network, job->director);
    if (status == VSM_OK)
        status = create_stereo(job);
    if (status == VSM_OK && job->stereo)
        vsm_gpu_stage_set_stereo(job->gpu.network, job->stereo);
    return status == VSM_OK ? vsm_gpu_plan_add_gate(job->plan, job->pool, &job->gpu) : status;
}

static int create_cpu_stages(struct job *job)
{
    const struct vsm_plan *plan = job->plan;
    int status = vsm_people_plan_create_stage(plan, job->pool, &job->detector, &job->people);

    if (status == VSM_OK && job->rvm)
        status = create_matte(job);
    if (status == VSM_OK && !job->net && plan->people.kind != VSM_PEOPLE_ALL)
        status = vsm_select_stage_create(job->pool, &job->select);
    if (status == VSM_OK && job->net)
        status = vsm_track_plan_create_stage(plan, job->net, job->pool, &job->track);
    if (status == VSM_OK && job->track && !job->matte)
        status = create_stereo(job);
    if (status == VSM_OK && job->stereo && !job->matte) {
        const struct vsm_matte_review review = vsm_stereo_manager_review(job->stereo);

        vsm_track_stage_set_review(job->track, &review);
    }
    return status == VSM_OK ? create_composite(job) : status;
}

/* The networks, and the hash of them all. */
static int create_models(struct job *job)
{
    const struct vsm_plan *plan = job->plan;
    int status;

    if (plan->gpu) {
        vsm_scratch_share();
        status = vsm_gpu_plan_create_stages(plan, &job->gpu);
        if (status == VSM_OK)
            job->model = vsm_gpu_stage_hash(job->gpu.network);
        return status;
    }
    if (plan->config->matting.model != VSM_CONFIG_MODEL_SAM2) {
        status = vsm_plan_create_matter(plan, &job->rvm);
        if (status != VSM_OK)
            return status;
        job->model = vsm_rvm_hash(job->rvm);
    }
    return vsm_track_plan_wants(plan->config) ? vsm_track_plan_create_net(plan, true, &job->net, &job->model)
                                              : VSM_OK;
}

static int set_up(struct job *job, enum vsm_cli_resume wish)
{
    const struct vsm_plan *plan = job->plan;
    int status = create_models(job);

    vsm_log(VSM_LOG_INFO, "provider", "%s", plan->provider);
    if (!plan->turned && plan->config->matting.view != VSM_CONFIG_VIEW_DIRECT)
        vsm_log(VSM_LOG_INFO, "views", "the network sees whole eyes: %s", plan->turned_why);
    job->pool = plan->gpu ? vsm_gpu_plan_create_pool(plan->threads) : vsm_parallel_create(plan->threads);
    if (!job->pool)
        status = VSM_E_NOMEM;
    if (status == VSM_OK)
        status = vsm_recovery_open(plan, wish, job->model, &job->recovery);
    if (vsm_recovery_finished(job->recovery))
        return status;
    if (status == VSM_OK)
        status = plan->gpu ? create_beside_gpu(job) : create_cpu_stages(job);
    if (status == VSM_OK)
        status = position(job, vsm_recovery_checkpoint(job->recovery));
    if (status == VSM_OK)
        status = create_runner(job);
    vsm_pages_release();
    return status;
}

static int run(struct job *job)
{
    const struct vsm_monitor_options options = {
        .style = job->plan->config->logging.progress,
        .file = job->plan->config->logging.progress_file,
        .frames = job->plan->frames,
        .resumed = job->resumed,
        .written = &job->write.written,
        .stereo = job->stereo,
        .interval = job->recovery ? job->plan->config->recovery.checkpoint_interval : 0,
        .observe = job->recovery ? vsm_recovery_observe : NULL,
        .opaque = job->recovery,
    };
    struct vsm_monitor *monitor = NULL;
    int status = vsm_monitor_start(job->runner, &options, &monitor);

    if (status == VSM_OK)
        status = vsm_runner_start(job->runner);
    if (status == VSM_OK)
        status = vsm_runner_wait(job->runner);
    vsm_monitor_stop(monitor);
    return status;
}

static void tear_down(struct job *job)
{
    bool keep = vsm_recovery_saved_frames(job->recovery) > 0;

    vsm_runner_destroy(job->runner);
    for (int i = 0; i < VSM_MAX_OUTPUTS; i++)
        vsm_video_writer_close(job->writers[i], keep);
    vsm_composite_stage_destroy(job->composite);
    vsm_stereo_manager_destroy(job->stereo);
    vsm_gpu_plan_destroy_stages(&job->gpu);
    vsm_select_stage_destroy(job->select);
    vsm_track_stage_destroy(job->track);
    vsm_sam2_net_destroy(job->net);
    vsm_matte_stage_destroy(job->matte);
    vsm_people_stage_destroy(job->people);
    vsm_detector_destroy(job->detector);
    vsm_view_director_destroy(job->director);
    vsm_rvm_destroy(job->rvm);
    vsm_parallel_destroy(job->writer_pool);
    vsm_parallel_destroy(job->pool);
}

static int report(struct job *job, int status, uint64_t wall_ns)
{
    struct vsm_matte_counters counters = job->plan->gpu ? vsm_gpu_stage_counters(job->gpu.network)
                                         : job->matte   ? vsm_matte_stage_counters(job->matte)
                                                        : (struct vsm_matte_counters){0};
    const struct vsm_people_stage_numbers people = vsm_people_stage_numbers(job->people);
    const struct vsm_view_director_counters views =
        job->director ? vsm_view_director_counters(job->director) : (struct vsm_view_director_counters){0};
    struct vsm_report r = {
        .plan = job->plan,
        .result = status == VSM_OK            ? "complete"
                  : status == VSM_E_CANCELLED ? "cancelled"
                                              : "failed",
        .error = status == VSM_OK ? NULL : vsm_error_message(),
        .frames = atomic_load(&job->write.written),
        .resumed_frames = job->resumed,
        .scene_cuts = people.scene_cuts,
        .state_resets = counters.state_resets,
        .repeated_frames = job->read.repeated,
        .people = job->detector ? &people : NULL,
        .looked_on = job->detector ? vsm_detector_device(job->detector) : VSM_DEVICE_CPU,
        .views = job->director ? &views : NULL,
        .stereo = job->stereo ? vsm_stereo_manager_tally(job->stereo) : NULL,
        .wall_ns = wall_ns,
        .track = job->track ? vsm_track_stage_numbers(job->track) : NULL,
        .scaling = job->plan->gpu ? vsm_gpu_stage_scaling(job->gpu.network)
                   : job->matte   ? vsm_matte_stage_scaling(job->matte)
                                  : NULL,
        .model_hash = job->model,
        .job_hash = vsm_recovery_job_hash(job->recovery),
        .in_turns = job->plan->in_turns ? &job->in_turns : NULL,
    };

    r.stage_count = vsm_runner_stats(job->runner, r.stats);
    vsm_report_summarise(&r);
    return vsm_report_write(&r);
}

static void explain_resume(const struct job *job)
{
    int64_t frames = vsm_recovery_saved_frames(job->recovery);

    if (frames > 0)
        vsm_log(VSM_LOG_INFO, "stop", "the same command again goes on at frame %lld", (long long)frames);
}

int vsm_job_run(const struct vsm_plan *plan, enum vsm_cli_resume wish)
{
    struct job job = {.plan = plan};
    uint64_t start = vsm_clock_ns();
    int status = set_up(&job, wish), end_status;

    if (status == VSM_OK && !vsm_recovery_finished(job.recovery)) {
        int report_status;

        status = run(&job);
        report_status = report(&job, status, vsm_clock_ns() - start);
        if (status == VSM_OK)
            status = report_status;
        if (status != VSM_OK)
            explain_resume(&job);
    }
    tear_down(&job);
    end_status = vsm_recovery_close(job.recovery, status == VSM_OK);
    return status == VSM_OK ? end_status : status;
}
