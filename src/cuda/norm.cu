#include "cuda/check.cuh"
#include "cuda/gelu.cuh"
#include "cuda/norm.h"

#define BLOCK 256

struct four {
    __half2 low, high;
};

__device__ static float4 load(const float *at)
{
    return *(const float4 *)at;
}

__device__ static float4 load(const __half *at)
{
    const four v = *(const four *)at;
    const float2 low = __half22float2(v.low), high = __half22float2(v.high);

    return make_float4(low.x, low.y, high.x, high.y);
}

__device__ static float finish(float v, float mean, float factor, float scale, float bias, bool gelu)
{
    v = (v - mean) * factor * scale + bias;
    return gelu ? vsm_cuda_gelu(v) : v;
}

/* `lanes` threads, a power of two up to 32, share a row; each has N groups of four channels. */
template <typename T, int N>
__global__ static void __launch_bounds__(BLOCK)
    normalise(const T *__restrict__ x, const __half *__restrict__ scale, const __half *__restrict__ bias,
              __half *__restrict__ out, long long rows, int channels, int lanes, float epsilon, bool gelu)
{
    const int lane = threadIdx.x & (lanes - 1);
    const long long row = ((long long)blockIdx.x * BLOCK + threadIdx.x) / lanes;
    const bool inside = row < rows;
    float4 v[N];
    float sum = 0, squares = 0;

    for (int i = 0; i < N; i++) {
        v[i] = inside ? load(x + row * channels + 4 * (lane + i * lanes)) : make_float4(0, 0, 0, 0);
        sum += v[i].x + v[i].y + (v[i].z + v[i].w);
    }
    for (int mask = lanes / 2; mask; mask /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, mask);
    sum /= (float)channels;
    for (int i = 0; i < N; i++) {
        const float a = v[i].x - sum, b = v[i].y - sum, c = v[i].z - sum, d = v[i].w - sum;

        squares += a * a + b * b + (c * c + d * d);
    }
    for (int mask = lanes / 2; mask; mask /= 2)
        squares += __shfl_xor_sync(0xffffffff, squares, mask);
    squares = rsqrtf(squares / (float)channels + epsilon);
    if (!inside)
        return;
    for (int i = 0; i < N; i++) {
        const int at = 4 * (lane + i * lanes);
        const float4 s = load(scale + at), b = load(bias + at);
        four result;

        result.low = __floats2half2_rn(finish(v[i].x, sum, squares, s.x, b.x, gelu),
                                       finish(v[i].y, sum, squares, s.y, b.y, gelu));
        result.high = __floats2half2_rn(finish(v[i].z, sum, squares, s.z, b.z, gelu),
                                        finish(v[i].w, sum, squares, s.w, b.w, gelu));
        *(four *)(out + row * channels + at) = result;
    }
}

template <typename T>
static int run(const struct vsm_cuda_norm *norm, const T *x, const __half *scale, const __half *bias,
               __half *out, cudaStream_t stream)
{
    const int lanes = vsm_cuda_norm_lanes(norm->channels);
    const unsigned blocks = vsm_cuda_blocks((long long)norm->rows * lanes, BLOCK);
    const bool gelu = norm->gelu;

#define CASE(N)                                                                                              \
    case N:                                                                                                  \
        normalise<T, N><<<blocks, BLOCK, 0, stream>>>(x, scale, bias, out, norm->rows, norm->channels,       \
                                                      lanes, norm->epsilon, gelu);                           \
        break
    switch (norm->channels / (4 * lanes)) {
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
        CASE(7);
        CASE(8);
        CASE(9);
    }
#undef CASE
    return vsm_cuda_launched("norm");
}

int vsm_cuda_norm_run(const struct vsm_cuda_norm *norm, const void *x, const void *scale, const void *bias,
                      void *out, struct vsm_cuda_stream *stream)
{
    if (vsm_cuda_norm_lanes(norm->channels) == 0)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: norm: %d channels", norm->channels);
    if (norm->rows == 0)
        return VSM_OK;
    if (norm->full)
        return run(norm, (const float *)x, (const __half *)scale, (const __half *)bias, (__half *)out,
                   vsm_cuda_raw(stream));
    return run(norm, (const __half *)x, (const __half *)scale, (const __half *)bias, (__half *)out,
               vsm_cuda_raw(stream));
}
