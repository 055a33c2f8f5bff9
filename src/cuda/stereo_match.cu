#include "cuda/stereo_match.h"

#include "cuda/check.cuh"

#define WARP    32
#define THREADS 128
#define LANES   VSM_MATCH_LANES
#define TEAMS   (THREADS / LANES) /* each scores a shift */
#define BLOCKS  10                /* of a multiprocessor at once */

static_assert(9 <= TEAMS && VSM_MATCH_TURNS % 2 == 0,
              "shifts are scored at once; the result is in the first cells");

struct level {
    const float *pixels;
    int width, height, margin;
};

static __device__ struct level level_of(const struct vsm_match_grid &grid,
                                        const struct vsm_cuda_stereo_pyramid &p, int level)
{
    const int width = grid.width >> level;

    return {p.level[level], width, grid.height >> level, vsm_pixel_match_margin(width)};
}

/* Weights and products as of stereo/disparity_match.h, in the block's memory from these places on. */
struct window {
    int weight, product;
    int reach, step, rows, length;
    float weight_sum, energy;
    bool usable;
};

/* Memory of one block, which matches one cell. */
struct block {
    struct window fine;  /* of the finest level */
    struct window small; /* of the second look */
    struct window spare; /* of coarser levels, and of ways back */
    struct vsm_match_place places[VSM_MATCH_MAX_CANDIDATES];
    int place_count;
    float scores[TEAMS];
    struct vsm_match_best best[TEAMS];
    int order[TEAMS];
    float people;
    float others[VSM_MATCH_OTHERS];
    int other_count;
};

/* Sizes of a block's windows, floats. */
struct room {
    int fine, small, spare;
};

/* One after the other, as the reference does: other orders give other bits. Zeros between do not matter. */
static __device__ float add_up(const float *values, int count)
{
    const float4 *from = (const float4 *)values;
    float sum = 0.0f;

#pragma unroll 4
    for (int i = 0; i < count / 4; i++) {
        const float4 four = from[i];

        sum += four.x;
        sum += four.y;
        sum += four.z;
        sum += four.w;
    }
    return sum;
}

static __device__ float grey_at(const struct level &p, int x, int y)
{
    return p.pixels[vsm_pixel_match_limit(y, 0, p.height - 1) * p.width +
                    vsm_pixel_match_limit(x, 0, p.width - 1)];
}

static __device__ float alpha_at(const struct level &p, int x, int y)
{
    return x < 0 || y < 0 || x >= p.width || y >= p.height ? 0.0f : p.pixels[y * p.width + x];
}

/* vsm_disparity_match_cut(), by one warp. Only weight and product of the window are set before. */
static __device__ __noinline__ void cut(const struct level &picture, struct vsm_match_place at,
                                        const struct level &alpha, struct vsm_match_place alpha_place,
                                        int reach, struct window *window)
{
    extern __shared__ float4 windows[];
    const int lane = threadIdx.x % WARP, across = 2 * reach + 1, step = vsm_pixel_match_step(reach);
    const int rows = (across + step - 1) / step, length = (across + LANES - 1) / LANES * LANES;
    const int x0 = at.x - reach, y0 = at.y - reach;
    float *weight = (float *)windows + window->weight, *product = (float *)windows + window->product;
    bool usable =
        vsm_pixel_match_lies_within(picture.width, picture.height, picture.margin, at, reach, across) &&
        vsm_pixel_match_lies_within(alpha.width, alpha.height, alpha.margin, alpha_place, reach, across);
    float total, sum = 0.0f, mean, energy = 0.0f;

    for (int r = 0; usable && r < rows; r++) {
        for (int i = lane; i < length; i += WARP) {
            const float w = i < across
                                ? alpha_at(alpha, alpha_place.x - reach + i, alpha_place.y - reach + r * step)
                                : 0.0f;

            weight[r * length + i] = w;
            product[r * length + i] = i < across ? w * grey_at(picture, x0 + i, y0 + r * step) : 0.0f;
        }
    }
    __syncwarp();
    total = usable && lane < 2 ? add_up(lane ? product : weight, rows * length) : 0.0f;
    sum = __shfl_sync(0xffffffff, total, 0);
    mean = __shfl_sync(0xffffffff, total, 1);
    usable = usable && !(sum < VSM_MATCH_WEIGHT * (float)(across * rows));
    mean /= sum;
    for (int r = 0; usable && r < rows; r++) {
        for (int i = lane; i < across; i += WARP) {
            const float d = grey_at(picture, x0 + i, y0 + r * step) - mean;

            product[r * length + i] = weight[r * length + i] * d * d;
        }
    }
    __syncwarp();
    if (usable && lane == 0)
        energy = add_up(product, rows * length);
    energy = __shfl_sync(0xffffffff, energy, 0);
    for (int r = 0; usable && r < rows; r++) {
        for (int i = lane; i < across; i += WARP)
            product[r * length + i] =
                weight[r * length + i] * (grey_at(picture, x0 + i, y0 + r * step) - mean);
    }
    if (lane == 0) {
        window->reach = reach;
        window->step = step;
        window->rows = rows;
        window->length = length;
        window->weight_sum = sum;
        window->energy = energy;
        window->usable = usable && energy > VSM_MATCH_MIN_VARIANCE * sum;
    }
}

/* A lane's sums over a window of so many columns of lanes, as vsm_disparity_match_sum_plain() adds them. */
template <int COLUMNS>
static __device__ void add_rows(const struct window &window, const struct level &picture, int x, int y,
                                float sums[3])
{
    extern __shared__ float4 windows[];
    const int lane = threadIdx.x % LANES;
    const float *weight = (const float *)windows + window.weight + lane;
    const float *product = (const float *)windows + window.product + lane;
    int column[COLUMNS];

#pragma unroll
    for (int c = 0; c < COLUMNS; c++)
        column[c] = vsm_pixel_match_limit(x - window.reach + lane + c * LANES, 0, picture.width - 1);
    for (int r = 0; r < window.rows; r++) {
        const float *row =
            picture.pixels +
            vsm_pixel_match_limit(y - window.reach + r * window.step, 0, picture.height - 1) * picture.width;

#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const float b = row[column[c]], wb = weight[c * LANES] * b;

            sums[0] += wb;
            sums[1] += wb * b;
            sums[2] += product[c * LANES] * b;
        }
        weight += COLUMNS * LANES;
        product += COLUMNS * LANES;
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
        const struct vsm_match_place s = shift(team);
        const float found = score(window, picture, centre.x + s.x, centre.y + s.y, team < count);

        if (threadIdx.x % LANES == 0)
            b->scores[team] = found;
    }
    __syncthreads();
}

/* The integer shifts that a search tries on a level, without the vertical range. */
static __device__ __noinline__ void list_places(struct block *b, const struct vsm_cuda_stereo_match &m,
                                                int index, int level)
{
    const struct vsm_match_line line =
        vsm_pixel_match_line(&m.table[index], m.largest, m.pitch, m.both_ways != 0, level);

    for (int i = threadIdx.x; i <= line.steps; i += THREADS)
        b->places[i] = vsm_pixel_match_along(&line, i);
    __syncthreads();
    if (threadIdx.x == 0) {
        int count = 1;

        for (int i = 1; i <= line.steps; i++) {
            const struct vsm_match_place place = b->places[i];

            if (b->places[count - 1].x != place.x)
                b->places[count++] = place;
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
    const int team = threadIdx.x / LANES, count = b->place_count;
    struct vsm_match_best best = {0, 0, -2.0f};
    int order = 0;

    for (int first = threadIdx.x / WARP * (WARP / LANES); first < 3 * count; first += TEAMS) {
        const int i = first + team % (WARP / LANES), row = i / count, place = i % count;
        const int dx = sign * b->places[place].x, dy = sign * b->places[place].y + row - 1;
        const float found = score(window, picture, centre.x + dx, centre.y + dy, i < 3 * count);

        if (i < 3 * count && (found > best.score || (found == best.score && 3 * place + row < order))) {
            best = {dx, dy, found};
            order = 3 * place + row;
        }
    }
    if (threadIdx.x % LANES == 0) {
        b->best[team] = best;
        b->order[team] = order;
    }
    __syncthreads();
    for (int i = 0; i < TEAMS; i++) {
        if (b->best[i].score > best.score || (b->best[i].score == best.score && b->order[i] < order)) {
            best = b->best[i];
            order = b->order[i];
        }
    }
    return best;
}

/* The best integer shift around a guess, as the reference's function of this name. */
static __device__ __noinline__ struct vsm_match_best
search_around(struct block *b, const struct window &window, const struct level &picture,
              struct vsm_match_place centre, struct vsm_match_best guess)
{
    struct vsm_match_best best = {0, 0, -2.0f};

    for (int turn = 0; turn < 3; turn++) {
        best.score = -2.0f;
        score_each(
            b, window, picture, centre, 9, [=](int i) -> struct vsm_match_place {
                return {guess.x + i % 3 - 1, guess.y + i / 3 - 1};
            });
        for (int i = 0; i < 9; i++) {
            if (b->scores[i] > best.score)
                best = {guess.x + i % 3 - 1, guess.y + i / 3 - 1, b->scores[i]};
        }
        if (best.x == guess.x && best.y == guess.y)
            break;
        guess = best;
    }
    return best;
}

/* One cell of a search, and what the block that matches it has at hand. */
struct task {
    const struct vsm_cuda_stereo_match &match;
    struct block *block;
    int index;
};

static __device__ struct vsm_match_place centre_of(const struct task &t, int level)
{
    return vsm_pixel_match_middle(&t.match.grid, t.index, level);
}

static __device__ struct level slave_of(const struct task &t, int level)
{
    return level_of(t.match.grid, t.match.grey[1], level);
}

/* By the warp of that number; the others go on. */
static __device__ void cut_master(const struct task &t, int warp, int level, int reach, struct window *window)
{
    const struct vsm_match_place centre = centre_of(t, level);

    if ((int)threadIdx.x / WARP == warp)
        cut(level_of(t.match.grid, t.match.grey[0], level), centre,
            level_of(t.match.grid, t.match.alpha, level), centre, reach, window);
}

/* Left-right check: the slave's window there finds its way back. */
static __device__ bool comes_back(const struct task &t, int level, int reach, struct vsm_match_best there)
{
    const struct vsm_match_place from = centre_of(t, level), to = {from.x + there.x, from.y + there.y};
    struct vsm_match_best back;

    if (threadIdx.x < WARP)
        cut(slave_of(t, level), to, level_of(t.match.grid, t.match.alpha, level), from, reach,
            &t.block->spare);
    __syncthreads();
    if (!t.block->spare.usable)
        return false;
    back = search_all(t.block, t.block->spare, level_of(t.match.grid, t.match.grey[0], level), to, -1);
    return back.x + there.x >= -1 && back.x + there.x <= 1;
}

static __device__ bool match_down(const struct task &t, const struct window *coarse,
                                  struct vsm_match_best *best)
{
    int level = t.match.grid.levels - 1;

    list_places(t.block, t.match, t.index, level);
    *best = search_all(t.block, *coarse, slave_of(t, level), centre_of(t, level), 1);
    if (best->score < VSM_MATCH_MIN_SCORE ||
        !comes_back(t, level, vsm_pixel_match_reach(t.match.grid.width >> level), *best))
        return false;
    while (--level >= 0) {
        struct window *window = level ? &t.block->spare : &t.block->fine;

        if (level) {
            cut_master(t, 0, level, vsm_pixel_match_reach(t.match.grid.width >> level), window);
            __syncthreads();
        }
        if (!window->usable)
            return false;
        best->x *= 2;
        best->y *= 2;
        *best = search_around(t.block, *window, slave_of(t, level), centre_of(t, level), *best);
    }
    return best->score >= VSM_MATCH_MIN_SCORE;
}

static __device__ bool match_small(const struct task &t, bool found, struct vsm_match_best *best)
{
    struct block *b = t.block;
    float least = VSM_MATCH_SMALL_SCORE;
    struct vsm_match_best other;

    if (!b->small.usable)
        return false;
    if (found) {
        const struct vsm_match_place at = {best->x, best->y};

        score_each(b, b->small, slave_of(t, 0), centre_of(t, 0), 1, [=](int) { return at; });
        least = b->scores[0];
        if (least >= VSM_MATCH_SMALL_SCORE)
            return false;
        least = fmaxf(least + VSM_MATCH_SMALL_GAIN, VSM_MATCH_SMALL_SCORE);
    }
    list_places(b, t.match, t.index, 0);
    other = search_all(b, b->small, slave_of(t, 0), centre_of(t, 0), 1);
    if (other.score < least || !comes_back(t, 0, b->small.reach, other))
        return false;
    *best = other;
    return true;
}

/* The cell's numbers by its best integer shift on the finest level: for the first thread, since devices have few
 * units for double. */
static __device__ __noinline__ struct vsm_match_found
settle(const struct task &t, const struct window &window, struct vsm_match_best best)
{
    score_each(
        t.block, window, slave_of(t, 0), centre_of(t, 0), 4, [=](int i) -> struct vsm_match_place {
            const struct vsm_match_place at = vsm_pixel_match_beside(i);

            return {best.x + at.x, best.y + at.y};
        });
    struct vsm_match_found found = {0.0f, 0.0f, 0.0f};

    if (threadIdx.x == 0)
        found = vsm_pixel_match_settle(&t.match.table[t.index], t.match.largest, t.match.pitch, best,
                                       t.block->scores);
    return found;
}

static __device__ void place_windows(struct block *b, struct room room)
{
    if (threadIdx.x == 0) {
        b->fine.weight = 0;
        b->fine.product = room.fine;
        b->small.weight = 2 * room.fine;
        b->small.product = b->small.weight + room.small;
        b->spare.weight = b->small.product + room.small;
        b->spare.product = b->spare.weight + room.spare;
    }
    __syncthreads();
}

/* Mean alpha of the cell, for all threads. In the windows' memory, before there are any. */
static __device__ float mean_alpha(const struct task &t)
{
    extern __shared__ float4 windows[];
    const struct vsm_match_grid &g = t.match.grid;
    const struct level alpha = level_of(g, t.match.alpha, 0);
    float *pixels = (float *)windows;
    const int x0 = t.index % g.columns * g.side, y0 = t.index / g.columns * g.side;
    const int width = min(g.side, g.width - x0), count = width * min(g.side, g.height - y0);

    for (int i = threadIdx.x; i < (count + 3) / 4 * 4; i += THREADS)
        pixels[i] = i < count ? alpha_at(alpha, x0 + i % width, y0 + i / width) : 0.0f;
    __syncthreads();
    if (threadIdx.x == 0)
        t.block->people = add_up(pixels, (count + 3) / 4 * 4) / (float)count;
    __syncthreads();
    return t.block->people;
}

/* One block a cell. */
static __global__ void __launch_bounds__(THREADS, BLOCKS)
    match_kernel(const __grid_constant__ struct vsm_cuda_stereo_match match, struct room room,
                 struct vsm_cuda_stereo_match_cell *cells)
{
    __shared__ struct block b;
    const struct task t = {match, &b, (int)blockIdx.x};
    const struct vsm_match_grid &grid = match.grid;
    const int coarse = grid.levels - 1;
    struct window *first = coarse ? &b.spare : &b.fine;
    struct vsm_cuda_stereo_match_cell cell = {mean_alpha(t), 0.0f, 0.0f, 0.0f, 0};
    struct vsm_match_best best;
    bool tried = cell.people >= VSM_MATCH_MIN_PEOPLE && match.table[t.index].usable &&
                 (!match.only || match.only[t.index]);

    if (tried) {
        place_windows(&b, room);
        cut_master(t, 0, coarse, vsm_pixel_match_reach(grid.width >> coarse), first);
        cut_master(t, 1, 0, vsm_pixel_match_small(grid.side), &b.small);
        if (coarse)
            cut_master(t, 2, 0, vsm_pixel_match_reach(grid.width), &b.fine);
        __syncthreads();
        tried = first->usable;
    }
    if (tried) {
        const bool found = match_down(t, first, &best), small = match_small(t, found, &best);

        cell.tried = 1;
        if (small || (found && b.fine.usable)) {
            const struct vsm_match_found f = settle(t, small ? b.small : b.fine, best);
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

/* As list_others() of the reference, of what was found before this pass. */
static __device__ int list_others(const struct task &t, const struct vsm_cuda_stereo_match_cell *found)
{
    const struct vsm_match_grid &g = t.match.grid;
    const float apart = VSM_MATCH_OTHERS_APART * t.match.pixel;
    const struct vsm_cuda_stereo_match_cell own = found[t.index];
    float *others = t.block->others;

    if (threadIdx.x == 0) {
        int count = 0;

        for (int k = 0; k < 25 && count < VSM_MATCH_OTHERS; k++) {
            const int x = t.index % g.columns + k % 5 - 2, y = t.index / g.columns + k / 5 - 2;

            if (x < 0 || y < 0 || x >= g.columns || y >= g.rows)
                continue;
            const float parallax = found[y * g.columns + x].parallax;
            bool known = found[y * g.columns + x].confidence <= 0.0f ||
                         (own.confidence > 0.0f && fabsf(parallax - own.parallax) < apart);

            for (int i = 0; i < count && !known; i++)
                known = fabsf(parallax - others[i]) < apart;
            if (!known)
                others[count++] = parallax;
        }
        t.block->other_count = count;
    }
    __syncthreads();
    return t.block->other_count;
}

static __device__ struct vsm_match_best try_parallax(const struct task &t, float parallax)
{
    const struct vsm_match_place at = vsm_pixel_match_place(
        vsm_pixel_parallax_shift(&t.match.table[t.index], t.match.largest, parallax, t.match.pitch), 1.0f);

    return search_around(t.block, t.block->small, slave_of(t, 0), centre_of(t, 0), {at.x, at.y, 0.0f});
}

/* One block a cell. */
static __global__ void __launch_bounds__(THREADS, BLOCKS)
    compare_kernel(const __grid_constant__ struct vsm_cuda_stereo_match match, struct room room,
                   const struct vsm_cuda_stereo_match_cell *found, struct vsm_cuda_stereo_match_cell *cells)
{
    __shared__ struct block b;
    const struct task t = {match, &b, (int)blockIdx.x};
    struct vsm_cuda_stereo_match_cell cell = found[t.index];
    const int count = cell.tried ? list_others(t, found) : 0;
    bool usable = count > 0;

    if (usable) {
        place_windows(&b, {0, room.small, 0});
        cut_master(t, 0, 0, vsm_pixel_match_small(match.grid.side), &b.small);
        __syncthreads();
        usable = b.small.usable;
    }
    if (usable) {
        struct vsm_match_best best = {0, 0, VSM_MATCH_SMALL_SCORE - VSM_MATCH_SMALL_GAIN}, own = best;

        if (cell.confidence > 0.0f)
            best = own = try_parallax(t, cell.parallax);
        for (int i = 0; i < count; i++) {
            const struct vsm_match_best other = try_parallax(t, b.others[i]);

            if (other.score > best.score)
                best = other;
        }
        if (best.score > own.score + VSM_MATCH_OTHER_GAIN) {
            const struct vsm_match_found f = settle(t, b.small, best);

            cell.parallax = f.parallax;
            cell.residual = f.residual;
            cell.confidence = f.confidence > 0.0f ? f.confidence : 0.0f;
        }
    }
    if (threadIdx.x == 0)
        cells[t.index] = cell;
}

/* Floats of a window's weights. */
static int size_of(int reach)
{
    const int across = 2 * reach + 1, step = vsm_pixel_match_step(reach);

    return (across + step - 1) / step * ((across + LANES - 1) / LANES * LANES);
}

static struct room room_of(const struct vsm_match_grid *grid)
{
    struct room room = {size_of(vsm_pixel_match_reach(grid->width)),
                        size_of(vsm_pixel_match_small(grid->side)), 0};

    room.spare = room.small;
    for (int level = 0; level < grid->levels; level++) {
        if (level > 0 || grid->levels == 1)
            room.spare = max(room.spare, size_of(vsm_pixel_match_reach(grid->width >> level)));
    }
    return room;
}

int vsm_cuda_stereo_match_run(const struct vsm_cuda_stereo_match *match,
                              struct vsm_cuda_stereo_match_cell *cells, struct vsm_cuda_stream *stream)
{
    const unsigned count = (unsigned)(match->grid.columns * match->grid.rows);
    const struct room room = room_of(&match->grid);
    const int windows = 2 * (room.fine + room.small + room.spare),
              pixels = match->grid.side * match->grid.side;
    const size_t memory = sizeof(float) * (size_t)max(windows, (pixels + 3) / 4 * 4);
    int status;

    match_kernel<<<count, THREADS, memory, vsm_cuda_raw(stream)>>>(*match, room, cells);
    status = vsm_cuda_launched("matching of cells");
    for (int turn = 0; turn < VSM_MATCH_TURNS && !status; turn++) {
        const unsigned from = (unsigned)turn % 2 * count, to = count - from;

        compare_kernel<<<count, THREADS, 2 * sizeof(float) * (size_t)room.small, vsm_cuda_raw(stream)>>>(
            *match, room, cells + from, cells + to);
        status = vsm_cuda_launched("comparing of cells");
    }
    return status;
}
