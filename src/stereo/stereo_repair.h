/* What an eye that has just recovered takes over of the other eye's memory: where, how much, and moved by
 * which disparity.
 */
#ifndef VSM_STEREO_STEREO_REPAIR_H
#define VSM_STEREO_STEREO_REPAIR_H

#include "stereo/disparity_map.h"

struct vsm_stereo_repair {
    int grid_width;                                         /* of the grid that was compared */
    struct vsm_disparity_map map;                           /* measured from this eye */
    float share[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS]; /* of a cell, 0..1 */
};

/* Planes of any resolution, as vsm_transfer_planes(): `from` is what the other eye has. */
void vsm_stereo_repair_apply(const struct vsm_stereo_repair *repair, const float *from, int width, int height,
                             int channels, float *to);

#endif
