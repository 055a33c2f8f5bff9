#include "stereo/eye_health.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define SIDE   VSM_EYE_HEALTH_SIDE
#define POINTS VSM_EYE_HEALTH_POINTS

#define DARK        0.02f   /* mean luma of a black picture */
#define LIT         0.06f   /* of an eye beside which it counts */
#define STILL       0.12f   /* of the other eye's change that a frozen picture may show: noise of coding */
#define MOVING      0.002f  /* mean change of luma of an eye that moves */
#define STARTLED    0.05f   /* of an eye to which something happens: no measure for the other */
#define STEP        0.0005f /* change of a pixel: an eighth of an 8-bit step, for a pixel is a mean of some */
#define NOISY       0.25f   /* share of pixels that change in an eye whose noise is to be seen */
#define NOISELESS   0.08f   /* of that share, in a picture that repeats */
#define STILL_LEAST 2       /* frames in a row before a picture counts as frozen */
#define SOFTER      0.55f   /* log of sharpness below the usual ratio */
#define USUAL_SHARE 0.03f   /* that a frame has in what is usual */

/* What a look says beside the frame before. */
struct signs {
    float mean, change, sharpness;
    float noise; /* share of pixels that changed */
};

/* Both eyes of a frame. */
struct looking {
    const float *const *rgb;
    int width, height;
    struct vsm_eye_health_look *looks;
    double edges[2][SIDE]; /* by the small pictures' rows */
};

/* Rows of the picture that make one of the small picture. */
static int first_row(const struct looking *l, int y)
{
    return y * l->height / SIDE;
}

/* Luma by green, on a lattice of points: means of 2 x 2 so that noise does not count as movement alone. */
static void shrink(const float *green, int width, int y0, int y1, float *small)
{
    for (int x = 0; x < SIDE; x++) {
        const int x0 = x * width / SIDE, x1 = (x + 1) * width / SIDE;
        float sum = 0.0f;

        for (int j = y0; j < y1; j++) {
            for (int i = x0; i < x1; i++)
                sum += green[(size_t)j * (size_t)width + (size_t)i];
        }
        small[x] = sum / (float)((x1 - x0) * (y1 - y0));
    }
}

static void pick(const float *green, int width, int height, int from, int end, float *points)
{
    for (int y = from; y < end; y++) {
        const float *row = green + (size_t)((2 * y + 1) * height / (2 * POINTS)) * (size_t)width;

        for (int x = 0; x < POINTS; x++)
            points[y * POINTS + x] = row[(2 * x + 1) * width / (2 * POINTS)];
    }
}

/* Differences of neighbours across, of every other row: noise is the same in both eyes. */
static double edges_of(const float *green, int width, int y0, int y1)
{
    double sum = 0.0;

    for (int y = y0 + y0 % 2; y < y1; y += 2) {
        const float *row = green + (size_t)y * (size_t)width;
        float line = 0.0f;

        for (int x = 1; x < width; x++)
            line += fabsf(row[x] - row[x - 1]);
        sum += (double)line;
    }
    return sum;
}

static void look_at_rows(void *context, int index, int worker)
{
    struct looking *l = context;
    const int eye = index / SIDE, y = index % SIDE, y0 = first_row(l, y), y1 = first_row(l, y + 1);
    const float *green = l->rgb[eye] + (size_t)l->width * (size_t)l->height;

    (void)worker;
    shrink(green, l->width, y0, y1, l->looks[eye].small + y * SIDE);
    pick(green, l->width, l->height, y * (POINTS / SIDE), (y + 1) * (POINTS / SIDE), l->looks[eye].points);
    l->edges[eye][y] = edges_of(green, l->width, y0, y1);
}

void vsm_eye_health_look(const float *const rgb[2], int width, int height,
                         struct vsm_eye_health_look looks[2], struct vsm_parallel *pool)
{
    struct looking looking = {.rgb = rgb, .width = width, .height = height, .looks = looks};

    vsm_parallel_for(pool, 2 * SIDE, look_at_rows, &looking);
    for (int eye = 0; eye < 2; eye++) {
        looks[eye].edges = 0.0;
        for (int y = 0; y < SIDE; y++)
            looks[eye].edges += looking.edges[eye][y];
    }
}

static struct signs read_look(const struct vsm_eye_health *health, int eye,
                              const struct vsm_eye_health_look *look, int width, int height)
{
    struct signs signs;
    double mean = 0.0, change = 0.0;
    int changed = 0;

    for (int i = 0; i < SIDE * SIDE; i++) {
        mean += (double)look->small[i];
        change += fabs((double)(look->small[i] - health->small[eye][i]));
    }
    signs.mean = (float)(mean / (SIDE * SIDE));
    signs.change = (float)(change / (SIDE * SIDE));
    for (int i = 0; i < POINTS * POINTS; i++)
        changed += fabsf(look->points[i] - health->points[eye][i]) > STEP;
    signs.noise = (float)changed / (POINTS * POINTS);
    signs.sharpness = (float)(look->edges / ((double)width * ((height + 1) / 2))) / fmaxf(signs.mean, DARK);
    return signs;
}

static bool stands_still(const struct vsm_eye_health *health, const struct signs *own,
                         const struct signs *other)
{
    const bool moved = other->change > MOVING && own->change < STILL * other->change;
    const bool noisy = other->noise > NOISY && own->noise < NOISELESS * other->noise;

    return health->frames > 0 && other->change < STARTLED && (moved || noisy);
}

static enum vsm_eye_health_fault judge(const struct signs *own, const struct signs *other, uint32_t still,
                                       float softness)
{
    if (own->mean < DARK && other->mean > LIT)
        return VSM_EYE_HEALTH_BLACK;
    if (softness > SOFTER) /* a finger before the lens hardly moves either */
        return VSM_EYE_HEALTH_BLURRED;
    return still >= STILL_LEAST ? VSM_EYE_HEALTH_FROZEN : VSM_EYE_HEALTH_GOOD;
}

const char *vsm_eye_health_name(enum vsm_eye_health_fault fault)
{
    static const char *const names[] = {"good", "black", "frozen", "blurred"};

    return names[fault];
}

void vsm_eye_health_next(struct vsm_eye_health *health, const struct vsm_eye_health_look looks[2], int width,
                         int height, enum vsm_eye_health_fault faults[2])
{
    const struct signs signs[2] = {read_look(health, 0, &looks[0], width, height),
                                   read_look(health, 1, &looks[1], width, height)};
    const float ratio = logf(fmaxf(signs[1].sharpness, 1e-6f) / fmaxf(signs[0].sharpness, 1e-6f));
    const float beyond = ratio - health->usual;

    for (int eye = 0; eye < 2; eye++) {
        const bool still = stands_still(health, &signs[eye], &signs[!eye]);

        if (health->frames > 0)
            health->still[eye] = still && health->still[eye] < UINT32_MAX ? health->still[eye] + 1 : still;
        faults[eye] = judge(&signs[eye], &signs[!eye], health->still[eye], eye == 0 ? beyond : -beyond);
    }
    if (faults[0] != VSM_EYE_HEALTH_BLACK && faults[1] != VSM_EYE_HEALTH_BLACK)
        health->usual +=
            USUAL_SHARE * fminf(fmaxf(beyond, -SOFTER), SOFTER) * (fabsf(beyond) > SOFTER ? 0.1f : 1.0f);
    for (int eye = 0; eye < 2; eye++) {
        memcpy(health->small[eye], looks[eye].small, sizeof(looks[eye].small));
        memcpy(health->points[eye], looks[eye].points, sizeof(looks[eye].points));
    }
    if (health->frames < UINT32_MAX)
        health->frames++;
}

void vsm_eye_health_turn(struct vsm_eye_health *health)
{
    health->frames = 0;
}

void vsm_eye_health_save(const struct vsm_eye_health *health, struct vsm_bytes_out *out)
{
    for (int eye = 0; eye < 2; eye++) {
        vsm_bytes_put_f32(out, health->small[eye], (size_t)SIDE * SIDE);
        vsm_bytes_put_f32(out, health->points[eye], (size_t)POINTS * POINTS);
    }
    vsm_bytes_put_f32(out, &health->usual, 1);
    for (int eye = 0; eye < 2; eye++)
        vsm_bytes_put_le32(out, health->still[eye]);
    vsm_bytes_put_le32(out, health->frames);
}

int vsm_eye_health_load(struct vsm_eye_health *health, struct vsm_bytes_in *in)
{
    struct vsm_eye_health loaded;

    for (int eye = 0; eye < 2; eye++) {
        vsm_bytes_get_f32(in, loaded.small[eye], (size_t)SIDE * SIDE);
        vsm_bytes_get_f32(in, loaded.points[eye], (size_t)POINTS * POINTS);
    }
    vsm_bytes_get_f32(in, &loaded.usual, 1);
    for (int eye = 0; eye < 2; eye++)
        loaded.still[eye] = vsm_bytes_get_le32(in);
    loaded.frames = vsm_bytes_get_le32(in);
    if (in->failed)
        return vsm_fail(VSM_E_INPUT, "checkpoint: the health of the eyes is cut off");
    *health = loaded;
    return VSM_OK;
}
