/* From coefficient maps to alpha that an eye should have, and back to maps that give it.
 *
 * The mended alpha is fitted to the eye's own picture by the guided filter (image/guided_fit.h), so that it
 * has its own edges at full size.
 */
#ifndef VSM_STEREO_STEREO_MAPS_H
#define VSM_STEREO_STEREO_MAPS_H

#include "base/parallel.h"

/* One eye's planes of width * height. All borrowed. */
struct vsm_stereo_maps {
    const float *rgb;             /* R, G, B */
    const float *target, *weight; /* alpha is to become own + weight * (target - own) */
    int width, height;
    float *maps;   /* as of struct vsm_matte; changed where weight > 0 */
    float *alpha;  /* likewise: what they give on the grid itself */
    float *fitted; /* two planes, overwritten */
};

/* The maps give way to those of the wanted alpha, which they give exactly on the grid itself. A person whom
 * the matter had not seen has the picture's own colour: no residual of the foreground. The same result for
 * any number of threads. Cost: see bench_stereo. */
void vsm_stereo_maps_replace(const struct vsm_stereo_maps *maps, struct vsm_parallel *pool);

#endif
