#include "people/looks.h"

#include <math.h>
#include <stddef.h>

#define WIDE   0.20f /* torso, to either side of the middle, in widths of the box */
#define TOP    0.16f /* in heights of the box */
#define MIDDLE 0.33f
#define END    0.50f

#define LEAST_CLEAR  0.33f
#define LEAST_PIXELS 12

#define CHROMA_REACH 0.12f /* differences of colour beyond it fall into the outermost bins */
#define DARK         0.06f /* sum of R, G, B; below, colour is noise */

static bool in_torso(const struct vsm_person_box *box, float x, float y)
{
    const float across = (x - 0.5f * (box->left + box->right)) / (box->right - box->left);
    const float down = (y - box->top) / (box->bottom - box->top);

    return fabsf(across) < WIDE && down > TOP && down < END;
}

/* `value` from 0 to 1, shared between the two bins whose middles are nearest. */
static void drop(float *histogram, float value)
{
    const float at = fminf(fmaxf(value * VSM_LOOKS_BINS - 0.5f, 0.0f), VSM_LOOKS_BINS - 1.0f);
    const int bin = at < VSM_LOOKS_BINS - 1 ? (int)at : VSM_LOOKS_BINS - 2;

    histogram[bin] += 1.0f - (at - (float)bin);
    histogram[bin + 1] += at - (float)bin;
}

static void add_pixel(float (*share)[VSM_LOOKS_BINS], float r, float g, float b)
{
    const float sum = r + g + b, scale = 0.5f / (CHROMA_REACH * fmaxf(sum, DARK));

    drop(share[0], sum * (1.0f / 3.0f));
    drop(share[1], 0.5f + (r - g) * scale);
    drop(share[2], 0.5f + (b - g) * scale);
}

/* false: a half has no pixel. */
static bool normalise(struct vsm_looks *looks)
{
    for (int h = 0; h < VSM_LOOKS_HISTOGRAMS; h++) {
        float sum = 0.0f;

        for (int i = 0; i < VSM_LOOKS_BINS; i++)
            sum += looks->share[h][i];
        if (sum < 1.0f)
            return false;
        for (int i = 0; i < VSM_LOOKS_BINS; i++)
            looks->share[h][i] /= sum;
    }
    return true;
}

struct vsm_looks vsm_looks_at(const float *rgb, int width, int height, const struct vsm_person_box *boxes,
                              int count, int index)
{
    const struct vsm_person_box *box = &boxes[index];
    const size_t plane = (size_t)width * (size_t)height;
    const float middle = box->top + MIDDLE * (box->bottom - box->top);
    const int y0 = (int)fmaxf(box->top * (float)height, 0.0f);
    const int y1 = (int)fminf(box->bottom * (float)height, (float)height);
    const int x0 = (int)fmaxf(box->left * (float)width, 0.0f);
    const int x1 = (int)fminf(box->right * (float)width, (float)width);
    struct vsm_looks looks = {0};
    int all = 0, clear = 0;

    for (int j = y0; j < y1; j++) {
        for (int i = x0; i < x1; i++) {
            const float x = ((float)i + 0.5f) / (float)width, y = ((float)j + 0.5f) / (float)height;
            const float *p = rgb + (size_t)j * (size_t)width + (size_t)i;
            bool hidden = false;

            if (!in_torso(box, x, y))
                continue;
            for (int k = 0; k < count; k++)
                hidden = hidden || (k != index && in_torso(&boxes[k], x, y));
            all++;
            clear += !hidden;
            if (!hidden)
                add_pixel(&looks.share[y < middle ? 0 : VSM_LOOKS_HISTOGRAMS / 2], p[0], p[plane],
                          p[2 * plane]);
        }
    }
    looks.clear = all > 0 ? (float)clear / (float)all : 0.0f;
    return clear >= LEAST_PIXELS && looks.clear >= LEAST_CLEAR && normalise(&looks) ? looks
                                                                                    : (struct vsm_looks){0};
}

float vsm_looks_likeness(const struct vsm_looks *a, const struct vsm_looks *b)
{
    float sum = 0.0f;

    for (int h = 0; h < VSM_LOOKS_HISTOGRAMS; h++) {
        for (int i = 0; i < VSM_LOOKS_BINS; i++)
            sum += sqrtf(a->share[h][i] * b->share[h][i]);
    }
    return sum / VSM_LOOKS_HISTOGRAMS;
}

void vsm_looks_learn(struct vsm_looks *looks, const struct vsm_looks *seen, float share)
{
    if (seen->clear <= 0.0f)
        return;
    if (looks->clear <= 0.0f)
        share = 1.0f;
    looks->clear += share * (seen->clear - looks->clear);
    for (int h = 0; h < VSM_LOOKS_HISTOGRAMS; h++) {
        for (int i = 0; i < VSM_LOOKS_BINS; i++)
            looks->share[h][i] += share * (seen->share[h][i] - looks->share[h][i]);
    }
}

void vsm_looks_save(const struct vsm_looks *looks, struct vsm_bytes_out *out)
{
    vsm_bytes_put_f32(out, &looks->clear, 1);
    for (int h = 0; h < VSM_LOOKS_HISTOGRAMS; h++)
        vsm_bytes_put_f32(out, looks->share[h], VSM_LOOKS_BINS);
}

bool vsm_looks_load(struct vsm_looks *looks, struct vsm_bytes_in *in)
{
    bool good;

    vsm_bytes_get_f32(in, &looks->clear, 1);
    good = looks->clear >= 0.0f && looks->clear <= 1.0f;
    for (int h = 0; h < VSM_LOOKS_HISTOGRAMS; h++) {
        vsm_bytes_get_f32(in, looks->share[h], VSM_LOOKS_BINS);
        for (int i = 0; i < VSM_LOOKS_BINS; i++)
            good = good && looks->share[h][i] >= 0.0f && looks->share[h][i] <= 1.0f;
    }
    return good && !in->failed;
}
