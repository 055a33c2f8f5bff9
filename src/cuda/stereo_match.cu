#include "cuda/stereo_match.h"

#include "cuda/stereo_window.cuh"

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
