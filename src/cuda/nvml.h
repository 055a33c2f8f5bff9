/* What the driver says about the first NVIDIA GPU: load, memory, clock, version. From NVML
 * (libnvidia-ml.so.1), which comes with the driver and is loaded at the first call; the program needs
 * neither. One handle for the process, made once and kept. Any thread. Source of the functions and
 * structures: NVIDIA's NVML reference, as stable since its version 2 entry points.
 */
#ifndef VSM_CUDA_NVML_H
#define VSM_CUDA_NVML_H

#include "base/status.h"

#include <stddef.h>

struct vsm_nvml_load {
    double gpu, decoder,
        encoder; /* share of the last sampling period (1/6 to 1 s) in which each was busy, 0..1 */
    size_t memory_used, memory_total; /* bytes, of all programs */
    int clock;                        /* of the multiprocessors, MHz; 0 = unknown */
};

/* VSM_E_DEVICE, with the reason, where there is no driver or device. Cost: about a millisecond. */
int vsm_nvml_load(struct vsm_nvml_load *load) VSM_NODISCARD;

/* The driver's version, such as "580.159.04". */
int vsm_nvml_driver(char *version, size_t size) VSM_NODISCARD;

#endif
