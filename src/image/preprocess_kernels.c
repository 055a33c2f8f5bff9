#include "image/preprocess_kernels.h"

#include <string.h>

size_t vsm_preprocess_scratch(const struct vsm_preprocess_plane *plane)
{
    size_t row = (size_t)plane->x->samples + (size_t)plane->x->taps + 64;

    /* A row of 32-bit sums for each channel, and once more while channels are being separated. */
    return 2 * (size_t)plane->channels * row * sizeof(uint32_t);
}

static uint32_t sample(const uint8_t *row, const struct vsm_preprocess_plane *plane, int at)
{
    uint16_t word;

    if (plane->bytes == 1)
        return row[at];
    memcpy(&word, row + 2 * (ptrdiff_t)at, 2);
    return (uint32_t)word >> plane->shift;
}

/* At most 65535 * 32768 in a column, and that times 32768 in a cell: 32 and 64 bits are enough. */
static void average(const struct vsm_preprocess_plane *plane, int row, void *scratch, float *out[2])
{
    const struct vsm_area *x = plane->x, *y = plane->y;
    const uint16_t *weight = y->weight + (size_t)row * (size_t)y->taps;
    int n = x->samples * plane->channels;
    uint32_t *sums = scratch;

    memset(sums, 0, (size_t)n * sizeof(*sums));
    for (int t = 0; t < y->count[row]; t++) {
        const uint8_t *samples = plane->data + (y->first[row] + t) * plane->stride;

        for (int i = 0; i < n; i++)
            sums[i] += weight[t] * sample(samples, plane, i);
    }
    for (int c = 0; c < plane->channels; c++) {
        for (int j = 0; j < x->cells; j++) {
            const uint32_t *from = sums + x->first[j] * plane->channels + c;
            uint64_t sum = 0;

            for (int t = 0; t < x->count[j]; t++)
                sum +=
                    (uint64_t)x->weight[(size_t)j * (size_t)x->taps + (size_t)t] * from[t * plane->channels];
            out[c][j] = (float)((double)(int64_t)sum * plane->scale);
        }
    }
}

static float unit(float value)
{
    value = value > 0 ? value : 0;
    return value < 1 ? value : 1;
}

static void to_rgb(const struct vsm_preprocess_matrix *m, const float *y, const float *u, const float *v,
                   int n, float *r, float *g, float *b)
{
    for (int i = 0; i < n; i++) {
        float luma = y[i] * m->luma_scale + m->luma_bias;
        float cb = u[i] * m->chroma_scale + m->chroma_bias, cr = v[i] * m->chroma_scale + m->chroma_bias;

        r[i] = unit(luma + m->red_v * cr);
        g[i] = unit((luma + m->green_u * cb) + m->green_v * cr);
        b[i] = unit(luma + m->blue_u * cb);
    }
}

const struct vsm_preprocess_kernels vsm_preprocess_kernels_c = {average, to_rgb};
