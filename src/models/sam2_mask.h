/* Arithmetic on the masks of the SAM 2 family: logits (> 0 = inside), row-major.
 *
 * Resizing is bilinear with half-pixel centres, as torch does it (align_corners false).
 */
#ifndef VSM_MODELS_SAM2_MASK_H
#define VSM_MODELS_SAM2_MASK_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Logits of an object that is not there. */
#define VSM_SAM2_MASK_ABSENT (-1024.0f)

/* Enlarges (or reduces, without smoothing) from[h][w] to to[to_h][to_w]. */
void vsm_sam2_mask_resize(const float *from, int h, int w, float *to, int to_h, int to_w);

/* The same with a filter as wide as the reduction (torch's antialias): no smoothing where it enlarges.
 * VSM_E_NOMEM only. */
int vsm_sam2_mask_resize_smooth(const float *from, int h, int w, float *to, int to_h, int to_w) VSM_NODISCARD;

/* What the memory encoder sees: probability * 20 - 10, the probability being 0 or 1 if `binary`. In place. */
void vsm_sam2_mask_memory_input(float *logits, int64_t count, bool binary);

/* count(logit > 0.05) / count(logit > -0.05); 1 if nothing is above -0.05. Source: the official "dynamic
 * multimask via stability" with its defaults; below VSM_SAM2_MASK_STABLE the single mask is not trusted. */
#define VSM_SAM2_MASK_STABLE 0.98
double vsm_sam2_mask_stability(const float *logits, int64_t count);

/* Pixels inside: logit > 0. */
int64_t vsm_sam2_mask_area(const float *logits, int64_t count);

/* The smallest box round all pixels inside: left, top, right, bottom, the latter two exclusive. False and all
 * 0 if there are none. */
bool vsm_sam2_mask_box(const float *logits, int h, int w, int box[4]);

#endif
