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

/* Pixels whose middles lie in a torso: from .. end - 1 across and down. */
struct torso {
    int from_x, end_x, from_y, end_y;
};

static bool is_across(const struct vsm_person_box *box, float x)
{
    return fabsf((x - 0.5f * (box->left + box->right)) / (box->right - box->left)) < WIDE;
}

static bool is_down(const struct vsm_person_box *box, float y)
{
    const float down = (y - box->top) / (box->bottom - box->top);

    return down > TOP && down < END;
}

/* The part of a box's torso that lies within t. */
static struct torso torso_within(const struct vsm_person_box *box, struct torso t, int width, int height)
{
    while (t.from_x < t.end_x && !is_across(box, ((float)t.from_x + 0.5f) / (float)width))
        t.from_x++;
    while (t.end_x > t.from_x && !is_across(box, ((float)(t.end_x - 1) + 0.5f) / (float)width))
        t.end_x--;
    while (t.from_y < t.end_y && !is_down(box, ((float)t.from_y + 0.5f) / (float)height))
        t.from_y++;
    while (t.end_y > t.from_y && !is_down(box, ((float)(t.end_y - 1) + 0.5f) / (float)height))
        t.end_y--;
    return t;
}

static struct torso torso_of(const struct vsm_person_box *box, int width, int height)
{
    const struct torso all = {.from_x = (int)fmaxf(box->left * (float)width, 0.0f),
                              .end_x = (int)fminf(box->right * (float)width, (float)width),
                              .from_y = (int)fmaxf(box->top * (float)height, 0.0f),
                              .end_y = (int)fminf(box->bottom * (float)height, (float)height)};

    return torso_within(box, all, width, height);
}

static bool is_empty(const struct torso *t)
{
    return t->from_x >= t->end_x || t->from_y >= t->end_y;
}

static bool in_torso(const struct torso *t, int x, int y)
{
    return x >= t->from_x && x < t->end_x && y >= t->from_y && y < t->end_y;
}

/* `value` from 0 to 1, shared between the two bins whose middles are nearest. */
static void drop(float *histogram, float value)
{
    const float whole = value * VSM_LOOKS_BINS - 0.5f, last = VSM_LOOKS_BINS - 1.0f;
    const float at = whole > 0.0f ? (whole < last ? whole : last) : 0.0f; /* fminf() is a call */
    const int bin = at < VSM_LOOKS_BINS - 1 ? (int)at : VSM_LOOKS_BINS - 2;

    histogram[bin] += 1.0f - (at - (float)bin);
    histogram[bin + 1] += at - (float)bin;
}

static void add_pixel(float (*share)[VSM_LOOKS_BINS], float r, float g, float b)
{
    const float sum = r + g + b, scale = 0.5f / (CHROMA_REACH * (sum > DARK ? sum : DARK));

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
    const struct torso own = torso_of(box, width, height);
    struct torso others[VSM_LOOKS_MOST];
    struct vsm_looks looks = {0};
    int other_count = 0, clear = 0, all = 0;

    for (int k = 0; k < count && k < VSM_LOOKS_MOST; k++) {
        others[other_count] = torso_within(&boxes[k], own, width, height);
        other_count += k != index && !is_empty(&others[other_count]);
    }
    for (int j = own.from_y; j < own.end_y; j++) {
        const bool upper = ((float)j + 0.5f) / (float)height < middle;
        float(*share)[VSM_LOOKS_BINS] = &looks.share[upper ? 0 : VSM_LOOKS_HISTOGRAMS / 2];

        for (int i = own.from_x; i < own.end_x; i++) {
            const float *p = rgb + (size_t)j * (size_t)width + (size_t)i;
            bool hidden = false;

            for (int k = 0; k < other_count && !hidden; k++)
                hidden = in_torso(&others[k], i, j);
            all++;
            clear += !hidden;
            if (!hidden)
                add_pixel(share, p[0], p[plane], p[2 * plane]);
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
