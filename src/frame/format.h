/* Sample formats of pictures: planes, bit depth, chroma subsampling, and the sizes that follow. */
#ifndef VSM_FRAME_FORMAT_H
#define VSM_FRAME_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vsm_planes {
    VSM_PLANES_GRAY, /* Y */
    VSM_PLANES_YUV,  /* Y, U, V */
    VSM_PLANES_YUVA, /* Y, U, V, A (A at full size) */
    VSM_PLANES_NV,   /* Y, interleaved U and V */
    VSM_PLANES_RGB,  /* one plane R G B R G B ... */
    VSM_PLANES_RGBA, /* one plane R G B A ... */
};

/* How samples lie in memory. depth 8: one byte a sample; above 8: little-endian 16-bit words,
 * value << shift. */
struct vsm_format {
    enum vsm_planes planes;
    uint8_t depth;    /* significant bits, 8..16 */
    uint8_t shift;    /* left shift in the word: 6 for P010, else 0 */
    uint8_t chroma_x; /* log2 of the horizontal chroma subsampling, 0 or 1 */
    uint8_t chroma_y; /* log2 of the vertical chroma subsampling, 0 or 1 */
};

/* Number of planes, and the size of plane `plane` in samples and bytes a sample of that plane. */
int vsm_format_plane_count(struct vsm_format format);
int vsm_format_plane_width(struct vsm_format format, int plane, int width);
int vsm_format_plane_height(struct vsm_format format, int plane, int height);
int vsm_format_bytes_per_sample(struct vsm_format format);

/* Bytes of all planes of an image of this format with tight rows. */
size_t vsm_format_bytes(struct vsm_format format, int width, int height);

bool vsm_format_equal(struct vsm_format a, struct vsm_format b);

#endif
