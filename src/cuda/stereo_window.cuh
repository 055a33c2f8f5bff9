/* The windows of a cell in its block's memory, for stereo_match.cu: cut out of pictures, and scored against them.
 *
 * One block matches one cell. The arithmetic is pixel/match.h's, the order of additions that of
 * stereo/disparity_match.c: the same bits.
 */
#ifndef VSM_CUDA_STEREO_WINDOW_CUH
#define VSM_CUDA_STEREO_WINDOW_CUH

#include "cuda/check.cuh"
#include "cuda/stereo_match.h"

#define WARP    32
#define LANES   VSM_MATCH_LANES
#define AROUND  9                      /* shifts that are tried round a guess */
#define GUESSES (1 + VSM_MATCH_OTHERS) /* at once */
#define NEAR    25                     /* cells two away at most */

#define MATCH_THREADS   256
#define MATCH_BLOCKS    4 /* of a multiprocessor at once */
#define COMPARE_THREADS (WARP * ((AROUND * GUESSES * LANES + WARP - 1) / WARP))

static_assert(VSM_MATCH_TURNS % 2 == 0, "the result is in the first cells");
static_assert(AROUND * LANES <= MATCH_THREADS && VSM_MATCH_LEVELS + 1 <= MATCH_THREADS / WARP,
              "shifts, and windows, are had all at once");

struct level {
    const float *pixels;
    int width, height, margin;
};

/* Weights and products as of stereo/disparity_match.h, in the block's memory from these places on. */
struct window {
    int weight, product;
    int reach, step, rows, length;
    float weight_sum, energy, mean;
    bool usable;
};

/* The windows of a cell: of the second look, of each level, and for the way back. */
enum { SMALL, LEVELS, BACK = LEVELS + VSM_MATCH_LEVELS, WINDOWS };

/* Where they lie in the block's memory, floats; half of each is weights. */
struct layout {
    int at[WINDOWS + 1];
};

/* Memory of one block, which matches one cell. */
struct block {
    struct window windows[WINDOWS];
    struct vsm_match_place places[VSM_MATCH_MAX_CANDIDATES];
    int place_count;
    float scores[COMPARE_THREADS / LANES];
    struct vsm_match_best guesses[GUESSES];
    struct vsm_match_best best[MATCH_THREADS / WARP];
    int order[MATCH_THREADS / WARP];
    float people;
    float near_parallax[NEAR], near_confidence[NEAR];
    int guess_count;
};

/* One cell of a search, and what the block that matches it has at hand. */
struct task {
    const struct vsm_cuda_stereo_match &match;
    const struct layout &layout;
    struct block *block;
    int index;
};

static __device__ struct level level_of(const struct task &t, const struct vsm_cuda_stereo_pyramid &p,
                                        int level)
{
    const int width = t.match.grid.width >> level;

    return {p.level[level], width, t.match.grid.height >> level, vsm_pixel_match_margin(width)};
}

static __device__ struct level master_of(const struct task &t, int level)
{
    return level_of(t, t.match.grey[0], level);
}

static __device__ struct level slave_of(const struct task &t, int level)
{
    return level_of(t, t.match.grey[1], level);
}

static __device__ int reach_of(const struct task &t, int level)
{
    return vsm_pixel_match_reach(t.match.grid.width >> level);
}

static __device__ struct vsm_match_place centre_of(const struct task &t, int level)
{
    return vsm_pixel_match_middle(&t.match.grid, t.index, level);
}

/* What a window is cut from: a picture round a place, with the weights that lie round one of alpha. */
struct sight {
    struct level picture, alpha;
    struct vsm_match_place at, alpha_at;
    int reach;
};

static __device__ struct sight sight_of(const struct task &t, int window)
{
    const int level = window == SMALL ? 0 : window - LEVELS;
    const struct vsm_match_place at = centre_of(t, level);

    return {master_of(t, level), level_of(t, t.match.alpha, level), at, at,
            window == SMALL ? vsm_pixel_match_small(t.match.grid.side) : reach_of(t, level)};
}

/* Weights, and pixels in the products' place. By all threads. */
static __device__ __noinline__ void fill(const struct task &t, int index, const struct sight &s)
{
    extern __shared__ float4 memory[];
    struct window *w = &t.block->windows[index];
    const int across = 2 * s.reach + 1, step = vsm_pixel_match_step(s.reach);
    const int rows = (across + step - 1) / step, length = (across + LANES - 1) / LANES * LANES;
    const int half = (t.layout.at[index + 1] - t.layout.at[index]) / 2;
    float *weight = (float *)memory + t.layout.at[index], *product = weight + half;

#pragma unroll 4
    for (int i = threadIdx.x; i < rows * length; i += blockDim.x) {
        const int column = i % length, down = i / length * step - s.reach, right = column - s.reach;
        const int x = s.alpha_at.x + right, y = s.alpha_at.y + down;
        const bool within = column < across && x >= 0 && y >= 0 && x < s.alpha.width && y < s.alpha.height;
        const int u = vsm_pixel_match_limit(s.at.x + right, 0, s.picture.width - 1);
        const int v = vsm_pixel_match_limit(s.at.y + down, 0, s.picture.height - 1);

        weight[i] = within ? __ldg(&s.alpha.pixels[y * s.alpha.width + x]) : 0.0f;
        product[i] = __ldg(&s.picture.pixels[v * s.picture.width + u]);
    }
    if (threadIdx.x == 0) {
        w->weight = t.layout.at[index];
        w->product = t.layout.at[index] + half;
        w->reach = s.reach;
        w->step = step;
        w->rows = rows;
        w->length = length;
        w->usable = vsm_pixel_match_lies_within(s.picture.width, s.picture.height, s.picture.margin, s.at,
                                                s.reach, across) &&
                    vsm_pixel_match_lies_within(s.alpha.width, s.alpha.height, s.alpha.margin, s.alpha_at,
                                                s.reach, across);
    }
}

/* Sums of a filled window one after the other, as the reference adds them: other orders give other bits, but
 * zeros between do not matter. By one warp, of which two lanes add. */
static __device__ __noinline__ void weigh(struct window *w)
{
    extern __shared__ float4 memory[];
    const int lane = threadIdx.x % WARP, across = 2 * w->reach + 1, count = w->rows * w->length / 4;
    const float4 *weight = (const float4 *)((const float *)memory + w->weight);
    const float4 *pixel = (const float4 *)((const float *)memory + w->product);
    float sum = 0.0f, mean = 0.0f, energy = 0.0f;

    if (lane < 2) {
#pragma unroll 4
        for (int i = 0; i < count; i++) {
            const float4 a = weight[i], b = pixel[i];

            sum += lane ? a.x * b.x : a.x;
            sum += lane ? a.y * b.y : a.y;
            sum += lane ? a.z * b.z : a.z;
            sum += lane ? a.w * b.w : a.w;
        }
    }
    mean = __shfl_sync(0xffffffff, sum, 1) / __shfl_sync(0xffffffff, sum, 0);
    if (lane == 0) {
#pragma unroll 4
        for (int i = 0; i < count; i++) {
            const float4 a = weight[i], b = pixel[i];
            const float dx = b.x - mean, dy = b.y - mean, dz = b.z - mean, dw = b.w - mean;

            energy += a.x * dx * dx;
            energy += a.y * dy * dy;
            energy += a.z * dz * dz;
            energy += a.w * dw * dw;
        }
        w->weight_sum = sum;
        w->mean = mean;
        w->energy = energy;
        w->usable = w->usable && !(sum < VSM_MATCH_WEIGHT * (float)(across * w->rows)) &&
                    energy > VSM_MATCH_MIN_VARIANCE * sum;
    }
}

/* In the place of the pixels. By all threads. */
static __device__ void make_products(const struct window &w)
{
    extern __shared__ float4 memory[];
    const float *weight = (const float *)memory + w.weight;
    float *product = (float *)memory + w.product;

    for (int i = threadIdx.x; i < w.rows * w.length; i += blockDim.x)
        product[i] = weight[i] * (product[i] - w.mean);
}

/* vsm_disparity_match_cut() of the master's first `count` windows. */
static __device__ void cut_master(const struct task &t, int count)
{
    const int warp = threadIdx.x / WARP;

    for (int i = 0; i < count; i++)
        fill(t, i, sight_of(t, i));
    __syncthreads();
    if (warp < count)
        weigh(&t.block->windows[warp]);
    __syncthreads();
    for (int i = 0; i < count; i++)
        make_products(t.block->windows[i]);
    __syncthreads();
}

/* Of the slave's window. */
static __device__ void cut_back(const struct task &t, const struct sight &sight)
{
    fill(t, BACK, sight);
    __syncthreads();
    if (threadIdx.x < WARP)
        weigh(&t.block->windows[BACK]);
    __syncthreads();
    make_products(t.block->windows[BACK]);
    __syncthreads();
}

/* A lane's sums over a window of so many columns of lanes, as vsm_disparity_match_sum_plain() adds them. */
template <int COLUMNS>
static __device__ void add_rows(const struct window &window, const struct level &picture, int x, int y,
                                float sums[3])
{
    extern __shared__ float4 memory[];
    const int lane = threadIdx.x % LANES, rows = window.rows, step = window.step, top = y - window.reach;
    const float *weight = (const float *)memory + window.weight + lane;
    const float *product = (const float *)memory + window.product + lane;
    int column[COLUMNS];

#pragma unroll
    for (int c = 0; c < COLUMNS; c++)
        column[c] = vsm_pixel_match_limit(x - window.reach + lane + c * LANES, 0, picture.width - 1);
#pragma unroll(COLUMNS > 3 ? 2 : 4)
    for (int r = 0; r < rows; r++) {
        const float *row =
            picture.pixels + vsm_pixel_match_limit(top + r * step, 0, picture.height - 1) * picture.width;

#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const float b = row[column[c]], wb = weight[(r * COLUMNS + c) * LANES] * b;

            sums[0] += wb;
            sums[1] += wb * b;
            sums[2] += product[(r * COLUMNS + c) * LANES] * b;
        }
    }
}

/* Correlation with the picture round (x, y), by a team of lanes, all of which get it. Called by whole warps;
 * nothing is read unless `wanted`. Not inline: all of a kernel's code is to stay in the instruction cache. */
static __device__ __noinline__ float score(const struct window &window, const struct level picture, int x,
                                           int y, bool wanted)
{
    const bool within = wanted && vsm_pixel_match_lies_within(picture.width, picture.height, picture.margin,
                                                              {x, y}, window.reach, window.length);
    float sums[3] = {0.0f, 0.0f, 0.0f}, total[3] = {0.0f, 0.0f, 0.0f};

    if (within) {
        switch (window.length / LANES) {
        case 2:
            add_rows<2>(window, picture, x, y, sums);
            break;
        case 3:
            add_rows<3>(window, picture, x, y, sums);
            break;
        case 4:
            add_rows<4>(window, picture, x, y, sums);
            break;
        case 5:
            add_rows<5>(window, picture, x, y, sums);
            break;
        default:
            add_rows<VSM_MATCH_ROW / LANES>(window, picture, x, y, sums);
        }
    }
    for (int k = 0; k < LANES; k++) {
        for (int i = 0; i < 3; i++)
            total[i] += __shfl_sync(0xffffffff, sums[i], k, LANES);
    }
    return within ? vsm_pixel_match_score(total[0], total[1], total[2], window.weight_sum, window.energy)
                  : -1.0f;
}

/* Scores shifts shift(0) to shift(count - 1), one a team. The block's scores hold until the next call. */
template <class Shift>
static __device__ void score_each(struct block *b, const struct window &window, const struct level &picture,
                                  struct vsm_match_place centre, int count, Shift shift)
{
    const int team = threadIdx.x / LANES;

    __syncthreads();
    if ((int)threadIdx.x / WARP * (WARP / LANES) < count) {
        const struct vsm_match_place s = shift(team < count ? team : 0);
        const float found = score(window, picture, centre.x + s.x, centre.y + s.y, team < count);

        if (threadIdx.x % LANES == 0)
            b->scores[team] = found;
    }
    __syncthreads();
}

#endif
