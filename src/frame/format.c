#include "frame/format.h"

int vsm_format_plane_count(struct vsm_format format)
{
    switch (format.planes) {
    case VSM_PLANES_GRAY:
    case VSM_PLANES_RGB:
    case VSM_PLANES_RGBA:
        return 1;
    case VSM_PLANES_NV:
        return 2;
    case VSM_PLANES_YUV:
        return 3;
    case VSM_PLANES_YUVA:
        return 4;
    }
    return 0;
}

static bool is_chroma(int plane)
{
    return plane == 1 || plane == 2;
}

int vsm_format_plane_width(struct vsm_format format, int plane, int width)
{
    if (format.planes == VSM_PLANES_RGB)
        return width * 3;
    if (format.planes == VSM_PLANES_RGBA)
        return width * 4;
    if (!is_chroma(plane))
        return width;
    width = (width + (1 << format.chroma_x) - 1) >> format.chroma_x;
    return format.planes == VSM_PLANES_NV ? 2 * width : width;
}

int vsm_format_plane_height(struct vsm_format format, int plane, int height)
{
    return is_chroma(plane) ? (height + (1 << format.chroma_y) - 1) >> format.chroma_y : height;
}

int vsm_format_bytes_per_sample(struct vsm_format format)
{
    return format.depth > 8 ? 2 : 1;
}

size_t vsm_format_bytes(struct vsm_format format, int width, int height)
{
    size_t bytes = 0;

    for (int p = 0; p < vsm_format_plane_count(format); p++)
        bytes += (size_t)vsm_format_plane_width(format, p, width) *
                 (size_t)vsm_format_plane_height(format, p, height) *
                 (size_t)vsm_format_bytes_per_sample(format);
    return bytes;
}

bool vsm_format_equal(struct vsm_format a, struct vsm_format b)
{
    return a.planes == b.planes && a.depth == b.depth && a.shift == b.shift && a.chroma_x == b.chroma_x &&
           a.chroma_y == b.chroma_y;
}
