/* A whole pipeline on the GPU, from a file to pictures in host memory that an encoder would take, without an encoder:
 * read -> upload -> gpu -> download. The file is read again and again until FRAMES pictures are made. Prints frames a
 * second, each stage's load, the GPU's, and memory on both sides at the beginning and the end (leaks show there).
 * Usage: bench_gpu_stream MODEL.json INPUT FRAMES GRID [software] */
#include "base/clock.h"
#include "cuda/device.h"
#include "cuda/nvml.h"
#include "media/video_reader.h"
#include "pipeline/runner.h"
#include "stages/gpu_stage.h"
#include "stages/gpu_upload_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTLED 400 /* frames after which pools and decoder have all that they want */

struct stream {
    struct vsm_video_reader *reader;
    int64_t frames;
    int64_t made;
    uint64_t settled_ns;
    double settled_host, settled_device; /* bytes */
    double load, decoder;                /* sums over samples */
    int samples;
    uint64_t checksum;
};

static void check(int status)
{
    if (status) {
        fprintf(stderr, "%s\n", vsm_error_message());
        exit(status == VSM_E_DEVICE ? 77 : 1);
    }
}

static double resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file || fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double device_bytes(void)
{
    struct vsm_nvml_load load;

    return vsm_nvml_load(&load) == VSM_OK ? (double)load.memory_used : 0;
}

static int read_frame(void *self, struct vsm_frame *frame)
{
    struct stream *s = self;
    int status;

    if (frame->seq >= s->frames)
        return VSM_EOF;
    status = vsm_video_reader_next(s->reader, frame);
    if (status == VSM_EOF) {
        status = vsm_video_reader_seek(s->reader, 0);
        if (status == VSM_OK)
            status = vsm_video_reader_next(s->reader, frame);
    }
    return status;
}

static int drop_frame(void *self, struct vsm_frame *frame)
{
    struct stream *s = self;
    struct vsm_nvml_load load;

    for (int i = 0; i < 64; i++)
        s->checksum =
            s->checksum * 31 +
            frame->outputs[0]->data[0][(frame->outputs[0]->height / 64 * i) * frame->outputs[0]->stride[0] +
                                       frame->outputs[0]->width / 64 * i];
    if (++s->made == SETTLED) {
        s->settled_ns = vsm_clock_ns();
        s->settled_host = resident_bytes();
        s->settled_device = device_bytes();
    }
    if (s->made > SETTLED && s->made % 32 == 0 && vsm_nvml_load(&load) == VSM_OK) {
        s->load += load.gpu;
        s->decoder += load.decoder;
        s->samples++;
    }
    return VSM_OK;
}

static void create_stages(const struct vsm_video_info *info, const char *model, int grid,
                          struct vsm_gpu_upload_stage **upload, struct vsm_gpu_stage **gpu)
{
    const struct vsm_rect eyes[2] = {{0, 0, info->width / 2, info->height},
                                     {info->width / 2, 0, info->width / 2, info->height}};
    const struct vsm_view views[2] = {{.source = eyes[0], .width = grid, .height = grid},
                                      {.eye = VSM_RIGHT, .source = eyes[1], .width = grid, .height = grid}};
    const struct vsm_rvm_options rvm = {.graph_path = model, .width = grid, .height = grid, .batch = 2};
    const struct vsm_image source = {.format = info->format,
                                     .colour = info->colour,
                                     .width = info->width,
                                     .height = info->height};
    const struct vsm_composite_target target = {
        .kind = VSM_COMPOSITE_KEY,
        .format = {VSM_PLANES_YUV, info->format.depth, 0, 1, 1},
        .colour = info->colour,
        .key = {0x00, 0xb1, 0x40},
    };
    const struct vsm_refine_options refine = {.despill = 1};
    const struct vsm_gpu_stage_options options = {.rvm = &rvm,
                                                  .views = views,
                                                  .view_count = 2,
                                                  .source = &source,
                                                  .targets = &target,
                                                  .target_count = 1,
                                                  .refine = &refine};

    check(vsm_gpu_upload_stage_create(&source, eyes, 2, upload));
    check(vsm_gpu_stage_create(&options, gpu));
}

static void print(const struct stream *s, struct vsm_runner *runner, uint64_t start)
{
    struct vsm_stage_stats stats[VSM_MAX_STAGES];
    const int count = vsm_runner_stats(runner, stats);
    const uint64_t end = vsm_clock_ns(), from = s->made > SETTLED ? s->settled_ns : start;
    const double frames = (double)(s->made - (s->made > SETTLED ? SETTLED : 0)),
                 seconds = (double)(end - from) / 1e9;

    printf("  %.1f frames a second over %.0f frames, GPU busy %.0f %%, its decoder %.0f %%\n",
           frames / seconds, frames, s->samples ? 100 * s->load / s->samples : 0,
           s->samples ? 100 * s->decoder / s->samples : 0);
    for (int i = 0; i < count; i++)
        printf("  %-9s busy %.2f ms a frame, CPU %.2f ms, waits in %.2f, out %.2f\n", stats[i].name,
               (double)stats[i].busy_ns / 1e6 / (double)s->made,
               (double)stats[i].cpu_ns / 1e6 / (double)s->made,
               (double)stats[i].wait_in_ns / 1e6 / (double)s->made,
               (double)stats[i].wait_out_ns / 1e6 / (double)s->made);
    printf(
        "  resident %.0f MB after %d frames, %.0f MB now; device memory %.0f MB, %.0f MB; checksum %016llx\n",
        s->settled_host / 1e6, SETTLED, resident_bytes() / 1e6, s->settled_device / 1e6, device_bytes() / 1e6,
        (unsigned long long)s->checksum);
}

int main(int argc, char **argv)
{
    const bool software = argc > 5 && strcmp(argv[5], "software") == 0;
    const struct vsm_video_reader_options reading = {.threads = 16,
                                                     .memory =
                                                         software ? VSM_READER_PINNED : VSM_READER_DEVICE};
    const struct vsm_runner_options running = {.buffer_frames = 1, .buffer_bytes = (size_t)48 << 20};
    struct vsm_gpu_upload_stage *upload = NULL;
    struct vsm_gpu_stage *gpu = NULL;
    struct stream s = {0};
    struct vsm_stage stages[5];
    struct vsm_runner *runner;
    const char *why;
    uint64_t start;

    if (argc < 5) {
        fprintf(stderr, "usage: bench_gpu_stream MODEL.json INPUT FRAMES GRID [software]\n");
        return 1;
    }
    s.frames = atoll(argv[3]);
    check(vsm_video_reader_open(argv[2], &reading, &s.reader));
    printf("%s, %dx%d, grid %s, %s decoding %s\n", argv[2], vsm_video_reader_info(s.reader)->width,
           vsm_video_reader_info(s.reader)->height, argv[4],
           vsm_video_reader_on_device(s.reader, &why) ? "NVDEC" : "software", why);
    create_stages(vsm_video_reader_info(s.reader), argv[1], atoi(argv[4]), &upload, &gpu);
    stages[0] = (struct vsm_stage){.name = "read", .self = &s, .run = read_frame};
    stages[1] = vsm_gpu_upload_stage_describe(upload);
    stages[2] = vsm_gpu_stage_describe(gpu);
    stages[3] = vsm_gpu_stage_describe_download(gpu);
    stages[4] = (struct vsm_stage){.name = "drop", .self = &s, .run = drop_frame};
    runner = vsm_runner_create(stages, 5, &running);
    check(runner ? VSM_OK : VSM_E_NOMEM);
    start = vsm_clock_ns();
    check(vsm_runner_start(runner));
    check(vsm_runner_wait(runner));
    print(&s, runner, start);
    vsm_runner_destroy(runner);
    vsm_gpu_stage_destroy(gpu);
    vsm_gpu_upload_stage_destroy(upload);
    vsm_video_reader_close(s.reader);
    return 0;
}
