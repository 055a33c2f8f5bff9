/* SAM 2 on the card: the time of each network, and of whole frames with a moving picture, two
 * eyes and PEOPLE people.
 *
 *   bench_gpu_sam2 WEIGHTS SIZE FRAMES [float] [offload] [PEOPLE] [cache=FOLDER]
 *
 * WEIGHTS: a checkpoint or a recipe of the reference data. FOLDER: stored networks (nn/graph_cache.h),
 * also to be written. Whole frames: from pictures in host memory, as the network wants them, to masks in
 * host memory, one after the other, median after the memory has filled; what the memory encoder still does
 * when the masks are there falls into the next frame. Networks: back to back, played from recordings, at a
 * full memory. */
#include "../../tests/golden/sam2_weights.h"
#include "base/clock.h"
#include "base/log.h"
#include "models/sam2_build.h"
#include "models/sam2_frame.h"
#include "models/sam2_tracker.h"
#include "nn/device_pool.h"
#include "nn/graph_half.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VIEWS      2
#define WARM       40 /* frames until the memory is full and its shapes recorded */
#define MAX_FRAMES 2000
#define PARTED     20 /* frames that wait for the encoder */
#define PICTURES   4
#define ROUNDS     50

/* For a profiler: three plain runs of this network and nothing else. */
static const char *only;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), by_value);
    return values[count / 2];
}

static void check(int status)
{
    if (status) {
        fprintf(stderr, "%s\n", vsm_error_message());
        exit(status == VSM_E_DEVICE ? 77 : 1);
    }
}

static struct vsm_tensor *device(struct vsm_device_pool *pool, enum vsm_dtype dtype, int rank,
                                 const int64_t *dims, bool zero)
{
    struct vsm_tensor *t = vsm_device_pool_tensor(pool, dtype, rank, dims), *host;

    host = vsm_tensor_create(dtype, rank, dims);
    if (!t || !host)
        check(VSM_E_NOMEM);
    for (int64_t i = 0; !zero && dtype == VSM_F32 && i < vsm_tensor_count(host); i++)
        vsm_tensor_f32(host)[i] = (float)((uint32_t)(i * 2654435761u) >> 8) * 0x1p-23f - 1;
    for (int64_t i = 0; dtype == VSM_BF16 && i < vsm_tensor_count(host); i++)
        ((uint16_t *)host->data)[i] = (uint16_t)(0x3f00 + ((uint32_t)i * 2654435761u >> 25)); /* 0.5 to 1.5 */
    vsm_device_pool_copy(pool, t->data, host->data, vsm_tensor_bytes(t));
    check(vsm_device_pool_wait(pool));
    vsm_tensor_unref(&host);
    return t;
}

static void time_network(struct vsm_sam2_net *net, const char *name, enum vsm_sam2_stage stage,
                         const struct vsm_binding *in, size_t in_count, struct vsm_binding *out,
                         size_t out_count)
{
    struct vsm_device_pool *pool = vsm_sam2_net_pool(net);
    uint64_t start = 0;

    if (only && strcmp(only, name) != 0)
        return;
    for (int i = only ? ROUNDS - 3 : -8; i < ROUNDS; i++) {
        if (i == 0) {
            check(vsm_device_pool_wait(pool));
            start = vsm_clock_ns();
        }
        check(vsm_sam2_net_run(net, stage, in, in_count, out, out_count));
    }
    check(vsm_device_pool_wait(pool));
    printf("  %-18s %7.3f ms\n", name, (double)(vsm_clock_ns() - start) * 1e-6 / ROUNDS);
    fflush(stdout);
}

static void networks(struct vsm_sam2_net *net, int64_t batch)
{
    const struct vsm_sam2_config *c = vsm_sam2_net_config(net);
    struct vsm_device_pool *p = vsm_sam2_net_pool(net);
    const int64_t s = c->image_size, n = (int64_t)c->grid * c->grid, t = c->memory_tokens, q = 4 * 16;
    struct vsm_binding image = {"image",
                                device(p, vsm_sam2_net_image_type(net), 4, VSM_DIMS(VIEWS, 3, s, s), false)};
    struct vsm_binding encoded[] = {{"feat", device(p, VSM_F32, 3, VSM_DIMS(VIEWS, n, 256), true)},
                                    {"f0", device(p, VSM_F32, 3, VSM_DIMS(VIEWS, 16 * n, 32), true)},
                                    {"f1", device(p, VSM_F32, 3, VSM_DIMS(VIEWS, 4 * n, 64), true)}};
    struct vsm_binding feat = {"feat", device(p, VSM_F32, 3, VSM_DIMS(batch, n, 256), false)};
    struct vsm_binding bank[] = {feat,
                                 {"memory", device(p, VSM_BF16, 4, VSM_DIMS(batch, 7, t, 64), false)},
                                 {"temporal", device(p, VSM_F32, 4, VSM_DIMS(batch, 7, 1, 64), false)},
                                 {"pointers", device(p, VSM_F32, 3, VSM_DIMS(batch, q, 64), false)},
                                 {"pointer_position", device(p, VSM_F32, 3, VSM_DIMS(batch, q, 64), false)}};
    struct vsm_binding conditioned = {"conditioned", device(p, VSM_F32, 3, VSM_DIMS(batch, n, 256), true)};
    struct vsm_binding decoder[] = {{"image", conditioned.tensor},
                                    {"dense", device(p, VSM_F32, 3, VSM_DIMS(1, 1, 256), false)},
                                    {"tokens", device(p, VSM_F32, 3, VSM_DIMS(batch, 8, 256), false)},
                                    {"f0", device(p, VSM_F32, 3, VSM_DIMS(batch, 16 * n, 32), false)},
                                    {"f1", device(p, VSM_F32, 3, VSM_DIMS(batch, 4 * n, 64), false)}};
    struct vsm_binding decoded[] = {{"masks", device(p, VSM_F32, 3, VSM_DIMS(batch, 4, 16 * n), true)},
                                    {"iou", device(p, VSM_F32, 2, VSM_DIMS(batch, 4), true)},
                                    {"score", device(p, VSM_F32, 2, VSM_DIMS(batch, 1), true)},
                                    {"pointers", device(p, VSM_F32, 3, VSM_DIMS(batch, 4, 256), true)}};
    struct vsm_binding mask[] = {feat,
                                 {"logits", device(p, VSM_F32, 4, VSM_DIMS(batch, 1, s / 4, s / 4), false)},
                                 {"binary", device(p, VSM_F32, 4, VSM_DIMS(batch, 1, 1, 1), true)},
                                 {"absent", device(p, VSM_F32, 3, VSM_DIMS(batch, 1, 1), true)}};
    struct vsm_binding memory = {"memory", device(p, VSM_BF16, 3, VSM_DIMS(batch, t, 64), true)};

    printf("networks, %d eyes, batch %d, 7 memories and 16 pointers:\n", VIEWS, (int)batch);
    time_network(net, "encoder", VSM_SAM2_ENCODER, &image, 1, encoded, 3);
    time_network(net, "memory attention", VSM_SAM2_ATTENTION, bank, 5, &conditioned, 1);
    time_network(net, "mask decoder", VSM_SAM2_DECODER, decoder, 5, decoded, 4);
    time_network(net, "memory encoder", VSM_SAM2_MEMORY, mask, c->family == VSM_SAM2_1 ? 4 : 3, &memory, 1);
    vsm_tensor_unref(&image.tensor);
    for (int i = 0; i < 3; i++)
        vsm_tensor_unref(&encoded[i].tensor);
    for (int i = 0; i < 5; i++) {
        vsm_tensor_unref(&bank[i].tensor);
        vsm_tensor_unref(&decoder[i].tensor);
    }
    for (int i = 0; i < 4; i++) {
        vsm_tensor_unref(&decoded[i].tensor);
        if (i > 0)
            vsm_tensor_unref(&mask[i].tensor);
    }
    vsm_tensor_unref(&memory.tensor);
}

static void run_frames(struct vsm_sam2_net *net, int frames, int people, bool offload)
{
    const struct vsm_sam2_tracker_options options = {.views = VIEWS, .fill_hole_area = 8, .offload = offload};
    const int64_t size = vsm_sam2_net_config(net)->image_size;
    const bool half = vsm_sam2_net_image_type(net) == VSM_F16;
    float *picture = malloc((size_t)(3 * size * size) * sizeof(*picture));
    static double whole[MAX_FRAMES], begin[PARTED];
    struct vsm_tensor *images[PICTURES];
    struct vsm_sam2_tracker *tracker;
    double middle_of_all, first = 0;
    int counted = 0, parted = 0;

    check(vsm_sam2_tracker_create(net, &options, &tracker));
    for (int i = 0; i < PICTURES; i++) {
        images[i] = vsm_sam2_tracker_new_images(tracker);
        if (!images[i] || !picture)
            check(VSM_E_NOMEM);
        sam2_weights_frame((int)size, i, picture);
        for (int64_t k = 0; k < vsm_tensor_count(images[i]); k++)
            if (half)
                ((uint16_t *)images[i]->data)[k] = vsm_graph_half_from_float(picture[k % (3 * size * size)]);
            else
                vsm_tensor_f32(images[i])[k] = picture[k % (3 * size * size)];
    }
    for (int frame = 0; frame < WARM + frames + PARTED; frame++) {
        uint64_t start = vsm_clock_ns();

        check(vsm_sam2_tracker_begin(tracker, images[frame % PICTURES]));
        if (frame >= WARM + frames) {
            check(vsm_device_pool_wait(vsm_sam2_net_pool(net)));
            begin[parted++] = (double)(vsm_clock_ns() - start) * 1e-6;
        }
        for (int i = 0; frame == 0 && i < VIEWS * people; i++) {
            const struct vsm_sam2_click click = {(float)size * (0.2f + 0.1f * (float)(i / VIEWS)),
                                                 (float)size / 2, true};
            const struct vsm_sam2_prompt prompt = {.clicks = &click, .click_count = 1};

            check(vsm_sam2_tracker_prompt(tracker, i % VIEWS, i / VIEWS + 1, &prompt, NULL));
        }
        check(vsm_sam2_tracker_track(tracker));
        if (frame >= WARM && frame < WARM + frames)
            whole[counted++] = (double)(vsm_clock_ns() - start) * 1e-6;
        else if (frame >= WARM) /* so that nothing of this frame counts as the next one's encoder */
            check(vsm_device_pool_wait(vsm_sam2_net_pool(net)));
        else
            first += (double)(vsm_clock_ns() - start) * 1e-6 / WARM;
    }
    middle_of_all = median(whole, counted);
    printf("whole frames, %d eyes, %d people%s: median %.3f ms, 90th percentile %.3f; encoder with upload by "
           "itself %.3f; mean of the first %d %.1f\n",
           VIEWS, people, offload ? ", memories offloaded" : "", middle_of_all, whole[counted * 9 / 10],
           median(begin, parted), WARM, first);
    free(picture);
    vsm_sam2_tracker_destroy(tracker);
    for (int i = 0; i < PICTURES; i++)
        vsm_tensor_unref(&images[i]);
}

static long anonymous_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtol(line + 8, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/vsm-bench-sam2-XXXXXX";
    struct vsm_sam2_net_options options = {
        .session = {.threads = 1, .device = VSM_DEVICE_CUDA, .half = true}};
    struct vsm_sam2_net *net = NULL;
    struct vsm_cuda_info info;
    int frames, people = 1, fd;
    bool offload = false;
    size_t free_before = 0;
    uint64_t start;

    if (argc < 4) {
        fprintf(stderr,
                "usage: bench_gpu_sam2 WEIGHTS SIZE FRAMES [float] [offload] [PEOPLE] [cache=FOLDER]\n");
        return 1;
    }
    for (int i = 4; i < argc; i++) {
        options.session.half = options.session.half && strcmp(argv[i], "float") != 0;
        offload = offload || strcmp(argv[i], "offload") == 0;
        people = atoi(argv[i]) > 0 ? atoi(argv[i]) : people;
        options.cache = strncmp(argv[i], "cache=", 6) == 0 ? argv[i] + 6 : options.cache;
    }
    if (getenv("VSM_VERBOSE"))
        vsm_log_set_level(VSM_LOG_DEBUG);
    frames = atoi(argv[3]) < MAX_FRAMES ? atoi(argv[3]) : MAX_FRAMES;
    options.image_size = atoi(argv[2]);
    options.path = argv[1];
    check(vsm_cuda_device_info(&info));
    check(vsm_cuda_memory_free(&free_before));
    if (strstr(argv[1], ".json")) {
        fd = mkstemp(made);
        if (fd < 0 || !sam2_weights_write(argv[1], false, made))
            return 1;
        close(fd);
        options.path = made;
    }
    start = vsm_clock_ns();
    check(vsm_sam2_net_create(&options, &net));
    start = vsm_clock_ns() - start;
    if (options.path == made)
        unlink(made);
    printf("%s at %d in %s on %s, networks made in %.2f s; anonymous memory %ld MiB\n",
           vsm_sam2_net_config(net)->name, options.image_size, options.session.half ? "float16" : "float32",
           info.name, (double)start * 1e-9, anonymous_kib() / 1024);
    only = getenv("VSM_BENCH_ONLY");
    networks(net, VIEWS * people < VSM_SAM2_MAX_BATCH ? VIEWS * people : VSM_SAM2_MAX_BATCH);
    if (!only)
        run_frames(net, frames, people, offload);
    check(vsm_cuda_memory_free(&info.memory_free));
    printf("device memory %.0f MB\n", (double)(free_before - info.memory_free) / 1e6);
    vsm_sam2_net_destroy(net);
    return 0;
}
