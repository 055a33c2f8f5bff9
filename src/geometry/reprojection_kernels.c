#include "geometry/reprojection_kernels.h"

#include <string.h>

#define BITS VSM_REPROJECTION_WEIGHT_BITS
#define ONE  (1 << BITS)

/* A place on one axis: the first of two neighbouring samples and the weight of the second, 0..ONE. */
struct place {
    int first, weight;
};

static struct place place_of(float at, int last)
{
    int x = (int)at;
    struct place place;

    x = x < 0 ? 0 : x > last << BITS ? last << BITS : x;
    place.first = x >> BITS < last - 1 ? x >> BITS : last - 1;
    place.weight = x - (place.first << BITS);
    return place;
}

/* Two neighbouring samples mixed, to 15 bits or 16 with `bias` taken off. */
static int mix_pair(const uint8_t *from, const struct vsm_reprojection_window *w, int weight, int bias,
                    int shift)
{
    int a = from[0], b = from[1];

    if (w->depth > 8) {
        uint16_t pair[2];

        memcpy(pair, from, sizeof(pair));
        a = pair[0];
        b = pair[1];
    }
    return ((a - bias) * (ONE - weight) + (b - bias) * weight + (1 << shift >> 1)) >> shift;
}

static int sample_at(const struct vsm_reprojection_window *w, int source, struct place x, struct place y)
{
    int extra = w->depth < 16 ? 15 - w->depth : 0, bias = w->depth < 16 ? 0 : 1 << 15;
    const uint8_t *from = w->data[source] + y.first * w->stride + (ptrdiff_t)x.first * (w->depth > 8 ? 2 : 1);
    int upper = mix_pair(from, w, x.weight, bias, BITS - extra);
    int lower = mix_pair(from + w->stride, w, x.weight, bias, BITS - extra);

    return ((upper * (ONE - y.weight) + lower * y.weight + (1 << (BITS + extra - 1))) >> (BITS + extra)) +
           bias;
}

static void put(const struct vsm_reprojection_window *w, int value, int i, uint8_t *to)
{
    uint16_t word = (uint16_t)value;

    if (w->depth > 8)
        memcpy(to + 2 * (ptrdiff_t)i, &word, sizeof(word));
    else
        to[i] = (uint8_t)value;
}

static void sample_all(const struct vsm_reprojection_window *window, float u, float v, int i,
                       uint8_t *const *out)
{
    struct place x = place_of(u, window->right), y = place_of(v, window->bottom);

    for (int k = 0; k < window->sources; k++)
        put(window, sample_at(window, k, x, y), i, out[k]);
}

static void sample(const struct vsm_reprojection_window *window, const struct vsm_reprojection_block *blocks,
                   int count, uint8_t *const *out)
{
    for (int i = 0; i < count * VSM_REPROJECTION_BLOCK; i++) {
        const struct vsm_reprojection_block *b = &blocks[i / VSM_REPROJECTION_BLOCK];
        float step = (float)(i % VSM_REPROJECTION_BLOCK);

        sample_all(window, b->u + b->du * step, b->v + b->dv * step, i, out);
    }
}

static void sample_points(const struct vsm_reprojection_window *window,
                          const struct vsm_reprojection_points *points, int count, uint8_t *const *out)
{
    for (int i = 0; i < count * VSM_REPROJECTION_BLOCK; i++) {
        const struct vsm_reprojection_points *p = &points[i / VSM_REPROJECTION_BLOCK];

        sample_all(window, p->u[i % VSM_REPROJECTION_BLOCK], p->v[i % VSM_REPROJECTION_BLOCK], i, out);
    }
}

static void halve(const uint16_t *a, const uint16_t *b, int n, uint16_t *out)
{
    for (int i = 0; i < n; i++)
        out[i] = (uint16_t)((a[2 * i] + a[2 * i + 1] + b[2 * i] + b[2 * i + 1] + 2) >> 2);
}

const struct vsm_reprojection_kernels vsm_reprojection_kernels_c = {sample, sample_points, halve};
