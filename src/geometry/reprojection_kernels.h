/* Inner loops of geometry/reprojection.h: the C reference and its AVX2 counterpart, which give identical
 * bits.
 *
 * Places are computed in float32 in one fixed order without fused multiply-add, samples in integers: bilinear
 * with weights of VSM_REPROJECTION_WEIGHT_BITS, the rows' results kept with at least 15 significant bits.
 */
#ifndef VSM_GEOMETRY_REPROJECTION_KERNELS_H
#define VSM_GEOMETRY_REPROJECTION_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define VSM_REPROJECTION_WEIGHT_BITS 14
#define VSM_REPROJECTION_BLOCK       8

/* Eight neighbouring samples look at (u + i du, v + i dv), i = 0..7, in units of
 * 2^-VSM_REPROJECTION_WEIGHT_BITS samples from the middle of the window's first sample. */
struct vsm_reprojection_block {
    float u, du, v, dv;
};

/* A place for each of eight samples, in the same units. */
struct vsm_reprojection_points {
    float u[VSM_REPROJECTION_BLOCK], v[VSM_REPROJECTION_BLOCK];
};

#define VSM_REPROJECTION_SOURCES 4

/* One plane of a source picture, or two that are alike, as both eyes' rectangles, which are of one size, at
 * least 2 x 2 samples. Up to 3 bytes behind the last sample are read. */
struct vsm_reprojection_window {
    const uint8_t *data[VSM_REPROJECTION_SOURCES]; /* left and right eye, then those of the second plane */
    int sources;                                   /* 2 or 4 */
    ptrdiff_t stride;                              /* times the last row within 32 bits */
    int depth;                                     /* 8: bytes; 9..16: words */
    int right, bottom; /* the last sample, counted from 0; places are clamped to it */
};

struct vsm_reprojection_kernels {
    /* Writes 8 * count samples of each source, of the window's depth, to its `out` (16-byte aligned). */
    void (*sample)(const struct vsm_reprojection_window *window, const struct vsm_reprojection_block *blocks,
                   int count, uint8_t *const *out);
    void (*sample_points)(const struct vsm_reprojection_window *window,
                          const struct vsm_reprojection_points *points, int count, uint8_t *const *out);
    /* out[i] = the mean of a[2i], a[2i + 1], b[2i] and b[2i + 1], halves rounded up, for i = 0..n-1. */
    void (*halve)(const uint16_t *a, const uint16_t *b, int n, uint16_t *out);
};

extern const struct vsm_reprojection_kernels vsm_reprojection_kernels_c;
extern const struct vsm_reprojection_kernels vsm_reprojection_kernels_avx2; /* defined on x86-64 only */

#endif
