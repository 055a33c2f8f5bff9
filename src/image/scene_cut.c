#include "image/scene_cut.h"

#include <math.h>
#include <string.h>

#define SIDE  VSM_SCENE_SIDE
#define BLOCK (VSM_SCENE_SIDE / VSM_SCENE_BLOCKS) /* cells along a block */
#define CELLS (BLOCK * BLOCK)
#define REACH                                                                                                \
    5 /* cells: the farthest shift, 14 degrees of a half-equirect eye from one picture to the next */
#define BLOCKS (VSM_SCENE_BLOCKS * VSM_SCENE_BLOCKS)

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

/* Mean of up to 4x4 samples spread over a cell. */
static float cell_mean(const float *plane, int width, int height, int cx, int cy)
{
    int x0 = cx * width / SIDE, x1 = (cx + 1) * width / SIDE, y0 = cy * height / SIDE,
        y1 = (cy + 1) * height / SIDE;
    int step_x = (x1 - x0) / 4 > 1 ? (x1 - x0) / 4 : 1, step_y = (y1 - y0) / 4 > 1 ? (y1 - y0) / 4 : 1,
        count = 0;
    float sum = 0;

    x1 = x1 > x0 ? x1 : x0 + 1;
    y1 = y1 > y0 ? y1 : y0 + 1;
    for (int y = y0; y < y1; y += step_y)
        for (int x = x0; x < x1; x += step_x, count++)
            sum += plane[(long)y * width + x];
    return sum / (float)count;
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
    float red[SIDE * SIDE], green[SIDE * SIDE];
    long plane = (long)width * height;

    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int i = y * SIDE + x;

            red[i] = cell_mean(rgb, width, height, x, y);
            green[i] = cell_mean(rgb + plane, width, height, x, y);
            look->luma[i] = (red[i] + green[i] + cell_mean(rgb + 2 * plane, width, height, x, y)) / 3;
        }
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

/* A picture's blocks, measured once for all shifts. */
struct blocks {
    const float *luma;
    float sum[BLOCKS], squares[BLOCKS];
};

static struct blocks measure_blocks(const float *luma)
{
    struct blocks blocks = {.luma = luma};

    for (int b = 0; b < BLOCKS; b++)
        measure_block(luma, b % VSM_SCENE_BLOCKS * BLOCK, b / VSM_SCENE_BLOCKS * BLOCK, &blocks.sum[b],
                      &blocks.squares[b]);
    return blocks;
}

/* Does block b of `now`, at x, y, show what `before` shows at the shifted place? 1 yes, 0 no, -1 nothing to
 * see. */
static int reappears(const struct blocks *now, const float *before, int b, int x, int y, int dx, int dy)
{
    const float sum = now->sum[b], squares = now->squares[b];
    float sum_before = 0, squares_before = 0, product = 0, variance, variance_before;

    for (int j = 0; j < BLOCK; j++)
        for (int i = 0; i < BLOCK; i++) {
            const float v = before[(y + dy + j) * SIDE + x + dx + i];

            sum_before += v;
            squares_before += v * v;
            product += now->luma[(y + j) * SIDE + x + i] * v;
        }
    if (!textured(sum, squares) && !textured(sum_before, squares_before))
        return -1;
    product -= sum * sum_before / CELLS;
    variance = squares - sum * sum / CELLS;
    variance_before = squares_before - sum_before * sum_before / CELLS;
    return product > 0 && product * product > ALIKE * ALIKE * variance * variance_before;
}

/* Share of blocks that do not reappear under this shift; 1 if too few can be compared. */
static float change_at(const struct blocks *now, const float *before, int dx, int dy)
{
    int seen = 0, same = 0;

    for (int b = 0; b < BLOCKS; b++) {
        int x = b % VSM_SCENE_BLOCKS * BLOCK, y = b / VSM_SCENE_BLOCKS * BLOCK, answer;

        if (x + dx < 0 || y + dy < 0 || x + dx + BLOCK > SIDE || y + dy + BLOCK > SIDE)
            continue;
        answer = reappears(now, before, b, x, y, dx, dy);
        seen += answer >= 0;
        same += answer > 0;
    }
    return seen >= FEWEST ? 1 - (float)same / (float)seen : 1;
}

static float least_change(const float *now, const float *before)
{
    const struct blocks blocks = measure_blocks(now);
    float least = 1;

    for (int dy = -REACH; dy <= REACH && least > 0.1f; dy++)
        for (int dx = -REACH; dx <= REACH; dx++)
            least = fminf(least, change_at(&blocks, before, dx, dy));
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
