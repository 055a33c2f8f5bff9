#include "stereo/stereo_repair.h"

#include "stereo/transfer.h"

void vsm_stereo_repair_apply(const struct vsm_stereo_repair *repair, const float *from, int width, int height,
                             int channels, float *to)
{
    vsm_transfer_planes(&repair->map, repair->grid_width, from, width, height, channels, repair->share, to);
}
