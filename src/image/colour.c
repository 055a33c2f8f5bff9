#include "image/colour.h"

#include <math.h>

static int luma_weights(int matrix, int height, double *kr, double *kb)
{
    if (matrix == 2)
        matrix = height >= 720 ? 1 : 6;
    switch (matrix) {
    case 1:
        *kr = 0.2126;
        *kb = 0.0722;
        return VSM_OK;
    case 4:
        *kr = 0.30;
        *kb = 0.11;
        return VSM_OK;
    case 5:
    case 6:
        *kr = 0.299;
        *kb = 0.114;
        return VSM_OK;
    case 7:
        *kr = 0.212;
        *kb = 0.087;
        return VSM_OK;
    case 9:
        *kr = 0.2627;
        *kb = 0.0593;
        return VSM_OK;
    }
    return vsm_fail(
        VSM_E_INPUT,
        "colour: matrix coefficients %d (ITU-T H.273) are not supported; convert the video to BT.709 "
        "(1), BT.601 (5, 6) or BT.2020 non-constant luminance (9)",
        matrix);
}

int vsm_colour_model(struct vsm_colour colour, int height, int depth, struct vsm_colour_model *m)
{
    double unit;
    int status;

    if (depth < 8 || depth > 16)
        return vsm_fail(VSM_E_INTERNAL, "colour: %d bits a sample are not in 8..16", depth);
    status = luma_weights(colour.matrix, height, &m->kr, &m->kb);
    if (status)
        return status;
    unit = ldexp(1, depth - 8);
    m->kg = 1 - m->kr - m->kb;
    m->red_v = 2 * (1 - m->kr);
    m->blue_u = 2 * (1 - m->kb);
    m->green_u = -m->kb * m->blue_u / m->kg;
    m->green_v = -m->kr * m->red_v / m->kg;
    m->maximum = (1 << depth) - 1;
    m->chroma_offset = 128 * unit;
    if (colour.full_range) {
        m->luma_offset = 0;
        m->luma_range = m->maximum;
        m->chroma_range = m->maximum;
        m->chroma_low = 0;
        m->chroma_high = m->maximum;
    } else {
        m->luma_offset = 16 * unit;
        m->luma_range = 219 * unit;
        m->chroma_range = 224 * unit;
        m->chroma_low = 16 * unit;
        m->chroma_high = 240 * unit;
    }
    return VSM_OK;
}

static int to_code(double value, int maximum)
{
    long code = lrint(value);

    return code < 0 ? 0 : code > maximum ? maximum : (int)code;
}

void vsm_colour_encode(const struct vsm_colour_model *m, const uint8_t rgb[3], int code[3])
{
    double r = rgb[0] / 255.0, g = rgb[1] / 255.0, b = rgb[2] / 255.0;
    double y = m->kr * r + m->kg * g + m->kb * b;

    code[0] = to_code(m->luma_offset + m->luma_range * y, m->maximum);
    code[1] = to_code(m->chroma_offset + m->chroma_range * (b - y) / m->blue_u, m->maximum);
    code[2] = to_code(m->chroma_offset + m->chroma_range * (r - y) / m->red_v, m->maximum);
}
