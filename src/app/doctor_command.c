#include "app/doctor_command.h"

#include "app/people_plan.h"
#include "app/plan.h"
#include "app/self_test.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "build_config.h"
#include "config/cli.h"
#include "cuda/device.h"
#include "cuda/nvml.h"
#include "media/capability.h"
#include "media/media_version.h"
#include "media/video_encoder.h"
#include "models/detector.h"
#include "models/rvm.h"
#include "nn/session.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct doctor {
    const char *folder; /* of the weights */
    char *rvm, *detector;
    bool weights, encoder, cpu; /* what a job needs */
    bool looks;                 /* the detector's weights are there */
    bool driver, device, gpu;
    struct vsm_self_test on_cpu, on_gpu;
};

__attribute__((format(printf, 2, 3))) static void tell(const char *name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("%-12s ", name);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

/* What is missing, by the last message, and what to do about it or without it. */
static void tell_missing(const char *name, const char *remedy)
{
    tell(name, "missing: %s", vsm_error_message());
    tell("", "-> %s", remedy);
}

static void look_at_program(void)
{
    tell("program", "vr180-streaming %s", VSM_VERSION);
    tell("media", "%s", vsm_media_version());
    tell("networks", "%s, providers: %s", vsm_session_backend_version(), vsm_session_providers());
}

/* What the kernel believes can be had without swapping, KiB; -1 = not told. */
static long long available_kib(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    long long kib = -1;
    char line[128];

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "MemAvailable: %lld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

static void look_at_machine(void)
{
    const double all = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    const long long free_kib = available_kib();

    tell("processor", "%ld cores, %s", sysconf(_SC_NPROCESSORS_ONLN),
         vsm_cpu_has_avx2() ? "AVX2" : "no AVX2: the slower C kernels are used");
    if (free_kib >= 0)
        tell("memory", "%.1f of %.1f GB available", (double)free_kib * 1024 / 1e9, all / 1e9);
    else
        tell("memory", "%.1f GB", all / 1e9);
}

static void look_at_driver(struct doctor *d)
{
    char version[80];

    d->driver = vsm_nvml_driver(version, sizeof(version)) == VSM_OK;
    if (d->driver)
        tell("driver", "NVIDIA %s", version);
    else
        tell_missing("driver", "needed for a GPU only; in a container, start it with the GPU and its driver");
}

static void look_at_device(struct doctor *d)
{
    struct vsm_cuda_info info;

    if (!vsm_cuda_built()) {
        tell("CUDA", "not in this build");
        tell("",
             "-> for a GPU: install CUDA 12.5 or newer (tried: 13.0; nvcc) and build with -Dcuda=enabled");
        return;
    }
    d->device = vsm_cuda_device_info(&info) == VSM_OK;
    if (!d->device && d->driver) {
        tell_missing("CUDA", "update NVIDIA's driver, or use a card of compute capability 8.0 or newer");
        return;
    }
    if (!d->device) {
        tell("CUDA", "in this build, but without a driver there is no device");
        return;
    }
    tell("CUDA", "in this build; the driver's is %d.%d", info.driver / 1000, info.driver % 1000 / 10);
    tell("device", "%s, compute capability %d.%d, %.1f of %.1f GB free", info.name, info.major, info.minor,
         (double)info.memory_free / 1e9, (double)info.memory / 1e9);
}

static void look_at_codecs(const struct doctor *d)
{
    static const char *const encoders[] = {"h264_nvenc", "hevc_nvenc"};
    const struct vsm_format format = {.planes = VSM_PLANES_NV, .depth = 8, .chroma_x = 1, .chroma_y = 1};

    if (!d->driver && !d->device) {
        tell("NVDEC, NVENC", "not looked for: they need the driver");
        return;
    }
    if (vsm_capability_nvdec() == VSM_OK)
        tell("NVDEC", "opens");
    else
        tell_missing("NVDEC", "decoding is done in software; install the driver's video libraries and an "
                              "FFmpeg with cuda");
    for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++) {
        if (vsm_capability_nvenc(encoders[i], format, NULL) == VSM_OK)
            tell(encoders[i], "opens");
        else
            tell_missing(encoders[i], "other encoders are used; some cards have no NVENC");
    }
}

static int look_at_weights(struct doctor *d)
{
    const struct vsm_rvm_options rvm = {.graph_path = d->rvm,
                                        .width = VSM_SELF_TEST_SIDE,
                                        .height = VSM_SELF_TEST_SIDE,
                                        .batch = 1};
    struct vsm_sha256 hash;
    int status = vsm_rvm_check(&rvm, &hash);

    d->weights = status == VSM_OK;
    if (d->weights)
        tell("RVM", "intact, in %s", d->folder);
    else if (status == VSM_E_MODEL)
        tell_missing("RVM", "nothing is matted without it");
    else
        return status;
    status = vsm_detector_check(d->detector, &hash);
    d->looks = status == VSM_OK;
    if (d->looks)
        tell("detector", "intact, in %s", d->folder);
    else if (status == VSM_E_MODEL)
        tell_missing("detector", "without it nobody can be chosen by matting.people, and views do not turn");
    else
        return status;
    return VSM_OK;
}

static void look_at_encoders(struct doctor *d)
{
    static const struct {
        const char *formats;
        const char *names[7];
    } rows[] = {
        {"green, matte, alpha_packed",
         {"libx264", "libx265", "libsvtav1", "libvpx-vp9", "h264_nvenc", "hevc_nvenc"}},
        {"prores4444", {"prores_ks"}},
        {"ffv1_alpha", {"ffv1"}},
        {"vp9_alpha", {"libvpx-vp9"}},
        {"png", {"png"}},
        {"exr", {"exr"}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[160] = "";
        size_t used = 0;

        for (int k = 0; rows[i].names[k]; k++)
            if (vsm_capability_encoder(rows[i].names[k]) && used < sizeof(text))
                used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", rows[i].names[k]);
        tell(i ? "" : "encoders", "%s:%s", rows[i].formats,
             used ? text : " none; install an FFmpeg that has one");
    }
    d->encoder = vsm_video_encoder_auto("green.mp4", 8, 4096, false) != NULL;
}

/* What a job's detector sees, and how fast, once it is made. */
struct look {
    struct vsm_detector_people people;
    enum vsm_device device;
    double seconds;
    char why_not[VSM_PEOPLE_PLAN_WHY];
};

static int look(const struct doctor *d, bool gpu, int threads, struct look *look)
{
    struct vsm_detector *detector = NULL;
    int status = vsm_people_plan_create_detector(d->detector, gpu, threads, &detector, look->why_not);

    if (!status) {
        look->device = vsm_detector_device(detector);
        status = vsm_self_test_look(detector, &look->people, &look->seconds);
    }
    vsm_detector_destroy(detector);
    return status;
}

/* Where a job's detector would run, if the rest of the job leaves as much of the device's memory free as is
 * free now. */
static void test_detector(const struct doctor *d, int threads)
{
    struct look on_cpu = {.seconds = 0}, job = {.seconds = 0};
    double apart = 0;
    int status = look(d, false, threads, &on_cpu);

    if (!status && d->device)
        status = look(d, true, threads, &job);
    if (status) {
        tell("", "detector: failed: %s", vsm_error_message());
        return;
    }
    if (!d->device) {
        tell("", "detector: on the CPU, %.1f ms a look", 1e3 * on_cpu.seconds);
        return;
    }
    if (job.device != VSM_DEVICE_CUDA) {
        tell("", "detector: on the CPU, %.1f ms a look; not on CUDA: %s", 1e3 * job.seconds, job.why_not);
        return;
    }
    if (on_cpu.people.count && job.people.count)
        apart = fabs((double)(on_cpu.people.person[0].score - job.people.person[0].score));
    tell("",
         "detector: on CUDA while %zu MiB are free, %s, %.1f ms a look (CPU %.1f), score %.5f apart (bound "
         "%.4f)",
         VSM_PEOPLE_PLAN_DEVICE_BYTES >> 20,
         on_cpu.people.count == job.people.count && apart < VSM_SELF_TEST_SCORE_BOUND ? "passed" : "failed",
         1e3 * job.seconds, 1e3 * on_cpu.seconds, apart, VSM_SELF_TEST_SCORE_BOUND);
}

static void test(struct doctor *d)
{
    const int threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    double difference;

    if (!d->weights) {
        tell("self-test", "not possible without the weights");
        return;
    }
    d->cpu = vsm_self_test_run(d->rvm, VSM_DEVICE_CPU, threads, &d->on_cpu) == VSM_OK;
    if (d->cpu)
        tell("self-test", "CPU: passed in %.2f s", d->on_cpu.seconds);
    else
        tell("self-test", "CPU: failed: %s", vsm_error_message());
    if (d->looks)
        test_detector(d, threads);
    if (!d->device)
        return;
    if (vsm_self_test_run(d->rvm, VSM_DEVICE_CUDA, threads, &d->on_gpu) != VSM_OK) {
        tell("", "CUDA: failed: %s", vsm_error_message());
        return;
    }
    difference = vsm_self_test_difference(&d->on_cpu, &d->on_gpu);
    d->gpu = d->cpu && difference <= VSM_SELF_TEST_BOUND;
    tell("", "CUDA: %s in %.2f s, mean difference of alpha %.6f (bound %.3f)", d->gpu ? "passed" : "failed",
         d->on_gpu.seconds, difference, VSM_SELF_TEST_BOUND);
}

static int examine(struct doctor *d)
{
    int status;

    look_at_program();
    look_at_machine();
    look_at_driver(d);
    look_at_device(d);
    look_at_codecs(d);
    status = look_at_weights(d);
    if (status)
        return status;
    look_at_encoders(d);
    test(d);
    fflush(stdout);
    if (!d->weights || !d->cpu || !d->encoder)
        return vsm_fail(VSM_E_MODEL, "doctor: no job can run here: %s",
                        !d->weights ? "the weights of RVM are missing or altered; run make setup"
                        : !d->cpu   ? "the self-test on the CPU failed"
                                    : "FFmpeg has no encoder for green; install one with libx264 or libx265");
    tell("verdict", "a job can run, %s", d->gpu ? "on the GPU and on the CPU" : "on the CPU");
    return VSM_OK;
}

static int parse(int argc, char **argv, const char **folder)
{
    const char *chosen = NULL;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--models-dir=", 13) == 0)
            chosen = argv[i] + 13;
        else if (strcmp(argv[i], "--models-dir") == 0 && i + 1 < argc)
            chosen = argv[++i];
        else
            return vsm_fail(VSM_E_USAGE,
                            "doctor: %s is not understood; usage: vr180-streaming " VSM_CLI_DOCTOR_USAGE,
                            argv[i]);
    }
    *folder = vsm_plan_models_folder(chosen);
    return VSM_OK;
}

int vsm_doctor_command_run(int argc, char **argv)
{
    struct doctor *d = vsm_mem_alloc("doctor", 1, sizeof(*d));
    int status;

    if (!d)
        return VSM_E_NOMEM;
    status = parse(argc, argv, &d->folder);
    if (!status) {
        d->rvm = vsm_mem_format("model path", "%s/rvm.json", d->folder);
        d->detector = vsm_mem_format("model path", "%s/" VSM_DETECTOR_GRAPH, d->folder);
        status = d->rvm && d->detector ? examine(d) : VSM_E_NOMEM;
    }
    vsm_mem_free(d->rvm);
    vsm_mem_free(d->detector);
    vsm_mem_free(d);
    return status;
}
