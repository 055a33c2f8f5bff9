/* What a pixel differs from the other eye, and its step to their common value (stereo/consensus.h). */
#ifndef VSM_PIXEL_CONSENSUS_H
#define VSM_PIXEL_CONSENSUS_H

#include "pixel/disparity.h"
#include "pixel/mend.h"

#include <math.h>
#include <stdbool.h>

#define VSM_CONSENSUS_LOST 1.0f /* grid pixels between there and back: not the same point */

/* Pictures' colours differ by this part: from the first on points count less, from twice that not at all.
 * DARK is added to what it is a part of, for the noise of dark places. */
#define VSM_CONSENSUS_UNLIKE 0.07f
#define VSM_CONSENSUS_DARK   0.1f

/* An eye's way is as long as half its difference, but no longer than this many times the other's. */
#define VSM_CONSENSUS_MORE 8.0f

/* Pixels of 3 x 3 that differ to the same side: a half of a plane has 6 at its border, a line 3. */
#define VSM_CONSENSUS_WIDE 5

/* How much larger one eye sees a surface than the other: its measure's reach in pixels, and
 * bounds, as change of shift. */
#define VSM_CONSENSUS_REACH 2.0f
#define VSM_CONSENSUS_LEAST (-0.6f)
#define VSM_CONSENSUS_MOST  1.5f

/* Both eyes of a frame, by enum vsm_eye; planes of width * height. */
struct vsm_consensus_eyes {
    const struct vsm_disparity_map *maps[2]; /* measured from each eye */
    const float *rgb[2];                     /* R, G, B planes in 0..1 */
    const float *own[2],
        *settled[2];  /* alpha, and the other eye's (stereo/transfer.h); negative: not known */
    float gain[2][3]; /* the other eye's light over this one's, R, G, B as coded */
    int width, height;
};

/* The difference of alpha at pixel (x, y), as far as the share goes that its cell has. */
VSM_PIXEL float vsm_consensus_apart(const struct vsm_mend_grid *grid, const float *share, float own,
                                    float settled, int x, int y)
{
    if (settled < 0.0f || settled == own)
        return 0.0f;
    return (settled - own) * vsm_pixel_sample(share, grid->columns, grid->rows,
                                              ((float)x + 0.5f) / (float)grid->side,
                                              ((float)y + 0.5f) / (float)grid->side);
}

/* Where three samples a pixel apart lie along one direction: between which pixels, and how far, as of
 * vsm_pixel_sample(). */
struct vsm_consensus_taps {
    int low[3], high[3];
    float part[3];
};

VSM_PIXEL struct vsm_consensus_taps vsm_consensus_taps_round(float centre, int extent)
{
    struct vsm_consensus_taps t;

    for (int k = 0; k < 3; k++) {
        const float f = vsm_pixel_between(centre + (float)(k - 1) - 0.5f, 0.0f, (float)(extent - 1));

        t.low[k] = (int)f;
        t.high[k] = t.low[k] + 1 < extent ? t.low[k] + 1 : t.low[k];
        t.part[k] = f - (float)t.low[k];
    }
    return t;
}

VSM_PIXEL float vsm_consensus_mean_round(const float *plane, int width,
                                         const struct vsm_consensus_taps *across,
                                         const struct vsm_consensus_taps *down)
{
    float sum = 0.0f;

    for (int j = 0; j < 3; j++) {
        const float *top = plane + (ptrdiff_t)down->low[j] * width, v = down->part[j];
        const float *bottom = plane + (ptrdiff_t)down->high[j] * width;

        for (int i = 0; i < 3; i++) {
            const int x0 = across->low[i], x1 = across->high[i];
            const float u = across->part[i];

            sum += (1 - v) * ((1 - u) * top[x0] + u * top[x1]) + v * ((1 - u) * bottom[x0] + u * bottom[x1]);
        }
    }
    return sum / 9.0f;
}

/* The same where all parts are none: round a pixel's middle. */
VSM_PIXEL float vsm_consensus_mean_beside(const float *plane, int width,
                                          const struct vsm_consensus_taps *across,
                                          const struct vsm_consensus_taps *down)
{
    float sum = 0.0f;

    for (int j = 0; j < 3; j++) {
        for (int i = 0; i < 3; i++)
            sum += plane[(ptrdiff_t)down->low[j] * width + across->low[i]];
    }
    return sum / 9.0f;
}

/* 1 where both pictures show the same colour, 0 where they show different things. (x, y) is a
 * pixel's middle. */
VSM_PIXEL float vsm_consensus_alike(const struct vsm_consensus_eyes *eyes, int eye, float x, float y,
                                    float du, float dv)
{
    const size_t plane = (size_t)eyes->width * (size_t)eyes->height;
    const struct vsm_consensus_taps across = vsm_consensus_taps_round(x, eyes->width),
                                    down = vsm_consensus_taps_round(y, eyes->height),
                                    to_across = vsm_consensus_taps_round(x + du, eyes->width),
                                    to_down = vsm_consensus_taps_round(y + dv, eyes->height);
    float unlike = 0.0f;

    for (size_t c = 0; c < 3; c++) {
        const float here = eyes->gain[eye][c] *
                           vsm_consensus_mean_beside(eyes->rgb[eye] + c * plane, eyes->width, &across, &down);
        const float there =
            vsm_consensus_mean_round(eyes->rgb[!eye] + c * plane, eyes->width, &to_across, &to_down);

        unlike += fabsf(here - there) / (VSM_CONSENSUS_DARK + (here > there ? here : there));
    }
    return vsm_pixel_between(2.0f - unlike / (3.0f * VSM_CONSENSUS_UNLIKE), 0.0f, 1.0f);
}

/* This eye's part of the way to their common value, so that both give way by as much in all: dx pixels here
 * are (1 + change) dx there. */
VSM_PIXEL float vsm_consensus_part(const struct vsm_disparity_map *map, float x, float y)
{
    float before, after, change, v;

    if (!vsm_disparity_map_at(map, x - VSM_CONSENSUS_REACH, y, &before, &v) ||
        !vsm_disparity_map_at(map, x + VSM_CONSENSUS_REACH, y, &after, &v))
        return 0.5f;
    change = vsm_pixel_between((after - before) / (2.0f * VSM_CONSENSUS_REACH), VSM_CONSENSUS_LEAST,
                               VSM_CONSENSUS_MOST);
    return (1.0f + change) / (2.0f + change);
}

/* Whether the eye differs to the same side over some area round a place: slivers are borders
 * that are not exact. */
VSM_PIXEL bool vsm_consensus_is_wide(const float *apart, int width, int height, float x, float y, float sign)
{
    const int px = (int)x, py = (int)y;
    int count = 0;

    for (int k = 0; k < 9; k++) {
        const int i = px + k % 3 - 1, j = py + k / 3 - 1;

        if (i >= 0 && j >= 0 && i < width && j < height)
            count += apart[(size_t)j * (size_t)width + (size_t)i] * sign > 0.0f;
    }
    return count >= VSM_CONSENSUS_WIDE;
}

/* What to add at the middle (x, y) of a pixel of `eye`; apart: both eyes' vsm_consensus_apart(), not 0
 * here. */
VSM_PIXEL float vsm_consensus_step(const struct vsm_consensus_eyes *eyes, const float *const apart[2],
                                   int eye, float x, float y)
{
    const float here = apart[eye][(size_t)y * (size_t)eyes->width + (size_t)x];
    float du, dv, back_u, back_v, there, both;

    if (!vsm_disparity_map_at(eyes->maps[eye], x, y, &du, &dv) ||
        !vsm_disparity_map_at(eyes->maps[!eye], x + du, y + dv, &back_u, &back_v) ||
        fabsf(back_u + du) > VSM_CONSENSUS_LOST || fabsf(back_v + dv) > VSM_CONSENSUS_LOST)
        return 0.0f;
    there = -VSM_CONSENSUS_MORE * vsm_pixel_sample(apart[!eye], eyes->width, eyes->height, x + du, y + dv);
    both = here > 0.0f ? vsm_pixel_between(there, 0.0f, here) : vsm_pixel_between(there, here, 0.0f);
    if (both == 0.0f || !vsm_consensus_is_wide(apart[eye], eyes->width, eyes->height, x, y, both) ||
        !vsm_consensus_is_wide(apart[!eye], eyes->width, eyes->height, x + du, y + dv, -both))
        return 0.0f;
    return both * vsm_consensus_alike(eyes, eye, x, y, du, dv) * vsm_consensus_part(eyes->maps[eye], x, y);
}

/* What remains of the steps of an eye in one direction, which come to `own` in all, and the other eye's in
 * the other direction to `other`: the longer way is shortened. */
VSM_PIXEL float vsm_consensus_remaining(double own, double other)
{
    return own > other ? (float)(other / own) : 1.0f;
}

#endif
