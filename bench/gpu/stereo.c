/* What comparing and mending the eyes costs a frame on a CUDA device, against the same on the host with one
 * thread and with six: the stereo manager's review of scenes with mattes that are wrong here and there
 * (tests/oracle/spoilt_scene.h), function by function of stereo/stereo_planes.h. Medians of frames.
 *
 *   bench_gpu_stereo [DATA [GRID ...]]      DATA: the shared footage; GRID: 768 and 1024
 *
 * On the device: by events round each function, and what the calling thread spends in it, waiting for numbers
 * included. "Whole" is the review from outside until the device is done, of runs without events; "cells" is
 * what the thread does between the functions. */
#include "../../tests/oracle/spoilt_scene.h"
#include "../spread.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cuda/device.h"
#include "stages/stereo_manager.h"
#include "stereo/stereo_planes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EYE    1024
#define FRAMES 8 /* of a scene; the first two are not counted */
#define WARM   2
#define TURNS  3 /* over all frames */

static const char *const scenes[] = {"two-crossing", "three-in-a-row"};

enum function {
    LOOK,
    BEGIN,
    MATCH,
    CAN_MATCH,
    LIGHT,
    MOVE,
    AGREE,
    NEED,
    MEASURE,
    BLEND,
    REPLACE,
    NOTE,
    FUNCTIONS
};
static const char *const names[FUNCTIONS] = {"look",  "begin", "match",   "can match", "light",   "move",
                                             "agree", "need",  "measure", "blend",     "replace", "note"};

/* A kind that times another one. One thread. */
struct timed {
    struct vsm_stereo_planes planes;
    struct vsm_cuda_stream *stream; /* NULL: on the host */
    struct vsm_cuda_event *begin, *end;
};

static bool timing;                                     /* made next */
static double device_ms[FUNCTIONS], host_ms[FUNCTIONS]; /* of this frame */
static int calls[FUNCTIONS];

static uint64_t started;

static void check(int status)
{
    if (status != VSM_OK) {
        fprintf(stderr, "bench_gpu_stereo: %s\n", vsm_error_message());
        exit(status == VSM_E_DEVICE ? 77 : 1);
    }
}

static void start(struct timed *t)
{
    if (t->stream) {
        check(vsm_cuda_stream_wait(t->stream));
        check(vsm_cuda_event_record(t->begin, t->stream));
    }
    started = vsm_clock_ns();
}

static int stop(struct timed *t, enum function function, int status)
{
    float ms = 0.0f;

    host_ms[function] += (double)(vsm_clock_ns() - started) / 1e6;
    calls[function]++;
    if (t->stream) {
        check(vsm_cuda_event_record(t->end, t->stream));
        check(vsm_cuda_event_wait(t->end));
        check(vsm_cuda_event_ms(t->begin, t->end, &ms));
    }
    device_ms[function] += (double)ms;
    return status;
}

/* PARAMETERS and ARGUMENTS behind self. */
#define TIMED(name, function, parameters, arguments)                                                         \
    static int name parameters                                                                               \
    {                                                                                                        \
        struct timed *t = self;                                                                              \
                                                                                                             \
        start(t);                                                                                            \
        return stop(t, function, t->planes.kind->name arguments);                                            \
    }

TIMED(look, LOOK, (void *self, const float *const rgb[2], struct vsm_eye_health_look looks[2]),
      (t->planes.self, rgb, looks))
TIMED(begin, BEGIN, (void *self, const float *const rgb[2], float *const maps[2]),
      (t->planes.self, rgb, maps))
TIMED(match, MATCH,
      (void *self, int eye, const struct vsm_disparity_search *search, bool needed,
       struct vsm_disparity_map *map),
      (t->planes.self, eye, search, needed, map))
TIMED(can_match, CAN_MATCH, (void *self, int eye, bool *can), (t->planes.self, eye, can))
TIMED(light, LIGHT, (void *self, int eye, const struct vsm_disparity_map *map, double sums[2][3]),
      (t->planes.self, eye, map, sums))
TIMED(move, MOVE, (void *self, int eye, const struct vsm_disparity_map *map), (t->planes.self, eye, map))
TIMED(agree, AGREE, (void *self, int eye, struct vsm_consistency_sums *sums), (t->planes.self, eye, sums))
TIMED(need, NEED, (void *self, int eye), (t->planes.self, eye))
TIMED(measure, MEASURE, (void *self, struct vsm_mend_sums cells[2][VSM_MEND_CELLS]), (t->planes.self, cells))
TIMED(blend, BLEND,
      (void *self, const struct vsm_disparity_map *const maps[2], const struct vsm_consensus *consensus,
       const struct vsm_mend *mend, const float gain[2][3]),
      (t->planes.self, maps, consensus, mend, gain))
TIMED(replace, REPLACE, (void *self), (t->planes.self))
TIMED(note, NOTE, (void *self, float means[2][VSM_MEND_CELLS]), (t->planes.self, means))

static void end(void *self)
{
    struct timed *t = self;

    t->planes.kind->end(t->planes.self);
}

static void destroy(void *self)
{
    struct timed *t = self;

    t->planes.kind->destroy(t->planes.self);
    vsm_cuda_event_destroy(t->begin);
    vsm_cuda_event_destroy(t->end);
    vsm_mem_free(t);
}

static const struct vsm_stereo_planes_kind kind = {.look = look,
                                                   .begin = begin,
                                                   .match = match,
                                                   .can_match = can_match,
                                                   .light = light,
                                                   .move = move,
                                                   .agree = agree,
                                                   .need = need,
                                                   .measure = measure,
                                                   .blend = blend,
                                                   .replace = replace,
                                                   .note = note,
                                                   .end = end,
                                                   .destroy = destroy};

/* The linker puts these in the place of the functions that make planes, which it calls __real_. */
int __real_vsm_stereo_planes_host_create(const struct vsm_stereo_planes_options *options,
                                         struct vsm_stereo_planes *planes);
int __real_vsm_stereo_planes_cuda_create(const struct vsm_stereo_planes_options *options,
                                         struct vsm_stereo_planes *planes);
int __wrap_vsm_stereo_planes_host_create(const struct vsm_stereo_planes_options *options,
                                         struct vsm_stereo_planes *planes);
int __wrap_vsm_stereo_planes_cuda_create(const struct vsm_stereo_planes_options *options,
                                         struct vsm_stereo_planes *planes);

static void time_planes(struct vsm_cuda_stream *stream, struct vsm_stereo_planes *planes)
{
    struct timed *t = vsm_mem_alloc("timing", 1, sizeof(*t));

    check(t ? VSM_OK : VSM_E_NOMEM);
    t->planes = *planes;
    t->stream = stream;
    if (stream) {
        check(vsm_cuda_event_create(1, &t->begin));
        check(vsm_cuda_event_create(1, &t->end));
    }
    *planes = (struct vsm_stereo_planes){.kind = &kind, .self = t};
}

int __wrap_vsm_stereo_planes_host_create(const struct vsm_stereo_planes_options *options,
                                         struct vsm_stereo_planes *planes)
{
    const int status = __real_vsm_stereo_planes_host_create(options, planes);

    if (status == VSM_OK && timing)
        time_planes(NULL, planes);
    return status;
}

int __wrap_vsm_stereo_planes_cuda_create(const struct vsm_stereo_planes_options *options,
                                         struct vsm_stereo_planes *planes)
{
    const int status = __real_vsm_stereo_planes_cuda_create(options, planes);

    if (status == VSM_OK && timing)
        time_planes(options->stream, planes);
    return status;
}

/* A scene's frames, ready for both devices. */
struct footage {
    struct spoilt_scene scene;
    float *rgb[FRAMES][2], *maps[FRAMES][2];
    size_t pixels;
    struct vsm_cuda_stream *stream;
    void *rgb_there[2], *maps_there[2]; /* of the frame that is run */
    float *turned;
};

static float *copy_of(const float *from, size_t count)
{
    float *to = vsm_mem_alloc("footage", count, sizeof(float));

    check(to ? VSM_OK : VSM_E_NOMEM);
    memcpy(to, from, count * sizeof(float));
    return to;
}

static void film(const char *data, const char *name, int grid, struct footage *f)
{
    const struct spoilt_scene_options options = {
        .data = data, .scene = name, .eye = EYE, .width = grid, .height = grid};

    *f = (struct footage){.pixels = (size_t)grid * (size_t)grid};
    check(spoilt_scene_create(&options, &f->scene));
    for (int i = 0; i < FRAMES; i++) {
        struct vsm_frame *frame = NULL;

        check(spoilt_scene_show(&f->scene, i, &frame));
        for (int eye = 0; eye < 2; eye++) {
            f->rgb[i][eye] = copy_of(f->scene.rgb[eye], 3 * f->pixels);
            f->maps[i][eye] = copy_of(vsm_tensor_f32(frame->mattes[eye].coefficients), 8 * f->pixels);
        }
        vsm_frame_destroy(&frame);
    }
    check(vsm_cuda_stream_create(&f->stream));
    f->turned = copy_of(f->maps[0][0], 8 * f->pixels);
    for (int eye = 0; eye < 2; eye++) {
        check(vsm_cuda_alloc("pictures", 3 * f->pixels * sizeof(float), &f->rgb_there[eye]));
        check(vsm_cuda_alloc("maps", 8 * f->pixels * sizeof(float), &f->maps_there[eye]));
    }
}

static void discard(struct footage *f)
{
    for (int i = 0; i < 2 * FRAMES; i++) {
        vsm_mem_free(f->rgb[i / 2][i % 2]);
        vsm_mem_free(f->maps[i / 2][i % 2]);
    }
    for (int eye = 0; eye < 2; eye++) {
        vsm_cuda_free(f->rgb_there[eye]);
        vsm_cuda_free(f->maps_there[eye]);
    }
    vsm_mem_free(f->turned);
    vsm_cuda_stream_destroy(f->stream);
    spoilt_scene_destroy(&f->scene);
}

static void upload(struct footage *f, int number)
{
    for (int eye = 0; eye < 2; eye++) {
        for (size_t i = 0; i < 8 * f->pixels; i++)
            f->turned[i] = f->maps[number][eye][i % 8 * f->pixels + i / 8];
        check(
            vsm_cuda_copy(f->rgb_there[eye], f->rgb[number][eye], 3 * f->pixels * sizeof(float), f->stream));
        check(vsm_cuda_copy(f->maps_there[eye], f->turned, 8 * f->pixels * sizeof(float), f->stream));
    }
    check(vsm_cuda_stream_wait(f->stream));
}

/* Returns milliseconds from outside. */
static double run_frame(struct footage *f, int number, struct vsm_stereo_manager *manager, bool device)
{
    struct vsm_frame *frame = vsm_frame_create();
    const float *rgb[2];
    uint64_t from;
    double ms;

    check(frame ? VSM_OK : VSM_E_NOMEM);
    if (device)
        upload(f, number);
    frame->index = frame->seq = number;
    frame->view_count = 2;
    for (int eye = 0; eye < 2; eye++) {
        const struct vsm_view *view = &f->scene.views[eye];
        const int64_t dims[3] = {8, view->height, view->width};
        struct vsm_tensor *maps = vsm_tensor_create(VSM_F32, 3, dims);

        check(maps ? VSM_OK : VSM_E_NOMEM);
        frame->mattes[eye] = (struct vsm_matte){.view = *view, .coefficients = maps};
        memcpy(maps->data, f->maps[number][eye], 8 * f->pixels * sizeof(float));
        rgb[eye] = device ? f->rgb_there[eye] : f->rgb[number][eye];
    }
    if (device) {
        struct vsm_tensor *kept[2] = {frame->mattes[0].coefficients, frame->mattes[1].coefficients};
        void *memory[2] = {kept[0]->data, kept[1]->data};

        for (int eye = 0; eye < 2; eye++) {
            kept[eye]->place = VSM_PLACE_CUDA;
            kept[eye]->data = f->maps_there[eye];
        }
        from = vsm_clock_ns();
        check(vsm_stereo_manager_run(manager, frame, rgb, NULL));
        check(vsm_cuda_stream_wait(f->stream));
        ms = (double)(vsm_clock_ns() - from) / 1e6;
        for (int eye = 0; eye < 2; eye++) {
            kept[eye]->place = VSM_PLACE_HOST;
            kept[eye]->data = memory[eye];
        }
    } else {
        from = vsm_clock_ns();
        check(vsm_stereo_manager_run(manager, frame, rgb, NULL));
        ms = (double)(vsm_clock_ns() - from) / 1e6;
    }
    vsm_frame_destroy(&frame);
    return ms;
}

#define SAMPLES (TURNS * (FRAMES - WARM))

/* Medians over frames, of what one way to compare takes. */
struct medians {
    double whole, cells;
    double device[FUNCTIONS], host[FUNCTIONS];
};

static void run_way(struct footage *f, int threads, bool device, struct medians *m)
{
    static double whole[SAMPLES], cells[SAMPLES], there[FUNCTIONS][SAMPLES], here[FUNCTIONS][SAMPLES];
    struct vsm_parallel *pool = threads > 1 ? vsm_parallel_create(threads) : NULL;
    const struct vsm_stereo_manager_options options = {.views = f->scene.views,
                                                       .view_count = 2,
                                                       .baseline = VSM_TRUTH_FILM_BASELINE,
                                                       .threshold = 0.95,
                                                       .mend = true,
                                                       .pool = pool,
                                                       .stream = device ? f->stream : NULL};
    int count[2] = {0, 0};

    for (int turn = 0; turn < 2 * TURNS; turn++) {
        struct vsm_stereo_manager *manager = NULL;

        timing = turn % 2;
        check(vsm_stereo_manager_create(&options, &manager));
        for (int i = 0; i < FRAMES; i++) {
            double inside = 0.0, ms;

            memset(device_ms, 0, sizeof(device_ms));
            memset(host_ms, 0, sizeof(host_ms));
            ms = run_frame(f, i, manager, device);
            if (i < WARM)
                continue;
            for (int k = 0; k < FUNCTIONS && timing; k++) {
                there[k][count[1]] = device_ms[k];
                here[k][count[1]] = host_ms[k];
                inside += host_ms[k];
            }
            if (timing)
                cells[count[1]++] = device ? 0.0 : ms - inside;
            else
                whole[count[0]++] = ms;
        }
        vsm_stereo_manager_destroy(manager);
    }
    m->whole = spread_of(whole, SAMPLES).median;
    m->cells = spread_of(cells, SAMPLES).median;
    for (int k = 0; k < FUNCTIONS; k++) {
        m->device[k] = spread_of(there[k], SAMPLES).median;
        m->host[k] = spread_of(here[k], SAMPLES).median;
    }
    vsm_parallel_destroy(pool);
}

static void run_scene(const char *data, const char *name, int grid)
{
    struct medians one, six, device;
    struct footage f;

    film(data, name, grid, &f);
    run_way(&f, 1, false, &one);
    run_way(&f, 6, false, &six);
    run_way(&f, 1, true, &device);
    printf("%s, grid %d, ms a frame: one thread, six, device by events, its thread\n", name, grid);
    for (int k = 0; k < FUNCTIONS; k++)
        printf("  %-10s %8.3f %8.3f %8.3f %8.3f\n", names[k], one.host[k], six.host[k], device.device[k],
               device.host[k]);
    printf("  %-10s %8.3f %8.3f\n", "cells", one.cells, six.cells);
    printf("  %-10s %8.3f %8.3f %8.3f\n", "whole", one.whole, six.whole, device.whole);
    fflush(stdout);
    discard(&f);
}

int main(int argc, char **argv)
{
    static const int usual[] = {768, 1024};
    const char *data = argc > 1 ? argv[1] : "../shared/data";
    struct vsm_cuda_info info;

    check(vsm_cuda_device_info(&info));
    for (int g = 0; g < (argc > 2 ? argc - 2 : 2); g++)
        for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
            run_scene(data, scenes[i], argc > 2 ? atoi(argv[g + 2]) : usual[g]);
    return 0;
}
