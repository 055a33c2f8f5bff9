#include "people/drift.h"

#include <math.h>
#include <string.h>

#define REACH      6     /* cells searched to each side of what is expected */
#define TORSO_WIDE 0.30f /* to either side of the middle, in widths of the box */
#define TORSO_TOP  0.06f /* in heights of the box */
#define TORSO_END  0.55f
#define SMALLEST   16    /* cells of a torso */
#define TEXTURE    12.0f /* least variance of luma in it, squares of 8-bit steps */
#define ALIKE      0.35f /* most variance that may remain, in variances of the torso */
#define ROUNDING   0.1f  /* more than two variances can be off by rounding: 2 * 4e-7 * 255^2 */

void vsm_drift_reduce(const float *rgb, int width, int height, struct vsm_drift *picture)
{
    const int longest = width > height ? width : height;
    const int step = (longest + VSM_DRIFT_SIDE - 1) / VSM_DRIFT_SIDE;
    const size_t plane = (size_t)width * (size_t)height;

    picture->width = width / step;
    picture->height = height / step;
    for (int y = 0; y < picture->height; y++) {
        for (int x = 0; x < picture->width; x++) {
            float sum = 0.0f;

            for (int j = 0; j < step; j++) {
                const float *p = rgb + (size_t)(y * step + j) * (size_t)width + (size_t)(x * step);

                for (int i = 0; i < step; i++)
                    sum += p[i] + p[plane + (size_t)i] + p[2 * plane + (size_t)i];
            }
            picture->luma[y * picture->width + x] =
                (uint8_t)(sum * (255.0f / 3.0f) / (float)(step * step) + 0.5f);
        }
    }
}

struct patch {
    int x0, y0, x1, y1;
};

static struct patch torso_of(const struct vsm_drift *picture, const struct vsm_person_box *box)
{
    const float width = box->right - box->left, height = box->bottom - box->top;
    const float middle = 0.5f * (box->left + box->right);

    return (struct patch){
        (int)lroundf((middle - TORSO_WIDE * width) * (float)picture->width),
        (int)lroundf((box->top + TORSO_TOP * height) * (float)picture->height),
        (int)lroundf((middle + TORSO_WIDE * width) * (float)picture->width),
        (int)lroundf((box->top + TORSO_END * height) * (float)picture->height),
    };
}

/* Of `squares` and their sum over `count`, how much the squares exceed those of the mean. */
static float excess(int64_t squares, int64_t sum, int count)
{
    return (float)squares - (float)sum * (float)sum / (float)count;
}

/* Variance of the differences between the patch and its place moved by (dx, dy); INFINITY where it leaves the
 * picture, or as soon as it is known to be above `limit`: every row adds to it. */
static float difference(const struct vsm_drift *before, const struct vsm_drift *now, const struct patch *p,
                        int dx, int dy, float limit)
{
    const int width = p->x1 - p->x0, count = width * (p->y1 - p->y0);
    const float most = (limit + ROUNDING) * (float)count;
    int64_t sum = 0, squares = 0;

    if (p->x0 + dx < 0 || p->y0 + dy < 0 || p->x1 + dx > now->width || p->y1 + dy > now->height)
        return INFINITY;
    for (int y = p->y0; y < p->y1; y++) {
        const uint8_t *a = before->luma + y * before->width, *b = now->luma + (y + dy) * now->width + dx;
        int row = 0, row_squares = 0;

        for (int x = p->x0; x < p->x1; x++) {
            const int d = b[x] - a[x];

            row += d;
            row_squares += d * d;
        }
        sum += row;
        squares += row_squares;
        if (excess(squares, sum, width * (y + 1 - p->y0)) > most)
            return INFINITY;
    }
    return excess(squares, sum, count) / (float)count;
}

static float variance(const struct vsm_drift *picture, const struct patch *p)
{
    const int count = (p->x1 - p->x0) * (p->y1 - p->y0);
    int64_t sum = 0, squares = 0;

    for (int y = p->y0; y < p->y1; y++) {
        for (int x = p->x0; x < p->x1; x++) {
            const int v = picture->luma[y * picture->width + x];

            sum += v;
            squares += v * v;
        }
    }
    return excess(squares, sum, count) / (float)count;
}

/* The lowest point of the parabola through three values at -1, 0, 1, of which the middle is the least. */
static float lowest(float before, float middle, float after)
{
    const float bend = before - 2.0f * middle + after;

    if (!(bend > 1e-6f) || !isfinite(bend))
        return 0.0f;
    return fminf(fmaxf(0.5f * (before - after) / bend, -0.5f), 0.5f);
}

struct vsm_drift_move vsm_drift_find(const struct vsm_drift *before, const struct vsm_drift *now,
                                     const struct vsm_person_box *box, float x, float y)
{
    const struct vsm_drift_move none = {0};
    const float width = (float)now->width, height = (float)now->height;
    const int from_x = (int)lroundf(x * width), from_y = (int)lroundf(y * height);
    struct patch p;
    float texture, limit, best = INFINITY;
    int dx = 0, dy = 0;

    if (before->width != now->width || before->height != now->height || now->width == 0)
        return none;
    p = torso_of(before, box);
    if (p.x0 < 0 || p.y0 < 0 || p.x1 > before->width || p.y1 > before->height || p.x1 <= p.x0 ||
        p.y1 <= p.y0 || (p.x1 - p.x0) * (p.y1 - p.y0) < SMALLEST)
        return none;
    texture = variance(before, &p);
    if (texture < TEXTURE)
        return none;
    limit = fminf(difference(before, now, &p, from_x, from_y, INFINITY), ALIKE * texture);
    for (int j = from_y - REACH; j <= from_y + REACH; j++) {
        for (int i = from_x - REACH; i <= from_x + REACH; i++) {
            const float d = difference(before, now, &p, i, j, fminf(limit, best));

            if (d < best) {
                best = d;
                dx = i;
                dy = j;
            }
        }
    }
    if (best > ALIKE * texture || dx == from_x - REACH || dx == from_x + REACH || dy == from_y - REACH ||
        dy == from_y + REACH)
        return none;
    return (
        struct vsm_drift_move){((float)dx + lowest(difference(before, now, &p, dx - 1, dy, INFINITY), best,
                                                   difference(before, now, &p, dx + 1, dy, INFINITY))) /
                                   width,
                               ((float)dy + lowest(difference(before, now, &p, dx, dy - 1, INFINITY), best,
                                                   difference(before, now, &p, dx, dy + 1, INFINITY))) /
                                   height,
                               true};
}

void vsm_drift_save(const struct vsm_drift *picture, struct vsm_bytes_out *out)
{
    vsm_bytes_put_le32(out, (uint32_t)picture->width);
    vsm_bytes_put_le32(out, (uint32_t)picture->height);
    vsm_bytes_put(out, picture->luma, (size_t)picture->width * (size_t)picture->height);
}

int vsm_drift_load(struct vsm_drift *picture, struct vsm_bytes_in *in)
{
    const uint32_t width = vsm_bytes_get_le32(in), height = vsm_bytes_get_le32(in);
    const bool fits = width <= VSM_DRIFT_SIDE && height <= VSM_DRIFT_SIDE;
    const void *luma = fits ? vsm_bytes_get(in, (size_t)width * height) : NULL;

    if (!fits || in->failed)
        return vsm_fail(VSM_E_INPUT, "people: damaged picture of %ux%u; start again with --restart", width,
                        height);
    *picture = (struct vsm_drift){.width = (int32_t)width, .height = (int32_t)height};
    if (width > 0 && height > 0)
        memcpy(picture->luma, luma, (size_t)width * height);
    return VSM_OK;
}
