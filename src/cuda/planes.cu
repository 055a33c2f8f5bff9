#include "cuda/check.cuh"
#include "cuda/eight.cuh"
#include "cuda/gelu.cuh"
#include "cuda/planes.h"

#define BLOCK 256

__device__ static float finish(float v, float bias, bool gelu)
{
    v += bias;
    return gelu ? vsm_cuda_gelu(v) : v;
}

__global__ static void __launch_bounds__(BLOCK)
    finish_eights(const eight *__restrict__ x, const __half *__restrict__ bias,
                  const eight *__restrict__ residual, eight *out, int eights, int channels, bool gelu)
{
    const int i = blockIdx.x * BLOCK + threadIdx.x;
    const long long at = (long long)blockIdx.y * eights + i;
    const float add = __half2float(bias[blockIdx.y % channels]);
    eight v, r;

    if (i >= eights)
        return;
    v = x[at];
    if (residual)
        r = residual[at];
    for (int k = 0; k < EIGHT / 2; k++) {
        float2 f = __half22float2(v.v[k]);

        f.x = finish(f.x, add, gelu);
        f.y = finish(f.y, add, gelu);
        if (residual) {
            f.x += __low2float(r.v[k]);
            f.y += __high2float(r.v[k]);
        }
        v.v[k] = __floats2half2_rn(f.x, f.y);
    }
    out[at] = v;
}

__global__ static void __launch_bounds__(BLOCK)
    finish_ones(const __half *__restrict__ x, const __half *__restrict__ bias,
                const __half *__restrict__ residual, __half *out, int pixels, int channels, bool gelu)
{
    const int i = blockIdx.x * BLOCK + threadIdx.x;
    const long long at = (long long)blockIdx.y * pixels + i;

    if (i < pixels)
        out[at] =
            __float2half_rn(finish(__half2float(x[at]), __half2float(bias[blockIdx.y % channels]), gelu) +
                            (residual ? __half2float(residual[at]) : 0));
}

__global__ static void __launch_bounds__(BLOCK)
    mean(const __half *__restrict__ x, __half *__restrict__ out, int pixels)
{
    __shared__ float parts[BLOCK / 32];
    float sum = 0;

    x += (long long)blockIdx.x * pixels;
    if (pixels % EIGHT == 0) {
        for (int i = threadIdx.x; i < pixels / EIGHT; i += BLOCK) {
            const eight v = ((const eight *)x)[i];

            for (int k = 0; k < EIGHT / 2; k++)
                sum += __low2float(v.v[k]) + __high2float(v.v[k]);
        }
    } else {
        for (int i = threadIdx.x; i < pixels; i += BLOCK)
            sum += __half2float(x[i]);
    }
    for (int mask = 16; mask; mask /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, mask);
    if (threadIdx.x % 32 == 0)
        parts[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        sum = 0;
        for (int i = 0; i < BLOCK / 32; i++)
            sum += parts[i];
        out[blockIdx.x] = __float2half_rn(sum / (float)pixels);
    }
}

static int check(const struct vsm_cuda_planes *planes)
{
    if (planes->batch * planes->channels > 65535 || planes->pixels > 1 << 30)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: %lld maps of %lld pixels",
                        (long long)(planes->batch * planes->channels), (long long)planes->pixels);
    return VSM_OK;
}

int vsm_cuda_planes_finish(const struct vsm_cuda_planes *planes, const void *x, const void *bias,
                           const void *residual, void *out, struct vsm_cuda_stream *stream)
{
    const int pixels = (int)planes->pixels, channels = (int)planes->channels;
    const unsigned maps = (unsigned)(planes->batch * planes->channels);
    const bool gelu = planes->gelu;
    const int status = check(planes);

    if (status)
        return status;
    if (pixels % EIGHT == 0)
        finish_eights<<<dim3(vsm_cuda_blocks(pixels / EIGHT, BLOCK), maps), BLOCK, 0, vsm_cuda_raw(stream)>>>(
            (const eight *)x, (const __half *)bias, (const eight *)residual, (eight *)out, pixels / EIGHT,
            channels, gelu);
    else
        finish_ones<<<dim3(vsm_cuda_blocks(pixels, BLOCK), maps), BLOCK, 0, vsm_cuda_raw(stream)>>>(
            (const __half *)x, (const __half *)bias, (const __half *)residual, (__half *)out, pixels,
            channels, gelu);
    return vsm_cuda_launched("bias");
}

int vsm_cuda_planes_mean(const struct vsm_cuda_planes *planes, const void *x, void *out,
                         struct vsm_cuda_stream *stream)
{
    const int status = check(planes);

    if (status)
        return status;
    mean<<<(unsigned)(planes->batch * planes->channels), BLOCK, 0, vsm_cuda_raw(stream)>>>(
        (const __half *)x, (__half *)out, (int)planes->pixels);
    return vsm_cuda_launched("means of maps");
}
