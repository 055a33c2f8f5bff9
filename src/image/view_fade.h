/* Coefficient maps on their way from one set of views of an eye to another.
 *
 * When views are replaced, both sets are run for a while, and the full-size pass gets one of them, into which
 * the other is mixed here, on the small grid: alpha and foreground are linear in the maps, so mixing maps
 * mixes mattes.
 */
#ifndef VSM_IMAGE_VIEW_FADE_H
#define VSM_IMAGE_VIEW_FADE_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/frame.h"

/* Maps of matte->view become `keep` times themselves plus 1 - keep times what the views of the same eye among
 * the `count` mattes `other` say of the same directions: bilinearly, up to two of them blended by the
 * distance to their edges as at full size (image/refine_warp.h); background, that is zeros, where none of
 * them looks. 0 <= keep <= 1. Cost on one core: 0.2 s for a grid of 768x768 and one other view. */
int vsm_view_fade(struct vsm_matte *matte, float keep, const struct vsm_matte *other, int count,
                  struct vsm_parallel *pool) VSM_NODISCARD;

#endif
