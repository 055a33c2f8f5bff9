#include "image/circle_find.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LINES    160 /* rows, and columns, that are looked at */
#define POINTS   (4 * LINES)
#define RUN      6     /* bright samples in a row that are more than noise */
#define TRIALS   600   /* triples of points */
#define BRIGHT   0.10  /* of the range above black: noise and veiling glare of black borders stay below */
#define NEAR     0.004 /* of the longer side: how far a point of the rim lies off the circle at most */
#define ENOUGH   0.34  /* of all points must lie on the circle */
#define SMALLEST 0.3   /* radius, of the longer side */
#define LARGEST  0.75
#define ROUNDS   4 /* of least squares */

struct search {
    const struct vsm_image *image;
    const struct vsm_rect *eye;
    int threshold;
    int count;
    double x[POINTS], y[POINTS];
    uint64_t random;
};

static int luma_at(const struct search *s, int x, int y)
{
    const struct vsm_image *image = s->image;
    const uint8_t *row = image->data[0] + (s->eye->y + y) * image->stride[0];
    uint16_t word;

    if (image->format.depth == 8)
        return row[s->eye->x + x];
    memcpy(&word, row + 2 * (ptrdiff_t)(s->eye->x + x), sizeof(word));
    return word >> image->format.shift;
}

/* Enters the eye at (x, y) in steps of (dx, dy), at most `limit`; notes where it begins to be bright, unless
 * at once. */
static void enter(struct search *s, int x, int y, int dx, int dy, int limit)
{
    int run = 0;

    for (int i = 0; i < limit; i++) {
        run = luma_at(s, x + i * dx, y + i * dy) > s->threshold ? run + 1 : 0;
        if (run < RUN)
            continue;
        if (i >= RUN + 1) {
            int first = i - RUN + 1;

            s->x[s->count] = x + first * dx + (dx < 0 ? 1 : dx > 0 ? 0 : 0.5);
            s->y[s->count] = y + first * dy + (dy < 0 ? 1 : dy > 0 ? 0 : 0.5);
            s->count++;
        }
        return;
    }
}

static void collect(struct search *s)
{
    const int w = s->eye->width, h = s->eye->height;

    for (int i = 0; i < LINES; i++) {
        int row = (int)((int64_t)h * (2 * i + 1) / (2 * LINES)),
            column = (int)((int64_t)w * (2 * i + 1) / (2 * LINES));

        enter(s, 0, row, 1, 0, w / 2);
        enter(s, w - 1, row, -1, 0, w / 2);
        enter(s, column, 0, 0, 1, h / 2);
        enter(s, column, h - 1, 0, -1, h / 2);
    }
}

static int pick(struct search *s)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return (int)((s->random >> 33) % (uint64_t)s->count);
}

static bool through(const struct search *s, int a, int b, int c, struct vsm_circle *circle)
{
    double bx = s->x[b] - s->x[a], by = s->y[b] - s->y[a], cx = s->x[c] - s->x[a], cy = s->y[c] - s->y[a];
    double d = 2.0 * (bx * cy - by * cx), bb = bx * bx + by * by, cc = cx * cx + cy * cy, x, y;

    if (fabs(d) < 1.0)
        return false;
    x = (cy * bb - by * cc) / d;
    y = (bx * cc - cx * bb) / d;
    *circle = (struct vsm_circle){s->x[a] + x, s->y[a] + y, hypot(x, y)};
    return true;
}

static bool on(const struct search *s, int i, const struct vsm_circle *circle, double near)
{
    return fabs(hypot(s->x[i] - circle->x, s->y[i] - circle->y) - circle->radius) <= near;
}

static int count_on(const struct search *s, const struct vsm_circle *circle, double near)
{
    int count = 0;

    for (int i = 0; i < s->count; i++)
        count += on(s, i, circle, near);
    return count;
}

/* Least squares over the points on the circle (Kasa): x^2 + y^2 = 2 a x + 2 b y + c, from the circle's own
 * middle. */
static bool improve(const struct search *s, struct vsm_circle *circle, double near)
{
    double sxx = 0, sxy = 0, syy = 0, sx = 0, sy = 0, sxz = 0, syz = 0, sz = 0, n = 0, d, a, b;

    for (int i = 0; i < s->count; i++) {
        double x = s->x[i] - circle->x, y = s->y[i] - circle->y, z = x * x + y * y;

        if (!on(s, i, circle, near))
            continue;
        sxx += x * x;
        sxy += x * y;
        syy += y * y;
        sx += x;
        sy += y;
        sxz += x * z;
        syz += y * z;
        sz += z;
        n += 1;
    }
    sxx -= sx * sx / n;
    sxy -= sx * sy / n;
    syy -= sy * sy / n;
    sxz -= sx * sz / n;
    syz -= sy * sz / n;
    d = sxx * syy - sxy * sxy;
    if (!(n > 8 && fabs(d) > 1e-6 * sxx * syy))
        return false;
    a = 0.5 * (sxz * syy - syz * sxy) / d;
    b = 0.5 * (syz * sxx - sxz * sxy) / d;
    circle->radius = sqrt(fmax(sz / n + (a * a + b * b) - 2.0 * (a * sx + b * sy) / n, 0.0));
    circle->x += a;
    circle->y += b;
    return true;
}

/* Rim on the left and on the right, or above and below: an arc alone tells no radius. */
static bool well_spread(const struct search *s, const struct vsm_circle *circle, double near)
{
    int left = 0, right = 0, up = 0, down = 0;

    for (int i = 0; i < s->count; i++) {
        double x = s->x[i] - circle->x, y = s->y[i] - circle->y;

        if (!on(s, i, circle, near))
            continue;
        left += x < -0.5 * circle->radius;
        right += x > 0.5 * circle->radius;
        up += y < -0.5 * circle->radius;
        down += y > 0.5 * circle->radius;
    }
    return (left > 4 && right > 4) || (up > 4 && down > 4);
}

bool vsm_circle_find(const struct vsm_image *image, const struct vsm_rect *eye, struct vsm_circle *circle)
{
    const int longest = eye->width > eye->height ? eye->width : eye->height;
    const double near = fmax(1.5, NEAR * longest);
    const int unit = 1 << (image->format.depth - 8);
    struct search s = {.image = image, .eye = eye, .random = 1};
    struct vsm_circle best = {0};
    int most = 0;

    if (image->format.planes == VSM_PLANES_RGB || image->format.planes == VSM_PLANES_RGBA ||
        image->place != VSM_PLACE_HOST)
        return false;
    s.threshold = (int)(((image->colour.full_range ? 0 : 16) + BRIGHT * 220) * unit);
    collect(&s);
    for (int i = 0; i < TRIALS && s.count > 8; i++) {
        struct vsm_circle c;
        int count;

        if (!through(&s, pick(&s), pick(&s), pick(&s), &c) || c.radius < SMALLEST * longest ||
            c.radius > LARGEST * longest)
            continue;
        count = count_on(&s, &c, near);
        if (count > most) {
            most = count;
            best = c;
        }
    }
    if (most < 12)
        return false;
    for (int round = 0; round < ROUNDS; round++)
        if (!improve(&s, &best, near))
            return false;
    if (count_on(&s, &best, near) < ENOUGH * s.count || !well_spread(&s, &best, near) ||
        !(best.radius >= SMALLEST * longest && best.radius <= LARGEST * longest))
        return false;
    *circle = best;
    return true;
}
