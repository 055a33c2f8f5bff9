#include "cuda/fit.h"

#include "cuda/check.cuh"

#define TILE_X 32
#define TILE_Y 8


static __global__ void __launch_bounds__(TILE_X *TILE_Y)
    fit_kernel(const float *rgb, const float4 *matte, int height, int width, float eps, float4 *fit)
{
    __shared__ float4 xs[TILE_Y + 2][TILE_X + 2], ys[TILE_Y + 2][TILE_X + 2];
    const int image = blockIdx.z, x0 = (int)blockIdx.x * TILE_X - 1, y0 = (int)blockIdx.y * TILE_Y - 1;
    const size_t plane = (size_t)height * width;
    const float *r = rgb + (size_t)image * 3 * plane;

    for (int i = (int)(threadIdx.y * TILE_X + threadIdx.x); i < (TILE_Y + 2) * (TILE_X + 2); i += TILE_X * TILE_Y) {
        const int row = i / (TILE_X + 2), column = i % (TILE_X + 2), x = x0 + column, y = y0 + row;
        float4 guide = make_float4(0, 0, 0, 0), value = guide;

        if (x >= 0 && x < width && y >= 0 && y < height) {
            const size_t cell = (size_t)y * width + x;

            guide.x = r[cell] - 0.5f;
            guide.y = r[plane + cell] - 0.5f;
            guide.z = r[2 * plane + cell] - 0.5f;
            guide.w = (guide.x + guide.y + guide.z) * (1.0f / 3.0f);
            value = matte[(size_t)image * plane + cell];
        }
        xs[row][column] = guide;
        ys[row][column] = value;
    }
    __syncthreads();
    const int x = x0 + 1 + (int)threadIdx.x, y = y0 + 1 + (int)threadIdx.y;

    if (x >= width || y >= height)
        return;
    float mx[4] = {}, my[4] = {}, mxy[4] = {}, mxx[4] = {}, slope[4], offset[4];
    const int across = 1 + (x > 0) + (x < width - 1), down = 1 + (y > 0) + (y < height - 1);
    const float share = 1.0f / (float)(across * down);

#pragma unroll
    for (int j = 0; j < 3; j++)
#pragma unroll
        for (int i = 0; i < 3; i++) {
            const float *g = (const float *)&xs[threadIdx.y + j][threadIdx.x + i];
            const float *v = (const float *)&ys[threadIdx.y + j][threadIdx.x + i];

#pragma unroll
            for (int c = 0; c < 4; c++) {
                mx[c] += g[c];
                my[c] += v[c];
                mxy[c] += g[c] * v[c];
                mxx[c] += g[c] * g[c];
            }
        }
#pragma unroll
    for (int c = 0; c < 4; c++) {
        const float gx = mx[c] * share, gy = my[c] * share;

        slope[c] = (mxy[c] * share - gx * gy) / (mxx[c] * share - gx * gx + eps);
        offset[c] = gy - slope[c] * (gx + 0.5f);
    }
    float4 *to = fit + ((size_t)image * plane + (size_t)y * width + x) * 2;

    to[0] = make_float4(slope[0], slope[1], slope[2], slope[3]);
    to[1] = make_float4(offset[0], offset[1], offset[2], offset[3]);
}

int vsm_cuda_fit_run(const float *rgb, const float *matte, int batch, int height, int width, float eps, float *fit,
                     struct vsm_cuda_stream *stream)
{
    const dim3 grid((unsigned)(width + TILE_X - 1) / TILE_X, (unsigned)(height + TILE_Y - 1) / TILE_Y,
                    (unsigned)batch);

    fit_kernel<<<grid, dim3(TILE_X, TILE_Y), 0, vsm_cuda_raw(stream)>>>(rgb, (const float4 *)matte, height, width,
                                                                       eps, (float4 *)fit);
    return vsm_cuda_launched("guided filter");
}
