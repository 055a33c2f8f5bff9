#include "models/sam2_mask.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define STABILITY_MARGIN 0.05f
#define HOLE_LOGIT       0.1f

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

/* One axis of the smooth resize: `lines` lines whose elements are `step` apart, `from_line` and `to_line` being the
 * distances between lines. */
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

bool vsm_sam2_mask_box(const float *logits, int h, int w, int box[4])
{
    box[0] = w;
    box[1] = h;
    box[2] = box[3] = 0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            if (!(logits[(int64_t)y * w + x] > 0))
                continue;
            box[0] = x < box[0] ? x : box[0];
            box[1] = y < box[1] ? y : box[1];
            box[2] = x + 1 > box[2] ? x + 1 : box[2];
            box[3] = y + 1;
        }
    if (box[3] == 0)
        box[0] = box[1] = 0;
    return box[3] > 0;
}

enum { UNSEEN, SMALL, LARGE };

/* Pixels of the seed's region of logits <= 0, in stack[]; 0 if there are more than `area`, which is known as soon as it
 * has so many or touches pixels that are marked LARGE: a call looks at no more than `area` pixels. */
static int flood(const float *logits, uint8_t *seen, int h, int w, int seed, int area, int *stack)
{
    bool large = false;
    int count = 0;

    stack[count++] = seed;
    seen[seed] = SMALL;
    for (int done = 0; done < count && !large; done++) {
        int y = stack[done] / w, x = stack[done] % w;

        for (int ny = y - 1; ny <= y + 1 && !large; ny++)
            for (int nx = x - 1; nx <= x + 1 && !large; nx++) {
                int at = ny * w + nx;

                if (ny < 0 || nx < 0 || ny >= h || nx >= w || seen[at] == SMALL || logits[at] > 0)
                    continue;
                large = seen[at] == LARGE || count == area;
                if (large)
                    break;
                seen[at] = SMALL;
                stack[count++] = at;
            }
    }
    for (int i = 0; large && i < count; i++)
        seen[stack[i]] = LARGE;
    return large ? 0 : count;
}

/* Whether a neighbour before pixel `at` belongs to a large region, and so does the pixel: most do. */
static bool touches_large(const uint8_t *seen, int w, int at)
{
    const int x = at % w;

    return (x > 0 && seen[at - 1] == LARGE) ||
           (at >= w && (seen[at - w] == LARGE || (x > 0 && seen[at - w - 1] == LARGE) ||
                        (x + 1 < w && seen[at - w + 1] == LARGE)));
}

int vsm_sam2_mask_fill_holes(float *logits, int h, int w, int area)
{
    uint8_t *seen;
    int *stack;

    if (area <= 0)
        return VSM_OK;
    seen = vsm_mem_alloc("hole filling", (size_t)h * (size_t)w, sizeof(*seen));
    stack = vsm_mem_alloc_raw("hole filling", (size_t)area, sizeof(*stack));
    for (int i = 0; seen && stack && i < h * w; i++) {
        int count = 0;

        if (seen[i] || logits[i] > 0)
            continue;
        if (touches_large(seen, w, i))
            seen[i] = LARGE;
        else
            count = flood(logits, seen, h, w, i, area, stack);

        for (int j = 0; j < count; j++)
            logits[stack[j]] = HOLE_LOGIT;
    }
    vsm_mem_free(seen);
    vsm_mem_free(stack);
    return seen && stack ? VSM_OK : VSM_E_NOMEM;
}
