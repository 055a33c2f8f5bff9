#include "cuda/stereo_match.h"

#include "cuda/check.cuh"

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

/* The integer shifts that a search tries on a level, without the vertical range. */
static __device__ __noinline__ void list_places(const struct task &t, int level)
{
    const struct vsm_match_line line = vsm_pixel_match_line(&t.match.table[t.index], t.match.largest,
                                                            t.match.pitch, t.match.both_ways != 0, level);
    struct block *b = t.block;

    for (int i = threadIdx.x; i <= line.steps; i += blockDim.x)
        b->places[i] = vsm_pixel_match_along(&line, i);
    __syncthreads();
    if (threadIdx.x == 0) {
        int count = 1, last = b->places[0].x;

        for (int i = 1; i <= line.steps; i++) {
            const struct vsm_match_place place = b->places[i];

            if (place.x != last)
                b->places[count++] = place;
            last = place.x;
        }
        b->place_count = count;
    }
    __syncthreads();
}

/* The best of the listed places, and of those a row above and below; of equal ones that which the reference
 * comes upon first. */
static __device__ __noinline__ struct vsm_match_best search_all(struct block *b, const struct window &window,
                                                                const struct level &picture,
                                                                struct vsm_match_place centre, int sign)
{
    const int warp = threadIdx.x / WARP, team = threadIdx.x / LANES, count = b->place_count;
    struct vsm_match_best best = {0, 0, -2.0f};
    int order = 0;

    for (int first = warp * (WARP / LANES); first < 3 * count; first += (int)blockDim.x / LANES) {
        const int i = first + team % (WARP / LANES), row = i / count, place = i % count;
        const int dx = sign * b->places[place].x, dy = sign * b->places[place].y + row - 1;
        const float found = score(window, picture, centre.x + dx, centre.y + dy, i < 3 * count);

        if (i < 3 * count && (found > best.score || (found == best.score && 3 * place + row < order))) {
            best = {dx, dy, found};
            order = 3 * place + row;
        }
    }
    for (int away = LANES; away < WARP; away *= 2) {
        const struct vsm_match_best other = {__shfl_xor_sync(0xffffffff, best.x, away),
                                             __shfl_xor_sync(0xffffffff, best.y, away),
                                             __shfl_xor_sync(0xffffffff, best.score, away)};
        const int its = __shfl_xor_sync(0xffffffff, order, away);

        if (other.score > best.score || (other.score == best.score && its < order)) {
            best = other;
            order = its;
        }
    }
    if (threadIdx.x % WARP == 0) {
        b->best[warp] = best;
        b->order[warp] = order;
    }
    __syncthreads();
    for (int i = 0; i < (int)blockDim.x / WARP; i++) {
        if (b->best[i].score > best.score || (b->best[i].score == best.score && b->order[i] < order)) {
            best = b->best[i];
            order = b->order[i];
        }
    }
    return best;
}

/* The best integer shifts around the block's guesses, in their place, as the reference's function of this name
 * finds each. A guess that stays where it is does so again. */
static __device__ __noinline__ void search_around(struct block *b, const struct window &window,
                                                  const struct level &picture, struct vsm_match_place centre,
                                                  int count)
{
    bool moved = true;

    for (int turn = 0; turn < 3 && moved; turn++) {
        score_each(
            b, window, picture, centre, AROUND * count, [=](int i) -> struct vsm_match_place {
                const struct vsm_match_best guess = b->guesses[i / AROUND];

                return {guess.x + i % 3 - 1, guess.y + i % AROUND / 3 - 1};
            });
        moved = false;
        if ((int)threadIdx.x < count) {
            const struct vsm_match_best guess = b->guesses[threadIdx.x];
            struct vsm_match_best best = {0, 0, -2.0f};

            for (int i = 0; i < AROUND; i++) {
                const float found = b->scores[AROUND * threadIdx.x + i];

                if (found > best.score)
                    best = {guess.x + i % 3 - 1, guess.y + i / 3 - 1, found};
            }
            b->guesses[threadIdx.x] = best;
            moved = best.x != guess.x || best.y != guess.y;
        }
        moved = __syncthreads_or(moved) != 0;
    }
}

/* Left-right check: the slave's window there finds its way back. */
static __device__ bool comes_back(const struct task &t, int level, int reach, struct vsm_match_best there)
{
    const struct vsm_match_place from = centre_of(t, level), to = {from.x + there.x, from.y + there.y};
    const struct window &window = t.block->windows[BACK];
    struct vsm_match_best back;

    cut_back(t, {slave_of(t, level), level_of(t, t.match.alpha, level), to, from, reach});
    if (!window.usable)
        return false;
    back = search_all(t.block, window, master_of(t, level), to, -1);
    return back.x + there.x >= -1 && back.x + there.x <= 1;
}

static __device__ bool match_down(const struct task &t, struct vsm_match_best *best)
{
    struct block *b = t.block;
    int level = t.match.grid.levels - 1;

    list_places(t, level);
    *best = search_all(b, b->windows[LEVELS + level], slave_of(t, level), centre_of(t, level), 1);
    if (best->score < VSM_MATCH_MIN_SCORE || !comes_back(t, level, reach_of(t, level), *best))
        return false;
    while (--level >= 0) {
        const struct window &window = b->windows[LEVELS + level];

        if (!window.usable)
            return false;
        if (threadIdx.x == 0)
            b->guesses[0] = {2 * best->x, 2 * best->y, 0.0f};
        search_around(b, window, slave_of(t, level), centre_of(t, level), 1);
        *best = b->guesses[0];
        __syncthreads();
    }
    return best->score >= VSM_MATCH_MIN_SCORE;
}

static __device__ bool match_small(const struct task &t, bool found, struct vsm_match_best *best)
{
    struct block *b = t.block;
    const struct window &window = b->windows[SMALL];
    float least = VSM_MATCH_SMALL_SCORE;
    struct vsm_match_best other;

    if (!window.usable)
        return false;
    if (found) {
        const struct vsm_match_place at = {best->x, best->y};

        score_each(b, window, slave_of(t, 0), centre_of(t, 0), 1, [=](int) { return at; });
        least = b->scores[0];
        if (least >= VSM_MATCH_SMALL_SCORE)
            return false;
        least = fmaxf(least + VSM_MATCH_SMALL_GAIN, VSM_MATCH_SMALL_SCORE);
    }
    list_places(t, 0);
    other = search_all(b, window, slave_of(t, 0), centre_of(t, 0), 1);
    if (other.score < least || !comes_back(t, 0, window.reach, other))
        return false;
    *best = other;
    return true;
}

/* The cell's numbers by its best integer shift on the finest level: for the first thread, since devices have
 * few units for double. */
static __device__ __noinline__ struct vsm_match_found
settle(const struct task &t, const struct window &window, struct vsm_match_best best)
{
    struct vsm_match_found found = {0.0f, 0.0f, 0.0f};

    score_each(
        t.block, window, slave_of(t, 0), centre_of(t, 0), 4, [=](int i) -> struct vsm_match_place {
            const struct vsm_match_place at = vsm_pixel_match_beside(i);

            return {best.x + at.x, best.y + at.y};
        });
    if (threadIdx.x == 0)
        found = vsm_pixel_match_settle(&t.match.table[t.index], t.match.largest, t.match.pitch, best,
                                       t.block->scores);
    return found;
}

/* Mean alpha of the cell, for all threads. In the windows' memory, before there are any. */
static __device__ float mean_alpha(const struct task &t)
{
    extern __shared__ float4 memory[];
    const struct vsm_match_grid &g = t.match.grid;
    const float *alpha = t.match.alpha.level[0];
    float *pixels = (float *)memory;
    const int x0 = t.index % g.columns * g.side, y0 = t.index / g.columns * g.side;
    const int width = min(g.side, g.width - x0), count = width * min(g.side, g.height - y0);

    for (int i = threadIdx.x; i < (count + 3) / 4 * 4; i += blockDim.x)
        pixels[i] = i < count ? alpha[(y0 + i / width) * g.width + x0 + i % width] : 0.0f;
    __syncthreads();
    if (threadIdx.x == 0) {
        float sum = 0.0f;

#pragma unroll 4
        for (int i = 0; i < (count + 3) / 4; i++) {
            const float4 four = memory[i];

            sum += four.x;
            sum += four.y;
            sum += four.z;
            sum += four.w;
        }
        t.block->people = sum / (float)count;
    }
    __syncthreads();
    return t.block->people;
}

/* One block a cell. */
static __global__ void __launch_bounds__(MATCH_THREADS, MATCH_BLOCKS)
    match_kernel(const __grid_constant__ struct vsm_cuda_stereo_match match,
                 const __grid_constant__ struct layout layout, struct vsm_cuda_stereo_match_cell *cells)
{
    __shared__ struct block b;
    const struct task t = {match, layout, &b, (int)blockIdx.x};
    const bool wanted = match.table[t.index].usable && (!match.only || match.only[t.index]);
    struct vsm_cuda_stereo_match_cell cell = {mean_alpha(t), 0.0f, 0.0f, 0.0f, 0};
    struct vsm_match_best best;

    if (wanted && cell.people >= VSM_MATCH_MIN_PEOPLE) {
        cut_master(t, LEVELS + match.grid.levels);
        cell.tried = b.windows[LEVELS + match.grid.levels - 1].usable;
    }
    if (cell.tried) {
        const bool found = match_down(t, &best), small = match_small(t, found, &best);

        if (small || (found && b.windows[LEVELS].usable)) {
            const struct vsm_match_found f = settle(t, b.windows[small ? SMALL : LEVELS], best);
            const bool trusted =
                f.confidence > 0.0f && !(small && f.confidence < VSM_MATCH_SMALL_LEAST_TRUST);

            cell.parallax = f.parallax;
            cell.residual = f.residual;
            cell.confidence = !trusted ? 0.0f : small ? f.confidence * VSM_MATCH_SMALL_TRUST : f.confidence;
        }
    }
    if (threadIdx.x == 0)
        cells[t.index] = cell;
}

static __device__ struct vsm_match_best guess_of(const struct task &t, float parallax)
{
    const struct vsm_match_place at = vsm_pixel_match_place(
        vsm_pixel_parallax_shift(&t.match.table[t.index], t.match.largest, parallax, t.match.pitch), 1.0f);

    return {at.x, at.y, 0.0f};
}

/* The cell's own shift, if it has one, and those of its neighbours that differ, as list_others() of the
 * reference has them; found: before this pass. Returns how many, 0 if no neighbour differs. */
static __device__ int list_guesses(const struct task &t, const struct vsm_cuda_stereo_match_cell &own,
                                   const struct vsm_cuda_stereo_match_cell *found)
{
    const struct vsm_match_grid &g = t.match.grid;
    const float apart = VSM_MATCH_OTHERS_APART * t.match.pixel;
    struct block *b = t.block;

    if (threadIdx.x < NEAR) {
        const int x = t.index % g.columns + (int)threadIdx.x % 5 - 2;
        const int y = t.index / g.columns + (int)threadIdx.x / 5 - 2;
        const bool within = x >= 0 && y >= 0 && x < g.columns && y < g.rows;

        b->near_parallax[threadIdx.x] = within ? found[y * g.columns + x].parallax : 0.0f;
        b->near_confidence[threadIdx.x] = within ? found[y * g.columns + x].confidence : 0.0f;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        const int first = own.confidence > 0.0f;
        float others[VSM_MATCH_OTHERS];
        int count = 0;

        for (int k = 0; k < NEAR && count < VSM_MATCH_OTHERS; k++) {
            const float parallax = b->near_parallax[k];
            bool known = b->near_confidence[k] <= 0.0f || (first && fabsf(parallax - own.parallax) < apart);

            for (int i = 0; i < count && !known; i++)
                known = fabsf(parallax - others[i]) < apart;
            if (!known)
                others[count++] = parallax;
        }
        if (count > 0 && first)
            b->guesses[0] = guess_of(t, own.parallax);
        for (int i = 0; i < count; i++)
            b->guesses[first + i] = guess_of(t, others[i]);
        b->guess_count = count > 0 ? first + count : 0;
    }
    __syncthreads();
    return b->guess_count;
}

/* One block a cell. */
static __global__ void __launch_bounds__(COMPARE_THREADS)
    compare_kernel(const __grid_constant__ struct vsm_cuda_stereo_match match,
                   const __grid_constant__ struct layout layout,
                   const struct vsm_cuda_stereo_match_cell *found, struct vsm_cuda_stereo_match_cell *cells)
{
    __shared__ struct block b;
    const struct task t = {match, layout, &b, (int)blockIdx.x};
    struct vsm_cuda_stereo_match_cell cell = found[t.index];
    const int count = cell.tried ? list_guesses(t, cell, found) : 0;
    bool usable = count > 0;

    if (usable) {
        cut_master(t, 1);
        usable = b.windows[SMALL].usable;
    }
    if (usable) {
        const struct vsm_match_best none = {0, 0, VSM_MATCH_SMALL_SCORE - VSM_MATCH_SMALL_GAIN};
        struct vsm_match_best best, own;

        search_around(&b, b.windows[SMALL], slave_of(t, 0), centre_of(t, 0), count);
        best = own = cell.confidence > 0.0f ? b.guesses[0] : none;
        for (int i = cell.confidence > 0.0f; i < count; i++) {
            if (b.guesses[i].score > best.score)
                best = b.guesses[i];
        }
        if (best.score > own.score + VSM_MATCH_OTHER_GAIN) {
            const struct vsm_match_found f = settle(t, b.windows[SMALL], best);

            cell.parallax = f.parallax;
            cell.residual = f.residual;
            cell.confidence = f.confidence > 0.0f ? f.confidence : 0.0f;
        }
    }
    if (threadIdx.x == 0)
        cells[t.index] = cell;
}

/* Floats of a window. */
static int size_of(int reach)
{
    const int across = 2 * reach + 1, step = vsm_pixel_match_step(reach);

    return 2 * ((across + step - 1) / step) * ((across + LANES - 1) / LANES * LANES);
}

static struct layout lay_out(const struct vsm_match_grid *grid)
{
    const int small = size_of(vsm_pixel_match_small(grid->side));
    const int coarse = size_of(vsm_pixel_match_reach(grid->width >> (grid->levels - 1)));
    struct layout layout = {{0}};

    layout.at[SMALL + 1] = small;
    for (int level = 0; level < VSM_MATCH_LEVELS; level++)
        layout.at[LEVELS + level + 1] =
            layout.at[LEVELS + level] +
            (level < grid->levels ? size_of(vsm_pixel_match_reach(grid->width >> level)) : 0);
    layout.at[BACK + 1] = layout.at[BACK] + max(small, coarse);
    return layout;
}

int vsm_cuda_stereo_match_run(const struct vsm_cuda_stereo_match *match,
                              struct vsm_cuda_stereo_match_cell *cells, struct vsm_cuda_stream *stream)
{
    const unsigned count = (unsigned)(match->grid.columns * match->grid.rows);
    const struct layout layout = lay_out(&match->grid);
    const int pixels = (match->grid.side * match->grid.side + 3) / 4 * 4;
    const size_t memory = sizeof(float) * (size_t)max(layout.at[WINDOWS], pixels);
    int status =
        vsm_cuda_status(cudaFuncSetAttribute(match_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                             (int)memory),
                        "matching of cells");

    if (status)
        return status;
    match_kernel<<<count, MATCH_THREADS, memory, vsm_cuda_raw(stream)>>>(*match, layout, cells);
    status = vsm_cuda_launched("matching of cells");
    for (int turn = 0; turn < VSM_MATCH_TURNS && !status; turn++) {
        const unsigned from = (unsigned)turn % 2 * count, to = count - from;

        compare_kernel<<<count, COMPARE_THREADS, sizeof(float) * (size_t)layout.at[LEVELS],
                         vsm_cuda_raw(stream)>>>(*match, layout, cells + from, cells + to);
        status = vsm_cuda_launched("comparing of cells");
    }
    return status;
}
