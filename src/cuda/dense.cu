#include "cuda/dense.h"

#include "cuda/check.cuh"

#define THREADS      256
#define MAX_CHANNELS 1024
#define OUTPUTS      8 /* a block: one a warp */

/* A block takes one part of the pixels and 8 * 32 channels: a warp's lanes are neighbours in channels, the
 * block's warps take pixels in turn. */
static __global__ void __launch_bounds__(THREADS) mean_kernel(struct vsm_cuda_view in, int cells, float *partial)
{
    __shared__ float sums[THREADS / 32][32][8];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, channel = ((int)blockIdx.y * 32 + lane) * 8;
    const int part = blockIdx.x, image = blockIdx.z;
    const int begin = (int)((long long)cells * part / VSM_CUDA_MEAN_PARTS);
    const int end = (int)((long long)cells * (part + 1) / VSM_CUDA_MEAN_PARTS);
    float sum[8] = {};

    if (channel < in.channels)
        for (int cell = begin + warp; cell < end; cell += THREADS / 32) {
            uint4 raw = __ldg((const uint4 *)((const __half *)in.data + ((size_t)image * cells + cell) * in.pitch +
                                              channel));
            const __half2 *h = (const __half2 *)&raw;

#pragma unroll
            for (int i = 0; i < 4; i++) {
                float2 f = __half22float2(h[i]);

                sum[2 * i] += f.x;
                sum[2 * i + 1] += f.y;
            }
        }
#pragma unroll
    for (int i = 0; i < 8; i++)
        sums[warp][lane][i] = sum[i];
    __syncthreads();
    if (warp || channel >= in.channels)
        return;
#pragma unroll
    for (int i = 0; i < 8; i++) {
        float total = 0;

        for (int w = 0; w < THREADS / 32; w++)
            total += sums[w][lane][i];
        partial[((size_t)image * VSM_CUDA_MEAN_PARTS + part) * in.channels + channel + i] = total / (float)cells;
    }
}

int vsm_cuda_dense_mean(struct vsm_cuda_view in, int batch, int cells, float *partial,
                        struct vsm_cuda_stream *stream)
{
    const dim3 grid(VSM_CUDA_MEAN_PARTS, vsm_cuda_blocks(in.channels, 8 * 32), (unsigned)batch);

    mean_kernel<<<grid, THREADS, 0, vsm_cuda_raw(stream)>>>(in, cells, partial);
    return vsm_cuda_launched("mean");
}

static __device__ float activate(float v, int act)
{
    return act == VSM_CUDA_ACT_RELU          ? fmaxf(v, 0)
           : act == VSM_CUDA_ACT_SIGMOID     ? 1.0f / (1.0f + __expf(-v))
           : act == VSM_CUDA_ACT_HARDSIGMOID ? __saturatef(v * (1.0f / 6.0f) + 0.5f)
                                             : v;
}

static __global__ void __launch_bounds__(THREADS) dense_kernel(const float *in, int parts, int channels, int outputs,
                                                               const float *weights, const float *bias, int act,
                                                               float *out)
{
    __shared__ float values[MAX_CHANNELS];
    const int lane = threadIdx.x & 31, o = (int)blockIdx.x * OUTPUTS + (int)(threadIdx.x >> 5), image = blockIdx.y;
    float sum = 0;

    for (int c = threadIdx.x; c < channels; c += THREADS) {
        float total = 0;

        for (int p = 0; p < parts; p++)
            total += in[((size_t)image * parts + p) * channels + c];
        values[c] = total;
    }
    __syncthreads();
    if (o >= outputs)
        return;
    for (int c = lane; c < channels; c += 32)
        sum += weights[(size_t)o * channels + c] * values[c];
    for (int step = 16; step; step /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, step);
    if (lane == 0)
        out[(size_t)image * outputs + o] = activate(sum + (bias ? bias[o] : 0), act);
}

int vsm_cuda_dense_run(const float *in, int parts, int batch, int channels, int outputs, const float *weights,
                       const float *bias, enum vsm_cuda_act act, float *out, struct vsm_cuda_stream *stream)
{
    if (channels > MAX_CHANNELS)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: dense layer over %d channels; at most %d", channels, MAX_CHANNELS);
    dense_kernel<<<dim3(vsm_cuda_blocks(outputs, OUTPUTS), (unsigned)batch), THREADS, 0, vsm_cuda_raw(stream)>>>(
        in, parts, channels, outputs, weights, bias, act, out);
    return vsm_cuda_launched("dense layer");
}
