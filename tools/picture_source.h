/* A sequence of pictures from a video file, a folder of numbered picture files, or one picture file. */
#ifndef TOOLS_PICTURE_SOURCE_H
#define TOOLS_PICTURE_SOURCE_H

#include "base/status.h"
#include "frame/image.h"

struct vsm_picture_source;

/* `path`: a folder (its .jpg, .jpeg and .png files in the order of their names), a .jpg, .jpeg or .png file,
 * or otherwise a video. VSM_E_INPUT if there is nothing to read. */
int vsm_picture_source_open(const char *path, struct vsm_picture_source **source) VSM_NODISCARD;
void vsm_picture_source_close(struct vsm_picture_source *source);

/* The next picture; the caller owns the reference. VSM_EOF behind the last one. */
int vsm_picture_source_next(struct vsm_picture_source *source, struct vsm_image **image) VSM_NODISCARD;

/* One number a pixel, 0..1, row after row: the luma of a video picture by its range, the red of an RGB one.
 * `grey` has room for width * height floats. */
void vsm_picture_source_grey(const struct vsm_image *image, float *grey);

#endif
