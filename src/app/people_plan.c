#include "app/people_plan.h"

#include "app/eyes_plan.h"
#include "app/lens_plan.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "cuda/device.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* Of the processor time of a frame, for looking between corrections. */
#define SHARE 0.03

/* Measured on one core: a look, and a cell of the network's grid with all that belongs to it. */
#define LOOK_SECONDS 0.15
#define CELL_SECONDS 1.4e-6

/* Frames between two looks. People at walking pace keep to their boxes for 8 frames at 30 a second. */
#define LEAST_INTERVAL 8
#define MOST_INTERVAL  30

/* Who comes in outside turned views is not seen at all before a look. */
#define LEAST_INTERVAL_TURNED 4

/* Threads for a look on the CPU beside a GPU, where a frame takes milliseconds and nothing
 * else wants the cores for long. */
#define GPU_THREADS(threads) ((threads) > 2 ? (threads) / 2 : 1)

/* Only settings and the input decide, neither a clock nor the device: a resumed job looks at the same frames,
 * and so does one on another device. */
void vsm_people_plan_choose_interval(struct vsm_plan *plan)
{
    const int least = plan->turned ? LEAST_INTERVAL_TURNED : LEAST_INTERVAL;
    double cells = 0.0, frames;

    for (int i = 0; i < plan->view_count; i++)
        cells += (double)plan->views[i].width * plan->views[i].height;
    frames = fmin(fmax(ceil(LOOK_SECONDS / (SHARE * CELL_SECONDS * cells)), least), MOST_INTERVAL);
    plan->detector_interval = (int)fmin(frames, plan->config->matting.correction_interval);
}

int vsm_people_plan_choose(struct vsm_plan *plan, const char *models_folder)
{
    char *shard = vsm_mem_format("model path", "%s/" VSM_DETECTOR_SHARD, models_folder);
    char *graph = vsm_mem_format("model path", "%s/" VSM_DETECTOR_GRAPH, models_folder);
    int status = shard && graph ? VSM_OK : VSM_E_NOMEM;

    if (status == VSM_OK && access(graph, R_OK) == 0 && access(shard, R_OK) == 0) {
        plan->detector_path = graph;
        graph = NULL;
    } else if (status == VSM_OK && plan->people.kind != VSM_PEOPLE_ALL) {
        status = vsm_fail(VSM_E_MODEL,
                          "matting.people: %s needs the detector's weights, %s and " VSM_DETECTOR_SHARD
                          "; run make setup, set models.dir, or set it to all",
                          plan->config->matting.people, graph);
    }
    vsm_mem_free(graph);
    vsm_mem_free(shard);
    return status;
}

static enum vsm_eye master_eye(const struct vsm_plan *plan)
{
    const bool right = plan->config->stereo.master_eye == VSM_CONFIG_EYE_RIGHT;

    return right && plan->layout.eye_count > 1 ? VSM_RIGHT : VSM_LEFT;
}

/* What the other stages have is theirs: the detector gives way to what they still need. */
static int create_on_device(const char *path, struct vsm_detector **detector)
{
    const struct vsm_session_options session = {.device = VSM_DEVICE_CUDA, .threads = 1};
    size_t room = 0;
    int status = vsm_cuda_memory_free(&room);

    if (status == VSM_OK && (room < VSM_PEOPLE_PLAN_DEVICE_BYTES || vsm_fault_hit("gpu.detector")))
        return vsm_fail(VSM_E_NOMEM, "%zu of %zu MiB of device memory are free", room >> 20,
                        VSM_PEOPLE_PLAN_DEVICE_BYTES >> 20);
    return status == VSM_OK ? vsm_detector_create(path, &session, detector) : status;
}

int vsm_people_plan_create_detector(const char *path, bool gpu, int threads, struct vsm_detector **detector,
                                    char why_not[VSM_PEOPLE_PLAN_WHY])
{
    /* One thread: its share of a frame is small, and the matter's threads have the cores meanwhile. */
    const struct vsm_session_options session = {.device = VSM_DEVICE_CPU,
                                                .threads = gpu ? GPU_THREADS(threads) : 1};

    why_not[0] = '\0';
    if (gpu && create_on_device(path, detector) == VSM_OK)
        return VSM_OK;
    if (gpu)
        snprintf(why_not, VSM_PEOPLE_PLAN_WHY, "%s", vsm_error_message());
    return vsm_detector_create(path, &session, detector);
}

int vsm_people_plan_create_stage(const struct vsm_plan *plan, struct vsm_parallel *pool,
                                 struct vsm_detector **detector, struct vsm_people_stage **stage)
{
    struct vsm_people_stage_options options = {
        .eyes = {plan->layout.eyes[0], plan->layout.eyes[1]},
        .eye_count = plan->layout.eye_count,
        .master = master_eye(plan),
        .projection = plan->layout.projection,
        .field_of_view = vsm_lens_plan_view(plan),
        .baseline = vsm_eyes_plan_baseline(plan),
        .interval = plan->detector_interval,
        .correction = plan->config->matting.correction_interval,
        .rule = plan->people,
        .pool = pool,
    };
    char why_not[VSM_PEOPLE_PLAN_WHY] = "";
    int status = VSM_OK;

    if (plan->detector_path)
        status =
            vsm_people_plan_create_detector(plan->detector_path, plan->gpu, plan->threads, detector, why_not);
    else
        vsm_log(VSM_LOG_WARN, "people",
                "the detector's weights (" VSM_DETECTOR_GRAPH " and its shard) are missing; the job goes on "
                "without knowing who is in the picture");
    if (status != VSM_OK)
        return status;
    if (why_not[0])
        vsm_log(VSM_LOG_WARN, "people", "the detector runs on the CPU, not on the GPU: %s", why_not);
    options.detector = *detector;
    return vsm_people_stage_create(&options, stage);
}
