#include "app/track_plan.h"

#include "app/eyes_plan.h"
#include "app/lens_plan.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/prompts.h"
#include "cuda/device.h"
#include "media/still.h"
#include "models/registry.h"
#include "models/sam2_mask.h"
#include "nn/graph_cache.h"
#include "stages/people_stage.h"
#include "stereo/disparity.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Masks are kept as floats of the network's picture, 4 MiB each at 1024. */
#define MAX_MASKS 64

#define LARGE 1024
#define SMALL 512

/* Measured (doc/sam2.md): weights take their file's size and little more; SAM 2.1 tiny at 512 peaks 650 bytes
 * a pixel of the network's picture above them, EdgeTAM 260. */
#define WEIGHTS_FACTOR  1.1
#define BYTES_PER_PIXEL 700.0
#define PEOPLE          2

bool vsm_track_plan_wants(const struct vsm_config *config)
{
    return config->matting.model != VSM_CONFIG_MODEL_RVM;
}

/* The first of the known checkpoints that is installed. */
static int find_any(struct vsm_plan_track *track, const char *folder)
{
    for (int i = 0; i < vsm_registry_count(); i++) {
        const struct vsm_registry_entry *e = vsm_registry_at(i);

        if (vsm_registry_look(folder, e) != VSM_REGISTRY_PRESENT)
            continue;
        track->path = vsm_registry_path(folder, e);
        track->licence = e->licence;
        return track->path ? VSM_OK : VSM_E_NOMEM;
    }
    return vsm_fail(
        VSM_E_MODEL,
        "%s: no checkpoint of SAM 2 is installed; `vr180-streaming models pull edgetam` fetches the "
        "smallest, or give a file as matting.tracker",
        folder);
}

/* A file as it is, or a name of the registry, or a file of the models folder. */
static int find_named(struct vsm_plan_track *track, const char *folder, const char *wanted)
{
    const struct vsm_registry_entry *e;

    if (strchr(wanted, '/') || access(wanted, F_OK) == 0) {
        track->path = vsm_mem_string("model path", wanted);
        return track->path ? VSM_OK : VSM_E_NOMEM;
    }
    track->path = vsm_mem_format("model path", "%s/%s", folder, wanted);
    if (!track->path)
        return VSM_E_NOMEM;
    if (access(track->path, F_OK) == 0)
        return VSM_OK;
    e = vsm_registry_find(wanted);
    if (!e)
        return VSM_E_USAGE;
    vsm_mem_free(track->path);
    track->path = vsm_registry_path(folder, e);
    track->licence = e->licence;
    if (!track->path)
        return VSM_E_NOMEM;
    if (vsm_registry_look(folder, e) != VSM_REGISTRY_PRESENT)
        return vsm_fail(VSM_E_MODEL, "%s: is not installed; `vr180-streaming models pull %s` fetches it",
                        track->path, e->name);
    return VSM_OK;
}

static int find_checkpoint(struct vsm_plan *plan)
{
    char *folder = NULL;
    int status = vsm_registry_folder(plan->config->models.dir, 0, &folder);

    if (status == VSM_OK)
        status = plan->config->matting.tracker
                     ? find_named(&plan->track, folder, plan->config->matting.tracker)
                     : find_any(&plan->track, folder);
    vsm_mem_free(folder);
    return status;
}

static int choose_size(const struct vsm_plan *plan)
{
    const double scale = plan->config->processing.scale_factor;
    const struct vsm_rect eye = plan->layout.eyes[0];

    if (plan->config->matting.tracker_size > 0)
        return plan->config->matting.tracker_size;
    return scale > 0 && scale * (eye.width > eye.height ? eye.width : eye.height) <= SMALL ? SMALL : LARGE;
}

static int outside(const struct vsm_prompt *p, double x, double y, const struct vsm_rect *eye)
{
    return vsm_fail(VSM_E_USAGE, "matting.prompts: prompt %d: %g,%g is outside the eye's picture of %d x %d",
                    p->number, x, y, eye->width, eye->height);
}

/* Bright is inside; an alpha plane is not looked at. */
static int read_mask(const char *path, int side, float **mask)
{
    struct vsm_image *image = NULL;
    float *whole = NULL;
    int status = vsm_still_read(path, &image);

    if (status == VSM_OK) {
        whole = vsm_mem_alloc("mask", (size_t)image->width * (size_t)image->height, sizeof(*whole));
        *mask = vsm_mem_alloc("mask", (size_t)side * (size_t)side, sizeof(**mask));
        status = whole && *mask ? VSM_OK : VSM_E_NOMEM;
    }
    for (int y = 0; status == VSM_OK && y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            const uint8_t *row = image->data[0] + y * image->stride[0];
            const int channels = image->format.planes == VSM_PLANES_RGBA ? 4 : 3;
            float green;

            if (image->format.depth > 8)
                green = (float)((const uint16_t *)(const void *)row)[x * channels + 1] /
                        (float)((1 << image->format.depth) - 1);
            else
                green = (float)row[x * channels + 1] / 255;
            whole[(size_t)y * (size_t)image->width + (size_t)x] = green >= 0.5f;
        }
    if (status == VSM_OK)
        status = vsm_sam2_mask_resize_smooth(whole, image->height, image->width, *mask, side, side);
    for (int i = 0; status == VSM_OK && i < side * side; i++)
        (*mask)[i] = (*mask)[i] >= 0.5f;
    vsm_mem_free(whole);
    vsm_image_unref(&image);
    return status;
}

static int convert(const struct vsm_plan *plan, const struct vsm_prompt *p, int eye,
                   struct vsm_track_prompt *to)
{
    const struct vsm_rect *source = &plan->layout.eyes[eye];
    const float width = (float)plan->track.size / (float)source->width,
                height = (float)plan->track.size / (float)source->height;
    float *mask = NULL;
    int status = VSM_OK;

    *to = (struct vsm_track_prompt){.number = p->number,
                                    .frame = p->frame,
                                    .eye = eye,
                                    .person = p->person,
                                    .remove = p->kind == VSM_PROMPT_REMOVE};
    if (p->kind == VSM_PROMPT_BOX) {
        if (p->box[2] > source->width || p->box[3] > source->height)
            return outside(p, p->box[2], p->box[3], source);
        to->has_box = true;
        for (int i = 0; i < 4; i++)
            to->box[i] = (float)p->box[i] * (i % 2 ? height : width);
    }
    for (int i = 0; i < p->point_count; i++) {
        if (p->points[i].x > source->width || p->points[i].y > source->height)
            return outside(p, p->points[i].x, p->points[i].y, source);
        to->clicks[to->click_count++] =
            (struct vsm_sam2_click){(float)p->points[i].x * width, (float)p->points[i].y * height,
                                    p->points[i].on_person};
    }
    if (p->kind == VSM_PROMPT_MASK) {
        status = read_mask(p->path, plan->track.size, &mask);
        to->mask = mask;
        to->mask_side = plan->track.size;
    }
    return status;
}

static int check_place(const struct vsm_plan *plan, const struct vsm_prompt *p)
{
    if (p->eye[VSM_RIGHT] && !p->eye[VSM_LEFT] && plan->layout.eye_count < 2)
        return vsm_fail(VSM_E_USAGE, "matting.prompts: prompt %d: the picture has no right eye", p->number);
    if (p->frame < plan->first_frame || p->frame >= plan->end_frame)
        return vsm_fail(VSM_E_USAGE,
                        "matting.prompts: prompt %d: frame %lld is not among those to be made, %lld to %lld",
                        p->number, (long long)p->frame, (long long)plan->first_frame,
                        (long long)plan->end_frame - 1);
    return VSM_OK;
}

static int check_masks(const struct vsm_prompts *prompts)
{
    int count = 0;

    for (int i = 0; i < prompts->count; i++)
        count += prompts->items[i].path ? prompts->items[i].eye[0] + prompts->items[i].eye[1] : 0;
    return count <= MAX_MASKS
               ? VSM_OK
               : vsm_fail(VSM_E_USAGE, "matting.prompts: %d masks; %d are the most", count, MAX_MASKS);
}

static int plan_prompts(struct vsm_plan *plan)
{
    struct vsm_plan_track *track = &plan->track;
    struct vsm_prompts prompts;
    int status = vsm_prompts_parse(plan->config->matting.prompts, &prompts);

    if (status == VSM_OK)
        status = check_masks(&prompts);
    if (status == VSM_OK && prompts.count) {
        track->prompts = vsm_mem_alloc("prompts", 2 * (size_t)prompts.count, sizeof(*track->prompts));
        status = track->prompts ? VSM_OK : VSM_E_NOMEM;
    }
    for (int i = 0; status == VSM_OK && i < prompts.count; i++) {
        status = check_place(plan, &prompts.items[i]);
        for (int eye = 0; status == VSM_OK && eye < plan->layout.eye_count; eye++)
            if (prompts.items[i].eye[eye])
                status = convert(plan, &prompts.items[i], eye, &track->prompts[track->prompt_count++]);
    }
    vsm_prompts_finish(&prompts);
    return status;
}

int vsm_track_plan_choose(struct vsm_plan *plan)
{
    int status;

    if (!vsm_track_plan_wants(plan->config))
        return VSM_OK;
    plan->track.size = choose_size(plan);
    status = find_checkpoint(plan);
    if (status == VSM_OK)
        status = plan_prompts(plan);
    if (status == VSM_OK && !plan->track.prompt_count && !plan->detector_path)
        status = vsm_fail(VSM_E_USAGE,
                          "matting.prompts is empty and there is no detector to say who is to be followed; "
                          "give prompts, or the detector's weights in models.dir");
    if (status == VSM_OK && plan->config->matting.continuous_correction && !plan->detector_path)
        status = vsm_fail(VSM_E_USAGE,
                          "matting.continuous_correction needs the detector, whose weights are missing");
    return status;
}

void vsm_track_plan_finish(struct vsm_plan_track *track)
{
    for (int i = 0; i < track->prompt_count; i++)
        vsm_mem_free((void *)(uintptr_t)track->prompts[i].mask);
    vsm_mem_free(track->prompts);
    vsm_mem_free(track->path);
    *track = (struct vsm_plan_track){0};
}

/* What the message lacks where the user insists on a device that cannot be used. */
static int refuse(int status, enum vsm_config_device wanted)
{
    char why[400];

    if (status != VSM_E_DEVICE || wanted != VSM_CONFIG_DEVICE_CUDA)
        return status;
    snprintf(why, sizeof(why), "%s", vsm_error_message());
    return vsm_fail(VSM_E_DEVICE, "processing.device: cuda cannot be used (%s); use cpu or auto", why);
}

/* On the device if it is wanted and there; with device auto, else on the CPU. */
static int create_net(const struct vsm_plan *plan, const char *cache, struct vsm_sam2_net **net)
{
    const enum vsm_config_device wanted = plan->config->processing.device;
    struct vsm_sam2_net_options options = {
        .path = plan->track.path,
        .image_size = plan->track.size,
        .cache = cache,
        .session = {.device = VSM_DEVICE_CUDA, .threads = plan->threads, .half = true},
    };
    struct vsm_cuda_info info;
    int status = VSM_E_DEVICE;

    if (wanted == VSM_CONFIG_DEVICE_CUDA ||
        (wanted == VSM_CONFIG_DEVICE_AUTO && vsm_cuda_device_info(&info) == VSM_OK)) {
        status = vsm_sam2_net_create(&options, net);
        if (status == VSM_OK)
            vsm_log(VSM_LOG_INFO, "track", "the tracker runs on CUDA, in float16");
        else if (wanted == VSM_CONFIG_DEVICE_AUTO && (status == VSM_E_DEVICE || status == VSM_E_NOMEM))
            vsm_log(VSM_LOG_INFO, "track", "the tracker runs on the CPU (%s)", vsm_error_message());
        else
            return refuse(status, wanted);
    }
    if (status == VSM_OK)
        return status;
    options.session = (struct vsm_session_options){.device = VSM_DEVICE_CPU, .threads = plan->threads};
    return vsm_sam2_net_create(&options, net);
}

int vsm_track_plan_create_net(const struct vsm_plan *plan, bool may_store, struct vsm_sam2_net **net,
                              struct vsm_sha256 *hash)
{
    char *cache = may_store && plan->config->models.graph_cache ? vsm_graph_cache_folder() : NULL;
    struct vsm_sha256 both[2] = {*hash};
    int status = create_net(plan, cache, net);

    vsm_mem_free(cache);
    if (status == VSM_OK)
        status = vsm_sam2_net_hash(*net, &both[1]);
    return status == VSM_OK ? vsm_hash_sha256(both, sizeof(both), hash) : status;
}

/* Whether prompts of one eye can be carried to the other one, and may. */
static bool wants_carry(const struct vsm_plan *plan)
{
    const struct vsm_rect *eyes = plan->layout.eyes;
    struct vsm_view views[2];

    if (plan->layout.eye_count < 2 || !plan->track.prompt_count || !plan->config->stereo.disparity_correction)
        return false;
    vsm_people_stage_views(eyes, 2, views);
    return views[0].width >= VSM_DISPARITY_MIN_GRID && views[0].height >= VSM_DISPARITY_MIN_GRID;
}

int vsm_track_plan_create_stage(const struct vsm_plan *plan, struct vsm_sam2_net *net,
                                struct vsm_parallel *pool, struct vsm_track_stage **stage)
{
    const bool alone = plan->config->matting.model == VSM_CONFIG_MODEL_SAM2;
    const struct vsm_track_carry_options carry = {.eyes = {plan->layout.eyes[0], plan->layout.eyes[1]},
                                                  .projection = plan->layout.projection,
                                                  .field_of_view = vsm_lens_plan_view(plan),
                                                  .baseline = vsm_eyes_plan_baseline(plan),
                                                  .pool = pool};
    struct vsm_track_stage_options options = {
        .net = net,
        .carry = wants_carry(plan) ? &carry : NULL,
        .views = plan->views,
        .view_count = alone ? plan->view_count : 0,
        .max_conditioning_frames = plan->config->matting.max_conditioning_frames,
        .offload = plan->config->matting.memory_offload,
        .people = {.eyes = plan->layout.eye_count,
                   .prompts = plan->track.prompts,
                   .prompt_count = plan->track.prompt_count,
                   .correct = plan->config->matting.continuous_correction,
                   .correction_interval = plan->config->matting.correction_interval},
        .pool = pool,
    };

    for (int eye = 0; eye < plan->layout.eye_count; eye++)
        options.eyes[eye] = (struct vsm_view){.kind = VSM_VIEW_DIRECT,
                                              .eye = (enum vsm_eye)eye,
                                              .source = plan->layout.eyes[eye]};
    return vsm_track_stage_create(&options, stage);
}

size_t vsm_track_plan_bytes(const struct vsm_plan *plan)
{
    const double side = plan->track.size, eyes = plan->layout.eye_count;
    const double memories = plan->config->matting.max_conditioning_frames + 7;
    struct stat info;

    if (!plan->track.path || stat(plan->track.path, &info) < 0)
        return 0;
    return (size_t)((double)info.st_size * WEIGHTS_FACTOR + side * side * BYTES_PER_PIXEL * eyes +
                    PEOPLE * eyes * memories * side * side / 2 /* 64 bfloat16 a cell of 16 x 16 */);
}
