#include "media/ff_format.h"

#include <libavutil/pixdesc.h>

#include <string.h>

static bool is_planar(const AVPixFmtDescriptor *d, int bytes)
{
    for (int c = 0; c < d->nb_components; c++)
        if (d->comp[c].plane != c || d->comp[c].step != bytes || d->comp[c].offset != 0)
            return false;
    return true;
}

static bool is_packed(const AVPixFmtDescriptor *d, int bytes)
{
    for (int c = 0; c < d->nb_components; c++)
        if (d->comp[c].plane != 0 || d->comp[c].step != bytes * d->nb_components ||
            d->comp[c].offset != bytes * c)
            return false;
    return true;
}

static bool is_semi_planar(const AVPixFmtDescriptor *d, int bytes)
{
    return d->nb_components == 3 && d->comp[0].plane == 0 && d->comp[0].step == bytes &&
           d->comp[1].plane == 1 && d->comp[1].step == 2 * bytes && d->comp[1].offset == 0 &&
           d->comp[2].plane == 1 && d->comp[2].step == 2 * bytes && d->comp[2].offset == bytes;
}

/* Whether the samples lie in memory as struct vsm_format can say at all. */
static bool is_plain(const AVPixFmtDescriptor *d)
{
    const uint64_t others = AV_PIX_FMT_FLAG_BE | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM |
                            AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_FLOAT;

    if (!d || (d->flags & others) || d->nb_components < 1 || d->log2_chroma_w > 1 || d->log2_chroma_h > 1)
        return false;
    if (d->comp[0].depth < 8 || d->comp[0].depth > 16)
        return false;
    for (int c = 1; c < d->nb_components; c++)
        if (d->comp[c].depth != d->comp[0].depth || d->comp[c].shift != d->comp[0].shift)
            return false;
    return true;
}

bool vsm_ff_format_from(enum AVPixelFormat pixel_format, struct vsm_format *format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(pixel_format);
    bool rgb;
    int bytes;

    if (!is_plain(d))
        return false;
    rgb = d->flags & AV_PIX_FMT_FLAG_RGB;
    bytes = d->comp[0].depth > 8 ? 2 : 1;
    *format = (struct vsm_format){
        .depth = (uint8_t)d->comp[0].depth,
        .shift = (uint8_t)d->comp[0].shift,
        .chroma_x = d->log2_chroma_w,
        .chroma_y = d->log2_chroma_h,
    };
    if (rgb && d->nb_components >= 3 && is_packed(d, bytes))
        format->planes = d->nb_components == 4 ? VSM_PLANES_RGBA : VSM_PLANES_RGB;
    else if (!rgb && d->nb_components == 1 && is_planar(d, bytes))
        format->planes = VSM_PLANES_GRAY;
    else if (!rgb && d->nb_components >= 3 && is_planar(d, bytes))
        format->planes = d->nb_components == 4 ? VSM_PLANES_YUVA : VSM_PLANES_YUV;
    else if (!rgb && is_semi_planar(d, bytes))
        format->planes = VSM_PLANES_NV;
    else
        return false;
    return true;
}

enum AVPixelFormat vsm_ff_format_to(struct vsm_format format)
{
    const AVPixFmtDescriptor *d = NULL;
    struct vsm_format candidate;

    while ((d = av_pix_fmt_desc_next(d)))
        if (strncmp(d->name, "yuvj", 4) != 0 && vsm_ff_format_from(av_pix_fmt_desc_get_id(d), &candidate) &&
            vsm_format_equal(candidate, format))
            return av_pix_fmt_desc_get_id(d);
    return AV_PIX_FMT_NONE;
}

struct vsm_format vsm_ff_format_nearest(enum AVPixelFormat pixel_format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(pixel_format);
    struct vsm_format format = {.planes = VSM_PLANES_YUV, .depth = 8};
    int depth;

    if (!d || (d->flags & AV_PIX_FMT_FLAG_PAL))
        return format;
    depth = d->comp[0].depth;
    format.depth = (uint8_t)(depth <= 8 ? 8 : depth <= 10 ? 10 : depth <= 12 ? 12 : 16);
    if (d->nb_components <= 2 && !(d->flags & AV_PIX_FMT_FLAG_RGB)) {
        format.planes = VSM_PLANES_GRAY;
    } else if (d->log2_chroma_w > 0) {
        format.chroma_x = 1;
        format.chroma_y = d->log2_chroma_h > 0 || d->log2_chroma_w > 1;
    }
    return format;
}
