/* Coefficient planes of turned views at rows of the full-size picture: sampling through the inverse mapping.
 *
 * The maps of a view are interleaved once a frame (eight floats a cell, so that one load brings a tap of all
 * maps). For a strip of a picture row the table of the mapping (frame/frame.h: vsm_matte.inverse) is
 * interpolated to a position on the grid a pixel; there the maps are read bilinearly with clamped edges.
 * Pixels that the grid does not reach get zeros, which is background. Where two views reach a pixel, each
 * counts by the distance to its own nearest edge in cells, so that the change from one to the other is
 * gradual and ends at the edges. C reference and AVX2 give identical bits.
 */
#ifndef VSM_IMAGE_REFINE_WARP_H
#define VSM_IMAGE_REFINE_WARP_H

#include "base/parallel.h"
#include "frame/frame.h"
#include "image/coefficients.h"
#include "image/refine_kernels.h"

#include <stdbool.h>
#include <stdint.h>

#define VSM_REFINE_WARPS 2 /* turned views of one eye */

/* Where the samples of an axis lie between the table's columns; as struct vsm_sampler_axis. */
struct vsm_refine_warp_axis {
    int32_t *index;
    float *fraction;
    bool near;
};

struct vsm_refine_warp {
    const float *nodes, *maps; /* borrowed from the matte */
    int step, columns, rows;   /* of the table */
    int width, height;         /* of the grid, at least 2 */
    float *cells;              /* [height][width][8]: maps by cell */
    uint8_t *busy;             /* [height][width]: whether alpha may be above 0 for some colour */
};

/* Bytes that a warp's cells and flags want; *warp with nodes, maps and sizes set. */
size_t vsm_refine_warp_bytes(const struct vsm_refine_warp *warp);

/* Fills cells and busy, whose memory the caller gave. Alpha of a colour whose mean lies within
 * mean_low..mean_high and that comes out below `empty` counts as 0. Rows are shared out to `pool`. */
void vsm_refine_warp_pack(const struct vsm_refine_warp *warp, float mean_low, float mean_high, float empty,
                          struct vsm_parallel *pool);

/* Samples 0..n-1 of an axis, the centre of sample i at `first + i * step` half luma samples from the eye's
 * edge. Room for n + 16 entries, which are all filled. */
void vsm_refine_warp_axis_fill(struct vsm_refine_warp_axis *axis, const struct vsm_refine_warp *warp,
                               int first, int step, int n);

/* Scratch of one worker for strips of n samples; shared by all its samplers. */
struct vsm_refine_warp_scratch {
    float *x, *y; /* table row at the picture row, by column */
    float *at_x[VSM_REFINE_WARPS], *at_y[VSM_REFINE_WARPS], *weight[VSM_REFINE_WARPS];
    float *maps; /* eight rows, `stride` apart */
    ptrdiff_t stride;
};

/* Floats that scratch takes for strips of at most n samples and tables of at most `columns` columns, and
 * laying it out in that memory, which stays the caller's. */
size_t vsm_refine_warp_floats(int n, int columns);
void vsm_refine_warp_scratch_init(struct vsm_refine_warp_scratch *scratch, int n, int columns, float *memory);

/* One strip of an eye seen through `count` warps: axes[i] of warps[i], samples start..start+n-1, start a
 * multiple of 8. */
struct vsm_refine_warp_strip {
    const struct vsm_refine_warp *warps;
    const struct vsm_refine_warp_axis *axes; /* of the i-th warp: axes[i * axis_stride] */
    int axis_stride, count, start, n;
};

/* The eight maps of the row whose centre is `centre` half luma rows below the eye's upper edge, into
 * scratch->maps; n rounded up to a multiple of 8. */
void vsm_refine_warp_row(const struct vsm_refine_warp_strip *strip, const struct vsm_refine_kernels *kernels,
                         struct vsm_refine_warp_scratch *scratch, int centre);

/* True if alpha is 0 in all samples of the strip between table rows `row` and `row` + 1. */
bool vsm_refine_warp_empty(const struct vsm_refine_warp *warp, const struct vsm_refine_warp_axis *axis,
                           int start, int n, int row);

/* One view's part: out[m * stride + i] = (add ? itself : 0) + weight[i] * map m at (x[i], y[i]), for i < n, a
 * multiple of 8; zeros where nothing was added and the weight is 0. Positions with weight 0 may be anything,
 * also NaN. Defined on x86-64 only, for refine_warp.c, whose plain loop gives the same bits. */
void vsm_refine_warp_sample_avx2(const struct vsm_refine_warp *warp, const float *x, const float *y,
                                 const float *weight, bool add, int n, float *out, ptrdiff_t stride);

#endif
