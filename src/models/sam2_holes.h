/* Filling small holes in a mask of the SAM 2 family, as the official predictor does after every frame.
 *
 * Works on bits, 64 pixels at a time, for it stands between two frames: what is surely larger than a hole is
 * found by rows, and only the rest is looked at pixel by pixel.
 * */
#ifndef VSM_MODELS_SAM2_HOLES_H
#define VSM_MODELS_SAM2_HOLES_H

#include "base/status.h"

/* Sets 8-connected regions of at most `area` pixels with logit <= 0 (or not a number) to 0.1;
 * logits[h][w]. VSM_E_NOMEM only. Cost: 256 x 256 pixels, area 8: 0.03 ms for a body, 0.1 ms for noise. */
int vsm_sam2_holes_fill(float *logits, int h, int w, int area) VSM_NODISCARD;

#endif
