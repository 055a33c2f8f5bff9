#include "nn/ort_cuda.h"

#include "base/log.h"
#include "base/mem.h"
#include "nn/replay.h"

#include <stdio.h>
#include <string.h>

/* A fixed place on the device for a tensor of the host. */
struct staging {
    void *memory;
    size_t bytes;
};

struct vsm_ort_cuda {
    const OrtApi *api;
    struct vsm_device_pool *pool, *own_pool;
    OrtMemoryInfo *host, *device;
    OrtRunOptions *run_options;
    struct staging staging[2 * VSM_BACKEND_MAX_PORTS];
    struct vsm_replay_signature signature; /* of the present run */
    struct vsm_replay replay;
    struct vsm_cuda_graph *recording; /* NULL: none */
};

static int check(const struct vsm_ort_cuda *cuda, OrtStatus *result, const char *what)
{
    (void)cuda;
    return vsm_ort_api_check(result, VSM_E_DEVICE, what);
}

/* What is wrong in one line (the library's text of a provider that cannot be loaded goes over several), and what helps. */
static int advise(int status, const char *advice)
{
    char text[400];

    if (status == VSM_OK)
        return status;
    snprintf(text, sizeof(text), "%s", vsm_error_message());
    for (char *at = text; *at; at++)
        if (*at == '\n')
            *at = ' ';
    return vsm_fail((enum vsm_status)status, "%s; %s", text, advice);
}

int vsm_ort_cuda_create(const OrtApi *api, struct vsm_device_pool *pool, struct vsm_ort_cuda **cuda)
{
    struct vsm_ort_cuda *c = vsm_mem_alloc("CUDA session", 1, sizeof(*c));
    int status = c ? VSM_OK : VSM_E_NOMEM;

    *cuda = NULL;
    if (status)
        return status;
    c->api = api;
    if (!pool)
        status = vsm_device_pool_create(&c->own_pool);
    c->pool = pool ? pool : c->own_pool;
    if (!status)
        status = check(c, api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &c->host), "CUDA");
    if (!status)
        status = check(c, api->CreateMemoryInfo("Cuda", OrtDeviceAllocator, 0, OrtMemTypeDefault, &c->device),
                       "CUDA");
    if (!status)
        status = check(c, api->CreateRunOptions(&c->run_options), "CUDA");
    if (!status)
        status =
            check(c, api->AddRunConfigEntry(c->run_options, "disable_synchronize_execution_providers", "1"),
                  "CUDA");
    if (!status)
        status = check(c, api->AddRunConfigEntry(c->run_options, "gpu_graph_id", "-1"), "CUDA");
    if (status) {
        vsm_ort_cuda_destroy(c);
        return advise(status, "use device cpu");
    }
    *cuda = c;
    return VSM_OK;
}

void vsm_ort_cuda_destroy(struct vsm_ort_cuda *cuda)
{
    if (!cuda)
        return;
    vsm_cuda_graph_destroy(cuda->recording);
    for (size_t i = 0; i < sizeof(cuda->staging) / sizeof(cuda->staging[0]); i++)
        vsm_cuda_free(cuda->staging[i].memory);
    cuda->api->ReleaseRunOptions(cuda->run_options);
    cuda->api->ReleaseMemoryInfo(cuda->device);
    cuda->api->ReleaseMemoryInfo(cuda->host);
    vsm_device_pool_destroy(cuda->own_pool);
    vsm_mem_free(cuda);
}

int vsm_ort_cuda_append(struct vsm_ort_cuda *cuda, OrtSessionOptions *options)
{
    /* float32 means float32: no matrix product in the 10-bit mode of tensor cores. "enable_cuda_graph" makes the
     * provider give back host memory itself instead of from the stream, where a recording would repeat that; its own
     * recordings are declined at every run. */
    static const char *const keys[] = {"device_id",
                                       "arena_extend_strategy",
                                       "use_tf32",
                                       "cudnn_conv_use_max_workspace",
                                       "cudnn_conv_algo_search",
                                       "enable_cuda_graph"};
    static const char *const values[] = {"0", "kSameAsRequested", "0", "1", "HEURISTIC", "1"};
    OrtCUDAProviderOptionsV2 *provider = NULL;
    int status = check(cuda, cuda->api->CreateCUDAProviderOptions(&provider),
                       "CUDA: not in this build of ONNX Runtime");

    if (!status)
        status = check(cuda, cuda->api->UpdateCUDAProviderOptions(provider, keys, values, 6), "CUDA");
    if (!status)
        status = check(cuda,
                       cuda->api->UpdateCUDAProviderOptionsWithValue(provider, "user_compute_stream",
                                                                     vsm_device_pool_stream(cuda->pool)),
                       "CUDA");
    if (!status)
        status = check(cuda, cuda->api->SessionOptionsAppendExecutionProvider_CUDA_V2(options, provider),
                       "CUDA: the provider cannot be loaded");
    if (provider)
        cuda->api->ReleaseCUDAProviderOptions(provider);
    return advise(status, "use device cpu or run make setup-gpu");
}

static int stage(struct vsm_ort_cuda *cuda, size_t port, size_t bytes, void **place)
{
    struct staging *s = &cuda->staging[port];
    int status = VSM_OK;

    if (s->bytes < bytes) {
        /* What still reads the old place must have ended. */
        status = vsm_device_pool_wait(cuda->pool);
        vsm_cuda_free(s->memory);
        *s = (struct staging){0};
        if (!status)
            status = vsm_cuda_alloc("network tensor", bytes, &s->memory);
        if (!status)
            s->bytes = bytes;
    }
    *place = s->memory;
    return status;
}

static void note(struct vsm_ort_cuda *cuda, const void *data, const struct vsm_tensor *tensor)
{
    const size_t i = cuda->signature.count++;

    cuda->signature.ports[i].data = data;
    for (int k = 0; k < tensor->rank; k++)
        cuda->signature.ports[i].dims[k] = tensor->dims[k];
}

/* Binds a tensor where it is on the device, or a host tensor's staging. */
static int bind(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run, OrtIoBinding *binding,
                size_t port, struct vsm_tensor *tensor, bool input)
{
    void *data = tensor->data;
    OrtValue *value = NULL;
    int status = VSM_OK;

    if (tensor->place == VSM_PLACE_HOST)
        status = stage(cuda, port, vsm_tensor_bytes(tensor), &data);
    if (!status && tensor->place == VSM_PLACE_HOST && input)
        vsm_device_pool_copy(cuda->pool, data, tensor->data, vsm_tensor_bytes(tensor));
    if (!status)
        status = check(cuda,
                       cuda->api->CreateTensorWithDataAsOrtValue(cuda->device, data, vsm_tensor_bytes(tensor),
                                                                 tensor->dims, (size_t)tensor->rank,
                                                                 vsm_ort_api_dtype(tensor->dtype), &value),
                       run->subject);
    if (!status)
        status = check(cuda,
                       input ? cuda->api->BindInput(binding, run->names[port], value)
                             : cuda->api->BindOutput(binding, run->names[port], value),
                       run->subject);
    if (value)
        cuda->api->ReleaseValue(value);
    note(cuda, data, tensor);
    return status;
}

static bool has_free_dims(const struct vsm_graph_port *port)
{
    for (int i = 0; i < port->rank; i++)
        if (port->dims[i] < 0)
            return true;
    return false;
}

/* *unknown: there are outputs whose shape only the run tells. */
static int bind_all(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run, OrtIoBinding *binding,
                    struct vsm_tensor *const *inputs, struct vsm_tensor **outputs, const bool *wanted,
                    bool *unknown)
{
    int status = VSM_OK;

    cuda->signature = (struct vsm_replay_signature){0};
    for (size_t i = 0; !status && i < run->input_count; i++)
        status = bind(cuda, run, binding, i, inputs[i], true);
    for (size_t i = 0; !status && i < run->output_count; i++) {
        const struct vsm_graph_port *port = &run->outputs[i];

        if (!wanted[i])
            continue;
        if (!outputs[i] && !has_free_dims(port)) {
            outputs[i] = vsm_tensor_create(port->dtype, port->rank, port->dims);
            status = outputs[i] ? VSM_OK : VSM_E_NOMEM;
        }
        if (status)
            break;
        if (outputs[i]) {
            status = bind(cuda, run, binding, run->input_count + i, outputs[i], false);
            continue;
        }
        *unknown = true;
        status =
            check(cuda, cuda->api->BindOutputToDevice(binding, run->names[run->input_count + i], cuda->host),
                  run->subject);
    }
    return status;
}

static int run_once(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                    const OrtIoBinding *binding)
{
    return check(cuda, cuda->api->RunWithBinding(run->session, cuda->run_options, binding), run->subject);
}

/* Before the library runs, and writes parameters where those of earlier runs lie: nothing may still read them. */
static int settle(struct vsm_ort_cuda *cuda)
{
    const int status = vsm_device_pool_wait(cuda->pool);

    vsm_cuda_graph_destroy(cuda->recording);
    cuda->recording = NULL;
    return status;
}

/* Records a run instead of doing it. A failure is no failure of the run: it will be done without a recording. */
static int record(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run, const OrtIoBinding *binding)
{
    struct vsm_cuda_stream *stream = vsm_device_pool_stream(cuda->pool);
    int status = vsm_cuda_graph_begin(stream), ended;

    if (!status) {
        status = run_once(cuda, run, binding);
        ended = vsm_cuda_graph_end(stream, &cuda->recording);
        status = status ? status : ended;
    }
    if (status) {
        vsm_log(VSM_LOG_DEBUG, "cuda", "%s cannot be recorded: %s", run->subject, vsm_error_message());
        vsm_cuda_graph_destroy(cuda->recording);
        cuda->recording = NULL;
    }
    vsm_replay_record(&cuda->replay, status == VSM_OK);
    return status;
}

/* signature: NULL for a run that cannot be recorded. */
static int execute(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run, const OrtIoBinding *binding,
                   const struct vsm_replay_signature *signature)
{
    const enum vsm_replay_step step = vsm_replay_next(&cuda->replay, signature);
    int status = step == VSM_REPLAY_PLAY ? VSM_OK : settle(cuda);

    if (status)
        return status;
    /* The library keeps the error of a refused recording and takes it for one of the next run. */
    if (step == VSM_REPLAY_RECORD && record(cuda, run, binding) != VSM_OK)
        (void)run_once(cuda, run, binding);
    return cuda->recording ? vsm_cuda_graph_launch(cuda->recording, vsm_device_pool_stream(cuda->pool))
                           : run_once(cuda, run, binding);
}

/* A host tensor from a result of the library's own. */
static int take_result(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run, OrtValue *value,
                       enum vsm_dtype dtype, struct vsm_tensor **tensor)
{
    OrtTensorTypeAndShapeInfo *info = NULL;
    int64_t dims[VSM_TENSOR_MAX_RANK];
    size_t rank = 0;
    void *data = NULL;
    int status = check(cuda, cuda->api->GetTensorTypeAndShape(value, &info), run->subject);

    if (!status)
        status = check(cuda, cuda->api->GetDimensionsCount(info, &rank), run->subject);
    if (!status && rank > VSM_TENSOR_MAX_RANK)
        status = vsm_fail(VSM_E_DEVICE, "%s: a result has %zu dimensions, at most %d are supported",
                          run->subject, rank, VSM_TENSOR_MAX_RANK);
    if (!status)
        status = check(cuda, cuda->api->GetDimensions(info, dims, rank), run->subject);
    if (!status)
        status = check(cuda, cuda->api->GetTensorMutableData(value, &data), run->subject);
    if (!status) {
        *tensor = vsm_tensor_create(dtype, (int)rank, dims);
        status = *tensor ? VSM_OK : VSM_E_NOMEM;
    }
    if (!status && vsm_tensor_bytes(*tensor))
        memcpy((*tensor)->data, data, vsm_tensor_bytes(*tensor));
    cuda->api->ReleaseTensorTypeAndShapeInfo(info);
    return status;
}

/* Results whose shape was not known; outputs are bound in the order of the ports. */
static int take_unknown(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                        const OrtIoBinding *binding, struct vsm_tensor **outputs, const bool *wanted)
{
    OrtAllocator *allocator;
    OrtValue **values = NULL;
    size_t count = 0, at = 0;
    int status = check(cuda, cuda->api->GetAllocatorWithDefaultOptions(&allocator), run->subject);

    if (!status)
        status =
            check(cuda, cuda->api->GetBoundOutputValues(binding, allocator, &values, &count), run->subject);
    for (size_t i = 0; !status && i < run->output_count && at < count; i++) {
        if (!wanted[i])
            continue;
        if (!outputs[i])
            status = take_result(cuda, run, values[at], run->outputs[i].dtype, &outputs[i]);
        at++;
    }
    for (size_t i = 0; i < count; i++)
        cuda->api->ReleaseValue(values[i]);
    if (values)
        allocator->Free(allocator, values);
    return status;
}

/* Copies staged results to their host tensors. */
static int fetch(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                 struct vsm_tensor *const *outputs, const bool *wanted)
{
    bool any = false;

    for (size_t i = 0; i < run->output_count; i++) {
        if (!wanted[i] || !outputs[i] || outputs[i]->place != VSM_PLACE_HOST)
            continue;
        vsm_device_pool_copy(cuda->pool, outputs[i]->data, cuda->staging[run->input_count + i].memory,
                             vsm_tensor_bytes(outputs[i]));
        any = true;
    }
    return any ? vsm_device_pool_wait(cuda->pool) : VSM_OK;
}

int vsm_ort_cuda_execute(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                         struct vsm_tensor *const *inputs, struct vsm_tensor **outputs, const bool *wanted)
{
    OrtIoBinding *binding = NULL;
    bool unknown = false;
    int status = check(cuda, cuda->api->CreateIoBinding(run->session, &binding), run->subject);

    if (!status)
        status = bind_all(cuda, run, binding, inputs, outputs, wanted, &unknown);
    if (!status)
        status = execute(cuda, run, binding, unknown ? NULL : &cuda->signature);
    if (!status && unknown)
        status = vsm_device_pool_wait(cuda->pool);
    if (!status)
        status = fetch(cuda, run, outputs, wanted);
    if (!status && unknown)
        status = take_unknown(cuda, run, binding, outputs, wanted);
    if (binding)
        cuda->api->ReleaseIoBinding(binding);
    return status;
}
