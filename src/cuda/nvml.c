#include "cuda/nvml.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libnvidia-ml.so.1"

#define CLOCK_SM 1

struct utilization {
    unsigned gpu, memory; /* percent */
};

struct memory {
    unsigned long long total, free, used;
};

static struct {
    pthread_once_t once;
    char problem[160]; /* "" = usable */
    void *device;
    int (*get_utilization)(void *device, struct utilization *utilization);
    int (*get_memory)(void *device, struct memory *memory);
    int (*get_decoder)(void *device, unsigned *percent, unsigned *period_us);
    int (*get_encoder)(void *device, unsigned *percent, unsigned *period_us);
    int (*get_clock)(void *device, int kind, unsigned *mhz);
    int (*get_driver)(char *version, unsigned size);
} nvml = {.once = PTHREAD_ONCE_INIT};

/* Stores the address of a function in *to, a pointer to function. */
static int find(void *library, const char *name, void *to)
{
    void *symbol = dlsym(library, name);

    memcpy(to, &symbol, sizeof(symbol));
    return symbol ? 0 : -1;
}

static void start(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    int (*init)(void), (*get_device)(unsigned index, void **device);
    int error;

    if (!library) {
        snprintf(nvml.problem, sizeof(nvml.problem), "%s is not there; install NVIDIA's driver", LIBRARY);
        return;
    }
    if (find(library, "nvmlInit_v2", &init) || find(library, "nvmlDeviceGetHandleByIndex_v2", &get_device) ||
        find(library, "nvmlDeviceGetUtilizationRates", &nvml.get_utilization) ||
        find(library, "nvmlDeviceGetMemoryInfo", &nvml.get_memory) ||
        find(library, "nvmlDeviceGetDecoderUtilization", &nvml.get_decoder) ||
        find(library, "nvmlDeviceGetEncoderUtilization", &nvml.get_encoder) ||
        find(library, "nvmlDeviceGetClockInfo", &nvml.get_clock) ||
        find(library, "nvmlSystemGetDriverVersion", &nvml.get_driver)) {
        snprintf(nvml.problem, sizeof(nvml.problem), "%s lacks a function; the driver is too old", LIBRARY);
        return;
    }
    error = init();
    if (!error)
        error = get_device(0, &nvml.device);
    if (error)
        snprintf(nvml.problem, sizeof(nvml.problem),
                 "NVML error %d: the driver does not run or finds no device", error);
}

static int use(void)
{
    pthread_once(&nvml.once, start);
    return nvml.problem[0] ? vsm_fail(VSM_E_DEVICE, "NVML: %s", nvml.problem) : VSM_OK;
}

int vsm_nvml_load(struct vsm_nvml_load *load)
{
    unsigned decoder = 0, encoder = 0, period, clock = 0;
    struct utilization utilization;
    struct memory memory;
    int status = use();

    if (status)
        return status;
    if (nvml.get_utilization(nvml.device, &utilization) || nvml.get_memory(nvml.device, &memory))
        return vsm_fail(VSM_E_DEVICE, "NVML: the device does not tell its load");
    if (nvml.get_decoder(nvml.device, &decoder, &period))
        decoder = 0;
    if (nvml.get_encoder(nvml.device, &encoder, &period))
        encoder = 0;
    if (nvml.get_clock(nvml.device, CLOCK_SM, &clock))
        clock = 0;
    *load = (struct vsm_nvml_load){utilization.gpu / 100.0, decoder / 100.0,      encoder / 100.0,
                                   (size_t)memory.used,     (size_t)memory.total, (int)clock};
    return VSM_OK;
}

int vsm_nvml_driver(char *version, size_t size)
{
    int status = use();

    if (!status && nvml.get_driver(version, (unsigned)size))
        status = vsm_fail(VSM_E_DEVICE, "NVML: the driver does not tell its version");
    return status;
}
