/* What one frame of matting costs beside the network itself, and what a batch of both eyes saves.
 *
 *   bench_infer [GRID [THREADS]]
 *
 * Per 2048x2048 eye: picture in, pre-processing, network with the filter's fit, check of the states,
 * full-size pass, picture out; against the bare network (matte and states only) in turns in the same run.
 * Target: at most 1.1 times. Both eyes in one batch and one after the other, each in a process of its own,
 * with its peak of memory, come first. Times are medians of wall time, and of processor time, which tells
 * more on a shared machine. The ratio is the median of the ratios of single turns, whose two halves see the
 * same neighbours, the one first in odd turns and the other in even ones; in brackets the quartiles. */
#include "base/clock.h"
#include "build_config.h"
#include "image/preprocess.h"
#include "image/refine.h"
#include "models/rvm.h"
#include "models/rvm_graph.h"
#include "spread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EYE    2048
#define TURNS  40 /* of whole path and bare network */
#define ROUNDS 9  /* of both eyes */
#define MODEL  VSM_MODELS_DIR "/rvm.json"

static int grid = 512, threads = 2;

static void require(bool ok)
{
    if (ok)
        return;
    fprintf(stderr, "bench_infer: %s\n", vsm_error_message());
    exit(1);
}

struct times {
    double wall[TURNS], cpu[TURNS];
};

struct moment {
    uint64_t wall;
    struct timespec cpu;
};

static struct moment now(void)
{
    struct moment m = {.wall = vsm_clock_ns()};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &m.cpu);
    return m;
}

static void note(struct times *t, int round, struct moment from)
{
    const struct moment to = now();

    t->wall[round] = (double)(to.wall - from.wall) / 1e6;
    t->cpu[round] =
        (double)(to.cpu.tv_sec - from.cpu.tv_sec) * 1e3 + (double)(to.cpu.tv_nsec - from.cpu.tv_nsec) / 1e6;
}

static double peak_mb(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static struct vsm_image *make_picture(void)
{
    const struct vsm_format format = {VSM_PLANES_YUV, 8, 0, 1, 1};
    struct vsm_image *image = vsm_image_create(format, EYE, EYE, (struct vsm_colour){1, 1, 1, false, 0});

    require(image != NULL);
    for (int p = 0; p < 3; p++) {
        for (int y = 0; y < vsm_format_plane_height(format, p, EYE); y++) {
            for (int x = 0; x < vsm_format_plane_width(format, p, EYE); x++)
                image->data[p][y * image->stride[p] + x] = (uint8_t)(64 + (x * 3 + y * 5) / 16 % 128);
        }
    }
    return image;
}

/* The whole path of one eye. */
struct path {
    struct vsm_image *source, *output;
    struct vsm_rvm *rvm;
    struct vsm_rvm_state state;
    struct vsm_parallel *pool;
};

static void open_path(struct path *p)
{
    const struct vsm_rvm_options options = {
        .graph_path = MODEL, .width = grid, .height = grid, .batch = 1, .session = {.threads = threads}};

    p->source = make_picture();
    p->output = make_picture();
    p->pool = vsm_parallel_create(threads);
    require(p->pool && !vsm_rvm_create(&options, &p->rvm));
}

static void run_path(struct path *p)
{
    const struct vsm_view view = {.source = {0, 0, EYE, EYE}, .width = grid, .height = grid};
    const struct vsm_composite_output output = {VSM_COMPOSITE_KEY, p->output, {0x00, 0xb1, 0x40}};
    const struct vsm_refine_options options = {.despill = 0.5f};
    struct vsm_tensor *source = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 3, grid, grid});
    struct vsm_matte matte = {.view = view};
    int resets = 0;

    require(source && !vsm_preprocess(p->source, &view, vsm_tensor_f32(source), p->pool));
    require(!vsm_rvm_run(p->rvm, source, &p->state, &matte.coefficients, &resets));
    require(!vsm_refine(p->source, &matte, 1, &output, 1, &options, p->pool));
    vsm_tensor_unref(&source);
    vsm_tensor_unref(&matte.coefficients);
}

/* The network alone, with tensors that stay. */
struct bare {
    struct vsm_session *session;
    struct vsm_binding in[1 + VSM_RVM_STATES], out[1 + VSM_RVM_STATES];
};

static void open_bare(struct bare *b)
{
    static const char *const in[] = {"src", "r1i", "r2i", "r3i", "r4i"}, *const out[] = {"matte", "r1o",
                                                                                         "r2o", "r3o", "r4o"};
    struct vsm_tfjs *weights;
    struct vsm_graph *graph;

    require(!vsm_tfjs_open(MODEL, &weights) && !vsm_rvm_graph_build(weights, grid, grid, 1, &graph));
    require(!vsm_session_create(graph, &(struct vsm_session_options){.threads = threads}, &b->session));
    vsm_graph_destroy(graph);
    vsm_tfjs_close(weights);
    for (int i = 0; i <= VSM_RVM_STATES; i++) {
        const int size = vsm_rvm_graph_level(grid, i);
        const int channels = i ? vsm_rvm_graph_state_channels[i - 1] : 3;

        b->in[i] = (struct vsm_binding){in[i], vsm_tensor_create(VSM_F32, 4,
                                                                 (const int64_t[]){1, channels, size, size})};
        b->out[i] = (struct vsm_binding){
            out[i], vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, i ? channels : 4, size, size})};
        require(b->in[i].tensor && b->out[i].tensor);
    }
}

static void run_bare(struct bare *b)
{
    require(!vsm_session_run(b->session, b->in, 1 + VSM_RVM_STATES, b->out, 1 + VSM_RVM_STATES));
}

static void print_ratios(struct times *whole, struct times *network, struct spread wall, struct spread cpu)
{
    printf("eye %dx%d, grid %d, %d threads: whole path %.1f ms (cpu %.1f), bare network %.1f ms (cpu %.1f), "
           "ratio "
           "%.3f (%.3f to %.3f), cpu %.3f (%.3f to %.3f)\n",
           EYE, EYE, grid, threads, spread_of(whole->wall, TURNS).median, spread_of(whole->cpu, TURNS).median,
           spread_of(network->wall, TURNS).median, spread_of(network->cpu, TURNS).median, wall.median,
           wall.low, wall.high, cpu.median, cpu.low, cpu.high);
}

static void compare_with_bare(void)
{
    struct path p = {0};
    struct bare b = {0};
    struct times whole, network;
    double wall[TURNS], cpu[TURNS];

    open_path(&p);
    open_bare(&b);
    run_path(&p);
    run_bare(&b);
    for (int i = 0; i < TURNS; i++) {
        for (int half = 0; half < 2; half++) {
            const struct moment start = now();
            const bool first = (half + i) % 2 == 0;

            if (first)
                run_path(&p);
            else
                run_bare(&b);
            note(first ? &whole : &network, i, start);
        }
        wall[i] = whole.wall[i] / network.wall[i];
        cpu[i] = whole.cpu[i] / network.cpu[i];
    }
    print_ratios(&whole, &network, spread_of(wall, TURNS), spread_of(cpu, TURNS));
}

static void run_eyes(int batch)
{
    const struct vsm_rvm_options options = {
        .graph_path = MODEL, .width = grid, .height = grid, .batch = batch, .session = {.threads = threads}};
    struct vsm_tensor *source = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){batch, 3, grid, grid});
    struct vsm_rvm_state states[2] = {0};
    struct vsm_rvm *rvm;
    struct times t;
    double wall, cpu;

    require(source && !vsm_rvm_create(&options, &rvm));
    for (int i = -1; i < ROUNDS; i++) {
        const struct moment start = now();

        for (int eye = 0; eye < 2; eye += batch) {
            struct vsm_tensor *maps[2] = {0};
            int resets = 0;

            require(!vsm_rvm_run(rvm, source, &states[eye], maps, &resets));
            vsm_tensor_unref(&maps[0]);
            vsm_tensor_unref(&maps[1]);
        }
        note(&t, i < 0 ? 0 : i, start);
    }
    wall = spread_of(t.wall, ROUNDS).median;
    cpu = spread_of(t.cpu, ROUNDS).median;
    printf("both eyes, grid %d, %s: %.1f ms (cpu %.1f), peak %.0f MB\n", grid,
           batch == 2 ? "one batch" : "one after the other", wall, cpu, peak_mb());
}

static void in_child(void (*body)(int), int argument)
{
    const pid_t child = fork();
    int status = 1;

    if (child == 0) {
        body(argument);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status)
        exit(1);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        grid = atoi(argv[1]);
    if (argc > 2)
        threads = atoi(argv[2]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    in_child(run_eyes, 1);
    in_child(run_eyes, 2);
    compare_with_bare();
    return 0;
}
