#include "app/gpu_plan.h"

#include "app/plan_outputs.h"
#include "cuda/device.h"
#include "nn/session.h"
#include "pixel/coefficients.h"

#include <stdio.h>

/* Measured: bench_gpu_frame prints the network's memory, which is proportional to the cells. */
#define NETWORK_BYTES_PER_CELL 612

/* For both eyes: stereo/stereo_planes_cuda.h. */
#define STEREO_BYTES_PER_CELL 53

/* The decoder on the device has a fixed set of pictures, one for a queue: media/device_decode.h. */
#define DECODED_WAITING 1

/* NULL, or what these settings want that the device path does not do. */
static const char *misfit_of_settings(const struct vsm_config *config)
{
    if (config->matting.model != VSM_CONFIG_MODEL_RVM)
        return "matting.model asks for a tracker; only that uses a GPU then";
    return NULL;
}

/* NULL, or why the kernels cannot take these pictures (image/refine_cuda.h). */
static const char *misfit(const struct vsm_plan *plan)
{
    const struct vsm_format f = vsm_video_reader_info(plan->reader)->format;

    if (f.planes > VSM_PLANES_NV || (f.planes != VSM_PLANES_GRAY && (!f.chroma_x || !f.chroma_y)))
        return "the input is not 4:2:0";
    for (int i = 0; i < plan->list.count; i++) {
        const struct vsm_output_list_item *item = &plan->list.items[i];

        if (item->format & ~(unsigned)(VSM_CONFIG_OUTPUT_GREEN | VSM_CONFIG_OUTPUT_MATTE))
            return "an output carries foreground and alpha";
        if (item->settings.output.projection != VSM_CONFIG_OUTPUT_AS_INPUT ||
            item->settings.output.resize != 1)
            return "an output changes the projection or the size";
    }
    for (int i = 0; i < plan->view_count; i++) {
        if (plan->views[i].source.x % 2 || plan->views[i].source.y % 2)
            return "an eye begins at an odd position";
    }
    return misfit_of_settings(plan->config);
}

static int reopen(struct vsm_plan *plan)
{
    const struct vsm_video_reader_options options = {.threads = VSM_PLAN_CPU_DECODER_THREADS(plan->threads)};

    plan->decoder_threads = options.threads;
    vsm_video_reader_close(plan->reader);
    plan->reader = NULL;
    return vsm_video_reader_open(plan->config->input.path, &options, &plan->reader);
}

static void describe(struct vsm_plan *plan, const struct vsm_cuda_info *info)
{
    const char *why;
    const bool on_device = vsm_video_reader_on_device(plan->reader, &why);

    snprintf(plan->provider, sizeof(plan->provider),
             "CUDA, %s with %.1f of %.1f GB free, fp16 network; decoding %s%s%s", info->name,
             (double)info->memory_free / 1e9, (double)info->memory / 1e9,
             on_device ? "by NVDEC" : "in software (", why, on_device ? "" : ")");
}

bool vsm_gpu_plan_possible(const struct vsm_config *config)
{
    struct vsm_cuda_info info;

    return config->processing.device != VSM_CONFIG_DEVICE_CPU && !misfit_of_settings(config) &&
           vsm_cuda_device_info(&info) == VSM_OK;
}

int vsm_gpu_plan_choose(struct vsm_plan *plan)
{
    const enum vsm_config_device wanted = plan->config->processing.device;
    struct vsm_cuda_info info;
    const char *why = wanted == VSM_CONFIG_DEVICE_CPU ? "as asked" : misfit(plan);

    if (!why && vsm_cuda_device_info(&info) != VSM_OK)
        why = vsm_error_message();
    plan->gpu = !why;
    if (plan->gpu) {
        describe(plan, &info);
        return VSM_OK;
    }
    snprintf(plan->provider, sizeof(plan->provider), "CPU, %s, %d threads (%s)",
             vsm_session_backend_version(), plan->threads, why);
    if (wanted == VSM_CONFIG_DEVICE_CUDA && !misfit_of_settings(plan->config))
        return vsm_fail(VSM_E_DEVICE, "processing.device: cuda cannot be used (%.200s); use cpu or auto",
                        plan->provider);
    return vsm_gpu_plan_possible(plan->config) ? reopen(plan) : VSM_OK;
}

double vsm_gpu_plan_bytes_per_cell(const struct vsm_plan *plan)
{
    const int comparing = plan->config->stereo.disparity_correction ? STEREO_BYTES_PER_CELL : 0;

    return NETWORK_BYTES_PER_CELL * plan->view_count * (plan->turned ? 2 : 1) + comparing;
}

struct vsm_parallel *vsm_gpu_plan_create_pool(int threads)
{
    return vsm_parallel_create(threads < VSM_GPU_PLAN_THREADS ? threads : VSM_GPU_PLAN_THREADS);
}

int vsm_gpu_plan_most_frames(size_t picture_bytes, size_t cells)
{
    const size_t fit =
        VSM_GPU_PLAN_FLIGHT_BYTES / (picture_bytes + cells * VSM_COEFFICIENT_MAPS * sizeof(float));

    return (int)(fit < VSM_GPU_PLAN_FLIGHT_FRAMES ? VSM_GPU_PLAN_FLIGHT_FRAMES : fit < 1000 ? fit : 1000);
}

int vsm_gpu_plan_decoded_waiting(const struct vsm_plan *plan)
{
    const char *why;

    return plan->gpu && vsm_video_reader_on_device(plan->reader, &why) ? DECODED_WAITING : 0;
}

static bool selects(const struct vsm_plan *plan)
{
    return plan->people.kind != VSM_PEOPLE_ALL;
}

static int create_network(const struct vsm_plan *plan, const struct vsm_image *source,
                          const struct vsm_composite_target *targets, struct vsm_gpu_stage **stage)
{
    const struct vsm_rvm_options rvm = vsm_plan_matter(plan);
    const struct vsm_gpu_stage_options options = {
        .rvm = &rvm,
        .views = plan->views,
        .view_count = plan->view_count,
        .source = source,
        .targets = targets,
        .target_count = plan->output_count,
        .alpha = selects(plan) || plan->turned,
        .scaling = plan->adaptive ? &plan->scaling : NULL,
    };

    return vsm_gpu_stage_create(&options, stage);
}

/* Pictures are as large as the input's, so that no smaller grid makes room for them. */
static int advise(int status)
{
    char message[256];

    if (status != VSM_E_NOMEM)
        return status;
    snprintf(message, sizeof(message), "%s", vsm_error_message());
    return vsm_fail(VSM_E_NOMEM,
                    "%s; end other programs that use the device, write fewer outputs, or set "
                    "processing.device: cpu",
                    message);
}

int vsm_gpu_plan_create_stages(const struct vsm_plan *plan, struct vsm_gpu_stages *stages)
{
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    const struct vsm_refine_options refine = {.despill = (float)plan->config->matting.despill};
    const struct vsm_image source = {.format = info->format,
                                     .colour = info->colour,
                                     .width = info->width,
                                     .height = info->height};
    struct vsm_composite_target targets[VSM_MAX_OUTPUTS];
    const struct vsm_gpu_refine_stage_options options = {
        .source = &source,
        .views = plan->views,
        .view_count = plan->view_count,
        .targets = targets,
        .target_count = plan->output_count,
        .refine = &refine,
    };
    int status;

    vsm_plan_outputs_targets(plan, targets);
    status = vsm_gpu_upload_stage_create(&source, plan->layout.eyes, plan->layout.eye_count, &stages->upload);
    if (status == VSM_OK)
        status = vsm_gpu_refine_stage_create(&options, &stages->refine);
    status = advise(status);
    if (status == VSM_OK)
        status = create_network(plan, &source, targets, &stages->network);
    if (status == VSM_OK) {
        struct vsm_relief *relief = vsm_gpu_stage_relief(stages->network);

        vsm_gpu_upload_stage_set_relief(stages->upload, relief);
        vsm_gpu_refine_stage_set_relief(stages->refine, relief);
    }
    return status;
}

int vsm_gpu_plan_add_gate(const struct vsm_plan *plan, struct vsm_parallel *pool,
                          struct vsm_gpu_stages *stages)
{
    const int status = selects(plan) ? vsm_device_gate_create(pool, &stages->gate) : VSM_OK;

    vsm_gpu_refine_stage_set_gate(stages->refine, stages->gate);
    return status;
}

void vsm_gpu_plan_destroy_stages(struct vsm_gpu_stages *stages)
{
    vsm_gpu_stage_destroy(stages->network);
    vsm_gpu_refine_stage_destroy(stages->refine);
    vsm_device_gate_destroy(stages->gate);
    vsm_gpu_upload_stage_destroy(stages->upload);
    *stages = (struct vsm_gpu_stages){0};
}

int vsm_gpu_plan_describe_stages(const struct vsm_gpu_stages *stages, struct vsm_people_stage *people,
                                 struct vsm_stage *described)
{
    int count = 0;

    described[count++] = vsm_gpu_upload_stage_describe(stages->upload);
    if (people)
        described[count++] = vsm_people_stage_describe(people);
    described[count++] = vsm_gpu_stage_describe(stages->network);
    described[count++] = vsm_gpu_refine_stage_describe(stages->refine);
    described[count++] = vsm_gpu_refine_stage_describe_download(stages->refine);
    return count;
}
