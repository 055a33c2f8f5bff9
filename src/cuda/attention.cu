#include "cuda/attention.h"
#include "cuda/check.cuh"

extern "C" {
#include "base/mem.h"
}

#include <cuda.h>
#include <math.h>

#define DIM        VSM_CUDA_ATTENTION_DIM
#define VALUES     VSM_CUDA_ATTENTION_VALUES
#define QUERIES    128 /* of a block: 64 for each of two warpgroups */
#define KEYS       128 /* of a tile */
#define COLUMNS    64  /* channels of a slab: the 128 bytes that the copy engine swizzles */
#define SLABS      (DIM / COLUMNS)
#define STAGES     2
#define THREADS    384 /* one warpgroup that copies and two that multiply */
#define SLAB_BYTES (128 * COLUMNS * 2)
#define TILE_BYTES (SLABS * SLAB_BYTES)
#define MAX_SPLITS 8

/* Slabs must lie at multiples of 1024 bytes, which dynamic shared memory does not promise. */
#define SHARED_BYTES (TILE_BYTES + STAGES * (TILE_BYTES + SLAB_BYTES) + 1024)

struct vsm_cuda_attention {
    CUresult (*encode)(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *, const cuuint64_t *,
                       const cuuint64_t *, const cuuint32_t *, const cuuint32_t *, CUtensorMapInterleave,
                       CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
    int multiprocessors;
    float *partial; /* [split][row][VALUES] sums, then [split][row] maxima and weights */
    size_t bytes;
};

struct shape {
    int queries, keys, tiles, splits, rows; /* rows: of all images */
    float factor;                           /* of products, to powers of two */
};

#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)

__device__ static uint32_t shared_address(const void *at)
{
    return (uint32_t)__cvta_generic_to_shared(at);
}

__device__ static void barrier_init(uint64_t *barrier, int count)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count));
}

__device__ static void barrier_expect(uint64_t *barrier, int bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
                 "r"(bytes)
                 : "memory");
}

__device__ static void barrier_arrive(uint64_t *barrier)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}

__device__ static void barrier_wait(uint64_t *barrier, int phase)
{
    asm volatile("{\n.reg .pred p;\n"
                 "again:\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
                 "@p bra done;\n"
                 "bra again;\n"
                 "done:\n}\n" ::"r"(shared_address(barrier)),
                 "r"(phase)
                 : "memory");
}

__device__ static void copy_slab(const CUtensorMap *map, void *to, uint64_t *barrier, int channel, int row,
                                 int image)
{
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, "
                 "{%2, %3, %4}], "
                 "[%5];" ::"r"(shared_address(to)),
                 "l"((uint64_t)map), "r"(channel), "r"(row), "r"(image), "r"(shared_address(barrier))
                 : "memory");
}

/* A matrix descriptor: groups of eight rows of 128 swizzled bytes, one after the other. */
__device__ static uint64_t describe(const void *at)
{
    return (uint64_t)(shared_address(at) >> 4 & 0x3fff) | 1ull << 16 | (uint64_t)(1024 >> 4) << 32 |
           1ull << 62;
}

/* d[64 x 128] = q[64 x 16] k[128 x 16]^T, or plus it; both operands in shared memory, channels last. */
__device__ static void multiply_keys(float (&d)[64], uint64_t q, uint64_t k, int add)
{
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
                 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
                 "}, %64, %65, p, 1, 1, 0, 0;\n}\n"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
                   "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
                   "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
                   "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
                   "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]),
                   "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]),
                   "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]),
                   "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
                   "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]),
                   "+f"(d[63])
                 : "l"(q), "l"(k), "r"(add));
}

/* d[64 x 64] += p[64 x 16] v[16 x 64]; p in registers, v in shared memory with channels last. */
__device__ static void multiply_values(float (&d)[32], uint32_t p0, uint32_t p1, uint32_t p2, uint32_t p3,
                                       uint64_t v)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
                 "}, {%32, %33, %34, %35}, %36, 1, 1, 1, 1;\n"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
                   "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
                   "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
                   "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
                   "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
                 : "r"(p0), "r"(p1), "r"(p2), "r"(p3), "l"(v));
}

template <int N> __device__ static void hold(float (&d)[N])
{
    for (int i = 0; i < N; i++)
        asm volatile("" : "+f"(d[i])::"memory");
}

/* Between these two the matrix units own the accumulators. */
__device__ static void pipeline_begin(float (&scores)[64], float (&sums)[32])
{
    hold(scores);
    hold(sums);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ static void pipeline_end(float (&scores)[64], float (&sums)[32])
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    hold(scores);
    hold(sums);
}

/* scores = the group's queries times a tile of keys. */
__device__ static void multiply_tile(float (&scores)[64], uint64_t queries, uint64_t keys)
{
#pragma unroll
    for (int i = 0; i < DIM / 16; i++)
        multiply_keys(scores, queries + i / 4 * (SLAB_BYTES >> 4) + i % 4 * 2,
                      keys + i / 4 * (SLAB_BYTES >> 4) + i % 4 * 2, i > 0);
}

__device__ static void add_values(float (&sums)[32], const uint32_t (&weights)[32], uint64_t values)
{
#pragma unroll
    for (int i = 0; i < KEYS / 16; i++)
        multiply_values(sums, weights[4 * i], weights[4 * i + 1], weights[4 * i + 2], weights[4 * i + 3],
                        values + i * (16 * COLUMNS * 2 >> 4));
}

__device__ static float power_of_two(float v)
{
    float result;

    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(v));
    return result;
}

__device__ static uint32_t pack(float a, float b)
{
    const __half2 both = __floats2half2_rn(a, b);

    return *(const uint32_t *)&both;
}

/* What a thread keeps of its two rows, 8 apart: in `sums` and `scores`, four numbers in a row
 * belong to both, two each. */
struct rows {
    float maximum[2], weight[2];
};

/* Scores become weights; what was summed before is scaled to the new maximum. */
__device__ static void soften(float (&scores)[64], float (&sums)[32], uint32_t (&weights)[32], struct rows *r,
                              float factor)
{
    float scale[2];

    for (int half = 0; half < 2; half++) {
        float maximum = r->maximum[half], sum = 0;

        for (int i = 0; i < 64; i += 4)
            maximum = fmaxf(maximum, fmaxf(scores[i + 2 * half], scores[i + 2 * half + 1]));
        maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffff, maximum, 1));
        maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffff, maximum, 2));
        scale[half] = power_of_two((r->maximum[half] - maximum) * factor);
        r->maximum[half] = maximum;
        maximum *= factor;
        for (int i = 0; i < 64; i += 4) {
            const float a = power_of_two(scores[i + 2 * half] * factor - maximum),
                        b = power_of_two(scores[i + 2 * half + 1] * factor - maximum);

            sum += a + b;
            weights[i / 2 + half] = pack(a, b);
        }
        r->weight[half] = r->weight[half] * scale[half] + sum;
    }
    for (int i = 0; i < 32; i += 4) {
        sums[i] *= scale[0];
        sums[i + 1] *= scale[0];
        sums[i + 2] *= scale[1];
        sums[i + 3] *= scale[1];
    }
}

/* Keys that are not there weigh nothing. */
__device__ static void mask_scores(float (&scores)[64], int left)
{
    const int column = 2 * (threadIdx.x % 4);

    for (int i = 0; i < 64; i++)
        if (8 * (i / 4) + column + i % 2 >= left)
            scores[i] = -INFINITY;
}

__device__ static void store(const float (&sums)[32], struct rows *r, const struct shape &s, int first,
                             int image, int split, __half *out, float *partial)
{
    const int warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32;

    for (int half = 0; half < 2; half++) {
        const int row = first + 16 * warp + lane / 4 + 8 * half;
        const long long at = (long long)image * s.queries + row;
        float weight = r->weight[half];

        weight += __shfl_xor_sync(0xffffffff, weight, 1);
        weight += __shfl_xor_sync(0xffffffff, weight, 2);
        if (row >= s.queries)
            continue;
        for (int i = 0; i < 32; i += 4) {
            const float a = sums[i + 2 * half], b = sums[i + 2 * half + 1];
            const int channel = 2 * i + 2 * (lane % 4);

            if (s.splits == 1)
                *(__half2 *)(out + at * VALUES + channel) = __floats2half2_rn(a / weight, b / weight);
            else
                *(float2 *)(partial + ((long long)split * s.rows + at) * VALUES + channel) =
                    make_float2(a, b);
        }
        if (s.splits > 1 && lane % 4 == 0) {
            float *tail = partial + (long long)s.splits * s.rows * VALUES;

            tail[(long long)split * s.rows + at] = r->maximum[half] * s.factor;
            tail[(long long)(s.splits + split) * s.rows + at] = weight;
        }
    }
}

#endif

/* A block: QUERIES rows of an image against its share of the keys. */
__global__ static void __launch_bounds__(THREADS, 1)
    attend(const __grid_constant__ CUtensorMap q, const __grid_constant__ CUtensorMap k,
           const __grid_constant__ CUtensorMap v, __half *out, float *partial, struct shape s)
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    extern __shared__ unsigned char raw[];
    __shared__ uint64_t query_ready, ready[STAGES], used[STAGES];
    unsigned char *queries = raw + (1024 - shared_address(raw) % 1024) % 1024, *keys = queries + TILE_BYTES,
                  *values = keys + STAGES * TILE_BYTES;
    const int first = blockIdx.x * QUERIES, split = blockIdx.y, image = blockIdx.z;
    const int begin = (int)((long long)s.tiles * split / s.splits),
              end = (int)((long long)s.tiles * (split + 1) / s.splits);

    if (threadIdx.x == 0) {
        barrier_init(&query_ready, 1);
        for (int i = 0; i < STAGES; i++) {
            barrier_init(&ready[i], 1);
            barrier_init(&used[i], 2);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 0) {
            barrier_expect(&query_ready, TILE_BYTES);
            for (int i = 0; i < SLABS; i++)
                copy_slab(&q, queries + i * SLAB_BYTES, &query_ready, i * COLUMNS, first, image);
            for (int tile = begin; tile < end; tile++) {
                const int n = tile - begin, stage = n % STAGES;

                if (n >= STAGES)
                    barrier_wait(&used[stage], (n / STAGES - 1) & 1);
                barrier_expect(&ready[stage], TILE_BYTES + SLAB_BYTES);
                for (int i = 0; i < SLABS; i++)
                    copy_slab(&k, keys + stage * TILE_BYTES + i * SLAB_BYTES, &ready[stage], i * COLUMNS,
                              tile * KEYS, image);
                copy_slab(&v, values + stage * SLAB_BYTES, &ready[stage], 0, tile * KEYS, image);
            }
        }
    } else {
        const int group = threadIdx.x / 128 - 1;
        uint64_t query_at, key_at[STAGES], value_at[STAGES];
        float scores[64], sums[32];
        uint32_t weights[32];
        struct rows r = {{-INFINITY, -INFINITY}, {0, 0}};

        asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        query_at = describe(queries + group * 64 * COLUMNS * 2);
        for (int i = 0; i < STAGES; i++) {
            key_at[i] = describe(keys + i * TILE_BYTES);
            value_at[i] = describe(values + i * SLAB_BYTES);
        }
        for (int i = 0; i < 32; i++)
            sums[i] = 0;
        for (int i = 0; i < 64; i++)
            scores[i] = 0;
        barrier_wait(&query_ready, 0);
        barrier_wait(&ready[0], 0);
        pipeline_begin(scores, sums);
        multiply_tile(scores, query_at, key_at[0]);
        pipeline_end(scores, sums);
        for (int n = 0; n < end - begin - 1; n++) {
            const int stage = n % STAGES, next = (n + 1) % STAGES;
            const uint64_t keys_next = next ? key_at[1] : key_at[0],
                           values_now = stage ? value_at[1] : value_at[0];

            soften(scores, sums, weights, &r, s.factor);
            barrier_wait(&ready[next], (n + 1) / STAGES & 1);
            pipeline_begin(scores, sums);
            add_values(sums, weights, values_now);
            multiply_tile(scores, query_at, keys_next);
            pipeline_end(scores, sums);
            if (threadIdx.x % 128 == 0)
                barrier_arrive(&used[stage]);
        }
        mask_scores(scores, s.keys - (end - 1) * KEYS);
        soften(scores, sums, weights, &r, s.factor);
        pipeline_begin(scores, sums);
        add_values(sums, weights, (end - begin - 1) % STAGES ? value_at[1] : value_at[0]);
        pipeline_end(scores, sums);
        store(sums, &r, s, first + 64 * group, image, split, out, partial);
    }
#endif
}

/* Joins the shares of the keys: a thread for two channels of a row. */
__global__ static void join(const float *__restrict__ partial, __half *__restrict__ out, int rows, int splits)
{
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    const float *maxima = partial + (long long)splits * rows * VALUES,
                *weights = maxima + (long long)splits * rows;
    const long long row = i / (VALUES / 2);
    const int channel = (int)(i % (VALUES / 2)) * 2;
    float maximum = -INFINITY, a = 0, b = 0, weight = 0;

    if (row >= rows)
        return;
    for (int s = 0; s < splits; s++)
        maximum = fmaxf(maximum, maxima[(long long)s * rows + row]);
    for (int s = 0; s < splits; s++) {
        const float scale = exp2f(maxima[(long long)s * rows + row] - maximum);
        const float2 v = *(const float2 *)(partial + ((long long)s * rows + row) * VALUES + channel);

        a += v.x * scale;
        b += v.y * scale;
        weight += weights[(long long)s * rows + row] * scale;
    }
    *(__half2 *)(out + row * VALUES + channel) = __floats2half2_rn(a / weight, b / weight);
}

int vsm_cuda_attention_available(void)
{
    int major = 0, minor = 0;

    if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0) != cudaSuccess ||
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0) != cudaSuccess) {
        cudaGetLastError();
        return 0;
    }
    return major == 9 && minor == 0;
}

int vsm_cuda_attention_create(struct vsm_cuda_attention **attention)
{
    struct vsm_cuda_attention *a = (struct vsm_cuda_attention *)vsm_mem_alloc("attention", 1, sizeof(*a));
    cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
    int status = a ? VSM_OK : VSM_E_NOMEM;

    *attention = NULL;
    if (!status)
        status =
            vsm_cuda_status(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", (void **)&a->encode,
                                                             12000, cudaEnableDefault, &found),
                            "attention");
    if (!status && found != cudaDriverEntryPointSuccess)
        status =
            vsm_fail(VSM_E_DEVICE, "CUDA: attention: the driver has no tensor maps; install a newer one");
    if (!status)
        status =
            vsm_cuda_status(cudaDeviceGetAttribute(&a->multiprocessors, cudaDevAttrMultiProcessorCount, 0),
                            "attention");
    if (!status)
        status = vsm_cuda_status(cudaFuncSetAttribute(attend, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                      SHARED_BYTES),
                                 "attention");
    if (status) {
        vsm_mem_free(a);
        return status;
    }
    *attention = a;
    return VSM_OK;
}

void vsm_cuda_attention_destroy(struct vsm_cuda_attention *attention)
{
    if (!attention)
        return;
    cudaFree(attention->partial);
    vsm_mem_free(attention);
}

/* Slabs of [batch][rows][channels]; rows that are not there read as zeros. */
static int make_map(const struct vsm_cuda_attention *a, CUtensorMap *map, const void *at, int64_t batch,
                    int64_t rows, int64_t channels)
{
    const cuuint64_t dims[] = {(cuuint64_t)channels, (cuuint64_t)rows, (cuuint64_t)batch};
    const cuuint64_t strides[] = {(cuuint64_t)channels * 2, (cuuint64_t)(channels * rows) * 2};
    const cuuint32_t box[] = {COLUMNS, 128, 1}, steps[] = {1, 1, 1};
    const CUresult result = a->encode(map, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 3, (void *)at, dims, strides, box,
                                      steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                      CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);

    return result == CUDA_SUCCESS
               ? VSM_OK
               : vsm_fail(VSM_E_DEVICE, "CUDA: attention: no tensor map (error %d)", (int)result);
}

static int reserve(struct vsm_cuda_attention *a, size_t bytes)
{
    int status;

    if (a->bytes >= bytes)
        return VSM_OK;
    cudaFree(a->partial);
    a->partial = NULL;
    status = vsm_cuda_status(cudaMalloc((void **)&a->partial, bytes), "memory for attention");
    a->bytes = status ? 0 : bytes;
    return status;
}

int vsm_cuda_attention_run(struct vsm_cuda_attention *attention, int64_t batch, int64_t queries, int64_t keys,
                           const void *q, const void *k, const void *v, void *out,
                           struct vsm_cuda_stream *stream)
{
    const unsigned blocks = vsm_cuda_blocks(queries, QUERIES);
    struct shape s = {(int)queries, (int)keys, (int)((keys + KEYS - 1) / KEYS), 1, (int)(batch * queries), 0};
    CUtensorMap maps[3];
    int status;

    if (batch < 1 || queries < 1 || keys < 1 || batch > 65535 || queries > 1 << 24 || keys > 1 << 24)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: attention of %lld x %lld to %lld", (long long)batch,
                        (long long)queries, (long long)keys);
    s.factor = 1.44269504f / sqrtf((float)DIM);
    while (s.splits < MAX_SPLITS && s.splits < s.tiles &&
           (int64_t)blocks * batch * (s.splits + 1) <= attention->multiprocessors)
        s.splits++;
    status = make_map(attention, &maps[0], q, batch, queries, DIM);
    if (!status)
        status = make_map(attention, &maps[1], k, batch, keys, DIM);
    if (!status)
        status = make_map(attention, &maps[2], v, batch, keys, VALUES);
    if (!status && s.splits > 1)
        status = reserve(attention, (size_t)s.splits * (size_t)s.rows * (VALUES + 2) * sizeof(float));
    if (status)
        return status;
    attend<<<dim3(blocks, (unsigned)s.splits, (unsigned)batch), THREADS, SHARED_BYTES,
             vsm_cuda_raw(stream)>>>(maps[0], maps[1], maps[2], (__half *)out, attention->partial, s);
    status = vsm_cuda_launched("attention");
    if (!status && s.splits > 1) {
        join<<<vsm_cuda_blocks((long long)s.rows * (VALUES / 2), 256), 256, 0, vsm_cuda_raw(stream)>>>(
            attention->partial, (__half *)out, s.rows, s.splits);
        status = vsm_cuda_launched("attention");
    }
    return status;
}
