#include "nn/ort_cuda.h"

#include "base/log.h"
#include "base/mem.h"
#include "nn/replay.h"

#include <stdio.h>
#include <string.h>

/* Tensors of the host of up to so many bytes travel together; larger ones, pictures and masks, by
 * themselves. */
#define SMALL (256u << 10)

/* Bits of the library's enum AttentionBackend (contrib_ops/cpu/bert/attention_common.h): all but 8, cuDNN,
 * that it uses by itself. 0 leaves the choice to it. */
#define NO_CUDNN_ATTENTION "631"

/* Of each tensor in a parcel; what CUDA's own allocations are aligned to. */
#define ALIGNMENT 256u

/* A fixed place on the device for a large tensor of the host. */
struct staging {
    void *memory;
    size_t bytes;
};

/* Small tensors one behind the other, on the device and in page-locked memory: one copy without waiting
 * takes them all. */
struct parcel {
    char *device, *locked;
    size_t room, bytes; /* bytes: of the present run */
};

struct vsm_ort_cuda {
    const OrtApi *api;
    struct vsm_device_pool *pool, *own_pool;
    OrtMemoryInfo *host, *device;
    OrtRunOptions *run_options;
    struct staging staging[2 * VSM_BACKEND_MAX_PORTS];
    struct parcel in, out;
    struct vsm_cuda_event *sent;           /* the input parcel, which may be filled again from then on */
    void *at[2 * VSM_BACKEND_MAX_PORTS];   /* where each port's tensor of the present run is on the device */
    struct vsm_replay_signature signature; /* of the present run */
    struct vsm_replay replay;
    struct vsm_cuda_graph *recording; /* NULL: none */
};

static int check(const struct vsm_ort_cuda *cuda, OrtStatus *result, const char *what)
{
    (void)cuda;
    return vsm_ort_api_check(result, VSM_E_DEVICE, what);
}

/* What is wrong in one line (the library's text of a provider that cannot be loaded goes over
 * several), and what helps. */
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

static void free_parcel(struct parcel *parcel)
{
    vsm_cuda_free(parcel->device);
    vsm_cuda_free_host(parcel->locked);
    *parcel = (struct parcel){0};
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
        status = vsm_cuda_event_create(1, &c->sent);
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
    free_parcel(&cuda->in);
    free_parcel(&cuda->out);
    vsm_cuda_event_destroy(cuda->sent);
    cuda->api->ReleaseRunOptions(cuda->run_options);
    cuda->api->ReleaseMemoryInfo(cuda->device);
    cuda->api->ReleaseMemoryInfo(cuda->host);
    vsm_device_pool_destroy(cuda->own_pool);
    vsm_mem_free(cuda);
}

struct vsm_device_pool *vsm_ort_cuda_pool(const struct vsm_ort_cuda *cuda)
{
    return cuda ? cuda->pool : NULL;
}

int vsm_ort_cuda_append(struct vsm_ort_cuda *cuda, bool few_queries, OrtSessionOptions *options)
{
    /* float32 means float32: no matrix product in the 10-bit mode of tensor cores. "enable_cuda_graph" makes
     * the provider give back host memory itself instead of from the stream, where a recording would repeat
     * that; its own recordings are declined at every run. */
    static const char *const keys[] = {"device_id",
                                       "arena_extend_strategy",
                                       "use_tf32",
                                       "cudnn_conv_use_max_workspace",
                                       "cudnn_conv_algo_search",
                                       "enable_cuda_graph",
                                       "sdpa_kernel"};
    const char *const values[] = {
        "0", "kSameAsRequested", "0", "1", "HEURISTIC", "1", few_queries ? NO_CUDNN_ATTENTION : "0"};
    OrtCUDAProviderOptionsV2 *provider = NULL;
    int status = check(cuda, cuda->api->CreateCUDAProviderOptions(&provider),
                       "CUDA: not in this build of ONNX Runtime");

    if (!status)
        status = check(cuda, cuda->api->UpdateCUDAProviderOptions(provider, keys, values, 7), "CUDA");
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

static bool is_small(const struct vsm_tensor *tensor)
{
    return tensor->place == VSM_PLACE_HOST && vsm_tensor_bytes(tensor) <= SMALL;
}

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Room for the parcel's bytes. What still uses the old one must have ended. */
static int make_room(struct vsm_ort_cuda *cuda, struct parcel *parcel)
{
    const size_t bytes = parcel->bytes;
    void *device = NULL, *locked = NULL;
    int status;

    if (bytes <= parcel->room)
        return VSM_OK;
    status = vsm_device_pool_wait(cuda->pool);
    free_parcel(parcel);
    if (!status)
        status = vsm_cuda_alloc("network tensors", bytes, &device);
    parcel->device = device;
    if (!status)
        status = vsm_cuda_alloc_host("network tensors", bytes, &locked);
    parcel->locked = locked;
    parcel->bytes = bytes;
    if (!status)
        parcel->room = bytes;
    return status;
}

static int stage(struct vsm_ort_cuda *cuda, size_t port, size_t bytes)
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
    cuda->at[port] = s->memory;
    return status;
}

/* The tensor's place on the device, where small ones are `offset` into the parcel. */
static int place(struct vsm_ort_cuda *cuda, size_t port, const struct vsm_tensor *tensor,
                 const struct parcel *parcel, size_t *offset)
{
    const size_t i = cuda->signature.count++;
    int status = VSM_OK;

    if (tensor->place != VSM_PLACE_HOST) {
        cuda->at[port] = tensor->data;
    } else if (is_small(tensor)) {
        cuda->at[port] = parcel->device + *offset;
        *offset += rounded(vsm_tensor_bytes(tensor));
    } else {
        status = stage(cuda, port, vsm_tensor_bytes(tensor));
    }
    cuda->signature.ports[i].data = cuda->at[port];
    for (int k = 0; k < tensor->rank; k++)
        cuda->signature.ports[i].dims[k] = tensor->dims[k];
    return status;
}

static bool has_free_dims(const struct vsm_graph_port *port)
{
    for (int i = 0; i < port->rank; i++)
        if (port->dims[i] < 0)
            return true;
    return false;
}

/* Makes missing outputs. *unknown: there are some whose shape only the run tells. */
static int make_outputs(const struct vsm_ort_cuda_run *run, struct vsm_tensor **outputs, const bool *wanted,
                        bool *unknown)
{
    for (size_t i = 0; i < run->output_count; i++) {
        const struct vsm_graph_port *port = &run->outputs[i];

        if (!wanted[i] || outputs[i])
            continue;
        if (has_free_dims(port)) {
            *unknown = true;
            continue;
        }
        outputs[i] = vsm_tensor_create(port->dtype, port->rank, port->dims);
        if (!outputs[i])
            return VSM_E_NOMEM;
    }
    return VSM_OK;
}

static int place_all(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                     struct vsm_tensor *const *inputs, struct vsm_tensor *const *outputs, const bool *wanted)
{
    size_t in = 0, out = 0;
    int status;

    cuda->signature = (struct vsm_replay_signature){0};
    cuda->in.bytes = cuda->out.bytes = 0;
    for (size_t i = 0; i < run->input_count; i++)
        cuda->in.bytes += is_small(inputs[i]) ? rounded(vsm_tensor_bytes(inputs[i])) : 0;
    for (size_t i = 0; i < run->output_count; i++)
        if (wanted[i] && outputs[i] && is_small(outputs[i]))
            cuda->out.bytes += rounded(vsm_tensor_bytes(outputs[i]));
    status = make_room(cuda, &cuda->in);
    if (!status)
        status = make_room(cuda, &cuda->out);
    for (size_t i = 0; !status && i < run->input_count; i++)
        status = place(cuda, i, inputs[i], &cuda->in, &in);
    for (size_t i = 0; !status && i < run->output_count; i++)
        if (wanted[i] && outputs[i])
            status = place(cuda, run->input_count + i, outputs[i], &cuda->out, &out);
    return status;
}

/* Puts the host's inputs on their way. */
static int send(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                struct vsm_tensor *const *inputs)
{
    int status = VSM_OK;

    if (cuda->in.bytes)
        status = vsm_cuda_event_wait(cuda->sent);
    for (size_t i = 0; !status && i < run->input_count; i++) {
        const size_t bytes = vsm_tensor_bytes(inputs[i]);

        if (is_small(inputs[i]))
            memcpy(cuda->in.locked + ((char *)cuda->at[i] - cuda->in.device), inputs[i]->data, bytes);
        else if (inputs[i]->place == VSM_PLACE_HOST)
            vsm_device_pool_copy(cuda->pool, cuda->at[i], inputs[i]->data, bytes);
    }
    if (status || !cuda->in.bytes)
        return status;
    vsm_device_pool_copy(cuda->pool, cuda->in.device, cuda->in.locked, cuda->in.bytes);
    return vsm_cuda_event_record(cuda->sent, vsm_device_pool_stream(cuda->pool));
}

static int bind(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run, OrtIoBinding *binding,
                size_t port, const struct vsm_tensor *tensor, bool input)
{
    OrtValue *value = NULL;
    int status = check(cuda,
                       cuda->api->CreateTensorWithDataAsOrtValue(cuda->device, cuda->at[port],
                                                                 vsm_tensor_bytes(tensor), tensor->dims,
                                                                 (size_t)tensor->rank,
                                                                 vsm_ort_api_dtype(tensor->dtype), &value),
                       run->subject);

    if (!status)
        status = check(cuda,
                       input ? cuda->api->BindInput(binding, run->names[port], value)
                             : cuda->api->BindOutput(binding, run->names[port], value),
                       run->subject);
    if (value)
        cuda->api->ReleaseValue(value);
    return status;
}

/* Binds all tensors where they are on the device. */
static int bind_all(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                    struct vsm_tensor *const *inputs, struct vsm_tensor *const *outputs, const bool *wanted,
                    OrtIoBinding **binding)
{
    int status = check(cuda, cuda->api->CreateIoBinding(run->session, binding), run->subject);

    for (size_t i = 0; !status && i < run->input_count; i++)
        status = bind(cuda, run, *binding, i, inputs[i], true);
    for (size_t i = 0; !status && i < run->output_count; i++) {
        const size_t port = run->input_count + i;

        if (wanted[i])
            status = outputs[i]
                         ? bind(cuda, run, *binding, port, outputs[i], false)
                         : check(cuda, cuda->api->BindOutputToDevice(*binding, run->names[port], cuda->host),
                                 run->subject);
    }
    return status;
}

static int run_once(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                    const OrtIoBinding *binding)
{
    return check(cuda, cuda->api->RunWithBinding(run->session, cuda->run_options, binding), run->subject);
}

/* Before the library runs, and writes parameters where those of earlier runs lie: nothing may
 * still read them. */
static int settle(struct vsm_ort_cuda *cuda)
{
    const int status = vsm_device_pool_wait(cuda->pool);

    vsm_cuda_graph_destroy(cuda->recording);
    cuda->recording = NULL;
    return status;
}

/* Records a run instead of doing it. A failure is no failure of the run: it will be done
 * without a recording. */
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

/* A run that is not played: through the library, perhaps recorded for later ones. */
static int run_anew(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                    const OrtIoBinding *binding, bool recorded)
{
    int status = settle(cuda);

    if (status)
        return status;
    /* The library keeps the error of a refused recording and takes it for one of the next run. */
    if (recorded && record(cuda, run, binding) != VSM_OK)
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

/* Copies results to their host tensors. `unknown`: the library has some, which must be there, too. */
static int fetch(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                 struct vsm_tensor *const *outputs, const bool *wanted, bool unknown)
{
    bool any = unknown || cuda->out.bytes > 0;
    int status;

    if (cuda->out.bytes)
        vsm_device_pool_copy(cuda->pool, cuda->out.locked, cuda->out.device, cuda->out.bytes);
    for (size_t i = 0; i < run->output_count; i++) {
        if (!wanted[i] || !outputs[i] || outputs[i]->place != VSM_PLACE_HOST || is_small(outputs[i]))
            continue;
        vsm_device_pool_copy(cuda->pool, outputs[i]->data, cuda->at[run->input_count + i],
                             vsm_tensor_bytes(outputs[i]));
        any = true;
    }
    status = any ? vsm_device_pool_wait(cuda->pool) : VSM_OK;
    for (size_t i = 0; !status && i < run->output_count; i++)
        if (wanted[i] && outputs[i] && is_small(outputs[i]))
            memcpy(outputs[i]->data,
                   cuda->out.locked + ((char *)cuda->at[run->input_count + i] - cuda->out.device),
                   vsm_tensor_bytes(outputs[i]));
    return status;
}

int vsm_ort_cuda_execute(struct vsm_ort_cuda *cuda, const struct vsm_ort_cuda_run *run,
                         struct vsm_tensor *const *inputs, struct vsm_tensor **outputs, const bool *wanted)
{
    enum vsm_replay_step step = VSM_REPLAY_RUN;
    OrtIoBinding *binding = NULL;
    bool unknown = false;
    int status = make_outputs(run, outputs, wanted, &unknown);

    if (!status)
        status = place_all(cuda, run, inputs, outputs, wanted);
    if (!status)
        status = send(cuda, run, inputs);
    if (!status)
        step = vsm_replay_next(&cuda->replay, unknown ? NULL : &cuda->signature);
    if (!status && step == VSM_REPLAY_PLAY) {
        status = vsm_cuda_graph_launch(cuda->recording, vsm_device_pool_stream(cuda->pool));
    } else if (!status) {
        status = bind_all(cuda, run, inputs, outputs, wanted, &binding);
        if (!status)
            status = run_anew(cuda, run, binding, step == VSM_REPLAY_RECORD);
    }
    if (!status)
        status = fetch(cuda, run, outputs, wanted, unknown);
    if (!status && unknown)
        status = take_unknown(cuda, run, binding, outputs, wanted);
    if (binding)
        cuda->api->ReleaseIoBinding(binding);
    return status;
}
