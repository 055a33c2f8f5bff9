#include "cuda/depthwise.h"

#include "cuda/check.cuh"

#define THREADS 128
#define RUN     4 /* output columns a thread */

struct eight {
    float v[8];
};

static __device__ __forceinline__ struct eight load_eight(const __half *from)
{
    uint4 raw = __ldg((const uint4 *)from);
    const __half2 *h = (const __half2 *)&raw;
    struct eight e;

#pragma unroll
    for (int i = 0; i < 4; i++) {
        float2 f = __half22float2(h[i]);

        e.v[2 * i] = f.x;
        e.v[2 * i + 1] = f.y;
    }
    return e;
}

static __device__ __forceinline__ float activate(float v, int act)
{
    return act == VSM_CUDA_ACT_RELU        ? fmaxf(v, 0)
           : act == VSM_CUDA_ACT_HARDSWISH ? v * __saturatef(v * (1.0f / 6.0f) + 0.5f)
                                           : v;
}

template <int SIZE, int STRIDE, int DILATION>
__global__ void __launch_bounds__(THREADS) depthwise_kernel(const struct vsm_cuda_depthwise d, int out_height,
                                                            int out_width, int runs)
{
    const int groups = d.in.channels / 8, pad = SIZE / 2 * DILATION;
    const int i = (int)(blockIdx.x * THREADS + threadIdx.x), channel = i % groups * 8, x0 = i / groups * RUN;
    const int y0 = blockIdx.y, image = blockIdx.z;
    struct eight sum[RUN];

    if (i >= groups * runs)
        return;
#pragma unroll
    for (int r = 0; r < RUN; r++)
#pragma unroll
        for (int c = 0; c < 8; c++)
            sum[r].v[c] = __ldg(d.bias + channel + c);
    for (int ky = 0; ky < SIZE; ky++) {
        const int y = y0 * STRIDE + ky * DILATION - pad;
        const __half *row = (const __half *)d.in.data + ((size_t)image * d.height + y) * d.width * d.in.pitch + channel;
        const float *weights = d.weights + (size_t)ky * SIZE * d.in.channels + channel;

        if (y < 0 || y >= d.height)
            continue;
#pragma unroll
        for (int column = 0; column < (RUN - 1) * STRIDE + (SIZE - 1) * DILATION + 1; column++) {
            const int x = x0 * STRIDE + column - pad;

            if (x < 0 || x >= d.width)
                continue;
            struct eight in = load_eight(row + (size_t)x * d.in.pitch);

#pragma unroll
            for (int r = 0; r < RUN; r++) {
                const int offset = column - r * STRIDE, kx = offset / DILATION;

                if (offset < 0 || offset % DILATION || kx >= SIZE)
                    continue;
                const float4 low = __ldg((const float4 *)(weights + kx * d.in.channels));
                const float4 high = __ldg((const float4 *)(weights + kx * d.in.channels + 4));

                sum[r].v[0] += low.x * in.v[0];
                sum[r].v[1] += low.y * in.v[1];
                sum[r].v[2] += low.z * in.v[2];
                sum[r].v[3] += low.w * in.v[3];
                sum[r].v[4] += high.x * in.v[4];
                sum[r].v[5] += high.y * in.v[5];
                sum[r].v[6] += high.z * in.v[6];
                sum[r].v[7] += high.w * in.v[7];
            }
        }
    }
#pragma unroll
    for (int r = 0; r < RUN; r++) {
        __half2 h[4];

        if (x0 + r >= out_width)
            break;
#pragma unroll
        for (int c = 0; c < 4; c++)
            h[c] = __floats2half2_rn(activate(sum[r].v[2 * c], d.act), activate(sum[r].v[2 * c + 1], d.act));
        *(uint4 *)((__half *)d.out.data +
                   (((size_t)image * out_height + y0) * out_width + x0 + r) * d.out.pitch + channel) = *(uint4 *)h;
    }
}

template <int SIZE, int STRIDE, int DILATION>
static int launch(const struct vsm_cuda_depthwise *d, cudaStream_t stream)
{
    const int height = (d->height + STRIDE - 1) / STRIDE, width = (d->width + STRIDE - 1) / STRIDE;
    const int runs = (width + RUN - 1) / RUN;
    const dim3 grid(vsm_cuda_blocks((long long)runs * (d->in.channels / 8), THREADS), (unsigned)height,
                    (unsigned)d->batch);

    depthwise_kernel<SIZE, STRIDE, DILATION><<<grid, THREADS, 0, stream>>>(*d, height, width, runs);
    return vsm_cuda_launched("depthwise convolution");
}

int vsm_cuda_depthwise_run(const struct vsm_cuda_depthwise *d, struct vsm_cuda_stream *stream)
{
    cudaStream_t raw = vsm_cuda_raw(stream);

    if (d->size == 3 && d->stride == 1 && d->dilation == 1)
        return launch<3, 1, 1>(d, raw);
    if (d->size == 3 && d->stride == 2 && d->dilation == 1)
        return launch<3, 2, 1>(d, raw);
    if (d->size == 5 && d->stride == 1 && d->dilation == 1)
        return launch<5, 1, 1>(d, raw);
    if (d->size == 5 && d->stride == 2 && d->dilation == 1)
        return launch<5, 2, 1>(d, raw);
    if (d->size == 5 && d->stride == 1 && d->dilation == 2)
        return launch<5, 1, 2>(d, raw);
    return vsm_fail(VSM_E_INTERNAL, "CUDA: no depthwise convolution of size %d, stride %d, dilation %d", d->size,
                    d->stride, d->dilation);
}
