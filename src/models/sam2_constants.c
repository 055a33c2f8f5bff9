#include "models/sam2_constants.h"

#include <math.h>
#include <stddef.h>

#define TAU 6.28318530717958647692

static double frequency(int j, int count)
{
    return pow(10000.0, 2.0 * (j / 2) / count);
}

void vsm_sam2_constants_sine(int height, int width, int dim, float *out)
{
    const int half = dim / 2;

    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int axis = 0; axis < 2; axis++) {
                double p = (axis ? (x + 1) / (width + 1e-6) : (y + 1) / (height + 1e-6)) * TAU;

                for (int j = 0; j < half; j++) {
                    double angle = p / frequency(j, half);

                    *out++ = (float)(j % 2 ? cos(angle) : sin(angle));
                }
            }
}

void vsm_sam2_constants_point(const float *gaussian, double x, double y, float out[256])
{
    for (int j = 0; j < 128; j++) {
        double angle = ((2 * x - 1) * (double)gaussian[j] + (2 * y - 1) * (double)gaussian[128 + j]) * TAU;

        out[j] = (float)sin(angle);
        out[128 + j] = (float)cos(angle);
    }
}

void vsm_sam2_constants_dense(const float *gaussian, int n, float *out)
{
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++)
            vsm_sam2_constants_point(gaussian, (x + 0.5) / n, (y + 0.5) / n,
                                     out + ((size_t)y * (size_t)n + (size_t)x) * 256);
}

void vsm_sam2_constants_rotary(int n, float *cosine, float *sine)
{
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++)
            for (int j = 0; j < 128; j++) {
                double angle = (j < 64 ? x : y) * pow(10000.0, -(j % 64) / 64.0);

                *cosine++ = (float)cos(angle);
                *sine++ = (float)sin(angle);
            }
}

/* Keys' cubic convolution kernel at distance d. */
static double cubic(double d)
{
    const double a = -0.75;

    d = fabs(d);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static int clamp(int v, int high)
{
    return v < 0 ? 0 : v > high ? high : v;
}

void vsm_sam2_constants_hiera(const float *position, int side, const float *window, int channels, int n,
                              float *out)
{
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            double sy = (y + 0.5) * side / n - 0.5, sx = (x + 0.5) * side / n - 0.5;
            int top = (int)floor(sy) - 1, left = (int)floor(sx) - 1;

            for (int c = 0; c < channels; c++) {
                double sum = 0;

                for (int i = 0; i < 4; i++)
                    for (int j = 0; j < 4; j++)
                        sum += cubic(sy - (top + i)) * cubic(sx - (left + j)) *
                               (double)position[(c * side + clamp(top + i, side - 1)) * side +
                                                clamp(left + j, side - 1)];
                *out++ = (float)(sum + (double)window[(c * 8 + y % 8) * 8 + x % 8]);
            }
        }
}

void vsm_sam2_constants_temporal(int64_t frames, float out[256])
{
    const float distance = (float)frames / 15.0f;

    for (int i = 0; i < 128; i++) {
        float angle = distance / (float)frequency(i, 128);

        out[i] = (float)sin((double)angle);
        out[128 + i] = (float)cos((double)angle);
    }
}
