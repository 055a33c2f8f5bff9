/* What is done with one pixel, for the loops of the host and for kernels alike: plain C that nvcc compiles,
 * too, and that gives the same bits there (kernels that use it are compiled without fused multiply-add).
 *
 * Only what both need: each file has arithmetic of the modules that its first lines name, whose headers say
 * what it is for.
 */
#ifndef VSM_PIXEL_PIXEL_H
#define VSM_PIXEL_PIXEL_H

#include <stddef.h>

#ifdef __CUDACC__
#define VSM_PIXEL static inline __host__ __device__
#else
#define VSM_PIXEL static inline
#endif

/* Before a loop that is to have many loads under way on a device. */
#ifdef __CUDA_ARCH__
#define VSM_PIXEL_UNROLL _Pragma("unroll 8")
#else
#define VSM_PIXEL_UNROLL
#endif

/* fminf() and fmaxf() are calls, for numbers that are none. */
VSM_PIXEL float vsm_pixel_between(float value, float low, float high)
{
    return value > low ? (value < high ? value : high) : low;
}

/* A plane's value at continuous (x, y), pixel centres at halves: bilinear, the border repeated. */
VSM_PIXEL float vsm_pixel_sample(const float *plane, int width, int height, float x, float y)
{
    const float fx = vsm_pixel_between(x - 0.5f, 0.0f, (float)(width - 1));
    const float fy = vsm_pixel_between(y - 0.5f, 0.0f, (float)(height - 1));
    const int x0 = (int)fx, y0 = (int)fy, x1 = x0 + 1 < width ? x0 + 1 : x0,
              y1 = y0 + 1 < height ? y0 + 1 : y0;
    const float u = fx - (float)x0, v = fy - (float)y0;
    const float *top = plane + (size_t)y0 * (size_t)width, *bottom = plane + (size_t)y1 * (size_t)width;

    return (1 - v) * ((1 - u) * top[x0] + u * top[x1]) + v * ((1 - u) * bottom[x0] + u * bottom[x1]);
}

#endif
