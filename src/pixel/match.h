/* The numbers and single steps of matching cells: stereo/cell_match.h, stereo/disparity_match.h and
 * stereo/stereo_pyramid.h. */
#ifndef VSM_PIXEL_MATCH_H
#define VSM_PIXEL_MATCH_H

#include "pixel/parallax.h"

/* Levels of pyramids: 4096 to 256 at most, the coarsest at most 256 wide. */
#define VSM_MATCH_LEVELS       5
#define VSM_MATCH_COARSE_WIDTH 256

/* Largest shift across or down that margins allow for, as a part of the width: 1 / 8. */
#define VSM_MATCH_SHIFT 8

/* Largest distance from a window's centre to its border, pixels; a row is rounded up to whole lanes. */
#define VSM_MATCH_REACH 23
#define VSM_MATCH_LANES 8
#define VSM_MATCH_ROW   48

#define VSM_MATCH_COARSE_REACH   6
#define VSM_MATCH_FINE_REACH     20 /* of the finest level at a width of 1024 */
#define VSM_MATCH_MAX_DENSE      12 /* reach up to which every row of a window counts, else every other */
#define VSM_MATCH_MAX_CANDIDATES 160

#define VSM_MATCH_WEIGHT        0.25f   /* least mean weight of a window that is matched */
#define VSM_MATCH_MIN_VARIANCE  1e-4f   /* of luma in 0..1 */
#define VSM_MATCH_MIN_VARIANCE2 2.5e-5f /* of the other picture: it may be darker or blurred */

/* Parallaxes of neighbours that a cell is compared with, when they lie so far apart, in pixels; and how much
 * better one must be than the cell's own. */
#define VSM_MATCH_OTHERS       4
#define VSM_MATCH_OTHERS_APART 1.5f
#define VSM_MATCH_OTHER_GAIN   0.03f
#define VSM_MATCH_TURNS        2

/* A second look through a small window, at places where the large one sees mostly somebody at
 * another distance. */
#define VSM_MATCH_SMALL_LEAST       5     /* its reach */
#define VSM_MATCH_SMALL_SCORE       0.85f /* correlation of a match through it */
#define VSM_MATCH_SMALL_LEAST_TRUST 0.3f  /* least confidence of such a match */
#define VSM_MATCH_SMALL_TRUST       0.4f  /* of its confidence: fewer pixels, more chance */
#define VSM_MATCH_SMALL_GAIN        0.10f /* by which it must be better than what the large window found */

#define VSM_MATCH_MIN_PEOPLE     0.10f /* mean alpha of a cell to be matched at all */
#define VSM_MATCH_MIN_SCORE      0.60f /* correlation of a believable match */
#define VSM_MATCH_GOOD_SCORE     0.95f
#define VSM_MATCH_GOOD_CURVATURE 0.004f /* correlation lost a pixel aside, of a sharp match */

/* The cells of a grid; the last column and row may be cut. */
struct vsm_match_grid {
    int width, height, levels; /* level 0 is the grid itself */
    int side, columns, rows;
};

struct vsm_match_place {
    int x, y;
};

/* A shift, and how well the pictures correlate there. */
struct vsm_match_best {
    int x, y;
    float score;
};

VSM_PIXEL int vsm_pixel_match_levels(int width)
{
    int levels = 1;

    while (width >> (levels - 1) > VSM_MATCH_COARSE_WIDTH && levels < VSM_MATCH_LEVELS)
        levels++;
    return levels;
}

/* Beyond a level's picture of this width on all sides, where luma is repeated and alpha is 0. */
VSM_PIXEL int vsm_pixel_match_margin(int width)
{
    return width / VSM_MATCH_SHIFT + VSM_MATCH_ROW + 16;
}

VSM_PIXEL int vsm_pixel_match_limit(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* Of windows on a level of this width. */
VSM_PIXEL int vsm_pixel_match_reach(int width)
{
    return vsm_pixel_match_limit(VSM_MATCH_FINE_REACH * width / 1024, VSM_MATCH_COARSE_REACH,
                                 VSM_MATCH_REACH);
}

/* Of the second look, on the finest level, at cells so wide. */
VSM_PIXEL int vsm_pixel_match_small(int side)
{
    return vsm_pixel_match_limit(side * 5 / 8, VSM_MATCH_SMALL_LEAST, VSM_MATCH_REACH);
}

VSM_PIXEL int vsm_pixel_match_step(int reach)
{
    return reach > VSM_MATCH_MAX_DENSE ? 2 : 1;
}

VSM_PIXEL float vsm_pixel_match_luma(float r, float g, float b)
{
    return 0.2126f * r + 0.7152f * g + 0.0722f * b;
}

/* Of a row's two pixels and those below. */
VSM_PIXEL float vsm_pixel_match_halve(float a, float b, float c, float d)
{
    return 0.25f * (a + b + c + d);
}

/* The middle of a cell on a level. */
VSM_PIXEL struct vsm_match_place vsm_pixel_match_middle(const struct vsm_match_grid *grid, int index,
                                                        int level)
{
    const int x = (2 * (index % grid->columns) + 1) * grid->side >> (level + 1);
    const int y = (2 * (index / grid->columns) + 1) * grid->side >> (level + 1);
    const int right = (grid->width >> level) - 1, bottom = (grid->height >> level) - 1;
    struct vsm_match_place place;

    place.x = x < right ? x : right;
    place.y = y < bottom ? y : bottom;
    return place;
}

/* Whether rows of `length` pixels from -reach to reach round a place lie within the margin of a picture. */
VSM_PIXEL bool vsm_pixel_match_lies_within(int width, int height, int margin, struct vsm_match_place at,
                                           int reach, int length)
{
    return at.x - reach >= -margin && at.x - reach + length <= width + margin && at.y - reach >= -margin &&
           at.y + reach < height + margin;
}

/* What leads from parallax to places that are tried. */
struct vsm_match_line {
    const struct vsm_parallax_cell *cell;
    double low, largest, pitch; /* parallax from low to largest */
    float scale;                /* of a level's pixels to the grid's */
    int steps;
};

VSM_PIXEL struct vsm_match_line vsm_pixel_match_line(const struct vsm_parallax_cell *cell, double largest,
                                                     double pitch, bool both_ways, int level)
{
    struct vsm_match_line line;
    float span;

    line.cell = cell;
    line.low = both_ways ? -largest : -0.02 * largest;
    line.largest = largest;
    line.pitch = pitch;
    line.scale = 1.0f / (float)(1 << level);
    span = fabsf(vsm_pixel_parallax_shift(cell, largest, largest, 0).u -
                 vsm_pixel_parallax_shift(cell, largest, line.low, 0).u) *
           line.scale;
    line.steps = (int)ceilf(span) + 1;
    if (line.steps > VSM_MATCH_MAX_CANDIDATES - 2)
        line.steps = VSM_MATCH_MAX_CANDIDATES - 2;
    return line;
}

VSM_PIXEL struct vsm_match_place vsm_pixel_match_place(struct vsm_parallax_shift shift, float scale)
{
    struct vsm_match_place place;

    place.x = (int)lroundf(shift.u * scale);
    place.y = (int)lroundf(shift.v * scale);
    return place;
}

/* Of a line's places 0 to steps. One that is as far across as the one before is not tried. */
VSM_PIXEL struct vsm_match_place vsm_pixel_match_along(const struct vsm_match_line *line, int i)
{
    return vsm_pixel_match_place(vsm_pixel_parallax_shift(line->cell, line->largest,
                                                          line->low +
                                                              (line->largest - line->low) * i / line->steps,
                                                          line->pitch),
                                 line->scale);
}

/* Correlation, -1..1, by a window's sums: of weighted values, of their squares, and of products with the
 * template. -1 without texture. */
VSM_PIXEL float vsm_pixel_match_score(float value, float square, float product, float weight_sum,
                                      float energy)
{
    const float variance = square - value * value / weight_sum;

    if (!(variance > VSM_MATCH_MIN_VARIANCE2 * weight_sum))
        return -1.0f;
    return product / sqrtf(variance * energy);
}

/* The vertex of the parabola through three values at -1, 0, 1; *curvature: the mean loss of
 * the outer ones. */
VSM_PIXEL float vsm_pixel_match_parabola(float before, float middle, float after, float *curvature)
{
    *curvature = middle - 0.5f * (before + after);
    if (!(*curvature > 1e-6f))
        return 0.0f;
    return fminf(fmaxf(0.25f * (after - before) / *curvature, -0.5f), 0.5f);
}

/* The shifts that say how sharp a match is: left, right, above, below. */
VSM_PIXEL struct vsm_match_place vsm_pixel_match_beside(int i)
{
    struct vsm_match_place place;

    place.x = i == 0 ? -1 : i == 1;
    place.y = i == 2 ? -1 : i == 3;
    return place;
}

/* What a believable match says of its cell. */
struct vsm_match_found {
    float parallax, residual, confidence;
};

/* By the best integer shift on the finest level, and the scores beside it. */
VSM_PIXEL struct vsm_match_found vsm_pixel_match_settle(const struct vsm_parallax_cell *cell, double largest,
                                                        double pitch, struct vsm_match_best best,
                                                        const float beside[4])
{
    struct vsm_match_found found;
    float curvature_u, curvature_v;
    const float u = (float)best.x + vsm_pixel_match_parabola(beside[0], best.score, beside[1], &curvature_u);
    const float v = (float)best.y + vsm_pixel_match_parabola(beside[2], best.score, beside[3], &curvature_v);

    found.parallax = (float)vsm_pixel_parallax_of_shift(cell, largest, u, pitch);
    found.residual = v - vsm_pixel_parallax_shift(cell, largest, found.parallax, pitch).v;
    found.confidence =
        fminf((best.score - VSM_MATCH_MIN_SCORE) / (VSM_MATCH_GOOD_SCORE - VSM_MATCH_MIN_SCORE), 1.0f) *
        fminf(curvature_u / VSM_MATCH_GOOD_CURVATURE, 1.0f);
    return found;
}

/* Whether a cell's people are large enough to be matched if they have texture: by the mean of `alpha`, of the
 * grid's size, over what the coarsest level's window shows. */
VSM_PIXEL bool vsm_pixel_match_seen(const struct vsm_match_grid *grid, const float *alpha, int index)
{
    const int level = grid->levels - 1, across = (2 * VSM_MATCH_COARSE_REACH + 1) << level;
    const struct vsm_match_place at = vsm_pixel_match_middle(grid, index, level);
    const int x0 = (at.x - VSM_MATCH_COARSE_REACH) * (1 << level);
    const int y0 = (at.y - VSM_MATCH_COARSE_REACH) * (1 << level);
    float sum = 0.0f;

    for (int y = y0 > 0 ? y0 : 0; y < y0 + across && y < grid->height; y++) {
        for (int x = x0 > 0 ? x0 : 0; x < x0 + across && x < grid->width; x++)
            sum += alpha[(size_t)y * (size_t)grid->width + (size_t)x];
    }
    return sum >= VSM_MATCH_WEIGHT * (float)(across * across);
}

#endif
