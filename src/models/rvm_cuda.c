#include "models/rvm_cuda.h"

#include "base/mem.h"
#include "models/rvm_graph.h"
#include "nn/cuda_net.h"

struct vsm_rvm_cuda {
    struct vsm_cuda_net *net;
    struct vsm_cuda_stream *stream;
    int width, height, batch;
    struct vsm_sha256 hash;
};

/* The graph's states begin with the smallest. */
static int net_level(int level)
{
    return VSM_RVM_STATES - 1 - level;
}

int vsm_rvm_cuda_create(const struct vsm_rvm_options *options, struct vsm_cuda_stream *stream,
                        struct vsm_rvm_cuda **rvm)
{
    struct vsm_rvm_cuda *made = vsm_mem_alloc("RVM", 1, sizeof(*made));
    struct vsm_tfjs *weights = NULL;
    struct vsm_graph *graph = NULL;
    int status;

    if (!made)
        return VSM_E_NOMEM;
    made->stream = stream;
    made->width = options->width;
    made->height = options->height;
    made->batch = options->batch;
    status = vsm_rvm_check(options, &made->hash);
    if (!status)
        status = vsm_tfjs_open(options->graph_path, &weights);
    if (!status)
        status = vsm_rvm_graph_build_fused(weights, options->width, options->height, options->batch, &graph);
    vsm_tfjs_close(weights);
    if (!status)
        status = vsm_cuda_net_create(graph, stream, &made->net);
    vsm_graph_destroy(graph);
    if (status) {
        vsm_rvm_cuda_destroy(made);
        return status;
    }
    *rvm = made;
    return VSM_OK;
}

void vsm_rvm_cuda_destroy(struct vsm_rvm_cuda *rvm)
{
    if (!rvm)
        return;
    vsm_cuda_net_destroy(rvm->net);
    vsm_mem_free(rvm);
}

struct vsm_sha256 vsm_rvm_cuda_hash(const struct vsm_rvm_cuda *rvm)
{
    return rvm->hash;
}

size_t vsm_rvm_cuda_bytes(const struct vsm_rvm_cuda *rvm)
{
    return vsm_cuda_net_bytes(rvm->net);
}

float *vsm_rvm_cuda_source(const struct vsm_rvm_cuda *rvm)
{
    return vsm_cuda_net_source(rvm->net);
}

const float *vsm_rvm_cuda_fit(const struct vsm_rvm_cuda *rvm, int view)
{
    return vsm_cuda_net_fit(rvm->net) + (size_t)view * (size_t)rvm->width * (size_t)rvm->height * 8;
}

int vsm_rvm_cuda_run(struct vsm_rvm_cuda *rvm)
{
    return vsm_cuda_net_run(rvm->net);
}

static int bad_views(const struct vsm_rvm_cuda *rvm)
{
    int bad = 0;

    for (int i = 0; i < rvm->batch; i++)
        bad += vsm_cuda_net_bad(rvm->net, i);
    return bad;
}

int vsm_rvm_cuda_check(struct vsm_rvm_cuda *rvm, int *reset_count, bool *repeated)
{
    const int bad = bad_views(rvm);
    int status = VSM_OK;

    *repeated = bad > 0;
    if (!bad)
        return VSM_OK;
    vsm_cuda_net_undo(rvm->net);
    for (int i = 0; i < rvm->batch; i++)
        for (int level = 0; level < VSM_RVM_STATES && vsm_cuda_net_bad(rvm->net, i) && !status; level++)
            status = vsm_cuda_net_load_state(rvm->net, level, i, NULL);
    if (!status)
        status = vsm_cuda_net_run(rvm->net);
    if (!status)
        status = vsm_cuda_stream_wait(rvm->stream);
    if (!status && bad_views(rvm))
        return vsm_fail(VSM_E_DEVICE,
                        "RVM: results are not finite even from a fresh start; check the device");
    if (!status)
        *reset_count += bad;
    return status;
}

int vsm_rvm_cuda_set_state(struct vsm_rvm_cuda *rvm, int view, const struct vsm_rvm_state *state)
{
    int status = VSM_OK;

    for (int level = 0; level < VSM_RVM_STATES && !status; level++) {
        const struct vsm_tensor *t = state->r[level];

        if (t && vsm_tensor_bytes(t) != vsm_cuda_net_state_bytes(rvm->net, net_level(level)))
            return vsm_fail(VSM_E_INTERNAL, "RVM: state %d belongs to another grid", level + 1);
        status = vsm_cuda_net_load_state(rvm->net, net_level(level), view, t ? vsm_tensor_f32(t) : NULL);
    }
    return status;
}

int vsm_rvm_cuda_get_state(struct vsm_rvm_cuda *rvm, int view, struct vsm_rvm_state *state)
{
    struct vsm_rvm_state made = {0};
    int status = VSM_OK;

    for (int level = 0; level < VSM_RVM_STATES && !status; level++) {
        const int64_t dims[] = {vsm_rvm_graph_state_channels[level],
                                vsm_rvm_graph_level(rvm->height, level + 1),
                                vsm_rvm_graph_level(rvm->width, level + 1)};

        made.r[level] = vsm_tensor_create(VSM_F32, 3, dims);
        status = made.r[level] ? vsm_cuda_net_save_state(rvm->net, net_level(level), view,
                                                         vsm_tensor_f32(made.r[level]))
                               : VSM_E_NOMEM;
    }
    if (status) {
        vsm_rvm_state_reset(&made);
        return status;
    }
    vsm_rvm_state_reset(state);
    *state = made;
    return VSM_OK;
}

int vsm_rvm_cuda_profile(struct vsm_rvm_cuda *rvm, int rounds)
{
    return vsm_cuda_net_profile(rvm->net, rounds);
}
