#include "image/scene_cut.h"

#include <math.h>
#include <string.h>

#define SIDE  VSM_SCENE_SIDE
#define BLOCK (VSM_SCENE_SIDE / VSM_SCENE_BLOCKS) /* cells along a block */
#define CELLS (BLOCK * BLOCK)
#define REACH                                                                                                \
    5 /* cells: the farthest shift, 14 degrees of a half-equirect eye from one picture to the next */
#define BLOCKS (VSM_SCENE_BLOCKS * VSM_SCENE_BLOCKS)
#define SHIFTS 16 /* across, 2 * REACH + 1 filled up to whole vectors */
#define MARGIN 16 /* beside a picture, for the shifts that leave it */

#define TEXTURE 0.012f /* standard deviation of a block's luma that counts as texture: 3 steps of 255 */
#define ALIKE   0.6f   /* correlation at which a block reappears */
#define FEWEST  4      /* textured blocks without which there is nothing to see */
/* What makes a cut: colours and much change, or other colours and fair change, or like colours and change far
 * above the scene's usual. Measured within scenes: change up to 0.44, histogram up to 0.14 (fast
 * snowboarding); across 150 joins: at least 0.67 and 0.20. */
#define MUCH_CHANGE   0.6f
#define FAIR_CHANGE   0.45f
#define ABOVE_USUAL   0.25f
#define FAR_ABOVE     0.5f
#define SOME_COLOURS  0.12f /* histogram distances */
#define OTHER_COLOURS 0.35f
#define LIKE_COLOURS  0.03f

#define USUAL_WEIGHT 0.125f /* of the newest picture in the running mean */

struct look {
    float luma[SIDE * SIDE];
    float histogram[VSM_SCENE_BINS];
};

/* The samples of a cell along one side: up to 4, spread over it. */
struct samples {
    int from, step, count;
};

static struct samples samples_of(int cell, int size)
{
    const int from = cell * size / SIDE, end = (cell + 1) * size / SIDE, length = end > from ? end - from : 1;
    const int step = length / 4 > 1 ? length / 4 : 1;

    return (struct samples){from, step, (length + step - 1) / step};
}

/* `sum` and what follows it in a row. */
static float add_samples(float sum, const float *row, int step, int count)
{
    if (count == 4)
        return (((sum + row[0]) + row[step]) + row[2 * step]) + row[3 * step];
    for (int i = 0; i < count; i++)
        sum += row[i * step];
    return sum;
}

/* Means of samples of all cells. */
static void average_cells(const float *plane, int width, int height, float *cells)
{
    struct samples across[SIDE];

    for (int cx = 0; cx < SIDE; cx++)
        across[cx] = samples_of(cx, width);
    for (int cy = 0; cy < SIDE; cy++) {
        const struct samples down = samples_of(cy, height);
        const float *rows = plane + (size_t)down.from * (size_t)width;

        for (int cx = 0; cx < SIDE; cx++) {
            const struct samples s = across[cx];
            const float *row = rows + s.from;
            float sum = 0;

            for (int j = 0; j < down.count; j++, row += down.step * width)
                sum = add_samples(sum, row, s.step, s.count);
            cells[cy * SIDE + cx] = sum / (float)(down.count * s.count);
        }
    }
}

static int bin(float value, int bins)
{
    int i = (int)(value * (float)bins);

    return i < 0 ? 0 : i >= bins ? bins - 1 : i;
}

/* Luma relative to its mean, and the shares of red and green: brightness is out of both. */
static void make_histogram(struct look *look, const float *red, const float *green)
{
    float mean = 0;

    memset(look->histogram, 0, sizeof(look->histogram));
    for (int i = 0; i < SIDE * SIDE; i++)
        mean += look->luma[i];
    mean = mean / (SIDE * SIDE) + 0.01f;
    for (int i = 0; i < SIDE * SIDE; i++) {
        float sum = 3 * look->luma[i] + 0.1f;
        int r = bin(2 * (red[i] + 0.033f) / sum - 0.17f, 8),
            g = bin(2 * (green[i] + 0.033f) / sum - 0.17f, 8);

        look->histogram[bin(look->luma[i] / (4 * mean), 16)] += 0.5f / (SIDE * SIDE);
        look->histogram[16 + 8 * r + g] += 0.5f / (SIDE * SIDE);
    }
}

static void take_look(struct look *look, const float *rgb, int width, int height)
{
    const size_t plane = (size_t)width * (size_t)height;
    float red[SIDE * SIDE], green[SIDE * SIDE];

    average_cells(rgb, width, height, red);
    average_cells(rgb + plane, width, height, green);
    average_cells(rgb + 2 * plane, width, height, look->luma);
    for (int i = 0; i < SIDE * SIDE; i++)
        look->luma[i] = (red[i] + green[i] + look->luma[i]) / 3;
    make_histogram(look, red, green);
}

/* Sum and sum of squares of the block at x, y. */
static void measure_block(const float *luma, int x, int y, float *sum, float *squares)
{
    *sum = *squares = 0;
    for (int j = 0; j < BLOCK; j++)
        for (int i = 0; i < BLOCK; i++) {
            float v = luma[(y + j) * SIDE + x + i];

            *sum += v;
            *squares += v * v;
        }
}

static bool textured(float sum, float squares)
{
    return squares - sum * sum / CELLS > TEXTURE * TEXTURE * CELLS;
}

static int textured_blocks(const struct look *look)
{
    int count = 0;

    for (int b = 0; b < BLOCKS; b++) {
        float sum, squares;

        measure_block(look->luma, b % VSM_SCENE_BLOCKS * BLOCK, b / VSM_SCENE_BLOCKS * BLOCK, &sum, &squares);
        count += textured(sum, squares);
    }
    return count;
}

/* Two pictures to be compared: the blocks of one, measured once for all shifts, and the other one with
 * margins that only keep reading in bounds. */
struct pair {
    const float *now;
    float sum[BLOCKS], squares[BLOCKS];
    float before[SIDE][MARGIN + SIDE + MARGIN];
};

static void make_pair(struct pair *pair, const float *now, const float *before)
{
    pair->now = now;
    for (int b = 0; b < BLOCKS; b++)
        measure_block(now, b % VSM_SCENE_BLOCKS * BLOCK, b / VSM_SCENE_BLOCKS * BLOCK, &pair->sum[b],
                      &pair->squares[b]);
    memset(pair->before, 0, sizeof(pair->before));
    for (int y = 0; y < SIDE; y++)
        memcpy(&pair->before[y][MARGIN], before + y * SIDE, SIDE * sizeof(float));
}

/* Neighbouring shifts side by side, each summed in the order of the block's cells. */
typedef float lanes __attribute__((vector_size(4 * sizeof(float))));

static lanes lanes_at(const float *from)
{
    lanes v;

    memcpy(&v, from, sizeof(v));
    return v;
}

/* Of a block at all shifts across, from -REACH on. */
struct sums {
    float before[SHIFTS], squares[SHIFTS], product[SHIFTS];
};

/* The block of `now` at x, y against what lies dy below it in `before`. */
static void sum_shifts(const struct pair *pair, int x, int y, int dy, struct sums *sums)
{
    for (int at = 0; at < SHIFTS; at += 8) {
        lanes before0 = {0}, before1 = {0}, squares0 = {0}, squares1 = {0}, product0 = {0}, product1 = {0};

        for (int j = 0; j < BLOCK; j++) {
            const float *now = pair->now + (y + j) * SIDE + x;
            const float *row = &pair->before[y + dy + j][MARGIN + x - REACH + at];

            for (int i = 0; i < BLOCK; i++) {
                const lanes v0 = lanes_at(row + i), v1 = lanes_at(row + i + 4);

                before0 += v0;
                before1 += v1;
                squares0 += v0 * v0;
                squares1 += v1 * v1;
                product0 += now[i] * v0;
                product1 += now[i] * v1;
            }
        }
        memcpy(sums->before + at, &before0, sizeof(before0));
        memcpy(sums->before + at + 4, &before1, sizeof(before1));
        memcpy(sums->squares + at, &squares0, sizeof(squares0));
        memcpy(sums->squares + at + 4, &squares1, sizeof(squares1));
        memcpy(sums->product + at, &product0, sizeof(product0));
        memcpy(sums->product + at + 4, &product1, sizeof(product1));
    }
}

/* Does block b of `now` show what `before` shows at the shifted place? 1 yes, 0 no, -1 nothing to see. */
static int reappears(const struct pair *pair, int b, const struct sums *s, int shift)
{
    const float sum = pair->sum[b], squares = pair->squares[b];
    const float sum_before = s->before[shift], squares_before = s->squares[shift];
    float product = s->product[shift], variance, variance_before;

    if (!textured(sum, squares) && !textured(sum_before, squares_before))
        return -1;
    product -= sum * sum_before / CELLS;
    variance = squares - sum * sum / CELLS;
    variance_before = squares_before - sum_before * sum_before / CELLS;
    return product > 0 && product * product > ALIKE * ALIKE * variance * variance_before;
}

/* The least share, over shifts across, of blocks that do not reappear under this shift down; 1 if too few can
 * be compared. */
static float change_at(const struct pair *pair, int dy)
{
    int seen[SHIFTS] = {0}, same[SHIFTS] = {0};
    float least = 1;

    for (int b = 0; b < BLOCKS; b++) {
        const int x = b % VSM_SCENE_BLOCKS * BLOCK, y = b / VSM_SCENE_BLOCKS * BLOCK;
        struct sums sums;

        if (y + dy < 0 || y + dy + BLOCK > SIDE)
            continue;
        sum_shifts(pair, x, y, dy, &sums);
        for (int i = 0; i <= 2 * REACH; i++) {
            int answer;

            if (x + i < REACH || x + i - REACH + BLOCK > SIDE)
                continue;
            answer = reappears(pair, b, &sums, i);
            seen[i] += answer >= 0;
            same[i] += answer > 0;
        }
    }
    for (int i = 0; i <= 2 * REACH; i++)
        least = fminf(least, seen[i] >= FEWEST ? 1 - (float)same[i] / (float)seen[i] : 1);
    return least;
}

static float least_change(const float *now, const float *before)
{
    struct pair pair;
    float least = 1;

    make_pair(&pair, now, before);
    for (int dy = -REACH; dy <= REACH && least > 0.1f; dy++)
        least = fminf(least, change_at(&pair, dy));
    return least;
}

static float histogram_distance(const float *a, const float *b)
{
    float sum = 0;

    for (int i = 0; i < VSM_SCENE_BINS; i++)
        sum += fabsf(a[i] - b[i]);
    return sum / 2;
}

static bool is_cut(const struct vsm_scene_cut *s)
{
    float change = s->last_change, above = change - s->usual, colours = s->last_histogram;

    return (change >= FAIR_CHANGE && colours >= OTHER_COLOURS) ||
           (change >= MUCH_CHANGE && above >= ABOVE_USUAL && colours >= SOME_COLOURS) ||
           (change >= MUCH_CHANGE && above >= FAR_ABOVE && colours >= LIKE_COLOURS);
}

static void remember(struct vsm_scene_cut *s, const struct look *looks, int eyes)
{
    for (int e = 0; e < eyes; e++) {
        memcpy(s->luma[e], looks[e].luma, sizeof(s->luma[e]));
        memcpy(s->histogram[e], looks[e].histogram, sizeof(s->histogram[e]));
    }
    s->eyes = eyes;
    s->pictures += s->pictures < 1 << 30;
}

bool vsm_scene_cut_next(struct vsm_scene_cut *s, const float *const rgb[], int eyes, int width, int height)
{
    struct look looks[VSM_SCENE_EYES];
    int seen = 0;
    bool cut;

    for (int e = 0; e < eyes; e++) {
        take_look(&looks[e], rgb[e], width, height);
        seen += textured_blocks(&looks[e]);
    }
    s->last_change = s->last_histogram = 0;
    if (seen < FEWEST * eyes)
        return false;
    if (s->pictures == 0 || s->eyes != eyes) {
        remember(s, looks, eyes);
        return false;
    }
    for (int e = 0; e < eyes; e++) {
        s->last_change += least_change(looks[e].luma, s->luma[e]) / (float)eyes;
        s->last_histogram += histogram_distance(looks[e].histogram, s->histogram[e]) / (float)eyes;
    }
    cut = is_cut(s);
    if (cut) {
        s->usual = 0;
        s->pictures = 0;
    } else {
        s->usual += USUAL_WEIGHT * (s->last_change - s->usual);
    }
    remember(s, looks, eyes);
    return cut;
}

void vsm_scene_cut_save(const struct vsm_scene_cut *state, struct vsm_bytes_out *out)
{
    vsm_bytes_put_f32(out, state->luma[0], VSM_SCENE_EYES * VSM_SCENE_SIDE * VSM_SCENE_SIDE);
    vsm_bytes_put_f32(out, state->histogram[0], VSM_SCENE_EYES * VSM_SCENE_BINS);
    vsm_bytes_put_f32(out, (const float[]){state->usual, state->last_change, state->last_histogram}, 3);
    vsm_bytes_put_le32(out, (uint32_t)state->pictures);
    vsm_bytes_put_le32(out, (uint32_t)state->eyes);
}

int vsm_scene_cut_load(struct vsm_scene_cut *state, struct vsm_bytes_in *in)
{
    struct vsm_scene_cut loaded;
    float measures[3];

    vsm_bytes_get_f32(in, loaded.luma[0], VSM_SCENE_EYES * VSM_SCENE_SIDE * VSM_SCENE_SIDE);
    vsm_bytes_get_f32(in, loaded.histogram[0], VSM_SCENE_EYES * VSM_SCENE_BINS);
    vsm_bytes_get_f32(in, measures, 3);
    loaded.usual = measures[0];
    loaded.last_change = measures[1];
    loaded.last_histogram = measures[2];
    loaded.pictures = (int)vsm_bytes_get_le32(in);
    loaded.eyes = (int)vsm_bytes_get_le32(in);
    if (in->failed || loaded.pictures < 0 || loaded.eyes < 0 || loaded.eyes > VSM_SCENE_EYES)
        return vsm_fail(VSM_E_INPUT,
                        "scene-cut state: damaged (%d pictures, %d eyes); start again with --restart",
                        loaded.pictures, loaded.eyes);
    *state = loaded;
    return VSM_OK;
}
