/* FFmpeg's pixel formats as struct vsm_format, and back. Included only inside src/media. */
#ifndef VSM_MEDIA_FF_FORMAT_H
#define VSM_MEDIA_FF_FORMAT_H

#include "frame/image.h"

#include <libavutil/pixfmt.h>

#include <stdbool.h>

/* Full-range "yuvj" formats map to the plain ones: the range is in struct vsm_colour.
 * from: false if the format has no counterpart (big endian, 4:1:1, planar RGB, palette, hardware surfaces
 * ...). to: AV_PIX_FMT_NONE likewise. */
bool vsm_ff_format_from(enum AVPixelFormat pixel_format, struct vsm_format *format);
enum AVPixelFormat vsm_ff_format_to(struct vsm_format format);

/* The format nearest to a pixel format without counterpart: same depth (at most 16), RGB and 4:4:0 become
 * 4:4:4, 4:1:1 and 4:1:0 become 4:2:0, alpha is dropped, palettes become 8-bit 4:4:4, 1-bit and
 * gray-alpha become gray. */
struct vsm_format vsm_ff_format_nearest(enum AVPixelFormat pixel_format);

#endif
