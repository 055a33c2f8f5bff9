/* People cut out of footage with their true masks: a texture for every picture, and its scale in metres.
 *
 * The footage lies in the shared data folder (its README): DAVIS sequences with binary masks, whose edges are
 * softened inwards by half a texel so that no background comes along, and stills with their own alpha.
 */
#ifndef TOOLS_CUTOUT_H
#define TOOLS_CUTOUT_H

#include "base/status.h"
#include "tools/texture.h"

/* Who can be cast. */
struct vsm_cutout_person {
    const char *name;
    const char *frames, *masks; /* folders, or one still and NULL; relative to the data folder */
    int count;                  /* pictures; played forward and backward for ever */
    double height;              /* metres from the lowest to the highest point in the first picture */
    double bottom;              /* metres above the eyes of the lowest point: standing people -1.6 */
};

/* NULL if nobody has this name. vsm_cutout_person(n) is NULL behind the last one. */
const struct vsm_cutout_person *vsm_cutout_find(const char *name);
const struct vsm_cutout_person *vsm_cutout_person(int number);

/* One picture of a person. */
struct vsm_cutout {
    struct vsm_texture texture;
    double x, y; /* texel that stands on the person's place: centre of mass across, lowest point */
    double texels_per_metre; /* of the first picture, so that people do not breathe */
};

/* Loads picture `number` (>= 0) of the person from `data_folder` into *cutout, which was zeroed or
 * loaded with an earlier picture of the same person. A still is loaded only once. VSM_E_INPUT if a
 * file is missing. */
int vsm_cutout_load(const struct vsm_cutout_person *person, const char *data_folder, int number,
                    struct vsm_cutout *cutout) VSM_NODISCARD;
void vsm_cutout_destroy(struct vsm_cutout *cutout);

#endif
