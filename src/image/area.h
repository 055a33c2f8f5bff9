/* Integer resampling weights along one axis of one plane: exact area average, or bilinear where the
 * grid is finer.
 *
 * Grid cell j covers [j, j+1) * extent / cells luma samples of the eye; a plane's sample k covers `span` luma
 * samples. Averaging weighs each sample by the exact length of the overlap, expressed in the smallest integer
 * unit. Where a cell is smaller than a sample, it is instead interpolated between the two samples whose
 * centres enclose the cell's centre (clamped at the eye's edges). Chroma samples are taken to sit at the
 * centre of the luma samples they belong to; a left-sited chroma is thereby read a quarter of a chroma sample
 * off, far below a grid cell.
 */
#ifndef VSM_IMAGE_AREA_H
#define VSM_IMAGE_AREA_H

#include "base/status.h"

#include <stdint.h>

#define VSM_AREA_MAX_EXTENT 32768 /* luma samples of an axis of a picture */
#define VSM_AREA_MAX_CELLS  8192  /* grid cells along an axis */
#define VSM_AREA_BLOCK      8     /* taps are padded to a multiple of this */

struct vsm_area {
    int cells;
    int start, samples; /* the plane's samples that are used: start .. start + samples - 1 */
    int taps;           /* per cell, a multiple of VSM_AREA_BLOCK; unused ones weigh 0 */
    int32_t *first;   /* [cells] first tap, relative to start; first + taps may pass the end by up to taps */
    int32_t *count;   /* [cells] taps that weigh more than 0 */
    uint16_t *weight; /* [cells][taps] */
    uint32_t total;   /* sum of the weights of each cell, at most 32768 */
    int largest;      /* largest weight */
    int whole;        /* n: cell j is the plain mean of samples n j to n j + n - 1, for every j; 0: not so */
};

/* For the eye's luma samples origin .. origin + extent - 1 of an axis, plane samples of `span` (1 or 2) luma
 * samples. vsm_area_free() also after failure. */
int vsm_area_init(struct vsm_area *area, int origin, int extent, int span, int cells) VSM_NODISCARD;
void vsm_area_free(struct vsm_area *area);

#endif
