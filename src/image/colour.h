/* Y'CbCr colour models by the code points of ITU-T H.273: matrix coefficients, ranges, and key colours.
 *
 * Everything here is non-linear (gamma-encoded) R'G'B' and Y'CbCr; transfer functions and primaries never
 * change. Source of the equations: ITU-T H.273 (2021), 8.3: equations for MatrixCoefficients 1, 4, 5, 6, 7, 9
 * and for VideoFullRangeFlag; the same numbers as in BT.601-7, BT.709-6 and BT.2020-2.
 */
#ifndef VSM_IMAGE_COLOUR_H
#define VSM_IMAGE_COLOUR_H

#include "base/status.h"
#include "frame/image.h"

/* With y = (Y - luma_offset) / luma_range in 0..1 and u, v = (C - chroma_offset) / chroma_range in -0.5..0.5:
 *   R = y + red_v v,  G = y + green_u u + green_v v,  B = y + blue_u u;
 *   y = kr R + kg G + kb B,  u = (B - y) / blue_u,  v = (R - y) / red_v. */
struct vsm_colour_model {
    double kr, kg, kb;
    double red_v, green_u, green_v, blue_u;
    double luma_offset, luma_range;     /* code values: black, and white minus black */
    double chroma_offset, chroma_range; /* code values: neutral, and the span of -0.5..0.5 */
    double chroma_low, chroma_high;     /* legal code values */
    int maximum;                        /* largest code value */
};

/* The model of samples of `depth` bits (8..16) with this description. Unspecified matrix (2): BT.709 for
 * pictures of at least 720 lines, else BT.601. VSM_E_INPUT for matrices that are not linear in gamma-encoded
 * RGB or that are not Y'CbCr (0, 8, 10 and above): the message names the code point. */
int vsm_colour_model(struct vsm_colour colour, int height, int depth,
                     struct vsm_colour_model *model) VSM_NODISCARD;

/* Code values (Y, Cb, Cr) nearest to an 8-bit R, G, B colour. */
void vsm_colour_encode(const struct vsm_colour_model *model, const uint8_t rgb[3], int code[3]);

#endif
