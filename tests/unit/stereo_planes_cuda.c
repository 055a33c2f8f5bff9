/* Planes of two eyes on a CUDA device that cannot be had: nothing of them is left behind. What they give is
 * compared with the host's in tests/oracle/gpu_stereo.c. */
#include "stereo/stereo_planes_cuda.h"

#include "base/fault.h"
#include "cuda/device.h"
#include "stereo/stereo_planes.h"
#include "tap.h"

#include <errno.h>

#define SIDE 128

static struct vsm_disparity *open_eye(enum vsm_eye master)
{
    struct vsm_disparity_options options = {.master = master, .baseline = 0.064, .lent = true};
    struct vsm_disparity *d = NULL;

    CHECK_INT(vsm_projection_eye(VSM_HALF_EQUIRECT, SIDE, SIDE, 180, &options.eye), VSM_OK);
    CHECK_INT(vsm_disparity_create(&options, &d), VSM_OK);
    return d;
}

static bool has_device(void)
{
    struct vsm_cuda_info info;

    return vsm_cuda_device_info(&info) == VSM_OK;
}

static void test_without_a_device(void)
{
    const struct vsm_stereo_planes_options options = {.disparity = {open_eye(VSM_LEFT), open_eye(VSM_RIGHT)}};
    struct vsm_stereo_planes planes = {NULL, NULL};

    if (has_device()) {
        tap_skip("there is a device");
    } else {
        CHECK_INT(vsm_stereo_planes_cuda_create(&options, &planes), VSM_E_DEVICE);
        CHECK_HAS(vsm_error_message(), "CUDA");
        CHECK(planes.kind == NULL && planes.self == NULL);
    }
    vsm_disparity_destroy(options.disparity[0]);
    vsm_disparity_destroy(options.disparity[1]);
}

#ifdef VSM_FAULT_POINTS
/* Every piece of memory in turn, until all are there; without a device no further than to the first. */
static void refuse_memory(const char *point)
{
    const struct vsm_stereo_planes_options options = {.disparity = {open_eye(VSM_LEFT), open_eye(VSM_RIGHT)}};
    struct vsm_stereo_planes planes = {NULL, NULL};
    int status = VSM_E_NOMEM;

    for (unsigned long n = 1; status == VSM_E_NOMEM && n < 20; n++) {
        vsm_fault_arm(point, n, ENOMEM, 0);
        status = vsm_stereo_planes_cuda_create(&options, &planes);
        CHECK(status != VSM_E_NOMEM || (planes.kind == NULL && vsm_fault_hits() == n));
    }
    vsm_fault_arm(NULL, 0, 0, 0);
    CHECK_INT(status, has_device() ? VSM_OK : VSM_E_DEVICE);
    if (status == VSM_OK)
        planes.kind->destroy(planes.self);
    vsm_disparity_destroy(options.disparity[0]);
    vsm_disparity_destroy(options.disparity[1]);
}

static void test_without_memory_of_the_device(void)
{
    refuse_memory("gpu.memory");
}

static void test_without_page_locked_memory(void)
{
    refuse_memory("gpu.locked");
}
#else
static void test_without_fault_points(void)
{
    tap_skip("built without fault points");
}
#endif

int main(void)
{
    RUN(test_without_a_device);
#ifdef VSM_FAULT_POINTS
    RUN(test_without_memory_of_the_device);
    RUN(test_without_page_locked_memory);
#else
    RUN(test_without_fault_points);
#endif
    return tap_done();
}
