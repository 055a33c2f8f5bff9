/* What the masks of all tracked people of one eye say together, on the masks' own grid: where a matte may be,
 * where it must be, and how likely.
 *
 *   gate   0..1: 1 inside the mask of a chosen person and round it for REACH of the person's height, where
 *          hair and blur are; then it falls to 0 over SOFT cells. 0 where somebody else is likelier.
 *   sure   0..1: 1 well inside: logit above SURE, at least INSIDE + SOFT cells from where it is not.
 *   logit  the largest of the chosen; where another person is visible, what it is ahead of him.
 *
 * The constants are choices: trained trackers were not at hand. Distances are chamfer distances (1, sqrt 2).
 */
#ifndef VSM_IMAGE_MASK_VOTE_H
#define VSM_IMAGE_MASK_VOTE_H

#include "base/status.h"

#include <stdbool.h>

#define VSM_MASK_VOTE_REACH     0.04f /* of the mask's height, but at least: */
#define VSM_MASK_VOTE_MIN_REACH 3.0f  /* cells, of a grid of 256; proportionally on others */
#define VSM_MASK_VOTE_SOFT      2.0f  /* cells */
#define VSM_MASK_VOTE_INSIDE    1.0f  /* cells */
#define VSM_MASK_VOTE_SURE      2.0f  /* logit: probability 0.88 */

/* One person's mask in one eye. */
struct vsm_mask_person {
    const float *logits; /* [side][side], > 0 inside; borrowed */
    bool chosen;         /* kept; others are removed */
};

struct vsm_mask_vote {
    int side;
    float *gate, *sure, *logit; /* [side][side], owned */
    float *scratch;
};

/* A grid of side x side cells, all zero. VSM_E_NOMEM. */
int vsm_mask_vote_create(int side, struct vsm_mask_vote *vote) VSM_NODISCARD;
void vsm_mask_vote_destroy(struct vsm_mask_vote *vote);

/* Nobody: gate and sure are 0, logit is far below 0. Cost: 1 ms a chosen person at 256 cells. */
void vsm_mask_vote_take(struct vsm_mask_vote *vote, const struct vsm_mask_person *people, int count);

#endif
