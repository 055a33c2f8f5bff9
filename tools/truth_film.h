/* Films a scene of tools/truth_scenes.h picture by picture: both eyes with their exact alpha, and who stands
 * where.
 *
 * The cameras do what the scene says of them: a vertical offset, exposure, noise, exchanged eyes, and a fault
 * for a while. Same options, same pixels.
 */
#ifndef TOOLS_TRUTH_FILM_H
#define TOOLS_TRUTH_FILM_H

#include "base/status.h"
#include "tools/billboards.h"
#include "tools/eye_faults.h"
#include "tools/truth_scenes.h"

#define VSM_TRUTH_FILM_BASELINE 0.064 /* metres */

struct vsm_truth_film_options {
    const char *data;                    /* the shared data folder */
    struct vsm_truth_scenes_scene scene; /* as it is to be filmed */
    int frames, eye;                     /* eye: pixels a side, a multiple of 32 */
    unsigned passers_by;                 /* bit n: member n of the cast is to be left out of the alpha */
    struct vsm_eye_faults_fault fault;
};

/* Fields are to be read; the alpha of the canvas is what ought to be found. */
struct vsm_truth_film {
    struct vsm_truth_film_options options;
    struct vsm_billboards_rig rig;
    struct vsm_canvas canvas;
    struct vsm_billboards_person people[VSM_TRUTH_SCENES_MAX_CAST];
    struct vsm_billboards_seen seen[VSM_TRUTH_SCENES_MAX_CAST];
    struct vsm_billboards_point *points; /* of the cameras, not of swapped eyes; owned */
    int cast_count;
    float *background; /* the canvas without people; owned */
    float *kept;       /* room for the last good eye; owned */
    struct vsm_cutout cutouts[VSM_TRUTH_SCENES_MAX_CAST];
};

/* VSM_E_INPUT if footage is missing. Destroy it after a failure too. */
int vsm_truth_film_create(const struct vsm_truth_film_options *options,
                          struct vsm_truth_film *film) VSM_NODISCARD;
void vsm_truth_film_destroy(struct vsm_truth_film *film);

/* Makes picture `number`, 0 .. frames - 1, in order. */
int vsm_truth_film_shoot(struct vsm_truth_film *film, int number) VSM_NODISCARD;

#endif
