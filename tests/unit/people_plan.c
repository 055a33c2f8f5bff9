#include "app/people_plan.h"

#include "base/fault.h"
#include "build_config.h"
#include "config/options.h"
#include "cuda/device.h"
#include "tap.h"

#include <errno.h>
#include <unistd.h>

#define MODEL VSM_MODELS_DIR "/" VSM_DETECTOR_GRAPH

static struct vsm_config config;

/* A job over one eye of 512x512. */
static struct vsm_plan plan_of(const char *detector_path, bool gpu)
{
    return (struct vsm_plan){.config = &config,
                             .layout = {.eye_count = 1,
                                        .eyes = {{0, 0, 512, 512}},
                                        .projection = VSM_HALF_EQUIRECT,
                                        .field_of_view = 180},
                             .detector_path = (char *)(uintptr_t)detector_path,
                             .detector_interval = 8,
                             .threads = 2,
                             .gpu = gpu};
}

static void check_device(bool gpu, enum vsm_device expected)
{
    const struct vsm_plan plan = plan_of(MODEL, gpu);
    struct vsm_people_stage *stage = NULL;
    struct vsm_detector *detector = NULL;

    CHECK_INT(vsm_people_plan_create_stage(&plan, NULL, &detector, &stage), VSM_OK);
    CHECK(detector && stage);
    if (detector)
        CHECK_INT(vsm_detector_device(detector), expected);
    vsm_people_stage_destroy(stage);
    vsm_detector_destroy(detector);
}

/* The reason is told if the device is not had, and only then. */
static void check_reason(bool gpu, const char *words)
{
    struct vsm_detector *detector = NULL;
    char why_not[VSM_PEOPLE_PLAN_WHY] = "of the job before";

    CHECK_INT(vsm_people_plan_create_detector(MODEL, gpu, 2, &detector, why_not), VSM_OK);
    if (words)
        CHECK_HAS(why_not, words);
    else
        CHECK_STR(why_not, "");
    vsm_detector_destroy(detector);
}

/* A job on the GPU without one for the detector goes on with it on the CPU. */
static void test_where_the_detector_runs(void)
{
    struct vsm_cuda_info info;
    const bool device = vsm_cuda_device_info(&info) == VSM_OK;

    if (access(MODEL, R_OK) != 0) {
        tap_skip("no detector weights");
        return;
    }
    check_device(false, VSM_DEVICE_CPU);
    check_device(true, device ? VSM_DEVICE_CUDA : VSM_DEVICE_CPU);
    check_reason(false, NULL);
    check_reason(true, device ? NULL : "CUDA");
#ifdef VSM_FAULT_POINTS
    vsm_fault_arm("gpu.detector", 1, ENOMEM, false);
    check_device(true, VSM_DEVICE_CPU);
    vsm_fault_arm("gpu.detector", 1, ENOMEM, false);
    check_reason(true, device ? "of 256 MiB" : "CUDA");
    vsm_fault_arm(NULL, 0, 0, false);
#endif
}

/* Wrong weights are wrong on either device. */
static void test_unknown_weights(void)
{
    for (int gpu = 0; gpu < 2; gpu++) {
        const struct vsm_plan plan = plan_of("/nowhere/" VSM_DETECTOR_GRAPH, gpu);
        struct vsm_people_stage *stage = NULL;
        struct vsm_detector *detector = NULL;

        CHECK_INT(vsm_people_plan_create_stage(&plan, NULL, &detector, &stage), VSM_E_MODEL);
        CHECK(!detector && !stage);
    }
}

static void test_no_weights(void)
{
    const struct vsm_plan plan = plan_of(NULL, true);
    struct vsm_people_stage *stage = NULL;
    struct vsm_detector *detector = NULL;

    CHECK_INT(vsm_people_plan_create_stage(&plan, NULL, &detector, &stage), VSM_OK);
    CHECK(!detector && stage);
    vsm_people_stage_destroy(stage);
}

/* Twice as often as else where people may be outside what the network sees; never less often than asked. */
static void test_how_often(void)
{
    struct vsm_plan plan = plan_of(NULL, false);

    plan.view_count = 2;
    for (int i = 0; i < plan.view_count; i++)
        plan.views[i].width = plan.views[i].height = 768;
    for (int turned = 0; turned < 2; turned++) {
        plan.turned = turned;
        config.matting.correction_interval = 300;
        vsm_people_plan_choose_interval(&plan);
        CHECK_INT(plan.detector_interval, turned ? 4 : 8);
        config.matting.correction_interval = 3;
        vsm_people_plan_choose_interval(&plan);
        CHECK_INT(plan.detector_interval, 3);
    }
}

int main(void)
{
    CHECK_INT(vsm_options_defaults(&config), VSM_OK);
    RUN(test_where_the_detector_runs);
    RUN(test_unknown_weights);
    RUN(test_no_weights);
    RUN(test_how_often);
    vsm_options_finish(&config);
    return tap_done();
}
