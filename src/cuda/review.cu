#include "cuda/review.h"

#include "cuda/check.cuh"

#define THREADS_X 32
#define THREADS_Y 8

static __device__ __forceinline__ float unit(float v)
{
    return fminf(fmaxf(v, 0.0f), 1.0f);
}

static __global__ void __launch_bounds__(THREADS_X *THREADS_Y)
    digest_kernel(const float *rgb, const float *fit, int height, int width, float *digest, int small_height,
                  int small_width)
{
    const int x = (int)(blockIdx.x * THREADS_X + threadIdx.x), y = (int)(blockIdx.y * THREADS_Y + threadIdx.y);
    const size_t plane = (size_t)height * width, small = (size_t)small_height * small_width;
    const float *r = rgb + (size_t)blockIdx.z * 3 * plane, *f = fit + (size_t)blockIdx.z * plane * 8;
    float sum[4] = {0, 0, 0, 0};

    if (x >= small_width || y >= small_height)
        return;
    const int x0 = x * width / small_width, x1 = ((x + 1) * width + small_width - 1) / small_width;
    const int y0 = y * height / small_height, y1 = ((y + 1) * height + small_height - 1) / small_height;

    for (int j = y0; j < y1; j++)
        for (int i = x0; i < x1; i++) {
            const size_t cell = (size_t)j * width + i;
            const float red = r[cell], green = r[plane + cell], blue = r[2 * plane + cell];

            sum[0] += red;
            sum[1] += green;
            sum[2] += blue;
            sum[3] += unit(f[cell * 8 + 3] * ((red + green + blue) * (1.0f / 3.0f)) + f[cell * 8 + 7]);
        }
    for (int c = 0; c < 4; c++)
        digest[((size_t)blockIdx.z * 4 + c) * small + (size_t)y * small_width + x] =
            sum[c] / (float)((x1 - x0) * (y1 - y0));
}

int vsm_cuda_review_digest(const float *rgb, const float *fit, int batch, int height, int width, float *digest,
                           int small_height, int small_width, struct vsm_cuda_stream *stream)
{
    const dim3 grid(vsm_cuda_blocks(small_width, THREADS_X), vsm_cuda_blocks(small_height, THREADS_Y),
                    (unsigned)batch);

    digest_kernel<<<grid, dim3(THREADS_X, THREADS_Y), 0, vsm_cuda_raw(stream)>>>(rgb, fit, height, width, digest,
                                                                              small_height, small_width);
    return vsm_cuda_launched("digest");
}

/* Between cells *low and *high, the share of the way that is returned. */
static __device__ __forceinline__ float locate(int at, int extent, int cells, int *low, int *high)
{
    const float centre = ((float)at + 0.5f) * (float)cells / (float)extent - 0.5f;
    const float limited = fminf(fmaxf(centre, 0.0f), (float)(cells - 1));

    *low = (int)limited;
    *high = min(*low + 1, cells - 1);
    return limited - (float)*low;
}

static __device__ __forceinline__ float4 lerp(float4 a, float4 b, float t)
{
    return make_float4(a.x + t * (b.x - a.x), a.y + t * (b.y - a.y), a.z + t * (b.z - a.z), a.w + t * (b.w - a.w));
}

static __global__ void __launch_bounds__(THREADS_X *THREADS_Y)
    edit_kernel(const float4 *edit, int small_height, int small_width, float4 *fit, int height, int width)
{
    const int x = (int)(blockIdx.x * THREADS_X + threadIdx.x), y = (int)(blockIdx.y * THREADS_Y + threadIdx.y);
    int left, right, top, bottom;

    if (x >= width || y >= height)
        return;
    const float across = locate(x, width, small_width, &left, &right);
    const float down = locate(y, height, small_height, &top, &bottom);
    const float4 *above = edit + (size_t)top * small_width, *below = edit + (size_t)bottom * small_width;
    const float4 e = lerp(lerp(__ldg(above + left), __ldg(above + right), across),
                          lerp(__ldg(below + left), __ldg(below + right), across), down);
    float4 *to = fit + ((size_t)y * width + x) * 2;
    const float4 a = to[0], b = to[1];

    to[0] = make_float4(a.x * e.w, a.y * e.w, a.z * e.w, e.x * a.w + e.y);
    to[1] = make_float4(b.x * e.w, b.y * e.w, b.z * e.w, e.x * b.w + e.z);
}

int vsm_cuda_review_edit(const float *edit, int small_height, int small_width, float *fit, int height, int width,
                         struct vsm_cuda_stream *stream)
{
    const dim3 grid(vsm_cuda_blocks(width, THREADS_X), vsm_cuda_blocks(height, THREADS_Y));

    edit_kernel<<<grid, dim3(THREADS_X, THREADS_Y), 0, vsm_cuda_raw(stream)>>>(
        (const float4 *)edit, small_height, small_width, (float4 *)fit, height, width);
    return vsm_cuda_launched("edit of maps");
}
