/* Numbers of 16 bits (IEEE 754-2008 binary16) as float32; the way back rounds: nn/graph_half.h. */
#ifndef VSM_NN_HALF_H
#define VSM_NN_HALF_H

#include <stdint.h>
#include <string.h>

static inline float vsm_half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h >> 15) << 31, exponent = h >> 10 & 31, mantissa = h & 1023, bits;
    float f;

    if (exponent == 0)
        return (sign ? -1.0f : 1.0f) * (float)mantissa * 0x1p-24f;
    bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | mantissa << 13;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

#endif
