#include "cuda/check.cuh"
#include "cuda/eight.cuh"
#include "cuda/patches.h"

#define BLOCK 256
#define SIDE  7 /* of depthwise kernels */
#define STRIP 4 /* pixels in a row that a thread computes of them */
#define MOST  36

/* A thread writes eight columns of a row. */
__global__ static void __launch_bounds__(BLOCK)
    unfold(const __half *__restrict__ x, eight *__restrict__ out, struct vsm_cuda_patches p, int down,
           int across, long long count)
{
    const long long i = (long long)blockIdx.x * BLOCK + threadIdx.x;
    const int groups = (int)(p.columns / EIGHT), first = (int)(i % groups) * EIGHT;
    const long long row = i / groups, image = row / across / down;
    const int top = (int)(row / across % down) * p.stride - p.pad,
              left = (int)(row % across) * p.stride - p.pad;
    const int channels = (int)p.channels;
    __align__(16) __half v[EIGHT];

    if (i >= count)
        return;
    for (int k = 0; k < EIGHT; k++) {
        const int tap = (first + k) / channels, channel = (first + k) % channels;
        const int y = top + tap / p.kernel, xx = left + tap % p.kernel;

        v[k] = __ushort_as_half(0);
        if (tap >= p.kernel * p.kernel || y < 0 || xx < 0 || y >= p.height || xx >= p.width)
            continue;
        v[k] = p.planar ? x[((image * channels + channel) * p.height + y) * p.width + xx]
                        : x[((image * p.height + y) * p.width + xx) * channels + channel];
    }
    out[i] = *(const eight *)v;
}

/* The same where eight columns are neighbours in x. */
__global__ static void __launch_bounds__(BLOCK)
    unfold_eights(const eight *__restrict__ x, eight *__restrict__ out, struct vsm_cuda_patches p, int down,
                  int across, long long count)
{
    const long long i = (long long)blockIdx.x * BLOCK + threadIdx.x;
    const int groups = (int)(p.columns / EIGHT), depth = (int)(p.channels / EIGHT), group = (int)(i % groups);
    const long long row = i / groups, image = row / across / down;
    const int tap = group / depth;
    const int y = (int)(row / across % down) * p.stride - p.pad + tap / p.kernel,
              xx = (int)(row % across) * p.stride - p.pad + tap % p.kernel;
    eight v = {};

    if (i >= count)
        return;
    if (tap < p.kernel * p.kernel && y >= 0 && xx >= 0 && y < p.height && xx < p.width)
        v = x[((image * p.height + y) * p.width + xx) * depth + group % depth];
    out[i] = v;
}

static int check(const struct vsm_cuda_patches *p, bool fits)
{
    if (fits && p->channels > 0 && p->kernel > 0 && p->stride > 0 && p->height < 1 << 20 &&
        p->width < 1 << 20)
        return VSM_OK;
    return vsm_fail(VSM_E_INTERNAL, "CUDA: patches of %d x %d pixels of %lld channels", p->kernel, p->kernel,
                    (long long)p->channels);
}

int vsm_cuda_patches_unfold(const struct vsm_cuda_patches *patches, const void *x, void *out,
                            struct vsm_cuda_stream *stream)
{
    const int down = (int)vsm_cuda_patches_along(patches, patches->height),
              across = (int)vsm_cuda_patches_along(patches, patches->width);
    const long long count = (long long)patches->batch * down * across * (patches->columns / EIGHT);
    const int status = check(patches, patches->columns % EIGHT == 0);

    if (status)
        return status;
    if (patches->channels % EIGHT == 0 && !patches->planar)
        unfold_eights<<<vsm_cuda_blocks(count, BLOCK), BLOCK, 0, vsm_cuda_raw(stream)>>>((const eight *)x,
                                                                                         (eight *)out,
                                                                                         *patches, down,
                                                                                         across, count);
    else
        unfold<<<vsm_cuda_blocks(count, BLOCK), BLOCK, 0, vsm_cuda_raw(stream)>>>((const __half *)x,
                                                                                  (eight *)out, *patches,
                                                                                  down, across, count);
    return vsm_cuda_launched("patches");
}

/* A thread computes all channels of a pixel. */
template <int IN, int OUT>
__global__ static void __launch_bounds__(BLOCK)
    convolve(const __half *__restrict__ x, const __half *__restrict__ weights,
             const __half *__restrict__ bias, __half *__restrict__ out, struct vsm_cuda_patches p, int down,
             int across, long long count)
{
    __shared__ float w[OUT * MOST];
    const long long i = (long long)blockIdx.x * BLOCK + threadIdx.x;
    const long long image = i / across / down;
    const int top = (int)(i / across % down) * p.stride - p.pad, left = (int)(i % across) * p.stride - p.pad;
    float sums[OUT];

    for (int k = threadIdx.x; k < OUT * p.columns; k += BLOCK)
        w[k] = __half2float(weights[k]);
    __syncthreads();
    if (i >= count)
        return;
    for (int o = 0; o < OUT; o++)
        sums[o] = __half2float(bias[o]);
    for (int tap = 0; tap < p.kernel * p.kernel; tap++) {
        const int y = top + tap / p.kernel, xx = left + tap % p.kernel;

        if (y < 0 || xx < 0 || y >= p.height || xx >= p.width)
            continue;
        for (int c = 0; c < IN; c++) {
            const float v = __half2float(x[((image * p.height + y) * p.width + xx) * IN + c]);

            for (int o = 0; o < OUT; o++)
                sums[o] += v * w[o * p.columns + tap * IN + c];
        }
    }
    for (int o = 0; o < OUT; o += 2)
        *(__half2 *)(out + i * OUT + o) = __floats2half2_rn(sums[o], sums[o + 1]);
}

int vsm_cuda_patches_small(const struct vsm_cuda_patches *patches, int64_t outputs, const void *x,
                           const void *weights, const void *bias, void *out, struct vsm_cuda_stream *stream)
{
    const int down = (int)vsm_cuda_patches_along(patches, patches->height),
              across = (int)vsm_cuda_patches_along(patches, patches->width);
    const long long count = (long long)patches->batch * down * across;
    const bool one = patches->channels == 1 && outputs == 4, four = patches->channels == 4 && outputs == 16;
    const int status = check(patches, (one || four) && patches->columns <= MOST &&
                                          patches->columns ==
                                              (int64_t)patches->kernel * patches->kernel * patches->channels);

    if (status)
        return status;
    if (one)
        convolve<1, 4><<<vsm_cuda_blocks(count, BLOCK), BLOCK, 0, vsm_cuda_raw(stream)>>>(
            (const __half *)x, (const __half *)weights, (const __half *)bias, (__half *)out, *patches, down,
            across, count);
    else
        convolve<4, 16><<<vsm_cuda_blocks(count, BLOCK), BLOCK, 0, vsm_cuda_raw(stream)>>>(
            (const __half *)x, (const __half *)weights, (const __half *)bias, (__half *)out, *patches, down,
            across, count);
    return vsm_cuda_launched("small convolution");
}

/* A thread computes eight channels of STRIP pixels. */
__global__ static void __launch_bounds__(BLOCK)
    depthwise(const eight *__restrict__ x, const eight *__restrict__ weights, const eight *__restrict__ bias,
              eight *__restrict__ out, int height, int width, int groups, long long count)
{
    const long long i = (long long)blockIdx.x * BLOCK + threadIdx.x;
    const int strips = (width + STRIP - 1) / STRIP, group = (int)(i % groups);
    const long long strip = i / groups, image = strip / strips / height;
    const int row = (int)(strip / strips % height), left = (int)(strip % strips) * STRIP;
    float2 sums[STRIP][EIGHT / 2];
    eight v;

    if (i >= count)
        return;
    v = bias[group];
    for (int s = 0; s < STRIP; s++)
        for (int k = 0; k < EIGHT / 2; k++)
            sums[s][k] = __half22float2(v.v[k]);
    for (int ky = 0; ky < SIDE; ky++) {
        const int y = row + ky - SIDE / 2;

        if (y < 0 || y >= height)
            continue;
#pragma unroll
        for (int column = 0; column < STRIP + SIDE - 1; column++) {
            const int at = left + column - SIDE / 2;
            float2 pixel[EIGHT / 2];

            if (at < 0 || at >= width)
                continue;
            v = x[((image * height + y) * width + at) * groups + group];
            for (int k = 0; k < EIGHT / 2; k++)
                pixel[k] = __half22float2(v.v[k]);
#pragma unroll
            for (int s = 0; s < STRIP; s++) {
                if (column - s < 0 || column - s >= SIDE)
                    continue;
                v = weights[(ky * SIDE + column - s) * groups + group];
                for (int k = 0; k < EIGHT / 2; k++) {
                    const float2 w = __half22float2(v.v[k]);

                    sums[s][k].x += pixel[k].x * w.x;
                    sums[s][k].y += pixel[k].y * w.y;
                }
            }
        }
    }
    for (int s = 0; s < STRIP; s++) {
        if (left + s >= width)
            break;
        for (int k = 0; k < EIGHT / 2; k++)
            v.v[k] = __floats2half2_rn(sums[s][k].x, sums[s][k].y);
        out[((image * height + row) * width + left + s) * groups + group] = v;
    }
}

int vsm_cuda_patches_depthwise(int64_t batch, int64_t height, int64_t width, int64_t channels, const void *x,
                               const void *weights, const void *bias, void *out,
                               struct vsm_cuda_stream *stream)
{
    const long long count = (long long)batch * height * ((width + STRIP - 1) / STRIP) * (channels / EIGHT);

    if (channels % EIGHT != 0 || channels < EIGHT || height > 1 << 20 || width > 1 << 20)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: depthwise convolution of %lld channels", (long long)channels);
    depthwise<<<vsm_cuda_blocks(count, BLOCK), BLOCK, 0, vsm_cuda_raw(stream)>>>(
        (const eight *)x, (const eight *)weights, (const eight *)bias, (eight *)out, (int)height, (int)width,
        (int)(channels / EIGHT), count);
    return vsm_cuda_launched("depthwise convolution");
}
