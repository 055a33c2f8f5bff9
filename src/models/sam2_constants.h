/* Tables of the SAM 2 family that depend on sizes only, or on a few learned numbers.
 *
 * Rows of tables over a grid are pixels in row-major order. All is computed in double precision and rounded
 * once.
 */
#ifndef VSM_MODELS_SAM2_CONSTANTS_H
#define VSM_MODELS_SAM2_CONSTANTS_H

#include <stdint.h>

/* Sine position encoding of a grid of height x width, `dim` channels (multiple of 4): out[height * width *
 * dim]. Per axis dim / 2 values of p / 10000^(2 floor(j/2) / (dim/2)), p = (i + 1) / (n + 1e-6) * 2 pi, even
 * j sine, odd j cosine; y first, then x. Source: Carion et al., arXiv 2005.12872, the normalised variant. */
void vsm_sam2_constants_sine(int height, int width, int dim, float *out);

/* Random Fourier encoding of the point (x, y), both 0..1: out[256] = sin and cos of 2 pi (2c - 1) G, G
 * [2][128]. Source: Tancik et al., arXiv 2006.10739, as in SAM. */
void vsm_sam2_constants_point(const float *gaussian, double x, double y, float out[256]);

/* The same at the centres of an n x n grid: out[n * n * 256]. */
void vsm_sam2_constants_dense(const float *gaussian, int n, float *out);

/* Axial rotary tables of an n x n grid: cosine[n * n * 128], sine likewise. Pairs 0..63 turn with x, 64..127
 * with y, by 10000^(-j / 64) a pixel. Source: Heo et al., arXiv 2403.13298. */
void vsm_sam2_constants_rotary(int n, float *cosine, float *sine);

/* Hiera's position of every patch, out[n * n * channels]: `position` [channels][side][side] enlarged with
 * bicubic interpolation (A = -0.75, half-pixel centres, clamped borders) plus `window` [channels][8][8]
 * repeated. */
void vsm_sam2_constants_hiera(const float *position, int side, const float *window, int channels, int n,
                              float *out);

/* Encoding of a distance of `frames` frames between a pointer and the present: out[256] = sin, then cos, of
 * frames / 15 / 10000^(2 floor(i/2) / 128); single-precision divisions as in the reference, since frames
 * grows without bound. */
void vsm_sam2_constants_temporal(int64_t frames, float out[256]);

#endif
