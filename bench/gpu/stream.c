/* A whole pipeline on the GPU, from a file to pictures in host memory that an encoder would take, without an
 * encoder: read -> upload -> gpu -> refine -> download; with "people" as whole jobs have it: people are
 * looked for, the eyes compared and mended. The file is read again and again until FRAMES pictures are made.
 * Prints frames a second, each stage's load, the GPU's, and memory on both sides at the beginning and the end
 * (leaks show there).
 *
 *   bench_gpu_stream MODEL.json INPUT FRAMES GRID [software] [people DETECTOR.json] [interval FRAMES]
 *                    [flight FRAMES] [threads COUNT] [detect COUNT]
 *
 * interval: between two looks for people; flight: most frames between the file and the end, 0 without a
 * limit; threads: for people, as many as that; detect: for the detector's network on the CPU, 0 (as jobs have
 * it): on the GPU. */
#include "app/gpu_plan.h"
#include "base/clock.h"
#include "base/scratch.h"
#include "cuda/nvml.h"
#include "media/video_reader.h"
#include "pipeline/runner.h"
#include "stages/gpu_refine_stage.h"
#include "stages/gpu_stage.h"
#include "stages/gpu_upload_stage.h"
#include "stages/people_stage.h"
#include "stages/stereo_manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTLED 400 /* frames after which pools and decoder have all that they want */

struct arguments {
    const char *model, *input, *detector; /* detector NULL: nobody is looked for */
    int64_t frames;
    int grid, interval, flight, threads, detecting;
    bool software;
};

struct stream {
    struct vsm_video_reader *reader;
    int64_t frames;
    int64_t made;
    int decoded_waiting; /* as jobs have it */
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
    if (s->made > SETTLED && s->made * 5 / s->frames > (s->made - 1) * 5 / s->frames)
        printf("  after %lld frames: resident %.0f MB, device memory %.0f MB\n", (long long)s->made,
               resident_bytes() / 1e6, device_bytes() / 1e6);
    if (s->made > SETTLED && s->made % 32 == 0 && vsm_nvml_load(&load) == VSM_OK) {
        s->load += load.gpu;
        s->decoder += load.decoder;
        s->samples++;
    }
    return VSM_OK;
}

/* Stages and what they borrow. */
struct line {
    struct vsm_gpu_upload_stage *upload;
    struct vsm_gpu_stage *gpu;
    struct vsm_gpu_refine_stage *refine;
    struct vsm_parallel *pool; /* from here on NULL without people */
    struct vsm_detector *detector;
    struct vsm_people_stage *people;
    struct vsm_stereo_manager *stereo;
};

static void create_people(struct line *line, const struct vsm_rect eyes[2], const struct vsm_view views[2],
                          const struct arguments *arguments)
{
    const struct vsm_session_options session = {.device =
                                                    arguments->detecting ? VSM_DEVICE_CPU : VSM_DEVICE_CUDA,
                                                .threads = arguments->detecting ? arguments->detecting : 1};
    struct vsm_people_stage_options people = {.eyes = {eyes[0], eyes[1]},
                                              .eye_count = 2,
                                              .baseline = 0.064,
                                              .interval = arguments->interval,
                                              .correction = 60};
    struct vsm_stereo_manager_options stereo = {
        .views = views, .view_count = 2, .baseline = 0.064, .threshold = 0.8, .mend = true};

    line->pool = arguments->threads ? vsm_parallel_create(arguments->threads) : vsm_gpu_plan_create_pool(16);
    people.pool = stereo.pool = line->pool;
    check(vsm_detector_create(arguments->detector, &session, &line->detector));
    people.detector = line->detector;
    check(vsm_people_stage_create(&people, &line->people));
    stereo.stream = vsm_gpu_stage_stream(line->gpu);
    check(vsm_stereo_manager_create(&stereo, &line->stereo));
    vsm_gpu_stage_set_stereo(line->gpu, line->stereo);
}

static void create_line(const struct vsm_video_info *info, const struct arguments *arguments,
                        struct line *line)
{
    const char *const model = arguments->model, *const detector = arguments->detector;
    const int grid = arguments->grid;
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
    const struct vsm_refine_options despill = {.despill = 1};
    const struct vsm_gpu_stage_options options = {.rvm = &rvm,
                                                  .views = views,
                                                  .view_count = 2,
                                                  .source = &source,
                                                  .targets = &target,
                                                  .target_count = 1};
    const struct vsm_gpu_refine_stage_options refine = {.source = &source,
                                                        .views = views,
                                                        .view_count = 2,
                                                        .targets = &target,
                                                        .target_count = 1,
                                                        .refine = &despill};

    check(vsm_gpu_upload_stage_create(&source, eyes, 2, &line->upload));
    check(vsm_gpu_refine_stage_create(&refine, &line->refine));
    check(vsm_gpu_stage_create(&options, &line->gpu));
    if (detector)
        create_people(line, eyes, views, arguments);
}

static void destroy_line(struct line *line)
{
    vsm_stereo_manager_destroy(line->stereo);
    vsm_gpu_stage_destroy(line->gpu);
    vsm_gpu_refine_stage_destroy(line->refine);
    vsm_people_stage_destroy(line->people);
    vsm_detector_destroy(line->detector);
    vsm_parallel_destroy(line->pool);
    vsm_gpu_upload_stage_destroy(line->upload);
}

static int describe(const struct line *line, struct stream *s, struct vsm_stage stages[VSM_MAX_STAGES])
{
    int count = 0;

    stages[count++] =
        (struct vsm_stage){.name = "read", .self = s, .most_waiting = s->decoded_waiting, .run = read_frame};
    stages[count++] = vsm_gpu_upload_stage_describe(line->upload);
    if (line->people)
        stages[count++] = vsm_people_stage_describe(line->people);
    stages[count++] = vsm_gpu_stage_describe(line->gpu);
    stages[count++] = vsm_gpu_refine_stage_describe(line->refine);
    stages[count++] = vsm_gpu_refine_stage_describe_download(line->refine);
    stages[count++] = (struct vsm_stage){.name = "drop", .self = s, .run = drop_frame};
    return count;
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

static bool parse(int argc, char **argv, struct arguments *a)
{
    *a = (struct arguments){.interval = 8, .flight = -1};
    if (argc < 5)
        return false;
    a->model = argv[1];
    a->input = argv[2];
    a->frames = atoll(argv[3]);
    a->grid = atoi(argv[4]);
    for (int i = 5; i < argc; i++) {
        if (strcmp(argv[i], "software") == 0)
            a->software = true;
        else if (i + 1 < argc && strcmp(argv[i], "people") == 0)
            a->detector = argv[++i];
        else if (i + 1 < argc && strcmp(argv[i], "interval") == 0)
            a->interval = atoi(argv[++i]);
        else if (i + 1 < argc && strcmp(argv[i], "threads") == 0)
            a->threads = atoi(argv[++i]);
        else if (i + 1 < argc && strcmp(argv[i], "detect") == 0)
            a->detecting = atoi(argv[++i]);
        else if (i + 1 < argc && strcmp(argv[i], "flight") == 0)
            a->flight = atoi(argv[++i]);
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct arguments a;
    const bool usable = parse(argc, argv, &a);
    const struct vsm_video_reader_options reading = {.threads = 16,
                                                     .memory =
                                                         a.software ? VSM_READER_PINNED : VSM_READER_DEVICE};
    struct vsm_runner_options running = {.buffer_frames = 10, .buffer_bytes = (size_t)48 << 20};
    struct vsm_stage stages[VSM_MAX_STAGES];
    struct stream s = {.frames = a.frames};
    struct line line = {0};
    struct vsm_runner *runner;
    const struct vsm_video_info *info;
    const char *why = "";
    uint64_t start;
    bool on_device;

    if (!usable) {
        fprintf(stderr,
                "usage: bench_gpu_stream MODEL.json INPUT FRAMES GRID [software] [people DETECTOR.json] "
                "[interval FRAMES] [flight FRAMES] [threads COUNT] [detect COUNT]\n");
        return 1;
    }
    check(vsm_video_reader_open(a.input, &reading, &s.reader));
    on_device = vsm_video_reader_on_device(s.reader, &why);
    s.decoded_waiting = on_device ? 1 : 0;
    info = vsm_video_reader_info(s.reader);
    running.most_frames =
        a.flight >= 0 ? a.flight
                      : vsm_gpu_plan_most_frames(vsm_format_bytes(info->format, info->width, info->height),
                                                 2 * (size_t)a.grid * (size_t)a.grid);
    printf("%s, %dx%d, grid %d, %s decoding %s%s, at most %d frames in flight\n", a.input, info->width,
           info->height, a.grid, on_device ? "NVDEC" : "software", on_device ? "" : why,
           a.detector ? ", people and both eyes looked at" : "", running.most_frames);
    vsm_scratch_share();
    create_line(info, &a, &line);
    runner = vsm_runner_create(stages, describe(&line, &s, stages), &running);
    check(runner ? VSM_OK : VSM_E_NOMEM);
    start = vsm_clock_ns();
    check(vsm_runner_start(runner));
    check(vsm_runner_wait(runner));
    print(&s, runner, start);
    vsm_runner_destroy(runner);
    destroy_line(&line);
    vsm_video_reader_close(s.reader);
    return 0;
}
