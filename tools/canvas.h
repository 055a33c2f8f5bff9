/* The picture that a renderer paints: both eyes side by side, each a half-equirect square, and its
 * way into video.
 */
#ifndef TOOLS_CANVAS_H
#define TOOLS_CANVAS_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/image.h"

#include <stdint.h>

struct vsm_canvas {
    int eye; /* pixels a side of one eye, even */
    float *
        rgba; /* 2 * eye x eye pixels: colour over whatever is behind, and alpha = the matte's truth; owned */
    double *tables; /* owned: sine and cosine of longitude, then of latitude, at the quarters of pixels */
    struct vsm_parallel *pool; /* owned: a thread for every core; loops go over pairs of rows */
};

int vsm_canvas_create(int eye, struct vsm_canvas *canvas) VSM_NODISCARD;
void vsm_canvas_destroy(struct vsm_canvas *canvas);

/* Pixel x, y of eye 0 or 1. */
float *vsm_canvas_at(const struct vsm_canvas *canvas, int eye, int x, int y);

/* Unit directions of the four quarters of pixel (x, y) of an eye: upper left, upper right, lower
 * left, lower right. */
void vsm_canvas_rays(const struct vsm_canvas *canvas, int x, int y, double rays[4][3]);

/* The colours as 8-bit 4:2:0 of BT.709, limited range, chroma at the left; the alpha as 8-bit grey, full
 * range. The images were made by the two functions below. */
void vsm_canvas_to_yuv(const struct vsm_canvas *canvas, struct vsm_image *image);
void vsm_canvas_to_grey(const struct vsm_canvas *canvas, struct vsm_image *image);
struct vsm_image *vsm_canvas_yuv_image(const struct vsm_canvas *canvas) VSM_NODISCARD;
struct vsm_image *vsm_canvas_grey_image(const struct vsm_canvas *canvas) VSM_NODISCARD;

/* Adds noise of standard deviation `sigma` (in 0..1) to the colours; the same numbers for the same seed. */
void vsm_canvas_noise(struct vsm_canvas *canvas, double sigma, uint64_t seed);

#endif
