/* Who is in the picture: the people layer of a frame.
 *
 * Filled by stages/people_stage before the matter runs, so that views, selection, stereo and tracker all
 * speak of the same persons. Both eyes always hold the same persons in the same order.
 */
#ifndef VSM_FRAME_PEOPLE_H
#define VSM_FRAME_PEOPLE_H

#include "frame/person_box.h"

#include <stdbool.h>
#include <stdint.h>

#define VSM_MAX_PEOPLE 16 /* in one picture; the weakest are dropped */

struct vsm_person {
    int32_t id; /* 1, 2 ...: the same person over time and in both eyes; never given twice in a job */
    struct vsm_person_box box[2]; /* by enum vsm_eye; of a mono picture only the left is meant */
    float score;                  /* of the last detection, 0..1 */
    float parallax;               /* of the body, radians: baseline by distance; 0 in a mono picture */
    float match; /* 0..1: how sure the other eye's box is; 0 = matched nowhere yet, guessed from the height */
    bool chosen; /* by matting.people; others are to be removed like background */
};

struct vsm_people {
    bool known;    /* false: nobody looked (no detector in this job); then the rest means nothing */
    bool detected; /* on this very frame; otherwise positions are carried on from earlier ones */
    int32_t count;
    struct vsm_person person[VSM_MAX_PEOPLE];
    /* Out of sight, but remembered (people/rivals.h): where they may still be, for parting mattes
     * (people/gate.h) and for nothing else. */
    int32_t rival_count;
    struct vsm_person rival[VSM_MAX_PEOPLE];
};

#endif
