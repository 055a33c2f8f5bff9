/* Prompts as the mask decoder wants them: tokens for clicks and boxes, a logit map for masks. */
#ifndef VSM_MODELS_SAM2_PROMPT_H
#define VSM_MODELS_SAM2_PROMPT_H

#include "frame/tensor.h"
#include "models/sam2_net.h"
#include "models/sam2_tracker.h"

/* The clicks of one object on one frame so far; labels as in struct vsm_sam2_learned.point. */
struct vsm_sam2_points {
    float x[VSM_SAM2_MAX_CLICKS], y[VSM_SAM2_MAX_CLICKS];
    int label[VSM_SAM2_MAX_CLICKS];
    int count;
};

/* Adds a prompt's box (as two corners, first) and clicks. VSM_E_USAGE if one is outside, nothing is there, or
 * they are too many; `points` is then unchanged. */
int vsm_sam2_prompt_points(struct vsm_sam2_points *points, const struct vsm_sam2_prompt *prompt,
                           int image_size) VSM_NODISCARD;

/* [batch, 6 + count + 1, 256]: learned tokens, the points, and the padding point that always follows. No
 * points: two padding points, as when tracking. NULL if out of memory. */
struct vsm_tensor *vsm_sam2_prompt_tokens(const struct vsm_sam2_learned *learned,
                                          const struct vsm_sam2_points *points, int image_size,
                                          int batch) VSM_NODISCARD;

/* A mask prompt scaled to S x S and cut at one half: 0 or 1. VSM_E_USAGE for a mask without size. */
int vsm_sam2_prompt_mask(const struct vsm_sam2_prompt *prompt, int image_size, float *mask) VSM_NODISCARD;

/* The learned reduction of such a mask to a quarter: out[S / 4][S / 4]. */
void vsm_sam2_prompt_reduce(const struct vsm_sam2_learned *learned, const float *mask, int image_size,
                            float *out);

#endif
