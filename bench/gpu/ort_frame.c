/* RVM through ONNX Runtime's CUDA provider as it comes, in float32, as a peer of bench_gpu_frame: two eyes of
 * 4096x4096 RGB on the card, bilinear to the grid, the network, the guided filter at full size, people over
 * green. The graphs are made by this program; tensors are bound where they are on the card (IOBinding).
 * Prints medians. Usage: bench_gpu_ort_frame MODEL.json GRID... */
#include "models/rvm_graph.h"
#include "nn/device_pool.h"
#include "nn/session.h"

#include <stdio.h>
#include <stdlib.h>

#define SIDE      4096
#define EYES      2
#define FRAMES    100
#define WARM      15
#define OPSET     16
#define DIMS(...) ((const int64_t[]){__VA_ARGS__})

struct peer {
    struct vsm_device_pool *pool;
    struct vsm_session *reduce, *network, *fill;
    struct vsm_tensor *full, *small, *matte, *states[2][VSM_RVM_LEVELS], *picture;
};

static void check(int status)
{
    if (status) {
        fprintf(stderr, "%s\n", vsm_error_message());
        exit(status == VSM_E_DEVICE ? 77 : 1);
    }
}

static vsm_value resize(struct vsm_graph *g, vsm_value x, float scale)
{
    const float scales[] = {1, 1, scale, scale};
    const vsm_value inputs[] = {x, VSM_VALUE_NONE, vsm_graph_weight_copy(g, VSM_F32, 1, DIMS(4), scales)};
    const struct vsm_attr attrs[] = {VSM_ATTR_S("mode", "linear"),
                                     VSM_ATTR_S("coordinate_transformation_mode", "half_pixel")};

    return vsm_graph_node(g, "Resize", inputs, 3, attrs, 2);
}

static vsm_value mean_of_channels(struct vsm_graph *g, vsm_value x)
{
    const int64_t axis = 1;
    const struct vsm_attr attrs[] = {VSM_ATTR_IS("axes", &axis, 1), VSM_ATTR_I("keepdims", 1)};

    return vsm_graph_node(g, "ReduceMean", &x, 1, attrs, 2);
}

static vsm_value join(struct vsm_graph *g, vsm_value a, vsm_value b)
{
    const struct vsm_attr axis = VSM_ATTR_I("axis", 1);
    const vsm_value both[] = {a, b};

    return vsm_graph_node(g, "Concat", both, 2, &axis, 1);
}

static vsm_value box(struct vsm_graph *g, vsm_value x)
{
    const int64_t three[] = {3, 3}, ones[] = {1, 1, 1, 1};
    const struct vsm_attr attrs[] = {VSM_ATTR_IS("kernel_shape", three, 2), VSM_ATTR_IS("pads", ones, 4),
                                     VSM_ATTR_IS("strides", ones, 2)};

    return vsm_graph_node(g, "AveragePool", &x, 1, attrs, 3);
}

static vsm_value channels(struct vsm_graph *g, vsm_value x, int64_t from, int64_t to)
{
    const int64_t axis = 1;

    return vsm_graph_op(g, "Slice", x, vsm_graph_ints(g, &from, 1), vsm_graph_ints(g, &to, 1),
                        vsm_graph_ints(g, &axis, 1));
}

static vsm_value unit(struct vsm_graph *g, vsm_value x)
{
    return vsm_graph_op(g, "Clip", x, vsm_graph_scalar(g, 0), vsm_graph_scalar(g, 1));
}

/* A and b of R, G, B and alpha on the grid (image/guided_fit.h). */
static vsm_value fit(struct vsm_graph *g, vsm_value small, vsm_value matte)
{
    const vsm_value x = join(g, small, mean_of_channels(g, small));
    const vsm_value mx = box(g, x), my = box(g, matte);
    const vsm_value both =
        vsm_graph_op(g, "Sub", box(g, vsm_graph_op(g, "Mul", x, matte)), vsm_graph_op(g, "Mul", mx, my));
    const vsm_value own =
        vsm_graph_op(g, "Sub", box(g, vsm_graph_op(g, "Mul", x, x)), vsm_graph_op(g, "Mul", mx, mx));
    const vsm_value a = vsm_graph_op(g, "Div", both, vsm_graph_op(g, "Add", own, vsm_graph_scalar(g, 1e-5f)));

    return join(g, a, vsm_graph_op(g, "Sub", my, vsm_graph_op(g, "Mul", a, mx)));
}

static struct vsm_graph *reduce_graph(int grid)
{
    struct vsm_graph *g = vsm_graph_create("reduce", OPSET);
    const vsm_value full = vsm_graph_input(g, "full", VSM_F32, 4, DIMS(EYES, 3, SIDE, SIDE));

    vsm_graph_output(g, resize(g, full, (float)grid / SIDE), "small", VSM_F32, 4, DIMS(EYES, 3, grid, grid));
    return g;
}

static struct vsm_graph *fill_graph(int grid)
{
    static const float green[] = {0, 0.694f, 0.251f};
    struct vsm_graph *g = vsm_graph_create("fill", OPSET);
    const vsm_value full = vsm_graph_input(g, "full", VSM_F32, 4, DIMS(EYES, 3, SIDE, SIDE)),
                    small = vsm_graph_input(g, "small", VSM_F32, 4, DIMS(EYES, 3, grid, grid)),
                    matte = vsm_graph_input(g, "matte", VSM_F32, 4, DIMS(EYES, 4, grid, grid));
    const vsm_value maps = resize(g, fit(g, small, matte), SIDE / (float)grid);
    const vsm_value alpha =
        unit(g, vsm_graph_op(g, "Add",
                             vsm_graph_op(g, "Mul", channels(g, maps, 3, 4), mean_of_channels(g, full)),
                             channels(g, maps, 7, 8)));
    const vsm_value residual = vsm_graph_op(g, "Add", vsm_graph_op(g, "Mul", channels(g, maps, 0, 3), full),
                                            channels(g, maps, 4, 7));
    const vsm_value people = unit(g, vsm_graph_op(g, "Add", full, residual));
    const vsm_value key = vsm_graph_weight_copy(g, VSM_F32, 4, DIMS(1, 3, 1, 1), green);
    const vsm_value over =
        vsm_graph_op(g, "Add", vsm_graph_op(g, "Mul", vsm_graph_op(g, "Sub", people, key), alpha), key);

    vsm_graph_output(g, over, "picture", VSM_F32, 4, DIMS(EYES, 3, SIDE, SIDE));
    return g;
}

static struct vsm_session *session_of(struct peer *p, struct vsm_graph *graph)
{
    const struct vsm_session_options options = {.device = VSM_DEVICE_CUDA, .threads = 1, .pool = p->pool};
    struct vsm_session *session = NULL;

    check(vsm_graph_status(graph));
    check(vsm_session_create(graph, &options, &session));
    vsm_graph_destroy(graph);
    return session;
}

static struct vsm_tensor *tensor(struct peer *p, int channel_count, int height, int width, bool noise)
{
    struct vsm_tensor *t =
        vsm_device_pool_tensor(p->pool, VSM_F32, 4, DIMS(EYES, channel_count, height, width));
    struct vsm_tensor *host = vsm_tensor_create(VSM_F32, t->rank, t->dims);

    for (int64_t i = 0; noise && i < vsm_tensor_count(host); i++)
        vsm_tensor_f32(host)[i] = (float)((uint32_t)i * 2654435761u >> 8) * 0x1p-24f;
    vsm_device_pool_copy(p->pool, t->data, host->data, vsm_tensor_bytes(t));
    check(vsm_device_pool_wait(p->pool));
    vsm_tensor_unref(&host);
    return t;
}

static void run_network(struct peer *p, int frame)
{
    static const char *const in[] = {"r1i", "r2i", "r3i", "r4i"}, *const out[] = {"r1o", "r2o", "r3o", "r4o"};
    struct vsm_binding inputs[1 + VSM_RVM_LEVELS] = {{"src", p->small}};
    struct vsm_binding outputs[1 + VSM_RVM_LEVELS] = {{"matte", p->matte}};

    for (int i = 0; i < VSM_RVM_LEVELS; i++) {
        inputs[1 + i] = (struct vsm_binding){in[i], p->states[frame % 2][i]};
        outputs[1 + i] = (struct vsm_binding){out[i], p->states[(frame + 1) % 2][i]};
    }
    check(vsm_session_run(p->network, inputs, 1 + VSM_RVM_LEVELS, outputs, 1 + VSM_RVM_LEVELS));
}

static void run_frame(struct peer *p, int frame)
{
    const struct vsm_binding full = {"full", p->full};
    struct vsm_binding small = {"small", p->small}, picture = {"picture", p->picture};
    const struct vsm_binding maps[] = {full, small, {"matte", p->matte}};

    check(vsm_session_run(p->reduce, &full, 1, &small, 1));
    run_network(p, frame);
    check(vsm_session_run(p->fill, maps, 3, &picture, 1));
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static float median_ms(struct peer *p, void (*run)(struct peer *, int))
{
    struct vsm_cuda_stream *stream = vsm_device_pool_stream(p->pool);
    struct vsm_cuda_event *begin, *end;
    float ms[FRAMES];

    check(vsm_cuda_event_create(1, &begin));
    check(vsm_cuda_event_create(1, &end));
    for (int i = -WARM; i < FRAMES; i++) {
        check(vsm_cuda_event_record(begin, stream));
        run(p, i + WARM);
        check(vsm_cuda_event_record(end, stream));
        check(vsm_cuda_event_wait(end));
        if (i >= 0)
            check(vsm_cuda_event_ms(begin, end, &ms[i]));
    }
    vsm_cuda_event_destroy(begin);
    vsm_cuda_event_destroy(end);
    qsort(ms, FRAMES, sizeof(ms[0]), compare);
    return ms[FRAMES / 2];
}

static void measure(const struct vsm_tfjs *weights, int grid)
{
    struct peer p = {0};
    struct vsm_graph *network = NULL;
    float whole;

    check(vsm_device_pool_create(&p.pool));
    check(vsm_rvm_graph_build(weights, grid, grid, EYES, &network));
    p.reduce = session_of(&p, reduce_graph(grid));
    p.network = session_of(&p, network);
    p.fill = session_of(&p, fill_graph(grid));
    p.full = tensor(&p, 3, SIDE, SIDE, true);
    p.picture = tensor(&p, 3, SIDE, SIDE, false);
    p.small = tensor(&p, 3, grid, grid, true);
    p.matte = tensor(&p, 4, grid, grid, false);
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < VSM_RVM_LEVELS; i++)
            p.states[k][i] = tensor(&p, vsm_rvm_graph_state_channels[i], vsm_rvm_graph_level(grid, i + 1),
                                    vsm_rvm_graph_level(grid, i + 1), false);
    whole = median_ms(&p, run_frame);
    printf("%s, CUDA provider, fp32, two eyes, grid %d: network %.3f ms, whole frame %.3f ms\n",
           vsm_session_backend_version(), grid, (double)median_ms(&p, run_network), (double)whole);
    fflush(stdout);
    vsm_session_destroy(p.reduce);
    vsm_session_destroy(p.network);
    vsm_session_destroy(p.fill);
    for (int i = 0; i < VSM_RVM_LEVELS; i++) {
        vsm_tensor_unref(&p.states[0][i]);
        vsm_tensor_unref(&p.states[1][i]);
    }
    vsm_tensor_unref(&p.full);
    vsm_tensor_unref(&p.picture);
    vsm_tensor_unref(&p.small);
    vsm_tensor_unref(&p.matte);
    vsm_device_pool_destroy(p.pool);
}

int main(int argc, char **argv)
{
    struct vsm_tfjs *weights = NULL;

    if (argc < 3) {
        fprintf(stderr, "usage: bench_gpu_ort_frame MODEL.json GRID...\n");
        return 1;
    }
    check(vsm_tfjs_open(argv[1], &weights));
    for (int i = 2; i < argc; i++)
        measure(weights, atoi(argv[i]));
    vsm_tfjs_close(weights);
    return 0;
}
