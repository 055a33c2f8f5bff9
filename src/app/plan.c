#include "app/plan.h"

#include "app/eyes_plan.h"
#include "app/gpu_plan.h"
#include "app/lens_plan.h"
#include "app/people_plan.h"
#include "app/plan_outputs.h"
#include "app/track_plan.h"
#include "app/view_plan.h"
#include "base/mem.h"
#include "build_config.h"
#include "geometry/reprojection.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

/* Long side of the grid for a direct half-equirect eye, in cells. Measured: shared truth of doc/quality.md;
 * below 256 people fall apart, above 768 the network costs more than it gives. */
#define GRID_DEFAULT 768
#define GRID_MIN     256

/* Measured as doc/performance.md tells, by the peak RSS of whole runs. */
#define DECODER_PICTURES 6 /* that a decoder keeps, besides one a thread */

/* Network with its states, maps and inputs of both eyes and the measuring of disparity, in bytes a grid
 * cell. */
#define NETWORK_BYTES_PER_CELL 300

/* Resident size without any picture: program, FFmpeg, ONNX Runtime, weights, and the people stage. */
#define PROGRAM_BYTES ((size_t)78 << 20)

/* Pictures of its own size that an encoder holds, up to 2048x1024, up to 4096x2048 and above: its look-ahead
 * is shorter the larger they are (measured: bench/encoder_memory); and bytes a pixel besides, once and for
 * each thread beyond the first. FFmpeg's ffv1 clears a packet for the worst case, 148 bytes a pixel but at
 * most 2 GiB, before the first picture. */
struct encoder_pictures {
    const char *codec;
    size_t small, middle, large;
    size_t once, thread;
};

static const struct encoder_pictures encoder_pictures[] = {
    {"libx264", 20, 20, 9, 0, 0},     {"libx265", 84, 40, 31, 0, 0}, {"prores_ks", 4, 4, 2, 0, 0},
    {"ffv1", 1, 1, 1, 150, 0},        {"png", 0, 0, 0, 16, 16},      {"exr", 0, 0, 0, 44, 58},
    {"libvpx-vp9", 65, 65, 55, 0, 0},
};

/* With a bitrate x264 looks ahead, and keeps reduced copies for that. */
static const struct encoder_pictures x264_by_bitrate = {"libx264", 32, 28, 13, 0, 0};

#define ENCODER_MOST ((size_t)2 << 30)

static int round_to_grid(double size)
{
    int cells = (int)(size / VSM_RVM_GRID + 0.5) * VSM_RVM_GRID;

    return cells < VSM_RVM_GRID ? VSM_RVM_GRID : cells;
}

static void plan_views(struct vsm_plan *plan)
{
    for (int i = 0; i < plan->layout.eye_count; i++) {
        struct vsm_rect eye = plan->layout.eyes[i];
        double longest = eye.width > eye.height ? eye.width : eye.height;
        double scale = plan->config->processing.scale_factor;

        if (scale < 0)
            scale = longest > GRID_DEFAULT ? GRID_DEFAULT / longest : 1;
        if (longest * scale < GRID_MIN)
            scale = GRID_MIN / longest;
        plan->views[i] = (struct vsm_view){
            .kind = VSM_VIEW_DIRECT,
            .eye = (enum vsm_eye)i,
            .source = eye,
            .lens = plan->lenses[i],
            .width = round_to_grid(eye.width * scale),
            .height = round_to_grid(eye.height * scale),
        };
    }
    plan->view_count = plan->layout.eye_count;
}

/* The ladder of grids, and all views on its first one. */
static int plan_scaling(struct vsm_plan *plan)
{
    const struct vsm_config *config = plan->config;
    const struct vsm_rect eye = plan->layout.eyes[0];
    struct vsm_scaling_options *scaling = &plan->scaling;
    int status;

    plan->adaptive = config->processing.adaptive_scaling;
    if (!plan->adaptive)
        return VSM_OK;
    if (!plan->gpu && config->processing.target_fps <= 0)
        return vsm_fail(VSM_E_USAGE,
                        "processing.adaptive_scaling: on the CPU it holds processing.target_fps, which is "
                        "not set; set it, or switch adaptive_scaling off (%.200s)",
                        plan->provider);
    if (config->matting.model != VSM_CONFIG_MODEL_RVM)
        return vsm_fail(VSM_E_USAGE,
                        "processing.adaptive_scaling: works with matting.model rvm only; set that, or "
                        "switch it off");
    for (int i = 0; i < plan->view_count; i++)
        if (plan->layout.eyes[i].width != eye.width || plan->layout.eyes[i].height != eye.height)
            return vsm_fail(VSM_E_USAGE,
                            "processing.adaptive_scaling: works on whole eyes of equal size only; switch "
                            "it off");
    status =
        vsm_scaling_ladder(eye.width, eye.height, config->processing.min_scale, config->processing.max_scale,
                           (double)plan->views[0].width / eye.width, VSM_RVM_GRID, scaling);
    scaling->target_usage = plan->gpu ? config->processing.target_gpu_usage : 0;
    scaling->target_fps = config->processing.target_fps;
    for (int i = 0; i < plan->view_count && status == VSM_OK; i++) {
        plan->views[i].width = scaling->rungs[scaling->first].width;
        plan->views[i].height = scaling->rungs[scaling->first].height;
    }
    return status;
}

static int plan_range(struct vsm_plan *plan)
{
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    int64_t wanted = plan->config->input.max_frames;

    plan->first_frame = plan->config->input.start_frame;
    plan->end_frame = wanted > 0 ? plan->first_frame + wanted : INT64_MAX;
    if (info->frames >= 0 && info->frames_exact) {
        if (plan->first_frame >= info->frames)
            return vsm_fail(VSM_E_INPUT, "%s: start frame %lld, but the video has %lld frames (0 to %lld)",
                            plan->config->input.path, (long long)plan->first_frame, (long long)info->frames,
                            (long long)info->frames - 1);
        if (plan->end_frame > info->frames)
            plan->end_frame = info->frames;
    }
    plan->frames = plan->end_frame < INT64_MAX ? plan->end_frame - plan->first_frame : -1;
    if (plan->frames < 0 && info->frames > plan->first_frame)
        plan->frames = info->frames - plan->first_frame;
    return VSM_OK;
}

static const struct encoder_pictures *find_encoder(const struct vsm_video_encoder_options *encoder)
{
    static const struct encoder_pictures other = {NULL, 24, 24, 24, 0, 0}; /* not measured */

    if (strcmp(encoder->codec, x264_by_bitrate.codec) == 0 && encoder->bitrate > 0)
        return &x264_by_bitrate;
    for (size_t i = 0; i < sizeof(encoder_pictures) / sizeof(encoder_pictures[0]); i++)
        if (strcmp(encoder_pictures[i].codec, encoder->codec) == 0)
            return &encoder_pictures[i];
    return &other;
}

static size_t encoder_bytes(const struct vsm_plan_output *output)
{
    const struct encoder_pictures *e = find_encoder(&output->writer.encoder);
    int width = output->file_width, height = output->file_height;
    size_t picture = vsm_format_bytes(output->format, width, height), pixels = (size_t)width * (size_t)height;
    size_t threads = (size_t)output->writer.encoder.threads;
    size_t besides = pixels * (e->once + e->thread * (threads - 1));
    size_t pictures = pixels > 4096 * 2048 ? e->large : pixels > 2048 * 1024 ? e->middle : e->small;

    return picture * pictures + (besides < ENCODER_MOST ? besides : ENCODER_MOST);
}

/* The mapping, and the foreground and matte that a packed picture is drawn from. */
static size_t packing_bytes(const struct vsm_plan_output *output, const struct vsm_video_info *info)
{
    const struct vsm_format matte = {.planes = VSM_PLANES_GRAY, .depth = 16};

    if (!output->packed)
        return 0;
    return vsm_reprojection_bytes(output->packing.height) +
           vsm_format_bytes(output->format, info->width, info->height) +
           vsm_format_bytes(matte, info->width, info->height);
}

/* Frames of source and output pictures in flight, `cells` in an eye's grid. */
static int most_frames(const struct vsm_plan *plan, size_t source, size_t outputs, size_t cells)
{
    const size_t bytes = source + outputs, fit = VSM_PLAN_FLIGHT_BYTES / bytes;
    const size_t least = VSM_PLAN_FLIGHT_FRAMES(plan->threads, bytes);

    if (plan->gpu)
        return vsm_gpu_plan_most_frames(source, cells * (size_t)plan->view_count);
    return (int)(fit < least ? least : fit < INT_MAX ? fit : INT_MAX);
}

/* A full queue of frames of `bytes`. */
static size_t queue_bytes(const struct vsm_plan *plan, size_t bytes)
{
    size_t frames = plan->queue_bytes / bytes, most = (size_t)plan->config->streaming.buffer_frames;

    return bytes * (frames < 1 ? 1 : frames < most ? frames : most);
}

/* Pictures of all frames in flight. On the CPU a frame has its source picture or its outputs,
 * and only where they are made both; one is decoded ahead, and one stays with each encoder, the
 * same one if they take turns. */
static size_t flight_bytes(const struct vsm_plan *plan, size_t source, size_t outputs)
{
    const size_t larger = source > outputs ? source : outputs;

    if (plan->gpu)
        return queue_bytes(plan, source) + queue_bytes(plan, outputs) + 2 * source + outputs;
    return (size_t)plan->most_frames * larger + source + (plan->in_turns ? 0 : outputs);
}

/* Of all networks that are kept, on the largest grid: on the CPU those for other views come and go. */
static size_t network_cells(const struct vsm_plan *plan)
{
    const struct vsm_scaling_grid *grids = plan->scaling.rungs;
    const struct vsm_scaling_grid grid =
        plan->adaptive ? grids[plan->scaling.count - 1]
                       : (struct vsm_scaling_grid){plan->views[0].width, plan->views[0].height};
    size_t cells = (size_t)grid.width * (size_t)grid.height;

    for (int k = 0; k < VSM_VIEW_PLACE_MAX && plan->turned && plan->gpu; k++) {
        const int side = vsm_view_place_side((int64_t)grid.width * grid.height, k + 1, VSM_RVM_GRID);

        if (side != grid.width || side != grid.height)
            cells += (size_t)side * (size_t)side;
    }
    return cells;
}

/* Pictures wait for the network and for the encoders; the maps are used up as soon as they are made. */
static void plan_memory(struct vsm_plan *plan)
{
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    size_t source = vsm_format_bytes(info->format, info->width, info->height), outputs = 0, encoders = 0;
    size_t packing = 0;
    const size_t cells = network_cells(plan);

    for (int i = 0; i < plan->output_count; i++) {
        packing += packing_bytes(&plan->outputs[i], info);
        outputs += vsm_format_bytes(plan->outputs[i].format, plan->outputs[i].width, plan->outputs[i].height);
        encoders += encoder_bytes(&plan->outputs[i]);
    }
    plan->most_frames = most_frames(plan, source, outputs, cells);
    plan->in_turns = !plan->gpu && VSM_PLAN_IN_TURNS(plan->threads, source + outputs);
    plan->memory = (struct vsm_plan_memory){
        .program = PROGRAM_BYTES,
        .decoder = source * (DECODER_PICTURES + (size_t)plan->decoder_threads),
        .queues = flight_bytes(plan, source, outputs) + packing,
        .network = NETWORK_BYTES_PER_CELL * cells * (size_t)plan->batch,
        .tracker = vsm_track_plan_bytes(plan),
        .encoders = encoders,
    };
}

static int detect_layout(struct vsm_plan *plan)
{
    static const int layouts[] = {
        [VSM_CONFIG_LAYOUT_AUTO] = VSM_LAYOUT_AUTO,
        [VSM_CONFIG_LAYOUT_SBS] = VSM_LAYOUT_SBS,
        [VSM_CONFIG_LAYOUT_TB] = VSM_LAYOUT_TB,
        [VSM_CONFIG_LAYOUT_MONO] = VSM_LAYOUT_MONO,
    };
    static const int projections[] = {
        [VSM_CONFIG_PROJECTION_AUTO] = VSM_PROJECTION_AUTO,
        [VSM_CONFIG_PROJECTION_HALF_EQUIRECT] = VSM_HALF_EQUIRECT,
        [VSM_CONFIG_PROJECTION_FISHEYE] = VSM_FISHEYE,
        [VSM_CONFIG_PROJECTION_RECTILINEAR] = VSM_RECTILINEAR,
    };
    const struct vsm_config *config = plan->config;

    return vsm_vr_layout_detect(config->input.path, vsm_video_reader_info(plan->reader),
                                layouts[config->input.layout], projections[config->input.projection],
                                config->input.swap_eyes == VSM_CONFIG_SWAP_TRUE, &plan->layout);
}

const char *vsm_plan_models_folder(const char *chosen)
{
    if (chosen)
        return chosen;
    return access(VSM_INSTALLED_MODELS_DIR "/rvm.json", R_OK) == 0 ? VSM_INSTALLED_MODELS_DIR
                                                                   : VSM_MODELS_DIR;
}

static int resolve(struct vsm_plan *plan)
{
    const struct vsm_config *config = plan->config;
    bool device;
    int status;

    plan->threads = config->processing.threads;
    if (plan->threads == 0)
        plan->threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    device = vsm_gpu_plan_possible(config);
    plan->decoder_threads = device ? plan->threads : VSM_PLAN_CPU_DECODER_THREADS(plan->threads);
    status = vsm_video_reader_open(config->input.path,
                                   &(struct vsm_video_reader_options){.threads = plan->decoder_threads,
                                                                      .memory = device ? VSM_READER_DEVICE
                                                                                       : VSM_READER_PLAIN},
                                   &plan->reader);
    if (status == VSM_OK)
        status = detect_layout(plan);
    if (status == VSM_OK)
        status = vsm_lens_plan_choose(plan);
    if (status == VSM_OK)
        status = plan_range(plan);
    if (status == VSM_OK)
        status = vsm_eyes_plan_look(plan);
    if (status != VSM_OK)
        return status;
    status = vsm_output_list_parse(config, &plan->list);
    if (status != VSM_OK)
        return status;
    plan_views(plan);
    status = vsm_people_rule_parse(config->matting.people, &plan->people);
    if (status != VSM_OK)
        return status;
    status = vsm_gpu_plan_choose(plan);
    if (status == VSM_OK)
        status = plan_scaling(plan);
    if (status != VSM_OK)
        return status;
    plan->batch = plan->gpu ? plan->view_count : 1;
    plan->queue_bytes = plan->gpu ? VSM_PLAN_GPU_QUEUE_BYTES : VSM_PLAN_QUEUE_BYTES;
    plan->model_path =
        vsm_mem_format("model path", "%s/rvm.json", vsm_plan_models_folder(config->models.dir));
    if (!plan->model_path)
        return VSM_E_NOMEM;
    status = vsm_people_plan_choose(plan, vsm_plan_models_folder(config->models.dir));
    if (status == VSM_OK)
        status = vsm_view_plan_choose(plan);
    vsm_people_plan_choose_interval(plan);
    if (plan->adaptive && plan->gpu)
        plan->scaling.bytes_per_cell = vsm_gpu_plan_bytes_per_cell(plan);
    if (status == VSM_OK)
        status = vsm_track_plan_choose(plan);
    if (status == VSM_OK)
        status = vsm_plan_outputs(plan);
    if (status == VSM_OK)
        plan_memory(plan);
    return status;
}

int vsm_plan_create(const struct vsm_config *config, struct vsm_plan **plan)
{
    struct vsm_plan *p = vsm_mem_alloc("plan", 1, sizeof(*p));
    int status;

    if (!p)
        return VSM_E_NOMEM;
    p->config = config;
    status = resolve(p);
    if (status != VSM_OK) {
        vsm_plan_destroy(p);
        return status;
    }
    *plan = p;
    return VSM_OK;
}

void vsm_plan_destroy(struct vsm_plan *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < plan->output_count; i++) {
        vsm_mem_free(plan->outputs[i].path);
        vsm_mem_free(plan->outputs[i].temporary_path);
    }
    vsm_output_list_finish(&plan->list);
    vsm_mem_free(plan->model_path);
    vsm_mem_free(plan->detector_path);
    vsm_track_plan_finish(&plan->track);
    vsm_video_reader_close(plan->reader);
    vsm_mem_free(plan);
}

struct vsm_rvm_options vsm_plan_matter(const struct vsm_plan *plan)
{
    return (struct vsm_rvm_options){
        .graph_path = plan->model_path,
        .width = plan->views[0].width,
        .height = plan->views[0].height,
        .batch = plan->batch,
        .session = {.device = VSM_DEVICE_CPU, .threads = plan->threads},
    };
}

int vsm_plan_create_matter(const struct vsm_plan *plan, struct vsm_rvm **rvm)
{
    const struct vsm_rvm_options options = vsm_plan_matter(plan);

    return vsm_rvm_create(&options, rvm);
}
