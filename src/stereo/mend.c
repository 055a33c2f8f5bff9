#include "stereo/mend.h"

#include "pixel/cell.h"
#include "stereo/cell_bits.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define ROWS     4     /* for one call of a worker */
#define STEP     0.25f /* most by which a share moves in a frame */
#define MIN_SOFT 0.02f /* mean alpha of a cell and its neighbours that shows anybody */

/* The eye's matte dropped: mean alpha of a cell and its neighbours, and what of that the other eye's may have
 * done. A sudden gain is no sign: people come into view in one eye first. */
#define JUMP      0.20f
#define JUMP_BOTH 0.4f

/* Share of the people whom the other eye shows that must drop together: less is movement too
 * fast for a cell. */
#define DROP_PART 0.15f

/* The eyes differ in this part of a place: somebody is missing. */
#define APART 0.17f

struct measuring {
    const struct vsm_mend_grid *grid;
    const float *own, *settled;
    struct vsm_mend_sums *cells;
};

static void measure_row(void *context, int index, int worker)
{
    const struct measuring *m = context;

    (void)worker;
    for (int i = index * m->grid->columns; i < (index + 1) * m->grid->columns; i++) {
        struct vsm_mend_sums sums = {0};

        vsm_cell_compare(&sums, m->own, m->settled, m->grid->width, vsm_cell_of(m->grid, i));
        m->cells[i] = sums;
    }
}

void vsm_mend_measure(const struct vsm_mend_grid *grid, const float *own, const float *settled,
                      struct vsm_mend_sums cells[VSM_MEND_CELLS], struct vsm_parallel *pool)
{
    struct measuring measuring = {grid, own, settled, cells};

    vsm_parallel_for(pool, grid->rows, measure_row, &measuring);
}

static void add_stats(struct vsm_mend_sums *sum, const struct vsm_mend_sums *s)
{
    sum->own += s->own;
    sum->moved += s->moved;
    sum->both += s->both;
    sum->either += s->either;
    sum->apart += s->apart;
    sum->known += s->known;
}

static struct vsm_mend_sums around(const struct vsm_mend_grid *grid, const struct vsm_mend_sums *cells,
                                   int column, int row)
{
    struct vsm_mend_sums sum = {0};

    for (int y = row > 0 ? row - 1 : row; y <= row + 1 && y < grid->rows; y++) {
        for (int x = column > 0 ? column - 1 : column; x <= column + 1 && x < grid->columns; x++)
            add_stats(&sum, &cells[y * grid->columns + x]);
    }
    return sum;
}

static float mean_before(const struct vsm_mend_grid *grid, const float *before, int index)
{
    float sum = 0.0f;
    int count = 0;

    for (int k = 0; k < 9; k++) {
        const int x = index % grid->columns + k % 3 - 1, y = index / grid->columns + k / 3 - 1;

        if (x >= 0 && y >= 0 && x < grid->columns && y < grid->rows) {
            sum += before[y * grid->columns + x];
            count++;
        }
    }
    return sum / (float)count;
}

/* The share that a cell should come to, and whether at once. */
static float aim(const struct vsm_mend *mend, const struct vsm_mend_sums *s, float before,
                 const struct vsm_mend_signs *signs, bool *at_once)
{
    const float own = s->own / s->known, moved = s->moved / s->known;
    const float by_own = fabsf(own - before), by_moved = fabsf(moved - before);

    *at_once = mend->frames > 0 && before - own > JUMP && by_moved < JUMP_BOTH * by_own;
    if (signs->doubt != 0.0f)
        return signs->doubt > 0.0f ? 1.0f : 0.0f;
    return *at_once ? 1.0f : 0.0f;
}

/* Whether the eye lacks somebody here, by much, beside a place that it lost at a stroke: people walk on. */
static bool beside_drop(const struct vsm_mend_grid *grid, const bool *dropped, const struct vsm_mend_sums *s,
                        int index)
{
    if (s->moved <= s->own || s->apart <= APART * s->known)
        return false;
    for (int k = 0; k < 9; k++) {
        const int x = index % grid->columns + k % 3 - 1, y = index / grid->columns + k / 3 - 1;

        if (x >= 0 && y >= 0 && x < grid->columns && y < grid->rows && dropped[y * grid->columns + x])
            return true;
    }
    return false;
}

/* While an eye is judged: cells of which or beside which somebody is; all that is 0 elsewhere. */
struct judging {
    uint64_t rows[VSM_DISPARITY_CELLS]; /* a bit a column */
    struct vsm_mend_sums near[VSM_MEND_CELLS];
    float target[VSM_MEND_CELLS];
    bool dropped[VSM_MEND_CELLS];
};

static void find_people(const struct vsm_mend_grid *grid, const struct vsm_mend_sums *cells,
                        struct judging *judging)
{
    struct vsm_cell_bits people = {{0}};

    for (int y = 0; y < grid->rows; y++) {
        for (int x = 0; x < grid->columns; x++)
            vsm_cell_bits_put(&people, x, y, cells[y * grid->columns + x].either > 0.0f);
    }
    for (int y = 0; y < grid->rows; y++)
        judging->rows[y] = vsm_cell_bits_near(&people, grid->columns, y);
    memset(judging->target, 0, sizeof(judging->target));
    memset(judging->dropped, 0, sizeof(judging->dropped));
}

/* What the cells should come to. */
static void find_targets(const struct vsm_mend *mend, int eye, const struct vsm_mend_grid *grid,
                         const struct vsm_mend_signs *signs, const struct vsm_mend_sums *cells,
                         struct judging *judging)
{
    float lost = 0.0f, shown = 0.0f;

    for (int y = 0; y < grid->rows; y++) {
        for (uint64_t row = judging->rows[y]; row; row &= row - 1) {
            const int x = vsm_cell_bits_first(row), i = y * grid->columns + x;
            const struct vsm_mend_sums s = around(grid, cells, x, y);

            judging->near[i] = s;
            if (s.either > MIN_SOFT * s.known && s.both < signs->least * s.either)
                judging->target[i] =
                    aim(mend, &s, mean_before(grid, mend->before[eye], i), signs, &judging->dropped[i]);
            lost += judging->dropped[i] ? fmaxf(cells[i].moved - cells[i].own, 0.0f) : 0.0f;
            shown += cells[i].moved;
        }
    }
    for (int i = 0; i < VSM_MEND_CELLS && signs->doubt == 0.0f && lost < DROP_PART * shown; i++) {
        if (judging->dropped[i])
            judging->target[i] = 0.0f;
        judging->dropped[i] = false;
    }
}

float vsm_mend_judge(struct vsm_mend *mend, int eye, const struct vsm_mend_grid *grid,
                     const struct vsm_mend_signs *signs, const struct vsm_mend_sums cells[VSM_MEND_CELLS])
{
    struct judging judging;
    float taken = 0.0f, people = 0.0f;

    find_people(grid, cells, &judging);
    find_targets(mend, eye, grid, signs, cells, &judging);
    for (int i = 0; i < grid->columns * grid->rows; i++) {
        const bool near = judging.rows[i / grid->columns] >> (i % grid->columns) & 1;
        float *share = &mend->share[eye][i];

        if (!near && *share == 0.0f) /* most of an eye */
            continue;
        if (near && signs->doubt >= 0.0f && beside_drop(grid, judging.dropped, &judging.near[i], i))
            *share = 1.0f;
        else
            *share = judging.dropped[i] ? judging.target[i]
                                        : vsm_pixel_between(judging.target[i], *share - STEP, *share + STEP);
        taken += *share * cells[i].either;
        people += cells[i].either;
    }
    return people > 0.0f ? taken / people : 0.0f;
}

void vsm_mend_release(struct vsm_mend *mend, int eye)
{
    memset(mend->share[eye], 0, sizeof(mend->share[eye]));
}

struct blend {
    const struct vsm_mend_grid *grid;
    const struct vsm_mend_eye *signs;
    const float *taken; /* shares of cells */
    const struct vsm_mend_planes *planes;
};

static void blend_pixel(const struct blend *b, int x, int y, size_t at)
{
    const struct vsm_mend_pixel pixel =
        vsm_mend_blend_pixel(b->grid, b->taken, b->signs->own[at], b->signs->moved[at], b->signs->settled[at],
                             b->planes->weight[at], x, y);

    b->planes->alpha[at] = pixel.alpha;
    b->planes->target[at] = pixel.target;
    b->planes->weight[at] = pixel.weight;
}

/* Within one row of a cell. */
static void blend_span(const struct blend *b, int y, int x0, int x1, bool quiet)
{
    const size_t row = (size_t)y * (size_t)b->grid->width;

    for (int x = x0; x < x1; x++) {
        const size_t at = row + (size_t)x;

        if (quiet && b->planes->weight[at] == 0.0f) /* most of an eye */
            b->planes->alpha[at] = b->planes->target[at] = b->signs->own[at];
        else
            blend_pixel(b, x, y, at);
    }
}

static void blend_rows(void *context, int index, int worker)
{
    const struct blend *b = context;
    const int end = (index + 1) * ROWS < b->grid->height ? (index + 1) * ROWS : b->grid->height;
    const int side = b->grid->side;

    (void)worker;
    for (int y = index * ROWS; y < end; y++) {
        for (int cell = 0; cell < b->grid->columns; cell++) {
            const int x1 = (cell + 1) * side < b->grid->width ? (cell + 1) * side : b->grid->width;
            const bool quiet = vsm_mend_is_quiet(b->grid, b->taken, cell, y / side);

            blend_span(b, y, cell * side, x1, quiet);
        }
    }
}

void vsm_mend_blend(const struct vsm_mend *mend, int eye, const struct vsm_mend_grid *grid,
                    const struct vsm_mend_eye *signs, const struct vsm_mend_planes *planes,
                    struct vsm_parallel *pool)
{
    struct blend b = {grid, signs, mend->share[eye], planes};

    vsm_parallel_for(pool, (grid->height + ROWS - 1) / ROWS, blend_rows, &b);
}

struct averaging {
    const struct vsm_mend_grid *grid;
    const float *alpha;
    float *means;
};

static void average_row(void *context, int index, int worker)
{
    const struct averaging *n = context;
    const struct vsm_mend_grid *grid = n->grid;

    (void)worker;
    for (int i = index * grid->columns; i < (index + 1) * grid->columns; i++)
        n->means[i] = vsm_cell_mean(n->alpha, grid->width, vsm_cell_of(grid, i));
}

void vsm_mend_means(const struct vsm_mend_grid *grid, const float *alpha, float means[VSM_MEND_CELLS],
                    struct vsm_parallel *pool)
{
    struct averaging averaging = {grid, alpha, means};

    vsm_parallel_for(pool, grid->rows, average_row, &averaging);
}

void vsm_mend_note(struct vsm_mend *mend, const struct vsm_mend_grid *grid, float means[2][VSM_MEND_CELLS])
{
    for (int eye = 0; eye < 2; eye++)
        memcpy(mend->before[eye], means[eye], (size_t)(grid->columns * grid->rows) * sizeof(float));
    if (mend->frames < UINT32_MAX)
        mend->frames++;
}

void vsm_mend_save(const struct vsm_mend *mend, struct vsm_bytes_out *out)
{
    for (int eye = 0; eye < 2; eye++) {
        vsm_bytes_put_f32(out, mend->before[eye], VSM_MEND_CELLS);
        vsm_bytes_put_f32(out, mend->share[eye], VSM_MEND_CELLS);
    }
    vsm_bytes_put_le32(out, mend->frames);
}

int vsm_mend_load(struct vsm_mend *mend, struct vsm_bytes_in *in)
{
    struct vsm_mend loaded;

    for (int eye = 0; eye < 2; eye++) {
        vsm_bytes_get_f32(in, loaded.before[eye], VSM_MEND_CELLS);
        vsm_bytes_get_f32(in, loaded.share[eye], VSM_MEND_CELLS);
    }
    loaded.frames = vsm_bytes_get_le32(in);
    if (in->failed)
        return vsm_fail(VSM_E_INPUT, "checkpoint: the mended cells of the eyes are cut off");
    *mend = loaded;
    return VSM_OK;
}
