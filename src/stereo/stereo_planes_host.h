/* The planes of two views on the host: plain loops over a pool of threads, the reference of the other kind.
 *
 * Working memory lives from begin to end, in a turn of base/scratch.h: 60 bytes a grid pixel.
 */
#ifndef VSM_STEREO_STEREO_PLANES_HOST_H
#define VSM_STEREO_STEREO_PLANES_HOST_H

#include "stereo/stereo_planes.h"

/* The disparity's memory is lent by begin (vsm_disparity_lend). VSM_E_NOMEM. */
int vsm_stereo_planes_host_create(const struct vsm_stereo_planes_options *options,
                                  struct vsm_stereo_planes *planes) VSM_NODISCARD;

#endif
