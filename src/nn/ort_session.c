#include "nn/graph_fuse.h"
#include "nn/graph_half.h"
#include "nn/ort_api.h"
#include "nn/ort_build.h"
#include "nn/ort_cuda.h"
#include "nn/ort_memory.h"
#include "nn/ort_ops.h"

#include "base/mem.h"
#include "base/scratch.h"
#include "nn/backend.h"

#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

struct ort_state {
    const OrtApi *api;
    OrtEnv *env;
    OrtSession *session;
    OrtRunOptions *run_options;
    OrtMemoryInfo *host;
    struct vsm_ort_weights *weights;
    struct vsm_ort_cuda *cuda; /* NULL on the CPU */
    struct vsm_ort_ops *ops;   /* NULL where the library's own operators do */
    char *subject;             /* "network NAME", for messages */
    size_t input_count, output_count;
    char *names[2 * VSM_BACKEND_MAX_PORTS]; /* inputs, then outputs; owned */
    struct vsm_graph_port outputs[VSM_BACKEND_MAX_PORTS];
};

static void destroy(void *state)
{
    struct ort_state *ort = state;

    if (!ort)
        return;
    if (ort->api) {
        ort->api->ReleaseSession(ort->session);
        ort->api->ReleaseRunOptions(ort->run_options);
        ort->api->ReleaseMemoryInfo(ort->host);
    }
    vsm_ort_ops_destroy(ort->ops);
    vsm_ort_cuda_destroy(ort->cuda);
    vsm_ort_build_release_weights(ort->weights);
    if (ort->env)
        ort->api->ReleaseEnv(ort->env);
    for (size_t i = 0; i < ort->input_count + ort->output_count; i++)
        vsm_mem_free(ort->names[i]);
    vsm_mem_free(ort->subject);
    vsm_mem_free(ort);
}

static int set_options(struct ort_state *ort, const struct vsm_session_options *wanted,
                       OrtSessionOptions *options)
{
    /* Waiting threads that spin would take the cores of the other stages: on two busy cores RVM with two
     * threads takes 55 % more processor time and gets slower. */
    static const char *const config[][2] = {{"session.intra_op.allow_spinning", "0"},
                                            {"session.inter_op.allow_spinning", "0"},
                                            {"session.use_env_allocators", "1"}};
    const OrtApi *api = ort->api;
    int status;

    status =
        vsm_ort_api_check(api->SetIntraOpNumThreads(options, wanted->threads), VSM_E_DEVICE, ort->subject);
    if (!status)
        status = vsm_ort_api_check(api->SetInterOpNumThreads(options, 1), VSM_E_DEVICE, ort->subject);
    if (!status)
        status = vsm_ort_api_check(api->SetSessionExecutionMode(options, ORT_SEQUENTIAL), VSM_E_DEVICE,
                                   ort->subject);
    if (!status)
        status = vsm_ort_api_check(api->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL),
                                   VSM_E_DEVICE, ort->subject);
    /* Planning all of a run's memory in advance keeps what the first, unplanned run has taken: 282 MB
     * instead of 180 for RVM at 512x512, 548 instead of 315 at 768x768, at the same speed. Without the
     * arena runs take a third longer. */
    if (!status)
        status = vsm_ort_api_check(api->DisableMemPattern(options), VSM_E_DEVICE, ort->subject);
    for (size_t i = 0; !status && i < sizeof(config) / sizeof(config[0]); i++)
        status = vsm_ort_api_check(api->AddSessionConfigEntry(options, config[i][0], config[i][1]),
                                   VSM_E_DEVICE, ort->subject);
    if (!status && ort->cuda)
        status = vsm_ort_cuda_append(ort->cuda, wanted->few_queries, options);
    return status;
}

static int copy_ports(struct ort_state *ort, const struct vsm_graph *graph)
{
    ort->subject = vsm_mem_format("session", "network %s", graph->name);
    ort->input_count = graph->input_count;
    ort->output_count = graph->output_count;
    if (!ort->subject)
        return VSM_E_NOMEM;
    for (size_t i = 0; i < graph->input_count + graph->output_count; i++) {
        bool input = i < graph->input_count;

        ort->names[i] = vsm_mem_string("session", input ? graph->inputs[i].name
                                                        : graph->outputs[i - graph->input_count].name);
        if (!ort->names[i])
            return VSM_E_NOMEM;
    }
    memcpy(ort->outputs, graph->outputs, graph->output_count * sizeof(*graph->outputs));
    return VSM_OK;
}

/* The optimised network goes to a file; its weights to another, also as the CPU's kernels pack them,
 * so that both can be mapped. */
static int set_writing(struct ort_state *ort, const char *path, OrtSessionOptions *options)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    char *weights = vsm_mem_format("session", "%.*s.weights", (int)(dot ? dot - name : 0), name);
    const char *const config[][2] = {{"session.optimized_model_external_initializers_file_name", weights},
                                     {"session.optimized_model_external_initializers_min_size_in_bytes",
                                      "1024"},
                                     {"session.save_external_prepacked_constant_initializers",
                                      ort->cuda ? "0" : "1"}};
    int status = weights ? VSM_OK : VSM_E_NOMEM;

    if (!status)
        status =
            vsm_ort_api_check(ort->api->SetOptimizedModelFilePath(options, path), VSM_E_DEVICE, ort->subject);
    for (size_t i = 0; !status && i < sizeof(config) / sizeof(config[0]); i++)
        status = vsm_ort_api_check(ort->api->AddSessionConfigEntry(options, config[i][0], config[i][1]),
                                   VSM_E_DEVICE, ort->subject);
    vsm_mem_free(weights);
    return status;
}

/* The stored network has this program's operators where build_session() would have made them. */
static int read_session(struct ort_state *ort, const struct vsm_graph *graph,
                        const struct vsm_session_options *wanted, OrtSessionOptions *options)
{
    const bool on_cuda = ort->cuda != NULL;
    int status = vsm_ort_api_check(ort->api->SetSessionGraphOptimizationLevel(options, ORT_DISABLE_ALL),
                                   VSM_E_DEVICE, ort->subject);

    if (!status && ((wanted->half && on_cuda) || vsm_ort_build_has_own(graph))) {
        status = vsm_ort_ops_create(ort->api, vsm_ort_cuda_pool(ort->cuda), &ort->ops);
        if (status == VSM_E_DEVICE) /* then they could not run when it was stored, either */
            status = VSM_OK;
    }
    if (!status && ort->ops)
        return vsm_ort_ops_read(ort->ops, ort->env, wanted->read_from, options, &ort->session);
    return status ? status
                  : vsm_ort_api_check(ort->api->CreateSession(ort->env, wanted->read_from, options,
                                                              &ort->session),
                                      VSM_E_MODEL, wanted->read_from);
}

/* *half in fewer operators. */
static int fuse(struct vsm_graph **half)
{
    struct vsm_graph *fused;
    int status = vsm_graph_fuse(*half, &fused);

    if (!status) {
        vsm_graph_destroy(*half);
        *half = fused;
    }
    return status;
}

static int build_session(struct ort_state *ort, const struct vsm_graph *graph, bool in_half,
                         OrtSessionOptions *options)
{
    const OrtModelEditorApi *editor = ort->api->GetModelEditorApi();
    struct vsm_graph *half = NULL;
    OrtModel *model = NULL;
    int status = in_half ? vsm_graph_half(graph, &half) : VSM_OK;

    if (!status && half && ort->cuda)
        status = fuse(&half);
    if (!status && vsm_ort_build_has_own(half ? half : graph))
        status = vsm_ort_ops_create(ort->api, vsm_ort_cuda_pool(ort->cuda), &ort->ops);
    if (!status)
        status = vsm_ort_build(half ? half : graph, &model, &ort->weights);
    vsm_graph_destroy(half);
    if (!status && ort->ops)
        status = vsm_ort_ops_session(ort->ops, ort->env, model, options, &ort->session);
    else if (!status)
        status = vsm_ort_api_check(editor->CreateSessionFromModel(ort->env, model, options, &ort->session),
                                   VSM_E_MODEL, ort->subject);
    ort->api->ReleaseModel(model);
    return status;
}

static int make_session(struct ort_state *ort, const struct vsm_graph *graph,
                        const struct vsm_session_options *wanted)
{
    OrtSessionOptions *options = NULL;
    int status = vsm_ort_api_check(ort->api->CreateSessionOptions(&options), VSM_E_DEVICE, ort->subject);

    if (!status)
        status = set_options(ort, wanted, options);
    if (!status && wanted->write_to)
        status = set_writing(ort, wanted->write_to, options);
    if (!status)
        status = wanted->read_from ? read_session(ort, graph, wanted, options)
                                   : build_session(ort, graph, wanted->half, options);
    ort->api->ReleaseSessionOptions(options);
#ifdef __GLIBC__
    /* Optimising the graph leaves holes: 17 MB for RVM. */
    malloc_trim(0);
#endif
    return status;
}

static int create(const struct vsm_graph *graph, const struct vsm_session_options *options, void **state)
{
    struct ort_state *ort = vsm_mem_alloc("session", 1, sizeof(*ort));
    int status = ort ? vsm_ort_api_get(&ort->api, NULL) : VSM_E_NOMEM;

    if (!status)
        status = copy_ports(ort, graph);
    if (!status)
        status = vsm_ort_api_env(&ort->env);
    if (!status)
        status = vsm_ort_memory_register(ort->api, ort->env);
    if (!status)
        status = vsm_ort_api_check(ort->api->CreateRunOptions(&ort->run_options), VSM_E_DEVICE, ort->subject);
    if (!status)
        status = vsm_ort_api_check(ort->api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault,
                                                                 &ort->host),
                                   VSM_E_DEVICE, ort->subject);
    if (!status && options->device == VSM_DEVICE_CUDA)
        status = vsm_ort_cuda_create(ort->api, options->pool, &ort->cuda);
    if (!status)
        status = make_session(ort, graph, options);
    if (status) {
        destroy(ort);
        return status;
    }
    *state = ort;
    return VSM_OK;
}

static int wrap(struct ort_state *ort, struct vsm_tensor *tensor, OrtValue **value)
{
    return vsm_ort_api_check(ort->api->CreateTensorWithDataAsOrtValue(
                                 ort->host, tensor->data, vsm_tensor_bytes(tensor), tensor->dims,
                                 (size_t)tensor->rank, vsm_ort_api_dtype(tensor->dtype), value),
                             VSM_E_DEVICE, ort->subject);
}

/* Copies a result whose shape was not known before the run. */
static int take_result(struct ort_state *ort, OrtValue *value, enum vsm_dtype dtype,
                       struct vsm_tensor **tensor)
{
    OrtTensorTypeAndShapeInfo *info = NULL;
    int64_t dims[VSM_TENSOR_MAX_RANK];
    size_t rank = 0;
    void *data = NULL;
    int status = vsm_ort_api_check(ort->api->GetTensorTypeAndShape(value, &info), VSM_E_DEVICE, ort->subject);

    if (!status)
        status = vsm_ort_api_check(ort->api->GetDimensionsCount(info, &rank), VSM_E_DEVICE, ort->subject);
    if (!status && rank > VSM_TENSOR_MAX_RANK)
        status = vsm_fail(VSM_E_DEVICE, "%s: a result has %zu dimensions, at most %d are supported",
                          ort->subject, rank, VSM_TENSOR_MAX_RANK);
    if (!status)
        status = vsm_ort_api_check(ort->api->GetDimensions(info, dims, rank), VSM_E_DEVICE, ort->subject);
    if (!status)
        status = vsm_ort_api_check(ort->api->GetTensorMutableData(value, &data), VSM_E_DEVICE, ort->subject);
    if (!status) {
        *tensor = vsm_tensor_create(dtype, (int)rank, dims);
        status = *tensor ? VSM_OK : VSM_E_NOMEM;
    }
    if (!status && vsm_tensor_bytes(*tensor))
        memcpy((*tensor)->data, data, vsm_tensor_bytes(*tensor));
    ort->api->ReleaseTensorTypeAndShapeInfo(info);
    return status;
}

static bool has_free_dims(const struct vsm_graph_port *port)
{
    for (int i = 0; i < port->rank; i++) {
        if (port->dims[i] < 0)
            return true;
    }
    return false;
}

/* The wanted outputs in a row, as the library takes them. */
struct wanted_outputs {
    size_t count;
    size_t at[VSM_BACKEND_MAX_PORTS];
    const char *names[VSM_BACKEND_MAX_PORTS];
    OrtValue *values[VSM_BACKEND_MAX_PORTS];
};

static int prepare_outputs(struct ort_state *ort, struct vsm_tensor **outputs, const bool *wanted,
                           struct wanted_outputs *row)
{
    int status = VSM_OK;

    for (size_t i = 0; !status && i < ort->output_count; i++) {
        const struct vsm_graph_port *port = &ort->outputs[i];

        if (!wanted[i])
            continue;
        row->at[row->count] = i;
        row->names[row->count] = ort->names[ort->input_count + i];
        if (!outputs[i] && !has_free_dims(port)) {
            outputs[i] = vsm_tensor_create(port->dtype, port->rank, port->dims);
            status = outputs[i] ? VSM_OK : VSM_E_NOMEM;
        }
        if (!status && outputs[i])
            status = wrap(ort, outputs[i], &row->values[row->count]);
        row->count++;
    }
    return status;
}

static int run_on_cuda(struct ort_state *ort, struct vsm_tensor *const *inputs, struct vsm_tensor **outputs,
                       const bool *wanted)
{
    const struct vsm_ort_cuda_run run = {.session = ort->session,
                                         .subject = ort->subject,
                                         .names = ort->names,
                                         .input_count = ort->input_count,
                                         .output_count = ort->output_count,
                                         .outputs = ort->outputs};

    return vsm_ort_cuda_execute(ort->cuda, &run, inputs, outputs, wanted);
}

static int run(void *state, struct vsm_tensor *const *inputs, struct vsm_tensor **outputs, const bool *wanted)
{
    struct ort_state *ort = state;
    OrtValue *values[VSM_BACKEND_MAX_PORTS] = {0};
    struct wanted_outputs row = {0};
    int status = VSM_OK;

    if (ort->cuda)
        return run_on_cuda(ort, inputs, outputs, wanted);
    for (size_t i = 0; !status && i < ort->input_count; i++)
        status = wrap(ort, inputs[i], &values[i]);
    if (!status)
        status = prepare_outputs(ort, outputs, wanted, &row);
    if (!status) {
        vsm_scratch_begin();
        status =
            vsm_ort_api_check(ort->api->Run(ort->session, ort->run_options, (const char *const *)ort->names,
                                            (const OrtValue *const *)values, ort->input_count, row.names,
                                            row.count, row.values),
                              VSM_E_DEVICE, ort->subject);
        vsm_scratch_end();
    }
    for (size_t i = 0; !status && i < row.count; i++) {
        if (!outputs[row.at[i]])
            status = take_result(ort, row.values[i], ort->outputs[row.at[i]].dtype, &outputs[row.at[i]]);
    }
    for (size_t i = 0; i < row.count; i++)
        ort->api->ReleaseValue(row.values[i]);
    for (size_t i = 0; i < ort->input_count; i++)
        ort->api->ReleaseValue(values[i]);
    return status;
}

static void interrupt(void *state)
{
    struct ort_state *ort = state;
    OrtStatus *result = ort->api->RunOptionsSetTerminate(ort->run_options);

    ort->api->ReleaseStatus(result);
}

const struct vsm_backend vsm_ort_session_backend = {.create = create,
                                                    .run = run,
                                                    .interrupt = interrupt,
                                                    .destroy = destroy,
                                                    .version = vsm_ort_api_version,
                                                    .providers = vsm_ort_api_providers};
