#include "nn/cuda_net.h"

#include "base/mem.h"
#include "cuda/dense.h"
#include "cuda/fit.h"
#include "nn/backend.h"
#include "nn/cuda_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vsm_cuda_net {
    struct vsm_cuda_plan plan;
    struct vsm_cuda_stream *stream;
    struct vsm_cuda_graph *graphs[2]; /* reading side 0 or 1 of the states */
    int side;                         /* of the current states */
    bool stale;                       /* the half copies of the states are not those of the current side */
    int *bad;                         /* page-locked */
};

static int run_step(const struct vsm_cuda_net *net, const struct vsm_cuda_step *step, int side)
{
    const struct vsm_cuda_plan *plan = &net->plan;
    struct vsm_cuda_conv conv;

    switch (step->kind) {
    case VSM_CUDA_STEP_IMAGE:
        return vsm_cuda_resample_image(plan->source, plan->batch, step->height * step->width, step->mean,
                                       step->gain, step->out, net->stream);
    case VSM_CUDA_STEP_HALVE:
        return vsm_cuda_resample_halve(step->in[0], plan->batch, step->height, step->width, step->out,
                                       net->stream);
    case VSM_CUDA_STEP_JOIN:
        return vsm_cuda_resample_join(step->in, step->doubled, step->count, plan->batch, step->height,
                                      step->width, step->out, net->stream);
    case VSM_CUDA_STEP_CONV:
        conv = step->conv;
        if (step->state >= 0) {
            conv.state = plan->states[step->state].sides[side];
            conv.next = plan->states[step->state].sides[!side];
        }
        return vsm_cuda_conv_run(&conv, net->stream);
    case VSM_CUDA_STEP_SCALE:
        return vsm_cuda_conv_scale_weights(step->packed, step->channels, step->outputs, step->from,
                                           plan->batch, step->scaled, net->stream);
    case VSM_CUDA_STEP_DEPTHWISE:
        return vsm_cuda_depthwise_run(&step->depthwise, net->stream);
    case VSM_CUDA_STEP_MEAN:
        return vsm_cuda_dense_mean(step->in[0], plan->batch, step->height * step->width, step->to,
                                   net->stream);
    case VSM_CUDA_STEP_DENSE:
        return vsm_cuda_dense_run(step->from, step->parts, plan->batch, step->channels, step->outputs,
                                  step->weights, step->bias, step->act, step->to, net->stream);
    case VSM_CUDA_STEP_FIT:
        return vsm_cuda_fit_run(plan->source, plan->matte, plan->batch, step->height, step->width, step->eps,
                                plan->fit, net->stream);
    case VSM_CUDA_STEP_FULL:
        return vsm_cuda_full_run(&step->full, net->stream);
    }
    return vsm_fail(VSM_E_INTERNAL, "CUDA: unknown step");
}

static int record(struct vsm_cuda_net *net, int side)
{
    const size_t bytes = (size_t)net->plan.batch * sizeof(int);
    int status = vsm_cuda_graph_begin(net->stream), end_status;

    if (status)
        return status;
    status = vsm_cuda_clear(net->plan.bad, bytes, net->stream);
    for (int i = 0; i < net->plan.step_count && !status; i++)
        status = run_step(net, &net->plan.steps[i], side);
    if (!status)
        status = vsm_cuda_copy(net->bad, net->plan.bad, bytes, net->stream);
    end_status = vsm_cuda_graph_end(net->stream, &net->graphs[side]);
    return status ? status : end_status;
}

int vsm_cuda_net_create(const struct vsm_graph *graph, struct vsm_cuda_stream *stream,
                        struct vsm_cuda_net **net)
{
    struct vsm_cuda_net *made = vsm_mem_alloc("CUDA network", 1, sizeof(*made));
    void *bad = NULL;
    int status;

    if (!made)
        return VSM_E_NOMEM;
    made->stream = stream;
    status = vsm_cuda_plan_init(&made->plan, graph);
    if (!status)
        status = vsm_cuda_alloc_host("flags", (size_t)made->plan.batch * sizeof(int), &bad);
    made->bad = bad;
    for (int side = 0; side < 2 && !status; side++)
        status = record(made, side);
    if (status) {
        vsm_cuda_net_destroy(made);
        return status;
    }
    *net = made;
    return VSM_OK;
}

void vsm_cuda_net_destroy(struct vsm_cuda_net *net)
{
    if (!net)
        return;
    if (vsm_cuda_stream_wait(net->stream) != VSM_OK)
        vsm_error_set_message(vsm_error_message());
    for (int side = 0; side < 2; side++)
        vsm_cuda_graph_destroy(net->graphs[side]);
    vsm_cuda_plan_free(&net->plan);
    if (net->bad)
        vsm_cuda_free_host(net->bad);
    vsm_mem_free(net);
}

float *vsm_cuda_net_source(const struct vsm_cuda_net *net)
{
    return net->plan.source;
}

const float *vsm_cuda_net_fit(const struct vsm_cuda_net *net)
{
    return net->plan.fit;
}

size_t vsm_cuda_net_bytes(const struct vsm_cuda_net *net)
{
    return net->plan.bytes;
}

size_t vsm_cuda_net_state_bytes(const struct vsm_cuda_net *net, int level)
{
    const struct vsm_cuda_plan_state *s = &net->plan.states[level];

    return (size_t)s->channels * (size_t)s->height * (size_t)s->width * sizeof(float);
}

static char *state_at(const struct vsm_cuda_net *net, int level, int image)
{
    return (char *)net->plan.states[level].sides[net->side] +
           (size_t)image * vsm_cuda_net_state_bytes(net, level);
}

int vsm_cuda_net_load_state(struct vsm_cuda_net *net, int level, int image, const float *values)
{
    const size_t bytes = vsm_cuda_net_state_bytes(net, level);
    char *to = state_at(net, level, image);
    int status;

    net->stale = true;
    if (!values)
        return vsm_cuda_clear(to, bytes, net->stream);
    status = vsm_cuda_copy(to, values, bytes, net->stream);
    return status ? status : vsm_cuda_stream_wait(net->stream);
}

int vsm_cuda_net_save_state(struct vsm_cuda_net *net, int level, int image, float *values)
{
    int status =
        vsm_cuda_copy(values, state_at(net, level, image), vsm_cuda_net_state_bytes(net, level), net->stream);

    return status ? status : vsm_cuda_stream_wait(net->stream);
}

static int refresh(struct vsm_cuda_net *net)
{
    int status = VSM_OK;

    for (int i = 0; i < net->plan.state_count && net->stale && !status; i++) {
        const struct vsm_cuda_plan_state *s = &net->plan.states[i];

        status = vsm_cuda_resample_pack(s->sides[net->side], net->plan.batch, s->channels,
                                        s->height * s->width, s->half, net->stream);
    }
    net->stale = false;
    return status;
}

int vsm_cuda_net_run(struct vsm_cuda_net *net)
{
    int status = refresh(net);

    if (!status)
        status = vsm_cuda_graph_launch(net->graphs[net->side], net->stream);
    if (!status)
        net->side = !net->side;
    return status;
}

bool vsm_cuda_net_bad(const struct vsm_cuda_net *net, int image)
{
    return net->bad[image] != 0;
}

void vsm_cuda_net_undo(struct vsm_cuda_net *net)
{
    net->side = !net->side;
    net->stale = true;
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

int vsm_cuda_net_profile(struct vsm_cuda_net *net, int rounds)
{
    float *times = vsm_mem_alloc("times", (size_t)rounds, sizeof(float));
    struct vsm_cuda_event *begin = NULL, *end = NULL;
    int status = times ? vsm_cuda_event_create(1, &begin) : VSM_E_NOMEM;
    double sum = 0;

    if (!status)
        status = vsm_cuda_event_create(1, &end);
    for (int i = 0; i < net->plan.step_count && !status; i++) {
        const struct vsm_cuda_step *step = &net->plan.steps[i];

        for (int r = -2; r < rounds && !status; r++) {
            status = vsm_cuda_event_record(begin, net->stream);
            if (!status)
                status = run_step(net, step, net->side);
            if (!status)
                status = vsm_cuda_event_record(end, net->stream);
            if (!status)
                status = vsm_cuda_event_wait(end);
            if (!status)
                status = vsm_cuda_event_ms(begin, end, &times[r < 0 ? 0 : r]);
        }
        if (status)
            break;
        qsort(times, (size_t)rounds, sizeof(float), compare_floats);
        sum += times[rounds / 2];
        printf("%-36s %7.1f us  %7.1f MB %7.1f GB/s  %7.2f GFLOP %7.1f TFLOP/s\n", step->name,
               1e3 * times[rounds / 2], step->bytes / 1e6, step->bytes / 1e6 / times[rounds / 2],
               step->flops / 1e9, step->flops / 1e9 / times[rounds / 2]);
    }
    if (!status)
        printf("sum of single kernels %.3f ms\n", sum);
    vsm_cuda_event_destroy(begin);
    vsm_cuda_event_destroy(end);
    vsm_mem_free(times);
    return status;
}

/* As a session: states come from and go to the host with every run. For the detector, which has none, for
 * tests, and for a matter that is not on the frame path of stages/gpu_stage.h. */
struct session {
    struct vsm_cuda_stream *stream;
    struct vsm_cuda_net *net;
    float *planes; /* device, of the larger output */
    size_t output_count;
    struct vsm_graph_port outputs[VSM_BACKEND_MAX_PORTS]; /* their names are not kept */
    int output_state[VSM_BACKEND_MAX_PORTS];              /* or one of the following */
};

enum { COEFFICIENTS = -1, MATTE = -2, PLANES = -3 };

static void destroy_session(void *state)
{
    struct session *s = state;

    if (!s)
        return;
    vsm_cuda_net_destroy(s->net);
    vsm_cuda_free(s->planes);
    vsm_cuda_stream_destroy(s->stream);
    vsm_mem_free(s);
}

static const float *planes_of(const struct session *s, size_t port)
{
    for (int i = 0; i < s->net->plan.output_count; i++)
        if (s->net->plan.outputs[i].port == port)
            return s->net->plan.outputs[i].planes;
    return NULL;
}

static void sort_outputs(struct session *s, const struct vsm_graph *graph)
{
    int states = 0;

    s->output_count = graph->output_count;
    for (size_t i = 0; i < graph->output_count; i++) {
        const char *name = graph->outputs[i].name;

        s->outputs[i] = graph->outputs[i];
        s->output_state[i] = strcmp(name, "coefficients") == 0 ? COEFFICIENTS
                             : strcmp(name, "matte") == 0      ? MATTE
                             : planes_of(s, i)                 ? PLANES
                                                               : states++;
    }
}

static int create_session(const struct vsm_graph *graph, const struct vsm_session_options *options,
                          void **state)
{
    struct session *s = vsm_mem_alloc("CUDA session", 1, sizeof(*s));
    struct vsm_cuda_info info;
    void *planes = NULL;
    int status;

    (void)options;
    if (!s)
        return VSM_E_NOMEM;
    status = vsm_cuda_device_info(&info);
    if (!status)
        status = vsm_cuda_stream_create(&s->stream);
    if (!status)
        status = vsm_cuda_net_create(graph, s->stream, &s->net);
    if (!status && s->net->plan.fit)
        status = vsm_cuda_alloc("coefficients",
                                (size_t)s->net->plan.batch * (size_t)s->net->plan.height *
                                    (size_t)s->net->plan.width * 8 * sizeof(float),
                                &planes);
    if (status) {
        destroy_session(s);
        return status;
    }
    s->planes = planes;
    sort_outputs(s, graph);
    *state = s;
    return VSM_OK;
}

static int fetch(struct session *s, size_t index, struct vsm_tensor *to)
{
    const struct vsm_cuda_plan *plan = &s->net->plan;
    const int kind = s->output_state[index], channels = kind == COEFFICIENTS ? 8 : 4;
    const size_t one = kind >= 0 ? vsm_cuda_net_state_bytes(s->net, kind) : 0;
    int status = VSM_OK;

    for (int image = 0; kind >= 0 && image < plan->batch && !status; image++)
        status =
            vsm_cuda_net_save_state(s->net, kind, image, (float *)((char *)to->data + (size_t)image * one));
    if (kind >= 0)
        return status;
    if (kind != PLANES)
        status = vsm_cuda_resample_planes(kind == COEFFICIENTS ? plan->fit : plan->matte, plan->batch,
                                          channels, plan->height * plan->width, s->planes, s->stream);
    if (!status)
        status = vsm_cuda_copy(to->data, kind == PLANES ? planes_of(s, index) : s->planes,
                               vsm_tensor_bytes(to), s->stream);
    return status ? status : vsm_cuda_stream_wait(s->stream);
}

static int run_session(void *state, struct vsm_tensor *const *inputs, struct vsm_tensor **outputs,
                       const bool *wanted)
{
    struct session *s = state;
    const struct vsm_cuda_plan *plan = &s->net->plan;
    int status = vsm_cuda_copy(plan->source, inputs[0]->data, vsm_tensor_bytes(inputs[0]), s->stream);

    for (int i = 0; i < plan->state_count; i++)
        for (int image = 0; image < plan->batch && !status; image++)
            status =
                vsm_cuda_net_load_state(s->net, i, image,
                                        (const float *)((const char *)inputs[1 + i]->data +
                                                        (size_t)image * vsm_cuda_net_state_bytes(s->net, i)));
    if (!status)
        status = vsm_cuda_net_run(s->net);
    if (!status)
        status = vsm_cuda_stream_wait(s->stream);
    for (size_t i = 0; i < s->output_count && !status; i++) {
        if (!wanted[i])
            continue;
        if (!outputs[i])
            outputs[i] = vsm_tensor_create(s->outputs[i].dtype, s->outputs[i].rank, s->outputs[i].dims);
        status = outputs[i] ? fetch(s, i, outputs[i]) : VSM_E_NOMEM;
    }
    return status;
}

/* A run takes milliseconds: nothing to interrupt. */
static void interrupt_session(void *state)
{
    (void)state;
}

const struct vsm_backend vsm_cuda_net_backend = {.create = create_session,
                                                 .run = run_session,
                                                 .interrupt = interrupt_session,
                                                 .destroy = destroy_session};
