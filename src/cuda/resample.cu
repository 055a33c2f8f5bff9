#include "cuda/resample.h"

#include "cuda/check.cuh"

#define THREADS 256

struct three {
    float v[3];
};

static __global__ void image_kernel(const float *rgb, int cells, struct three mean, struct three gain,
                                    struct vsm_cuda_view out)
{
    const int cell = (int)(blockIdx.x * THREADS + threadIdx.x), image = blockIdx.y;
    float x[3], n[3];
    __half2 h[4];

    if (cell >= cells)
        return;
    for (int c = 0; c < 3; c++) {
        x[c] = __ldg(rgb + ((size_t)image * 3 + c) * cells + cell);
        n[c] = (x[c] - mean.v[c]) * gain.v[c];
    }
    h[0] = __floats2half2_rn(x[0], x[1]);
    h[1] = __floats2half2_rn(x[2], n[0]);
    h[2] = __floats2half2_rn(n[1], n[2]);
    h[3] = __floats2half2_rn(0, 0);
    *(uint4 *)((__half *)out.data + ((size_t)image * cells + cell) * out.pitch) = *(uint4 *)h;
}

int vsm_cuda_resample_image(const float *rgb, int batch, int cells, const float mean[3], const float gain[3],
                            struct vsm_cuda_view out, struct vsm_cuda_stream *stream)
{
    const struct three m = {{mean[0], mean[1], mean[2]}}, g = {{gain[0], gain[1], gain[2]}};

    image_kernel<<<dim3(vsm_cuda_blocks(cells, THREADS), (unsigned)batch), THREADS, 0, vsm_cuda_raw(stream)>>>(
        rgb, cells, m, g, out);
    return vsm_cuda_launched("image");
}

static __device__ __forceinline__ void add_eight(float sum[8], const struct vsm_cuda_view &in, size_t pixel,
                                                 int channel, float weight)
{
    uint4 raw = __ldg((const uint4 *)((const __half *)in.data + pixel * in.pitch + channel));
    const __half2 *h = (const __half2 *)&raw;

#pragma unroll
    for (int i = 0; i < 4; i++) {
        float2 f = __half22float2(h[i]);

        sum[2 * i] += weight * f.x;
        sum[2 * i + 1] += weight * f.y;
    }
}

static __device__ __forceinline__ void store_eight(const float v[8], const struct vsm_cuda_view &out, size_t pixel,
                                                   int channel)
{
    __half2 h[4];

#pragma unroll
    for (int i = 0; i < 4; i++)
        h[i] = __floats2half2_rn(v[2 * i], v[2 * i + 1]);
    *(uint4 *)((__half *)out.data + pixel * out.pitch + channel) = *(uint4 *)h;
}

static __global__ void halve_kernel(struct vsm_cuda_view in, int height, int width, struct vsm_cuda_view out)
{
    const int x = (int)(blockIdx.x * THREADS + threadIdx.x), y = blockIdx.y, image = blockIdx.z;
    const size_t from = ((size_t)image * height + 2 * y) * width + 2 * x;
    float sum[8] = {};

    if (x >= width / 2)
        return;
    add_eight(sum, in, from, 0, 0.25f);
    add_eight(sum, in, from + 1, 0, 0.25f);
    add_eight(sum, in, from + width, 0, 0.25f);
    add_eight(sum, in, from + width + 1, 0, 0.25f);
    store_eight(sum, out, ((size_t)image * (height / 2) + y) * (width / 2) + x, 0);
}

int vsm_cuda_resample_halve(struct vsm_cuda_view in, int batch, int height, int width, struct vsm_cuda_view out,
                            struct vsm_cuda_stream *stream)
{
    if (in.channels != 8)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: halving %d channels; must be 8", in.channels);
    halve_kernel<<<dim3(vsm_cuda_blocks(width / 2, THREADS), (unsigned)height / 2, (unsigned)batch), THREADS, 0,
                   vsm_cuda_raw(stream)>>>(in, height, width, out);
    return vsm_cuda_launched("halving");
}

struct join {
    struct vsm_cuda_view parts[VSM_CUDA_MAX_PARTS], out;
    int doubled[VSM_CUDA_MAX_PARTS];
    int height, width, groups;
};

/* Output cell i of a doubled axis lies between cells `low` and `low + 1` of `cells`, the odd ones a quarter
 * after the centre of low, the even ones three quarters. */
static __device__ __forceinline__ void neighbours(int i, int cells, int *low, int *high, float *share)
{
    int at = (i - 1) >> 1;

    *share = i & 1 ? 0.25f : 0.75f;
    *low = max(at, 0);
    *high = min(at + 1, cells - 1);
}

static __global__ void join_kernel(const __grid_constant__ struct join j)
{
    const int i = (int)(blockIdx.x * THREADS + threadIdx.x), x = i / j.groups, y = blockIdx.y, image = blockIdx.z;
    int to = i % j.groups * 8, channel = to, part = 0;

    if (x >= j.width)
        return;
    while (channel >= j.parts[part].channels)
        channel -= j.parts[part++].channels;
    const struct vsm_cuda_view in = j.parts[part];
    const size_t pixel = ((size_t)image * j.height + y) * j.width + x;

    if (!j.doubled[part]) {
        *(uint4 *)((__half *)j.out.data + pixel * j.out.pitch + to) =
            __ldg((const uint4 *)((const __half *)in.data + pixel * in.pitch + channel));
        return;
    }
    const int height = j.height / 2, width = j.width / 2;
    int x0, x1, y0, y1;
    float sx, sy, sum[8] = {};

    neighbours(x, width, &x0, &x1, &sx);
    neighbours(y, height, &y0, &y1, &sy);
    const size_t top = ((size_t)image * height + y0) * width, bottom = ((size_t)image * height + y1) * width;

    add_eight(sum, in, top + x0, channel, (1 - sx) * (1 - sy));
    add_eight(sum, in, top + x1, channel, sx * (1 - sy));
    add_eight(sum, in, bottom + x0, channel, (1 - sx) * sy);
    add_eight(sum, in, bottom + x1, channel, sx * sy);
    store_eight(sum, j.out, pixel, to);
}

int vsm_cuda_resample_join(const struct vsm_cuda_view *parts, const int *doubled, int count, int batch, int height,
                           int width, struct vsm_cuda_view out, struct vsm_cuda_stream *stream)
{
    struct join j = {};

    if (count > VSM_CUDA_MAX_PARTS)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: %d parts to join; at most %d", count, VSM_CUDA_MAX_PARTS);
    for (int i = 0; i < count; i++) {
        j.parts[i] = parts[i];
        j.doubled[i] = doubled[i];
        j.groups += parts[i].channels / 8;
    }
    j.out = out;
    j.height = height;
    j.width = width;
    join_kernel<<<dim3(vsm_cuda_blocks((long long)width * j.groups, THREADS), (unsigned)height, (unsigned)batch),
                  THREADS, 0, vsm_cuda_raw(stream)>>>(j);
    return vsm_cuda_launched("joining");
}

static __global__ void pack_kernel(const float *planes, int channels, int cells, struct vsm_cuda_view out)
{
    const int cell = (int)(blockIdx.x * THREADS + threadIdx.x), first = blockIdx.y * 8, image = blockIdx.z;
    float v[8];

    if (cell >= cells)
        return;
    for (int i = 0; i < 8; i++)
        v[i] = first + i < channels ? planes[((size_t)image * channels + first + i) * cells + cell] : 0;
    store_eight(v, out, (size_t)image * cells + cell, first);
}

int vsm_cuda_resample_pack(const float *planes, int batch, int channels, int cells, struct vsm_cuda_view out,
                           struct vsm_cuda_stream *stream)
{
    pack_kernel<<<dim3(vsm_cuda_blocks(cells, THREADS), (unsigned)out.channels / 8, (unsigned)batch), THREADS, 0,
                  vsm_cuda_raw(stream)>>>(planes, channels, cells, out);
    return vsm_cuda_launched("packing");
}

static __global__ void planes_kernel(const float4 *pixels, int groups, int cells, float *planes)
{
    const int cell = (int)(blockIdx.x * THREADS + threadIdx.x), group = blockIdx.y, image = blockIdx.z;
    float *to = planes + ((size_t)image * groups + group) * 4 * cells + cell;

    if (cell >= cells)
        return;
    float4 v = pixels[((size_t)image * cells + cell) * groups + group];

    to[0] = v.x;
    to[cells] = v.y;
    to[2 * (size_t)cells] = v.z;
    to[3 * (size_t)cells] = v.w;
}

int vsm_cuda_resample_planes(const float *pixels, int batch, int channels, int cells, float *planes,
                             struct vsm_cuda_stream *stream)
{
    planes_kernel<<<dim3(vsm_cuda_blocks(cells, THREADS), (unsigned)channels / 4, (unsigned)batch), THREADS, 0,
                    vsm_cuda_raw(stream)>>>((const float4 *)pixels, channels / 4, cells, planes);
    return vsm_cuda_launched("unpacking");
}
