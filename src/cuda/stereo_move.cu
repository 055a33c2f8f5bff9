#include "cuda/stereo_move.h"

#include "cuda/check.cuh"
#include "pixel/mend.h"
#include "pixel/transfer.h"

#include <limits.h>

#define TILE_X 32
#define TILE_Y 8

#define LANDING_THREADS 256

/* Cells of the taker, a warp each, which looks for the giver's that land there, in the rows from which some do. */
static __global__ void __launch_bounds__(LANDING_THREADS)
    landing_kernel(const struct vsm_disparity_map *map, int count, int columns, struct vsm_transfer_landing *landings)
{
    __shared__ short lefts[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS], tops[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
    __shared__ int least, most; /* rows down that some cell comes from, seen from the first where it lands */
    const int lane = (int)threadIdx.x % 32, to = ((int)blockIdx.x * LANDING_THREADS + (int)threadIdx.x) / 32;
    int low = INT_MAX, high = INT_MIN;

    if (threadIdx.x == 0) {
        least = low;
        most = high;
    }
    __syncthreads();
#pragma unroll 4
    for (int i = (int)threadIdx.x; i < count; i += LANDING_THREADS) {
        int left = SHRT_MIN, top = SHRT_MIN;

        if (map->cells[i].known) {
            vsm_transfer_place(map, i, &left, &top);
            low = min(low, i / columns - top);
            high = max(high, i / columns - top);
        }
        lefts[i] = (short)left;
        tops[i] = (short)top;
    }
    atomicMin(&least, low);
    atomicMax(&most, high);
    __syncthreads();
    if (to >= count)
        return;
    const int x = to % columns, y = to / columns;
    const int begin = least > most ? count : max(y - 2 + least, 0) * columns;
    const int end = least > most ? count : min((y + most + 1) * columns, count);
    struct vsm_transfer_landing landing = {{0.0f}, {0.0f}, 0};

    for (int i = begin + lane; i < end + lane; i += 32) {
        const int right = i < end ? x - lefts[i] : -1, down = i < end ? y - tops[i] : -1;
        const bool here = right >= 0 && right < 3 && down >= 0 && down < 3;
        const float du = here ? map->cells[i].du : 0.0f, dv = here ? map->cells[i].dv : 0.0f;

        for (unsigned lands = __ballot_sync(0xffffffff, here); lands; lands &= lands - 1) {
            const int giver = __ffs((int)lands) - 1;

            vsm_transfer_land(&landing, __shfl_sync(0xffffffff, du, giver), __shfl_sync(0xffffffff, dv, giver));
        }
    }
    if (lane == 0)
        landings[to] = landing;
}

static __global__ void __launch_bounds__(TILE_X *TILE_Y)
    move_kernel(const struct vsm_cuda_stereo_move move, const struct vsm_mend_grid grid)
{
    const int x = (int)(blockIdx.x * TILE_X + threadIdx.x), y = (int)(blockIdx.y * TILE_Y + threadIdx.y);
    const size_t at = (size_t)y * (size_t)grid.width + (size_t)x;

    if (x >= grid.width || y >= grid.height)
        return;
    const struct vsm_transfer_landing *landing = &move.landings[y / grid.side * grid.columns + x / grid.side];
    const float fx = (float)x + 0.5f, fy = (float)y + 0.5f;
    float nearest = landing->count > 0 ? -1.0f : 0.0f;

    for (int i = 0; i < landing->count; i++) {
        const float here = vsm_transfer_arriving(move.map, move.from, grid.width, grid.height, fx, fy,
                                                 landing->du[i], landing->dv[i]);

        nearest = here > nearest ? here : nearest;
    }
    move.moved[at] =
        vsm_transfer_seen(landing, move.from, move.there[at], nearest, grid.width, grid.height, fx, fy);
}

static __global__ void __launch_bounds__(TILE_X *TILE_Y)
    settle_kernel(const float *moved, const float *own, int width, int height, float *settled)
{
    const int x = (int)(blockIdx.x * TILE_X + threadIdx.x), y = (int)(blockIdx.y * TILE_Y + threadIdx.y);
    const size_t at = (size_t)y * (size_t)width + (size_t)x;

    if (x < width && y < height)
        settled[at] = vsm_transfer_settled(moved, own[at], width, height, x, y);
}

int vsm_cuda_stereo_move_run(const struct vsm_cuda_stereo_move *move, const struct vsm_mend_grid *grid,
                             struct vsm_cuda_stream *stream)
{
    const dim3 blocks(vsm_cuda_blocks(grid->width, TILE_X), vsm_cuda_blocks(grid->height, TILE_Y));
    const dim3 threads(TILE_X, TILE_Y);
    const int cells = grid->columns * grid->rows;

    landing_kernel<<<vsm_cuda_blocks(cells, LANDING_THREADS / 32), LANDING_THREADS, 0, vsm_cuda_raw(stream)>>>(
        move->map, cells, grid->columns, move->landings);
    move_kernel<<<blocks, threads, 0, vsm_cuda_raw(stream)>>>(*move, *grid);
    settle_kernel<<<blocks, threads, 0, vsm_cuda_raw(stream)>>>(move->moved, move->there, grid->width, grid->height,
                                                                move->settled);
    return vsm_cuda_launched("moving alpha");
}
