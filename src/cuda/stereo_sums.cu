#include "cuda/stereo_sums.h"

#include "cuda/check.cuh"
#include "pixel/alignment.h"
#include "pixel/cell.h"
#include "pixel/consistency.h"
#include "pixel/eye_health.h"
#include "pixel/match.h"

#define PARTS   VSM_CUDA_STEREO_SUMS_PARTS
#define THREADS 256

#define CELLS        32 /* of a block that adds up cells, a thread each */
#define CELL_THREADS 128

#define SMALL  (VSM_EYE_HEALTH_SIDE * VSM_EYE_HEALTH_SIDE)
#define POINTS (VSM_EYE_HEALTH_POINTS * VSM_EYE_HEALTH_POINTS)

/* Floats of a picture that a block has at hand; lines of a look that it adds up, a thread each. */
#define STAGE 8192
#define LINES 32
#define CHUNK (STAGE / LINES - 1) /* of a line, with the one before it; odd, for the banks */

/* Spreads what threads read at a distance of 32 over the banks of shared memory. */
#define SPREAD(x) ((x) + (x) / 32)

size_t vsm_cuda_stereo_sums_look_floats(int height)
{
    return SMALL + POINTS + (size_t)((height + 1) / 2);
}

/* A row of the small picture: its pixels' rectangles, a thread each, and all threads for what they read. */
static __device__ void look_at_band(const float *green, int width, int height, int band, float *small, float *stage)
{
    const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    const struct vsm_cell own = vsm_eye_health_rectangle(band * VSM_EYE_HEALTH_SIDE + lane, width, height);
    const int rows = STAGE / SPREAD(width);
    float sum = 0.0f;

    for (int y = own.y0; y < own.y1; y += rows) {
        const int count = y + rows < own.y1 ? rows : own.y1 - y;

        for (int j = warp; j < count; j += THREADS / 32) {
#pragma unroll 8
            for (int x = lane; x < width; x += 32)
                stage[j * SPREAD(width) + SPREAD(x)] = green[(size_t)(y + j) * (size_t)width + (size_t)x];
        }
        __syncthreads();
        for (int j = 0; warp == 0 && j < count; j++) {
#pragma unroll 8
            for (int x = own.x0; x < own.x1; x++)
                sum += stage[j * SPREAD(width) + SPREAD(x)];
        }
        __syncthreads();
    }
    if (warp == 0)
        small[band * VSM_EYE_HEALTH_SIDE + lane] = sum / (float)((own.x1 - own.x0) * (own.y1 - own.y0));
}

/* Every other row from the first on, LINES of them, likewise. */
static __device__ void look_at_lines(const float *green, int width, int height, int first, float *lines, float *stage)
{
    const int count = (height + 1) / 2 - first < LINES ? (height + 1) / 2 - first : LINES;
    const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    float line = 0.0f;

    for (int x = 0; x + 1 < width; x += CHUNK - 1) {
        const int wide = x + CHUNK < width ? CHUNK : width - x;

        for (int j = warp; j < count; j += THREADS / 32) {
#pragma unroll
            for (int i = lane; i < CHUNK; i += 32)
                if (i < wide)
                    stage[j * CHUNK + i] = green[(size_t)(2 * (first + j)) * (size_t)width + (size_t)(x + i)];
        }
        __syncthreads();
        if (warp == 0 && lane < count)
            line = vsm_eye_health_line(line, stage + lane * CHUNK, wide);
        __syncthreads();
    }
    if (warp == 0 && lane < count)
        lines[first + lane] = line;
}

/* Blocks of an eye: one a band, then of points, then of lines. */
static __global__ void __launch_bounds__(THREADS)
    look_kernel(const float *left, const float *right, int width, int height, float *looks, size_t floats)
{
    __shared__ float stage[STAGE];
    const float *green = (blockIdx.y ? right : left) + (size_t)width * (size_t)height;
    float *small = looks + blockIdx.y * floats, *points = small + SMALL, *lines = points + POINTS;
    const int band = (int)blockIdx.x, block = band - VSM_EYE_HEALTH_SIDE, line = block - POINTS / THREADS;

    if (block < 0) {
        look_at_band(green, width, height, band, small, stage);
    } else if (line < 0) {
        const int index = block * THREADS + (int)threadIdx.x;

        points[index] = green[vsm_eye_health_point(index, width, height)];
    } else {
        look_at_lines(green, width, height, line * LINES, lines, stage);
    }
}

int vsm_cuda_stereo_sums_look(const float *const rgb[2], int width, int height, float *looks,
                              struct vsm_cuda_stream *stream)
{
    const dim3 blocks(VSM_EYE_HEALTH_SIDE + POINTS / THREADS + vsm_cuda_blocks((height + 1) / 2, LINES), 2);

    if (SPREAD(width) > STAGE)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: a look at pictures of %dx%d", width, height);
    look_kernel<<<blocks, THREADS, 0, vsm_cuda_raw(stream)>>>(rgb[0], rgb[1], width, height, looks,
                                                              vsm_cuda_stereo_sums_look_floats(height));
    return vsm_cuda_launched("a look at the eyes");
}

/* What a block's threads have of `count` numbers each, added in one fixed order, is thread 0's then. */
static __device__ void add_up(double *own, int count)
{
    __shared__ double all[THREADS];

    for (int k = 0; k < count; k++) {
        all[threadIdx.x] = own[k];
        __syncthreads();
        for (unsigned half = THREADS / 2; half > 0; half /= 2) {
            if (threadIdx.x < half)
                all[threadIdx.x] += all[threadIdx.x + half];
            __syncthreads();
        }
        own[k] = all[0];
        __syncthreads();
    }
}

static __device__ void add_light(const float *rgb, int width, int height, int x0, int y0, int side, double light[3])
{
    for (int i = (int)threadIdx.x; i < side * side; i += THREADS)
        for (int c = 0; c < 3; c++)
            light[c] += (double)rgb[((size_t)c * (size_t)height + (size_t)(y0 + i / side)) * (size_t)width +
                                    (size_t)(x0 + i % side)];
}

/* A block has every PARTS-th cell. */
static __global__ void __launch_bounds__(THREADS)
    light_kernel(const struct vsm_disparity_map *map, const float *master, const float *slave,
                 const struct vsm_mend_grid grid, double *light)
{
    double own[2][3] = {{0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}};

    for (int i = (int)blockIdx.x; i < grid.columns * grid.rows; i += PARTS) {
        int to_x, to_y;

        if (!vsm_alignment_lit(map, i, grid.width, grid.height, &to_x, &to_y))
            continue;
        add_light(master, grid.width, grid.height, i % grid.columns * grid.side, i / grid.columns * grid.side, grid.side,
                  own[0]);
        add_light(slave, grid.width, grid.height, to_x, to_y, grid.side, own[1]);
    }
    add_up(own[0], 6);
    if (threadIdx.x < 6)
        light[blockIdx.x * 6 + threadIdx.x] = own[threadIdx.x / 3][threadIdx.x % 3];
}

int vsm_cuda_stereo_sums_light(const struct vsm_disparity_map *map, const float *master, const float *slave,
                               const struct vsm_mend_grid *grid, double *light, struct vsm_cuda_stream *stream)
{
    light_kernel<<<PARTS, THREADS, 0, vsm_cuda_raw(stream)>>>(map, master, slave, *grid, light);
    return vsm_cuda_launched("light of the eyes");
}

/* A block has a band of rows. */
static __global__ void __launch_bounds__(THREADS)
    agree_kernel(const float *settled, const float *own, int width, int height, struct vsm_consistency_sums *sums)
{
    const int rows = (height + PARTS - 1) / PARTS, from = (int)blockIdx.x * rows;
    const int end = from + rows < height ? from + rows : height;
    struct vsm_consistency_sums s = {0.0, 0.0, {0.0, 0.0}, {0.0, 0.0}, {0.0, 0.0}};

    for (int y = from; y < end; y++)
        for (int x = (int)threadIdx.x; x < width; x += THREADS) {
            const size_t at = (size_t)y * (size_t)width + (size_t)x;

            vsm_consistency_count(&s, settled[at], own[at], x, y);
        }
    add_up(&s.both, sizeof(s) / sizeof(s.both));
    if (threadIdx.x == 0)
        sums[blockIdx.x] = s;
}

int vsm_cuda_stereo_sums_agree(const float *settled, const float *own, const struct vsm_mend_grid *grid,
                               struct vsm_consistency_sums *sums, struct vsm_cuda_stream *stream)
{
    agree_kernel<<<PARTS, THREADS, 0, vsm_cuda_raw(stream)>>>(settled, own, grid->width, grid->height, sums);
    return vsm_cuda_launched("agreement");
}

/* Calls `add` for the rows of this thread's cell, one part after the other: blocks have CELLS neighbours of a row of
 * cells, a thread each, and all threads for what they read. Of two planes, or one twice. Returns the cell's index, or
 * -1. */
template <class Add>
static __device__ int add_cells(const float *first, const float *second, const struct vsm_mend_grid &grid, Add add)
{
    __shared__ float stage[2][STAGE / 2];
    const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, column = (int)blockIdx.x * CELLS;
    const int count = column + CELLS < grid.columns ? CELLS : grid.columns - column, x0 = column * grid.side;
    const int index = (int)blockIdx.y * grid.columns + column + (lane < count ? lane : 0);
    const struct vsm_cell own = vsm_cell_of(&grid, index);
    const int across = x0 + count * grid.side < grid.width ? count * grid.side : grid.width - x0;
    const int apart = grid.side | 1, wide = apart * CELLS, rows = STAGE / 2 / wide; /* odd, for the banks */

    for (int y = own.y0; y < own.y1; y += rows) {
        const int end = y + rows < own.y1 ? rows : own.y1 - y;

        for (int j = warp; j < end; j += CELL_THREADS / 32) {
            const size_t row = (size_t)(y + j) * (size_t)grid.width + (size_t)x0;

#pragma unroll 4
            for (int x = lane; x < across; x += 32) {
                const int to = j * wide + x / grid.side * apart + x % grid.side;

                stage[0][to] = first[row + (size_t)x];
                stage[1][to] = second[row + (size_t)x];
            }
        }
        __syncthreads();
        if ((int)threadIdx.x < count) {
            const struct vsm_cell here = {lane * apart, 0, lane * apart + own.x1 - own.x0, end};

            add(stage[0], stage[1], wide, here);
        }
        __syncthreads();
    }
    return (int)threadIdx.x < count ? index : -1;
}

static dim3 blocks_of_cells(const struct vsm_mend_grid *grid, int eyes)
{
    return dim3(vsm_cuda_blocks(grid->columns, CELLS), (unsigned)grid->rows, (unsigned)eyes);
}

/* Planes of both eyes. */
struct pair {
    const float *own[2], *settled[2];
};

static __global__ void __launch_bounds__(CELL_THREADS)
    measure_kernel(const struct pair pair, const struct vsm_mend_grid grid, struct vsm_mend_sums *cells)
{
    const int eye = (int)blockIdx.z;
    struct vsm_mend_sums sums = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
    const int index = add_cells(pair.own[eye], pair.settled[eye], grid,
                                [&](const float *own, const float *settled, int width, struct vsm_cell cell) {
                                    vsm_cell_compare(&sums, own, settled, width, cell);
                                });

    if (index >= 0)
        cells[eye * grid.columns * grid.rows + index] = sums;
}

int vsm_cuda_stereo_sums_measure(const float *const own[2], const float *const settled[2],
                                 const struct vsm_mend_grid *grid, struct vsm_mend_sums *cells,
                                 struct vsm_cuda_stream *stream)
{
    const struct pair pair = {{own[0], own[1]}, {settled[0], settled[1]}};

    measure_kernel<<<blocks_of_cells(grid, 2), CELL_THREADS, 0, vsm_cuda_raw(stream)>>>(pair, *grid, cells);
    return vsm_cuda_launched("cells of the eyes");
}

static __global__ void __launch_bounds__(CELL_THREADS)
    means_kernel(const float *left, const float *right, const struct vsm_mend_grid grid, float *means)
{
    const float *alpha = blockIdx.z ? right : left;
    float sum = 0.0f;
    const int index =
        add_cells(alpha, alpha, grid, [&](const float *plane, const float *, int width, struct vsm_cell cell) {
            sum = vsm_cell_add(sum, plane, width, cell);
        });

    if (index >= 0)
        means[(int)blockIdx.z * grid.columns * grid.rows + index] =
            sum / (float)vsm_cell_pixels(vsm_cell_of(&grid, index));
}

int vsm_cuda_stereo_sums_means(const float *const alpha[2], const struct vsm_mend_grid *grid, float *means,
                               struct vsm_cuda_stream *stream)
{
    means_kernel<<<blocks_of_cells(grid, 2), CELL_THREADS, 0, vsm_cuda_raw(stream)>>>(alpha[0], alpha[1], *grid, means);
    return vsm_cuda_launched("means of cells");
}

static __global__ void __launch_bounds__(CELL_THREADS)
    need_kernel(const float *own, const float *moved, const struct vsm_mend_grid grid, uint8_t *need)
{
    struct vsm_cell_reach reach = {0.0f, 0.0f};
    const int index =
        add_cells(own, moved, grid, [&](const float *here, const float *there, int width, struct vsm_cell cell) {
            vsm_cell_cover(&reach, here, there, width, cell);
        });

    if (index >= 0)
        need[index] = vsm_cell_needs(reach, vsm_cell_pixels(vsm_cell_of(&grid, index)));
}

int vsm_cuda_stereo_sums_need(const float *own, const float *moved, const struct vsm_mend_grid *grid, uint8_t *need,
                              struct vsm_cuda_stream *stream)
{
    need_kernel<<<blocks_of_cells(grid, 1), CELL_THREADS, 0, vsm_cuda_raw(stream)>>>(own, moved, *grid, need);
    return vsm_cuda_launched("cells not reached");
}

static __global__ void __launch_bounds__(CELLS)
    seen_kernel(const float *alpha, const struct vsm_match_grid grid, uint8_t *seen)
{
    const int index = (int)(blockIdx.x * CELLS + threadIdx.x);

    if (index < grid.columns * grid.rows)
        seen[index] = vsm_pixel_match_seen(&grid, alpha, index);
}

int vsm_cuda_stereo_sums_seen(const float *alpha, const struct vsm_match_grid *grid, uint8_t *seen,
                              struct vsm_cuda_stream *stream)
{
    seen_kernel<<<vsm_cuda_blocks(grid->columns * grid->rows, CELLS), CELLS, 0, vsm_cuda_raw(stream)>>>(alpha, *grid,
                                                                                                        seen);
    return vsm_cuda_launched("cells with people");
}
