#include "cuda/check.cuh"
#include "cuda/eight.cuh"
#include "cuda/tokens.h"

#define BLOCK 256
#define WARP  32

struct __align__(8) four
{
    __half2 v[2];
};

__global__ static void __launch_bounds__(BLOCK)
    pool(const eight *__restrict__ x, eight *__restrict__ out, long long count, int width, int groups)
{
    const long long i = (long long)blockIdx.x * BLOCK + threadIdx.x;
    const long long token = i / groups, row = token / width;
    const long long at = (4 * row * width + 2 * (token % width)) * groups + i % groups;
    const long long below = at + 2LL * width * groups;
    eight result;

    if (i >= count)
        return;
    const eight a = x[at], b = x[at + groups], c = x[below], d = x[below + groups];

    for (int k = 0; k < EIGHT / 2; k++)
        result.v[k] = __hmax2(__hmax2(a.v[k], b.v[k]), __hmax2(c.v[k], d.v[k]));
    out[i] = result;
}

int vsm_cuda_tokens_pool(int64_t batch, int64_t height, int64_t width, int64_t channels, const void *x,
                         void *out, struct vsm_cuda_stream *stream)
{
    const long long count = (long long)batch * (height / 2) * (width / 2) * (channels / EIGHT);

    if (channels % EIGHT != 0 || height % 2 != 0 || width % 2 != 0)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: maxima of %lld x %lld tokens of %lld channels",
                        (long long)height, (long long)width, (long long)channels);
    pool<<<vsm_cuda_blocks(count, BLOCK), BLOCK, 0, vsm_cuda_raw(stream)>>>((const eight *)x, (eight *)out,
                                                                            count, (int)(width / 2),
                                                                            (int)(channels / EIGHT));
    return vsm_cuda_launched("maxima of tokens");
}

__global__ static void __launch_bounds__(BLOCK)
    rotate(const eight *__restrict__ x, const four *__restrict__ cosine, const four *__restrict__ sine,
           const eight *__restrict__ still, eight *__restrict__ out, long long count, int rows, int period,
           int still_rows, int groups)
{
    const long long i = (long long)blockIdx.x * BLOCK + threadIdx.x;
    const int group = (int)(i % groups);
    const long long row = i / groups % (rows + still_rows), image = i / groups / (rows + still_rows);
    eight v;
    four c, s;

    if (i >= count)
        return;
    if (row >= rows) {
        out[i] = still[(image * still_rows + row - rows) * groups + group];
        return;
    }
    v = x[(image * rows + row) * groups + group];
    c = cosine[row % period * groups + group];
    s = sine[row % period * groups + group];
    for (int k = 0; k < EIGHT / 2; k++) {
        const float2 f = __half22float2(v.v[k]), cs = __half22float2(c.v[k / 2]),
                     sn = __half22float2(s.v[k / 2]);
        const float co = k % 2 ? cs.y : cs.x, si = k % 2 ? sn.y : sn.x;

        v.v[k] = __floats2half2_rn(f.x * co - f.y * si, f.y * co + f.x * si);
    }
    out[i] = v;
}

int vsm_cuda_tokens_rotate(const struct vsm_cuda_tokens_rotation *rotation, const void *x, const void *cosine,
                           const void *sine, const void *still, void *out, struct vsm_cuda_stream *stream)
{
    const int groups = (int)(rotation->channels / EIGHT);
    const long long count = (long long)rotation->batch * (rotation->rows + rotation->still) * groups;

    if (rotation->channels % EIGHT != 0 || rotation->period < 1)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: rotary positions of %lld channels",
                        (long long)rotation->channels);
    rotate<<<vsm_cuda_blocks(count, BLOCK), BLOCK, 0, vsm_cuda_raw(stream)>>>(
        (const eight *)x, (const four *)cosine, (const four *)sine, (const eight *)still, (eight *)out, count,
        (int)rotation->rows, (int)rotation->period, (int)rotation->still, groups);
    return vsm_cuda_launched("rotary positions");
}

/* A warp for each group, two channels a lane; the softmax's sum is scaled anew where a larger weight
 * comes. */
__global__ static void __launch_bounds__(BLOCK)
    latent(const __half2 *__restrict__ q, const __half2 *__restrict__ k, const __half2 *__restrict__ v,
           __half2 *__restrict__ out, long long groups, int rows)
{
    const long long group = (long long)blockIdx.x * (BLOCK / WARP) + threadIdx.x / WARP;
    const int lane = threadIdx.x % WARP;
    float largest = -INFINITY, sum = 0;
    float2 seen = {0, 0};

    if (group >= groups)
        return;
    const float2 query = __half22float2(q[group * WARP + lane]);

    for (int i = 0; i < rows; i++) {
        const long long at = (group * rows + i) * WARP + lane;
        const float2 key = __half22float2(k[at]), value = __half22float2(v[at]);
        float weight = query.x * key.x + query.y * key.y;

        for (int step = WARP / 2; step > 0; step /= 2)
            weight += __shfl_xor_sync(0xffffffff, weight, step);
        weight *= 0.125f; /* 1 / sqrt(VSM_CUDA_TOKENS_LATENT) */

        const float top = fmaxf(largest, weight), before = __expf(largest - top), now = __expf(weight - top);

        largest = top;
        sum = sum * before + now;
        seen.x = seen.x * before + now * value.x;
        seen.y = seen.y * before + now * value.y;
    }
    out[group * WARP + lane] = __floats2half2_rn(seen.x / sum, seen.y / sum);
}

int vsm_cuda_tokens_latent(int64_t groups, int64_t rows, const void *q, const void *k, const void *v,
                           void *out, struct vsm_cuda_stream *stream)
{
    if (rows < 1 || rows > INT32_MAX)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: attention of one query to %lld rows", (long long)rows);
    latent<<<vsm_cuda_blocks(groups, BLOCK / WARP), BLOCK, 0, vsm_cuda_raw(stream)>>>(
        (const __half2 *)q, (const __half2 *)k, (const __half2 *)v, (__half2 *)out, groups, (int)rows);
    return vsm_cuda_launched("attention of one query");
}
