/* Turns a vote of masks (image/mask_vote.h) into coefficient maps on a view's grid: gates and mends a
 * matter's, or makes them where there is no matter.
 *
 * With a matter, per cell: alpha's A and b are multiplied by the gate; where the masks are sure of a person
 * and the matter's alpha (on the grid) is low, the mask's own edge-aware fit (image/mask_fit.h) takes its
 * place, blended in over the surroundings. Alone: that fit everywhere, and a foreground as it is in the
 * picture. The full-size pass (image/refine.h) knows nothing of it.
 */
#ifndef VSM_IMAGE_MASK_FUSION_H
#define VSM_IMAGE_MASK_FUSION_H

#include "base/parallel.h"
#include "base/status.h"
#include "image/mask_vote.h"

/* The matter's alpha below which a sure cell is missed: wholly at MISSED, not at all from SEEN on. A
 * choice. */
#define VSM_MASK_FUSION_MISSED 0.3f
#define VSM_MASK_FUSION_SEEN   0.7f

struct vsm_mask_fusion;

/* For a grid of width x height cells, both at least 2. */
int vsm_mask_fusion_create(int width, int height, struct vsm_mask_fusion **fusion) VSM_NODISCARD;
void vsm_mask_fusion_destroy(struct vsm_mask_fusion *fusion);

/* rgb: three planes 0..1 of the grid. where: for each cell the point of the eye that it shows,
 * [height][width][2], parts of the eye's width and height, outside 0..1 for none; NULL: the grid is the whole
 * eye. maps: eight planes, as struct vsm_matte. Returns the share of cells that were filled. Cost: 10 ms for
 * 768 x 768 on one core, 70 if anything is filled. */
double vsm_mask_fusion_mend(struct vsm_mask_fusion *fusion, const struct vsm_mask_vote *vote,
                            const float *where, const float *rgb, float *maps, struct vsm_parallel *pool);

/* The same without a matter: writes all eight planes. */
void vsm_mask_fusion_alone(struct vsm_mask_fusion *fusion, const struct vsm_mask_vote *vote,
                           const float *where, const float *rgb, float *maps, struct vsm_parallel *pool);

#endif
