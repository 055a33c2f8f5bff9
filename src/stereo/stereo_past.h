/* What comparing two views has learnt of a scene, cell by cell, and how it goes over to other views of the
 * same eyes.
 *
 * A view turns after people, is replaced by another one, or gets another grid; people, their distance and
 * what was mended of them do not change by that. Each cell of the new grid takes what the old cell knew in
 * which its middle's direction lies; where no old view looked, it begins anew. What is known of the eyes
 * themselves stays as it is.
 */
#ifndef VSM_STEREO_STEREO_PAST_H
#define VSM_STEREO_STEREO_PAST_H

#include "geometry/view_map.h"
#include "stereo/alignment.h"
#include "stereo/consensus.h"
#include "stereo/disparity.h"
#include "stereo/mend.h"

/* Plain: a copy continues exactly. */
struct vsm_stereo_past {
    struct vsm_view_map views[2]; /* by enum vsm_eye, and the grid of cells of both */
    struct vsm_mend_grid grid;
    struct vsm_disparity_memory memory[2];
    struct vsm_alignment alignment;
    struct vsm_mend mend;
    struct vsm_consensus consensus;
};

/* `to` has its views and grid; the rest is filled from `count` >= 1 pasts, the first of those that know a
 * cell. Cost: 1 ms. */
void vsm_stereo_past_carry(const struct vsm_stereo_past *from, int count, struct vsm_stereo_past *to);

#endif
