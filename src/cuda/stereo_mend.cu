#include "cuda/stereo_mend.h"

#include "cuda/check.cuh"
#include "pixel/consensus.h"
#include "pixel/guided_fit.h"
#include "pixel/mend.h"
#include "pixel/stereo_maps.h"

#define TILE_X  32
#define TILE_Y  8
#define THREADS (TILE_X * TILE_Y)
#define ROWS    32 /* of a tile of steps */
#define BLOCKS  4  /* of steps, of a multiprocessor at once: most have little to do */

/* What steps come to in either direction. */
struct sums {
    double gained, lost;
};

/* vsm_cuda_stereo_mend.working */
struct balance {
    float gains[2], losses[2]; /* parts of the steps of an eye that remain */
    struct sums tiles[];       /* of one eye, then of the other */
};

static int tiles_of(int width, int height)
{
    return (width + TILE_X - 1) / TILE_X * ((height + ROWS - 1) / ROWS);
}

size_t vsm_cuda_stereo_mend_bytes(int width, int height)
{
    return sizeof(struct balance) + 2 * (size_t)tiles_of(width, height) * sizeof(struct sums);
}

static __device__ struct vsm_mend_grid grid_of(const struct vsm_cuda_stereo_mend &mend)
{
    return {mend.width, mend.height, mend.side, mend.columns, mend.rows};
}

/* Both eyes' planes apart, into the targets, which are of no use yet. */
static __global__ void __launch_bounds__(THREADS) measure_kernel(const struct vsm_cuda_stereo_mend mend)
{
    const struct vsm_mend_grid grid = grid_of(mend);
    const int x = (int)(blockIdx.x * TILE_X + threadIdx.x), y = (int)(blockIdx.y * TILE_Y + threadIdx.y);
    const int eye = (int)blockIdx.z;
    const size_t at = (size_t)y * grid.width + x;

    if (x >= grid.width || y >= grid.height)
        return;
    mend.target[eye][at] = vsm_mend_is_quiet(&grid, mend.common[eye], x / grid.side, y / grid.side)
                               ? 0.0f /* most of an eye */
                               : vsm_consensus_apart(&grid, mend.common[eye], mend.alpha[eye][at],
                                                     mend.settled[eye][at], x, y);
}

/* A block's sums, in one fixed order; thread 0 has them. */
static __device__ struct sums add_up(struct sums own)
{
    __shared__ struct sums all[THREADS];
    const int me = (int)(threadIdx.y * TILE_X + threadIdx.x);

    all[me] = own;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (me < half) {
            all[me].gained += all[me + half].gained;
            all[me].lost += all[me + half].lost;
        }
        __syncthreads();
    }
    return all[0];
}

/* Steps into the weights. Pixels that may take one are few and lie along borders: a block's threads share them. */
static __global__ void __launch_bounds__(THREADS, BLOCKS)
    step_kernel(const __grid_constant__ struct vsm_cuda_stereo_mend mend,
                const __grid_constant__ struct vsm_consensus_eyes eyes)
{
    __shared__ float steps[ROWS * TILE_X];
    __shared__ unsigned short places[ROWS * TILE_X];
    __shared__ int count;
    const int me = (int)(threadIdx.y * TILE_X + threadIdx.x), eye = (int)blockIdx.z;
    const int x0 = (int)(blockIdx.x * TILE_X), y0 = (int)(blockIdx.y * ROWS);
    const float *const *apart = mend.target;
    struct balance *balance = (struct balance *)mend.working;
    struct sums sums = {0.0, 0.0};

    if (me == 0)
        count = 0;
    __syncthreads();
    for (int i = me; i < ROWS * TILE_X; i += THREADS) {
        const int x = x0 + i % TILE_X, y = y0 + i / TILE_X;

        steps[i] = 0.0f;
        if (x < mend.width && y < mend.height && apart[eye][(size_t)y * mend.width + x] != 0.0f)
            places[atomicAdd(&count, 1)] = (unsigned short)i;
    }
    __syncthreads();
    for (int k = me; k < count; k += THREADS) {
        const int i = places[k];

        steps[i] = vsm_consensus_step(&eyes, apart, eye, (float)(x0 + i % TILE_X) + 0.5f,
                                      (float)(y0 + i / TILE_X) + 0.5f);
    }
    __syncthreads();
    for (int i = me; i < ROWS * TILE_X; i += THREADS) {
        const int x = x0 + i % TILE_X, y = y0 + i / TILE_X;

        if (x < mend.width && y < mend.height)
            mend.weight[eye][(size_t)y * mend.width + x] = steps[i];
        if (steps[i] > 0.0f)
            sums.gained += steps[i];
        else if (steps[i] < 0.0f)
            sums.lost -= steps[i];
    }
    sums = add_up(sums);
    if (me == 0)
        balance->tiles[((size_t)eye * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = sums;
}

/* One block an eye: what it gains and the other one loses. */
static __global__ void __launch_bounds__(THREADS) balance_kernel(struct balance *balance, int tiles)
{
    const int eye = (int)blockIdx.x;
    struct sums sums = {0.0, 0.0};

    for (int i = (int)(threadIdx.y * TILE_X + threadIdx.x); i < tiles; i += THREADS) {
        sums.gained += balance->tiles[eye * tiles + i].gained;
        sums.lost += balance->tiles[!eye * tiles + i].lost;
    }
    sums = add_up(sums);
    if (threadIdx.x == 0 && threadIdx.y == 0) {
        balance->gains[eye] = vsm_consensus_remaining(sums.gained, sums.lost);
        balance->losses[!eye] = vsm_consensus_remaining(sums.lost, sums.gained);
    }
}

static __global__ void __launch_bounds__(THREADS) blend_kernel(const struct vsm_cuda_stereo_mend mend)
{
    const struct vsm_mend_grid grid = grid_of(mend);
    const struct balance *balance = (const struct balance *)mend.working;
    const int x = (int)(blockIdx.x * TILE_X + threadIdx.x), y = (int)(blockIdx.y * TILE_Y + threadIdx.y);
    const int eye = (int)blockIdx.z;
    const size_t at = (size_t)y * grid.width + x;

    if (x >= grid.width || y >= grid.height)
        return;
    const float own = mend.alpha[eye][at], way = mend.weight[eye][at];
    const float step = way * (way > 0.0f ? balance->gains[eye] : balance->losses[eye]);

    if (step == 0.0f && vsm_mend_is_quiet(&grid, mend.taken[eye], x / grid.side, y / grid.side)) {
        mend.target[eye][at] = own; /* most of an eye */
        mend.weight[eye][at] = step;
        return;
    }
    const struct vsm_mend_pixel pixel = vsm_mend_blend_pixel(&grid, mend.taken[eye], own, mend.moved[eye][at],
                                                             mend.settled[eye][at], step, x, y);

    mend.alpha[eye][at] = pixel.alpha;
    mend.target[eye][at] = pixel.target;
    mend.weight[eye][at] = pixel.weight;
}

static dim3 pixels_of(const struct vsm_cuda_stereo_mend *mend)
{
    return dim3(vsm_cuda_blocks(mend->width, TILE_X), vsm_cuda_blocks(mend->height, TILE_Y), 2);
}

static struct vsm_consensus_eyes eyes_of(const struct vsm_cuda_stereo_mend *mend)
{
    struct vsm_consensus_eyes eyes = {};

    for (int eye = 0; eye < 2; eye++) {
        eyes.maps[eye] = mend->maps[eye];
        eyes.rgb[eye] = mend->rgb[eye];
        for (int c = 0; c < 3; c++)
            eyes.gain[eye][c] = mend->gain[eye][c];
    }
    eyes.width = mend->width;
    eyes.height = mend->height;
    return eyes;
}

int vsm_cuda_stereo_mend_blend(const struct vsm_cuda_stereo_mend *mend, struct vsm_cuda_stream *stream)
{
    const dim3 block(TILE_X, TILE_Y), pixels = pixels_of(mend);
    const dim3 tiles(vsm_cuda_blocks(mend->width, TILE_X), vsm_cuda_blocks(mend->height, ROWS), 2);
    const cudaStream_t raw = vsm_cuda_raw(stream);

    measure_kernel<<<pixels, block, 0, raw>>>(*mend);
    step_kernel<<<tiles, block, 0, raw>>>(*mend, eyes_of(mend));
    balance_kernel<<<2, block, 0, raw>>>((struct balance *)mend->working, tiles_of(mend->width, mend->height));
    blend_kernel<<<pixels, block, 0, raw>>>(*mend);
    return vsm_cuda_launched("mending of eyes");
}

/* The sums of column x round row y. */
static __device__ struct vsm_guided_fit_sums column_of(const float *rgb, const float *target, int width, int height,
                                                       int x, int y)
{
    const size_t plane = (size_t)width * height;
    float guide[3], wanted[3];

    for (int k = 0; k < 3; k++) {
        const int row = y + k - 1;
        const bool inside = x >= 0 && x < width && row >= 0 && row < height;
        const size_t at = inside ? (size_t)row * width + x : 0;

        guide[k] = inside ? vsm_guided_fit_grey(rgb[at], rgb[plane + at], rgb[2 * plane + at]) : 0.0f;
        wanted[k] = inside ? target[at] : 0.0f;
    }
    return vsm_guided_fit_column(guide[0], guide[1], guide[2], wanted[0], wanted[1], wanted[2]);
}

static __global__ void __launch_bounds__(THREADS) replace_kernel(const struct vsm_cuda_stereo_mend mend)
{
    const int width = mend.width, height = mend.height, eye = (int)blockIdx.z;
    const int x = (int)(blockIdx.x * TILE_X + threadIdx.x), y = (int)(blockIdx.y * TILE_Y + threadIdx.y);
    const size_t plane = (size_t)width * height, at = (size_t)y * width + x;
    const float *rgb = mend.rgb[eye], *target = mend.target[eye];

    if (x >= width || y >= height || !(mend.weight[eye][at] > 0.0f)) /* most of an eye */
        return;
    const int across = 1 + (x > 0) + (x < width - 1), down = 1 + (y > 0) + (y < height - 1);
    float slope, offset;

    vsm_guided_fit_line(column_of(rgb, target, width, height, x - 1, y), column_of(rgb, target, width, height, x, y),
                        column_of(rgb, target, width, height, x + 1, y), 1.0f / (float)(across * down), &slope,
                        &offset);
    mend.alpha[eye][at] =
        vsm_stereo_maps_replace_cell(mend.fit[eye] + 8 * at, 1, rgb[at] + rgb[plane + at] + rgb[2 * plane + at],
                                     target[at], mend.weight[eye][at], slope, offset);
}

int vsm_cuda_stereo_mend_replace(const struct vsm_cuda_stereo_mend *mend, struct vsm_cuda_stream *stream)
{
    replace_kernel<<<pixels_of(mend), dim3(TILE_X, TILE_Y), 0, vsm_cuda_raw(stream)>>>(*mend);
    return vsm_cuda_launched("maps of mended eyes");
}
