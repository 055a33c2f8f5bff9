#include "models/sam2_mask.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define STABILITY_MARGIN 0.05f

/* The two samples and the weight of the second for output i of an axis. */
struct tap {
    int first, second;
    float weight;
};

static struct tap tap_of(int i, int from, int to)
{
    float at = ((float)i + 0.5f) * ((float)from / (float)to) - 0.5f;
    struct tap t;

    at = at < 0 ? 0 : at;
    t.first = (int)at < from - 1 ? (int)at : from - 1;
    t.second = t.first < from - 1 ? t.first + 1 : t.first;
    t.weight = at - (float)t.first;
    return t;
}

void vsm_sam2_mask_resize(const float *from, int h, int w, float *to, int to_h, int to_w)
{
    for (int y = 0; y < to_h; y++) {
        const struct tap v = tap_of(y, h, to_h);
        const float *top = from + (int64_t)v.first * w, *bottom = from + (int64_t)v.second * w;

        for (int x = 0; x < to_w; x++) {
            const struct tap u = tap_of(x, w, to_w);
            float a = top[u.first] * (1 - u.weight) + top[u.second] * u.weight;
            float b = bottom[u.first] * (1 - u.weight) + bottom[u.second] * u.weight;

            *to++ = a * (1 - v.weight) + b * v.weight;
        }
    }
}

/* One axis of the smooth resize: `lines` lines whose elements are `step` apart, `from_line` and `to_line`
 * being the distances between lines. */
static void reduce_axis(const float *from, float *to, int in, int out, int lines, int64_t from_line,
                        int64_t to_line, int64_t step)
{
    const double scale = (double)in / out, support = scale > 1 ? scale : 1;

    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int first = (int)(centre - support + 0.5), last = (int)(centre + support + 0.5);

        first = first < 0 ? 0 : first;
        last = last > in ? in : last;
        for (int j = first; j < last; j++)
            sum += fmax(0, 1 - fabs(j - centre + 0.5) / support);
        for (int line = 0; line < lines; line++) {
            double value = 0;

            for (int j = first; j < last; j++)
                value += fmax(0, 1 - fabs(j - centre + 0.5) / support) / sum *
                         (double)from[line * from_line + j * step];
            to[line * to_line + i * step] = (float)value;
        }
    }
}

int vsm_sam2_mask_resize_smooth(const float *from, int h, int w, float *to, int to_h, int to_w)
{
    float *middle = vsm_mem_alloc_raw("mask", (size_t)h * (size_t)to_w, sizeof(*middle));

    if (!middle)
        return VSM_E_NOMEM;
    reduce_axis(from, middle, w, to_w, h, w, to_w, 1);
    reduce_axis(middle, to, h, to_h, to_w, 1, 1, to_w);
    vsm_mem_free(middle);
    return VSM_OK;
}

void vsm_sam2_mask_memory_input(float *logits, int64_t count, bool binary)
{
    for (int64_t i = 0; i < count; i++) {
        float p = binary ? (logits[i] > 0 ? 1.0f : 0.0f) : 1 / (1 + expf(-logits[i]));

        logits[i] = p * 20 - 10;
    }
}

double vsm_sam2_mask_stability(const float *logits, int64_t count)
{
    int64_t sure = 0, possible = 0;

    for (int64_t i = 0; i < count; i++) {
        sure += logits[i] > STABILITY_MARGIN;
        possible += logits[i] > -STABILITY_MARGIN;
    }
    return possible ? (double)sure / (double)possible : 1;
}

int64_t vsm_sam2_mask_area(const float *logits, int64_t count)
{
    int64_t area = 0;

    for (int64_t i = 0; i < count; i++)
        area += logits[i] > 0;
    return area;
}

/* The first of `count` pixels that is inside; `count` if none is. */
static int first_inside(const float *row, int count)
{
    int x = 0;

    while (x < count && !(row[x] > 0))
        x++;
    return x;
}

/* Behind the last of pixels [from, to) that is inside; `from` if none is. */
static int last_inside(const float *row, int from, int to)
{
    while (to > from && !(row[to - 1] > 0))
        to--;
    return to;
}

bool vsm_sam2_mask_box(const float *logits, int h, int w, int box[4])
{
    int left = w, right = 0, top = 0, bottom = h;

    while (top < h && first_inside(logits + (int64_t)top * w, w) == w)
        top++;
    while (bottom > top && first_inside(logits + (int64_t)(bottom - 1) * w, w) == w)
        bottom--;
    for (int y = top; y < bottom; y++) {
        left = first_inside(logits + (int64_t)y * w, left);
        right = last_inside(logits + (int64_t)y * w, right, w);
    }
    box[0] = top < h ? left : 0;
    box[1] = top < h ? top : 0;
    box[2] = right;
    box[3] = top < h ? bottom : 0;
    return top < h;
}
