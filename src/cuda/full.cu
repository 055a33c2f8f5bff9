#include "cuda/full.h"

#include "cuda/check.cuh"

#define THREADS 128
#define STEP    16  /* input channels in shared memory at a time */
#define EACH    4   /* output channels, and pixels, a thread */
#define LARGE   64  /* sides of a block's tile of output channels and pixels */
#define SMALL   32
#define FULL    264 /* blocks that occupy the largest devices: two for each multiprocessor */
#define GROUP   16  /* output channels a block of a picture's convolution */

static __device__ __forceinline__ float activate(float v, int act)
{
    switch (act) {
    case VSM_CUDA_ACT_RELU:
        return fmaxf(v, 0);
    case VSM_CUDA_ACT_RELU6:
        return fminf(fmaxf(v, 0), 6);
    case VSM_CUDA_ACT_SIGMOID:
        return 1.0f / (1.0f + expf(-v));
    default:
        return v;
    }
}

/* Output cell i of a doubled axis lies between cells `low` and `high` of `cells`. */
static __device__ __forceinline__ void neighbours(int i, int cells, int *low, int *high, float *share)
{
    const int at = (i - 1) >> 1;

    *share = i & 1 ? 0.25f : 0.75f;
    *low = max(at, 0);
    *high = min(at + 1, cells - 1);
}

static __device__ __forceinline__ float residual_at(const struct vsm_cuda_full &f, size_t plane, int cell)
{
    if (!f.residual)
        return 0;
    if (!f.doubled)
        return __ldg(f.residual + plane * f.height * f.width + cell);
    const int height = f.height / 2, width = f.width / 2;
    const float *from = f.residual + plane * height * width;
    int x0, x1, y0, y1;
    float sx, sy;

    neighbours(cell % f.width, width, &x0, &x1, &sx);
    neighbours(cell / f.width, height, &y0, &y1, &sy);
    return (1 - sy) * ((1 - sx) * __ldg(from + y0 * width + x0) + sx * __ldg(from + y0 * width + x1)) +
           sy * ((1 - sx) * __ldg(from + y1 * width + x0) + sx * __ldg(from + y1 * width + x1));
}

/* A matrix product: a block makes TILE output channels of TILE pixels, a thread EACH of both. */
template <int TILE>
static __global__ void __launch_bounds__(TILE *TILE / EACH / EACH)
    point_kernel(const __grid_constant__ struct vsm_cuda_full f)
{
    __shared__ __align__(16) float weights[STEP][TILE + EACH], in[STEP][TILE];
    const int threads = TILE * TILE / EACH / EACH, across = TILE / EACH, cells = f.height * f.width;
    const int first = (int)blockIdx.x * TILE, out = (int)blockIdx.y * TILE, image = blockIdx.z;
    const int column = (int)threadIdx.x % across * EACH, row = (int)threadIdx.x / across * EACH;
    const float *from = f.in + (size_t)image * f.ins * cells;
    float sum[EACH][EACH] = {};

    for (int k0 = 0; k0 < f.ins; k0 += STEP) {
        for (int i = threadIdx.x; i < STEP * TILE; i += threads) {
            const int k = k0 + i / TILE, cell = first + i % TILE;
            const int o = out + i / STEP, w = k0 + i % STEP;

            in[i / TILE][i % TILE] = k < f.ins && cell < cells ? __ldg(from + (size_t)k * cells + cell) : 0;
            weights[i % STEP][i / STEP] =
                o < f.outs && w < f.ins ? __ldg(f.weights + (size_t)o * f.ins + w) : 0;
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < STEP; k++) {
            const float4 a = *(const float4 *)&weights[k][row], b = *(const float4 *)&in[k][column];
            const float left[EACH] = {a.x, a.y, a.z, a.w}, right[EACH] = {b.x, b.y, b.z, b.w};

#pragma unroll
            for (int o = 0; o < EACH; o++)
#pragma unroll
                for (int p = 0; p < EACH; p++)
                    sum[o][p] += left[o] * right[p];
        }
        __syncthreads();
    }
#pragma unroll
    for (int o = 0; o < EACH; o++) {
        const int channel = out + row + o, cell = first + column;
        const size_t plane = (size_t)image * f.outs + channel;
        const float bias = channel < f.outs && f.bias ? __ldg(f.bias + channel) : 0;
        float v[EACH];

        if (channel >= f.outs)
            break;
#pragma unroll
        for (int p = 0; p < EACH; p++)
            v[p] = cell + p < cells ? activate(sum[o][p] + bias, f.act) + residual_at(f, plane, cell + p) : 0;
        if (cells % EACH == 0 && cell < cells) {
            *(float4 *)(f.out + plane * cells + cell) = make_float4(v[0], v[1], v[2], v[3]);
            continue;
        }
#pragma unroll
        for (int p = 0; p < EACH; p++)
            if (cell + p < cells)
                f.out[plane * cells + cell + p] = v[p];
    }
}

struct place {
    int out_height, out_width, before; /* rows and columns of border above and to the left */
};

/* A thread makes one pixel of GROUP channels. */
static __global__ void __launch_bounds__(THREADS)
    picture_kernel(const __grid_constant__ struct vsm_cuda_full f, struct place place)
{
    const int taps = VSM_CUDA_FULL_PICTURE * 9, first = (int)blockIdx.y * GROUP, image = blockIdx.z;
    const int cells = place.out_height * place.out_width, cell = (int)(blockIdx.x * THREADS + threadIdx.x);
    const int x0 = cell % place.out_width * f.stride - place.before;
    const int y0 = cell / place.out_width * f.stride - place.before;
    __shared__ float weights[GROUP][VSM_CUDA_FULL_PICTURE * 9];
    float in[VSM_CUDA_FULL_PICTURE * 9];

    for (int i = threadIdx.x; i < GROUP * taps; i += THREADS)
        weights[i / taps][i % taps] = first + i / taps < f.outs ? __ldg(f.weights + first * taps + i) : 0;
    __syncthreads();
    if (cell >= cells)
        return;
#pragma unroll
    for (int t = 0; t < taps; t++) {
        const int y = y0 + t % 9 / 3, x = x0 + t % 3;

        in[t] = y >= 0 && x >= 0 && y < f.height && x < f.width
                    ? __ldg(f.in + (((size_t)image * VSM_CUDA_FULL_PICTURE + t / 9) * f.height + y) * f.width + x)
                    : 0;
    }
    for (int o = 0; o < GROUP && first + o < f.outs; o++) {
        float sum = 0;

#pragma unroll
        for (int t = 0; t < taps; t++)
            sum += weights[o][t] * in[t];
        f.out[((size_t)image * f.outs + first + o) * cells + cell] =
            activate(sum + (f.bias ? __ldg(f.bias + first + o) : 0), f.act);
    }
}

static __global__ void __launch_bounds__(THREADS)
    depthwise_kernel(const __grid_constant__ struct vsm_cuda_full f, struct place place)
{
    const int channel = blockIdx.y, image = blockIdx.z, cells = place.out_height * place.out_width;
    const int cell = (int)(blockIdx.x * THREADS + threadIdx.x);
    const int x0 = cell % place.out_width * f.stride - place.before;
    const int y0 = cell / place.out_width * f.stride - place.before;
    const float *in = f.in + ((size_t)image * f.ins + channel) * f.height * f.width;
    float sum = 0;

    if (cell >= cells)
        return;
#pragma unroll
    for (int t = 0; t < 9; t++) {
        const int y = y0 + t / 3, x = x0 + t % 3;

        if (y >= 0 && x >= 0 && y < f.height && x < f.width)
            sum += __ldg(f.weights + channel * 9 + t) * __ldg(in + y * f.width + x);
    }
    f.out[((size_t)image * f.outs + channel) * cells + cell] =
        activate(sum + (f.bias ? __ldg(f.bias + channel) : 0), f.act);
}

template <int TILE> static int launch(const struct vsm_cuda_full *f, cudaStream_t stream)
{
    const dim3 grid(vsm_cuda_blocks((long long)f->height * f->width, TILE), vsm_cuda_blocks(f->outs, TILE),
                    (unsigned)f->batch);

    point_kernel<TILE><<<grid, TILE * TILE / EACH / EACH, 0, stream>>>(*f);
    return vsm_cuda_launched("convolution in float");
}

int vsm_cuda_full_run(const struct vsm_cuda_full *full, struct vsm_cuda_stream *stream)
{
    const struct place place = {(full->height + full->stride - 1) / full->stride,
                                (full->width + full->stride - 1) / full->stride,
                                full->stride == 2 && full->even ? 0 : 1};
    const unsigned blocks = vsm_cuda_blocks((long long)place.out_height * place.out_width, THREADS);
    const bool point = full->size == 1 && full->stride == 1 && !full->depthwise;
    const bool spread = full->size == 3 && (full->stride == 1 || full->stride == 2) && !full->residual &&
                        (full->depthwise ? full->ins == full->outs : full->ins == VSM_CUDA_FULL_PICTURE);

    if (!point && !spread)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: no convolution in float of size %d, stride %d, %d to %d channels",
                        full->size, full->stride, full->ins, full->outs);
    if (point && (long long)vsm_cuda_blocks((long long)full->height * full->width, LARGE) *
                         vsm_cuda_blocks(full->outs, LARGE) * full->batch >=
                     FULL)
        return launch<LARGE>(full, vsm_cuda_raw(stream));
    if (point)
        return launch<SMALL>(full, vsm_cuda_raw(stream));
    if (full->depthwise)
        depthwise_kernel<<<dim3(blocks, (unsigned)full->outs, (unsigned)full->batch), THREADS, 0,
                           vsm_cuda_raw(stream)>>>(*full, place);
    else
        picture_kernel<<<dim3(blocks, vsm_cuda_blocks(full->outs, GROUP), (unsigned)full->batch), THREADS, 0,
                         vsm_cuda_raw(stream)>>>(*full, place);
    return vsm_cuda_launched("convolution in float");
}
