/* Everything between a decoded and an encodable 8192x4096 picture on the card: preprocess, network, refine.
 * Prints the median time of each part and of the whole over FRAMES frames, and (--profile) of each kernel.
 * Usage: bench_gpu_frame MODEL.json [--profile] */
#include "image/preprocess_cuda.h"
#include "image/refine_cuda.h"
#include "models/rvm_cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH  8192
#define HEIGHT 4096
#define FRAMES 500
#define WARM   20
#define PARTS  3

struct bench {
    struct vsm_cuda_stream *stream;
    struct vsm_cuda_event *events[PARTS + 1];
    struct vsm_rvm_cuda *rvm;
    struct vsm_preprocess_cuda *preprocess;
    struct vsm_refine_cuda *refine;
    struct vsm_view views[2];
    struct vsm_image source[2], output;
    float ms[PARTS + 1][FRAMES];
};

static void check(int status)
{
    if (status) {
        fprintf(stderr, "%s\n", vsm_error_message());
        exit(status == VSM_E_DEVICE ? 77 : 1);
    }
}

static void make_image(struct vsm_image *image, struct vsm_format format, unsigned seed)
{
    *image = (struct vsm_image){.format = format,
                                .colour = {1, 1, 1, false, 0},
                                .place = VSM_PLACE_CUDA,
                                .width = WIDTH,
                                .height = HEIGHT};
    for (int p = 0; p < vsm_format_plane_count(format); p++) {
        const int samples = vsm_format_plane_width(format, p, WIDTH),
                  rows = vsm_format_plane_height(format, p, HEIGHT);
        const size_t stride = (size_t)samples * (size_t)vsm_format_bytes_per_sample(format);
        uint8_t *host = malloc(stride * (size_t)rows);
        void *memory = NULL;

        for (int y = 0; y < rows; y++)
            for (int x = 0; x < samples; x++) {
                unsigned value =
                    (p ? 108 : 60) + (unsigned)(x * 7 / 16 + y * 13 / 16 + (int)seed) % (p ? 40 : 120);

                seed = seed * 1664525u + 1013904223u;
                value += seed >> 29;
                if (format.depth == 8)
                    host[(size_t)y * stride + (size_t)x] = (uint8_t)value;
                else
                    ((uint16_t *)(void *)(host + (size_t)y * stride))[x] =
                        (uint16_t)(value << (format.depth - 8 + format.shift));
            }
        check(vsm_cuda_alloc("picture", stride * (size_t)rows, &memory));
        check(vsm_cuda_copy(memory, host, stride * (size_t)rows, NULL));
        check(vsm_cuda_stream_wait(NULL));
        image->data[p] = memory;
        image->stride[p] = (ptrdiff_t)stride;
        free(host);
    }
}

static void free_image(struct vsm_image *image)
{
    for (int p = 0; p < vsm_format_plane_count(image->format); p++)
        vsm_cuda_free(image->data[p]);
}

static void run_frame(struct bench *b, int frame)
{
    const struct vsm_refine_cuda_view views[2] = {{.view = &b->views[0], .fit = vsm_rvm_cuda_fit(b->rvm, 0)},
                                                  {.view = &b->views[1], .fit = vsm_rvm_cuda_fit(b->rvm, 1)}};
    struct vsm_image *output = &b->output;

    check(vsm_cuda_event_record(b->events[0], b->stream));
    check(vsm_preprocess_cuda_run(b->preprocess, &b->source[frame % 2], vsm_rvm_cuda_source(b->rvm),
                                  b->stream));
    check(vsm_cuda_event_record(b->events[1], b->stream));
    check(vsm_rvm_cuda_run(b->rvm));
    check(vsm_cuda_event_record(b->events[2], b->stream));
    check(vsm_refine_cuda_run(b->refine, &b->source[frame % 2], views, 2, &output, b->stream));
    check(vsm_cuda_event_record(b->events[3], b->stream));
    check(vsm_cuda_event_wait(b->events[3]));
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void measure(const char *model, struct vsm_format format, const char *name, int grid, int profile)
{
    static const char *const parts[] = {"preprocess", "network", "refine", "all"};
    const struct vsm_rvm_options options = {.graph_path = model, .width = grid, .height = grid, .batch = 2};
    const struct vsm_refine_options refine = {.despill = 0.5f};
    struct bench *b = calloc(1, sizeof(*b));
    struct vsm_composite_output output = {VSM_COMPOSITE_KEY, &b->output, {0x00, 0xb1, 0x40}};
    int resets = 0;
    bool repeated;

    check(vsm_cuda_stream_create(&b->stream));
    for (int i = 0; i <= PARTS; i++)
        check(vsm_cuda_event_create(1, &b->events[i]));
    for (int i = 0; i < 2; i++) {
        make_image(&b->source[i], format, (unsigned)i * 77);
        b->views[i] =
            (struct vsm_view){.source = {i * WIDTH / 2, 0, WIDTH / 2, HEIGHT}, .width = grid, .height = grid};
    }
    make_image(&b->output, format, 1);
    check(vsm_rvm_cuda_create(&options, b->stream, &b->rvm));
    check(vsm_preprocess_cuda_create(&b->source[0], b->views, 2, &b->preprocess));
    check(vsm_refine_cuda_create(&b->source[0], &output, 1, &refine, &b->refine));
    for (int frame = -WARM; frame < FRAMES; frame++) {
        run_frame(b, frame + WARM);
        for (int i = 0; i <= PARTS && frame >= 0; i++)
            check(vsm_cuda_event_ms(b->events[i == PARTS ? 0 : i], b->events[i == PARTS ? PARTS : i + 1],
                                    &b->ms[i][frame]));
    }
    check(vsm_rvm_cuda_check(b->rvm, &resets, &repeated));
    printf("8192x4096 %s, two eyes, grid %dx%d, %d frames, network memory %.0f MB:", name, grid, grid, FRAMES,
           (double)vsm_rvm_cuda_bytes(b->rvm) / 1e6);
    for (int i = 0; i <= PARTS; i++) {
        qsort(b->ms[i], FRAMES, sizeof(float), compare);
        printf(" %s %.3f ms", parts[i], b->ms[i][FRAMES / 2]);
    }
    printf(" (p99 %.3f)%s\n", b->ms[PARTS][FRAMES * 99 / 100], resets ? " STATE RESET" : "");
    if (profile)
        check(vsm_rvm_cuda_profile(b->rvm, 30));
    fflush(stdout);
    vsm_refine_cuda_destroy(b->refine);
    vsm_preprocess_cuda_destroy(b->preprocess);
    vsm_rvm_cuda_destroy(b->rvm);
    for (int i = 0; i < 2; i++)
        free_image(&b->source[i]);
    free_image(&b->output);
    for (int i = 0; i <= PARTS; i++)
        vsm_cuda_event_destroy(b->events[i]);
    vsm_cuda_stream_destroy(b->stream);
    free(b);
}

int main(int argc, char **argv)
{
    const struct vsm_format nv12 = {VSM_PLANES_NV, 8, 0, 1, 1}, p010 = {VSM_PLANES_NV, 10, 6, 1, 1};
    const int profile = argc > 2 && strcmp(argv[2], "--profile") == 0;
    struct vsm_cuda_info info;

    if (argc < 2) {
        fprintf(stderr, "usage: bench_gpu_frame MODEL.json [--profile]\n");
        return 1;
    }
    check(vsm_cuda_device_info(&info));
    printf("%s, compute capability %d.%d, %d multiprocessors, CUDA %d.%d driver\n", info.name, info.major,
           info.minor, info.multiprocessors, info.driver / 1000, info.driver % 1000 / 10);
    measure(argv[1], nv12, "NV12", 1024, profile);
    measure(argv[1], nv12, "NV12", 512, profile);
    measure(argv[1], nv12, "NV12", 768, 0);
    measure(argv[1], p010, "P010", 1024, 0);
    return 0;
}
