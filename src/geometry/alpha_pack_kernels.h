/* Inner loops of alpha_pack: the C reference and its AVX2 counterpart, which give identical bits.
 *
 * Places are computed in float32 in one fixed order without fused multiply-add, samples in integers: bilinear with
 * weights of VSM_ALPHA_PACK_WEIGHT_BITS, the rows' results kept with at least 15 significant bits.
 */
#ifndef VSM_GEOMETRY_ALPHA_PACK_KERNELS_H
#define VSM_GEOMETRY_ALPHA_PACK_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define VSM_ALPHA_PACK_WEIGHT_BITS 14
#define VSM_ALPHA_PACK_BLOCK       8

/* Eight neighbouring samples look at (u + i du, v + i dv), i = 0..7, in units of 2^-VSM_ALPHA_PACK_WEIGHT_BITS
 * samples from the middle of the window's first sample. */
struct vsm_alpha_pack_block {
    float u, du, v, dv;
};

/* One plane of a source picture as both eyes' rectangles, which are of one size, at least 2 x 2 samples. Up to 3 bytes
 * behind the last sample are read. */
struct vsm_alpha_pack_window {
    const uint8_t *data[2];
    ptrdiff_t stride;  /* times the last row within 32 bits */
    int depth;         /* 8: bytes; 9..16: words */
    int right, bottom; /* the last sample, counted from 0; places are clamped to it */
};

struct vsm_alpha_pack_kernels {
    /* Writes 8 * count samples of each eye, of the window's depth, to `left` and `right` (16-byte aligned). */
    void (*sample)(const struct vsm_alpha_pack_window *window, const struct vsm_alpha_pack_block *blocks,
                   int count, uint8_t *left, uint8_t *right);
    /* sums[i] = a[2i] + a[2i + 1] + b[2i] + b[2i + 1] for i = 0..n-1; room for n rounded up to 8 in all. */
    void (*halve)(const uint16_t *a, const uint16_t *b, int n, int32_t *sums);
};

extern const struct vsm_alpha_pack_kernels vsm_alpha_pack_kernels_c;
extern const struct vsm_alpha_pack_kernels vsm_alpha_pack_kernels_avx2; /* defined on x86-64 only */

#endif
