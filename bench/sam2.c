/* SAM 2 on this machine, against its own arithmetic, and its memory over a long stream.
 *
 *   sam2 stages WEIGHTS SIZE [THREADS [RUNS]]    time and share of the large-GEMM rate of encoder and memory
 *                                                attention
 *   sam2 soak WEIGHTS SIZE FRAMES [THREADS]      resident memory from frame 100 to the end, and on the way
 *   sam2 open WEIGHTS [CACHE]                    time and memory of opening and of building; CACHE: folder of
 *                                                optimised networks
 *
 * WEIGHTS: a checkpoint, or a recipe (.json) of the reference data, from which one is made. The bound counts
 * exact multiply-adds of the graphs as built (merged layers, 64-channel values), not overheads. The yardstick
 * is the fastest of three large matrix products by the same library. They and each stage take turns, so that
 * both see the same load: a share is that of a stage to the products right before and behind it; the median
 * of RUNS counts. */
#include "../tests/golden/sam2_weights.h"
#include "base/clock.h"
#include "base/mem.h"
#include "models/sam2_build.h"
#include "models/sam2_tracker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_RUNS 25

/* Rows, inner size, columns: the first two are weights' products of a large network, the last is one of
 * attention. */
static const int gemm_shapes[][3] = {{4096, 1024, 1024}, {2048, 2048, 2048}, {4096, 256, 4096}};
#define GEMMS (int)(sizeof(gemm_shapes) / sizeof(gemm_shapes[0]))

static double block_flops(const struct vsm_sam2_config *c, int index, int stage, bool first, double size)
{
    double out = vsm_sam2_config_channels(c, stage), in = first ? out / 2 : out, tokens = size * size;
    double window = c->window[first ? stage - 1 : stage], queries = first ? tokens / 4 : tokens, attention;
    bool global = false;

    for (int i = 0; i < 3; i++)
        global = global || c->global_blocks[i] == index;
    if (global) {
        attention = 4 * queries * tokens * out;
    } else {
        double windows = (double)((int)((size + window - 1) / window) * (int)((size + window - 1) / window));

        attention = 4 * windows * window * window * window * window / (first ? 4 : 1) * out;
    }
    return 2 * tokens * in * 3 * out + 2 * queries * out * out + 16 * queries * out * out + attention +
           (first ? 2 * tokens * in * out : 0);
}

static double encoder_flops(const struct vsm_sam2_config *c)
{
    double n = c->grid, sum = 0, size = 4 * n;
    int index = 0;

    if (c->family == VSM_SAM2_EDGETAM) { /* counted once at 1024: stem, depthwise, 1 x 1 */
        sum = (1.7 + 0.5 + 31.9) * 1e9 * n * n / 4096;
    } else {
        sum = 2 * size * size * c->dim * 147;
        for (int stage = 0; stage < 4; stage++)
            for (int i = 0; i < c->blocks[stage]; i++, index++) {
                sum += block_flops(c, index, stage, stage > 0 && i == 0, size);
                size = stage > 0 && i == 0 ? size / 2 : size;
            }
    }
    sum += 2 * n * n * (vsm_sam2_config_channels(c, 2) * 256.0 + vsm_sam2_config_channels(c, 3) * 64.0);
    return sum + 2 * n * n *
                     (16.0 * 32 * vsm_sam2_config_channels(c, 0) + 4.0 * 64 * vsm_sam2_config_channels(c, 1));
}

static double attention_flops(const struct vsm_sam2_config *c, double memories, double pointers)
{
    double n = (double)c->grid * c->grid, m = memories * c->memory_tokens + 4 * pointers;

    return c->attention_layers * (8 * n * 65536 + 4 * n * n * 256 + 2 * n * 65536 + 2 * m * 64 * 256 +
                                  2 * n * m * 320 + 2 * n * 64 * 256 + 4 * n * 256 * 2048);
}

struct gemm {
    struct vsm_session *session;
    struct vsm_binding x;
    double flops, best; /* best: of all rates, per second */
};

static struct gemm make_gemm(int threads, const int shape[3])
{
    const struct vsm_session_options options = {.threads = threads};
    const int64_t rows = shape[0], inner = shape[1], columns = shape[2];
    struct vsm_graph *g = vsm_graph_create("gemm", VSM_SAM2_OPSET);
    struct vsm_tensor *w = vsm_tensor_create(VSM_F32, 2, VSM_DIMS(inner, columns));
    struct gemm gemm = {.flops = 2.0 * (double)rows * (double)inner * (double)columns};
    vsm_value in, out;

    gemm.x = (struct vsm_binding){"x", vsm_tensor_create(VSM_F32, 2, VSM_DIMS(rows, inner))};
    for (int64_t i = 0; i < rows * inner; i++)
        vsm_tensor_f32(gemm.x.tensor)[i] = (float)(i % 17) * 0.1f;
    for (int64_t i = 0; i < inner * columns; i++)
        vsm_tensor_f32(w)[i] = (float)(i % 13) * 0.01f;
    in = vsm_graph_input(g, "x", VSM_F32, 2, VSM_DIMS(rows, inner));
    out = vsm_graph_op(g, "MatMul", in,
                       vsm_graph_weight_copy(g, VSM_F32, 2, VSM_DIMS(inner, columns), w->data));
    vsm_graph_output(g, out, "y", VSM_F32, 2, VSM_DIMS(rows, columns));
    if (vsm_graph_status(g) || vsm_session_create(g, &options, &gemm.session))
        fprintf(stderr, "%s\n", vsm_error_message());
    vsm_graph_destroy(g);
    vsm_tensor_unref(&w);
    return gemm;
}

/* The highest rate of one run of each, per second. */
static double gemm_rate(struct gemm *gemms)
{
    double best = 0;

    for (int i = 0; i < GEMMS; i++) {
        struct vsm_binding y = {"y", NULL};
        uint64_t start = vsm_clock_ns();
        double rate;

        if (vsm_session_run(gemms[i].session, &gemms[i].x, 1, &y, 1))
            fprintf(stderr, "%s\n", vsm_error_message());
        rate = gemms[i].flops / ((double)(vsm_clock_ns() - start) * 1e-9);
        vsm_tensor_unref(&y.tensor);
        gemms[i].best = rate > gemms[i].best ? rate : gemms[i].best;
        best = rate > best ? rate : best;
    }
    return best;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), by_value);
    return values[count / 2];
}

static struct vsm_tensor *noise(int rank, const int64_t *dims)
{
    struct vsm_tensor *t = vsm_tensor_create(VSM_F32, rank, dims);
    uint32_t state = 12345;

    for (int64_t i = 0; t && i < vsm_tensor_count(t); i++) {
        state = state * 1664525 + 1013904223;
        vsm_tensor_f32(t)[i] = (float)(state >> 8) * 0x1p-23f - 1;
    }
    return t;
}

/* One run of what `call` names; seconds. */
static double timed(struct vsm_sam2_net *net, enum vsm_sam2_stage stage, const struct vsm_binding *in,
                    size_t count, const char *output)
{
    struct vsm_binding out = {output, NULL};
    uint64_t start = vsm_clock_ns();

    if (vsm_sam2_net_run(net, stage, in, count, &out, 1))
        fprintf(stderr, "%s\n", vsm_error_message());
    start = vsm_clock_ns() - start;
    vsm_tensor_unref(&out.tensor);
    return (double)start * 1e-9;
}

static void stages(struct vsm_sam2_net *net, int threads, int runs)
{
    const struct vsm_sam2_config *c = vsm_sam2_net_config(net);
    const int64_t s = c->image_size, n = (int64_t)c->grid * c->grid, memories = 7, pointers = 16;
    const struct vsm_binding image = {"image", noise(4, VSM_DIMS(1, 3, s, s))};
    const struct vsm_binding bank[] = {{"feat", noise(3, VSM_DIMS(1, n, 256))},
                                       {"memory", noise(4, VSM_DIMS(1, memories, c->memory_tokens, 64))},
                                       {"temporal", noise(4, VSM_DIMS(1, memories, 1, 64))},
                                       {"pointers", noise(3, VSM_DIMS(1, 4 * pointers, 64))},
                                       {"pointer_position", noise(3, VSM_DIMS(1, 4 * pointers, 64))}};
    const struct vsm_binding memory[] = {bank[0], {"mask", noise(4, VSM_DIMS(1, 1, s, s))}};
    double times[3][MAX_RUNS], shares[3][MAX_RUNS], rates[MAX_RUNS];
    const struct {
        const char *name, *output;
        enum vsm_sam2_stage stage;
        const struct vsm_binding *in;
        size_t count;
        double flops;
    } timed_stages[] = {
        {"encoder", "feat", VSM_SAM2_ENCODER, &image, 1, encoder_flops(c)},
        {"memory attention", "conditioned", VSM_SAM2_ATTENTION, bank, 5,
         attention_flops(c, (double)memories, (double)pointers)},
        {"memory encoder", "memory", VSM_SAM2_MEMORY, memory, 2, 0},
    };
    struct gemm gemms[GEMMS];

    for (int i = 0; i < GEMMS; i++)
        gemms[i] = make_gemm(threads, gemm_shapes[i]);
    for (int i = -1; i < runs; i++) {
        double before = gemm_rate(gemms), after;
        int at = i < 0 ? 0 : i;

        for (int k = 0; k < 3; k++, before = after) {
            times[k][at] = timed(net, timed_stages[k].stage, timed_stages[k].in, timed_stages[k].count,
                                 timed_stages[k].output);
            after = gemm_rate(gemms);
            shares[k][at] = timed_stages[k].flops / times[k][at] / ((before + after) / 2);
        }
        rates[at] = before;
    }
    printf("%s at %d, %d threads: large GEMM %.1f GFLOP/s", c->name, c->image_size, threads,
           median(rates, runs) * 1e-9);
    for (int i = 0; i < GEMMS; i++) {
        printf("%s%dx%dx%d at best %.1f", i ? ", " : " (", gemm_shapes[i][0], gemm_shapes[i][1],
               gemm_shapes[i][2], gemms[i].best * 1e-9);
        vsm_session_destroy(gemms[i].session);
        vsm_tensor_unref(&gemms[i].x.tensor);
    }
    printf(")\n");
    for (int k = 0; k < 3; k++) {
        double share = median(shares[k], runs); /* which sorts them */

        printf("  %-17s %8.1f ms", timed_stages[k].name, 1e3 * median(times[k], runs));
        if (timed_stages[k].flops > 0)
            printf(", %7.2f GFLOP, %5.1f %% of the GEMM rate (%.1f to %.1f)", timed_stages[k].flops * 1e-9,
                   100 * share, 100 * shares[k][0], 100 * shares[k][runs - 1]);
        printf("\n");
    }
}

/* A line of /proc/self/status in KiB. */
static long memory_kib(const char *key)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtol(line + strlen(key) + 1, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

static void soak(struct vsm_sam2_net *net, int frames)
{
    const struct vsm_sam2_tracker_options options = {.views = 1, .fill_hole_area = 8};
    const struct vsm_sam2_click click = {100, 100, true};
    const struct vsm_sam2_prompt prompt = {.clicks = &click, .click_count = 1};
    const int size = vsm_sam2_net_config(net)->image_size;
    struct vsm_tensor *images[5] = {NULL};
    struct vsm_sam2_tracker *tracker;
    long at_100 = 0, highest = 0;

    for (int i = 0; i < 5; i++) {
        images[i] = vsm_tensor_create(VSM_F32, 4, VSM_DIMS(1, 3, size, size));
        sam2_weights_frame(size, i, vsm_tensor_f32(images[i]));
    }
    if (vsm_sam2_tracker_create(net, &options, &tracker))
        return;
    for (int frame = 0; frame < frames; frame++) {
        int status = vsm_sam2_tracker_begin(tracker, images[frame % 5]);

        /* first as many conditioning frames as are kept, then a new one now and then */
        if (!status && (frame % 500 == 0 || (frame < 50 && frame % 10 == 0)))
            status = vsm_sam2_tracker_prompt(tracker, 0, 1, &prompt, NULL);
        if (!status)
            status = vsm_sam2_tracker_track(tracker);
        if (status) {
            fprintf(stderr, "frame %d: %s\n", frame, vsm_error_message());
            break;
        }
        if (frame == 100)
            at_100 = highest = memory_kib("RssAnon:");
        if (frame > 100 && frame % 50 == 0 && memory_kib("RssAnon:") > highest)
            highest = memory_kib("RssAnon:");
        if (frame == 100 || (frame > 0 && frame % (frames > 1000 ? 1000 : 50) == 0)) {
            printf("frame %d: %.1f MiB, highest %.1f MiB\n", frame, (double)memory_kib("RssAnon:") / 1024,
                   (double)highest / 1024);
            fflush(stdout);
        }
    }
    printf("%s at %d, %d frames: anonymous memory %.1f MiB at frame 100, highest later %.1f MiB, growth %.2f "
           "MiB\n",
           vsm_sam2_net_config(net)->name, size, frames, (double)at_100 / 1024, (double)highest / 1024,
           (double)(highest - at_100) / 1024);
    vsm_sam2_tracker_destroy(tracker);
}

/* Returns the path of a checkpoint: `weights` itself, or one made from that recipe in `made`. */
static const char *checkpoint(const char *weights, char *made)
{
    size_t length = strlen(weights);
    int fd;

    if (length < 5 || strcmp(weights + length - 5, ".json") != 0)
        return weights;
    fd = mkstemp(made);
    if (fd < 0 || !sam2_weights_write(weights, false, made))
        exit(1);
    close(fd);
    return made;
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/vsm-bench-sam2-XXXXXX";
    struct vsm_sam2_net_options options = {.session.threads = 2};
    struct vsm_sam2_net *net = NULL;
    struct vsm_weights *weights;
    bool is_soak = argc > 1 && strcmp(argv[1], "soak") == 0,
         is_open = argc > 1 && strcmp(argv[1], "open") == 0;
    struct vsm_sha256 hash;
    uint64_t start, opened;
    clock_t worked;
    int status;

    if (argc < (is_open ? 3 : is_soak ? 5 : 4)) {
        fprintf(stderr, "usage: sam2 stages WEIGHTS SIZE [THREADS [RUNS]] | soak WEIGHTS SIZE FRAMES "
                        "[THREADS] | open WEIGHTS [CACHE]\n");
        return 1;
    }
    options.path = checkpoint(argv[2], made);
    options.image_size = is_open ? 1024 : atoi(argv[3]);
    options.cache = is_open && argc > 3 ? argv[3] : NULL;
    if (!is_open && argc > (is_soak ? 5 : 4))
        options.session.threads = atoi(argv[is_soak ? 5 : 4]);
    start = vsm_clock_ns();
    worked = clock();
    status = vsm_weights_open(options.path, &weights);
    opened = vsm_clock_ns() - start;
    if (status == VSM_OK)
        vsm_weights_close(weights);
    if (status == VSM_OK)
        status = vsm_sam2_net_create(&options, &net);
    if (status == VSM_OK && is_open)
        status = vsm_sam2_net_hash(net, &hash); /* a job wants it with and without a cache */
    if (options.path == made)
        unlink(made);
    if (status) {
        fprintf(stderr, "%s\n", vsm_error_message());
        return 1;
    }
    printf(
        "index read in %.1f ms; verified and built in %.1f s; anonymous memory %.0f MiB, of files %.0f MiB\n",
        (double)opened * 1e-6, (double)(vsm_clock_ns() - start) * 1e-9, (double)memory_kib("RssAnon:") / 1024,
        (double)memory_kib("RssFile:") / 1024);
    if (is_open)
        printf("processor time with the checkpoint's hash %.2f s\n",
               (double)(clock() - worked) / CLOCKS_PER_SEC);
    if (is_soak)
        soak(net, atoi(argv[4]));
    else if (!is_open)
        stages(net, options.session.threads, argc > 5 && atoi(argv[5]) < MAX_RUNS ? atoi(argv[5]) : 5);
    vsm_sam2_net_destroy(net);
    return 0;
}
