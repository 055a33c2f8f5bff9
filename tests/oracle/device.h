/* For tests that want a CUDA device. */
#ifndef DEVICE_H
#define DEVICE_H

#include "cuda/device.h"
#include "tap.h"

#include <stdbool.h>

/* Whether there is none; the test is then skipped, and why. */
static inline bool no_device(void)
{
    struct vsm_cuda_info info;

    if (vsm_cuda_device_info(&info) == VSM_OK)
        return false;
    tap_skip(vsm_error_message());
    return true;
}

#endif
