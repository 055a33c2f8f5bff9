#include "nn/ort_ops.h"

#include "base/mem.h"
#include "cuda/attention.h"
#include "nn/device_pool.h"
#include "nn/own_ops.h"

#include <string.h>

struct op {
    OrtCustomOp base; /* first: the library hands this address back */
    const struct vsm_own_ops_operator *own;
    struct vsm_ort_ops *ops;
};

struct vsm_ort_ops {
    const OrtApi *api;
    OrtCustomOpDomain *domain;
    struct vsm_own_ops_device device;
    struct op op[]; /* as many as vsm_own_ops */
};

/* A node of a session. */
struct kernel {
    const OrtApi *api;
    struct vsm_own_ops_node node;
};

static const struct op *op_of(const OrtCustomOp *base)
{
    return (const struct op *)base;
}

static const char *get_name(const OrtCustomOp *base)
{
    return op_of(base)->own->name;
}

static const char *get_provider(const OrtCustomOp *base)
{
    return op_of(base)->ops->device.cuda ? "CUDAExecutionProvider" : NULL;
}

static ONNXTensorElementDataType type_of(char letter)
{
    return letter == 'H' ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}

static size_t get_input_count(const OrtCustomOp *base)
{
    return strlen(op_of(base)->own->inputs);
}

static ONNXTensorElementDataType get_input_type(const OrtCustomOp *base, size_t index)
{
    return type_of(op_of(base)->own->inputs[index]);
}

static size_t get_output_count(const OrtCustomOp *base)
{
    (void)base;
    return 1;
}

static ONNXTensorElementDataType get_output_type(const OrtCustomOp *base, size_t index)
{
    (void)index;
    return type_of(op_of(base)->own->output);
}

static OrtCustomOpInputOutputCharacteristic get_input_need(const OrtCustomOp *base, size_t index)
{
    return index < op_of(base)->own->needed ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
}

static OrtCustomOpInputOutputCharacteristic get_output_need(const OrtCustomOp *base, size_t index)
{
    (void)base, (void)index;
    return INPUT_OUTPUT_REQUIRED;
}

static OrtMemType get_input_place(const OrtCustomOp *base, size_t index)
{
    (void)base, (void)index;
    return OrtMemTypeDefault;
}

static int get_arity(const OrtCustomOp *base)
{
    (void)base;
    return 1;
}

static int get_first_version(const OrtCustomOp *base)
{
    (void)base;
    return 1;
}

static int get_last_version(const OrtCustomOp *base)
{
    (void)base;
    return INT32_MAX;
}

static OrtStatus *read_attributes(const OrtApi *api, const OrtKernelInfo *info, struct vsm_own_ops_node *node)
{
    OrtStatus *result = NULL;

    for (int i = 0; !result && i < VSM_OWN_OPS_ATTRIBUTES; i++)
        if (node->op->attributes & 1u << i)
            result =
                api->KernelInfoGetAttribute_int64(info,
                                                  vsm_own_ops_attribute_name((enum vsm_own_ops_attribute)i),
                                                  &node->attributes[i]);
    if (!result && node->op->epsilon)
        result = api->KernelInfoGetAttribute_float(info, "epsilon", &node->epsilon);
    return result;
}

static OrtStatus *create_kernel(const OrtCustomOp *base, const OrtApi *api, const OrtKernelInfo *info,
                                void **made)
{
    const struct op *op = op_of(base);
    struct kernel *k = vsm_mem_alloc("network node", 1, sizeof(*k));
    OrtStatus *result = NULL;

    if (!k)
        return api->CreateStatus(ORT_RUNTIME_EXCEPTION, "out of memory");
    k->api = op->ops->api;
    k->node = (struct vsm_own_ops_node){.op = op->own, .device = &op->ops->device};
    result = read_attributes(api, info, &k->node);
    if (result) {
        vsm_mem_free(k);
        return result;
    }
    *made = k;
    return NULL;
}

static void destroy_kernel(void *kernel)
{
    vsm_mem_free(kernel);
}

static OrtStatus *get_input(const OrtApi *api, const OrtKernelContext *context, size_t index,
                            struct vsm_own_ops_operand *in)
{
    const OrtValue *value = NULL;
    OrtTensorTypeAndShapeInfo *info = NULL;
    OrtStatus *result = api->KernelContext_GetInput(context, index, &value);

    if (result || !value)
        return result;
    result = api->GetTensorTypeAndShape(value, &info);
    if (!result)
        result = api->GetDimensionsCount(info, &in->rank);
    if (!result && in->rank > VSM_TENSOR_MAX_RANK)
        result = api->CreateStatus(ORT_INVALID_ARGUMENT, "too many dimensions");
    if (!result)
        result = api->GetDimensions(info, in->dims, in->rank);
    if (!result)
        result = api->GetTensorData(value, &in->data);
    api->ReleaseTensorTypeAndShapeInfo(info);
    return result;
}

static OrtStatus *compute(void *kernel, OrtKernelContext *context)
{
    const struct kernel *k = kernel;
    const struct vsm_own_ops_node *node = &k->node;
    const OrtApi *api = k->api;
    struct vsm_own_ops_operand in[VSM_OWN_OPS_MAX_INPUTS] = {{0}}, out = {0};
    OrtValue *value = NULL;
    void *data = NULL, *stream = NULL;
    size_t given = 0;
    OrtStatus *result = api->KernelContext_GetInputCount(context, &given);

    for (size_t i = 0; !result && i < given && i < VSM_OWN_OPS_MAX_INPUTS; i++)
        result = get_input(api, context, i, &in[i]);
    if (!result && node->device->cuda)
        result = api->KernelContext_GetGPUComputeStream(context, &stream);
    if (result)
        return result;
    if (!node->op->infer(node, in, &out))
        return api->CreateStatus(ORT_INVALID_ARGUMENT, "shapes of inputs do not fit");
    result = api->KernelContext_GetOutput(context, 0, out.dims, out.rank, &value);
    if (!result)
        result = api->GetTensorMutableData(value, &data);
    if (result || vsm_own_ops_count(&out) == 0)
        return result;
    return node->op->run(node, in, data, stream) ? api->CreateStatus(ORT_FAIL, vsm_error_message()) : NULL;
}

static struct op describe(struct vsm_ort_ops *ops, const struct vsm_own_ops_operator *own)
{
    return (struct op){.own = own,
                       .ops = ops,
                       .base = {.version = ORT_API_VERSION,
                                .GetName = get_name,
                                .GetExecutionProviderType = get_provider,
                                .GetInputType = get_input_type,
                                .GetInputTypeCount = get_input_count,
                                .GetOutputType = get_output_type,
                                .GetOutputTypeCount = get_output_count,
                                .KernelDestroy = destroy_kernel,
                                .GetInputCharacteristic = get_input_need,
                                .GetOutputCharacteristic = get_output_need,
                                .GetInputMemoryType = get_input_place,
                                .GetVariadicInputMinArity = get_arity,
                                .GetVariadicInputHomogeneity = get_arity,
                                .GetVariadicOutputMinArity = get_arity,
                                .GetVariadicOutputHomogeneity = get_arity,
                                .CreateKernelV2 = create_kernel,
                                .KernelComputeV2 = compute,
                                .GetStartVersion = get_first_version,
                                .GetEndVersion = get_last_version}};
}

int vsm_ort_ops_create(const OrtApi *api, struct vsm_device_pool *pool, struct vsm_ort_ops **ops)
{
    struct vsm_ort_ops *o;
    size_t count = 0;
    int status = VSM_OK;

    *ops = NULL;
    while (vsm_own_ops[count].name)
        count++;
    o = vsm_mem_alloc("network operators", 1, sizeof(*o) + count * sizeof(o->op[0]));
    if (!o)
        return VSM_E_NOMEM;
    o->api = api;
    o->device.cuda = pool != NULL;
    if (pool)
        status = vsm_device_pool_linear(pool, &o->device.linear);
    if (!status && pool && vsm_cuda_attention_available())
        status = vsm_cuda_attention_create(&o->device.attention);
    if (!status)
        status = vsm_ort_api_check(api->CreateCustomOpDomain("vsm", &o->domain), VSM_E_DEVICE, "operators");
    for (size_t i = 0; !status && i < count; i++) {
        o->op[i] = describe(o, &vsm_own_ops[i]);
        status = vsm_ort_api_check(api->CustomOpDomain_Add(o->domain, &o->op[i].base), VSM_E_DEVICE,
                                   vsm_own_ops[i].name);
    }
    if (status) {
        vsm_ort_ops_destroy(o);
        return status;
    }
    *ops = o;
    return VSM_OK;
}

void vsm_ort_ops_destroy(struct vsm_ort_ops *ops)
{
    if (!ops)
        return;
    if (ops->domain)
        ops->api->ReleaseCustomOpDomain(ops->domain);
    vsm_cuda_attention_destroy(ops->device.attention);
    vsm_mem_free(ops);
}

/* The library does not look for a session's own operators in a model made by its editor, but in one that it
 * has read and that the editor adds to. This is the least that can be read: in the encoding of Protocol
 * Buffers the ModelProto of ONNX's onnx.proto with ir_version 8, a graph named "-" and three operator sets,
 * the first (of ONNX itself) that of nn/graph_half.h. */
static const unsigned char empty_model[] = {
    0x08, 8,                   /* ir_version */
    0x3a, 3,   0x12, 1,   '-', /* graph { name } */
    0x42, 2,   0x10, 16,       /* opset_import { version } */
    0x42, 17,  0x0a, 13,  'c',  'o', 'm', '.', 'm', 'i',  'c',
    'r',  'o', 's',  'o', 'f',  't', /* and { domain, version } */
    0x10, 1,   0x42, 7,   0x0a, 3,   'v', 's', 'm', 0x10, 1,
};

int vsm_ort_ops_session(struct vsm_ort_ops *ops, const OrtEnv *env, OrtModel *model,
                        OrtSessionOptions *options, OrtSession **session)
{
    const OrtModelEditorApi *editor = ops->api->GetModelEditorApi();
    OrtSession *made = NULL;
    int status =
        vsm_ort_api_check(ops->api->AddCustomOpDomain(options, ops->domain), VSM_E_DEVICE, "operators");

    if (!status)
        status =
            vsm_ort_api_check(editor->CreateModelEditorSessionFromArray(env, empty_model, sizeof(empty_model),
                                                                        options, &made),
                              VSM_E_MODEL, "operators");
    if (!status)
        status =
            vsm_ort_api_check(editor->ApplyModelToModelEditorSession(made, model), VSM_E_MODEL, "operators");
    if (!status)
        status = vsm_ort_api_check(editor->FinalizeModelEditorSession(made, options, NULL), VSM_E_MODEL,
                                   "operators");
    if (status) {
        ops->api->ReleaseSession(made);
        return status;
    }
    *session = made;
    return VSM_OK;
}

int vsm_ort_ops_read(struct vsm_ort_ops *ops, const OrtEnv *env, const char *path, OrtSessionOptions *options,
                     OrtSession **session)
{
    int status =
        vsm_ort_api_check(ops->api->AddCustomOpDomain(options, ops->domain), VSM_E_DEVICE, "operators");

    return status
               ? status
               : vsm_ort_api_check(ops->api->CreateSession(env, path, options, session), VSM_E_MODEL, path);
}
