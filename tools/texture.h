/* A picture laid on a surface of a rendered scene, filtered so that it neither flickers nor shows steps.
 *
 * Level 0 is the picture, premultiplied RGBA floats in 0..1 (as coded, no linear light); each further level
 * halves it with the kernel 1 3 3 1. Coordinates are texels of level 0, continuous: texel (i, j) covers [i,
 * i+1) x [j, j+1).
 */
#ifndef TOOLS_TEXTURE_H
#define TOOLS_TEXTURE_H

#include "base/status.h"
#include "frame/image.h"

#define VSM_TEXTURE_MAX_LEVELS 16

enum vsm_texture_edge {
    VSM_TEXTURE_CLEAR,  /* nothing outside */
    VSM_TEXTURE_MIRROR, /* goes on mirrored */
};

struct vsm_texture {
    enum vsm_texture_edge edge;
    int level_count;
    struct vsm_texture_level {
        int width, height;
        float *rgba; /* owned */
    } levels[VSM_TEXTURE_MAX_LEVELS];
};

/* An empty texture: level 0 zeroed, to be filled by the caller and closed with vsm_texture_finish(). */
int vsm_texture_create(int width, int height, enum vsm_texture_edge edge,
                       struct vsm_texture *texture) VSM_NODISCARD;

/* Makes the smaller levels from level 0. */
int vsm_texture_finish(struct vsm_texture *texture) VSM_NODISCARD;

/* The whole from an 8- or 16-bit RGB or RGBA image (straight alpha). */
int vsm_texture_of_image(const struct vsm_image *image, enum vsm_texture_edge edge,
                         struct vsm_texture *texture) VSM_NODISCARD;

/* Frees the levels; an all-zero texture is allowed. */
void vsm_texture_destroy(struct vsm_texture *texture);

/* The average over a picture element whose four quarters have their centres at `quad` (in the order upper
 * left, upper right, lower left, lower right), blurred at least to texels of 2^blur. */
void vsm_texture_quad(const struct vsm_texture *texture, double quad[4][2], double blur, float rgba[4]);

#endif
