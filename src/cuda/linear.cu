#include "cuda/check.cuh"
#include "cuda/linear.h"

extern "C" {
#include "base/mem.h"
}

#include <dlfcn.h>
#include <string.h>

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

/* What the library's documentation asks for on Hopper. */
#define WORKSPACE (32u << 20)

/* Shapes of all networks of a device pool, with every number of objects and memories. */
#define MAX_PLANS 1024

struct plan {
    struct vsm_cuda_linear_layer layer;
    bool bias, residual;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t weights, in, out;
    cublasLtMatmulAlgo_t algorithm;
};

struct vsm_cuda_linear {
    void *library, *workspace;
    cublasLtHandle_t handle;
    decltype(&cublasLtCreate) create;
    decltype(&cublasLtDestroy) destroy;
    decltype(&cublasLtMatmul) matmul;
    decltype(&cublasLtMatmulDescCreate) desc_create;
    decltype(&cublasLtMatmulDescDestroy) desc_destroy;
    decltype(&cublasLtMatmulDescSetAttribute) desc_set;
    decltype(&cublasLtMatrixLayoutCreate) layout_create;
    decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
    decltype(&cublasLtMatmulPreferenceCreate) preference_create;
    decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
    decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
    struct plan *plans;
    int count;
};

static int check(cublasStatus_t result, const char *what)
{
    return result == CUBLAS_STATUS_SUCCESS
               ? VSM_OK
               : vsm_fail(VSM_E_DEVICE, "CUDA: cuBLASLt, %s: status %d", what, (int)result);
}

template <typename T> static bool find(struct vsm_cuda_linear *l, T *function, const char *name)
{
    *function = (T)dlsym(l->library, name);
    return *function;
}

static int load(struct vsm_cuda_linear *l)
{
    l->library = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!l->library)
        return vsm_fail(VSM_E_DEVICE, "CUDA: libcublasLt.so.13 is not there; install cuBLAS 13");
    if (!find(l, &l->create, "cublasLtCreate") || !find(l, &l->destroy, "cublasLtDestroy") ||
        !find(l, &l->matmul, "cublasLtMatmul") || !find(l, &l->desc_create, "cublasLtMatmulDescCreate") ||
        !find(l, &l->desc_destroy, "cublasLtMatmulDescDestroy") ||
        !find(l, &l->desc_set, "cublasLtMatmulDescSetAttribute") ||
        !find(l, &l->layout_create, "cublasLtMatrixLayoutCreate") ||
        !find(l, &l->layout_destroy, "cublasLtMatrixLayoutDestroy") ||
        !find(l, &l->preference_create, "cublasLtMatmulPreferenceCreate") ||
        !find(l, &l->preference_destroy, "cublasLtMatmulPreferenceDestroy") ||
        !find(l, &l->preference_set, "cublasLtMatmulPreferenceSetAttribute") ||
        !find(l, &l->heuristic, "cublasLtMatmulAlgoGetHeuristic"))
        return vsm_fail(VSM_E_DEVICE, "CUDA: libcublasLt.so.13 lacks a function; install cuBLAS 13");
    return VSM_OK;
}

int vsm_cuda_linear_create(struct vsm_cuda_linear **linear)
{
    struct vsm_cuda_linear *l = (struct vsm_cuda_linear *)vsm_mem_alloc("linear layers", 1, sizeof(*l));
    int status = l ? load(l) : VSM_E_NOMEM;

    *linear = NULL;
    if (!status) {
        l->plans = (struct plan *)vsm_mem_alloc("linear layers", MAX_PLANS, sizeof(*l->plans));
        status = l->plans ? VSM_OK : VSM_E_NOMEM;
    }
    if (!status)
        status = vsm_cuda_status(cudaMalloc(&l->workspace, WORKSPACE), "memory for products");
    if (!status)
        status = check(l->create(&l->handle), "start");
    if (status) {
        vsm_cuda_linear_destroy(l);
        return status;
    }
    *linear = l;
    return VSM_OK;
}

static void drop_plan(struct vsm_cuda_linear *l, struct plan *p)
{
    if (p->product)
        l->desc_destroy(p->product);
    if (p->weights)
        l->layout_destroy(p->weights);
    if (p->in)
        l->layout_destroy(p->in);
    if (p->out)
        l->layout_destroy(p->out);
    memset(p, 0, sizeof(*p));
}

void vsm_cuda_linear_destroy(struct vsm_cuda_linear *linear)
{
    if (!linear)
        return;
    for (int i = 0; i < linear->count; i++)
        drop_plan(linear, &linear->plans[i]);
    if (linear->handle)
        linear->destroy(linear->handle);
    cudaFree(linear->workspace);
    if (linear->library)
        dlclose(linear->library);
    vsm_mem_free(linear->plans);
    vsm_mem_free(linear);
}

static cublasLtEpilogue_t epilogue(const struct plan *p)
{
    switch (p->layer.act) {
    case VSM_CUDA_LINEAR_GELU:
        return p->bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    case VSM_CUDA_LINEAR_RELU:
        return p->bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    default:
        return p->bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    }
}

/* The library sees columns where rows are meant: out' = W' x', all transposed. */
static int describe(struct vsm_cuda_linear *l, struct plan *p)
{
    const struct vsm_cuda_linear_layer *a = &p->layer;
    const cudaDataType_t type = a->full ? CUDA_R_32F : CUDA_R_16F;
    const cublasOperation_t turn = a->by_columns ? CUBLAS_OP_N : CUBLAS_OP_T;
    const cublasLtEpilogue_t end = epilogue(p);
    const uint64_t rows = (uint64_t)a->rows, in = (uint64_t)a->in, out = (uint64_t)a->out;
    int status = check(l->desc_create(&p->product, CUBLAS_COMPUTE_32F, CUDA_R_32F), "product");

    if (!status)
        status = check(l->desc_set(p->product, CUBLASLT_MATMUL_DESC_TRANSA, &turn, sizeof(turn)), "product");
    if (!status)
        status = check(l->desc_set(p->product, CUBLASLT_MATMUL_DESC_EPILOGUE, &end, sizeof(end)), "product");
    if (!status && p->bias)
        status =
            check(l->desc_set(p->product, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &type, sizeof(type)), "bias");
    if (!status)
        status = check(a->by_columns ? l->layout_create(&p->weights, CUDA_R_16F, out, in, a->out)
                                     : l->layout_create(&p->weights, CUDA_R_16F, in, out, a->in),
                       "weights");
    if (!status)
        status = check(l->layout_create(&p->in, CUDA_R_16F, in, rows, a->in), "input");
    if (!status)
        status = check(l->layout_create(&p->out, type, out, rows, a->out), "output");
    return status;
}

static int choose(struct vsm_cuda_linear *l, struct plan *p)
{
    const size_t bytes = WORKSPACE;
    cublasLtMatmulPreference_t preference = NULL;
    cublasLtMatmulHeuristicResult_t found = {};
    int count = 0;
    int status = check(l->preference_create(&preference), "choice");

    if (!status)
        status = check(l->preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes,
                                         sizeof(bytes)),
                       "choice");
    if (!status)
        status = check(l->heuristic(l->handle, p->product, p->weights, p->in, p->out, p->out, preference, 1,
                                    &found, &count),
                       "choice");
    if (!status && count < 1)
        status = vsm_fail(VSM_E_DEVICE, "CUDA: cuBLASLt has no kernel for a layer of %lld x %lld to %lld",
                          (long long)p->layer.rows, (long long)p->layer.in, (long long)p->layer.out);
    p->algorithm = found.algo;
    if (preference)
        l->preference_destroy(preference);
    return status;
}

static bool is_same(const struct vsm_cuda_linear_layer *a, const struct vsm_cuda_linear_layer *b)
{
    return a->rows == b->rows && a->in == b->in && a->out == b->out && !a->by_columns == !b->by_columns &&
           !a->full == !b->full && a->act == b->act;
}

static int find_plan(struct vsm_cuda_linear *l, const struct vsm_cuda_linear_layer *layer, bool bias,
                     bool residual, struct plan **plan)
{
    struct plan *p;
    int status;

    for (int i = 0; i < l->count; i++) {
        p = &l->plans[i];
        if (is_same(&p->layer, layer) && p->bias == bias && p->residual == residual) {
            *plan = p;
            return VSM_OK;
        }
    }
    if (l->count == MAX_PLANS)
        drop_plan(l, &l->plans[--l->count]);
    p = &l->plans[l->count];
    p->layer = *layer;
    p->bias = bias;
    p->residual = residual;
    status = describe(l, p);
    if (!status)
        status = choose(l, p);
    if (status) {
        drop_plan(l, p);
        return status;
    }
    l->count++;
    *plan = p;
    return VSM_OK;
}

int vsm_cuda_linear_run(struct vsm_cuda_linear *linear, const struct vsm_cuda_linear_layer *layer,
                        const void *x, const void *weights, const void *bias, const float *residual,
                        void *out, struct vsm_cuda_stream *stream)
{
    const float one = 1, beta = residual ? 1 : 0;
    struct plan *p = NULL;
    int status = find_plan(linear, layer, bias != NULL, residual != NULL, &p);

    if (!status && bias)
        status = check(linear->desc_set(p->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof(bias)),
                       "bias");
    if (!status)
        status = check(linear->matmul(linear->handle, p->product, &one, weights, p->weights, x, p->in, &beta,
                                      residual ? residual : out, p->out, out, p->out, &p->algorithm,
                                      linear->workspace, WORKSPACE, vsm_cuda_raw(stream)),
                       "product");
    return status;
}

#else

int vsm_cuda_linear_create(struct vsm_cuda_linear **linear)
{
    *linear = NULL;
    return vsm_fail(VSM_E_DEVICE, "CUDA: this program was built without cuBLASLt's header");
}

void vsm_cuda_linear_destroy(struct vsm_cuda_linear *linear)
{
    (void)linear;
}

int vsm_cuda_linear_run(struct vsm_cuda_linear *, const struct vsm_cuda_linear_layer *, const void *,
                        const void *, const void *, const float *, void *, struct vsm_cuda_stream *)
{
    return vsm_fail(VSM_E_DEVICE, "CUDA: this program was built without cuBLASLt's header");
}

#endif
