/* Inner loops of preprocess: the C reference and its AVX2 counterpart, which give identical bits.
 *
 * Sums are exact integers, so that their order does not matter; what follows in floating point has
 * one fixed order.
 */
#ifndef VSM_IMAGE_PREPROCESS_KERNELS_H
#define VSM_IMAGE_PREPROCESS_KERNELS_H

#include "image/area.h"

#include <stddef.h>
#include <stdint.h>

/* One or two (NV chroma) interleaved channels of samples on their way to the grid. */
struct vsm_preprocess_plane {
    const uint8_t *data; /* sample (x.start, y.start) of the first channel */
    ptrdiff_t stride;
    int bytes;    /* a sample: 1 or 2 */
    int shift;    /* right shift of 2-byte samples */
    int channels; /* 1, or 2 interleaved */
    int maximum;  /* largest sample after the shift; larger ones are not allowed in the picture */
    const struct vsm_area *x, *y;
    double scale; /* 1 / (x->total * y->total) */
};

/* Code values to R, G, B: r = y' + red_v v', ... with y' = y * luma_scale + luma_bias and so on,
 * clamped to 0..1. */
struct vsm_preprocess_matrix {
    float luma_scale, luma_bias, chroma_scale, chroma_bias;
    float red_v, green_u, green_v, blue_u;
};

struct vsm_preprocess_kernels {
    /* Grid row `row`: mean code values of each channel, x->cells floats at out[channel]. `scratch` has room
     * for vsm_preprocess_scratch() bytes, 64-byte aligned. */
    void (*average)(const struct vsm_preprocess_plane *plane, int row, void *scratch, float *out[2]);
    void (*to_rgb)(const struct vsm_preprocess_matrix *matrix, const float *y, const float *u, const float *v,
                   int n, float *r, float *g, float *b);
};

/* Bytes of scratch memory for one row of sums, including what vector loads may read past it. */
size_t vsm_preprocess_scratch(const struct vsm_preprocess_plane *plane);

extern const struct vsm_preprocess_kernels vsm_preprocess_kernels_c;
extern const struct vsm_preprocess_kernels vsm_preprocess_kernels_avx2; /* defined on x86-64 only */

#endif
