/* SAM 2 on this machine, against its own arithmetic, and its memory over a long stream.
 *
 *   sam2 stages WEIGHTS SIZE [THREADS [RUNS]]    time and share of the large-GEMM rate of encoder and memory attention
 *   sam2 soak WEIGHTS SIZE FRAMES [THREADS]      resident memory from frame 100 to the end, and on the way
 *   sam2 open WEIGHTS [CACHE]                    time and memory of opening and of building; CACHE: folder of optimised
 *                                                networks
 *
 * WEIGHTS: a checkpoint, or a recipe (.json) of the reference data, from which one is made. The bound counts
 * exact multiply-adds of the graphs as built (merged layers, 64-channel values), not overheads. GEMM and
 * stages take turns, the median counts. */
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
#define GEMM_M   4096
#define GEMM_K   1024

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

static struct vsm_session *make_gemm(int threads, struct vsm_tensor **x)
{
    const struct vsm_session_options options = {.threads = threads};
    struct vsm_graph *g = vsm_graph_create("gemm", VSM_SAM2_OPSET);
    struct vsm_tensor *w = vsm_tensor_create(VSM_F32, 2, VSM_DIMS(GEMM_K, GEMM_K));
    struct vsm_session *session = NULL;
    vsm_value in, out;

    *x = vsm_tensor_create(VSM_F32, 2, VSM_DIMS(GEMM_M, GEMM_K));
    for (int i = 0; i < GEMM_M * GEMM_K; i++)
        vsm_tensor_f32(*x)[i] = (float)(i % 17) * 0.1f;
    for (int i = 0; i < GEMM_K * GEMM_K; i++)
        vsm_tensor_f32(w)[i] = (float)(i % 13) * 0.01f;
    in = vsm_graph_input(g, "x", VSM_F32, 2, VSM_DIMS(GEMM_M, GEMM_K));
    out = vsm_graph_op(g, "MatMul", in,
                       vsm_graph_weight_copy(g, VSM_F32, 2, VSM_DIMS(GEMM_K, GEMM_K), w->data));
    vsm_graph_output(g, out, "y", VSM_F32, 2, VSM_DIMS(GEMM_M, GEMM_K));
    if (vsm_graph_status(g) || vsm_session_create(g, &options, &session))
        fprintf(stderr, "%s\n", vsm_error_message());
    vsm_graph_destroy(g);
    vsm_tensor_unref(&w);
    return session;
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
    double gemm[MAX_RUNS], encoder[MAX_RUNS], attention[MAX_RUNS], encode_memory[MAX_RUNS], rate;
    struct vsm_binding x = {"x", NULL};
    struct vsm_session *session = make_gemm(threads, &x.tensor);
    double flops[2] = {encoder_flops(c), attention_flops(c, (double)memories, (double)pointers)};

    for (int i = -1; i < runs; i++) {
        struct vsm_binding y = {"y", NULL};
        int at = i < 0 ? 0 : i;
        uint64_t start = vsm_clock_ns();

        if (vsm_session_run(session, &x, 1, &y, 1))
            fprintf(stderr, "%s\n", vsm_error_message());
        gemm[at] = (double)(vsm_clock_ns() - start) * 1e-9;
        vsm_tensor_unref(&y.tensor);
        encoder[at] = timed(net, VSM_SAM2_ENCODER, &image, 1, "feat");
        attention[at] = timed(net, VSM_SAM2_ATTENTION, bank, 5, "conditioned");
        encode_memory[at] = timed(net, VSM_SAM2_MEMORY, memory, 2, "memory");
    }
    rate = 2.0 * GEMM_M * GEMM_K * GEMM_K / median(gemm, runs);
    printf("%s at %d, %d threads: large GEMM %.1f GFLOP/s\n", c->name, c->image_size, threads, rate * 1e-9);
    printf("  encoder           %8.1f ms, %7.2f GFLOP, %5.1f %% of the GEMM rate\n",
           1e3 * median(encoder, runs), flops[0] * 1e-9, 100 * flops[0] / median(encoder, runs) / rate);
    printf("  memory attention  %8.1f ms, %7.2f GFLOP, %5.1f %% of the GEMM rate\n",
           1e3 * median(attention, runs), flops[1] * 1e-9, 100 * flops[1] / median(attention, runs) / rate);
    printf("  memory encoder    %8.1f ms\n", 1e3 * median(encode_memory, runs));
    vsm_session_destroy(session);
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
