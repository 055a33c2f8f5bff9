/* Pictures and coefficient maps for kernel tests: repeatable noise, odd strides, and single samples by value.
 */
#ifndef PICTURES_H
#define PICTURES_H

#include "frame/frame.h"

#include <stdlib.h>
#include <string.h>

static uint64_t picture_seed = 88172645463325252u;

__attribute__((unused)) static uint32_t picture_random(void)
{
    picture_seed ^= picture_seed << 13;
    picture_seed ^= picture_seed >> 7;
    picture_seed ^= picture_seed << 17;
    return (uint32_t)(picture_seed >> 32);
}

/* In 0..1. */
__attribute__((unused)) static float picture_unit(void)
{
    return (float)(picture_random() >> 8) / (float)(1 << 24);
}

__attribute__((unused)) static int picture_channels(const struct vsm_image *image, int plane)
{
    return plane && image->format.planes == VSM_PLANES_NV ? 2 : 1;
}

/* Sample `at` of a row, interleaved channels counted one by one. */
__attribute__((unused)) static int picture_get(const struct vsm_image *image, int plane, int at, int row)
{
    const uint8_t *from = image->data[plane] + row * image->stride[plane];
    uint16_t word;

    if (image->format.depth == 8)
        return from[at];
    memcpy(&word, from + 2 * (ptrdiff_t)at, 2);
    return word >> image->format.shift;
}

__attribute__((unused)) static void picture_set(struct vsm_image *image, int plane, int at, int row,
                                                int value)
{
    uint8_t *to = image->data[plane] + row * image->stride[plane];
    uint16_t word = (uint16_t)(value << image->format.shift);

    if (image->format.depth == 8)
        to[at] = (uint8_t)value;
    else
        memcpy(to + 2 * (ptrdiff_t)at, &word, 2);
}

/* Chroma component c (1 = U, 2 = V) at chroma position x, row. */
__attribute__((unused)) static int picture_chroma(const struct vsm_image *image, int c, int x, int row)
{
    if (image->format.planes == VSM_PLANES_GRAY)
        return 1 << (image->format.depth - 1);
    if (image->format.planes == VSM_PLANES_NV)
        return picture_get(image, 1, 2 * x + c - 1, row);
    return picture_get(image, c, x, row);
}

__attribute__((unused)) static void picture_noise(struct vsm_image *image)
{
    for (int p = 0; p < vsm_format_plane_count(image->format); p++)
        for (int y = 0; y < vsm_format_plane_height(image->format, p, image->height); y++)
            for (int x = 0; x < vsm_format_plane_width(image->format, p, image->width); x++)
                picture_set(image, p, x, y, (int)(picture_random() & ((1u << image->format.depth) - 1)));
}

/* Every byte, also those between rows, so that two images written to the same extent compare equal
 * as a whole. */
__attribute__((unused)) static void picture_clear(struct vsm_image *image, int byte)
{
    for (int p = 0; p < vsm_format_plane_count(image->format); p++)
        memset(image->data[p], byte,
               (size_t)image->stride[p] * (size_t)vsm_format_plane_height(image->format, p, image->height));
}

__attribute__((unused)) static bool picture_equal(const struct vsm_image *a, const struct vsm_image *b)
{
    for (int p = 0; p < vsm_format_plane_count(a->format); p++)
        if (memcmp(a->data[p], b->data[p],
                   (size_t)a->stride[p] * (size_t)vsm_format_plane_height(a->format, p, a->height)) != 0)
            return false;
    return true;
}

#endif
