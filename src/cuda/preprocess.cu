#include "cuda/preprocess.h"

#include "cuda/check.cuh"

#define THREADS_X 32
#define THREADS_Y 8

static __device__ __forceinline__ unsigned sample(const struct vsm_cuda_preprocess_plane &p, const uint8_t *row, int i)
{
    return p.bytes == 1 ? __ldg(row + i) : (unsigned)__ldg((const uint16_t *)row + i) >> p.shift;
}

/* Mean code values of one cell, of both channels if there are two. */
static __device__ __forceinline__ void average(const struct vsm_cuda_preprocess_plane &p, int x, int y, float out[2])
{
    const int nx = __ldg(p.x.count + x), ny = __ldg(p.y.count + y), first = __ldg(p.x.first + x) * p.channels;
    const uint16_t *wx = p.x.weight + (size_t)x * p.x.taps, *wy = p.y.weight + (size_t)y * p.y.taps;
    const uint8_t *row = p.data + __ldg(p.y.first + y) * p.stride;
    unsigned long long sum[2] = {0, 0};

    for (int j = 0; j < ny; j++, row += p.stride) {
        unsigned long long line[2] = {0, 0};

        for (int i = 0; i < nx; i++) {
            const unsigned w = __ldg(wx + i);

            line[0] += (unsigned long long)(w * sample(p, row, first + i * p.channels));
            if (p.channels == 2)
                line[1] += (unsigned long long)(w * sample(p, row, first + 2 * i + 1));
        }
        sum[0] += line[0] * __ldg(wy + j);
        sum[1] += line[1] * __ldg(wy + j);
    }
    out[0] = (float)__dmul_rn((double)(long long)sum[0], p.scale);
    if (p.channels == 2)
        out[1] = (float)__dmul_rn((double)(long long)sum[1], p.scale);
}

static __device__ __forceinline__ float unit(float v)
{
    v = v > 0 ? v : 0;
    return v < 1 ? v : 1;
}

static __global__ void __launch_bounds__(THREADS_X *THREADS_Y)
    preprocess_kernel(const __grid_constant__ struct vsm_cuda_preprocess p)
{
    const int x = (int)(blockIdx.x * THREADS_X + threadIdx.x), y = (int)(blockIdx.y * THREADS_Y + threadIdx.y);
    const size_t plane = (size_t)p.width * p.height;
    float luma[2], u[2] = {p.neutral, p.neutral}, v[2] = {p.neutral, p.neutral};
    float *to = p.rgb + (size_t)y * p.width + x;

    if (x >= p.width || y >= p.height)
        return;
    average(p.planes[0], x, y, luma);
    if (p.plane_count > 1)
        average(p.planes[1], x, y, u);
    if (p.plane_count > 2)
        average(p.planes[2], x, y, v);
    else if (p.plane_count == 2)
        v[0] = u[1];
    const float l = __fadd_rn(__fmul_rn(luma[0], p.luma_scale), p.luma_bias);
    const float cb = __fadd_rn(__fmul_rn(u[0], p.chroma_scale), p.chroma_bias);
    const float cr = __fadd_rn(__fmul_rn(v[0], p.chroma_scale), p.chroma_bias);

    to[0] = unit(__fadd_rn(l, __fmul_rn(p.red_v, cr)));
    to[plane] = unit(__fadd_rn(__fadd_rn(l, __fmul_rn(p.green_u, cb)), __fmul_rn(p.green_v, cr)));
    to[2 * plane] = unit(__fadd_rn(l, __fmul_rn(p.blue_u, cb)));
}

int vsm_cuda_preprocess_run(const struct vsm_cuda_preprocess *p, struct vsm_cuda_stream *stream)
{
    const dim3 grid(vsm_cuda_blocks(p->width, THREADS_X), vsm_cuda_blocks(p->height, THREADS_Y));

    preprocess_kernel<<<grid, dim3(THREADS_X, THREADS_Y), 0, vsm_cuda_raw(stream)>>>(*p);
    return vsm_cuda_launched("preprocess");
}

/* a + t (b - a), rounded after each step as the C reference does. */
static __device__ __forceinline__ float lerp(float a, float b, float t)
{
    return __fadd_rn(a, __fmul_rn(t, __fsub_rn(b, a)));
}

static __device__ __forceinline__ int locate(float at, int cells, float *fraction)
{
    at = at < (float)(cells - 1) ? at : (float)(cells - 1);
    at = at > 0 ? at : 0;
    const int cell = min((int)at, cells - 2);

    *fraction = __fsub_rn(at, (float)cell);
    return cell;
}

static __global__ void __launch_bounds__(THREADS_X *THREADS_Y) turn_kernel(const struct vsm_cuda_preprocess_turn t)
{
    const int x = (int)(blockIdx.x * THREADS_X + threadIdx.x), y = (int)(blockIdx.y * THREADS_Y + threadIdx.y);

    if (x >= t.width || y >= t.height)
        return;
    const float2 *a = (const float2 *)t.nodes + (size_t)(y / t.step) * t.columns + x / t.step, *b = a + t.columns;
    const float fx = ((float)(x % t.step) + 0.5f) / (float)t.step, fy = ((float)(y % t.step) + 0.5f) / (float)t.step;
    const float2 a0 = __ldg(a), a1 = __ldg(a + 1), b0 = __ldg(b), b1 = __ldg(b + 1);
    float across, down;
    const int cx = locate(lerp(lerp(a0.x, a1.x, fx), lerp(b0.x, b1.x, fx), fy), t.part_width, &across);
    const int cy = locate(lerp(lerp(a0.y, a1.y, fx), lerp(b0.y, b1.y, fx), fy), t.part_height, &down);
    const float *from = t.part + (size_t)cy * t.part_width + cx;
    const size_t plane = (size_t)t.part_width * t.part_height, grid = (size_t)t.width * t.height;

    for (int c = 0; c < 3; c++, from += plane) {
        const float top = lerp(__ldg(from), __ldg(from + 1), across);
        const float bottom = lerp(__ldg(from + t.part_width), __ldg(from + t.part_width + 1), across);

        t.rgb[c * grid + (size_t)y * t.width + x] = lerp(top, bottom, down);
    }
}

int vsm_cuda_preprocess_turn_run(const struct vsm_cuda_preprocess_turn *t, struct vsm_cuda_stream *stream)
{
    const dim3 grid(vsm_cuda_blocks(t->width, THREADS_X), vsm_cuda_blocks(t->height, THREADS_Y));

    turn_kernel<<<grid, dim3(THREADS_X, THREADS_Y), 0, vsm_cuda_raw(stream)>>>(*t);
    return vsm_cuda_launched("turning");
}
