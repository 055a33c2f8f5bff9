#include "cuda/review.h"

#include "cuda/check.cuh"
#include "pixel/coefficients.h"

#define THREADS 256

static __global__ void __launch_bounds__(THREADS)
    alpha_kernel(const float *rgb, const float4 *fit, int cells, float *alpha)
{
    const int at = (int)(blockIdx.x * THREADS + threadIdx.x);
    const float *red = rgb + at, *green = red + cells, *blue = green + cells;
    const float4 *f = fit + (size_t)at * 2;

    if (at < cells)
        alpha[at] = vsm_coefficients_alpha(f[0].w, f[1].w, *red + *green + *blue);
}

int vsm_cuda_review_alpha(const float *rgb, const float *fit, int cells, float *alpha, struct vsm_cuda_stream *stream)
{
    alpha_kernel<<<vsm_cuda_blocks(cells, THREADS), THREADS, 0, vsm_cuda_raw(stream)>>>(rgb, (const float4 *)fit, cells,
                                                                                        alpha);
    return vsm_cuda_launched("alpha of maps");
}

static __global__ void __launch_bounds__(THREADS) close_kernel(const float *open, float4 *fit, int cells)
{
    const int at = (int)(blockIdx.x * THREADS + threadIdx.x);

    if (at >= cells)
        return;
    fit[2 * (size_t)at].w *= open[at];
    fit[2 * (size_t)at + 1].w *= open[at];
}

int vsm_cuda_review_close(const float *open, float *fit, int cells, struct vsm_cuda_stream *stream)
{
    close_kernel<<<vsm_cuda_blocks(cells, THREADS), THREADS, 0, vsm_cuda_raw(stream)>>>(open, (float4 *)fit, cells);
    return vsm_cuda_launched("gate of maps");
}
