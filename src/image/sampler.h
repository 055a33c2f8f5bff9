/* Coefficient planes brought from a view's grid to rows of the full-size picture, one strip of columns
 * at a time.
 *
 * This is the only place that knows where a pixel lies on the grid: solving and writing see planes as `top +
 * fraction * delta` at their own pixels (struct vsm_refine_planes). The mapping of a direct view is a pure
 * scale, so that top and bottom are whole grid rows spread out horizontally once and used for all picture
 * rows between them. Turned views (image/refine_warp.h) fill top for every row and leave delta 0.
 *
 * Sampling is bilinear with half-pixel centres and clamped edges.
 */
#ifndef VSM_IMAGE_SAMPLER_H
#define VSM_IMAGE_SAMPLER_H

#include "image/refine_kernels.h"
#include "image/refine_warp.h"

/* Where the samples of an axis lie on the grid, for all samples of a view in order. */
struct vsm_sampler_axis {
    int32_t *index;  /* of the left neighbour among the cells with one copy of the first put before them */
    float *fraction; /* 0..1 of the way to the next */
    bool near;       /* see vsm_refine_kernels.upsample, for strips that begin at multiples of 8 */
};

/* Samples 0..n-1, the centre of sample i at `first + i * step` half luma samples from the eye's edge; the eye
 * is `extent` luma samples, the grid `cells`. Room for n + 16 entries, which are all filled. */
void vsm_sampler_axis_fill(struct vsm_sampler_axis *axis, int first, int step, int n, int extent, int cells);

struct vsm_sampler {
    const struct vsm_refine_kernels *kernels;
    const struct vsm_coefficient_plane *planes;
    int plane_count;
    /* The strip: */
    const float *maps; /* the view's coefficient maps [8][height][width] */
    int width, height;
    const int32_t *index;
    const float *fraction;
    bool near;
    int n;
    int first_cell, cell_count;
    int row; /* grid row of top; meaningless before the first seek */
    bool filled;
    struct vsm_refine_warp_strip warped; /* count 0: a direct view */
    struct vsm_refine_warp_scratch *warp_scratch;
    /* Scratch: */
    float *cells, *top[VSM_COEFFICIENT_MAPS], *bottom[VSM_COEFFICIENT_MAPS], *delta[VSM_COEFFICIENT_MAPS];
    struct vsm_refine_planes at;
};

/* Floats of scratch memory for strips of up to n samples over a grid of up to `width` cells. */
size_t vsm_sampler_floats(int plane_count, int n, int width);

/* Takes its scratch memory from `memory` (64-byte aligned, zeroed). */
void vsm_sampler_init(struct vsm_sampler *sampler, const struct vsm_refine_kernels *kernels,
                      const struct vsm_coefficient_plane *planes, int plane_count, int n, int width,
                      float *memory);

/* Begins a strip: samples start..start+n-1 of the axis; start is a multiple of 8. */
void vsm_sampler_strip(struct vsm_sampler *sampler, const float *maps, int width, int height,
                       const struct vsm_sampler_axis *axis, int start, int n);

/* Likewise for turned views; *scratch is used by every row and may be shared with the worker's other
 * samplers. */
void vsm_sampler_strip_warped(struct vsm_sampler *sampler, const struct vsm_refine_warp_strip *strip,
                              struct vsm_refine_warp_scratch *scratch);

/* The upper of the two grid rows that the picture row with this centre (as below)
 * lies between, -1..cells-1. */
int vsm_sampler_grid_row(int centre, int extent, int cells);

/* The planes for the picture row whose centre is `centre` half luma rows below the eye's upper edge; the eye
 * is `extent` rows. Valid until the next call. Cheap for a direct view when the row lies between the same two
 * grid rows as the last. */
const struct vsm_refine_planes *vsm_sampler_row(struct vsm_sampler *sampler, int centre, int extent);

#endif
