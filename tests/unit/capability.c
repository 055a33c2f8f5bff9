#include "media/capability.h"
#include "app/self_test.h"
#include "base/mem.h"
#include "build_config.h"
#include "cuda/device.h"

#include "tap.h"

#include <unistd.h>

static void test_encoders_are_told_apart(void)
{
    CHECK(vsm_capability_encoder("ffv1"));
    CHECK(!vsm_capability_encoder("libnothing"));
    CHECK(!vsm_capability_encoder("aac"));
}

/* With a device or without: either it opens, or the message says which part does not. */
static void test_what_does_not_open_is_named(void)
{
    static const struct vsm_format formats[2] = {
        {.planes = VSM_PLANES_NV, .depth = 8, .chroma_x = 1, .chroma_y = 1},
        {.planes = VSM_PLANES_NV, .depth = 10, .shift = 6, .chroma_x = 1, .chroma_y = 1}};
    struct vsm_cuda_info info;
    int status;

    CHECK_INT(vsm_capability_nvenc("libnothing", formats[0], NULL), VSM_E_DEVICE);
    CHECK_HAS(vsm_error_message(), "NVENC: the linked FFmpeg was built without libnothing");
    for (int i = 0; i < 2; i++) {
        status = vsm_capability_nvenc("hevc_nvenc", formats[i], NULL);
        CHECK(status == VSM_OK || status == VSM_E_DEVICE);
        if (status)
            CHECK_HAS(vsm_error_message(), "NVENC: ");
    }
    /* The trial is made in the job's own format. */
    CHECK_INT(vsm_capability_nvenc("ffv1", formats[1], NULL), VSM_OK);
    CHECK_INT(vsm_capability_nvenc("ffv1", formats[1], "nothing"), VSM_E_DEVICE);
    CHECK_HAS(vsm_error_message(), "nothing");
    if (vsm_cuda_device_info(&info) == VSM_OK) {
        tap_skip("a device is here");
        return;
    }
    CHECK_INT(vsm_capability_nvdec(), VSM_E_DEVICE);
    if (!vsm_cuda_built())
        CHECK_HAS(vsm_error_message(), "built without it");
}

static void test_the_network_passes(void)
{
    struct vsm_self_test *result = vsm_mem_alloc("result", 1, sizeof(*result));
    struct vsm_self_test *other = vsm_mem_alloc("result", 1, sizeof(*other));

    if (access(VSM_MODELS_DIR "/rvm.json", R_OK) != 0) {
        tap_skip("no weights");
    } else if (result && other) {
        CHECK_INT(vsm_self_test_run(VSM_MODELS_DIR "/rvm.json", VSM_DEVICE_CPU, 1, result), VSM_OK);
        CHECK(result->seconds > 0);
        *other = *result;
        CHECK_NEAR(vsm_self_test_difference(result, other), 0, 0);
        for (int i = 0; i < VSM_SELF_TEST_SIDE; i++)
            other->alpha[i] += 0.5f;
        CHECK_NEAR(vsm_self_test_difference(result, other), 0.5 / VSM_SELF_TEST_SIDE, 1e-6);
    }
    CHECK_INT(vsm_self_test_run("nowhere/rvm.json", VSM_DEVICE_CPU, 1, result), VSM_E_MODEL);
    CHECK_HAS(vsm_error_message(), "nowhere/rvm.json");
    vsm_mem_free(result);
    vsm_mem_free(other);
}

int main(void)
{
    RUN(test_encoders_are_told_apart);
    RUN(test_what_does_not_open_is_named);
    RUN(test_the_network_passes);
    return tap_done();
}
