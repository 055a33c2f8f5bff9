#include "nn/ort_ops.h"

#include "base/mem.h"
#include "cuda/attention.h"
#include "cuda/linear.h"
#include "cuda/norm.h"
#include "cuda/patches.h"
#include "cuda/planes.h"
#include "cuda/tokens.h"
#include "nn/ops_reference.h"

#include <string.h>

#define MAX_INPUTS 4

enum kind {
    LINEAR_HALF,
    LINEAR_FULL,
    NORM_FULL,
    NORM_HALF,
    FINISH_PLANES,
    PLANE_MEANS,
    POOL_TOKENS,
    ROTATE,
    ATTENTION,
    UNFOLD,
    SMALL_CONV,
    DEPTHWISE_TOKENS,
    KINDS
};

struct kernel;
struct operand;

/* Whether the inputs fit; the result's shape goes to `out`. */
typedef bool infer_function(const struct kernel *k, const struct operand *in, struct operand *out);
typedef int run_function(const struct kernel *k, const struct operand *in, void *out, void *stream);

static infer_function infer_linear, infer_same, infer_planes, infer_means, infer_pool, infer_rotate,
    infer_attention, infer_unfold, infer_small, infer_depthwise;
static run_function run_linear, run_norm, run_finish, run_means, run_pool, run_rotate, run_attention,
    run_unfold, run_small, run_depthwise;

/* H float16, F float32; those from `needed` on may be missing. */
static const struct {
    const char *name, *inputs;
    size_t needed;
    char output;
    infer_function *infer;
    run_function *run;
} shapes[KINDS] = {
    [LINEAR_HALF] = {"LinearHalf", "HHH", 2, 'H', infer_linear, run_linear},
    [LINEAR_FULL] = {"LinearFull", "HHFF", 2, 'F', infer_linear, run_linear},
    [NORM_FULL] = {"NormFull", "FHH", 3, 'H', infer_same, run_norm},
    [NORM_HALF] = {"NormHalf", "HHH", 3, 'H', infer_same, run_norm},
    [FINISH_PLANES] = {"FinishPlanes", "HHH", 2, 'H', infer_planes, run_finish},
    [PLANE_MEANS] = {"PlaneMeans", "H", 1, 'H', infer_means, run_means},
    [POOL_TOKENS] = {"PoolTokens", "H", 1, 'H', infer_pool, run_pool},
    [ROTATE] = {"Rotate", "HHHH", 3, 'H', infer_rotate, run_rotate},
    [ATTENTION] = {"Attention", "HHH", 3, 'H', infer_attention, run_attention},
    [UNFOLD] = {"Unfold", "H", 1, 'H', infer_unfold, run_unfold},
    [SMALL_CONV] = {"SmallConv", "HHH", 3, 'H', infer_small, run_small},
    [DEPTHWISE_TOKENS] = {"DepthwiseTokens", "HHH", 3, 'H', infer_depthwise, run_depthwise},
};

struct op {
    OrtCustomOp base; /* first: the library hands this address back */
    enum kind kind;
    struct vsm_ort_ops *ops;
};

struct vsm_ort_ops {
    const OrtApi *api;
    OrtCustomOpDomain *domain;
    struct vsm_cuda_linear *linear;       /* NULL on the CPU */
    struct vsm_cuda_attention *attention; /* likewise, and where it is not available */
    bool cuda;
    struct op op[KINDS];
};

/* A node of a session. */
struct kernel {
    const struct op *op;
    int64_t act, by_columns, gelu, kernel, stride, pad, planar, columns;
    float epsilon;
};

struct operand {
    const void *data; /* NULL: missing */
    size_t rank;
    int64_t dims[VSM_TENSOR_MAX_RANK];
};

static const struct op *op_of(const OrtCustomOp *base)
{
    return (const struct op *)base;
}

static const char *get_name(const OrtCustomOp *base)
{
    return shapes[op_of(base)->kind].name;
}

static const char *get_provider(const OrtCustomOp *base)
{
    return op_of(base)->ops->cuda ? "CUDAExecutionProvider" : NULL;
}

static ONNXTensorElementDataType type_of(char letter)
{
    return letter == 'H' ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}

static size_t get_input_count(const OrtCustomOp *base)
{
    return strlen(shapes[op_of(base)->kind].inputs);
}

static ONNXTensorElementDataType get_input_type(const OrtCustomOp *base, size_t index)
{
    return type_of(shapes[op_of(base)->kind].inputs[index]);
}

static size_t get_output_count(const OrtCustomOp *base)
{
    (void)base;
    return 1;
}

static ONNXTensorElementDataType get_output_type(const OrtCustomOp *base, size_t index)
{
    (void)index;
    return type_of(shapes[op_of(base)->kind].output);
}

static OrtCustomOpInputOutputCharacteristic get_input_need(const OrtCustomOp *base, size_t index)
{
    return index < shapes[op_of(base)->kind].needed ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
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

/* The attributes whose names are in `wanted`. */
static OrtStatus *read_ints(const OrtApi *api, const OrtKernelInfo *info, struct kernel *k,
                            const char *wanted)
{
    const struct {
        const char *name;
        int64_t *to;
    } all[] = {{"act", &k->act},       {"by_columns", &k->by_columns}, {"gelu", &k->gelu},
               {"kernel", &k->kernel}, {"stride", &k->stride},         {"pad", &k->pad},
               {"planar", &k->planar}, {"depth", &k->columns}};
    OrtStatus *result = NULL;

    for (size_t i = 0; !result && i < sizeof(all) / sizeof(all[0]); i++)
        if (strstr(wanted, all[i].name))
            result = api->KernelInfoGetAttribute_int64(info, all[i].name, all[i].to);
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
    k->op = op;
    if (shapes[op->kind].run == run_linear)
        result = read_ints(api, info, k, "act by_columns");
    else if (shapes[op->kind].run == run_norm || shapes[op->kind].run == run_finish)
        result = read_ints(api, info, k, "gelu");
    else if (shapes[op->kind].run == run_unfold)
        result = read_ints(api, info, k, "kernel stride pad planar depth");
    if (!result && shapes[op->kind].run == run_norm)
        result = api->KernelInfoGetAttribute_float(info, "epsilon", &k->epsilon);
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
                            struct operand *in)
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

static int64_t count_of(const struct operand *o)
{
    int64_t n = 1;

    for (size_t i = 0; i < o->rank; i++)
        n *= o->dims[i];
    return n;
}

static bool on_cuda(const struct kernel *k)
{
    return k->op->ops->cuda;
}

static struct vsm_cuda_linear_layer layer_of(const struct kernel *k, const struct operand *in)
{
    const size_t inner = k->by_columns ? 0 : 1;

    return (struct vsm_cuda_linear_layer){.rows = count_of(&in[0]) / in[1].dims[inner],
                                          .in = in[1].dims[inner],
                                          .out = in[1].dims[1 - inner],
                                          .by_columns = k->by_columns != 0,
                                          .full = k->op->kind == LINEAR_FULL,
                                          .act = (enum vsm_cuda_linear_act)k->act};
}

static bool infer_linear(const struct kernel *k, const struct operand *in, struct operand *out)
{
    const size_t inner = k->by_columns ? 0 : 1;
    struct vsm_cuda_linear_layer layer;

    if (in[0].rank < 1 || in[1].rank != 2 || in[1].dims[inner] == 0 ||
        in[0].dims[in[0].rank - 1] != in[1].dims[inner])
        return false;
    layer = layer_of(k, in);
    *out = in[0];
    out->dims[in[0].rank - 1] = layer.out;
    return (!in[2].data || count_of(&in[2]) == layer.out) &&
           (!in[3].data || count_of(&in[3]) == layer.rows * layer.out);
}

static int run_linear(const struct kernel *k, const struct operand *in, void *out, void *stream)
{
    const struct vsm_cuda_linear_layer layer = layer_of(k, in);

    if (on_cuda(k))
        return vsm_cuda_linear_run(k->op->ops->linear, &layer, in[0].data, in[1].data, in[2].data, in[3].data,
                                   out, stream);
    vsm_ops_reference_linear(&layer, in[0].data, in[1].data, in[2].data, in[3].data, out);
    return VSM_OK;
}

static bool infer_same(const struct kernel *k, const struct operand *in, struct operand *out)
{
    (void)k;
    *out = in[0];
    return in[0].rank > 0 && count_of(&in[1]) == in[0].dims[in[0].rank - 1] &&
           count_of(&in[2]) == count_of(&in[1]);
}

static int run_norm(const struct kernel *k, const struct operand *in, void *out, void *stream)
{
    const struct vsm_cuda_norm norm = {.rows = count_of(&in[0]) / count_of(&in[1]),
                                       .channels = (int)count_of(&in[1]),
                                       .full = k->op->kind == NORM_FULL,
                                       .gelu = k->gelu != 0,
                                       .epsilon = k->epsilon};

    if (on_cuda(k))
        return vsm_cuda_norm_run(&norm, in[0].data, in[1].data, in[2].data, out, stream);
    vsm_ops_reference_norm(&norm, in[0].data, in[1].data, in[2].data, out);
    return VSM_OK;
}

static bool infer_planes(const struct kernel *k, const struct operand *in, struct operand *out)
{
    (void)k;
    *out = in[0];
    return in[0].rank == 4 && count_of(&in[1]) == in[0].dims[1] &&
           (!in[2].data || count_of(&in[2]) == count_of(&in[0]));
}

static struct vsm_cuda_planes planes_of(const struct kernel *k, const struct operand *in)
{
    return (struct vsm_cuda_planes){.batch = in->dims[0],
                                    .channels = in->dims[1],
                                    .pixels = in->dims[2] * in->dims[3],
                                    .gelu = k->gelu != 0};
}

static int run_finish(const struct kernel *k, const struct operand *in, void *out, void *stream)
{
    const struct vsm_cuda_planes planes = planes_of(k, in);

    if (on_cuda(k))
        return vsm_cuda_planes_finish(&planes, in[0].data, in[1].data, in[2].data, out, stream);
    vsm_ops_reference_finish(&planes, in[0].data, in[1].data, in[2].data, out);
    return VSM_OK;
}

static bool infer_means(const struct kernel *k, const struct operand *in, struct operand *out)
{
    (void)k;
    *out = in[0];
    out->dims[2] = out->dims[3] = 1;
    return in[0].rank == 4;
}

static int run_means(const struct kernel *k, const struct operand *in, void *out, void *stream)
{
    const struct vsm_cuda_planes planes = planes_of(k, in);

    if (on_cuda(k))
        return vsm_cuda_planes_mean(&planes, in[0].data, out, stream);
    vsm_ops_reference_means(&planes, in[0].data, out);
    return VSM_OK;
}

static bool infer_pool(const struct kernel *k, const struct operand *in, struct operand *out)
{
    (void)k;
    *out = in[0];
    out->dims[1] /= 2;
    out->dims[2] /= 2;
    return in[0].rank == 4 && in[0].dims[1] % 2 == 0 && in[0].dims[2] % 2 == 0;
}

static int run_pool(const struct kernel *k, const struct operand *in, void *out, void *stream)
{
    const int64_t *d = in[0].dims;

    if (on_cuda(k))
        return vsm_cuda_tokens_pool(d[0], d[1], d[2], d[3], in[0].data, out, stream);
    vsm_ops_reference_pool(d[0], d[1], d[2], d[3], in[0].data, out);
    return VSM_OK;
}

static struct vsm_cuda_tokens_rotation rotation_of(const struct operand *in)
{
    const int64_t batch = in[0].dims[0], channels = in[0].dims[in[0].rank - 1];

    return (struct vsm_cuda_tokens_rotation){.batch = batch,
                                             .rows = count_of(&in[0]) / batch / channels,
                                             .period = in[1].dims[0],
                                             .still = in[3].data ? in[3].dims[1] : 0,
                                             .channels = channels};
}

static bool infer_rotate(const struct kernel *k, const struct operand *in, struct operand *out)
{
    struct vsm_cuda_tokens_rotation r;

    (void)k;
    if (in[0].rank < 3 || in[1].rank != 2 || in[1].dims[0] == 0 || count_of(&in[0]) == 0 ||
        (in[3].data && in[3].rank != 3))
        return false;
    r = rotation_of(in);
    *out = (struct operand){.rank = 3, .dims = {r.batch, r.rows + r.still, r.channels}};
    return count_of(&in[1]) == r.period * r.channels / 2 && count_of(&in[2]) == count_of(&in[1]) &&
           (!in[3].data || count_of(&in[3]) == r.batch * r.still * r.channels);
}

static int run_rotate(const struct kernel *k, const struct operand *in, void *out, void *stream)
{
    const struct vsm_cuda_tokens_rotation r = rotation_of(in);

    if (on_cuda(k))
        return vsm_cuda_tokens_rotate(&r, in[0].data, in[1].data, in[2].data, in[3].data, out, stream);
    vsm_ops_reference_rotate(&r, in[0].data, in[1].data, in[2].data, in[3].data, out);
    return VSM_OK;
}

static bool infer_attention(const struct kernel *k, const struct operand *in, struct operand *out)
{
    (void)k;
    *out = in[0];
    out->dims[2] = VSM_CUDA_ATTENTION_VALUES;
    return in[0].rank == 3 && in[1].rank == 3 && in[2].rank == 3 && in[0].dims[2] == VSM_CUDA_ATTENTION_DIM &&
           in[1].dims[2] == VSM_CUDA_ATTENTION_DIM && in[2].dims[2] == VSM_CUDA_ATTENTION_VALUES &&
           in[1].dims[0] == in[0].dims[0] && in[2].dims[0] == in[0].dims[0] &&
           in[2].dims[1] == in[1].dims[1] && in[1].dims[1] > 0;
}

static int run_attention(const struct kernel *k, const struct operand *in, void *out, void *stream)
{
    const int64_t batch = in[0].dims[0], queries = in[0].dims[1], keys = in[1].dims[1];

    if (!on_cuda(k))
        return vsm_ops_reference_attention(batch, queries, keys, in[0].data, in[1].data, in[2].data, out);
    if (!k->op->ops->attention)
        return vsm_fail(VSM_E_DEVICE, "CUDA: no narrow attention on this device");
    return vsm_cuda_attention_run(k->op->ops->attention, batch, queries, keys, in[0].data, in[1].data,
                                  in[2].data, out, stream);
}

static struct vsm_cuda_patches patches_of(const struct kernel *k, const struct operand *in)
{
    const int shift = k->planar ? 1 : 0;

    return (struct vsm_cuda_patches){.batch = in->dims[0],
                                     .height = in->dims[1 + shift],
                                     .width = in->dims[2 + shift],
                                     .channels = in->dims[k->planar ? 1 : 3],
                                     .kernel = (int)k->kernel,
                                     .stride = (int)k->stride,
                                     .pad = (int)k->pad,
                                     .planar = k->planar != 0,
                                     .columns = k->columns};
}

static int64_t patch_count(const struct vsm_cuda_patches *p)
{
    return p->batch * vsm_cuda_patches_along(p, p->height) * vsm_cuda_patches_along(p, p->width);
}

static bool infer_unfold(const struct kernel *k, const struct operand *in, struct operand *out)
{
    const struct vsm_cuda_patches p = patches_of(k, in);

    if (in[0].rank != 4 || p.stride < 1 || p.kernel < 1)
        return false;
    *out = (struct operand){.rank = 2, .dims = {patch_count(&p), p.columns}};
    return p.columns >= (int64_t)p.kernel * p.kernel * p.channels;
}

static int run_unfold(const struct kernel *k, const struct operand *in, void *out, void *stream)
{
    const struct vsm_cuda_patches p = patches_of(k, in);

    if (on_cuda(k))
        return vsm_cuda_patches_unfold(&p, in[0].data, out, stream);
    vsm_ops_reference_unfold(&p, in[0].data, out);
    return VSM_OK;
}

static struct vsm_cuda_patches small_of(const struct operand *in)
{
    const struct kernel k = {.kernel = 3, .stride = 2, .pad = 1, .columns = 9 * in[0].dims[3]};

    return patches_of(&k, in);
}

static bool infer_small(const struct kernel *k, const struct operand *in, struct operand *out)
{
    struct vsm_cuda_patches p;

    (void)k;
    if (in[0].rank != 4 || in[1].rank != 2)
        return false;
    p = small_of(in);
    *out = (struct operand){.rank = 2, .dims = {patch_count(&p), in[1].dims[0]}};
    return in[1].dims[1] == p.columns && count_of(&in[2]) == in[1].dims[0];
}

static int run_small(const struct kernel *k, const struct operand *in, void *out, void *stream)
{
    const struct vsm_cuda_patches p = small_of(in);

    if (on_cuda(k))
        return vsm_cuda_patches_small(&p, in[1].dims[0], in[0].data, in[1].data, in[2].data, out, stream);
    vsm_ops_reference_small(&p, in[1].dims[0], in[0].data, in[1].data, in[2].data, out);
    return VSM_OK;
}

static bool infer_depthwise(const struct kernel *k, const struct operand *in, struct operand *out)
{
    (void)k;
    *out = in[0];
    return in[0].rank == 4 && in[1].rank == 2 && in[1].dims[0] == 49 && in[1].dims[1] == in[0].dims[3] &&
           count_of(&in[2]) == in[0].dims[3];
}

static int run_depthwise(const struct kernel *k, const struct operand *in, void *out, void *stream)
{
    const int64_t *d = in[0].dims;

    if (on_cuda(k))
        return vsm_cuda_patches_depthwise(d[0], d[1], d[2], d[3], in[0].data, in[1].data, in[2].data, out,
                                          stream);
    vsm_ops_reference_depthwise(d[0], d[1], d[2], d[3], in[0].data, in[1].data, in[2].data, out);
    return VSM_OK;
}

static OrtStatus *compute(void *kernel, OrtKernelContext *context)
{
    const struct kernel *k = kernel;
    const OrtApi *api = k->op->ops->api;
    struct operand in[MAX_INPUTS] = {{0}}, out = {0};
    OrtValue *value = NULL;
    void *data = NULL, *stream = NULL;
    size_t given = 0;
    OrtStatus *result = api->KernelContext_GetInputCount(context, &given);

    for (size_t i = 0; !result && i < given && i < MAX_INPUTS; i++)
        result = get_input(api, context, i, &in[i]);
    if (!result && on_cuda(k))
        result = api->KernelContext_GetGPUComputeStream(context, &stream);
    if (result)
        return result;
    if (!shapes[k->op->kind].infer(k, in, &out))
        return api->CreateStatus(ORT_INVALID_ARGUMENT, "shapes of inputs do not fit");
    result = api->KernelContext_GetOutput(context, 0, out.dims, out.rank, &value);
    if (!result)
        result = api->GetTensorMutableData(value, &data);
    if (result || count_of(&out) == 0)
        return result;
    return shapes[k->op->kind].run(k, in, data, stream) ? api->CreateStatus(ORT_FAIL, vsm_error_message())
                                                        : NULL;
}

static void describe(struct vsm_ort_ops *ops, enum kind kind)
{
    ops->op[kind] = (struct op){.kind = kind,
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

int vsm_ort_ops_create(const OrtApi *api, bool cuda, struct vsm_ort_ops **ops)
{
    struct vsm_ort_ops *o = vsm_mem_alloc("network operators", 1, sizeof(*o));
    int status = o ? VSM_OK : VSM_E_NOMEM;

    *ops = NULL;
    if (status)
        return status;
    o->api = api;
    o->cuda = cuda;
    if (cuda)
        status = vsm_cuda_linear_create(&o->linear);
    if (!status && cuda && vsm_cuda_attention_available())
        status = vsm_cuda_attention_create(&o->attention);
    if (!status)
        status = vsm_ort_api_check(api->CreateCustomOpDomain("vsm", &o->domain), VSM_E_DEVICE, "operators");
    for (int i = 0; !status && i < KINDS; i++) {
        describe(o, (enum kind)i);
        status = vsm_ort_api_check(api->CustomOpDomain_Add(o->domain, &o->op[i].base), VSM_E_DEVICE,
                                   shapes[i].name);
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
    vsm_cuda_attention_destroy(ops->attention);
    vsm_cuda_linear_destroy(ops->linear);
    vsm_mem_free(ops);
}

/* The library does not look for a session's own operators in a model made by its editor, but in one that it has read and
 * that the editor adds to. This is the least that can be read: in the encoding of Protocol Buffers the ModelProto of ONNX's
 * onnx.proto with ir_version 8, a graph named "-" and three operator sets, the first (of ONNX itself) VSM_GRAPH_HALF_OPSET. */
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
