#include "cuda/stereo_pyramid.h"

#include "cuda/check.cuh"

#define TILE    32 /* pixels along a side, of which all levels are made at a stroke */
#define THREADS (TILE * TILE / 4)

/* One block a tile. The finest level is made of R, G, B, or else only read. */
template <bool GREY>
static __global__ void __launch_bounds__(THREADS)
    pyramid_kernel(struct vsm_match_grid grid, const float *from,
                   const __grid_constant__ struct vsm_cuda_stereo_pyramid to)
{
    __shared__ float tile[TILE / 2 * TILE / 2];
    const size_t cells = (size_t)grid.width * grid.height;
    const int x = threadIdx.x % (TILE / 2), y = threadIdx.x / (TILE / 2);
    float four[4];

    for (int k = 0; k < 4; k++) {
        const int u = (int)blockIdx.x * TILE + 2 * x + k % 2, v = (int)blockIdx.y * TILE + 2 * y + k / 2;
        const size_t at = (size_t)v * grid.width + u;
        const bool within = u < grid.width && v < grid.height;

        four[k] = !within ? 0.0f
                  : GREY  ? vsm_pixel_match_luma(from[at], from[cells + at], from[2 * cells + at])
                          : from[at];
        if (GREY && within)
            to.level[0][at] = four[k];
    }
    for (int level = 1, side = TILE / 2; level < grid.levels; level++, side /= 2) {
        const int width = grid.width >> level, height = grid.height >> level;
        const int u = (int)blockIdx.x * side + x, v = (int)blockIdx.y * side + y;
        const bool within = x < side && y < side;

        if (level > 1 && within) {
            for (int k = 0; k < 4; k++)
                four[k] = tile[(2 * y + k / 2) * TILE / 2 + 2 * x + k % 2];
        }
        __syncthreads();
        if (within) {
            tile[y * TILE / 2 + x] = vsm_pixel_match_halve(four[0], four[1], four[2], four[3]);
            if (u < width && v < height)
                to.level[level][(size_t)v * width + u] = tile[y * TILE / 2 + x];
        }
        __syncthreads();
    }
}

static dim3 tiles_of(const struct vsm_match_grid *grid)
{
    return dim3(vsm_cuda_blocks(grid->width, TILE), vsm_cuda_blocks(grid->height, TILE));
}

int vsm_cuda_stereo_pyramid_grey(const struct vsm_match_grid *grid, const float *rgb,
                                 const struct vsm_cuda_stereo_pyramid *to, struct vsm_cuda_stream *stream)
{
    pyramid_kernel<true><<<tiles_of(grid), THREADS, 0, vsm_cuda_raw(stream)>>>(*grid, rgb, *to);
    return vsm_cuda_launched("grey pictures of eyes");
}

int vsm_cuda_stereo_pyramid_alpha(const struct vsm_match_grid *grid,
                                  const struct vsm_cuda_stereo_pyramid *alpha, struct vsm_cuda_stream *stream)
{
    pyramid_kernel<false>
        <<<tiles_of(grid), THREADS, 0, vsm_cuda_raw(stream)>>>(*grid, alpha->level[0], *alpha);
    return vsm_cuda_launched("halves of alpha");
}
