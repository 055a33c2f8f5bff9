/* Converts decoded pictures of formats that struct vsm_format cannot say (planar RGB, palettes, 4:1:1, big
 * endian ...) to the nearest one that it can (vsm_ff_format_nearest), with swscale, one thread.
 *
 * RGB becomes BT.709, limited range, because players that ignore range flags show that right; everything else
 * keeps its matrix and range. Alpha is dropped. Results come from a pool.
 */
#ifndef VSM_MEDIA_VIDEO_CONVERT_H
#define VSM_MEDIA_VIDEO_CONVERT_H

#include "media/ff.h"

struct vsm_video_convert;

/* Whether pictures of this format need it: also packed RGB, which the pipeline does not take. */
bool vsm_video_convert_needed(enum AVPixelFormat pixel_format);

/* Converts pictures like `frame` (format, size, colour). VSM_E_INPUT if swscale cannot. */
int vsm_video_convert_open(const AVFrame *frame, struct vsm_video_convert **convert) VSM_NODISCARD;
void vsm_video_convert_close(struct vsm_video_convert *convert);

/* The frame (borrowed) must be like the one at opening: VSM_E_INPUT otherwise. *image belongs
 * to the caller. */
int vsm_video_convert_run(struct vsm_video_convert *convert, const AVFrame *frame,
                          struct vsm_image **image) VSM_NODISCARD;

#endif
