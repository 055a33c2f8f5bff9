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

/* Differences of neighbours across, of every other row: noise is the same in both eyes. */
static double edges_of(const float *green, int width, int y0, int y1)
{
    double sum = 0.0;

    for (int y = y0 + y0 % 2; y < y1; y += 2)
        sum += (double)vsm_eye_health_line(0.0f, green + (size_t)y * (size_t)width, width);
    return sum;
}

static void look_at_rows(void *context, int index, int worker)
{
    struct looking *l = context;
    const int eye = index / SIDE, y = index % SIDE, width = l->width, height = l->height;
    const float *green = l->rgb[eye] + (size_t)width * (size_t)height;
    struct vsm_eye_health_look *look = &l->looks[eye];

    (void)worker;
    for (int i = y * SIDE; i < (y + 1) * SIDE; i++)
        look->small[i] = vsm_cell_mean(green, width, vsm_eye_health_rectangle(i, width, height));
    for (int i = y * (POINTS / SIDE) * POINTS; i < (y + 1) * (POINTS / SIDE) * POINTS; i++)
        look->points[i] = green[vsm_eye_health_point(i, width, height)];
    l->edges[eye][y] =
        edges_of(green, width, vsm_eye_health_first(y, height), vsm_eye_health_first(y + 1, height));
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
